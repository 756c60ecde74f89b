// Lists at full size: 1,000,000 domains, 500,000 networks. Shows load time, look-up time, memory,
// and the longest time a packet waits while a list is read again.
#include "nfqws2/base/clock.hpp"
#include "nfqws2/profile/list_file.hpp"
#include "nfqws2/profile/list_store.hpp"

#include <benchmark/benchmark.h>
#include <zlib.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace nfqws2;
using namespace nfqws2::profile;

constexpr std::size_t host_count = 1'000'000;
constexpr std::size_t net_count = 500'000;

struct Files {
    std::filesystem::path dir;
    std::string hosts, hosts_gz, nets;
    std::vector<std::string> sample; // hosts of the list below a sub-domain
    std::vector<IpAddress> addresses;

    Files();
    ~Files() { std::filesystem::remove_all(dir); }
};

std::string random_host(std::mt19937_64& random) {
    static const char* const tlds[] = {"com", "com", "ru", "net", "org", "info", "co.uk", "de"};
    static const char* const subs[] = {"", "", "", "www.", "m.", "cdn.", "static1."};
    std::string name = subs[random() % std::size(subs)];
    for (std::size_t i = 4 + random() % 9; i > 0; --i)
        name += static_cast<char>('a' + random() % 26);
    return name + '.' + tlds[random() % std::size(tlds)];
}

std::string random_net(std::mt19937_64& random) {
    IpAddress address;
    const bool v4 = random() % 5 != 0;
    address.version = v4 ? 4 : 6;
    for (std::size_t i = 0; i < (v4 ? 4U : 16U); ++i)
        address.raw[i] = static_cast<std::uint8_t>(random());
    static const unsigned v4_lengths[] = {32, 32, 32, 24, 24, 22, 20, 28, 29, 30, 16};
    static const unsigned v6_lengths[] = {128, 64, 64, 48, 48, 32, 56};
    if (!v4) address.raw[0] = 0x20;
    const unsigned length = v4 ? v4_lengths[random() % std::size(v4_lengths)]
                               : v6_lengths[random() % std::size(v6_lengths)];
    return address.text() + '/' + std::to_string(length);
}

Files::Files()
    : dir(std::filesystem::temp_directory_path() / ("lists_bench." + std::to_string(getpid()))) {
    std::filesystem::create_directory(dir);
    hosts = dir / "hosts.txt";
    hosts_gz = dir / "hosts.txt.gz";
    nets = dir / "nets.txt";
    std::mt19937_64 random(1);
    {
        std::ofstream out(hosts);
        gzFile packed = gzopen(hosts_gz.c_str(), "wb6");
        for (std::size_t i = 0; i < host_count; ++i) {
            const std::string line = random_host(random) + '\n';
            if (i % 100 == 0) sample.push_back("a." + line.substr(0, line.size() - 1));
            out << line;
            gzwrite(packed, line.data(), static_cast<unsigned>(line.size()));
        }
        gzclose(packed);
    }
    std::ofstream out(nets);
    for (std::size_t i = 0; i < net_count; ++i)
        out << random_net(random) << '\n';
    for (std::size_t i = 0; i < 10'000; ++i) {
        const std::string text = random_net(random);
        addresses.push_back(*IpAddress::parse(text.substr(0, text.find('/'))));
    }
    std::shuffle(sample.begin(), sample.end(), random);
}

Files& files() {
    static Files instance;
    return instance;
}

std::size_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    statm >> total >> resident;
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void load_hosts(benchmark::State& state, const std::string& path) {
    const std::size_t before = resident_bytes();
    std::size_t after = 0;
    for (auto _ : state) {
        HostListFile list(path);
        LoadedList loaded = list.load();
        if (!loaded.ok) state.SkipWithError(loaded.error.c_str());
        state.PauseTiming();
        after = resident_bytes();
        state.counters["table_MB"] = static_cast<double>(loaded.hosts.memory()) / 1e6;
        state.ResumeTiming();
    }
    state.counters["resident_MB"] = static_cast<double>(after - std::min(before, after)) / 1e6;
}
void BM_LoadMillionHosts(benchmark::State& state) {
    load_hosts(state, files().hosts);
}
BENCHMARK(BM_LoadMillionHosts)->Unit(benchmark::kMillisecond);

