#include "profile/append_file.hpp"

#include "profile_testing.hpp"

#include "nfqws2/base/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <csignal>

namespace nfqws2::profile {
namespace {

using testing::TempDir;

TEST(AppendFile, AppendsLines) {
    const TempDir dir;
    const std::string path = dir.write("f", "a.com\n");
    const AppendResult result = append_lines(path, "b.com\n");
    EXPECT_TRUE(result.ok);
    EXPECT_FALSE(result.created);
    EXPECT_EQ(result.before.size, 6U);
    EXPECT_EQ(result.after, read_signature(path));
    EXPECT_EQ(dir.read("f"), "a.com\nb.com\n");
}

TEST(AppendFile, NeverGluesToAnUnterminatedLine) {
    const TempDir dir;
    const std::string path = dir.write("f", "preexisting.com");
    ASSERT_TRUE(append_lines(path, "www.rst.com\n").ok);
    EXPECT_EQ(dir.read("f"), "preexisting.com\nwww.rst.com\n");
}

TEST(AppendFile, CreatesAMissingFile) {
    const TempDir dir;
    const AppendResult result = append_lines(dir.file("new"), "a.com\n");
    EXPECT_TRUE(result.ok);
    EXPECT_TRUE(result.created);
    EXPECT_EQ(dir.read("new"), "a.com\n");
}

TEST(AppendFile, ReportsFailure) {
    const TempDir dir;
    const AppendResult result = append_lines(dir.file("no/dir"), "a.com\n");
    EXPECT_FALSE(result.ok);
    EXPECT_FALSE(result.busy);
    EXPECT_EQ(result.error, ENOENT);
}

TEST(AppendFile, DoesNotWaitForALock) {
    const TempDir dir;
    const std::string path = dir.write("f", "a.com\n");
    const FileDescriptor holder(open(path.c_str(), O_RDWR));
    ASSERT_EQ(flock(holder.get(), LOCK_EX), 0);
    const AppendResult result = append_lines(path, "b.com\n");
    EXPECT_FALSE(result.ok);
    EXPECT_TRUE(result.busy);
    EXPECT_EQ(dir.read("f"), "a.com\n");
    flock(holder.get(), LOCK_UN);
    EXPECT_TRUE(append_lines(path, "b.com\n").ok);
}

TEST(AppendFile, AllOrNothing) {
    const TempDir dir;
    const std::string path = dir.write("f", "a.com\n");
    rlimit old{};
    getrlimit(RLIMIT_FSIZE, &old);
    const auto previous = std::signal(SIGXFSZ, SIG_IGN);
    rlimit small = old;
    small.rlim_cur = 10;
    setrlimit(RLIMIT_FSIZE, &small);
    const AppendResult result = append_lines(path, "long-name.com\n");
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, previous);
    EXPECT_FALSE(result.ok);
    EXPECT_NE(result.error, 0);
    EXPECT_EQ(dir.read("f"), "a.com\n"); // the part that fitted is gone
}

} // namespace
} // namespace nfqws2::profile
