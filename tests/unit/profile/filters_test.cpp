#include "nfqws2/profile/filters.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nfqws2::profile {
namespace {

bool port_matches(const char* list, std::uint16_t port) {
    PortFilter filter;
    EXPECT_TRUE(filter.add(list)) << list;
    return filter.matches(port);
}

MarkFilter mark(const char* text) {
    MarkFilter filter;
    EXPECT_TRUE(filter.set(text)) << text;
    return filter;
}

TEST(MarkFilter, WithoutValueEveryPacketPasses) {
    const MarkFilter filter;
    EXPECT_TRUE(filter.any());
    for (const std::uint32_t value : {0U, 1U, 0xFFFFFFFFU})
        EXPECT_TRUE(filter.matches(value));
}

TEST(MarkFilter, NumbersAndMasks) {
    EXPECT_TRUE(mark("16").matches(0x10));
    EXPECT_TRUE(mark("0x10").matches(0x10));
    EXPECT_FALSE(mark("0x10").matches(0x11)) << "all bits count";
    EXPECT_TRUE(mark("1/0xFFFF").matches(0x10001));
    EXPECT_FALSE(mark("1/0xFFFF").matches(3));
    EXPECT_TRUE(mark("0/1").matches(2));
    EXPECT_FALSE(mark("0/1").matches(3));
    EXPECT_TRUE(mark("0/0").matches(7));
    EXPECT_FALSE(mark("0").matches(7));
    EXPECT_TRUE(mark("0XFFFFFFFF/4294967295").matches(0xFFFFFFFF));
}

TEST(MarkFilter, MalformedChangesNothing) {
    for (const char* text : {"", "x", "/", "1/", "/1", "1/2/3", "0x", "0x1/0x", "4294967296",
                             "0x100000000", "-1", "+1", "1 ", " 1", "1/x", "ff"}) {
        MarkFilter filter = mark("5");
        EXPECT_FALSE(filter.set(text)) << text;
        EXPECT_TRUE(filter.matches(5) && !filter.matches(6)) << text;
    }
}

TEST(MarkFilter, Comparing) {
    EXPECT_TRUE(MarkFilter().covers(mark("1")));
    EXPECT_FALSE(mark("1").covers(MarkFilter()));
    EXPECT_TRUE(mark("1/3").covers(mark("5")));
    EXPECT_FALSE(mark("1/3").covers(mark("6")));
    EXPECT_FALSE(mark("5").covers(mark("1/3")));
    EXPECT_TRUE(mark("5/7").possible());
    EXPECT_FALSE(mark("8/7").possible());
}

TEST(PortFilter, EmptyPassesEverything) {
    const PortFilter filter;
    EXPECT_TRUE(filter.empty());
    EXPECT_TRUE(filter.matches(0));
    EXPECT_TRUE(filter.matches(65535));
}

TEST(PortFilter, Items) {
    EXPECT_TRUE(port_matches("80", 80));
    EXPECT_FALSE(port_matches("80", 81));
    EXPECT_TRUE(port_matches("80-90", 80));
    EXPECT_TRUE(port_matches("80-90", 90));
    EXPECT_FALSE(port_matches("80-90", 91));
    EXPECT_TRUE(port_matches("*", 1));
    EXPECT_TRUE(port_matches("*", 65535));
    EXPECT_TRUE(port_matches("0-65535", 1));
    EXPECT_TRUE(port_matches("0-65535", 65535));
    EXPECT_TRUE(port_matches("~80", 81));
    EXPECT_FALSE(port_matches("~80", 80));
    EXPECT_FALSE(port_matches("~1-65535", 5));
    EXPECT_TRUE(port_matches("~80,80", 80)); // items are OR-ed
}

TEST(PortFilter, ZeroMatchesNothing) {
    for (const char* list : {"0", "0-0", "~0", "~0-0"}) {
        EXPECT_FALSE(port_matches(list, 1)) << list;
        EXPECT_FALSE(port_matches(list, 80)) << list;
    }
    EXPECT_TRUE(port_matches("0-80", 1));
}

TEST(PortFilter, PacketPortZeroMatchesNoItem) {
    for (const char* list : {"*", "0", "0-65535", "~80"})
        EXPECT_FALSE(port_matches(list, 0)) << list;
}

TEST(PortFilter, LenientNumbers) {
    EXPECT_TRUE(port_matches(" 80", 80));
    EXPECT_TRUE(port_matches("+80", 80));
    EXPECT_TRUE(port_matches("080", 80));
}

TEST(PortFilter, MalformedAppendsNothing) {
    for (const char* list : {"", ",", "80,", ",80", "80-", "-80", "80 ", "80 -90", "~*", "0x50",
                             "65536", "90-80", "4294967376", "abc", "80-90-100", "~", "**"}) {
        PortFilter filter;
        EXPECT_FALSE(filter.add(list)) << list;
        EXPECT_TRUE(filter.empty()) << list;
    }
    PortFilter filter;
    ASSERT_TRUE(filter.add("80"));
    EXPECT_FALSE(filter.add("443,x"));
    EXPECT_FALSE(filter.matches(443));
}

TEST(PortFilter, LongListsGiveTheSameAnswers) {
    const std::string list = "1,3,5,100-200,300,400,500,600-700,800,65535,1000-1000";
    PortFilter longer;
    ASSERT_TRUE(longer.add(list));
    for (unsigned port = 0; port <= 65535; ++port) {
        bool expected = false;
        for (const char* item :
             {"1", "3", "5", "100-200", "300", "400", "500", "600-700", "800", "65535", "1000"})
            if (port < 1100 || port > 65530)
                expected |= port_matches(item, static_cast<std::uint16_t>(port));
        ASSERT_EQ(longer.matches(static_cast<std::uint16_t>(port)), expected) << port;
    }
    PortFilter inverted;
    ASSERT_TRUE(inverted.add("~7,0,0,0,0,0,0,0,0"));
    EXPECT_FALSE(inverted.matches(7));
    EXPECT_FALSE(inverted.matches(0));
    EXPECT_TRUE(inverted.matches(8));
}

TEST(PortFilter, AppendAndNothing) {
    PortFilter a;
    a.add_nothing();
    EXPECT_FALSE(a.empty());
    EXPECT_FALSE(a.matches(80));
    PortFilter b;
    ASSERT_TRUE(b.add("80"));
    a.append(b);
    EXPECT_TRUE(a.matches(80));
    EXPECT_FALSE(a.matches(81));
}

TEST(IcmpFilter, Items) {
    IcmpFilter filter;
    EXPECT_TRUE(filter.matches(255, 255));
    ASSERT_TRUE(filter.add("8,3:1"));
    EXPECT_TRUE(filter.matches(8, 0));
    EXPECT_TRUE(filter.matches(8, 77));
    EXPECT_TRUE(filter.matches(3, 1));
    EXPECT_FALSE(filter.matches(3, 0));
    EXPECT_FALSE(filter.matches(0, 0));
}

TEST(IcmpFilter, AnyAndNone) {
    IcmpFilter any;
    ASSERT_TRUE(any.add("*"));
    EXPECT_TRUE(any.matches(255, 255));
    IcmpFilter none;
    ASSERT_TRUE(none.add("-"));
    EXPECT_FALSE(none.matches(0, 0));
    ASSERT_TRUE(none.add("-,8"));
    EXPECT_TRUE(none.matches(8, 0));
    EXPECT_FALSE(none.matches(0, 0));
    IcmpFilter nothing;
    nothing.add_nothing();
    EXPECT_FALSE(nothing.matches(0, 0));
    nothing.append(any);
    EXPECT_TRUE(nothing.matches(0, 0));
}

TEST(IcmpFilter, Malformed) {
    for (const char* list : {"", "256", "3:", "3:256", ":1", "3:1:1", "8,", "x", "3 :1", "~3"}) {
        IcmpFilter filter;
        EXPECT_FALSE(filter.add(list)) << list;
        EXPECT_TRUE(filter.empty()) << list;
    }
}

TEST(ProtocolFilter, Items) {
    ProtocolFilter filter;
    EXPECT_TRUE(filter.matches(47));
    ASSERT_TRUE(filter.add("47,50,0"));
    EXPECT_TRUE(filter.matches(47));
    EXPECT_TRUE(filter.matches(0));
    EXPECT_FALSE(filter.matches(51));
    ProtocolFilter any;
    ASSERT_TRUE(any.add("*"));
    EXPECT_TRUE(any.matches(255));
    ProtocolFilter none;
    ASSERT_TRUE(none.add("-"));
    EXPECT_FALSE(none.matches(0));
    none.append(any);
    EXPECT_TRUE(none.matches(0));
    ProtocolFilter nothing;
    nothing.add_nothing();
    EXPECT_FALSE(nothing.matches(0));
}

TEST(ProtocolFilter, Malformed) {
    for (const char* list : {"", "256", "47,", "gre", "47-50", "~47"}) {
        ProtocolFilter filter;
        EXPECT_FALSE(filter.add(list)) << list;
        EXPECT_TRUE(filter.empty()) << list;
    }
}

} // namespace
} // namespace nfqws2::profile
