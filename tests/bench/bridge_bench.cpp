// The way from a packet to a script and back: building the `desync` table through the C API and by
// the compiled builder, calls of `pass`, of the library's `fake` and `multisplit`, and a packet
// sent by a script. Nothing leaves the process. Run it in the root of the project, or name the
// folder of the script libraries in NFQWS2_LUA. Goals: docs/contracts/goals.md#per-packet.
#include "lua/table/desync_table.hpp"
#include "lua/table/push_packet.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/lua/desync.hpp"
#include "nfqws2/lua/state.hpp"
#include "nfqws2/packet/reconstruct.hpp"
#include "nfqws2/profile/profile_builder.hpp"
#include "nfqws2/protocol/blobs.hpp"

#include "quiet.hpp"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace nfqws2;

constexpr std::int64_t start_ns = 1'700'000'000'000'000'000;

class NullSender final : public capture::PacketSender {
  public:
    bool send(const capture::OutputPacket& packet) override {
        benchmark::DoNotOptimize(packet.data.data());
        packets += packet.repeats;
        return true;
    }
    std::uint64_t packets = 0;
};

class NoNetwork final : public capture::NetworkInfo {
  public:
    IpAddress source_for(const IpAddress&) override { return {}; }
    std::optional<std::vector<capture::Interface>> interfaces() override { return std::nullopt; }
};

