// A whole Lua state with the native functions, a virtual clock, seeded randomness, and doors to the
// outside that only remember what went through.
#pragma once

#include "lua/errors.hpp"
#include "lua/restrict/restrict.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/lua/state.hpp"
#include "nfqws2/store/stores.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace nfqws2::lua {

// Finalizers run whenever something is pushed: those of these scripts, again(), do their worst
// while use() is under way, which may fail or must not.
enum class Uses : std::uint8_t { fail, never_fail };
inline std::string with_finalizers(const std::string& script, Uses uses) {
    return script + R"lua(
        local calls = 0
        local function finalizer() calls = calls + 1 again() end
        local function rubbish()
            if newproxy then
                getmetatable(newproxy(true)).__gc = finalizer
            else
                setmetatable({}, { __gc = finalizer })
            end
        end
        collectgarbage("setpause", 0)
        collectgarbage("setstepmul", 100000)
        for i = 1, 300 do
            rubbish()
    )lua" + (uses == Uses::fail ? "pcall(use, i)" : "use(i)") +
           R"lua(
        end
        collectgarbage("setpause", 200)
        collectgarbage()
        assert(calls > 50)
    )lua";
}

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

class SeededRandom final : public Random {
  public:
    void seed(std::uint64_t value) { random_ = make_seeded_random(value); }
    std::uint64_t next64() override { return random_->next64(); }
    bool fill_secure(MutBytes out) override { return random_->fill_secure(out); }

  private:
    std::unique_ptr<Random> random_ = make_seeded_random(1);
};

struct FakeServices {
    static constexpr std::int64_t start_ns = 1'700'000'000'123'456'789;

    Services with(flow::ConnectionTable* connections) {
        Services services{clock, random, capture::TracedOutlet(sender), network, connections};
        services.stores = &stores;
        return services;
    }

    VirtualClock clock{start_ns};
    SeededRandom random;
    FakeSender sender;
    FakeNetwork network;
    store::Stores stores{clock, {1, 2}};
};

class ApiTest : public ::testing::Test, protected FakeServices {
  protected:
    explicit ApiTest(const flow::TableOptions& tracking = {}) : ApiTest(tracking, true, false) {}
    ApiTest(const flow::TableOptions& tracking, bool tracks, bool server_mode)
        : connections(tracking, clock), state(services(tracks, server_mode), {}) {
        EXPECT_TRUE(state.open({}, {}, false));
        used = state.lua();
    }

    lua_State* L() { return used; }

    // Runs source text; "" or the error message without traceback.
    std::string run(const std::string& source) {
        std::string error;
        if (!load_text(used, source, "=test") ||
            lua_pcall(used, 0, 0, message_handler_index) != 0) {
            error = lua_tostring(used, -1);
            error = error.substr(0, error.find("\nstack traceback"));
            lua_pop(used, 1);
        }
        return error;
    }
    // The expression's value as text; numbers without a decimal point, strings as they are.
    std::string eval(const std::string& expression) {
        const std::string error = run("result__ = " + expression);
        if (!error.empty()) return "ERROR " + error;
        lua_getglobal(used, "result__");
        std::string text;
        if (lua_type(used, -1) == LUA_TNUMBER) {
            text = format("%.15g", lua_tonumber(used, -1));
        } else if (lua_type(used, -1) == LUA_TSTRING) {
            std::size_t size = 0;
            const char* data = lua_tolstring(used, -1, &size);
            text.assign(data, size);
        } else if (lua_type(used, -1) == LUA_TBOOLEAN) {
            text = lua_toboolean(used, -1) ? "true" : "false";
        } else {
            text = luaL_typename(used, -1);
        }
        lua_pop(used, 1);
        return text;
    }
    // The same for strings of bytes, as hex.
    std::string eval_hex(const std::string& expression) {
        return to_hex(as_bytes(eval(expression)));
    }

    flow::ConnectionTable connections;
    State state;
    lua_State* used; // a test may use another engine than that of the state

  private:
    Services services(bool tracks, bool server_mode) {
        Services result = with(tracks ? &connections : nullptr);
        result.server_mode = server_mode;
        return result;
    }
};

} // namespace nfqws2::lua
