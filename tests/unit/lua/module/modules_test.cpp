// The modules behind `require`, on a door that hands out three packets and without a kernel.
#include "../../places.hpp"
#include "../fixture.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/flow/ct_sim.hpp"
#include "nfqws2/lua/attachments.hpp"
#include "nfqws2/lua/connections.hpp"

#include <cerrno>
#include <cstdio>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nfqws2::lua {
namespace {

constexpr std::uint8_t bytes[] = {0x45, 0, 0, 24, 1, 2, 3, 4};

struct Answered {
    capture::Action action;
    std::string data;
};

class FakeQueue final : public capture::QueueHandle {
  public:
    FakeQueue(std::vector<Answered>& answers, unsigned& open, unsigned& held)
        : answers_(answers), open_(open), held_(held) {
        open_++;
    }
    ~FakeQueue() override {
        open_--;
        held_ = 0;
    }
    int fd() const override { return -1; }
    int bind_family(std::uint16_t, bool) override { return 0; }
    int create(std::uint16_t queue) override { return queue == 7 ? EPERM : 0; }
    int set_mode(std::uint16_t, capture::CopyMode, std::uint16_t) override { return 0; }
    void destroy(std::uint16_t) override {}
    Next next(capture::QueuedPacket& out) override {
        held_ = 0;
        if (left_ == 0) return Next::closed;
        left_--;
        out = {};
        out.input.data = bytes;
        out.input.mark = 5;
        out.length = sizeof bytes;
        return Next::packet;
    }
    int error() const override { return 0; }
    void answer(const capture::QueuedPacket&, const capture::Verdict& verdict) override {
        answers_.push_back({verdict.action, std::string(as_text(verdict.data))});
        held_++;
    }
    void flush() override { held_ = 0; }

  private:
    std::vector<Answered>& answers_;
    unsigned& open_;
    unsigned& held_; // answers that have not left
    unsigned left_ = 3;
};

class FakeDoor final : public capture::QueueDoor {
  public:
    std::unique_ptr<capture::QueueHandle> open(int* error) override {
        *error = 0;
        return std::make_unique<FakeQueue>(answers, handles, held);
    }
    void release() override { released++; }
    std::vector<Answered> answers;
    unsigned released = 0;
    unsigned handles = 0, held = 0;
};

class FakeSimulation final : public SimulationDoor {
  public:
    explicit FakeSimulation(const Clock& clock) : table({{}, {1, 2}, nullptr}, nullptr, clock) {}
    flow::CtSim* simulation() override { return &table; }
    Connections* watching() override { return nullptr; }
    flow::CtSim table;
};

class Modules : public ::testing::Test, protected FakeServices {
  protected:
    void begin(const KernelAccess& kernel, bool may_wait, bool offline, Limits limits = {}) {
        Services services = with(nullptr);
        services.queues = &door;
        services.simulation = simulation.get();
        services.kernel = kernel;
        services.may_wait = may_wait;
        services.offline = offline;
        state.emplace(services, limits);
        ASSERT_TRUE(state->open({}, {}, false));
        // Other processors count these errors otherwise.
        lua_pushinteger(state->lua(), EOPNOTSUPP);
        lua_setglobal(state->lua(), "EOPNOTSUPP");
        lua_pushinteger(state->lua(), ENOBUFS);
        lua_setglobal(state->lua(), "ENOBUFS");
    }
    void SetUp() override { begin({true, true, true}, true, true); }

    std::string run(const std::string& source) {
        lua_State* L = state->lua();
        std::string error;
        if (!load_text(L, source, "=test") || lua_pcall(L, 0, 0, message_handler_index) != 0) {
            error = lua_tostring(L, -1);
            error = error.substr(0, error.find("\nstack traceback"));
            lua_pop(L, 1);
        }
        return error;
    }
    std::string queue(const std::string& code) {
        return run("require 'nfq' h = nfq.open() q = nfq.create_queue(h, 1) nfq.set_mode(q) " +
                   code);
    }

    // No kernel, but the simulation of one.
    void simulate() {
        simulation = std::make_unique<FakeSimulation>(clock);
        begin({true, true, true}, true, true);
    }