// TCP from 10.0.0.1 to 10.0.0.2 with the options of an ordinary data packet.
std::vector<std::uint8_t> tcp_packet(std::uint8_t flags, std::uint32_t seq, Bytes payload) {
    static constexpr std::uint8_t timestamps[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const packet::TcpOptionField options[] = {{1, {}}, {1, {}}, {8, timestamps}};
    packet::Blueprint plan;
    plan.l3 = packet::L3::ipv4;
    plan.l4 = packet::L4::tcp;
    plan.ip.ttl = 64;
    plan.ip.protocol = packet::proto::tcp;
    plan.ip.source = {10, 0, 0, 1};
    plan.ip.destination = {10, 0, 0, 2};
    plan.tcp.source_port = 40000;
    plan.tcp.destination_port = 443;
    plan.tcp.seq = seq;
    plan.tcp.ack = 1;
    plan.tcp.window = 501;
    plan.tcp.flags = flags;
    plan.tcp.options = options;
    plan.payload = payload;
    const auto random = make_seeded_random(1);
    std::vector<std::uint8_t> out(65536);
    out.resize(packet::reconstruct(plan, {}, *random, out).size);
    return out;
}

std::vector<std::uint8_t> data_packet(Bytes payload) {
    return tcp_packet(packet::tcp_flag::ack | packet::tcp_flag::psh, 1001, payload);
}

enum Size : int { small, full };

std::vector<std::uint8_t> packet_of(std::int64_t size) {
    const std::vector<std::uint8_t> payload(size == full ? 1448 : 0, 'x');
    return data_packet(payload);
}

// A Lua state as the program has it, with one profile made of `instances`, and one packet.
class Bridge {
  public:
    Bridge(std::vector<std::uint8_t> bytes, bool with_track,
           const std::vector<std::string>& instances = {}, const lua::Limits& limits = {})
        : lists_(clock_), random_(make_seeded_random(1)),
          connections_(flow::TableOptions{}, clock_),
          state_({clock_, *random_, capture::TracedOutlet(sender), network_, &connections_},
                 limits),
          packet_(std::move(bytes)) {
        const Quiet quiet;
        if (!state_.open({}, {}, true) || !load_libraries())
            throw std::runtime_error("the Lua state cannot be made");
        make_profile(instances);
        make_view(with_track);
    }

    lua_State* state() { return state_.lua(); }
    lua::DesyncTable& table() { return state_.desync_table(); }
    const lua::PacketView& view() const { return view_; }
    const packet::Dissect& dissected() const { return dissect_; }
    capture::Verdict run() { return desync_->run(view_); }
    std::uint64_t errors() const { return desync_->errors(); }

    NullSender sender;

  private:
    bool load_libraries() {
        const char* folder = std::getenv("NFQWS2_LUA");
        std::vector<lua::LuaInit> items;
        for (const char* name : {"/zapret-lib.lua", "/zapret-antidpi.lua"})
            items.push_back({true, (folder != nullptr ? folder : std::string("lua")) + name});
        return state_.run_init(items, {});
    }

    void make_profile(const std::vector<std::string>& instances) {
        profile::ProfileBuilder builder(lists_);
        builder.in_range("a");
        builder.payload("all");
        for (const std::string& instance : instances)
            builder.lua_desync(instance);
        profiles_ =
            std::make_unique<profile::ProfileSet>(builder.finish().profiles, lists_, clock_);
        desync_ = std::make_unique<lua::Desync>(state_);
        if (!desync_->prepare(*profiles_)) throw std::runtime_error("no such desync function");
    }

    void make_view(bool with_track) {
        dissect_ = packet::dissect(packet_);
        view_.dis = &dissect_;
        view_.profile = &profiles_->by_number(1);
        view_.target = dissect_.destination();
        view_.target_port = dissect_.destination_port();
        view_.ifout = "eth0";
        const bool hello = dissect_.payload.size() == protocol::fake_default_tls().size();
        view_.payload = hello                      ? protocol::Payload::tls_client_hello
                        : dissect_.payload.empty() ? protocol::Payload::empty
                                                   : protocol::Payload::unknown;
        view_.l7 = hello ? protocol::L7::tls : protocol::L7::unknown;
        view_.reasm_data = dissect_.payload;
        if (!with_track) return;
        const std::vector<std::uint8_t> syn = tcp_packet(packet::tcp_flag::syn, 1000, {});
        connections_.feed(packet::dissect(syn));
        view_.track = connections_.feed(dissect_).track;
        view_.track->set_hostname("www.example.com", false, true);
        positions_ = view_.track->positions();
        view_.positions = &positions_;
    }

    VirtualClock clock_{start_ns};
    profile::ListStore lists_;
    std::unique_ptr<Random> random_;
    NoNetwork network_;
    flow::ConnectionTable connections_;
    lua::State state_;
    std::vector<std::uint8_t> packet_;
    packet::Dissect dissect_;
    flow::Positions positions_;
    lua::PacketView view_;
    std::unique_ptr<profile::ProfileSet> profiles_;
    std::unique_ptr<lua::Desync> desync_;
};

void finish(benchmark::State& state, Bridge& bridge) {
    if (bridge.errors() != 0) state.SkipWithError("a Lua error occurred");
    state.counters["sent"] = benchmark::Counter(static_cast<double>(bridge.sender.packets),
                                                benchmark::Counter::kAvgIterations);
    state.counters["lua_kB"] = lua_gc(bridge.state(), LUA_GCCOUNT, 0);
    state.SetItemsProcessed(state.iterations());
}

// --- the table

void table_by_api(benchmark::State& state) {
    Bridge bridge(packet_of(state.range(0)), state.range(1) != 0);
    for (auto _ : state) {
        bridge.table().push_by_api(bridge.state(), bridge.view());
        lua_pop(bridge.state(), 1);
    }
    finish(state, bridge);
}

void table_compiled(benchmark::State& state) {
    Bridge bridge(packet_of(state.range(0)), state.range(1) != 0);
    if (bridge.table().facts() == nullptr)
        return state.SkipWithError("this Lua has no compiled builder");
    for (auto _ : state) {
        benchmark::DoNotOptimize(bridge.table().push(bridge.state(), bridge.view()));
        lua_pop(bridge.state(), 1);
    }
    finish(state, bridge);
}

// Only the part that the functions dissect() and rawsend_dissect() share with it.
void dissect_by_api(benchmark::State& state) {
    Bridge bridge(packet_of(state.range(0)), false);
    for (auto _ : state) {
        lua::push_dissect(bridge.state(), bridge.dissected());
        lua_pop(bridge.state(), 1);
    }
    finish(state, bridge);
}

BENCHMARK(table_by_api)->ArgsProduct({{small, full}, {0, 1}})->ArgNames({"full", "track"});
BENCHMARK(table_compiled)->ArgsProduct({{small, full}, {0, 1}})->ArgNames({"full", "track"});
BENCHMARK(dissect_by_api)->Arg(small)->Arg(full)->ArgName("full");

// --- whole calls

void pass(benchmark::State& state) {
    Bridge bridge(packet_of(state.range(0)), true,
                  std::vector<std::string>(static_cast<std::size_t>(state.range(1)), "pass"));
    for (auto _ : state)
        benchmark::DoNotOptimize(bridge.run());
    finish(state, bridge);
}
BENCHMARK(pass)->ArgsProduct({{small, full}, {1, 5}})->ArgNames({"full", "instances"});

// What --lua-call-limit and --lua-mem-limit cost: the same with both off and at their defaults. Run
// it with --benchmark_enable_random_interleaving=true, since a few per cent are at stake.
constexpr unsigned default_call_ms = 1000;
void limits(benchmark::State& state) {
    const bool on = state.range(2) != 0;
    Bridge bridge(state.range(0) == full ? data_packet(protocol::fake_default_tls())
                                         : packet_of(small),
                  true, {state.range(1) != 0 ? "fake:blob=fake_default_tls:tcp_md5" : "pass"},
                  on ? lua::Limits{default_call_ms, lua::default_memory_limit()} : lua::Limits{});
    for (auto _ : state)
        benchmark::DoNotOptimize(bridge.run());
    finish(state, bridge);
}
BENCHMARK(limits)
    ->ArgsProduct({{small, full}, {0}, {0, 1}})
    ->Args({full, 1, 0})
    ->Args({full, 1, 1})
    ->ArgNames({"hello", "fake", "on"});

void client_hello(benchmark::State& state, const std::vector<std::string>& instances) {
    Bridge bridge(data_packet(protocol::fake_default_tls()), true, instances);
    for (auto _ : state)
        benchmark::DoNotOptimize(bridge.run());
    finish(state, bridge);
}
BENCHMARK_CAPTURE(client_hello, pass, {"pass"});
BENCHMARK_CAPTURE(client_hello, fake, {"fake:blob=fake_default_tls:tcp_md5"});
BENCHMARK_CAPTURE(client_hello, fake_tls_mod,
                  {"fake:blob=fake_default_tls:tcp_md5:tls_mod=rnd,dupsid,padencap"});
BENCHMARK_CAPTURE(client_hello, multisplit, {"multisplit:pos=1,midsld"});
BENCHMARK_CAPTURE(client_hello, fake_and_multisplit,
                  {"fake:blob=fake_default_tls:tcp_md5", "multisplit:pos=1,midsld"});
BENCHMARK_CAPTURE(client_hello, multidisorder, {"multidisorder:pos=1,midsld"});
BENCHMARK_CAPTURE(client_hello, fakedsplit, {"fakedsplit:pos=midsld:tcp_md5"});
BENCHMARK_CAPTURE(client_hello, modified, {"pktmod:ip_ttl=5"});

// A packet rebuilt from its table and sent, without the table's making.
void rawsend_dissect(benchmark::State& state) {
    Bridge bridge(packet_of(state.range(0)), false);
    lua_State* L = bridge.state();
    lua_getglobal(L, "rawsend_dissect");
    const int function = lua_gettop(L);
    lua::push_dissect(L, bridge.dissected());
    for (auto _ : state) {
        lua_pushvalue(L, function);
        lua_pushvalue(L, function + 1);
        lua_call(L, 1, 0);
    }
    finish(state, bridge);
}
BENCHMARK(rawsend_dissect)->Arg(small)->Arg(full)->ArgName("full");

} // namespace

BENCHMARK_MAIN();
