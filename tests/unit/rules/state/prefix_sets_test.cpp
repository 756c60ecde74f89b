#include "nfqws2/rules/state/prefix_sets.hpp"

#include "nfqws2/base/bytes.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <map>
#include <random>
#include <unistd.h>

namespace nfqws2::rules {
namespace {

PrefixEntry entry(const std::string& text) {
    const auto parsed = PrefixEntry::parse(text);
    EXPECT_TRUE(parsed) << text;
    return parsed.value_or(PrefixEntry{});
}

TEST(PrefixEntry, Forms) {
    EXPECT_EQ(1U, entry("10.0.0.0/8").value);
    EXPECT_EQ(7U, entry("10.0.0.0/8=7").value);
    EXPECT_EQ(7U, entry("10.0.0.0/8 0x7").value);
    EXPECT_EQ(7U, entry(" 2001:db8::/32,7\r").value);
    EXPECT_EQ(32U, entry("10.0.0.1").prefix.length);
    EXPECT_TRUE(entry("10.0.0.1/8").prefix.host_bits);
    EXPECT_EQ("10.0.0.0", entry("10.0.0.1/8").prefix.address.text());
    for (const char* bad : {"", "x", "10.0.0.0/33", "::/129", "10.0.0.0/8 x",
                            "10.0.0.0/8=", "10.0.0.0/8=4294967296", "10.0.0.0/+8"})
        EXPECT_FALSE(PrefixEntry::parse(bad)) << bad;
}

// Against all prefixes one after the other, in both families, to the last address.
TEST(PrefixSets, OneLookUpAnswersForAllSets) {
    std::mt19937 random(1);
    for (int round = 0; round < 40; round++) {
        PrefixSetsBuilder builder;
        std::vector<std::vector<PrefixEntry>> sets(5);
        for (unsigned set = 0; set < sets.size(); set++) {
            ASSERT_EQ(set, builder.add_set(set % 2 == 0));
            for (int i = 0; i < 12; i++) {
                const bool v6 = random() % 2 == 0;
                const unsigned low = random() % 3 == 0 ? 240 + random() % 16 : random() % 16;
                const std::string address = v6 ? "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff" +
                                                     std::string(1, "0123456789abcdef"[low / 16]) +
                                                     "0"
                                               : "255.255.255." + std::to_string(low);
                const unsigned length = (v6 ? 120U : 24U) + static_cast<unsigned>(random() % 9);
                const auto made = entry(address + "/" + std::to_string(length) + "=" +
                                        std::to_string(random() % 4));
                sets[set].push_back(made);
                builder.add(set, made);
            }
        }
        const auto view = builder.build();
        for (unsigned last = 0; last < 512; last++) {
            IpAddress address = *IpAddress::parse(
                last < 256 ? "255.255.255.0" : "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00");
            address.raw[last < 256 ? 3 : 15] = static_cast<std::uint8_t>(last);
            const PrefixSets::Class found = view->find(address);
            for (unsigned set = 0; set < sets.size(); set++) {
                std::map<unsigned, std::uint32_t> by_length;
                for (const PrefixEntry& one : sets[set])
                    if (one.prefix.contains(address)) {
                        std::uint32_t& value = by_length[one.prefix.length];
                        value = std::max(value, one.value);
                    }
                ASSERT_EQ(!by_length.empty(), view->contains(found, set));
                if (by_length.empty() || set % 2 != 0)
                    ASSERT_FALSE(view->value(found, set));
                else
                    ASSERT_EQ(by_length.rbegin()->second, view->value(found, set));
            }
        }
    }
}

TEST(PrefixSets, EmptyAndEverything) {
    PrefixSetsBuilder builder;
    builder.add_set(false);
    builder.add_set(false);
    builder.add(1, entry("0.0.0.0/0"));
    const auto view = builder.build();
    EXPECT_FALSE(view->contains(view->find(*IpAddress::parse("::1")), 1));
    for (const char* text : {"0.0.0.0", "127.0.0.1", "255.255.255.255"}) {
        EXPECT_TRUE(view->contains(view->find(*IpAddress::parse(text)), 1)) << text;
        EXPECT_FALSE(view->contains(view->find(*IpAddress::parse(text)), 0)) << text;
    }
    EXPECT_EQ(1U, view->ranges());
}

// With an index of the first bits: hosts everywhere, one in each of 2^15 blocks, at their ends too.
TEST(PrefixSets, ManyRangesAreFoundWhereverTheyBegin) {
    PrefixSetsBuilder builder;
    const auto set = builder.add_set(false), wide = builder.add_set(false);
    const auto address_of = [](bool v6, unsigned block, unsigned low) {
        std::array<std::uint8_t, 16> raw{};
        raw[0] = static_cast<std::uint8_t>(block >> 8);
        raw[1] = static_cast<std::uint8_t>(block);
        raw[2] = raw[3] = static_cast<std::uint8_t>(low);
        return v6 ? IpAddress::v6(raw.data()) : IpAddress::v4(raw.data());
    };
    for (unsigned block = 0; block < 65'536; block += 2)
        for (const bool v6 : {false, true}) {
            builder.add(*set, {{address_of(v6, block, block % 3 == 0 ? 0 : 255), v6 ? 128U : 32U}});
        }
    builder.add(*wide, {{address_of(false, 0, 0), 1}});
    const auto view = builder.build();
    for (unsigned block = 0; block < 65'536; block++)
        for (const bool v6 : {false, true})
            for (const unsigned low : {0U, 1U, 255U}) {
                const PrefixSets::Class found = view->find(address_of(v6, block, low));
                const bool there = block % 2 == 0 && low == (block % 3 == 0 ? 0U : 255U);
                ASSERT_EQ(there, view->contains(found, *set)) << block << " " << low;
                ASSERT_EQ(!v6 && block < 32'768, view->contains(found, *wide)) << block;
            }
}

TEST(PrefixSets, MoreClassesThanTwoBytesTell) {
    constexpr std::uint32_t hosts = 70'000;
    PrefixSetsBuilder builder;
    const auto set = builder.add_set(true);
    const auto host = [](std::uint32_t number) {
        std::array<std::uint8_t, 4> raw{};
        store_be32(raw.data(), number * 7);
        return IpAddress::v4(raw.data());
    };
    for (std::uint32_t i = 0; i < hosts; i++)
        builder.add(*set, {{host(i), 32}, i});
    const auto view = builder.build();
    EXPECT_EQ(hosts + 1U, view->classes());
    for (std::uint32_t i = 0; i < hosts; i += 97)
        EXPECT_EQ(std::optional(i), view->value(view->find(host(i)), *set));
}

TEST(PrefixSets, FilesSkipBadLines) {
    char path[] = "/tmp/nfqws2-sets-XXXXXX";
    const int fd = mkstemp(path);
    ASSERT_GE(fd, 0);
    close(fd);
    std::ofstream(path) << "# text\n10.0.0.0/8 5 # more\r\n\nbad\n2001:db8::/32\n1\n2\n3";
    PrefixSetsBuilder builder;
    builder.add_set(true);
    const PrefixFileReport report = builder.add_file(0, path);
    EXPECT_TRUE(report.ok);
    EXPECT_EQ(2U, report.networks);
    EXPECT_EQ(4U, report.bad_lines);
    ASSERT_EQ(3U, report.complaints.size());
    EXPECT_EQ(std::string(path) + ":4: bad network : bad", report.complaints[0]);
    const auto view = builder.build();
    EXPECT_EQ(5U, view->value(view->find(*IpAddress::parse("10.1.1.1")), 0));
    unlink(path);
    EXPECT_FALSE(builder.add_file(0, path).ok);
}

TEST(PrefixSets, LinesOfFilesHaveThreeForms) {
    char path[] = "/tmp/nfqws2-sets-XXXXXX";
    const int fd = mkstemp(path);
    ASSERT_GE(fd, 0);
    close(fd);
    // The last ones stand on both sides of the end of a piece that is read at once.
    std::string text = "10.0.0.1 1\n10.0.0.2=2#x\n10.0.0.3,3 # x\n  10.0.0.4 = 0x4\n10.0.0.5\t5\r\n"
                       "10.0.0.6 6 7\n10.0.0.7#9\n";
    text += "#" + std::string(300'000, 'x') + "\n";
    for (int i = 0; i < 20'000; i++)
        text += "10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256) + " 9\n";
    std::ofstream(path) << text;
    PrefixSetsBuilder builder;
    builder.add_set(true);
    const PrefixFileReport report = builder.add_file(0, path);
    unlink(path);
    EXPECT_TRUE(report.ok) << report.error;
    EXPECT_EQ(20'006U, report.networks);
    EXPECT_EQ(1U, report.bad_lines);
    const auto view = builder.build();
    const auto value = [&view](const std::string& address) {
        return view->value(view->find(*IpAddress::parse(address)), 0).value_or(0);
    };
    for (std::uint32_t i = 1; i <= 5; i++)
        EXPECT_EQ(i, value("10.0.0." + std::to_string(i)));
    EXPECT_EQ(0U, value("10.0.0.6"));
    EXPECT_EQ(1U, value("10.0.0.7"));
    for (const char* last : {"10.1.0.0", "10.1.40.1", "10.1.78.31"})
        EXPECT_EQ(9U, value(last)) << last;
}

TEST(PrefixSets, FilesThatAreNone) {
    PrefixSetsBuilder builder;
    builder.add_set(false);
    char path[] = "/tmp/nfqws2-sets-XXXXXX";
    const int fd = mkstemp(path);
    ASSERT_GE(fd, 0);
    close(fd);
    const auto error_of = [&](const std::string& text) {
        std::ofstream(path, std::ios::binary) << text;
        return builder.add_file(0, path).error;
    };
    EXPECT_EQ(std::string(path) + ": this is UTF-16, a list is UTF-8",
              error_of(std::string("\xFF\xFE"
                                   "1\0",
                                   4)));
    EXPECT_EQ(std::string(path) + ": zlib decompression failed : result -3",
              error_of("\x1F\x8B\x08 this is none"));
    EXPECT_EQ("", error_of(""));
    unlink(path);
    EXPECT_EQ("/dev/zero: not a regular file", builder.add_file(0, "/dev/zero").error);
    EXPECT_EQ("/tmp: not a regular file", builder.add_file(0, "/tmp").error);
}

} // namespace
} // namespace nfqws2::rules
