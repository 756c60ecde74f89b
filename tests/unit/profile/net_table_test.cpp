#include "nfqws2/profile/net_table.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <random>
#include <string>
#include <vector>

namespace nfqws2::profile {
namespace {

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

NetTable table_of(std::initializer_list<std::string_view> entries) {
    NetTable table;
    for (std::string_view entry : entries)
        table.add(*parse_network(entry));
    table.finish();
    return table;
}

std::string parsed(std::string_view text) {
    const auto network = parse_network(text);
    return network ? network->address.text() + "/" + std::to_string(network->prefix) : "bad";
}

TEST(ParseNetwork, Entries) {
    EXPECT_EQ(parsed("10.1.2.3"), "10.1.2.3/32");
    EXPECT_EQ(parsed("10.1.2.3/8"), "10.0.0.0/8"); // host bits are ignored
    EXPECT_EQ(parsed("10.255.2.3/9"), "10.128.0.0/9");
    EXPECT_EQ(parsed("10.1.2.3/32"), "10.1.2.3/32");
    EXPECT_EQ(parsed("0.0.0.0/0"), "0.0.0.0/0");
    EXPECT_EQ(parsed("::/0"), "::/0");
    EXPECT_EQ(parsed("2001:db8::1"), "2001:db8::1/128");
    EXPECT_EQ(parsed("2001:db8:ffff::1/33"), "2001:db8:8000::/33");
    EXPECT_EQ(parsed("10.1.2.3/24junk"), "10.1.2.0/24");
    EXPECT_EQ(parsed("10.1.2.3/+24"), "10.1.2.0/24");
}

TEST(ParseNetwork, Bad) {
    for (const char* text :
         {"", "10.1.2", "10.1.2.03", "010.1.2.3", "10.1.2.3/", "10.1.2.3/33", "10.1.2.3/-1",
          "10.1.2.3/x", "10.1.2.3/4294967304", "2001:db8::/129", "fe80::1%eth0",
          "10.0.0.1-10.0.0.9", "example.com", "10.1.2.256", "::ffff:1.2.3.4.5"})
        EXPECT_EQ(parsed(text), "bad") << text;
    EXPECT_EQ(parsed("10.1.2.3/24" + std::string(200, 'x')), "10.1.2.0/24"); // cut at 127
}

TEST(NetTable, Bounds) {
    const NetTable table = table_of({"10.1.0.0/16", "10.3.0.7"});
    EXPECT_FALSE(table.contains(ip("10.0.255.255")));
    EXPECT_TRUE(table.contains(ip("10.1.0.0")));
    EXPECT_TRUE(table.contains(ip("10.1.255.255")));
    EXPECT_FALSE(table.contains(ip("10.2.0.0")));
    EXPECT_FALSE(table.contains(ip("10.3.0.6")));
    EXPECT_TRUE(table.contains(ip("10.3.0.7")));
    EXPECT_FALSE(table.contains(ip("10.3.0.8")));
    EXPECT_FALSE(table.contains(ip("0.0.0.0")));
    EXPECT_FALSE(table.contains(ip("255.255.255.255")));
}

TEST(NetTable, Everything) {
    const NetTable table = table_of({"0.0.0.0/0", "::/0", "10.0.0.0/8"});
    EXPECT_EQ(table.size(), 2U); // covered networks are dropped
    EXPECT_TRUE(table.contains(ip("1.2.3.4")));
    EXPECT_TRUE(table.contains(ip("ffff::")));
    EXPECT_FALSE(table.contains(IpAddress()));
}

TEST(NetTable, FamiliesAreApart) {
    const NetTable four = table_of({"10.0.0.0/8"});
    EXPECT_FALSE(four.contains(ip("::ffff:10.0.0.1")));
    EXPECT_FALSE(four.contains(ip("a00::")));
    const NetTable six = table_of({"::ffff:10.0.0.0/104", "a00::/8"});
    EXPECT_FALSE(six.contains(ip("10.0.0.1")));
    EXPECT_TRUE(six.contains(ip("::ffff:10.0.0.1")));
}

TEST(NetTable, WidestEntryIsNamed) {
    const NetTable table = table_of({"10.1.2.0/24", "10.0.0.0/8", "10.0.0.0/9"});
    const auto found = table.find(ip("10.1.2.3"));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->address, ip("10.0.0.0"));
    EXPECT_EQ(found->prefix, 8U);
}

bool same_bits(const IpAddress& a, const IpAddress& b, unsigned bits) {
    for (std::size_t i = 0; i < bits; ++i)
        if (((a.raw[i / 8] ^ b.raw[i / 8]) << (i % 8) & 0x80) != 0) return false;
    return true;
}

// Against a plain loop over all networks.
template <typename MakeAddress> void compare_with_loop(MakeAddress make, unsigned max_prefix) {
    std::mt19937_64 random(3);
    std::vector<Network> networks;
    NetTable table;
    for (int i = 0; i < 3000; ++i) {
        const unsigned prefix =
            max_prefix / 4 + static_cast<unsigned>(random()) % (max_prefix - max_prefix / 4 + 1);
        const IpAddress address = make(random);
        networks.push_back(*parse_network(address.text() + "/" + std::to_string(prefix)));
        table.add(networks.back());
    }
    table.finish();
    std::size_t inside = 0;
    for (int i = 0; i < 6000; ++i) {
        IpAddress address = make(random);
        if (i % 3 == 0) address = networks[random() % networks.size()].address;
        bool expected = false;
        for (const Network& n : networks)
            expected |= same_bits(n.address, address, n.prefix);
        ASSERT_EQ(table.contains(address), expected) << address.text();
        inside += expected ? 1 : 0;
    }
    EXPECT_GT(inside, 2000U);
    EXPECT_LT(inside, 6000U);
}

TEST(NetTable, Ipv4AgainstALoop) {
    compare_with_loop(
        [](std::mt19937_64& random) {
            std::uint8_t raw[4];
            for (std::uint8_t& byte : raw)
                byte = static_cast<std::uint8_t>(random());
            return IpAddress::v4(raw);
        },
        32);
}

TEST(NetTable, Ipv6AgainstALoop) {
    compare_with_loop(
        [](std::mt19937_64& random) {
            std::uint8_t raw[16];
            for (std::uint8_t& byte : raw)
                byte = static_cast<std::uint8_t>(random() % 4);
            raw[0] = 0x20;
            return IpAddress::v6(raw);
        },
        128);
}

TEST(NetTable, EachInOrder) {
    NetTable table;
    for (const char* text : {"192.0.2.1", "10.1.0.0/16", "10.0.0.0/8", "2001:db8::/32", "::1"})
        table.add(*parse_network(text));
    table.finish();
    const auto all = [&](unsigned version) {
        std::string text;
        table.each(version, [&](const Network& network) {
            text += network.address.text() + "/" + std::to_string(network.prefix) + " ";
        });
        return text;
    };
    EXPECT_EQ(all(4), "10.0.0.0/8 192.0.2.1/32 ");
    EXPECT_EQ(all(6), "::1/128 2001:db8::/32 ");
    EXPECT_EQ(all(0), "");
}

TEST(NetTable, Memory) {
    NetTable table;
    for (unsigned i = 0; i < 100'000; ++i)
        table.add(*parse_network("10." + std::to_string(i >> 16) + "." +
                                 std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255)));
    table.finish();
    EXPECT_EQ(table.size(), 100'000U);
    EXPECT_LT(table.memory(), 560'000U);
}

} // namespace
} // namespace nfqws2::profile
