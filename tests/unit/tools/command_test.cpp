#include "tools/command.hpp"

#include <gtest/gtest.h>

namespace nfqws2::tools {
namespace {

TEST(Command, VersionLine) {
    const std::string text = version_line();
    EXPECT_TRUE(text.starts_with("self-built version ") || text.starts_with("github version "))
        << text;
    EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST(Command, ScanMask) {
    EXPECT_EQ(scan_mask("24"), 24U);
    EXPECT_EQ(scan_mask("024"), 24U);
    EXPECT_EQ(scan_mask("24junk"), 24U);
    EXPECT_EQ(scan_mask("+7"), 7U);
    EXPECT_EQ(scan_mask("-0"), 0U);
    EXPECT_EQ(scan_mask("-1"), UINT32_MAX);
    EXPECT_EQ(scan_mask("4294967296"), UINT32_MAX);
    EXPECT_EQ(scan_mask(std::string(100, '9')), UINT32_MAX);
    EXPECT_FALSE(scan_mask(""));
    EXPECT_FALSE(scan_mask("x"));
    EXPECT_FALSE(scan_mask("-"));
    EXPECT_FALSE(scan_mask("--1"));
    EXPECT_FALSE(scan_mask(" 24"));
}

} // namespace
} // namespace nfqws2::tools
