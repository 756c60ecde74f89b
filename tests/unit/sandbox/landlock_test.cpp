#include "nfqws2/sandbox/landlock.hpp"

#include "in_child.hpp"
#include "nfqws2/sandbox/privileges.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>

namespace nfqws2::sandbox {
namespace {

using test::ChildResult;
using test::in_child;

constexpr std::uint64_t execute = 1, write_file = 2, read_file = 4, read_dir = 8, remove_dir = 16,
                        remove_file = 32, make_regular = 256, make_link = 4096, refer = 1 << 13,
                        truncate_file = 1 << 14, ioctl_device = 1 << 15;

TEST(LandlockRights, EachVersionWatchesMore) {
    EXPECT_EQ(watched_file_rights(0), 0U);
    EXPECT_EQ(watched_file_rights(1), 0x1FFFU);
    EXPECT_EQ(watched_file_rights(2), 0x3FFFU);
    EXPECT_EQ(watched_file_rights(3), 0x7FFFU);
    EXPECT_EQ(watched_file_rights(4), 0x7FFFU);
    EXPECT_EQ(watched_file_rights(5), 0xFFFFU);
    EXPECT_EQ(watched_file_rights(99), 0xFFFFU);
}

TEST(LandlockRights, OfDirectories) {
    EXPECT_EQ(granted_file_rights(FileAccess::read, true, 7), read_file | read_dir);
    EXPECT_EQ(granted_file_rights(FileAccess::update, true, 7),
              read_file | read_dir | write_file | make_regular | truncate_file);
    EXPECT_EQ(granted_file_rights(FileAccess::full, true, 7), read_file | read_dir | write_file |
                                                                  make_regular | truncate_file |
                                                                  remove_file | refer);
    EXPECT_EQ(granted_file_rights(FileAccess::full, true, 2),
              read_file | read_dir | write_file | make_regular | remove_file | refer);
    EXPECT_EQ(granted_file_rights(FileAccess::full, true, 1),
              read_file | read_dir | write_file | make_regular | remove_file);
}

TEST(LandlockRights, OfFiles) {
    EXPECT_EQ(granted_file_rights(FileAccess::read, false, 7), read_file);
    EXPECT_EQ(granted_file_rights(FileAccess::full, false, 7),
              read_file | write_file | truncate_file);
    EXPECT_EQ(granted_file_rights(FileAccess::full, false, 1), read_file | write_file);
}

TEST(LandlockRights, SomeAreNeverGiven) {
    for (int version = 1; version <= 8; version++)
        for (const bool directory : {false, true})
            EXPECT_EQ(granted_file_rights(FileAccess::full, directory, version) &
                          (execute | remove_dir | make_link | ioctl_device),
                      0U);
}

class LandlockTest : public testing::Test {
  protected:
    void SetUp() override {
        if (landlock_version() == 0) GTEST_SKIP() << "this kernel has no Landlock";
        char pattern[] = "/tmp/nfqws2-landlock-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        base_ = pattern;
        for (const char* directory : {"/read", "/update", "/full", "/out"}) {
            std::filesystem::create_directory(base_ + directory);
            std::ofstream(base_ + directory + "/file") << "x";
        }
        rules_.allow(base_ + "/read", FileAccess::read);
        rules_.allow(base_ + "/update", FileAccess::update);
        rules_.allow(base_ + "/full", FileAccess::full);
    }
    void TearDown() override {
        if (!base_.empty()) std::filesystem::remove_all(base_);
    }
    // The errno of a call made inside, 0 if it succeeds.
    int inside(const std::function<int()>& call) const {
        const ChildResult r = in_child([&](int) {
            if (!forbid_new_privileges() || !restrict_files(rules_)) return 255;
            return call() >= 0 ? 0 : errno;
        });
        return r.status;
    }
    int opening(const std::string& name, int flags) const {
        return inside([&] { return open((base_ + name).c_str(), flags, 0600); });
    }
    int renaming(const std::string& from, const std::string& to) const {
        return inside([&] { return rename((base_ + from).c_str(), (base_ + to).c_str()); });
    }

