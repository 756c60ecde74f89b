#include "../fixture.hpp"
#include "lua/desync_call.hpp"

#include "nfqws2/packet/dissect.hpp"

namespace nfqws2::lua {
namespace {

class ControlApi : public ApiTest {
  protected:
    ControlApi() {
        profile.number = 1;
        profile.instances.resize(3);
        for (std::uint32_t i = 0; i < 3; i++) {
            profile::LuaInstance& instance = profile.instances[i];
            instance.func = "v";
            instance.func_n = i + 1;
            instance.name = "v_1_" + std::to_string(i + 1);
        }
        push_ctx(L());
        lua_setglobal(L(), "ctx");
    }

    // Runs source as if the instance of that number (from 1) were running.
    std::string run_as(unsigned number, const std::string& source) {
        call = {};
        call.track = track;
        call.profile = &profile;
        call.instance = &profile.instances[number - 1];
        call.outgoing = outgoing;
        call.raw_packet = as_bytes("RAW");
        const CallScope scope(state, call);
        return run(source);
    }

    void make_track() {
        const auto syn = from_hex("4500002800000000400600000a0100010a010002"
                                  "03e80050000003e8000000005002006400000000");
        track = connections.feed(packet::dissect(*syn)).track;
        ASSERT_NE(track, nullptr);
    }