    FakeDoor door;
    std::unique_ptr<FakeSimulation> simulation;
    std::optional<State> state;
};

TEST_F(Modules, HaveGlobalsAfterRequireOnly) {
    EXPECT_EQ(run("assert(nfq == nil and nfct == nil)"), "");
    EXPECT_EQ(run("assert(require 'nfq' == nfq and require('nfq') == package.loaded.nfq)"), "");
    EXPECT_EQ(run("assert(nfct == nil)"), "");
}

TEST_F(Modules, PacketsGetVerdicts) {
    EXPECT_EQ(queue("local n = 0 local a, b = nfq.catch(h, function(d) n = n + 1 "
                    "assert(#nfq.get_payload(d) == 8 and nfq.get_meta(d).mark == 5) "
                    "if n == 1 then return 'drop' end "
                    "if n == 2 then return 'accept', 'new' end end) "
                    "assert(n == 3 and a == nil and b == 'closed')"),
              "");
    ASSERT_EQ(door.answers.size(), 3U);
    EXPECT_EQ(door.answers[0].action, capture::Action::drop);
    EXPECT_EQ(door.answers[1].action, capture::Action::modify);
    EXPECT_EQ(door.answers[1].data, "new");
    EXPECT_EQ(door.answers[2].action, capture::Action::accept);
}

TEST_F(Modules, APacketPassesWhenItsCallbackFails) {
    EXPECT_EQ(queue("nfq.catch(h, function() error('broken', 0) end)"), "broken");
    EXPECT_EQ(run("nfq.catch(h, function() return 'keep' end)"),
              "test:1: bad argument #1 to 'verdict' (invalid option 'keep')");
    EXPECT_EQ(run("nfq.catch(h, function() return 5 end)"),
              "test:1: bad argument #1 to 'verdict' (string expected, got number)");
    EXPECT_EQ(door.held, 0U);
    ASSERT_EQ(door.answers.size(), 3U);
    for (const Answered& answer : door.answers)
        EXPECT_EQ(answer.action, capture::Action::accept);
}

TEST_F(Modules, PacketDataEndsWithItsCall) {
    EXPECT_EQ(queue("nfq.catch(h, function(d) if kept then "
                    "local good, why = pcall(nfq.get_payload, kept) "
                    "assert(not good and why:find('qdata is not valid any more')) end "
                    "kept = d end)"),
              "");
}

TEST_F(Modules, AHandleMayBeClosedByItsCallback) {
    EXPECT_EQ(queue("nfq.catch(h, function(d) nfq.close(h) nfq.get_payload(d) end)"),
              "test:1: qdata is not valid any more");
    EXPECT_EQ(queue("nfq.catch(h, function() nfq.close(h) end)"), "test:1: qhandle is closed");
    EXPECT_EQ(door.answers.size(), 2U); // both passed
    EXPECT_EQ(queue("nfq.catch(h, function() nfq.catch(h, print) end)"),
              "test:1: a callback of this qhandle is running");
    EXPECT_EQ(run("nfq.set_mode(q) nfq.close(h) nfq.set_mode(q)"), "test:1: queue is destroyed");
}

TEST_F(Modules, WrongThingsAreNamed) {
    EXPECT_EQ(queue("nfq.close(q)"),
              "test:1: bad argument #1 to 'close' (qhandle expected, got queue)");
    EXPECT_EQ(run("pcall(nfq.close) nfq.close()"),
              "test:1: bad argument #1 to 'close' (qhandle expected, got no value)");
    EXPECT_EQ(run("nfq.set_mode(q, 'all')"),
              "test:1: bad argument #2 to 'set_mode' (invalid option 'all')");
    EXPECT_EQ(run("nfq.create_queue(h, 65536)"), "test:1: out of range");
    EXPECT_EQ(run("local a, b, c = nfq.create_queue(h, 7) assert(a == nil and c == 1)"), "");
    EXPECT_EQ(run("nfq.bind_pf(h, 'inet7')"),
              "test:1: bad argument #2 to 'bind_pf' (invalid option 'inet7')");
    EXPECT_EQ(run("nfq.catch(h)"),
              "test:1: bad argument #2 to 'catch' (function expected, got no value)");
}

TEST_F(Modules, HandlesAreBoundedAndCollected) {
    EXPECT_EQ(run("require 'nfq' t = {} for i = 1, 64 do t[i] = assert(nfq.open()) end "
                  "local a, b, c = nfq.open() assert(a == nil and c == 24)"),
              "");
    EXPECT_EQ(door.handles, 64U);
    EXPECT_EQ(run("t = nil collectgarbage() collectgarbage() assert(nfq.open())"), "");
    EXPECT_EQ(door.handles, 1U);
}

TEST_F(Modules, NobodyWithoutPermissionGetsThrough) {
    begin({}, true, false);
    EXPECT_EQ(run("require 'nfq' local a, b, c = nfq.open() "
                  "assert(a == nil and b == 'not allowed: --lua-allow=queue' and c == 1)"),
              "");
    EXPECT_EQ(door.handles, 0U);
}

TEST_F(Modules, StrategiesCannotWait) {
    begin({true, true, true}, false, true);
    EXPECT_EQ(queue("nfq.catch(h, print)"),
              "test:1: nfq.catch would block packets: use nfq.attach");
    EXPECT_EQ(run("nfq.loop(print)"), "test:1: nfq.catch would block packets: use nfq.attach");
}

TEST_F(Modules, AttachedHandlesAreServed) {
    EXPECT_EQ(queue("n = 0 nfq.attach(h, function() n = n + 1 if n == 2 then error('x') end end)"),
              "");
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(state->attachments().serve(*state, 1), 0U);
    EXPECT_TRUE(state->attachments().has_more());
    EXPECT_EQ(state->attachments().serve(*state, 64), 1U); // the error, which detaches nothing
    EXPECT_EQ(state->attachments().serve(*state, 64), 0U);
    EXPECT_NE(::testing::internal::GetCapturedStderr().find("LUA ERROR"), std::string::npos);
    EXPECT_TRUE(state->attachments().empty()); // it is at its end
    EXPECT_EQ(run("assert(n == 3)"), "");
    EXPECT_EQ(queue("nfq.attach(h, print) nfq.detach(h) nfq.attach(h, print) nfq.close(h)"), "");
    EXPECT_TRUE(state->attachments().empty());
}

TEST_F(Modules, CallbacksHaveALimitAndTheScriptHasNone) {
    begin({true, true, true}, true, true, {.call_ms = 50});
    ::testing::internal::CaptureStderr();
    const Script script{{false, "require 'nfq' h = nfq.open() q = nfq.create_queue(h, 1) "
                                "nfq.set_mode(q) local t = os.clock() jit = jit and jit.off() "
                                "while os.clock() - t < 0.2 do end "
                                "good, why = pcall(nfq.catch, h, function() while true do end end) "
                                "while os.clock() - t < 0.5 do end"},
                        {}};
    EXPECT_EQ(state->run_script(script), ScriptEnd::done);
    ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(run("assert(not good and why:find('--lua-call-limit', 1, true), why)"), "");
    EXPECT_EQ(door.answers.size(), 1U);
}

TEST_F(Modules, FinalizersCloseHandles) {
    EXPECT_EQ(run(with_finalizers(R"lua(
        require "nfq"
        local h
        function again() if h then pcall(nfq.catch, h, print) pcall(nfq.close, h) end end
        function use()
            h = nfq.open()
            local q = nfq.create_queue(h, 1)
            nfq.set_mode(q)
            nfq.catch(h, function(d)
                local meta, payload = nfq.get_meta(d), nfq.get_payload(d)
                assert(#payload == 8 and meta.mark == 5)
                return "accept", payload .. payload
            end)
        end
    )lua",
                                  Uses::fail)),
              "");
    EXPECT_EQ(run("h = nil collectgarbage() collectgarbage()"), "");
    EXPECT_LE(door.handles, 1U);
}

TEST_F(Modules, AFinalizerMayHaveWhatIsCollected) {
    EXPECT_EQ(run(R"lua(
        require "nfq"
        do
            local left, texts
            local function make()
                local h = nfq.open()
                local q = nfq.create_queue(h, 1)
                local function last()
                    left = { h, q }
                    texts = tostring(h) .. tostring(q)
                    assert(not pcall(nfq.set_mode, q) or texts)
                end
                if newproxy then
                    getmetatable(newproxy(true)).__gc = last
                else
                    setmetatable({}, { __gc = last })
                end
            end
            make()
            collectgarbage() collectgarbage()
            assert(left and texts)
            collectgarbage() collectgarbage()
            pcall(nfq.close, left[1])
            assert(tostring(left[1]) == "qhandle: closed" and tostring(left[2]) == "queue: destroyed")
            assert(not pcall(nfq.close, left[1]) and not pcall(nfq.set_mode, left[2]))
        end
    )lua"),
              "");
    EXPECT_EQ(door.handles, 0U);
}

TEST_F(Modules, ACallbackMayDetachAndAttachAnew) {
    EXPECT_EQ(queue("n = 0 nfq.attach(h, function() n = n + 1 nfq.detach(h) end)"), "");
    EXPECT_EQ(state->attachments().serve(*state, 64), 0U);
    EXPECT_TRUE(state->attachments().empty());
    EXPECT_EQ(door.held, 0U);
    EXPECT_EQ(run("assert(n == 1) nfq.attach(h, function() nfq.detach(h) "
                  "nfq.attach(h, function() n = n + 10 end) end)"),
              "");
    EXPECT_EQ(state->attachments().serve(*state, 64), 0U);
    EXPECT_EQ(run("assert(n == 11)"), "");
}

TEST_F(Modules, ScriptsGetTheirWords) {
    const Script script{{false, "assert(select('#', ...) == 2 and ... == 'a' and arg[2] == 'b' "
                                "and arg[0] == 'lua-run' and #arg == 2)"},
                        {"a", "b"}};
    EXPECT_EQ(state->run_script(script), ScriptEnd::done);
}

#if NFQWS2_HAVE_NFCT

TEST_F(Modules, ConntracksAreObjects) {
    ::testing::internal::CaptureStdout();
    // Its last line ends the program.
    const std::string path = test::in_data("nfct-objects.lua");
    EXPECT_EQ(run("package.path = '" + test::in_data("?.lua") +
                  "' local exit = os.exit os.exit = function(n) code = n end "
                  "local f = assert(loadfile('" +
                  path + "')) f() os.exit = exit assert(code == 0)"),
              "");
    const std::string said = ::testing::internal::GetCapturedStdout();
    EXPECT_NE(said.find(", 0 failed"), std::string::npos) << said;
}

TEST_F(Modules, FinalizersDestroyConntracks) {
    EXPECT_EQ(run(with_finalizers(R"lua(
        require "nfct"
        local ct
        function again() if ct then pcall(nfct.destroy, ct) end end
        function use()
            ct = nfct.new()
            nfct.set_attr_str(ct, "helper-name", "ftp")
            local copy, e = nfct.clone(ct), nfct.exp_new(ct, ct, ct, 1)
            return nfct.get_attr_str(ct, "helper-name"), nfct.tostring(ct), nfct.exp_tostring(e)
        end
    )lua",
                                  Uses::fail)),
              "");
}