    std::string base_;
    FileRules rules_;
};

TEST_F(LandlockTest, Reading) {
    for (const char* name : {"/read/file", "/update/file", "/full/file"})
        EXPECT_EQ(opening(name, O_RDONLY), 0) << name;
    EXPECT_EQ(opening("/out/file", O_RDONLY), EACCES);
    EXPECT_EQ(opening("/out", O_RDONLY | O_DIRECTORY), EACCES);
    EXPECT_EQ(opening("/read/../out/file", O_RDONLY), EACCES);
}

TEST_F(LandlockTest, Writing) {
    constexpr int create = O_WRONLY | O_CREAT;
    EXPECT_EQ(opening("/read/file", O_WRONLY), EACCES);
    EXPECT_EQ(opening("/read/new", create), EACCES);
    EXPECT_EQ(opening("/update/file", O_RDWR | O_APPEND), 0);
    EXPECT_EQ(opening("/update/file", O_WRONLY | O_TRUNC), 0);
    EXPECT_EQ(opening("/update/new", create), 0);
    EXPECT_EQ(opening("/full/new", create), 0);
    EXPECT_EQ(opening("/out/new", create), EACCES);
}

TEST_F(LandlockTest, RemovingAndRenaming) {
    EXPECT_EQ(inside([&] { return unlink((base_ + "/update/file").c_str()); }), EACCES);
    EXPECT_EQ(renaming("/full/file", "/full/other"), 0);
    EXPECT_NE(renaming("/full/other", "/out/other"), 0);
    EXPECT_NE(renaming("/out/file", "/full/file"), 0);
    EXPECT_EQ(inside([&] { return unlink((base_ + "/full/other").c_str()); }), 0);
    EXPECT_EQ(inside([&] { return symlink("/etc", (base_ + "/full/link").c_str()); }), EACCES);
    EXPECT_EQ(inside([&] { return mkdir((base_ + "/full/dir").c_str(), 0700); }), EACCES);
    EXPECT_EQ(inside([&] { return mkfifo((base_ + "/full/fifo").c_str(), 0600); }), EACCES);
}

TEST_F(LandlockTest, RunningPrograms) {
    rules_.allow("/", FileAccess::read);
    EXPECT_EQ(inside([] { return execl("/bin/true", "true", nullptr); }), EACCES);
}

// Automatic lists and logs: files that appear, are replaced and are made again.
TEST_F(LandlockTest, FilesMayComeAndGo) {
    const std::string list = base_ + "/update/list", next = base_ + "/update/next";
    int to_child[2], to_parent[2];
    ASSERT_EQ(pipe(to_child), 0);
    ASSERT_EQ(pipe(to_parent), 0);
    std::thread outside([&] {
        char c = 0;
        if (read(to_parent[0], &c, 1) != 1) return;
        std::ofstream(next) << "new";
        std::filesystem::rename(next, list);
        if (write(to_child[1], "x", 1) != 1) return;
    });
    const ChildResult r = in_child([&](int) {
        char c = 0;
        if (!forbid_new_privileges() || !restrict_files(rules_)) return 1;
        if (open(list.c_str(), O_WRONLY | O_CREAT, 0600) < 0) return 2;
        if (write(to_parent[1], "x", 1) != 1 || read(to_child[0], &c, 1) != 1) return 3;
        const int fd = open(list.c_str(), O_RDWR | O_APPEND);
        return fd >= 0 && write(fd, "er", 2) == 2 && ftruncate(fd, 4) == 0 ? 0 : 4;
    });
    outside.join();
    EXPECT_EQ(r.status, 0);
    EXPECT_EQ(std::filesystem::file_size(list), 4U);
    for (const int fd : {to_child[0], to_child[1], to_parent[0], to_parent[1]})
        close(fd);
}

TEST_F(LandlockTest, LaterThreadsAreHeldToo) {
    EXPECT_EQ(inside([&] {
                  int result = 0, error = 0;
                  std::thread([&] {
                      result = open((base_ + "/out/file").c_str(), O_RDONLY);
                      error = errno;
                  }).join();
                  errno = error;
                  return result;
              }),
              EACCES);
}

TEST_F(LandlockTest, NoTcp) {
    if (landlock_version() < 4) GTEST_SKIP() << "this version of Landlock knows no network";
    EXPECT_EQ(inside([] {
                  sockaddr_in address{};
                  address.sin_family = AF_INET;
                  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                  address.sin_port = htons(9);
                  const int fd = socket(AF_INET, SOCK_STREAM, 0);
                  return connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
              }),
              EACCES);
}

TEST_F(LandlockTest, NeedsNoNewPrivilegesOrSaysSo) {
    const ChildResult r = in_child([&](int) {
        if (!drop_capabilities(KeptCapabilities::none)) return 1;
        return restrict_files(rules_) ? 2 : 0;
    });
    EXPECT_EQ(r.status, 0);
}

} // namespace
} // namespace nfqws2::sandbox