void BM_LoadMillionHostsGzip(benchmark::State& state) {
    load_hosts(state, files().hosts_gz);
}
BENCHMARK(BM_LoadMillionHostsGzip)->Unit(benchmark::kMillisecond);

void BM_LoadHalfMillionNetworks(benchmark::State& state) {
    const std::size_t before = resident_bytes();
    std::size_t after = 0;
    for (auto _ : state) {
        NetListFile list(files().nets);
        LoadedList loaded = list.load();
        if (!loaded.ok) state.SkipWithError(loaded.error.c_str());
        state.PauseTiming();
        after = resident_bytes();
        state.counters["table_MB"] = static_cast<double>(loaded.nets.memory()) / 1e6;
        state.ResumeTiming();
    }
    state.counters["resident_MB"] = static_cast<double>(after - std::min(before, after)) / 1e6;
}
BENCHMARK(BM_LoadHalfMillionNetworks)->Unit(benchmark::kMillisecond);

// `missing`: names of the same shape that are not in the list; every label is tried.
void find_hosts(benchmark::State& state, bool missing) {
    HostListFile list(files().hosts);
    LoadedList loaded = list.load();
    list.install(loaded, 0);
    std::vector<std::string> names = files().sample;
    if (missing)
        for (std::string& name : names)
            name += ".invalid";
    std::size_t i = 0;
    std::size_t found = 0;
    for (auto _ : state) {
        found += list.contains(HostName(names[i], false)) ? 1 : 0;
        i = i + 1 == names.size() ? 0 : i + 1;
    }
    benchmark::DoNotOptimize(found);
    if ((found == 0) != missing) state.SkipWithError("wrong answer");
}
void BM_FindHost(benchmark::State& state) {
    find_hosts(state, false);
}
BENCHMARK(BM_FindHost);

void BM_MissHost(benchmark::State& state) {
    find_hosts(state, true);
}
BENCHMARK(BM_MissHost);

void BM_FindAddress(benchmark::State& state) {
    NetListFile list(files().nets);
    LoadedList loaded = list.load();
    list.install(loaded, 0);
    const std::vector<IpAddress>& addresses = files().addresses;
    std::size_t i = 0;
    std::size_t found = 0;
    for (auto _ : state) {
        found += list.contains(addresses[i]) ? 1 : 0;
        i = i + 1 == addresses.size() ? 0 : i + 1;
    }
    benchmark::DoNotOptimize(found);
}
BENCHMARK(BM_FindAddress);

// One poll() as a packet sees it when nothing is due.
void BM_Poll(benchmark::State& state) {
    RealClock clock;
    ListStore store(clock);
    std::string error;
    const auto list = store.net_file(files().nets, &error);
    if (!store.load_all()) state.SkipWithError("load failed");
    for (auto _ : state)
        store.poll();
}
BENCHMARK(BM_Poll);

// The longest of all poll() and look-up pairs while a million hosts are read again and swapped in.
void BM_LongestDelayDuringReload(benchmark::State& state) {
    RealClock clock;
    ListStore store(clock);
    std::string error;
    const auto list = store.host_file(files().hosts, &error);
    if (!store.load_all()) state.SkipWithError("load failed");
    for (auto _ : state) {
        const auto begin = std::chrono::steady_clock::now();
        std::vector<double> delays;
        store.request_reload();
        auto last = std::chrono::steady_clock::now();
        while (last - begin < std::chrono::milliseconds(600)) {
            store.poll();
            benchmark::DoNotOptimize(list->contains(HostName("a.b.example.com", false)));
            const auto now = std::chrono::steady_clock::now();
            delays.push_back(std::chrono::duration<double>(now - last).count());
            last = now;
            usleep(50);
            last = std::chrono::steady_clock::now();
        }
        state.SetIterationTime(*std::max_element(delays.begin(), delays.end()));
    }
}
BENCHMARK(BM_LongestDelayDuringReload)
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMicrosecond);

} // namespace

BENCHMARK_MAIN();
