#include "nfqws2/profile/host_table.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <random>
#include <string>
#include <unordered_set>

namespace nfqws2::profile {
namespace {

HostTable table_of(std::initializer_list<std::string_view> entries) {
    HostTableBuilder builder;
    for (std::string_view entry : entries)
        builder.add(entry);
    return builder.finish();
}

bool matches(const HostTable& table, std::string_view host, bool is_ip = false) {
    return match_host({host, is_ip}, [&](std::string_view name) { return table.find(name); })
        .has_value();
}

TEST(HostTable, Empty) {
    const HostTable table = table_of({});
    EXPECT_TRUE(table.empty());
    EXPECT_EQ(table.find(""), HostMatch::none);
    EXPECT_EQ(table.find("a"), HostMatch::none);
    EXPECT_EQ(HostTable().find("a"), HostMatch::none);
}

TEST(HostTable, RecordedTable) {
    const HostTable one = table_of({"one.com"});
    EXPECT_TRUE(matches(one, "one.com"));
    EXPECT_TRUE(matches(one, "a.b.one.com"));
    EXPECT_FALSE(matches(one, "notone.com"));
    EXPECT_TRUE(matches(one, "one.com.")) << "deliberately better";
    EXPECT_FALSE(matches(one, "com"));

    const HostTable strict = table_of({"^strict.com"});
    EXPECT_TRUE(matches(strict, "strict.com"));
    EXPECT_FALSE(matches(strict, "x.strict.com"));

    const HostTable address = table_of({"10.99.1.2"});
    EXPECT_TRUE(matches(address, "10.99.1.2", true));
    EXPECT_TRUE(matches(address, "1.10.99.1.2", false));
    EXPECT_FALSE(matches(address, "1.10.99.1.2", true));
}

TEST(HostTable, StrictHitDoesNotStopTheWalk) {
    const HostTable table = table_of({"^b.one.com", "one.com"});
    EXPECT_TRUE(matches(table, "a.b.one.com"));
    EXPECT_TRUE(matches(table, "b.one.com"));
}

TEST(HostTable, NonStrictWinsWhateverTheOrder) {
    EXPECT_EQ(table_of({"^d.com", "d.com"}).find("d.com"), HostMatch::plain);
    EXPECT_EQ(table_of({"d.com", "^d.com"}).find("d.com"), HostMatch::plain);
    EXPECT_EQ(table_of({"^d.com", "d.com"}).size(), 1U);
}

TEST(HostTable, EntriesAreLoweredAndNothingElse) {
    const HostTable table = table_of({"ONE.Com", "*.x.com", "\xD0\x9F.ru"});
    EXPECT_TRUE(matches(table, "one.com"));
    EXPECT_FALSE(matches(table, "ONE.com")); // hosts are compared as bytes
    EXPECT_FALSE(matches(table, "a.x.com")); // no wildcards
    EXPECT_TRUE(matches(table, "\xD0\x9F.ru"));
}

TEST(HostTable, UselessEntriesNeverMatch) {
    const HostTable table = table_of({"^", ".dot.com"});
    EXPECT_FALSE(table.empty()); // and yet the list is not empty
    for (const char* host : {"", "a", "a.", ".", "dot.com", ".dot.com", "a..dot.com"})
        EXPECT_FALSE(matches(table, host)) << host;
}

// One HostName goes from list to list; what it has hashed for one must be right for the next.
TEST(HostTable, OneNameIsLookedForInManyTables) {
    const std::string text = "a.b.c.d.e.f.g.h.i.j.k.example.com.";
    for (const bool is_ip : {false, true}) {
        const HostName host(text, is_ip);
        for (int turn = 0; turn < 2; turn++) {
            std::string_view part = host.name();
            for (;;) {
                const HostTable with = table_of({part, "x.org"});
                const HostTable without = table_of({"z" + std::string(part), "x.org"});
                const auto finds = [&](const HostTable& table) {
                    return match_host(host,
                                      [&](std::string_view name) { return table.find(name, host); })
                        .has_value();
                };
                EXPECT_EQ(finds(with), !is_ip || part == host.name()) << part;
                EXPECT_FALSE(finds(without)) << part;
                const std::size_t dot = part.find('.');
                if (dot == part.npos) break;
                part.remove_prefix(dot + 1);
            }
        }
    }
}

TEST(HostTable, AcceptedCountsDuplicates) {
    HostTableBuilder builder;
    for (const char* entry : {"a.com", "a.com", "A.com", "b.com"})
        builder.add(entry);
    EXPECT_EQ(builder.accepted(), 4U);
    EXPECT_EQ(builder.finish().size(), 2U);
}

TEST(HostTable, EntryLengthIsBounded) {
    const std::string longest(4095, 'a');
    HostTableBuilder builder;
    builder.add(longest);
    builder.add(longest + "a");
    const HostTable table = builder.finish();
    EXPECT_EQ(table.size(), 1U);
    EXPECT_EQ(table.find(longest), HostMatch::plain);
    EXPECT_EQ(table.find(longest + "a"), HostMatch::none);
}

TEST(HostTable, ManyHostsExactAnswersLittleMemory) {
    std::mt19937_64 random(7);
    const auto name = [&] {
        std::string text;
        for (std::size_t i = 3 + random() % 12; i > 0; --i)
            text += static_cast<char>('a' + random() % 26);
        return text + ".com";
    };
    std::unordered_set<std::string> in;
    HostTableBuilder builder;
    for (int i = 0; i < 200'000; ++i) {
        const std::string host = name();
        in.insert(host);
        builder.add(host);
    }
    const HostTable table = builder.finish();
    EXPECT_EQ(table.size(), in.size());
    for (const std::string& host : in)
        ASSERT_EQ(table.find(host), HostMatch::plain) << host;
    for (int i = 0; i < 200'000; ++i) {
        const std::string host = name();
        ASSERT_EQ(table.find(host) == HostMatch::plain, in.count(host) == 1) << host;
    }
    EXPECT_LT(table.memory(), in.size() * 9);
}

} // namespace
} // namespace nfqws2::profile
