#include "nfqws2/store/state_directory.hpp"

#include "nfqws2/base/log.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

// What happens between the look at a file and its replacement, once.
static std::function<void()> before_sync;

// In place of that of the system.
extern "C" int fsync(int fd) {
    if (before_sync) std::exchange(before_sync, nullptr)();
    return static_cast<int>(syscall(SYS_fsync, fd));
}

namespace nfqws2::store {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t second = 1'000'000'000, start = 1'750'000'000;

// A run of the program: stores, and the directory that keeps them.
struct Process {
    explicit Process(const std::string& path, std::int64_t at = start) : clock(at * second) {
        kept = directory.open(path);
        directory.load();
        const char* error = nullptr;
        store = stores.open("learn", &error).value();
    }
    double number(std::string_view key) const {
        const auto fields = stores.get(store, key);
        return fields && !fields->empty() ? std::get<double>(fields->front().second) : -1;
    }
    void set(std::string_view key, double number) {
        stores.set(store, key, {{"n", number}}, default_ttl);
    }

    VirtualClock clock;
    Stores stores{clock, {1, 2}};
    StateDirectory directory{stores};
    bool kept = false;
    std::size_t store = 0;
};

class StateDirectoryTest : public testing::Test {
  protected:
    StateDirectoryTest() {
        std::string name = (fs::temp_directory_path() / "nfqws2-state.XXXXXX").string();
        path = mkdtemp(name.data());
    }
    ~StateDirectoryTest() override { fs::remove_all(path); }
    fs::path file() const { return fs::path(path) / "learn.tsv"; }
    std::string text() const {
        std::ifstream in(file(), std::ios::binary);
        std::ostringstream out;
        out << in.rdbuf();
        return out.str();
    }
    // What is in the file now is whole.
    static bool settle(Process& run) {
        EXPECT_FALSE(run.directory.save()) << "it has just been written";
        return run.directory.save();
    }
    // As an editor does: another file in its place.
    void edit(const std::string& content) const {
        const fs::path other = file().string() + ".edited";
        std::ofstream(other, std::ios::binary) << content;
        fs::rename(other, file());
    }
    std::string line(const std::string& key, double n, std::int64_t written = start) const {
        std::vector<FieldView> fields = {{"n", {}, n, true}};
        return to_line({key, pack_fields(fields), written, default_ttl}) + "\n";
    }
    const std::string head = "nfqws2-store 1\n";
    std::string path;
};

TEST_F(StateDirectoryTest, KeepsOverRestarts) {
    {
        Process run(path);
        ASSERT_TRUE(run.kept);
        run.set("a", 1);
        run.set("b", 2);
    }
    EXPECT_EQ(text(), head + line("a", 1) + line("b", 2));
    const Process again(path, start + 10);
    EXPECT_EQ(again.number("a"), 1);
    EXPECT_EQ(again.number("b"), 2);
    EXPECT_EQ(again.stores.find(again.store, "a")->written, start);
}

TEST_F(StateDirectoryTest, WritesOnlyWhatHasChanged) {
    Process run(path);
    EXPECT_TRUE(run.directory.save());
    EXPECT_FALSE(fs::exists(file())) << "an empty store needs no file";
    run.set("a", 1);
    EXPECT_TRUE(run.directory.save());
    const auto before = fs::last_write_time(file());
    struct stat first {
    }, second_look{};
    ASSERT_EQ(::stat(file().c_str(), &first), 0);
    EXPECT_TRUE(run.directory.save());
    ASSERT_EQ(::stat(file().c_str(), &second_look), 0);
    EXPECT_EQ(first.st_ino, second_look.st_ino);
    EXPECT_EQ(before, fs::last_write_time(file()));
}

TEST_F(StateDirectoryTest, NewerWinsLineByLine) {
    Process run(path);
    run.set("ours", 1);
    run.set("theirs", 1);
    run.set("edited", 1);
    run.set("gone", 1);
    run.set("gone-but-new", 1);
    ASSERT_TRUE(run.directory.save());
    run.clock.advance_to((start + 100) * second);
    run.set("ours", 2);
    run.set("gone-but-new", 2);
    edit(head + line("ours", 9, start + 50) + line("theirs", 9, start + 50) + line("edited", 9) +
         line("added", 9, start - 1000));
    ASSERT_TRUE(settle(run));
    EXPECT_EQ(run.number("ours"), 2);
    EXPECT_EQ(run.number("theirs"), 9);
    EXPECT_EQ(run.number("edited"), 9) << "of one second: the file";
    EXPECT_EQ(run.number("added"), 9);
    EXPECT_EQ(run.number("gone"), -1);
    EXPECT_EQ(run.number("gone-but-new"), 2);
    EXPECT_EQ(text(), head + line("added", 9, start - 1000) + line("edited", 9) +
                          line("gone-but-new", 2, start + 100) + line("ours", 2, start + 100) +
                          line("theirs", 9, start + 50));
}

// What we have deleted does not come back with a file in which only something else was changed.
TEST_F(StateDirectoryTest, DeletedStaysDeleted) {
    Process run(path);
    run.set("a", 1);
    run.set("b", 1);
    ASSERT_TRUE(run.directory.save());
    run.stores.erase(run.store, "a");
    edit(head + line("a", 1) + line("b", 2));
    ASSERT_TRUE(settle(run));
    EXPECT_EQ(run.number("a"), -1);
    EXPECT_EQ(run.number("b"), 2);
}

TEST_F(StateDirectoryTest, AFileThatIsGoneHasNoLines) {
    Process run(path);
    run.set("a", 1);
    ASSERT_TRUE(run.directory.save());
    fs::remove(file());
    ASSERT_TRUE(settle(run));
    EXPECT_EQ(run.number("a"), -1);
}

TEST_F(StateDirectoryTest, ADirectoryThatIsGoneTakesNothingAlong) {
    Process process(path);
    process.set("a", 1);
    ASSERT_TRUE(process.directory.save());
    fs::remove_all(path);
    testing::internal::CaptureStderr();
    EXPECT_FALSE(process.directory.save());
    process.set("b", 2);
    EXPECT_FALSE(process.directory.save());
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("what is learnt stays in memory"), std::string::npos) << said;
    EXPECT_EQ(process.number("a"), 1);
    EXPECT_EQ(process.number("b"), 2);
}

