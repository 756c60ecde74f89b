#include "nfqws2/base/emergency.hpp"

#include "nfqws2/base/log.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace nfqws2::emergency {
namespace {

std::string said(std::string_view text) {
    testing::internal::CaptureStderr();
    say(text);
    fflush(stderr);
    return testing::internal::GetCapturedStderr();
}

TEST(Emergency, LinesArePutTogether) {
    Line line;
    line << "a " << 0U << " b " << 4294967295U << "\n";
    EXPECT_EQ(line.text(), "a 0 b 4294967295\n");
}

TEST(Emergency, LongLinesAreCut) {
    Line line;
    for (int i = 0; i < 100; i++)
        line << "0123456789";
    line << 7U;
    EXPECT_EQ(line.text().size(), 512U);
    EXPECT_TRUE(line.text().starts_with("01234567890123456789"));
}

TEST(Emergency, TheDebugFileGetsItToo) {
    char path[] = "/tmp/nfqws2-emergency-XXXXXX";
    close(mkstemp(path));
    ASSERT_TRUE(log::set_target_file(path));
    remember_target();
    log::set_target_none();
    EXPECT_EQ(said("last words\n"), "last words\n");
    remember_target();
    EXPECT_EQ(said("others\n"), "others\n");
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    EXPECT_EQ(text.str(), "last words\n");
    std::filesystem::remove(path);
}

TEST(Emergency, PipeInPlaceOfTheDebugFileIsNotWaitedFor) {
    char path[] = "/tmp/nfqws2-emergency-XXXXXX";
    close(mkstemp(path));
    ASSERT_TRUE(log::set_target_file(path));
    remember_target();
    log::set_target_none();
    std::filesystem::remove(path);
    ASSERT_EQ(mkfifo(path, 0600), 0);
    EXPECT_EQ(said("last words\n"), "last words\n");
    remember_target();
    std::filesystem::remove(path);
}

} // namespace
} // namespace nfqws2::emergency
