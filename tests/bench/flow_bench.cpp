// The connection table with 1,000,000 flows: time of a packet of a new and of a known flow (with
// dissection and purge, as in the pipeline), memory per flow and after expiry, longest time that
// one packet pays for expiry. Goals: docs/contracts/goals.md#flows.
#include "nfqws2/flow/connection_table.hpp"

#include <benchmark/benchmark.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <memory>

namespace {

using namespace nfqws2;
using namespace nfqws2::flow;

constexpr std::uint32_t flow_count = 1'000'000;
constexpr std::int64_t second = 1'000'000'000;

double resident_bytes() {
    long pages = 0;
    if (FILE* f = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(f, "%*d %ld", &pages) != 1) pages = 0;
        std::fclose(f);
    }
    return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// Processor time of this thread: other load on the machine does not count.
std::int64_t spent_ns() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::int64_t{t.tv_sec} * second + t.tv_nsec;
}

// A UDP datagram of 64 bytes, or a TCP segment, of flow number i.
class PacketMaker {
  public:
    Bytes udp(std::uint32_t i) {
        address(i);
        bytes_[9] = packet::proto::udp;
        store_be16(&bytes_[2], 20 + 8 + 64);
        store_be16(&bytes_[24], 8 + 64);
        return Bytes(bytes_).first(20 + 8 + 64);
    }
    Bytes tcp(std::uint32_t i, std::uint8_t flags, std::uint32_t seq) {
        address(i);
        bytes_[9] = packet::proto::tcp;
        store_be16(&bytes_[2], 40);
        store_be32(&bytes_[24], seq);
        store_be32(&bytes_[28], 1);
        bytes_[32] = 0x50;
        bytes_[33] = flags;
        return Bytes(bytes_).first(40);
    }

  private:
    void address(std::uint32_t i) {
        store_be32(&bytes_[12], 0x0A000000 + i / 50'000);
        store_be32(&bytes_[16], 0xC6336414);
        store_be16(&bytes_[20], static_cast<std::uint16_t>(10'000 + i % 50'000));
        store_be16(&bytes_[22], 443);
    }
    std::array<std::uint8_t, 128> bytes_{0x45};
};

struct Filled {
    explicit Filled(std::uint32_t flows) {
        for (std::uint32_t i = 0; i < flows; i++)
            table->feed(packet::dissect(maker.udp(i)));
    }
    bool packet(std::uint32_t i) {
        table->purge();
        return bool{table->feed(packet::dissect(maker.udp(i)))};
    }

    VirtualClock clock{1'000 * second};
    TableOptions options{60, 300, 60, 60, 0, 64 << 20, 1500};
    std::unique_ptr<ConnectionTable> table = std::make_unique<ConnectionTable>(options, clock);
    PacketMaker maker;
};

void new_flow(benchmark::State& state) {
    Filled f(flow_count);
    std::uint32_t i = flow_count;
    for (auto _ : state)
        benchmark::DoNotOptimize(f.packet(i++));
}
BENCHMARK(new_flow)->Iterations(500'000)->Repetitions(3)->ReportAggregatesOnly();

void new_flow_at_the_limit(benchmark::State& state) {
    Filled f(0);
    f.options.max_tracks = flow_count;
    f.table = std::make_unique<ConnectionTable>(f.options, f.clock);
    for (std::uint32_t i = 0; i < flow_count; i++)
        f.packet(i);
    std::uint32_t i = flow_count;
    for (auto _ : state)
        benchmark::DoNotOptimize(f.packet(i++));
}
BENCHMARK(new_flow_at_the_limit)->Iterations(500'000);

void known_flow(benchmark::State& state) {
    const auto flows = static_cast<std::uint32_t>(state.range(0));
    Filled f(flows);
    std::uint32_t i = 0;
    for (auto _ : state) {
        i = (i + 611'953) % flows; // a prime: every flow, far from the last one
        benchmark::DoNotOptimize(f.packet(i));
    }
}
BENCHMARK(known_flow)->Arg(1000)->Arg(flow_count)->MinTime(1);

void known_flow_tcp(benchmark::State& state) {
    Filled f(0);
    for (std::uint32_t i = 0; i < flow_count; i++) {
        f.table->feed(packet::dissect(f.maker.tcp(i, packet::tcp_flag::syn, 0)));
        f.table->feed(packet::dissect(f.maker.tcp(i, packet::tcp_flag::ack, 1)));
    }
    std::uint32_t i = 0;
    for (auto _ : state) {
        i = (i + 611'953) % flow_count;
        f.table->purge();
        benchmark::DoNotOptimize(
            f.table->feed(packet::dissect(f.maker.tcp(i, packet::tcp_flag::ack, 1))));
    }
}
BENCHMARK(known_flow_tcp)->MinTime(1);

struct NameEveryFlow {
    void operator()(Track& track) const {
        track.set_hostname("www.some-example.com", false, true);
        track.need_extension().list.done = true;
    }
};

// Everything expires at one moment while packets go on; the time is that of the whole expiry.
void expiry(benchmark::State& state) {
    for (auto _ : state) {
        state.PauseTiming();
        const double idle = resident_bytes();
        Filled f(flow_count);
        if (state.range(0) != 0)
            for (std::uint32_t i = 0; i < flow_count; i++)
                NameEveryFlow()(*f.table->find(packet::dissect(f.maker.udp(i))).track);
        const double full = resident_bytes();
        f.clock.advance_to(f.clock.boot_ns() + 61 * second);
        std::int64_t worst = 0;
        std::uint64_t packets = 0;
        state.ResumeTiming();
        while (f.table->size() > 1) {
            const std::int64_t before = spent_ns();
            f.packet(flow_count + 1);
            worst = std::max(worst, spent_ns() - before);
            packets++;
        }
        state.PauseTiming();
        state.counters["bytes_per_flow"] = (full - idle) / flow_count;
        state.counters["left_kB"] = (resident_bytes() - idle) / 1024;
        state.counters["worst_packet_us"] = static_cast<double>(worst) / 1000;
        state.counters["packets"] = static_cast<double>(packets);
        state.ResumeTiming();
    }
}
BENCHMARK(expiry)
    ->Arg(0)
    ->Arg(1)
    ->ArgName("host_and_extension")
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

// Growing from nothing: no packet pays for a rehash.
void growth(benchmark::State& state) {
    for (auto _ : state) {
        Filled f(0);
        std::int64_t worst = 0;
        for (std::uint32_t i = 0; i < flow_count; i++) {
            const std::int64_t before = spent_ns();
            f.packet(i);
            worst = std::max(worst, spent_ns() - before);
        }
        state.counters["worst_packet_us"] = static_cast<double>(worst) / 1000;
    }
}
BENCHMARK(growth)->Iterations(1)->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