TEST_F(StateDirectoryTest, MistypedLinesStay) {
    edit(head + line("a", 1) + "nonsense\n\n" + line("b", 2) + "c\t1\tx\n");
    log::ErrorCollector errors;
    {
        Process run(path);
        EXPECT_EQ(run.number("a"), 1);
        EXPECT_EQ(run.number("b"), 2);
        EXPECT_NE(errors.take().find("learn.tsv:3: cannot be understood, it is kept at the end of "
                                     "the file (lines like this: 2)"),
                  std::string::npos);
        run.set("a", 3);
        ASSERT_TRUE(run.directory.save());
        EXPECT_EQ(text(), head + line("a", 3) + line("b", 2) + "nonsense\nc\t1\tx\n");
        edit(text() + line("d", 4));
        ASSERT_TRUE(settle(run));
        EXPECT_EQ(errors.take(), "") << "told already";
        EXPECT_EQ(run.number("d"), 4);
        edit(head + line("a", 3) + line("b", 2) + line("c", 5) + line("d", 4));
        ASSERT_TRUE(settle(run));
        EXPECT_EQ(run.number("c"), 5) << "mended";
    }
    EXPECT_EQ(text(), head + line("a", 3) + line("b", 2) + line("c", 5) + line("d", 4));
}

TEST_F(StateDirectoryTest, AFileFullOfStrangeLinesIsSetAside) {
    std::string strange;
    for (int i = 0; i < 10'000; i++)
        strange += "web/site" + std::to_string(i) + " 1 2\n";
    edit(head + strange);
    log::ErrorCollector errors;
    {
        Process run(path);
        run.set("a", 1);
    }
    EXPECT_NE(errors.take().find("it is now learn.tsv.bad"), std::string::npos);
    EXPECT_EQ(fs::file_size(file().string() + ".bad"), head.size() + strange.size());
    EXPECT_EQ(text(), head + line("a", 1));
}

TEST_F(StateDirectoryTest, RecordsAmongStrangeLinesAreKept) {
    std::string strange;
    while (strange.size() <= 70'000)
        strange += "# a remark of somebody who has much to say\n";
    const std::string whole = head + line("a", 1) + strange + line("b", 2) + line("c", 3);
    edit(whole);
    log::ErrorCollector errors;
    {
        Process run(path);
        EXPECT_EQ(run.number("a"), 1);
        EXPECT_EQ(run.number("b"), 2);
        EXPECT_EQ(errors.take(), "") << "nothing has become of it yet";
        run.stores.erase(run.store, "c");
    }
    EXPECT_NE(errors.take().find("learn.tsv:3: cannot be understood, and more than 64 kB of the "
                                 "file are like this: it is now learn.tsv.bad, its records are "
                                 "kept"),
              std::string::npos);
    EXPECT_EQ(fs::file_size(file().string() + ".bad"), whole.size());
    EXPECT_EQ(text(), head + line("a", 1) + line("b", 2)) << "deleted stays deleted";
}

// What was set aside before stays too; when there are too many the file is left where it is.
TEST_F(StateDirectoryTest, NothingThatWasSetAsideIsReplaced) {
    log::ErrorCollector errors;
    for (int i = 0; i < 11; i++) {
        edit("rubbish " + std::to_string(i));
        Process run(path);
        run.set("a", i);
    }
    const auto content = [this](const std::string& more) {
        std::ifstream in(file().string() + more);
        std::string all;
        std::getline(in, all);
        return all;
    };
    EXPECT_EQ(content(".bad"), "rubbish 0");
    EXPECT_EQ(content(".bad.1"), "rubbish 1");
    EXPECT_EQ(content(".bad.9"), "rubbish 9");
    EXPECT_EQ(content(""), "rubbish 10");
    EXPECT_NE(errors.take().find("learn.tsv' to 'learn.tsv.bad.9': File exists"),
              std::string::npos);
}

// Editors that write in place leave less than a file for a while.
class WritesInPlace : public StateDirectoryTest {
  protected:
    void write(const std::string& content, std::ios::openmode how) const {
        std::ofstream(file(), std::ios::binary | how) << content;
    }
};

TEST_F(WritesInPlace, NothingIsLostMeanwhile) {
    Process run(path);
    run.set("a", 1);
    run.set("b", 1);
    ASSERT_TRUE(run.directory.save());
    log::ErrorCollector errors;
    for (const std::string& beginning :
         {std::string(), std::string("nfqws2"), head + line("a", 1)}) {
        write(beginning, std::ios::trunc);
        run.set("b", 2);
        EXPECT_FALSE(run.directory.save());
        EXPECT_EQ(run.number("a"), 1);
        EXPECT_EQ(text(), beginning) << "whoever writes it still has it";
    }
    write(line("c", 3), std::ios::app);
    ASSERT_TRUE(settle(run));
    EXPECT_EQ(errors.take(), "");
    EXPECT_EQ(run.number("c"), 3);
    EXPECT_EQ(text(), head + line("a", 1) + line("b", 2) + line("c", 3));
}

TEST_F(WritesInPlace, NothingIsLostAtTheStart) {
    write("nfqws2", std::ios::trunc);
    log::ErrorCollector errors;
    Process run(path);
    run.set("b", 2);
    write("-store 1\n" + line("a", 1), std::ios::app);
    ASSERT_TRUE(settle(run));
    EXPECT_EQ(errors.take(), "");
    EXPECT_EQ(text(), head + line("a", 1) + line("b", 2));
}

TEST_F(WritesInPlace, TheEndWaitsALittle) {
    log::ErrorCollector errors;
    {
        Process run(path);
        run.set("a", 1);
        ASSERT_TRUE(run.directory.save());
        write(line("b", 2), std::ios::app);
        run.set("a", 3);
    }
    EXPECT_EQ(errors.take(), "");
    EXPECT_EQ(text(), head + line("a", 3) + line("b", 2));
}

TEST_F(WritesInPlace, WhoeverNeverStopsIsTold) {
    Process run(path);
    run.set("a", 1);
    ASSERT_TRUE(run.directory.save());
    log::ErrorCollector errors;
    for (int i = 0; i < 20; i++) {
        write("x", std::ios::app);
        EXPECT_FALSE(run.directory.save());
    }
    const std::string said = errors.take();
    const std::size_t first = said.find("learn.tsv' changes all the time");
    EXPECT_NE(first, std::string::npos) << said;
    EXPECT_EQ(said.find("changes all the time", first + 20), std::string::npos) << "once";
}

TEST_F(WritesInPlace, TheEndTakesWhatCameJustBeforeItWasReplaced) {
    log::ErrorCollector errors;
    {
        Process run(path);
        run.set("a", 1);
        ASSERT_TRUE(run.directory.save());
        run.set("a", 3);
        before_sync = [&] { write(line("b", 2), std::ios::app); };
    }
    EXPECT_EQ(errors.take(), "");
    EXPECT_EQ(text(), head + line("a", 3) + line("b", 2));
}

TEST_F(WritesInPlace, WhoWritesUntilTheEndIsNamed) {
    log::ErrorCollector errors;
    {
        Process run(path);
        run.set("a", 1);
        ASSERT_TRUE(run.directory.save());
        run.set("a", 3);
        before_sync = [&] {
            before_sync = [&] { write(line("c", 2), std::ios::app); };
            write(line("b", 2), std::ios::app);
        };
    }
    before_sync = nullptr;
    EXPECT_NE(errors.take().find("learn.tsv is being written by another program"),
              std::string::npos);
    EXPECT_EQ(text(), head + line("a", 1) + line("b", 2) + line("c", 2));
}

TEST_F(StateDirectoryTest, ItMayBeginWithAByteOrderMark) {
    edit("\xEF\xBB\xBF" + head + line("a", 1));
    log::ErrorCollector errors;
    {
        Process run(path);
        EXPECT_EQ(run.number("a"), 1);
        run.set("b", 2);
    }
    EXPECT_EQ(errors.take(), "");
    EXPECT_EQ(text(), head + line("a", 1) + line("b", 2));
}

TEST_F(StateDirectoryTest, LinesMayEndAsInWindows) {
    edit("nfqws2-store 1\r\na\t1750000000\t0\tn=3\r\n");
    const Process run(path);
    EXPECT_EQ(run.number("a"), 3);
}

TEST_F(StateDirectoryTest, ADamagedFileIsSetAside) {
    edit("something else\n");
    log::ErrorCollector errors;
    {
        Process run(path);
        EXPECT_TRUE(run.kept);
        run.set("a", 1);
    }
    EXPECT_NE(errors.take().find("it is now learn.tsv.bad"), std::string::npos);
    EXPECT_TRUE(fs::exists(file().string() + ".bad"));
    EXPECT_EQ(text(), head + line("a", 1));
}

TEST_F(StateDirectoryTest, SetAsideWhileRunningIsWrittenAnew) {
    Process run(path);
    run.set("a", 1);
    ASSERT_TRUE(run.directory.save());
    edit("rubbish");
    log::ErrorCollector errors;
    ASSERT_TRUE(settle(run));
    EXPECT_EQ(text(), head + line("a", 1));
}

TEST_F(StateDirectoryTest, ExpiredRecordsLeaveTheFile) {
    Process run(path);
    run.stores.set(run.store, "short", {{"n", 1.0}}, 5);
    run.set("long", 1);
    ASSERT_TRUE(run.directory.save());
    run.clock.advance_to((start + 10) * second);
    run.set("other", 1);
    ASSERT_TRUE(run.directory.save());
    EXPECT_EQ(text().find("short"), std::string::npos);
    EXPECT_NE(text().find("long"), std::string::npos);
}

TEST_F(StateDirectoryTest, OneProcessAtATime) {
    const Process first(path);
    ASSERT_TRUE(first.kept);
    log::ErrorCollector errors;
    Process second_run(path);
    EXPECT_FALSE(second_run.kept);
    EXPECT_NE(errors.take().find("is in use by another program"), std::string::npos);
    second_run.set("a", 1);
    EXPECT_TRUE(second_run.directory.save()) << "in memory: nothing to do";
    EXPECT_FALSE(fs::exists(file()));
}

TEST_F(StateDirectoryTest, WithoutADirectoryInMemory) {
    log::ErrorCollector errors;
    Process run(path + "/none");
    EXPECT_FALSE(run.kept);
    run.set("a", 1);
    EXPECT_EQ(run.number("a"), 1);
    EXPECT_NE(errors.take().find("cannot open"), std::string::npos);
}

TEST_F(StateDirectoryTest, ADirectoryOfSomebodyElseIsNotUsed) {
    const bool root = geteuid() == 0;
    ASSERT_TRUE(!root || chown(path.c_str(), 1, 1) == 0);
    log::ErrorCollector errors;
    Process run(root ? path : "/");
    EXPECT_FALSE(run.kept);
    EXPECT_NE(errors.take().find("does not belong to the user of the program"), std::string::npos);
    EXPECT_TRUE(fs::is_empty(path));
}

// The new file cannot be made; the old one stays, and is replaced when it can.
TEST_F(StateDirectoryTest, AFullDiskIsToldOnceAndTriedAgain) {
    Process run(path);
    run.set("a", 1);
    ASSERT_TRUE(run.directory.save());
    fs::create_directory(file().string() + ".new");
    run.set("a", 2);
    log::ErrorCollector errors;
    EXPECT_FALSE(run.directory.save());
    EXPECT_NE(errors.take().find("cannot write"), std::string::npos);
    EXPECT_FALSE(run.directory.save());
    EXPECT_EQ(errors.take(), "");
    EXPECT_EQ(text(), head + line("a", 1));
    fs::remove(file().string() + ".new");
    EXPECT_TRUE(run.directory.save());
    EXPECT_EQ(text(), head + line("a", 2));
}

// What is in place of the file is no regular one: left as it is.
TEST_F(StateDirectoryTest, StrangeFilesAreLeftAlone) {
    ASSERT_EQ(mkfifo(file().c_str(), 0600), 0);
    log::ErrorCollector errors;
    Process run(path);
    run.set("a", 1);
    EXPECT_FALSE(run.directory.save());
    EXPECT_TRUE(fs::is_fifo(file()));
    fs::remove(file());
    fs::create_symlink("/etc/passwd", file());
    EXPECT_FALSE(run.directory.save());
    EXPECT_TRUE(fs::is_symlink(file()));
}

TEST_F(StateDirectoryTest, TheThreadWritesByItself) {
    Process run(path);
    ASSERT_TRUE(run.directory.start(1));
    run.set("a", 1);
    for (int i = 0; i < 600 && !fs::exists(file()); i++)
        usleep(100'000);
    EXPECT_EQ(text(), head + line("a", 1));
    run.directory.stop();
}

// Killed at any moment: there is a whole file of some second, or none.
TEST_F(StateDirectoryTest, KilledAtAnyMoment) {
    for (int round = 0; round < 20; round++) {
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            Process run(path);
            for (double n = 0;; n++) {
                for (int i = 0; i < 50; i++)
                    run.set("host" + std::to_string(i), n);
                run.directory.save();
            }
        }
        usleep(static_cast<useconds_t>(3000 + round * 1700));
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        if (!fs::exists(file())) continue;
        log::ErrorCollector errors;
        const Process run(path);
        EXPECT_EQ(errors.take(), "");
        EXPECT_EQ(run.stores.count(run.store), 50U);
        for (int i = 1; i < 50; i++)
            EXPECT_EQ(run.number("host" + std::to_string(i)), run.number("host0"));
    }
    EXPECT_TRUE(fs::exists(file()));
}

} // namespace
} // namespace nfqws2::store