    profile::Profile profile;
    DesyncCall call;
    flow::Track* track = nullptr;
    bool outgoing = true;
};

TEST_F(ControlApi, ContextIsGoodInsideACallOnly) {
    EXPECT_EQ(run_as(1, "assert(raw_packet(ctx) == 'RAW')"), "");
    for (const char* f :
         {"raw_packet", "lua_cutoff", "execution_plan", "execution_plan_cancel", "instance_cutoff"})
        EXPECT_EQ(run(std::string(f) + "(ctx)"), "test:1: ctx is invalid") << f;
}

// Its finalizer and the like would take anything for the userdata they are made for.
TEST_F(ControlApi, MetatablesOfOwnUserdataAreHidden) {
    EXPECT_EQ(eval("getmetatable(ctx)"), "desync_ctx");
    EXPECT_EQ(eval("getmetatable(gzip_init())"), "userdata_zstream");
    EXPECT_EQ(eval("getmetatable(gunzip_init())"), "userdata_zstream");
}

TEST_F(ControlApi, PlanWhileAFinalizerAsksForIt) {
    protocol::PayloadSet many;
    for (unsigned i = 2; i < static_cast<unsigned>(protocol::Payload::count); i += 2)
        many.add(static_cast<protocol::Payload>(i));
    profile.instances[1].payload = many;
    profile.instances[2].payload.add(protocol::Payload::http_req);
    EXPECT_EQ(run_as(1, R"lua(
        local function finalizer() calls = (calls or 0) + 1 execution_plan(ctx) end
        collectgarbage("setpause", 1)
        collectgarbage("setstepmul", 100000)
        local want
        for i = 1, 100 do
            if newproxy then
                getmetatable(newproxy(true)).__gc = finalizer
            else
                setmetatable({}, { __gc = finalizer })
            end
            local got = execution_plan(ctx)[1].payload_filter
            want = want or got
            assert(got == want)
        end
        assert(calls > 50)
    )lua"),
              "");
}

TEST_F(ControlApi, NilAndOtherTypes) {
    EXPECT_EQ(run("assert(select('#', instance_cutoff(nil)) == 0)"), "");
    for (const char* f : {"raw_packet", "lua_cutoff", "execution_plan", "execution_plan_cancel"}) {
        EXPECT_EQ(run(std::string(f) + "(nil)"), "test:1: missing ctx") << f;
        EXPECT_EQ(run(std::string(f) + "({})"), "test:1: bad argument #1 to '" + std::string(f) +
                                                    "' (desync_ctx expected, got table)");
        EXPECT_EQ(run(std::string(f) + "(io.stdout)"), "test:1: bad argument #1 to '" +
                                                           std::string(f) +
                                                           "' (desync_ctx expected, got userdata)");
    }
    EXPECT_EQ(run_as(1, "lua_cutoff(ctx, 1)"),
              "test:1: bad argument #2 to 'lua_cutoff' (boolean expected, got number)");
}

TEST_F(ControlApi, InstanceCutoff) {
    make_track();
    const auto cut = [&](std::uint32_t n, bool out) { return track->instance_cut(1, n, out); };
    EXPECT_EQ(run_as(1, "instance_cutoff(ctx, true)"), "");
    EXPECT_TRUE(cut(1, true));
    EXPECT_FALSE(cut(1, false));
    EXPECT_EQ(run_as(2, "instance_cutoff(ctx, false)"), "");
    EXPECT_TRUE(cut(2, false));
    EXPECT_FALSE(cut(2, true));
    EXPECT_EQ(run_as(3, "instance_cutoff(ctx)"), "");
    EXPECT_TRUE(cut(3, false));
    EXPECT_TRUE(cut(3, true));
}

TEST_F(ControlApi, LuaCutoff) {
    make_track();
    EXPECT_EQ(run_as(1, "lua_cutoff(ctx, false)"), "");
    EXPECT_TRUE(track->cutoff(false));
    EXPECT_FALSE(track->cutoff(true));
    EXPECT_EQ(run_as(1, "lua_cutoff(ctx)"), "");
    EXPECT_TRUE(track->cutoff(true));
}

TEST_F(ControlApi, WithoutATrackCutoffsDoNothing) {
    EXPECT_EQ(run_as(1, "instance_cutoff(ctx) lua_cutoff(ctx)"), "");
}

TEST_F(ControlApi, PlanCancel) {
    EXPECT_EQ(run_as(1, "execution_plan_cancel(ctx)"), "");
    EXPECT_TRUE(call.plan_cancelled);
    EXPECT_EQ(run_as(1, ""), "");
    EXPECT_FALSE(call.plan_cancelled);
}

TEST_F(ControlApi, PlanShowsTheFollowingInstancesAsConfigured) {
    profile.instances[1].args = {{"d", "\\%x"}, {"a", "1"}, {"a", "2"}};
    profile.instances[1].payload.add(protocol::Payload::tls_client_hello);
    profile.instances[1].payload.add(protocol::Payload::http_req);
    profile.instances[2].args = {{"c", "1"}};
    profile.instances[2].payload.add(protocol::Payload::known);
    profile.instances[2].out_range = *flow::parse_range("n2<d10");
    EXPECT_EQ(run_as(1, R"lua(
        local p = execution_plan(ctx)
        assert(#p == 2)
        local e = p[1]
        assert(e.func == "v" and e.func_n == 2 and e.func_instance == "v_1_2")
        assert(e.arg.d == "\\%x" and e.arg.a == "1", "raw, and the first of equal names")
        assert(e.payload.http_req == true and e.payload.tls_client_hello and not e.payload.all)
        assert(e.payload_filter == "http_req,tls_client_hello")
        assert(e.range.from.mode == "a" and e.range.from.pos == 0 and e.range.to.mode == "a")
        e = p[2]
        assert(e.payload.known and e.payload_filter == "known" and e.arg.c == "1")
        assert(e.range.from.mode == "n" and e.range.from.pos == 2 and e.range.to.mode == "d")
        assert(e.range.to.pos == 10 and e.range.upper_cutoff == true)
    )lua"),
              "");
    EXPECT_EQ(run_as(3, "assert(#execution_plan(ctx) == 0)"), "");
    outgoing = false;
    EXPECT_EQ(run_as(2, R"lua(
        local p = execution_plan(ctx)
        assert(#p == 1 and p[1].range.from.mode == "x" and p[1].range.to.mode == "x")
    )lua"),
              "");
}

TEST_F(ControlApi, PlanWithoutPayloadFilter) {
    EXPECT_EQ(run_as(2, "local e = execution_plan(ctx)[1] assert(e.payload.all == true "
                        "and next(e.payload, 'all') == nil and e.payload_filter == 'all')"),
              "");
}

TEST_F(ControlApi, ThereIsOneContextObject) {
    push_ctx(L());
    lua_setglobal(L(), "again");
    EXPECT_EQ(run("assert(ctx == again)"), "");
}

} // namespace
} // namespace nfqws2::lua
