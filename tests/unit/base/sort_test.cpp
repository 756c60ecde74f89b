#include "nfqws2/base/sort.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

namespace nfqws2 {
namespace {

TEST(SortStably, EqualItemsKeepTheirOrder) {
    using Item = std::pair<int, std::size_t>;
    std::vector<Item> items;
    for (std::size_t i = 0; i < 1000; i++)
        items.emplace_back(static_cast<int>(i * 7919 % 10), i);
    std::vector<Item> expected = items;
    const auto less = [](const Item& a, const Item& b) { return a.first < b.first; };
    std::stable_sort(expected.begin(), expected.end(), less);
    sort_stably(items, less);
    EXPECT_EQ(items, expected);
}

TEST(SortStably, TextOfItsOwnOrder) {
    std::vector<std::string> names{"b", "", "a long name that lives on the heap", "a"};
    sort_stably(names);
    EXPECT_EQ(names,
              (std::vector<std::string>{"", "a", "a long name that lives on the heap", "b"}));
    names.clear();
    sort_stably(names);
    EXPECT_TRUE(names.empty());
}

TEST(SortStably, MovesAndDoesNotCopy) {
    std::vector<std::unique_ptr<int>> items;
    for (const int number : {3, 1, 2})
        items.push_back(std::make_unique<int>(number));
    sort_stably(items, [](const auto& a, const auto& b) { return *a < *b; });
    EXPECT_EQ(*items[0], 1);
    EXPECT_EQ(*items[1], 2);
    EXPECT_EQ(*items[2], 3);
}

} // namespace
} // namespace nfqws2
