#include "tools/line_reader.hpp"

#include "tool_testing.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <unistd.h>

namespace nfqws2::tools {
namespace {

using testing::TempFile;
using Lines = std::vector<std::string>;

std::string run_of(std::size_t count) {
    return std::string(count, 'x');
}

// The text of a line that is too long, as read_all() gives it.
std::string long_one(std::size_t count) {
    std::string out = "!";
    return out += run_of(count);
}

Lines read_all(const std::string& content) {
    const TempFile file(content);
    LineReader reader(file.fd());
    Lines out;
    for (Line line; reader.next(line);) {
        out.emplace_back(line.too_long ? "!" : "");
        out.back() += line.text;
    }
    EXPECT_EQ(reader.error(), 0);
    return out;
}

TEST(LineReader, SplitsAndTrims) {
    EXPECT_EQ(read_all(""), Lines{});
    EXPECT_EQ(read_all("a\nb\r\n c \t \r\n\nlast"), (Lines{"a", "b", " c", "", "last"}));
    EXPECT_EQ(read_all("\n"), Lines{""});
    EXPECT_EQ(read_all("x\n"), Lines{"x"});
}

TEST(LineReader, MarksLongLines) {
    EXPECT_EQ(read_all(run_of(255) + "\ny\n"), (Lines{run_of(255), "y"}));
    EXPECT_EQ(read_all(run_of(255) + "   \r\ny\n"), (Lines{run_of(255), "y"}));
    EXPECT_EQ(read_all(run_of(256) + "\ny\n"), (Lines{long_one(256), "y"}));
}

TEST(LineReader, SkipsTheMiddleOfAHugeLine) {
    for (const std::size_t size : {65535U, 65536U, 65537U, 300000U}) {
        const Lines got = read_all("a\n" + run_of(size) + "\nb\n");
        ASSERT_EQ(got.size(), 3U) << size;
        EXPECT_EQ(got[0], "a");
        EXPECT_EQ(got[1].substr(0, 257), long_one(256));
        EXPECT_EQ(got[2], "b");
    }
    EXPECT_EQ(read_all(run_of(100000)), Lines{long_one(256)});
}

TEST(LineReader, KeepsLinesAcrossBlocks) {
    std::string content;
    Lines expected;
    for (int i = 0; i < 30000; i++) {
        expected.push_back("line" + std::to_string(i));
        content += expected.back() + '\n';
    }
    EXPECT_EQ(read_all(content), expected);
}

TEST(LineReader, TellsWhetherItWouldWait) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    LineReader reader(ends[0]);
    EXPECT_TRUE(reader.would_wait());
    ASSERT_EQ(write(ends[1], "a\nb\nc", 5), 5);
    EXPECT_FALSE(reader.would_wait());
    Line line;
    ASSERT_TRUE(reader.next(line));
    EXPECT_FALSE(reader.would_wait()); // "b" is held already
    ASSERT_TRUE(reader.next(line));
    EXPECT_EQ(line.text, "b");
    EXPECT_TRUE(reader.would_wait()); // "c" is not complete
    close(ends[1]);
    EXPECT_FALSE(reader.would_wait());
    ASSERT_TRUE(reader.next(line));
    EXPECT_EQ(line.text, "c");
    EXPECT_FALSE(reader.next(line));
    close(ends[0]);
}

TEST(LineReader, HalfALineIsNoLine) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    LineReader reader(ends[0]);
    ASSERT_EQ(write(ends[1], "ha", 2), 2);
    EXPECT_TRUE(reader.would_wait());
    EXPECT_TRUE(reader.would_wait());
    ASSERT_EQ(write(ends[1], "lf\nb", 4), 4);
    EXPECT_FALSE(reader.would_wait());
    Line line;
    ASSERT_TRUE(reader.next(line));
    EXPECT_EQ(line.text, "half");
    EXPECT_TRUE(reader.would_wait());
    close(ends[1]);
    EXPECT_FALSE(reader.would_wait());
    ASSERT_TRUE(reader.next(line));
    EXPECT_EQ(line.text, "b");
    EXPECT_FALSE(reader.next(line));
    close(ends[0]);
}

TEST(LineReader, ReportsReadErrors) {
    LineReader reader(-1);
    Line line;
    EXPECT_FALSE(reader.next(line));
    EXPECT_EQ(reader.error(), EBADF);
}

} // namespace
} // namespace nfqws2::tools
