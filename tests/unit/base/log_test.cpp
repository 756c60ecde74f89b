#include "nfqws2/base/log.hpp"

#include "nfqws2/base/file.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace nfqws2 {
namespace {

std::string content(const std::string& path) {
    std::ifstream in(path);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

class LogTest : public testing::Test {
  protected:
    void SetUp() override {
        char pattern[] = "/tmp/nfqws2-log-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        dir_ = pattern;
        path_ = dir_ + "/debug.log";
    }
    void TearDown() override {
        log::set_target_none();
        std::filesystem::remove_all(dir_);
    }
    struct Streams {
        std::string out, err;
    };
    template <class Action> static Streams captured(Action action) {
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        action();
        std::fflush(nullptr);
        return {testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
    }
    static void one_of_each() {
        log::debug("d%d", 1);
        log::status("s%d", 2);
        log::error("e%d", 3);
    }

    std::string dir_, path_;
};

TEST_F(LogTest, WithoutDebugging) {
    log::set_target_none();
    EXPECT_FALSE(log::debug_enabled());
    const Streams s = captured(one_of_each);
    EXPECT_EQ(s.out, "s2\n");
    EXPECT_EQ(s.err, "e3\n");
}

TEST_F(LogTest, ConsolePrintsEachLineOnce) {
    log::set_target_console();
    EXPECT_TRUE(log::debug_enabled());
    EXPECT_EQ(log::target(), log::Target::console);
    const Streams s = captured(one_of_each);
    EXPECT_EQ(s.out, "d1\ns2\n");
    EXPECT_EQ(s.err, "e3\n");
}

// Somebody else may make files there, and the daemon has given up the rights of root.
TEST_F(LogTest, PipeInPlaceOfTheFileIsNotWaitedFor) {
    constexpr uid_t user = 65534;
    const bool root = geteuid() == 0;
    ASSERT_TRUE(!root || chown(dir_.c_str(), user, user) == 0);
    const auto write_after_the_exchange = [&] {
        alarm(5);
        if (root && setresuid(user, user, user) != 0) std::exit(1);
        if (!log::set_target_file(path_)) std::exit(2);
        if (unlink(path_.c_str()) != 0 || mkfifo(path_.c_str(), 0600) != 0) std::exit(3);
        log::debug("to nobody");
        std::exit(0);
    };
    EXPECT_EXIT(write_after_the_exchange(), testing::ExitedWithCode(0), "");
}

// 2000 lines of 1001 bytes, and the end of this process.
[[noreturn]] void write_long_lines(const std::string& path) {
    alarm(60);
    if (!log::set_target_file(path)) std::exit(1);
    for (int i = 0; i < 2000; i++)
        log::debug("%s", std::string(1000, 'x').c_str());
    std::exit(0);
}

// Its reader has stopped, and packets wait for the next line.
TEST_F(LogTest, PipeThatNobodyReadsLosesLines) {
    ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
    std::string why;
    EXPECT_FALSE(log::set_target_file(path_, &why));
    EXPECT_EQ(why, "nobody reads from this pipe");
    const FileDescriptor reader(open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    EXPECT_EXIT(write_long_lines(path_), testing::ExitedWithCode(0), "");
    std::string line(1001, '\0');
    EXPECT_EQ(read(reader.get(), line.data(), line.size()), 1001);
    EXPECT_EQ(line, std::string(1000, 'x') + "\n");
}

// Reads everything, late, and ends: successfully if it were those lines. A process, since that of a
// test with threads must not be forked: a lock that one of them holds would stay locked.
[[noreturn]] void read_long_lines(const std::string& path) {
    alarm(60);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    std::string buffer(4096, '\0');
    std::size_t bytes = 0;
    for (ssize_t n = 0; (n = read(fd.get(), buffer.data(), buffer.size())) > 0;)
        bytes += static_cast<std::size_t>(n);
    _exit(bytes == 2000U * 1001U ? 0 : 1);
}

// One that is slow, and comes after the start, gets everything.
TEST_F(LogTest, PipeWhoseReaderIsSlowGetsEveryLine) {
    ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
    const pid_t reader = fork();
    if (reader == 0) read_long_lines(path_);
    EXPECT_EXIT(write_long_lines(path_), testing::ExitedWithCode(0), "");
    int status = -1;
    ASSERT_EQ(waitpid(reader, &status, 0), reader);
    EXPECT_EQ(status, 0);
}

TEST_F(LogTest, PipeSaysHowManyLinesWereLost) {
    ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
    const FileDescriptor reader(open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    ASSERT_TRUE(log::set_target_file(path_));
    for (int i = 0; i < 100; i++)
        log::debug("%s", std::string(1000, 'x').c_str());
    std::string all(200000, '\0');
    ASSERT_GT(read(reader.get(), all.data(), all.size()), 0);
    log::debug("there");
    const ssize_t n = read(reader.get(), all.data(), all.size());
    log::set_target_none();
    ASSERT_GT(n, 0);
    all.resize(static_cast<std::size_t>(n));
    EXPECT_NE(all.find(" lines lost, nobody read them\nthere\n"), all.npos) << all;
}

TEST_F(LogTest, FileGetsAllClasses) {
    ASSERT_TRUE(log::set_target_file(path_));
    EXPECT_EQ(log::target_file(), path_);
    const Streams s = captured(one_of_each);
    EXPECT_EQ(s.out, "s2\n");
    EXPECT_EQ(s.err, "e3\n");
    EXPECT_EQ(content(path_), "d1\ns2\ne3\n");
}

TEST_F(LogTest, FileIsTruncatedAtStartAndFailureIsReported) {
    std::ofstream(path_) << "old\n";
    ASSERT_TRUE(log::set_target_file(path_));
    log::debug("new");
    EXPECT_EQ(content(path_), "new\n");
    EXPECT_FALSE(log::set_target_file(dir_ + "/no/debug.log"));
    EXPECT_EQ(errno, ENOENT);
}

TEST_F(LogTest, FollowsRotationAndDeletion) {
    ASSERT_TRUE(log::set_target_file(path_));
    log::debug("first");
    std::filesystem::rename(path_, path_ + ".1");
    log::debug("second");
    EXPECT_EQ(content(path_ + ".1"), "first\n");
    EXPECT_EQ(content(path_), "second\n");
    std::filesystem::remove(path_);
    log::debug("third");
    EXPECT_EQ(content(path_), "third\n");
}

TEST_F(LogTest, KeepsTheOldFileWhenThePathBecomesASymlink) {
    ASSERT_TRUE(log::set_target_file(path_));
    std::ofstream(dir_ + "/victim") << "untouched\n";
    std::filesystem::rename(path_, path_ + ".1");
    std::filesystem::create_symlink(dir_ + "/victim", path_);
    log::debug("line");
    EXPECT_EQ(content(dir_ + "/victim"), "untouched\n");
    EXPECT_EQ(content(path_ + ".1"), "line\n");
}

TEST_F(LogTest, WholeLines) {
    ASSERT_TRUE(log::set_target_file(path_));
    const std::string longer(5000, 'x');
    log::debug("%s", "");
    log::debug("with newline\n");
    log::debug("%s", longer.c_str());
    log::debug_text("50%s raw\x80");
    log::debug("%s", std::string(2045, 'y').c_str());
    log::debug("%s", std::string(2046, 'y').c_str());
    log::debug("%s", std::string(2047, 'y').c_str());
    EXPECT_EQ(content(path_), "\nwith newline\n" + longer + "\n50%s raw\x80\n" +
                                  std::string(2045, 'y') + "\n" + std::string(2046, 'y') + "\n" +
                                  std::string(2047, 'y') + "\n");
}

TEST_F(LogTest, OsErrorFormat) {
    const Streams s = captured([] { log::os_error("open x", ENOENT); });
    EXPECT_EQ(s.err, "open x: No such file or directory\n");
    EXPECT_EQ(s.out, "");
}

TEST_F(LogTest, LinesOfThreadsStayWhole) {
    ASSERT_TRUE(log::set_target_file(path_));
    const auto writer = [](char c) {
        for (unsigned i = 0; i < 200; i++)
            log::debug("%s", std::string(300, c).c_str());
    };
    std::thread a(writer, 'a'), b(writer, 'b');
    a.join();
    b.join();
    std::istringstream lines(content(path_));
    unsigned count = 0;
    for (std::string line; std::getline(lines, line); count++)
        EXPECT_EQ(line, std::string(300, line[0]));
    EXPECT_EQ(count, 400U);
}

TEST_F(LogTest, LabelStandsBeforeTheLinesOfItsThread) {
    log::set_target_console();
    const Streams s = captured([] {
        const log::Label label("one: ");
        log::status("a");
        log::debug("\nb %d", 1);
        log::error_text("c\nd\n");
        std::thread([] { log::status("other thread"); }).join();
        {
            const log::Label inner("two: ");
            log::status("e");
        }
        log::status_text("\n");
        const log::Label none("");
        log::status("f");
    });
    EXPECT_EQ(s.out, "one: a\n\none: b 1\nother thread\ntwo: e\n\nf\n");
    EXPECT_EQ(s.err, "one: c\nd\n");
    EXPECT_EQ(captured([] { log::status("g"); }).out, "g\n");
}

TEST_F(LogTest, OnlyTheLogFileIsGiven) {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_TRUE(log::set_target_file(path_));
    ASSERT_TRUE(log::give_target_file(12345));
    struct stat st {};
    ASSERT_EQ(stat(path_.c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, 12345U);
    EXPECT_EQ(st.st_gid, getegid());
    ASSERT_TRUE(log::set_target_file("/dev/null"));
    EXPECT_TRUE(log::give_target_file(12345));
    ASSERT_EQ(stat("/dev/null", &st), 0);
    EXPECT_EQ(st.st_uid, 0U);
}

TEST_F(LogTest, ErrorsAreCollected) {
    log::ErrorCollector collector;
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    log::error("first %d", 1);
    log::status("not this");
    log::error_text("second\n");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "first 1\nsecond\n") << "shown all the same";
    testing::internal::GetCapturedStdout();
    EXPECT_EQ(collector.take(), "first 1\nsecond");
    EXPECT_EQ(collector.take(), "");
}

TEST(RateLimit, CountsWhatItSwallows) {
    log::RateLimit limit(1000);
    unsigned suppressed = 99;
    EXPECT_TRUE(limit.allow(&suppressed));
    EXPECT_EQ(suppressed, 0U);
    EXPECT_FALSE(limit.allow(&suppressed));
    EXPECT_FALSE(limit.allow());
    std::this_thread::sleep_for(std::chrono::milliseconds(1050));
    EXPECT_TRUE(limit.allow(&suppressed));
    EXPECT_EQ(suppressed, 2U);
}

class Recorder final : public log::Listener {
  public:
    Recorder() { log::set_listener(this); }
    ~Recorder() override { log::set_listener(nullptr); }
    void heard(Level level, std::string_view line) override {
        text += std::to_string(static_cast<int>(level)) + std::string(line);
    }
    std::string text;
};

TEST_F(LogTest, AListenerHearsEveryMessage) {
    Recorder recorder;
    captured(one_of_each);
    EXPECT_EQ(recorder.text, "1s2\n2e3\n");
}

TEST_F(LogTest, DebugTextForTheListenerIsNotForTheTarget) {
    Recorder recorder;
    EXPECT_FALSE(log::debug_enabled());
    log::set_listener_wants_debug(true);
    EXPECT_TRUE(log::debug_enabled());
    EXPECT_EQ(captured(one_of_each).out, "s2\n");
    EXPECT_EQ(recorder.text, "0d1\n1s2\n2e3\n");
    log::set_listener_wants_debug(false);
    EXPECT_FALSE(log::debug_enabled());
}

TEST_F(LogTest, AListenerThatGoesTakesItsWishAlong) {
    {
        Recorder recorder;
        log::set_listener_wants_debug(true);
    }
    EXPECT_FALSE(log::debug_enabled());
}

TEST_F(LogTest, DebugIsSwitchedWithoutAChangeOfTarget) {
    ASSERT_TRUE(log::set_target_file(path_));
    log::set_debug(false);
    EXPECT_FALSE(log::debug_enabled());
    captured(one_of_each);
    EXPECT_EQ(content(path_), "s2\ne3\n");
    log::set_debug(true);
    captured(one_of_each);
    EXPECT_EQ(content(path_), "s2\ne3\nd1\ns2\ne3\n");
    log::set_target_none();
    log::set_debug(true); // there is no better place
    EXPECT_EQ(captured(one_of_each).out, "d1\ns2\n");
    log::set_debug(false);
    EXPECT_EQ(captured(one_of_each).out, "s2\n");
}

} // namespace
} // namespace nfqws2
