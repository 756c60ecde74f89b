#include "nfqws2/sandbox/ownership.hpp"

#include "in_child.hpp"
#include "nfqws2/sandbox/privileges.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace nfqws2::sandbox {
namespace {

constexpr unsigned target = 12345, stranger = 54321;

class OwnershipTest : public testing::Test {
  protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "needs root";
        char pattern[] = "/tmp/nfqws2-owner-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        base_ = pattern;
        ASSERT_EQ(chmod(base_.c_str(), 0755), 0);
        old_mask_ = umask(022);
    }
    void TearDown() override {
        if (base_.empty()) return;
        umask(old_mask_);
        std::filesystem::remove_all(base_);
    }
    static struct stat status_of(const std::string& path) {
        struct stat st {};
        EXPECT_EQ(lstat(path.c_str(), &st), 0);
        return st;
    }
    void open_to_everybody() const { ASSERT_EQ(chmod(base_.c_str(), 01777), 0); }

    std::string base_;
    mode_t old_mask_ = 0;
};

TEST_F(OwnershipTest, MakesAndGivesTheDirectory) {
    const std::string dir = base_ + "/w";
    ASSERT_TRUE(make_writable_directory(dir, target));
    const struct stat st = status_of(dir);
    EXPECT_TRUE(S_ISDIR(st.st_mode));
    EXPECT_EQ(st.st_mode & 07777, 0755U);
    EXPECT_EQ(st.st_uid, target);
    EXPECT_EQ(st.st_gid, getegid());
    EXPECT_TRUE(make_writable_directory(dir, target)) << "a second start finds it there";
    ASSERT_TRUE(make_writable_directory(base_ + "/private", target, 0700));
    EXPECT_EQ(status_of(base_ + "/private").st_mode & 07777, 0700U);
}

TEST_F(OwnershipTest, FilesOfAnOwnDirectoryComeAlong) {
    const std::string dir = base_ + "/own";
    ASSERT_TRUE(make_own_directory(dir, stranger, 0700));
    const std::string file = dir + "/file", others = dir + "/others", link = dir + "/link";
    std::ofstream(file) << "1";
    std::ofstream(others) << "1";
    ASSERT_EQ(chown(file.c_str(), stranger, getegid()), 0);
    ASSERT_EQ(symlink(file.c_str(), link.c_str()), 0);
    ASSERT_EQ(lchown(link.c_str(), stranger, getegid()), 0);
    ASSERT_TRUE(make_own_directory(dir, target, 0700));
    EXPECT_EQ(status_of(dir).st_uid, target);
    EXPECT_EQ(status_of(file).st_uid, target);
    EXPECT_EQ(status_of(others).st_uid, 0U) << "not of the owner before";
    EXPECT_EQ(status_of(link).st_uid, stranger) << "no regular file";
}

TEST_F(OwnershipTest, TheNewUserCanWrite) {
    const std::string dir = base_ + "/w";
    ASSERT_TRUE(make_writable_directory(dir, Identity{}.uid));
    const test::ChildResult r = test::in_child([&](int) {
        if (!change_identity({}) || !drop_capabilities(KeptCapabilities::network)) return 1;
        std::ofstream(dir + "/file") << "x";
        return std::filesystem::file_size(dir + "/file") == 1 ? 0 : 2;
    });
    EXPECT_EQ(r.status, 0);
}

TEST_F(OwnershipTest, RefusesLinksAndFiles) {
    const std::string victim = base_ + "/victim";
    std::filesystem::create_directory(victim);
    std::filesystem::create_symlink(victim, base_ + "/link");
    EXPECT_FALSE(make_writable_directory(base_ + "/link", target));
    EXPECT_EQ(status_of(victim).st_uid, 0U);

    std::ofstream(base_ + "/file") << "x";
    EXPECT_FALSE(make_writable_directory(base_ + "/file", target));
    EXPECT_EQ(status_of(base_ + "/file").st_uid, 0U);
    EXPECT_FALSE(make_writable_directory(base_ + "/no/dir", target));
}

TEST_F(OwnershipTest, RefusesAStrangersDirectoryInAPublicPlace) {
    const std::string dir = base_ + "/w";
    std::filesystem::create_directory(dir);
    ASSERT_EQ(chown(dir.c_str(), stranger, stranger), 0);
    open_to_everybody();
    EXPECT_FALSE(make_writable_directory(dir, target));
    EXPECT_EQ(status_of(dir).st_uid, stranger);
    // In a place of its owner's choice it is what the administrator named.
    ASSERT_EQ(chmod(base_.c_str(), 0755), 0);
    EXPECT_TRUE(make_writable_directory(dir, target));
    EXPECT_EQ(status_of(dir).st_uid, target);
}

TEST_F(OwnershipTest, TakesOverADirectoryOfAnEarlierRun) {
    open_to_everybody();
    for (const unsigned owner : {0U, Identity{}.uid, target}) {
        const std::string dir = base_ + "/w" + std::to_string(owner);
        std::filesystem::create_directory(dir);
        ASSERT_EQ(chown(dir.c_str(), owner, 0), 0);
        EXPECT_TRUE(make_writable_directory(dir, target)) << owner;
        EXPECT_EQ(status_of(dir).st_uid, target);
    }
}

// Started without the right to change owners, writing there is enough.
TEST_F(OwnershipTest, WithoutPrivilegesWritingIsEnough) {
    const std::string own = base_ + "/own", foreign = base_ + "/foreign";
    std::filesystem::create_directory(own);
    std::filesystem::create_directory(foreign);
    ASSERT_EQ(chown(own.c_str(), Identity{}.uid, 0), 0);
    const test::ChildResult r = test::in_child([&](int) {
        if (!change_identity({}) || !drop_capabilities(KeptCapabilities::none)) return 1;
        if (!make_writable_directory(own, target)) return 2;
        if (!std::filesystem::is_empty(own)) return 3;
        return make_writable_directory(foreign, target) ? 4 : 0;
    });
    EXPECT_EQ(r.status, 0);
}

} // namespace
} // namespace nfqws2::sandbox
