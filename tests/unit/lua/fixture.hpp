// A whole Lua state with the native functions, a virtual clock, seeded randomness, and doors to the
// outside that only remember what went through.
#pragma once

#include "../../../src/lua/restrict/restrict.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/lua/state.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace nfqws2::lua {

struct Sent {
    std::vector<std::uint8_t> data;
    std::uint32_t mark;
    std::string ifout;
    unsigned repeats;
};

class FakeSender final : public capture::PacketSender {
  public:
    bool send(const capture::OutputPacket& p) override {
        sent.push_back({{p.data.begin(), p.data.end()}, p.mark, std::string(p.ifout), p.repeats});
        return works;
    }
    std::vector<Sent> sent;
    bool works = true;
};

class FakeNetwork final : public capture::NetworkInfo {
  public:
    IpAddress source_for(const IpAddress& target) override {
        return reachable ? target : IpAddress{};
    }
    std::optional<std::vector<capture::Interface>> interfaces() override { return list; }
    bool reachable = true;
    std::optional<std::vector<capture::Interface>> list;
};

class ApiTest : public ::testing::Test {
  protected:
    static constexpr std::int64_t start_ns = 1'700'000'000'123'456'789;

    ApiTest()
        : clock(start_ns), random(make_seeded_random(1)), connections(flow::TableOptions{}, clock),
          state(host) {
        host.clock = &clock;
        host.random = random.get();
        host.sender = &sender;
        host.network = &network;
        host.connections = &connections;
        std::vector<NamedBlob> blobs;
        EXPECT_TRUE(state.open(blobs, Globals{}, false));
    }

    lua_State* L() { return host.L; }

    // Runs source text; "" or the error message without traceback.
    std::string run(const std::string& source) {
        std::string error;
        if (!load_text(host.L, source, "=test") ||
            lua_pcall(host.L, 0, 0, message_handler_index) != 0) {
            error = lua_tostring(host.L, -1);
            error = error.substr(0, error.find("\nstack traceback"));
            lua_pop(host.L, 1);
        }
        return error;
    }
    // The expression's value as text; numbers without a decimal point, strings as they are.
    std::string eval(const std::string& expression) {
        const std::string error = run("result__ = " + expression);
        if (!error.empty()) return "ERROR " + error;
        lua_getglobal(host.L, "result__");
        std::string text;
        if (lua_type(host.L, -1) == LUA_TNUMBER) {
            text = format("%.15g", lua_tonumber(host.L, -1));
        } else if (lua_type(host.L, -1) == LUA_TSTRING) {
            std::size_t size = 0;
            const char* data = lua_tolstring(host.L, -1, &size);
            text.assign(data, size);
        } else if (lua_type(host.L, -1) == LUA_TBOOLEAN) {
            text = lua_toboolean(host.L, -1) ? "true" : "false";
        } else {
            text = luaL_typename(host.L, -1);
        }
        lua_pop(host.L, 1);
        return text;
    }
    // The same for strings of bytes, as hex.
    std::string eval_hex(const std::string& expression) {
        return to_hex(as_bytes(eval(expression)));
    }

    Host host;
    VirtualClock clock;
    std::unique_ptr<Random> random;
    FakeSender sender;
    FakeNetwork network;
    flow::ConnectionTable connections;
    State state;
};

} // namespace nfqws2::lua
