// Several workers: their options, how an offline run deals packets to them, what wakes their loops.
#include "../child_run.hpp"

#include "app/offline/offline_workers.hpp"
#include "app/run/bell.hpp"
#include "nfqws2/base/bytes.hpp"

#include <chrono>
#include <set>
#include <thread>

namespace nfqws2::app {
namespace {

TEST(WorkerOptions, NumberOfWorkers) {
    EXPECT_EQ(Parsed({"--qnum=1"}).config().workers, 1U);
    EXPECT_EQ(Parsed({"--qnum=1", "--workers=4"}).config().workers, 4U);
    EXPECT_EQ(Parsed({"--qnum=1", "--workers=64"}).config().workers, 64U);
    for (const char* bad : {"--workers=0", "--workers=65", "--workers=x", "--workers="}) {
        const Parsed parsed({"--qnum=1", bad});
        EXPECT_EQ(parsed.code, 1) << bad;
        EXPECT_TRUE(contains(parsed.err, "workers must be 1..64")) << parsed.err;
    }
}

TEST(WorkerOptions, QueueNumbersMustExist) {
    EXPECT_TRUE(Parsed({"--qnum=65532", "--workers=4"}).good());
    EXPECT_TRUE(contains(Parsed({"--qnum=65533", "--workers=4"}).finish_error, "--workers"));
    EXPECT_TRUE(Parsed({"--pcap-in=-", "--workers=64"}).good());
}

// --- dealing

std::vector<std::uint8_t> packet4(std::uint32_t from, std::uint32_t to) {
    std::vector<std::uint8_t> p(20, 0);
    p[0] = 0x45;
    store_be32(&p[12], from);
    store_be32(&p[16], to);
    return p;
}

std::vector<std::uint8_t> packet6(std::uint8_t from, std::uint8_t to) {
    std::vector<std::uint8_t> p(40, 0);
    p[0] = 0x60;
    p[8] = p[24] = 0xFD;
    p[23] = from;
    p[39] = to;
    return p;
}

TEST(Dealing, BothDirectionsGoToOneWorker) {
    for (std::uint32_t i = 1; i < 100; i++) {
        EXPECT_EQ(worker_for(packet4(0x0A000000 + i, 0xC0000201), 4),
                  worker_for(packet4(0xC0000201, 0x0A000000 + i), 4));
        const auto n = static_cast<std::uint8_t>(i);
        EXPECT_EQ(worker_for(packet6(n, 200), 4), worker_for(packet6(200, n), 4));
    }
}

TEST(Dealing, AllWorkersGetAShare) {
    std::vector<unsigned> share4(4), share6(4);
    for (std::uint32_t i = 0; i < 256; i++) {
        share4.at(worker_for(packet4(0x0A000000 + i, 0xC0000201), 4))++;
        share6.at(worker_for(packet6(static_cast<std::uint8_t>(i), 1), 4))++;
    }
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_GT(share4[i], 32U);
        EXPECT_GT(share6[i], 32U);
    }
}

TEST(Dealing, AnyBytesAreDealt) {
    auto p = packet6(1, 2);
    for (std::size_t size = 0; size < p.size(); size++)
        EXPECT_LT(worker_for(Bytes(p).first(size), 3), 3U);
    EXPECT_EQ(worker_for(p, 1), 0U);
}

// --- an offline run

#if NFQWS2_HAVE_PCAP

// Datagrams of sixteen clients.
std::string capture_of_clients(const TempDir& dir) {
    std::string file("\xD4\xC3\xB2\xA1\x02\0\x04\0\0\0\0\0\0\0\0\0\xFF\xFF\0\0\x65\0\0\0", 24);
    for (std::uint32_t i = 0; i < 16; i++) {
        auto p = packet4(0x0A000001 + i, 0xC0000201);
        p.resize(32, 'x');
        store_be16(&p[2], 32);
        p[8] = 64;
        p[9] = 17;
        store_be16(&p[20], 1000);
        store_be16(&p[22], 443);
        store_be16(&p[24], 12);
        file += std::string("\0\xF1\x53\x65", 4) + static_cast<char>(i) +
                std::string("\0\0\0\x20\0\0\0\x20\0\0\0", 11);
        file.append(reinterpret_cast<const char*>(p.data()), p.size());
    }
    std::ofstream(dir / "clients.pcap", std::ios::binary) << file;
    return dir / "clients.pcap";
}

TEST(OfflineWorkers, EachHasItsOwnState) {
    const TempDir dir;
    const std::string in = "--pcap-in=" + capture_of_clients(dir);
    const std::vector<std::string> words{
        in,
        "--pcap-local=10.0.0.0/8",
        "--workers=4",
        "--qnum=10",
        "--seed=1",
        "--lua-init=count=0 function f() count=count+1 DLOG_ERR('q='..qnum..' count='..count) end",
        "--lua-desync=f"};
    const auto result = run_nfqws2(dir, as_owner(words));
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(contains(result.err, "packets read 16, skipped 0, accepted 16,")) << result.err;
    EXPECT_TRUE(contains(result.err, "flows 16,")) << result.err;
    std::istringstream lines(result.err);
    std::map<unsigned, unsigned> counts;
    for (std::string line; std::getline(lines, line);) {
        unsigned worker = 0, queue = 0, count = 0;
        const auto at = line.find("q=");
        if (std::sscanf(line.c_str(), "worker %u: ", &worker) != 1 || at == std::string::npos)
            continue;
        ASSERT_EQ(std::sscanf(line.c_str() + at, "q=%u count=%u", &queue, &count), 2) << line;
        EXPECT_EQ(queue, 10 + worker);
        EXPECT_EQ(count, ++counts[worker]);
    }
    unsigned sum = 0;
    for (const auto& [worker, count] : counts)
        sum += count;
    EXPECT_EQ(sum, 16U) << result.err;
    EXPECT_GT(counts.size(), 2U);
    EXPECT_EQ(run_nfqws2(dir, as_owner(words)).out, result.out) << "not reproducible";
}

#endif

// --- bells

TEST(BellTest, RingsBeforeAndDuringAWait) {
    Bell bell;
    bell.ring();
    bell.ring();
    EXPECT_FALSE(bell.wait(-1, -1)) << "comes back at once";
    EXPECT_FALSE(bell.wait(-1, 0));
    std::thread other([&bell] { bell.ring(); });
    EXPECT_FALSE(bell.wait(-1, -1));
    other.join();
}

TEST(BellTest, TellsOfTheOtherDescriptor) {
    Bell bell, other;
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    EXPECT_FALSE(bell.wait(ends[0], 0));
    ASSERT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_TRUE(bell.wait(ends[0], -1));
    close(ends[0]);
    close(ends[1]);
}

TEST(SignalsTest, StopEndsAllLoops) {
    Signals signals;
    EXPECT_FALSE(signals.quit());
    signals.stop();
    EXPECT_TRUE(signals.quit());
    EXPECT_FALSE(signals.requested());
}

} // namespace
} // namespace nfqws2::app
