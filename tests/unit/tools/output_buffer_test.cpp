#include "tools/output_buffer.hpp"

#include "tool_testing.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace nfqws2::tools {
namespace {

using testing::TempFile;

TEST(OutputBuffer, WritesEverythingInOrder) {
    const TempFile file;
    OutputBuffer out(file.fd());
    std::string expected;
    for (int i = 0; i < 50000; i++) {
        const std::string text = std::to_string(i) + ',';
        out.append(text);
        std::memcpy(out.reserve(2), ";;", 2);
        out.advance(2);
        expected += text + ";;";
    }
    const std::string huge(200000, 'h');
    out.append(huge);
    out.append("");
    EXPECT_TRUE(out.flush());
    EXPECT_EQ(file.content(), expected + huge);
}

TEST(OutputBuffer, KeepsTheFirstErrorAndDropsTheRest) {
    const int full = open("/dev/full", O_WRONLY);
    ASSERT_GE(full, 0);
    OutputBuffer out(full);
    out.append("x");
    EXPECT_EQ(out.error(), 0);
    EXPECT_FALSE(out.flush());
    EXPECT_EQ(out.error(), ENOSPC);
    out.append("y");
    EXPECT_FALSE(out.flush());
    close(full);
}

} // namespace
} // namespace nfqws2::tools
