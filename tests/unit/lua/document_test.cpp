// docs/lua-api.md: its examples hold, and nothing is missing from it.
#include "../places.hpp"
#include "fixture.hpp"

#include "nfqws2/lua/desync.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/profile/profile_builder.hpp"
#include "nfqws2/rules/compile.hpp"

#include <fstream>
#include <sstream>

namespace nfqws2::lua {
namespace {

struct Example {
    std::size_t line; // of the fence
    std::string source;
};

class DocumentTest : public ApiTest {
  protected:
    DocumentTest() {
        std::ifstream file(nfqws2::test::in_source("docs/lua-api.md"));
        std::ostringstream all;
        all << file.rdbuf();
        text = all.str();
        std::istringstream lines(text);
        std::string line;
        bool inside = false;
        for (std::size_t number = 1; std::getline(lines, line); number++) {
            if (line == "```lua") {
                examples.push_back({number, {}});
                inside = true;
            } else if (line == "```") {
                inside = false;
            } else if (inside) {
                examples.back().source += line + "\n";
            }
        }
    }

    std::string run_example(const Example& example) {
        const std::string name = "=lua-api.md:" + std::to_string(example.line);
        if (load_text(L(), example.source, name.c_str()) &&
            lua_pcall(L(), 0, 0, message_handler_index) == 0)
            return "";
        std::string error = lua_tostring(L(), -1);
        lua_pop(L(), 1);
        return error;
    }

    // The packets the example's comment speaks of; the third one is given to the instances.
    capture::Verdict run_example_function() {
        profile::ListStore lists(clock);
        profile::ProfileBuilder builder(lists);
        builder.set_name("example");
        builder.set_cookie("crumb");
        builder.payload("all");
        builder.lua_desync("example:a=1:b=%fake_default_http");
        builder.lua_desync("example:c");
        const profile::ProfileSet profiles(builder.finish().profiles, lists, clock);
        Desync desync(state);
        EXPECT_TRUE(desync.prepare(profiles));

        const auto syn = *from_hex(
            "4500002800010000400666CB0A0100010A0100029C4001BB000003E7000000005002FAF000000000");
        const auto data = *from_hex("4500002D00010000400666C60A0100010A0100029C4001BB000003E8000000"
                                    "005010FAF00000000068656C6C6F");
        connections.feed(packet::dissect(syn));
        const packet::Dissect dissected = packet::dissect(data);
        PacketView view;
        view.dis = &dissected;
        view.track = connections.feed(dissected).track;
        const flow::Positions positions = view.track->positions();
        view.positions = &positions;
        view.profile = &profiles.by_number(1);
        view.ifout = "eth0";
        view.target = dissected.destination();
        view.target_port = dissected.destination_port();
        view.reasm_data = dissected.payload;
        const capture::Verdict verdict = desync.run(view);
        EXPECT_EQ(desync.errors(), 0U);
        EXPECT_TRUE(view.track->cutoff(true) && view.track->cutoff(false));
        EXPECT_TRUE(view.track->instance_cut(1, 1, true));
        connections.clear();
        return verdict;
    }

    std::string text;
    std::vector<Example> examples;
};

TEST_F(DocumentTest, ExamplesHold) {
    ASSERT_GE(examples.size(), 15U);
    network.list.emplace();
    ::testing::internal::CaptureStderr();
    ::testing::internal::CaptureStdout();
    std::string errors;
    for (const Example& example : examples)
        if (rules::in_this_build() || example.source.find("rules_check") == example.source.npos)
            errors += run_example(example);
    ::testing::internal::GetCapturedStdout();
    ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(errors, "");
    EXPECT_EQ(sender.sent.size(), 2U);
    const capture::Verdict verdict = run_example_function();
    ASSERT_EQ(verdict.action, capture::Action::modify);
    EXPECT_EQ(packet::dissect(verdict.data).packet[8], 7) << "the TTL the example sets";
}

TEST_F(DocumentTest, EveryFunctionIsShownAndTried) {
    std::string code;
    for (const Example& example : examples)
        code += example.source;
    lua_getglobal(L(), "_G");
    unsigned functions = 0;
    for (const auto& [name, type] : state.globals()) {
        if (type != "function") continue;
        lua_getglobal(L(), name.c_str());
        // Ours carry the State as an upvalue; what wraps functions of the base library is not ours.
        const bool native = lua_getupvalue(L(), -1, 1) != nullptr;
        const bool ours = native && lua_touserdata(L(), -1) == &state;
        lua_pop(L(), native ? 2 : 1);
        if (!ours) continue;
        functions++;
        EXPECT_TRUE(text.find("`" + name + "(") != std::string::npos ||
                    text.find("`" + name + "`") != std::string::npos)
            << name << " is not described";
        EXPECT_TRUE(code.find(name + "(") != std::string::npos ||
                    code.find(name + " {") != std::string::npos ||
                    code.find("pcall(" + name + ",") != std::string::npos)
            << name << " has no example";
    }
    lua_pop(L(), 1);
    EXPECT_GT(functions, 80U);
}

TEST_F(DocumentTest, EveryConstantStandsThereWithItsValue) {
    unsigned constants = 0;
    for (const auto& [name, type] : state.globals()) {
        if (type != "number" || name == "qnum" || name == "desync_fwmark" ||
            name == "NFQWS2_COMPAT_VER")
            continue;
        constants++;
        const std::size_t row = text.find("| `" + name + "` | ");
        ASSERT_NE(row, std::string::npos) << name;
        const char* value = text.c_str() + row + name.size() + 7;
        EXPECT_EQ(eval(name), std::to_string(std::strtoul(value, nullptr, 0))) << name;
    }
    EXPECT_EQ(constants, 116U);
}

} // namespace
} // namespace nfqws2::lua
