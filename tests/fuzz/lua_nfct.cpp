// Calls of the modules nfct and nfq with any arguments, after any other calls: only Lua errors may
// come of it. Input: statements of a script, a few bytes each. There is no kernel: conntracks are
// objects of the library, queues hand out the packets of a door of this file.
#include "doors.hpp"

#include "lua/errors.hpp"
#include "lua/restrict/restrict.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/flow/ct_sim.hpp"
#include "nfqws2/lua/attachments.hpp"
#include "nfqws2/lua/connections.hpp"
#include "nfqws2/lua/state.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace nfqws2;
using fuzz::NoDoor;

constexpr std::array<std::uint8_t, 24> packet = {0x45, 0, 0, 24, 0, 0, 0, 0, 64, 17};

// Each queue has a few packets.
class Queue final : public capture::QueueHandle {
  public:
    int fd() const override { return -1; }
    int bind_family(std::uint16_t family, bool) override { return family == 7 ? 1 : 0; }
    int create(std::uint16_t queue) override { return queue == 7 ? 1 : 0; }
    int set_mode(std::uint16_t, capture::CopyMode, std::uint16_t) override { return 0; }
    void destroy(std::uint16_t) override {}
    Next next(capture::QueuedPacket& out) override {
        fuzz::require(!waiting_);
        if (left_ == 0) return Next::closed;
        left_--;
        waiting_ = true;
        out = {};
        out.input.data = packet;
        out.length = packet.size();
        return Next::packet;
    }
    int error() const override { return 5; }
    void answer(const capture::QueuedPacket& of, const capture::Verdict& verdict) override {
        fuzz::require(waiting_ && of.input.data.data() == packet.data());
        fuzz::require((verdict.action == capture::Action::modify) == !verdict.data.empty());
        waiting_ = false;
    }
    void flush() override {}

  private:
    unsigned left_ = 3;
    bool waiting_ = false;
};

class Door final : public capture::QueueDoor {
  public:
    std::unique_ptr<capture::QueueHandle> open(int* error) override {
        *error = 0;
        return std::make_unique<Queue>();
    }
    void release() override {}
};

class Simulation final : public lua::SimulationDoor {
  public:
    explicit Simulation(const Clock& clock) : table_({{}, {1, 2}, nullptr}, nullptr, clock) {}
    flow::CtSim* simulation() override { return &table_; }
    lua::Connections* watching() override { return nullptr; }

  private:
    flow::CtSim table_;
};

constexpr const char* prologue = R"lua(
local good, nfct = pcall(require, "nfct")
if not good then nfct = {} end
local nfq = require "nfq"
local v = { nil, true, 1, -1, 65535, 0/0, 1/0, 2^70, "", "x", {}, print, io.stdout }
local n = 13
local function keep(x) if x ~= nil then n = n % 40 + 1 v[n] = x end end
local function call(m, name, ...)
	local f = m[name]
	if f == nil then return end
	local r = { pcall(f, ...) }
	if r[1] then keep(r[2]) else assert(type(r[2]) == "string" or r[2] == nil or type(r[2]) == "table") end
	tostring(r[2])
end
local function f(...)
	for i = 1, select("#", ...) do keep((select(i, ...))) end
	call(nfq, "get_payload", (...))
	call(nfct, "tostring", select(2, ...))
	return v[n % 20 + 1], v[n % 7 + 1]
end
)lua";

constexpr std::array words = {"conntrack",
                              "expect",
                              "both",
                              "none",
                              "new",
                              "update",
                              "destroy",
                              "all",
                              "error",
                              "inet",
                              "inet6",
                              "tcp",
                              "udp",
                              "icmpv6",
                              "create",
                              "get",
                              "flush",
                              "dump",
                              "dump-reset",
                              "create-update",
                              "stop",
                              "failure",
                              "accept",
                              "drop",
                              "meta",
                              "packet",
                              "permanent",
                              "inactive",
                              "userspace",
                              "setup-reply",
                              "setup-original",
                              "undo-snat",
                              "undo-dnat",
                              "undo-spat",
                              "undo-dpat",
                              "1.2.3.4",
                              "2001:db8::1",
                              "mark",
                              "timeout",
                              "status",
                              "tcp-state",
                              "sctp-state",
                              "dccp-state",
                              "helper-name",
                              "secctx",
                              "use",
                              "l3proto",
                              "l4proto",
                              "repl-l3proto",
                              "repl-l4proto",
                              "ipv4-src",
                              "ipv4-dst",
                              "ipv6-src",
                              "ipv6-dst",
                              "port-src",
                              "port-dst",
                              "icmp-type",
                              "icmp-code",
                              "icmp-id",
                              "snat-ipv4",
                              "dnat-ipv4",
                              "snat-port",
                              "dnat-port",
                              "orig-counter-packets",
                              "timestamp-start",
                              "zone",
                              "dccp-handshake-seq",
                              "grp-icmp",
                              "exp-timeout",
                              "master-ipv4-src",
                              "master-l3proto",
                              "tcp-mask-repl"};

