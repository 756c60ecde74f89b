// Conditions of instances that are looked at without a call (lua/nflua/conditions.hpp).
#include "../../places.hpp"
#include "../fixture.hpp"

#include "nfqws2/lua/desync.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/profile/profile_builder.hpp"

#include <initializer_list>
#include <optional>

namespace nfqws2::lua {
namespace {

constexpr const char* script = R"lua(
calls = 0
function f() calls = calls + 1 return true end
function set() nf.set_match_bit(1, true) return false end
function empty(ctx, d) d.dis.payload = "" end
function fill(ctx, d) d.dis.payload = "x" end
)lua";

constexpr const char* tcp_data =
    "4500002D00010000400666C60A0100010A0100029C4001BB000003E8000000005010FAF00000000068656C6C6F";
constexpr const char* tcp_ack =
    "4500002800010000400666CB0A0100010A0100029C4001BB000003E8000000005010FAF000000000";
constexpr const char* datagram =
    "4500002100010000401166C70A0100010A0100029C4001BB000D000068656C6C6F";

class ConditionsTest : public ApiTest {
  protected:
    ConditionsTest() : lists(clock) {
        const LuaInit items[] = {{true, nfqws2::test::in_source("lua/zapret-nflua.lua")},
                                 {false, script}};
        EXPECT_TRUE(state.run_init(items, {}));
    }

    void use(std::initializer_list<const char*> instances) {
        profile::ProfileBuilder builder(lists);
        builder.payload("all");
        for (const char* instance : instances)
            builder.lua_desync(instance);
        profiles.emplace(builder.finish().profiles, lists, clock);
        desync.emplace(state);
        EXPECT_TRUE(desync->prepare(*profiles));
    }

    capture::Action show(const char* hex) {
        const auto bytes = *from_hex(hex);
        const packet::Dissect dissected = packet::dissect(bytes);
        EXPECT_NE(dissected.l4, packet::L4::none) << hex;
        PacketView view;
        view.dis = &dissected;
        view.profile = &profiles->by_number(1);
        return desync->run(view).action;
    }
    bool drops(const char* hex) { return show(hex) == capture::Action::drop; }

    // What Lua makes for a packet that passes; the collector rests.
    long made_for(const char* hex) {
        lua_gc(L(), LUA_GCSTOP, 0);
        const long before = heap();
        EXPECT_EQ(show(hex), capture::Action::accept);
        const long made = heap() - before;
        lua_gc(L(), LUA_GCRESTART, 0);
        return made;
    }
    long heap() { return 1024L * lua_gc(L(), LUA_GCCOUNT, 0) + lua_gc(L(), LUA_GCCOUNTB, 0); }

