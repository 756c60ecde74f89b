#include "nfqws2/flow/past_hosts.hpp"

#include "flow/flow_memory.hpp"
#include "nfqws2/flow/connection_table.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>
#include <map>

namespace nfqws2::flow::test {
namespace {

class PastHostsTest : public ::testing::Test {
  protected:
    VirtualClock clock;
    ConnectionTable table{TableOptions{}, clock};
    std::uint16_t port = 1000;

    // A flow of that name that has ended; `answer`: bytes that came back, 0 = none did.
    const Track& flow(std::string_view name, std::size_t answer = 0) {
        Ends ends;
        ends.source_port = port++;
        Track& track = *table.feed(dissected(udp(ends, 10))).track;
        if (answer != 0) table.feed(dissected(udp(ends.reversed(), answer)));
        if (!name.empty()) track.set_hostname(name, false, false);
        return track;
    }
    static std::map<std::string, PastHosts::Host> all(const PastHosts& past) {
        std::map<std::string, PastHosts::Host> found;
        for (std::size_t i = 0; i < past.size(); i++)
            found.emplace(past.at(i).name, past.at(i));
        return found;
    }
};

TEST_F(PastHostsTest, FlowsAreSummedUpByName) {
    PastHosts past(10, nullptr);
    past.add(flow("a.example", 100), 5);
    past.add(flow("b.example"), 6);
    past.add(flow("a.example"), 7);
    past.add(flow("", 100), 8);
    const auto hosts = all(past);
    ASSERT_EQ(hosts.size(), 2U);
    const PastHosts::Host& a = hosts.at("a.example");
    EXPECT_EQ(a.flows, 2U);
    EXPECT_EQ(a.answered, 1U);
    EXPECT_EQ(a.bytes, 10U + 100U + 10U);
    EXPECT_EQ(a.seen_s, 7);
    EXPECT_EQ(hosts.at("b.example").answered, 0U);
}

TEST_F(PastHostsTest, WhatIsUsedStaysAndTheRestGoes) {
    PastHosts past(100, nullptr);
    for (int i = 0; i < 1000; i++) {
        past.add(flow("name-" + std::to_string(i) + ".example"), i);
        past.add(flow("often.example"), i);
        ASSERT_LE(past.size(), 100U);
    }
    const auto hosts = all(past);
    EXPECT_EQ(hosts.size(), 100U) << "each place has another name";
    EXPECT_EQ(hosts.at("often.example").flows, 1000U);
    EXPECT_EQ(hosts.count("name-0.example"), 0U);
    EXPECT_EQ(hosts.count("name-999.example"), 1U);
}

TEST_F(PastHostsTest, TheBudgetBoundsIt) {
    MemoryBudget budget(MemoryBudget::least);
    {
        PastHosts past(1'000'000, &budget);
        budget.add(MemoryBudget::Part::held, budget.limit());
        past.add(flow("none.example"), 1);
        EXPECT_EQ(past.size(), 0U);
        budget.add(MemoryBudget::Part::held, std::size_t{0} - budget.limit());
        past.add(flow("one.example"), 1);
        EXPECT_GT(budget.share(MemoryBudget::Part::flows), 0U);
        budget.add(MemoryBudget::Part::held, budget.limit());
        past.add(flow("two.example"), 1);
        EXPECT_EQ(past.size(), 1U);
        EXPECT_EQ(past.at(0).name, "two.example");
        budget.add(MemoryBudget::Part::held, std::size_t{0} - budget.limit());
    }
    EXPECT_EQ(budget.share(MemoryBudget::Part::flows), 0U);
}

} // namespace
} // namespace nfqws2::flow::test
