#include "nfqws2/flow/ip_cache.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace nfqws2::flow {
namespace {

constexpr std::int64_t second = 1'000'000'000;

IpAddress ip(const std::string& text) {
    return IpAddress::parse(text).value();
}
IpAddress numbered(unsigned i) {
    return ip("10.0." + std::to_string(i / 256) + '.' + std::to_string(i % 256));
}

class IpCacheTest : public ::testing::Test {
  protected:
    void advance(std::int64_t seconds) {
        clock.advance_to(clock.boot_ns() + seconds * second);
        cache.purge();
    }
    std::vector<std::string> dump() {
        std::vector<std::string> lines;
        cache.dump([&](const std::string& line) { lines.push_back(line); });
        return lines;
    }
    // The record or nullptr.
    const IpCacheRecord* find(const IpAddress& of, std::string_view interface) {
        return cache.find(of, interface, found) ? &found : nullptr;
    }
    VirtualClock clock{100 * second};
    IpCache cache{100, clock, 1000};
    IpCacheRecord found;
    IpAddress address = ip("10.99.1.2");
};

TEST_F(IpCacheTest, Ttl) {
    EXPECT_EQ(find(address, "eth0"), nullptr);
    EXPECT_TRUE(cache.set_ttl(address, "eth0", 57));
    EXPECT_FALSE(cache.set_ttl(address, "eth0", 57));
    ASSERT_NE(find(address, "eth0"), nullptr);
    EXPECT_EQ(find(address, "eth0")->ttl, 57);
    EXPECT_FALSE(find(address, "eth0")->has_hostname);
    EXPECT_TRUE(cache.set_ttl(address, "eth0", 58));
    EXPECT_EQ(find(address, "eth0")->ttl, 58);
}

TEST_F(IpCacheTest, KeyIsAddressAndInterface) {
    cache.set_ttl(address, "eth0", 57);
    EXPECT_EQ(find(address, "eth1"), nullptr);
    EXPECT_EQ(find(address, ""), nullptr);
    EXPECT_EQ(find(ip("10.99.1.3"), "eth0"), nullptr);
    // the same first bytes, the other family
    EXPECT_EQ(find(ip("a63:102::"), "eth0"), nullptr);
    cache.set_hostname(address, "www.example.com", false);
    EXPECT_EQ(cache.size(), 2U);
    EXPECT_EQ(find(address, "eth0")->hostname, "");
    EXPECT_EQ(find(address, "")->hostname, "www.example.com");
    cache.set_ttl(address, "", 3); // empty interface: one record
    EXPECT_EQ(cache.size(), 2U);
    EXPECT_EQ(find(address, "")->ttl, 3);
}

TEST_F(IpCacheTest, HostnameAndItsFlagChangeTogether) {
    EXPECT_TRUE(cache.set_hostname(address, "a.example", false));
    EXPECT_FALSE(cache.set_hostname(address, "a.example", true));
    EXPECT_FALSE(find(address, "")->hostname_is_ip);
    EXPECT_TRUE(cache.set_hostname(address, "192.0.2.1", true));
    EXPECT_TRUE(find(address, "")->hostname_is_ip);
    EXPECT_EQ(find(address, "")->hostname, "192.0.2.1");
}

TEST_F(IpCacheTest, LifetimeCountsFromTheLastWriting) {
    cache.set_ttl(address, "eth0", 57);
    advance(60);
    EXPECT_NE(find(address, "eth0"), nullptr); // reading does not prolong
    cache.set_hostname(address, "a", false);
    advance(39);
    EXPECT_NE(find(address, "eth0"), nullptr);
    advance(1);
    EXPECT_EQ(find(address, "eth0"), nullptr);
    cache.set_hostname(address, "a", false); // the same value prolongs
    advance(99);
    EXPECT_NE(find(address, ""), nullptr);
    advance(1);
    EXPECT_EQ(cache.size(), 0U);
}

TEST_F(IpCacheTest, LifetimeZeroIsForEver) {
    IpCache eternal(0, clock);
    eternal.set_ttl(address, "", 1);
    clock.advance_to(clock.boot_ns() + 1'000'000 * second);
    eternal.purge();
    EXPECT_EQ(eternal.size(), 1U);
}

TEST_F(IpCacheTest, OldestGoFirstAtTheLimit) {
    for (unsigned i = 0; i < 1000; i++)
        cache.set_ttl(numbered(i), "", 1);
    advance(1);
    cache.set_ttl(numbered(0), "", 1); // used again
    cache.set_ttl(numbered(1000), "", 1);
    EXPECT_EQ(cache.size(), 1000U);
    EXPECT_NE(find(numbered(0), ""), nullptr);
    EXPECT_EQ(find(numbered(1), ""), nullptr);
    EXPECT_NE(find(numbered(2), ""), nullptr);
}

TEST_F(IpCacheTest, PurgeIsBoundedPerCall) {
    for (unsigned i = 0; i < 1000; i++)
        cache.set_ttl(numbered(i), "", 1);
    advance(200);
    EXPECT_GE(cache.size(), 900U);
    for (int i = 0; i < 20; i++)
        cache.purge();
    EXPECT_EQ(cache.size(), 0U);
}

TEST_F(IpCacheTest, LongNames) {
    cache.set_hostname(address, std::string(400, 'a'), false);
    EXPECT_EQ(find(address, "")->hostname.size(), 255U);
    EXPECT_FALSE(cache.set_hostname(address, std::string(400, 'a'), false));
    cache.set_ttl(address, "fifteen-letters", 9);
    EXPECT_EQ(find(address, "fifteen-letters")->ttl, 9);
    EXPECT_EQ(find(address, "fifteen-letter"), nullptr);
}

TEST_F(IpCacheTest, DumpIpv4First) {
    cache.set_hostname(ip("2001:db8::1"), "six.example", false);
    cache.set_ttl(address, "cli_v0", 64);
    advance(5);
    cache.set_hostname(address, "1.2.3.4", true);
    EXPECT_EQ(dump(), (std::vector<std::string>{
                          "10.99.1.2 iface=cli_v0 : ttl 64 hostname= hostname_is_ip=0 now=last+5",
                          "10.99.1.2 iface= : ttl 0 hostname=1.2.3.4 hostname_is_ip=1 now=last+0",
                          "2001:db8::1 iface= : ttl 0 hostname=six.example hostname_is_ip=0 "
                          "now=last+5"}));
}

// --- shared by threads

TEST(SharedIpCache, WhatOneThreadLearnsAllKnow) {
    constexpr unsigned threads = 4, addresses = 200;
    VirtualClock clock{100 * second};
    IpCache cache{100, clock, 100'000, IpCache::Use::shared};
    std::vector<std::thread> running;
    for (unsigned thread = 0; thread < threads; thread++)
        running.emplace_back([&cache, thread] {
            IpCacheRecord record;
            for (unsigned round = 0; round < 3; round++)
                for (unsigned i = 0; i < addresses; i++) {
                    cache.set_ttl(numbered(i), "eth0", 57);
                    if (i % threads == thread)
                        cache.set_hostname(numbered(i), "host" + std::to_string(i), false);
                    cache.find(numbered(addresses - 1 - i), "eth0", record);
                }
        });
    for (std::thread& thread : running)
        thread.join();
    EXPECT_EQ(cache.size(), 2 * addresses);
    IpCacheRecord record;
    for (unsigned i = 0; i < addresses; i++) {
        ASSERT_TRUE(cache.find(numbered(i), "eth0", record));
        EXPECT_EQ(record.ttl, 57);
        ASSERT_TRUE(cache.find(numbered(i), "", record));
        EXPECT_EQ(record.hostname, "host" + std::to_string(i));
    }
}

TEST(SharedIpCache, ForgetsAndIsBounded) {
    VirtualClock clock{100 * second};
    IpCache cache{100, clock, 1600, IpCache::Use::shared};
    for (unsigned i = 0; i < 20'000; i++)
        cache.set_ttl(numbered(i), "", 1);
    EXPECT_LE(cache.size(), 1600U);
    EXPECT_GT(cache.size(), 1500U) << "the parts are filled unevenly";
    clock.advance_to(clock.boot_ns() + 100 * second);
    IpCacheRecord record;
    // Some expired records go with each call.
    cache.find(numbered(19'999), "", record);
    EXPECT_FALSE(cache.find(numbered(19'999), "", record)) << "expired";
}

TEST(SharedIpCache, DumpsIpv4First) {
    VirtualClock clock{100 * second};
    IpCache cache{100, clock, 1000, IpCache::Use::shared};
    for (unsigned i = 0; i < 20; i++) {
        cache.set_ttl(ip("fd00::" + std::to_string(i)), "", 1);
        cache.set_ttl(numbered(i), "", 1);
    }
    std::vector<bool> ipv6;
    cache.dump([&](const std::string& line) { ipv6.push_back(line.starts_with("fd00")); });
    EXPECT_EQ(ipv6.size(), 40U);
    EXPECT_TRUE(std::is_sorted(ipv6.begin(), ipv6.end()));
}

TEST_F(IpCacheTest, CountsRetransmissionsOfHeldMessages) {
    EXPECT_EQ(cache.count_held_retransmission(address), 1);
    EXPECT_EQ(cache.count_held_retransmission(address), 2);
    ASSERT_NE(find(address, ""), nullptr);
    EXPECT_EQ(found.held_retransmissions, 2);
    EXPECT_EQ(cache.count_held_retransmission(ip("10.99.1.3")), 1);
    for (int i = 0; i < 300; i++)
        cache.count_held_retransmission(address);
    EXPECT_EQ(cache.count_held_retransmission(address), 255) << "it does not wrap";
    advance(101);
    EXPECT_EQ(find(address, ""), nullptr);
    EXPECT_EQ(cache.count_held_retransmission(address), 1);
}

} // namespace
} // namespace nfqws2::flow