    profile::ListStore lists;
    std::optional<profile::ProfileSet> profiles;
    std::optional<Desync> desync;
};

TEST_F(ConditionsTest, WhatIsRefusedCostsLuaNothing) {
    for (const char* instance :
         {"nflua:func=f:mask=0x8", "nflua_match:func=f:mask=8:j=next", "nflua:mask=8",
          "nflua_target:func=f:mask=8", "nflua:func=f:tcp_payload", "nflua:tcp_payload:j=accept"}) {
        use({instance, "nflua:func=f:mask=1"});
        show(datagram); // its arguments are read
        EXPECT_EQ(made_for(datagram), 0) << instance;
    }
    EXPECT_EQ(eval("calls"), "0");
    use({"nflua:func=f:mask=0"});
    EXPECT_TRUE(drops(datagram));
    use({"nflua:func=f:mask=1:j=continue"});
    EXPECT_EQ(run("nf.set_match_bit(0, true)"), "");
    EXPECT_GT(made_for(datagram), 0) << "the table";
    EXPECT_EQ(eval("calls"), "2");
}

TEST_F(ConditionsTest, TheMaskIsThatOfTheMoment) {
    use({"nflua:func=f:mask=6"});
    EXPECT_FALSE(drops(datagram));
    EXPECT_EQ(run("nf.set_match_bit(2, true) assert(nf.get_match_mask() == 4)"), "");
    EXPECT_TRUE(drops(datagram));
    EXPECT_EQ(run("nf.set_match_bit(2, false) nf.set_match_bit(31, true)"), "");
    EXPECT_FALSE(drops(datagram));
    EXPECT_EQ(eval("nf.get_match_mask()"), "2147483648");
    EXPECT_EQ(run("nf.reset_match_mask() assert(nf.get_match_mask() == 0)"), "");
    use({"nflua:func=set", "nflua:func=f:mask=2"});
    EXPECT_TRUE(drops(datagram)) << "set for the same packet";
}

TEST_F(ConditionsTest, PayloadIsWhatInstancesBeforeHaveLeft) {
    use({"nflua:func=f:tcp_payload"});
    EXPECT_TRUE(drops(tcp_data));
    EXPECT_FALSE(drops(tcp_ack));
    use({"empty", "nflua:func=f:tcp_payload"});
    EXPECT_FALSE(drops(tcp_data));
    use({"fill", "nflua:func=f:tcp_payload"});
    EXPECT_TRUE(drops(tcp_ack));
}

TEST_F(ConditionsTest, OthersDoNotRunForWhatIsNoMatch) {
    use({"nflua:mask=1:j=next", "nflua:func=f"});
    EXPECT_FALSE(drops(datagram));
    for (const char* instance : {"nflua:mask=1:j=accept", "nflua_target:func=f:mask=1"}) {
        use({instance, "nflua:func=f"});
        EXPECT_TRUE(drops(datagram)) << instance;
    }
}

TEST_F(ConditionsTest, AnotherFunctionIsAskedItself) {
    use({"nflua:func=f:mask=1"});
    EXPECT_FALSE(drops(datagram));
    EXPECT_EQ(run("kept = nflua nflua = function() return VERDICT_DROP end"), "");
    EXPECT_TRUE(drops(datagram));
    EXPECT_EQ(run("nflua = kept"), "");
    EXPECT_EQ(made_for(datagram), 0);
    EXPECT_EQ(run("nflua = nflua_target"), "");
    EXPECT_GT(made_for(datagram), 0);
    EXPECT_EQ(run("nflua = nil"), "");
    ::testing::internal::CaptureStderr();
    EXPECT_FALSE(drops(datagram));
    ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(desync->errors(), 1U);
}

TEST_F(ConditionsTest, WhatCannotBeReadIsToldByTheCall) {
    for (const char* instance :
         {"nflua:func=f:mask=", "nflua:func=f:mask=x", "nflua:func=f:mask=-1",
          "nflua:func=f:mask=0x100000000", "nflua:func=f:mask=1:j=x", "nflua:func=f:mask=1:mode=x",
          "nflua:mask=1:mode=target", "nflua_target:tcp_payload", "nflua:func=f:mask=%nothing",
          "nflua:func=%nothing:mask=1"}) {
        use({instance});
        ::testing::internal::CaptureStderr();
        for (unsigned n = 1; n <= 2; n++) {
            EXPECT_EQ(show(datagram), capture::Action::accept);
            EXPECT_EQ(desync->errors(), n) << instance;
        }
        ::testing::internal::GetCapturedStderr();
    }
    EXPECT_EQ(run("bits = '4'"), "");
    use({"nflua:func=f:mask=%bits"});
    EXPECT_FALSE(drops(datagram));
    EXPECT_EQ(run("bits = 0"), "");
    EXPECT_TRUE(drops(datagram)) << "substituted anew for each packet";
}

// What a function has written goes on when it has ended, and with its own packet only.
TEST_F(ConditionsTest, WhatIsWrittenGoesOnWithItsPacket) {
    EXPECT_EQ(run("function write(_, packet) packet:layout{ttl = {64, 8}} packet.ttl = 9 end "
                  "function zap(...) write(...) return true end "
                  "function fail(...) write(...) error('oops', 0) end"),
              "");
    ::testing::internal::CaptureStderr();
    for (const char* instance : {"nflua_match:func=fail", "nflua_target:func=fail"}) {
        use({instance});
        EXPECT_EQ(show(tcp_data), capture::Action::accept) << instance;
    }
    ::testing::internal::GetCapturedStderr();
    use({"nflua:func=zap:j=continue"});
    EXPECT_EQ(show(tcp_data), capture::Action::modify);
    use({"nflua:func=zap"});
    EXPECT_TRUE(drops(tcp_data));
    use({"empty", "nflua:func=f:tcp_payload"});
    EXPECT_EQ(show(tcp_data), capture::Action::accept) << "nothing is left of the one before";
}

} // namespace
} // namespace nfqws2::lua
