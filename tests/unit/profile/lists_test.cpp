#include "nfqws2/profile/list_file.hpp"

#include <gtest/gtest.h>

namespace nfqws2::profile {
namespace {

std::shared_ptr<FixedHostList> hosts(const char* items) {
    auto list = std::make_shared<FixedHostList>();
    list->add(items);
    return list;
}

TEST(HostCollection, StoresAListOnce) {
    const auto list = hosts("a.com");
    HostCollection collection;
    EXPECT_TRUE(collection.empty());
    EXPECT_FALSE(collection.any_list());
    collection.add(list);
    collection.add(list);
    collection.add(nullptr);
    EXPECT_EQ(collection.lists().size(), 1U);
    EXPECT_TRUE(collection.any_list());
}

TEST(HostCollection, EmptyIfAllAre) {
    HostCollection collection;
    collection.add(hosts(""));
    EXPECT_TRUE(collection.any_list());
    EXPECT_TRUE(collection.empty());
    collection.add(hosts("a.com"));
    EXPECT_FALSE(collection.empty());
}

TEST(HostCollection, FindsTheListThatContains) {
    const auto first = hosts("a.com");
    const auto second = hosts("b.com,a.com");
    HostCollection collection;
    collection.add(first);
    collection.add(second);
    EXPECT_EQ(collection.find({"x.a.com", false}), first.get());
    EXPECT_EQ(collection.find({"b.com", false}), second.get());
    EXPECT_EQ(collection.find({"c.com", false}), nullptr);
}

TEST(NetCollection, FindsTheListThatContains) {
    const auto list = std::make_shared<FixedNetList>();
    list->add("10.0.0.0/8");
    NetCollection collection;
    EXPECT_TRUE(collection.empty());
    collection.add(std::make_shared<FixedNetList>());
    EXPECT_TRUE(collection.empty());
    collection.add(list);
    collection.add(list);
    EXPECT_EQ(collection.lists().size(), 2U);
    EXPECT_FALSE(collection.empty());
    EXPECT_EQ(collection.find(*IpAddress::parse("10.1.2.3")), list.get());
    EXPECT_EQ(collection.find(*IpAddress::parse("11.1.2.3")), nullptr);
}

TEST(ListLabel, FileOrFixed) {
    EXPECT_EQ(label(static_cast<const HostList&>(FixedHostList())), "fixed");
    EXPECT_EQ(label(static_cast<const NetList&>(FixedNetList())), "fixed");
    EXPECT_EQ(label(static_cast<const HostList&>(HostListFile("/x/y"))), "/x/y");
}

} // namespace
} // namespace nfqws2::profile
