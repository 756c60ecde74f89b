#include "ctl/lines.hpp"

#include "nfqws2/base/file.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

namespace nfqws2::ctl {
namespace {

// A pipe with this text in it, closed at the other end.
FileDescriptor pipe_with(const std::string& text) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    FileDescriptor from(ends[0]), to(ends[1]);
    EXPECT_EQ(write(to.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    return from;
}

std::vector<std::string> all(LineReader& lines) {
    std::vector<std::string> found;
    while (const auto line = lines.next())
        found.emplace_back(*line);
    return found;
}

TEST(LineReader, LinesWithoutTheirEnds) {
    const FileDescriptor file = pipe_with("one\n\ntwo\nlast");
    LineReader lines(file.get(), 100);
    EXPECT_EQ(all(lines), (std::vector<std::string>{"one", "", "two", "last"}));
    EXPECT_EQ(lines.too_long(), 0);
    EXPECT_TRUE(lines.error().empty());
}

TEST(LineReader, LongLinesAreLeftOut) {
    const FileDescriptor file =
        pipe_with("short\n" + std::string(300, 'x') + "\nfits\n" + std::string(60000, 'y') +
                  "\nz\n" + std::string(200, 'w'));
    LineReader lines(file.get(), 100);
    EXPECT_EQ(all(lines), (std::vector<std::string>{"short", "fits", "z"}));
    EXPECT_EQ(lines.too_long(), 3);
}

TEST(LineReader, ErrorsAreTold) {
    LineReader lines(-1, 100);
    EXPECT_FALSE(lines.next());
    EXPECT_FALSE(lines.error().empty());
}

TEST(LineReader, KnowsWhatHasCome) {
    const FileDescriptor file = pipe_with("one\ntwo\nthr");
    LineReader lines(file.get(), 100);
    ASSERT_TRUE(lines.next());
    EXPECT_TRUE(lines.has_line());
    ASSERT_TRUE(lines.next());
    EXPECT_FALSE(lines.has_line());
}

} // namespace
} // namespace nfqws2::ctl
