// What the stateful parts of traffic rules cost: tables by one thread and by two, prefix sets.
// Figures are in docs/performance.md.
#include "nfqws2/rules/state/marks.hpp"
#include "nfqws2/rules/state/meters.hpp"
#include "nfqws2/rules/state/prefix_sets.hpp"
#include "nfqws2/rules/state/tcp_auth.hpp"

#include <benchmark/benchmark.h>

#include <time.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace {

using namespace nfqws2;
using namespace nfqws2::rules;

constexpr std::int64_t start = 1'700'000'000'000'000'000;

IpAddress numbered(std::uint32_t n) {
    std::array<std::uint8_t, 4> raw;
    store_be32(raw.data(), n);
    return IpAddress::v4(raw.data());
}
TableSetup setup(std::size_t entries, bool shared) {
    TableSetup made;
    made.entries = entries;
    made.shared = shared;
    return made;
}

// 1,000,000 marks, looked up at random. Threads > 1: shared. The table of the run's first thread.
void mark_find(benchmark::State& state) {
    static std::unique_ptr<MarkTable> table;
    if (state.thread_index() == 0) {
        table = std::make_unique<MarkTable>(setup(1'000'000, state.range(0) != 0));
        for (std::uint32_t n = 0; n < 1'000'000; n++)
            table->write(table->source(1, numbered(n)), MarkHow::set, n, 0, start);
    }
    std::mt19937 random(static_cast<unsigned>(state.thread_index()));
    for (auto _ : state)
        benchmark::DoNotOptimize(table->find(
            table->source(1, numbered(static_cast<std::uint32_t>(random() % 1'000'000))), start));
}
BENCHMARK(mark_find)->Arg(0)->Arg(1)->UseRealTime();
BENCHMARK(mark_find)->Arg(1)->Threads(2)->UseRealTime();

// Time that this thread has had: others take the processor away for longer than what is measured.
std::int64_t own_time_ns() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * std::int64_t{1'000'000'000} + t.tv_nsec;
}

// New sources for ever, more than there is room for.
void mark_flood(benchmark::State& state) {
    MarkTable table(setup(1'000'000, false));
    std::uint32_t n = 0;
    for (auto _ : state) {
        table.write(table.source(1, numbered(n)), MarkHow::set, n, 0, start + n);
        n++;
    }
    state.counters["MB"] = static_cast<double>(table.counts().bytes) / 1e6;
}
BENCHMARK(mark_flood)->Iterations(10'000'000);

// The longest single write of such a flood.
void mark_flood_worst(benchmark::State& state) {
    MarkTable table(setup(1'000'000, false));
    std::uint32_t n = 0;
    std::int64_t worst = 0;
    for (auto _ : state) {
        const std::int64_t begin = own_time_ns();
        table.write(table.source(1, numbered(n)), MarkHow::set, n, 0, start + n);
        worst = std::max(worst, own_time_ns() - begin);
        n++;
    }
    state.counters["worst_us"] = static_cast<double>(worst) / 1000;
}
BENCHMARK(mark_flood_worst)->Iterations(5'000'000);

void ratelimit(benchmark::State& state) {
    static std::unique_ptr<Meters> meters;
    static std::shared_ptr<RateLimit> limit;
    if (state.thread_index() == 0) {
        meters = std::make_unique<Meters>(setup(1'000'000, state.range(0) != 0));
        limit = meters->ratelimit(1, {{500, 0}, {}, 0, 0});
    }
    std::mt19937 random(static_cast<unsigned>(state.thread_index()));
    std::int64_t now = start;
    for (auto _ : state) {
        BucketKey key;
        key.add(numbered(static_cast<std::uint32_t>(random() % 1'000'000)));
        benchmark::DoNotOptimize(limit->count(key, 1, 100, now += 1000));
    }
}
BENCHMARK(ratelimit)->Arg(0)->Arg(1)->UseRealTime();
BENCHMARK(ratelimit)->Arg(1)->Threads(2)->UseRealTime();

// A new key each time, no room: the spare bucket.
void ratelimit_flood(benchmark::State& state) {
    Meters meters(setup(500'000, false));
    const auto limit = meters.ratelimit(1, {{500, 0}, {}, 0, 0});
    std::uint32_t n = 0;
    for (auto _ : state) {
        BucketKey key;
        key.add(numbered(n++));
        benchmark::DoNotOptimize(limit->count(key, 1, 100, start + n * 100));
    }
    state.counters["MB"] = static_cast<double>(meters.counts().bytes) / 1e6;
}
BENCHMARK(ratelimit_flood)->Iterations(10'000'000);

// All workers meet at one meter: the most that sharing can cost.
void rate(benchmark::State& state) {
    static std::unique_ptr<Rate> meter;
    if (state.thread_index() == 0)
        meter = std::make_unique<Rate>(state.range(0) != 0, std::uint8_t{1},
                                       RateParameters{{500, 0}, {}, 0, 0});
    std::int64_t now = start;
    for (auto _ : state)
        benchmark::DoNotOptimize(meter->count(1, 100, now += 1000));
}
BENCHMARK(rate)->Arg(0)->Arg(1)->UseRealTime();
BENCHMARK(rate)->Arg(1)->Threads(2)->UseRealTime();

void tcpauth_spoofed_syn(benchmark::State& state) {
    TcpAuth auth(setup(500'000, false));
    AuthParameters parameters;
    parameters.syn = AuthMethod::synack;
    auth.configure(1, parameters);
    const auto random = make_seeded_random(1);
    AnswerLimit limit;
    std::uint32_t n = 0;
    AuthPacket packet;
    packet.destination = numbered(0xC0000201);
    packet.flags = tcp_flag::syn;
    for (auto _ : state) {
        packet.source = numbered(0x0A000000 + n++);
        benchmark::DoNotOptimize(
            auth.check(1, parameters, packet, start + n * 20'000, *random, limit));
    }
}
BENCHMARK(tcpauth_spoofed_syn);

void fill(PrefixSetsBuilder& builder) {
    std::mt19937 random(1);
    for (int set = 0; set < 10; set++) {
        const unsigned number = builder.add_set(false).value_or(0);
        for (int i = 0; i < 100'000; i++) {
            const unsigned length = 16 + static_cast<unsigned>(random() % 17);
            PrefixEntry entry;
            entry.prefix.length = length;
            entry.prefix.address =
                numbered(static_cast<std::uint32_t>(random()) & ~std::uint32_t{0} << (32 - length));
            builder.add(number, entry);
        }
    }
}

// 10 sets of 100,000 random IPv4 networks.
void prefix_build(benchmark::State& state) {
    for (auto _ : state) {
        state.PauseTiming();
        PrefixSetsBuilder builder;
        fill(builder);
        state.ResumeTiming();
        const auto view = builder.build();
        state.counters["MB"] = static_cast<double>(view->memory()) / 1e6;
        state.counters["ranges"] = static_cast<double>(view->ranges());
        state.counters["classes"] = static_cast<double>(view->classes());
    }
}
BENCHMARK(prefix_build)->Unit(benchmark::kMillisecond)->Iterations(3);

void prefix_find(benchmark::State& state) {
    PrefixSetsBuilder builder;
    fill(builder);
    const auto view = builder.build();
    std::mt19937 random(2);
    for (auto _ : state)
        benchmark::DoNotOptimize(view->find(numbered(static_cast<std::uint32_t>(random()))));
}
BENCHMARK(prefix_find);

} // namespace

BENCHMARK_MAIN();