TEST_F(Modules, ConntracksAreBounded) {
    EXPECT_EQ(run("require 'nfct' t = {} for i = 1, 65536 do t[i] = nfct.new() end nfct.new()"),
              "test:1: not enough memory");
    EXPECT_EQ(run("t = nil collectgarbage() collectgarbage() nfct.new()"), "");
}

TEST_F(Modules, WithoutAKernelNothingComes) {
    EXPECT_EQ(run("require 'nfct' h = nfct.open('both', 'all') assert(nfct.fd(h) == -1) "
                  "nfct.ct_callback_register(h, print) "
                  "local a, b, c = nfct.catch(h) assert(a == nil and b == 'timeout' and c == 11) "
                  "a, b, c = nfct.query(h, 'get', nfct.new()) assert(a == nil and c == EOPNOTSUPP) "
                  "assert(nfct.attach(h) == h)"),
              "");
    EXPECT_TRUE(state->attachments().empty());
    EXPECT_EQ(run("nfct.catch(nfct.open('expect'))"),
              "test:1: bad argument #1 to 'catch' (no callback registered)");
    EXPECT_EQ(run("nfct.ct_callback_register(nfct.open('expect'), print)"),
              "test:1: bad argument #1 to 'ct_callback_register' (register failure, handle not "
              "open for this subsystem)");
}