constexpr std::array functions = {"nfct,'new'",
                                  "nfct,'destroy'",
                                  "nfct,'clone'",
                                  "nfct,'tostring'",
                                  "nfct,'setobjopt'",
                                  "nfct,'get_attr_u8'",
                                  "nfct,'get_attr_u16'",
                                  "nfct,'get_attr_u32'",
                                  "nfct,'get_attr_u64'",
                                  "nfct,'get_attr_n16'",
                                  "nfct,'get_attr_n32'",
                                  "nfct,'get_attr_port'",
                                  "nfct,'set_attr_u8'",
                                  "nfct,'set_attr_u16'",
                                  "nfct,'set_attr_u32'",
                                  "nfct,'set_attr_u64'",
                                  "nfct,'set_attr_n16'",
                                  "nfct,'set_attr_n32'",
                                  "nfct,'set_attr_port'",
                                  "nfct,'get_attr_ipv4'",
                                  "nfct,'get_attr_ipv6'",
                                  "nfct,'set_attr_ipv4'",
                                  "nfct,'set_attr_ipv6'",
                                  "nfct,'get_attr_pf'",
                                  "nfct,'set_attr_pf'",
                                  "nfct,'get_attr_ipproto'",
                                  "nfct,'set_attr_ipproto'",
                                  "nfct,'get_attr_str'",
                                  "nfct,'set_attr_str'",
                                  "nfct,'has_attr'",
                                  "nfct,'unset_attr'",
                                  "nfct,'ntohs'",
                                  "nfct,'exp_new'",
                                  "nfct,'exp_destroy'",
                                  "nfct,'exp_tostring'",
                                  "nfct,'open'",
                                  "nfct,'close'",
                                  "nfct,'fini'",
                                  "nfct,'fd'",
                                  "nfct,'setblocking'",
                                  "nfct,'ct_callback_register'",
                                  "nfct,'exp_callback_register'",
                                  "nfct,'catch'",
                                  "nfct,'loop'",
                                  "nfct,'attach'",
                                  "nfct,'detach'",
                                  "nfct,'query'",
                                  "nfct,'exp_query'",
                                  "nfq,'open'",
                                  "nfq,'close'",
                                  "nfq,'fd'",
                                  "nfq,'setblocking'",
                                  "nfq,'unbind_pf'",
                                  "nfq,'bind_pf'",
                                  "nfq,'create_queue'",
                                  "nfq,'destroy_queue'",
                                  "nfq,'set_mode'",
                                  "nfq,'catch'",
                                  "nfq,'loop'",
                                  "nfq,'get_payload'",
                                  "nfq,'get_meta'",
                                  "nfq,'attach'",
                                  "nfq,'detach'"};

// What calls have made: chance alone would seldom bring the right ones together.
constexpr std::array makers = {"call(nfct,'new')",
                               "call(nfct,'open','both','all')",
                               "call(nfq,'open')",
                               "call(nfq,'create_queue',v[n],1)",
                               "call(nfq,'set_mode',v[n])",
                               "call(nfq,'catch',v[n-2],f)",
                               "call(nfct,'set_attr_u8',v[n],'l3proto',2)",
                               "call(nfct,'set_attr_u32',v[n],'timeout',9)",
                               "call(nfct,'set_attr_ipv4',v[n],'ipv4-src','1.2.3.4')",
                               "call(nfct,'set_attr_ipv4',v[n],'ipv4-dst','1.2.3.5')",
                               "call(nfct,'query',v[n-1],'create',v[n])",
                               "call(nfct,'query',v[n-1],'dump',nil,f)",
                               "call(nfct,'exp_query',v[n-1],'create',v[n])",
                               "call(nfct,'set_attr_u8',v[n],'l4proto',v[n%13+1] or 6)",
                               "call(nfct,'exp_new',v[n],v[n],v[n],1)",
                               "call(nfct,'exp_tostring',v[n],'new')",
                               "collectgarbage()"};

std::string script_of(Bytes input) {
    std::string script = prologue;
    std::size_t at = 0;
    const auto next = [&]() -> std::size_t { return at < input.size() ? input[at++] : 0; };
    for (unsigned statements = 0; at < input.size() && statements < 300; statements++) {
        const std::size_t what = next();
        if (what % 4 == 0) {
            script += std::string(makers[what / 4 % makers.size()]) + "\n";
            continue;
        }
        script += std::string("call(") + functions[next() % functions.size()];
        for (std::size_t left = what / 4 % 7; left > 0; left--) {
            const std::size_t value = next();
            if (value % 3 == 0)
                script += std::string(",'") + words[value / 3 % words.size()] + "'";
            else if (value % 3 == 1)
                script += ",v[" + std::to_string(value / 3 % 40 + 1) + "]";
            else
                script += value % 2 != 0 ? ",f" : ",v[n]";
        }
        script += ")\n";
    }
    return script;
}

class World {
  public:
    World() : state(services(), {}) { fuzz::require(state.open({}, {}, true)); }

    void run(const std::string& script) {
        lua_State* L = state.lua();
        const int top = lua_gettop(L);
        fuzz::require(lua::load_text(L, script, "=generated"));
        if (lua_pcall(L, 0, 0, lua::message_handler_index) != 0) lua_pop(L, 1);
        fuzz::require(lua_gettop(L) == top);
        for (unsigned turns = 0; turns < 8 && !state.attachments().empty(); turns++)
            state.attachments().serve(state, 2);
    }

  private:
    lua::Services services() {
        lua::Services result{clock, *random, capture::TracedOutlet(door), door};
        result.queues = &queues;
        result.kernel = {true, true, true};
        result.may_wait = true;
        result.offline = true;
        result.simulation = &simulation;
        return result;
    }

    VirtualClock clock{1'700'000'000'000'000'000};
    std::unique_ptr<Random> random = make_seeded_random(1);
    NoDoor door;
    Door queues;
    Simulation simulation{clock};

  public:
    lua::State state;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    World world;
    const std::string script = script_of({data, size});
    if (std::getenv("SHOW_SCRIPT") != nullptr) std::fputs(script.c_str(), stderr);
    world.run(script);
    world.state.collect_garbage(1);
    return 0;
}
