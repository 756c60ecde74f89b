// The collector may take a step whenever something is pushed, and run a finalizer of the script,
// which may call the very function that pushes. Under a sanitizer these tests see more.
#include "fixture.hpp"

#include "nfqws2/lua/desync.hpp"
#include "nfqws2/profile/list_store.hpp"

namespace nfqws2::lua {
namespace {

// Scripts define again() and use(); again() is called while use() runs.
class ReentryTest : public ApiTest {
  protected:
    std::string repeat(const std::string& script) {
        return run(with_finalizers(script, Uses::never_fail));
    }
};

TEST_F(ReentryTest, ZlibStreams) {
    EXPECT_EQ(repeat(R"lua(
        local function pack(text)
            local z = gzip_init()
            return gzip_deflate(z, text) .. gzip_deflate(z)
        end
        local long, short = ("a"):rep(60000), ("b"):rep(10000)
        local packed, other = pack(long), pack(short)
        function again() gunzip_inflate(gunzip_init(), other) end
        function use() assert(gunzip_inflate(gunzip_init(), packed) == long) end
    )lua"),
              "");
}

TEST_F(ReentryTest, EditedHello) {
    EXPECT_EQ(repeat(R"lua(
        local want = tls_mod(fake_default_tls, "sni=one.example")
        function again() tls_mod(fake_default_tls, "sni=" .. ("x"):rep(200) .. ".example") end
        function use() assert(tls_mod(fake_default_tls, "sni=one.example") == want) end
    )lua"),
              "");
}

TEST_F(ReentryTest, Interfaces) {
    network.list.emplace(10);
    for (capture::Interface& interface : *network.list) {
        interface.name = format("a-long-name-of-an-interface-%p", static_cast<void*>(&interface));
        interface.addresses.resize(3);
    }
    EXPECT_EQ(repeat(R"lua(
        function again() get_ifaddrs() end
        function use()
            local count = 0
            for _ in pairs(get_ifaddrs()) do count = count + 1 end
            assert(count == 10)
        end
    )lua"),
              "");
}

TEST_F(ReentryTest, TimersThatAreAskedFor) {
    EXPECT_EQ(repeat(R"lua(
        local name = ("the long name of a timer "):rep(10)
        function again() for i = 1, 9 do timer_del(name .. i) end end
        function use()
            for i = 1, 9 do timer_set(name .. i, use, 50 + i, true) end
            for i = 1, 9 do
                local info = timer_info(name .. i)
                assert(not info or info.name == name .. i and info.func == use and
                    info.period == 50 + i and info.oneshot and info.fires == 0)
            end
            for _, each in ipairs(timer_enum()) do assert(each:sub(1, #name) == name) end
        end
    )lua"),
              "");
}

TEST_F(ReentryTest, TimersThatFire) {
    ASSERT_EQ(run(R"lua(
        local name = ("the long name of a timer "):rep(10)
        local function set()
            for i = 1, 20 do timer_set(name .. i, fired, 10) end
        end
        function fired(given)
            count = (count or 0) + 1
            assert(given:sub(1, #name) == name)
            for i = 1, 10 do
                local function finalizer()
                    finalized = (finalized or 0) + 1
                    set()
                    error("of a finalizer")
                end
                if newproxy then
                    getmetatable(newproxy(true)).__gc = finalizer
                else
                    setmetatable({}, { __gc = finalizer })
                end
            end
        end
        collectgarbage("setpause", 1)
        collectgarbage("setstepmul", 100000)
        set()
    )lua"),
              "");
    for (int i = 0; i < 100; i++) {
        clock.advance_to(start_ns + (i + 1) * 20'000'000LL);
        state.run_timers();
    }
    lua_gc(L(), LUA_GCSTOP, 0);
    EXPECT_EQ(eval("count > 20 and finalized > 20"), "true");
}

// What the program does with the state between calls is under no limit and in no protected call.
TEST_F(ReentryTest, NoFinalizerRunsBetweenCalls) {
    ASSERT_EQ(run(R"lua(
        local function finalizer() if armed then error("of a finalizer") end end
        for i = 1, 100 do
            if newproxy then
                getmetatable(newproxy(true)).__gc = finalizer
            else
                setmetatable({}, { __gc = finalizer })
            end
        end
        function due() end
        armed = true
        collectgarbage("setpause", 1)
        collectgarbage("setstepmul", 100000)
    )lua"),
              "");
    std::string source = "collectgarbage('stop') local t = {";
    for (int i = 0; i < 500; i++)
        source += format("'text %d',", i);
    std::optional<std::size_t> failed;
    const LuaInit items[] = {{false, source + "}"}};
    EXPECT_TRUE(state.run_init(items, {}, &failed));
#ifdef LUA_GCISRUNNING
    EXPECT_EQ(lua_gc(L(), LUA_GCISRUNNING, 0), 0) << "the script has stopped it";
#endif
    lua_gc(L(), LUA_GCRESTART, 0);
    auto profile = std::make_unique<profile::Profile>();
    profile->number = 1;
    for (unsigned i = 1; i <= 200; i++) {
        profile::LuaInstance instance;
        instance.func = "due";
        instance.func_n = i;
        instance.name = format("due_1_%u", i);
        instance.args = {{format("name%u", i), format("value %u", i)}};
        profile->instances.push_back(std::move(instance));
    }
    std::vector<std::unique_ptr<profile::Profile>> list;
    list.push_back(std::move(profile));
    profile::ListStore lists(clock);
    profile::ProfileSet profiles(std::move(list), lists, clock);
    Desync desync(state);
    EXPECT_TRUE(desync.prepare(profiles));
    lua_gc(L(), LUA_GCSTOP, 0);
}

// A number as the payload becomes a string while the tables are being read.
TEST_F(ReentryTest, TablesThatChangeWhileTheyAreRead) {
    EXPECT_EQ(repeat(R"lua(
        local function packet(payload)
            local headers = {}
            for i = 1, 20 do headers[i] = { type = 0, data = ("h"):rep(6 + 8 * (i % 3)) } end
            return { ip6 = { ip6_flow = 0x60000000, ip6_nxt = 0, ip6_hlim = 1, ip6_src = ("s"):rep(16),
                ip6_dst = ("d"):rep(16), exthdr = headers }, payload = payload }
        end
        local shown
        function again()
            if shown then shown.ip6.exthdr = nil end
            pcall(reconstruct_dissect, { ip6 = packet("").ip6, payload = "p" })
        end
        function use(i)
            shown = packet(i * 7 + 0.5)
            pcall(reconstruct_dissect, shown)
            shown = nil
        end
    )lua"),
              "");
}

} // namespace
} // namespace nfqws2::lua
