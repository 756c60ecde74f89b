#include "nfqws2/store/stores.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace nfqws2::store {
namespace {

constexpr std::int64_t second = 1'000'000'000, start = 1'750'000'000;

class StoresTest : public testing::Test {
  protected:
    void pass(std::int64_t seconds) { clock.advance_to(clock.unix_ns() + seconds * second); }
    std::size_t open(Stores& stores, std::string_view name) {
        const char* error = nullptr;
        const auto store = stores.open(name, &error);
        EXPECT_TRUE(store) << error;
        return store.value_or(0);
    }

    VirtualClock clock{start * second};
    SipKey key{1, 2};
    Stores stores{clock, key};
};

TEST_F(StoresTest, RemembersWhatWasSet) {
    const std::size_t s = open(stores, "learn");
    EXPECT_FALSE(stores.get(s, "k"));
    const Fields fields{{"n", 1.5}, {"t", std::string("x")}};
    EXPECT_EQ(stores.set(s, "k", fields), nullptr);
    EXPECT_EQ(stores.get(s, "k"), fields);
    EXPECT_EQ(stores.set(s, "k", {}), nullptr);
    EXPECT_EQ(stores.get(s, "k"), Fields());
    stores.erase(s, "k");
    EXPECT_FALSE(stores.get(s, "k"));
    stores.erase(s, "k");
}

TEST_F(StoresTest, InsertsOnlyWhatFits) {
    Stores small(clock, key, {3, 1 << 20});
    const std::size_t s = open(small, "learn");
    using Insertion = Stores::Insertion;
    const auto insert = [&](const char* name, std::int64_t written) {
        return small.insert(s, {name, "", written, default_ttl}, small.find(s, name));
    };
    small.set(s, "pinned", {}, for_ever);
    small.set(s, "short", {}, 5);
    EXPECT_EQ(insert("a", start - 10), Insertion::done);
    EXPECT_EQ(insert("b", start - 9), Insertion::no_room);
    EXPECT_EQ(insert("a", start - 8), Insertion::done) << "in the place of the other";
    EXPECT_EQ(small.insert(s, {"a", "", start, default_ttl}, nullptr), Insertion::overtaken);
    pass(6);
    small.forget_expired();
    EXPECT_EQ(insert("b", start - 9), Insertion::done) << "the short one is gone";
    EXPECT_EQ(small.keys(s, ""), (std::vector<std::string>{"a", "b", "pinned"}));
}

TEST_F(StoresTest, InsertsOnlyWhatHasTheBytes) {
    Stores small(clock, key, {100, 1000});
    const std::size_t s = open(small, "learn");
    small.set(s, "a", {{"t", std::string(200, 'x')}});
    small.set(s, "b", {{"t", std::string(200, 'x')}});
    EXPECT_EQ(small.insert(s, {"c", std::string(500, 'x'), start, default_ttl}, nullptr),
              Stores::Insertion::no_room);
    EXPECT_EQ(small.insert(s, {"a", "", start, default_ttl}, small.find(s, "a")),
              Stores::Insertion::done);
    EXPECT_EQ(small.count(s), 2U);
}

TEST_F(StoresTest, MergesFields) {
    const std::size_t s = open(stores, "learn");
    const FieldView one{"n", {}, 1, true}, text{"t", "x", 0, false}, two{"n", {}, 2, true};
    const std::string_view gone[] = {"t", "never"};
    EXPECT_EQ(stores.merge(s, "k", std::span(&one, 1)), nullptr);
    EXPECT_EQ(stores.find(s, "k")->ttl, default_ttl);
    EXPECT_EQ(stores.merge(s, "k", std::span(&text, 1)), nullptr);
    EXPECT_EQ(stores.get(s, "k"), (Fields{{"n", 1.0}, {"t", std::string("x")}}));
    EXPECT_EQ(stores.merge(s, "k", std::span(&two, 1), gone), nullptr);
    EXPECT_EQ(stores.get(s, "k"), (Fields{{"n", 2.0}}));
    stores.set(s, "k", {{"pin", 3.0}}, for_ever);
    pass(10);
    stores.merge(s, "k", std::span(&one, 1));
    EXPECT_EQ(stores.get(s, "k"), (Fields{{"n", 1.0}, {"pin", 3.0}}));
    EXPECT_EQ(stores.find(s, "k")->ttl, for_ever);
    EXPECT_EQ(stores.find(s, "k")->written, start + 10);
}

TEST_F(StoresTest, RefusesToMergeWhatDoesNotFit) {
    const std::size_t s = open(stores, "learn");
    Fields full;
    for (std::size_t i = 0; i < max_fields; i++)
        full.emplace_back("f" + std::to_string(i), 1.0);
    stores.set(s, "k", full);
    const FieldView more{"more", {}, 1, true}, bad{"a b", {}, 1, true};
    EXPECT_NE(stores.merge(s, "k", std::span(&more, 1)), nullptr);
    EXPECT_NE(stores.merge(s, "", std::span(&more, 1)), nullptr);
    EXPECT_NE(stores.merge(s, "other", std::span(&bad, 1)), nullptr);
    const std::string_view gone[] = {"f3"};
    EXPECT_EQ(stores.merge(s, "k", std::span(&more, 1), gone), nullptr);
    EXPECT_EQ(stores.get(s, "k")->size(), max_fields);
}

TEST_F(StoresTest, StoresAreApart) {
    const std::size_t a = open(stores, "a"), b = open(stores, "b");
    EXPECT_NE(a, b);
    EXPECT_EQ(open(stores, "a"), a);
    stores.set(a, "k", {{"x", 1.0}});
    EXPECT_FALSE(stores.get(b, "k"));
    EXPECT_EQ(stores.names(), (std::vector<std::string>{"a", "b"}));
}

TEST_F(StoresTest, NamesAndTheirNumberAreBounded) {
    const char* error = nullptr;
    for (const char* bad : {"", "A", "a/b", "..", "a.b", "123456789012345678901234567890123"}) {
        error = nullptr;
        EXPECT_FALSE(stores.open(bad, &error)) << bad;
        EXPECT_NE(error, nullptr) << bad;
    }
    for (std::size_t i = 0; i < max_stores; i++)
        open(stores, "s" + std::to_string(i));
    EXPECT_FALSE(stores.open("one-more", &error));
    EXPECT_STREQ(error, "there are 16 stores already");
    EXPECT_TRUE(stores.open("s3", &error));
}

TEST_F(StoresTest, AddsAtOnce) {
    const std::size_t s = open(stores, "a");
    const char* error = nullptr;
    EXPECT_EQ(stores.add(s, "k", "n", 2, &error), 2);
    EXPECT_EQ(stores.add(s, "k", "n", -0.5, &error), 1.5);
    EXPECT_EQ(stores.add(s, "k", "m", 1, &error), 1);
    stores.set(s, "t", {{"n", std::string("x")}}, 7);
    EXPECT_FALSE(stores.add(s, "t", "n", 1, &error));
    EXPECT_STREQ(error, "the field is a text");
    EXPECT_EQ(stores.add(s, "t", "m", 1, &error), 1);
    EXPECT_EQ(stores.find(s, "t")->ttl, 7U) << "a record keeps its ttl";
    EXPECT_FALSE(stores.add(s, "k", "bad name", 1, &error));
    EXPECT_FALSE(stores.add(s, "", "n", 1, &error));
}

TEST_F(StoresTest, ExpiresAfterItsTime) {
    const std::size_t s = open(stores, "a");
    stores.set(s, "short", {}, 10);
    stores.set(s, "for-ever", {}, for_ever);
    pass(9);
    EXPECT_TRUE(stores.get(s, "short"));
    pass(1);
    EXPECT_FALSE(stores.get(s, "short"));
    EXPECT_EQ(stores.keys(s, ""), (std::vector<std::string>{"for-ever"}));
    EXPECT_EQ(stores.count(s), 1U);
    const char* error = nullptr;
    EXPECT_EQ(stores.add(s, "short", "n", 1, &error), 1);
    EXPECT_EQ(stores.find(s, "short")->ttl, default_ttl);
}

TEST_F(StoresTest, TheOldestWriteGivesWay) {
    Stores few(clock, key, {3, SIZE_MAX});
    const std::size_t a = open(few, "a"), b = open(few, "b");
    few.set(a, "1", {});
    few.set(b, "2", {});
    few.set(a, "3", {});
    few.set(a, "1", {}); // now the youngest
    few.set(b, "4", {});
    EXPECT_TRUE(few.get(a, "1"));
    EXPECT_FALSE(few.get(b, "2"));
    EXPECT_TRUE(few.get(a, "3"));
    EXPECT_TRUE(few.get(b, "4"));
}

// What was imported gives way before what the daemon has learnt, however old that is.
TEST_F(StoresTest, WhatIsInsertedGivesWayFirst) {
    using Insertion = Stores::Insertion;
    Stores few(clock, key, {3, SIZE_MAX});
    const std::size_t s = open(few, "a");
    few.set(s, "pin", {});
    ASSERT_EQ(few.insert(s, {"first", "", start, 0}, nullptr), Insertion::done);
    ASSERT_EQ(few.insert(s, {"second", "", start, 0}, nullptr), Insertion::done);
    ASSERT_EQ(few.insert(s, {"third", "", start, 0}, nullptr), Insertion::no_room);
    few.set(s, "new", {});
    EXPECT_TRUE(few.get(s, "pin"));
    EXPECT_FALSE(few.get(s, "second"));
    ASSERT_EQ(few.insert(s, {"first", "n=1", start, 0}, few.find(s, "first")), Insertion::done);
    few.set(s, "newer", {});
    EXPECT_TRUE(few.get(s, "first")) << "no new one";
    EXPECT_FALSE(few.get(s, "pin"));
}

TEST_F(StoresTest, MemoryIsBoundedAndTold) {
    MemoryBudget budget(0);
    Stores small(clock, key, {1'000'000, 100'000});
    small.count_in(&budget);
    const std::size_t s = open(small, "a");
    for (int i = 0; i < 100'000; i++)
        small.set(s, "host-" + std::to_string(i) + ".example", {{"ok", 1.0}, {"bad", 2.0}});
    EXPECT_LE(small.memory(), 100'000U);
    EXPECT_GT(small.count(s), 200U);
    EXPECT_EQ(budget.share(MemoryBudget::Part::stores), small.memory());
    for (const std::string& host : small.keys(s, ""))
        small.erase(s, host);
    EXPECT_EQ(small.memory(), 0U);
    EXPECT_EQ(budget.share(MemoryBudget::Part::stores), 0U);
    small.count_in(nullptr);
}

TEST_F(StoresTest, KeysByPrefix) {
    const std::size_t s = open(stores, "a");
    for (const char* name : {"tls/b", "tls/a", "quic/a"})
        stores.set(s, name, {});
    EXPECT_EQ(stores.keys(s, "tls/"), (std::vector<std::string>{"tls/a", "tls/b"}));
    EXPECT_TRUE(stores.keys(s, "x").empty());
}

TEST_F(StoresTest, PutMindsWhatIsThere) {
    const std::size_t s = open(stores, "a");
    EXPECT_TRUE(stores.put(s, {"k", "n=1", start - 5, 100}, nullptr));
    const RecordPointer first = stores.find(s, "k");
    EXPECT_EQ(first->written, start - 5);
    EXPECT_FALSE(stores.put(s, {"k", "n=2", start, 100}, nullptr)) << "there is one";
    EXPECT_TRUE(stores.put(s, {"k", "n=2", start, 100}, first));
    EXPECT_FALSE(stores.erase_if(s, first)) << "it was replaced";
    EXPECT_TRUE(stores.erase_if(s, stores.find(s, "k")));
    EXPECT_TRUE(stores.put(s, {"late", "", start + 1'000'000, 10}, nullptr));
    EXPECT_EQ(stores.find(s, "late")->written, start) << "from the future: now";
}

// A router without a clock of its own begins in 1970.
TEST_F(StoresTest, GoesOnFromTheNewestUntilTheClockIsSet) {
    VirtualClock unset(5 * second);
    Stores there(unset, key);
    const std::size_t s = open(there, "a");
    EXPECT_EQ(there.now(), 5);
    there.put(s, {"old", "", start, 60}, nullptr);
    there.set(s, "new", {}, 60);
    EXPECT_EQ(there.find(s, "new")->written, start);
    unset.advance_to((start + 50) * second);
    EXPECT_TRUE(there.find(s, "new"));
    unset.advance_to((start + 70) * second);
    EXPECT_FALSE(there.find(s, "new"));
}

TEST_F(StoresTest, WorkersShare) {
    const std::size_t s = open(stores, "a");
    constexpr int each = 5000;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([this, s] {
            const char* error = nullptr;
            for (int i = 0; i < each; i++) {
                stores.add(s, "sum", "n", 1, &error);
                stores.get(s, "sum");
                if (i % 1000 == 0) stores.records(s);
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(stores.get(s, "sum"), (Fields{{"n", 4.0 * each}}));
}

} // namespace
} // namespace nfqws2::store
