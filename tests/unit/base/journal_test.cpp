#include "nfqws2/base/journal.hpp"

#include "nfqws2/base/log.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

namespace nfqws2 {
namespace {

TEST(Journal, EachLineHasAPriority) {
    EXPECT_EQ(with_priority("a\nb\n", 3), "<3>a\n<3>b\n");
    EXPECT_EQ(with_priority("\nHEAD\n\n", 6), "<6>HEAD\n");
    EXPECT_EQ(with_priority("without end", 7), "<7>without end\n");
    EXPECT_EQ(with_priority("\n", 3), "");
    EXPECT_EQ(with_priority("", 3), "");
}

std::string name_of(int fd) {
    struct stat st {};
    fstat(fd, &st);
    return std::to_string(st.st_dev) + ":" + std::to_string(st.st_ino);
}

TEST(Journal, IsTheStreamOfThatName) {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    EXPECT_TRUE(leads_to_journal(ends[1], name_of(ends[1]).c_str()));
    for (const char* other : {"", "1:2", ":", "garbage"})
        EXPECT_FALSE(leads_to_journal(ends[1], other)) << other;
    EXPECT_FALSE(leads_to_journal(ends[1], nullptr));
    EXPECT_FALSE(leads_to_journal(-1, "1:2"));
    close(ends[0]);
    close(ends[1]);
}

// stderr is taken for the journal, stdout is not.
class JournalLog : public testing::Test {
  protected:
    template <class Action> static std::pair<std::string, std::string> written(Action action) {
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        setenv("JOURNAL_STREAM", name_of(STDERR_FILENO).c_str(), 1);
        log::find_journal();
        action();
        std::fflush(nullptr);
        unsetenv("JOURNAL_STREAM");
        log::find_journal();
        return {testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
    }
};

TEST_F(JournalLog, ErrorsAndReportsArriveWithTheirPriority) {
    const auto [out, err] = written([] {
        log::status("status");
        log::error("first\nsecond");
        log::report_text("\nDUMP\n");
    });
    EXPECT_EQ(out, "status\n\nDUMP\n");
    EXPECT_EQ(err, "<3>first\n<3>second\n<6>DUMP\n");
}

TEST_F(JournalLog, WithoutItNothingIsAdded) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    log::error("plain");
    log::report_text("DUMP");
    std::fflush(nullptr);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "DUMP\n");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "plain\n");
}

} // namespace
} // namespace nfqws2
