// Time of a packet in the whole engine, from the bytes to the verdict: no profile wants it, all
// instances are cut off, or a script sees it. One known UDP flow; more flows are the business of
// flow_bench. Goals: docs/contracts/goals.md#per-packet.
#include "../support/engine_world.hpp"

#include "nfqws2/profile/filter_table.hpp"

#include "quiet.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

using namespace nfqws2;

class NullSender final : public capture::PacketSender {
  public:
    bool send(const capture::OutputPacket&) override { return true; }
};

class NoNetwork final : public capture::NetworkInfo {
  public:
    IpAddress source_for(const IpAddress&) override { return {}; }
    std::optional<std::vector<capture::Interface>> interfaces() override { return std::nullopt; }
};

// Sets one option of the profile under construction.
using Setting = std::function<void(profile::ProfileBuilder&, std::string_view)>;
void udp_ports(profile::ProfileBuilder& builder, std::string_view value) {
    builder.filter(profile::filter_row("filter-udp"), value);
}
struct Option {
    Setting set;
    const char* value;
};
using Options = std::vector<Option>;

constexpr const char* script = "function nothing() end function cut(ctx) instance_cutoff(ctx) end";

struct Doors {
    NullSender sender;
    NoNetwork network;
};

class Machine : Doors, test::EngineWorld<RealClock> {
  public:
    explicit Machine(const Options& options) : EngineWorld(make_secure_random()) {
        profile::ProfileBuilder builder(lists);
        for (const Option& option : options)
            option.set(builder, option.value);
        take(builder.finish().profiles);
        const Quiet quiet;
        engine::Options how;
        how.lua_init.push_back({false, script});
        if (!start(how, services(sender, network)))
            throw std::runtime_error("the Lua state cannot be made");
        bytes_[9] = packet::proto::udp;
        store_be16(&bytes_[2], static_cast<std::uint16_t>(bytes_.size()));
        store_be32(&bytes_[12], 0x0A000001);
        store_be32(&bytes_[16], 0x0A000002);
        store_be16(&bytes_[20], 40'000);
        store_be16(&bytes_[22], 7001);
        store_be16(&bytes_[24], static_cast<std::uint16_t>(bytes_.size() - 20));
        packet_.data = bytes_;
        packet_.ifout = "eth0";
    }

    capture::Verdict packet() { return engine->on_packet(packet_); }
    void turn() { engine->run_timers(); } // what the event loop does after a batch
    std::uint64_t errors() const { return engine->counters().lua_errors; }

  private:
    std::array<std::uint8_t, 20 + 8 + 64> bytes_{0x45};
    capture::InputPacket packet_;
};

void packet(benchmark::State& state, const Options& options) {
    Machine machine(options);
    unsigned count = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(machine.packet());
        if (++count % 32 == 0) machine.turn();
    }
    if (machine.errors() != 0) state.SkipWithError("a Lua error occurred");
    state.SetItemsProcessed(state.iterations());
}

using Builder = profile::ProfileBuilder;
BENCHMARK_CAPTURE(packet, no_profile, {});
BENCHMARK_CAPTURE(packet, profile_for_another_port,
                  {{&udp_ports, "443"}, {&Builder::lua_desync, "nothing"}});
BENCHMARK_CAPTURE(packet, other_payload,
                  {{&Builder::payload, "quic_initial"}, {&Builder::lua_desync, "nothing"}});
BENCHMARK_CAPTURE(packet, instance_cut_off, {{&Builder::lua_desync, "cut"}});
BENCHMARK_CAPTURE(packet, range_passed,
                  {{&Builder::out_range, "-n10"}, {&Builder::lua_desync, "nothing"}});
BENCHMARK_CAPTURE(packet, lua_function,
                  {{&Builder::payload, "all"}, {&Builder::lua_desync, "nothing"}});

} // namespace

BENCHMARK_MAIN();