constexpr const char* make_connection = R"lua(
    require "nfct"
    function connection(port)
        local ct = nfct.new()
        nfct.set_attr_pf(ct, "l3proto", "inet")
        nfct.set_attr_ipv4(ct, "ipv4-src", "10.9.0.1")
        nfct.set_attr_ipv4(ct, "ipv4-dst", "10.9.0.2")
        nfct.set_attr_ipproto(ct, "l4proto", "tcp")
        nfct.set_attr_port(ct, "port-src", 1025)
        nfct.set_attr_port(ct, "port-dst", port)
        nfct.set_attr_u32(ct, "timeout", 100)
        return nfct.setobjopt(ct, "setup-reply")
    end
)lua";

TEST_F(Modules, EventsOfTheSimulation) {
    simulate();
    EXPECT_EQ(run(std::string(make_connection) + R"lua(
        said = {}
        h = nfct.open("conntrack", "all")
        nfct.ct_callback_register(h, function(kind, ct)
            said[#said + 1] = kind .. ":" .. nfct.get_attr_port(ct, "port-dst")
            if #said == 4 then return "stop" end
        end)
        local ct = connection(80)
        assert(nfct.query(h, "create", ct) == h)
        nfct.set_attr_u32(ct, "mark", 5)
        assert(nfct.query(h, "update", ct) == h)
        assert(nfct.get_attr_u32(nfct.query(h, "get", connection(80)), "mark") == 5)
        assert(nfct.query(h, "destroy", ct) == h)
        assert(select(2, nfct.catch(h)) == "timeout")
        assert(table.concat(said, " ") == "new:80 update:80 destroy:80", table.concat(said, " "))
        assert(nfct.query(h, "create", connection(81)) == h)
        assert(nfct.catch(h) == h)
        assert(nfct.query(h, "flush") == h and #nfct.query(h, "dump") == 0)
        nfct.close(h)
    )lua"),
              "");
}

TEST_F(Modules, LostEventsAreCounted) {
    simulate();
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(run(std::string(make_connection) + R"lua(
        h = nfct.open("conntrack", "new")
        nfct.ct_callback_register(h, function() end)
        for port = 1, 1025 do assert(nfct.query(h, "create", connection(port)) == h) end
        local a, b, c = nfct.catch(h)
        assert(a == nil and c == ENOBUFS, b)
        a, b, c = nfct.catch(h)
        assert(c == 11)
    )lua"),
              "");
    EXPECT_NE(::testing::internal::GetCapturedStderr().find("1 times by now"), std::string::npos);
    EXPECT_EQ(state->module_objects().lost_events, 1U);
}

TEST_F(Modules, ExpectationsOfTheSimulation) {
    simulate();
    EXPECT_EQ(run(std::string(make_connection) + R"lua(
        local h, master = nfct.open("both"), connection(21)
        local mask = connection(65535)
        nfct.set_attr_ipv4(mask, "ipv4-src", "255.255.255.255")
        nfct.set_attr_ipv4(mask, "ipv4-dst", "255.255.255.255")
        nfct.set_attr_port(mask, "port-src", 0)
        local e = nfct.exp_new(master, connection(4243), mask, 30)
        local function ask(what) return select(3, nfct.exp_query(h, what, e)) or 0 end
        assert(ask("create") == 2) -- no master
        nfct.query(h, "create", master)
        assert(ask("create") == EOPNOTSUPP) -- without a helper
        nfct.set_attr_str(master, "helper-name", "ftp")
        assert(nfct.query(h, "update", master) == h)
        assert(ask("create") == 0 and ask("create") == 17)
        assert(ask("destroy") == 0 and ask("destroy") == 2)
    )lua"),
              "");
}

TEST_F(Modules, FinalizersAskTheSimulation) {
    simulate();
    EXPECT_EQ(run(with_finalizers(std::string(make_connection) + R"lua(
        local h
        function again()
            if not h then return end
            pcall(nfct.query, h, "flush")
            pcall(nfct.close, h)
        end
        function use(i)
            h = nfct.open("conntrack", "all")
            nfct.ct_callback_register(h, function(kind, ct) nfct.tostring(ct) end)
            nfct.query(h, "create", connection(i))
            nfct.query(h, "dump", nil, function(ct) nfct.query(h, "destroy", ct) end)
            nfct.catch(h)
        end
    )lua",
                                  Uses::fail)),
              "");
}

// The program itself starts with rights only; its scripts see what the kernel says to others.
TEST_F(Modules, NobodyGetsEventsOfTheKernel) {
    if (geteuid() != 0) GTEST_SKIP() << "only root can become nobody";
    if (!FileDescriptor(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)))
        GTEST_SKIP() << "an emulator has no sockets of netfilter";
    begin({true, true, true}, true, false);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        constexpr unsigned nobody = 65534;
        if (setresgid(nobody, nobody, nobody) != 0 || setresuid(nobody, nobody, nobody) != 0)
            _exit(2);
        const std::string error =
            run("require 'nfct' local a, b, c = nfct.open('conntrack', 'new') "
                "assert(a == nil and b == 'Operation not permitted' and c == 1, b) "
                "h = assert(nfct.open('conntrack')) assert(nfct.fd(h) > 2) "
                "a, b, c = nfct.query(h, 'dump') assert(a == nil and c == 1, b)");
        std::fputs(error.c_str(), stderr);
        _exit(error.empty() ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

#else

TEST_F(Modules, WithoutTheLibraryThereIsNoNfct) {
    EXPECT_NE(run("require 'nfct'").find("module 'nfct' is not part of this build"),
              std::string::npos);
}

#endif

// Every function with every combination of odd values, after it was closed too.
constexpr const char* storm = R"lua(
        require "nfq"
        local good, nfct = pcall(require, "nfct")
        local function values()
            local h = nfq.open()
            local closed = nfq.open()
            nfq.close(closed)
            local v = { false, true, 0, 1, -1, 1.5, 70000, 0/0, 1/0, 2^70, "", "x", "inet", "all", "new",
                "mark", "helper-name", "ipv6-src", "1.2.3.4", {}, print, io.stdout, coroutine.create(print),
                h, closed, nfq.create_queue(h, 1), function() return "drop" end }
            if good then
                local dead, ct = nfct.new(), nfct.new()
                nfct.destroy(dead)
                v[#v + 1] = dead
                v[#v + 1] = ct
                v[#v + 1] = nfct.exp_new(ct, ct, ct, 1)
                v[#v + 1] = nfct.open("both", "all")
            end
            return v
        end
        local function storm(m)
            for _, f in pairs(m) do
                local v = values()
                local total = #v + 1
                pcall(f)
                for a = 1, total do
                    pcall(f, v[a])
                    for b = 1, total do
                        pcall(f, v[a], v[b])
                        local r = (a * 7 + b * 13) % total + 1
                        pcall(f, v[a], v[b], v[r])
                        pcall(f, v[r], v[a], v[b], v[a])
                        pcall(f, v[b], v[r], v[r], v[a], v[a], v[b])
                        tostring(v[a])
                    end
                end
                v = nil
                collectgarbage()
            end
        end
        storm(nfq)
        if good then storm(nfct) end
    )lua";

TEST_F(Modules, NoArgumentsCrash) {
    for (const bool simulated : {false, true}) {
        if (simulated) simulate();
        ::testing::internal::CaptureStdout();
        ::testing::internal::CaptureStderr();
        const std::string error = run(storm);
        ::testing::internal::GetCapturedStdout();
        ::testing::internal::GetCapturedStderr();
        EXPECT_EQ(error, "");
    }
}

} // namespace
} // namespace nfqws2::lua
