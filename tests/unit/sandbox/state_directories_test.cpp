#include "nfqws2/sandbox/state_directories.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace nfqws2::sandbox {
namespace {

using Paths = std::vector<std::string>;

// The test's user is the daemon's, and nothing belongs to it but what it makes.
class StateDirectoriesTest : public testing::Test {
  protected:
    void SetUp() override {
        char pattern[] = "/tmp/nfqws2-state-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        base_ = std::filesystem::canonical(pattern);
        user_ = FileUser::current();
    }
    void TearDown() override { std::filesystem::remove_all(base_); }

    // A directory that cannot be written to by its owner is as good as one of somebody else.
    void directory(const std::string& name, mode_t mode = 0555) {
        std::filesystem::create_directories(base_ + name);
        ASSERT_EQ(chmod((base_ + name).c_str(), mode), 0);
    }
    void file(const std::string& name, mode_t mode = 0644) {
        std::ofstream(base_ + name) << "x";
        ASSERT_EQ(chmod((base_ + name).c_str(), mode), 0);
    }
    Paths granted() {
        found_ = find_state_directories({base_}, user_);
        Paths names;
        for (const std::string& path : found_.granted)
            names.push_back(path.substr(base_.size()));
        return names;
    }
    std::string why(const std::string& name) {
        return std::string(found_.why_refused(base_ + name));
    }

    std::string base_;
    FileUser user_;
    StateDirectories found_;
};

TEST_F(StateDirectoriesTest, RightsOfTheUser) {
    const FileUser user{10, {20, 30}};
    EXPECT_TRUE(user.may_write(10, 99, 0700));
    EXPECT_FALSE(user.may_write(10, 20, 0070)) << "the owner's rights are his alone";
    EXPECT_TRUE(user.may_write(0, 30, 0770));
    EXPECT_FALSE(user.may_write(0, 30, 0750));
    EXPECT_FALSE(user.may_write(0, 99, 0777)) << "open to everybody";
}

TEST_F(StateDirectoriesTest, TheHighestDirectoryIsGranted) {
    directory("/a/b/c", 0755);
    directory("/a/b", 0755);
    directory("/a", 0555);
    file("/a/b/state.tsv");
    EXPECT_EQ(granted(), Paths{"/a/b"});
    EXPECT_FALSE(found_.cut);
}

TEST_F(StateDirectoriesTest, TheRootItselfIsNot) {
    ASSERT_EQ(chmod(base_.c_str(), 0755), 0);
    EXPECT_EQ(granted(), Paths{});
}

TEST_F(StateDirectoriesTest, FourComponents) {
    directory("/1/2/3/4/5", 0755);
    for (const char* name : {"/1", "/1/2", "/1/2/3", "/1/2/3/4"})
        directory(name, 0555);
    EXPECT_EQ(granted(), Paths{});
    directory("/1/2/3/4", 0755);
    EXPECT_EQ(granted(), Paths{"/1/2/3/4"});
}

TEST_F(StateDirectoriesTest, OneBadFileSpoilsWhatIsAboveIt) {
    directory("/a/good", 0755);
    directory("/a/bad/deep", 0755);
    directory("/a/bad", 0755);
    directory("/a", 0755);
    for (const auto& [name, mode, text] :
         {std::tuple{"/a/bad/deep/run", 0744, "is executable"},
          std::tuple{"/a/bad/deep/config", 0644, "may be read by shells"},
          std::tuple{"/a/bad/deep/x.sh", 0644, "may be read by shells"}}) {
        file(name, static_cast<mode_t>(mode));
        EXPECT_EQ(granted(), Paths{"/a/good"}) << name;
        const std::string reason = "'" + base_ + name + "' " + text;
        for (const char* place : {"/a", "/a/bad", "/a/bad/deep", "/a/other", "/a/bad/x/y"})
            EXPECT_EQ(why(place), reason);
        EXPECT_EQ(why("/elsewhere"), "");
        std::filesystem::remove(base_ + name);
    }
    EXPECT_EQ(granted(), Paths{"/a"});
}

TEST_F(StateDirectoriesTest, FoldersOfAnInstallation) {
    for (const char* name :
         {"/z/init.d/x", "/z/common", "/z/ipset", "/z/lua", "/z/nfq2", "/z/state"})
        directory(name, 0755);
    directory("/z", 0755);
    EXPECT_EQ(granted(), Paths{"/z/state"});
    EXPECT_EQ(why("/z"), "'" + base_ + "/z/common' is a folder of programs");
}

// Entware has its own /var below /opt.
TEST_F(StateDirectoriesTest, LibraryFoldersButNotVarLib) {
    for (const char* name : {"/lib/x/state", "/var/lib/zapret2/state"})
        directory(name, 0755);
    for (const char* name : {"/lib/x", "/lib", "/var/lib/zapret2", "/var/lib", "/var"})
        directory(name, 0555);
    EXPECT_EQ(granted(), Paths{"/var/lib/zapret2/state"});
}

TEST_F(StateDirectoriesTest, LinksLeadNowhere) {
    directory("/a/state", 0755);
    directory("/a", 0555);
    char outside[] = "/tmp/nfqws2-state-out-XXXXXX";
    ASSERT_NE(mkdtemp(outside), nullptr);
    std::filesystem::create_symlink(outside, base_ + "/link");
    std::filesystem::create_symlink("/bin/sh", base_ + "/a/state/sh");
    EXPECT_EQ(granted(), Paths{"/a/state"});
    std::filesystem::remove_all(outside);
}

TEST_F(StateDirectoriesTest, CutAfterSoMany) {
    directory("/nfqws/state", 0755);
    directory("/nfqws", 0555);
    directory("/many", 0755);
    for (std::size_t i = 0; i < max_state_entries; ++i)
        file("/many/" + std::to_string(i));
    EXPECT_EQ(granted(), Paths{"/nfqws/state"}) << "the likely come first";
    EXPECT_TRUE(found_.cut);
    EXPECT_EQ(why("/many"), "there are too many files to look at all");
}

TEST_F(StateDirectoriesTest, PathsThatBeginAlike) {
    directory("/zapret2", 0755);
    directory("/zapret2-manager/state", 0755);
    directory("/zapret2-manager", 0555);
    directory("/other", 0755);
    std::filesystem::create_symlink(base_ + "/other", base_ + "/zapret2-link");
    found_ =
        find_state_directories({base_ + "/zapret2*", base_ + "/nothing*", base_ + "/none"}, user_);
    EXPECT_EQ(found_.granted, (Paths{base_ + "/zapret2", base_ + "/zapret2-manager/state"}));
}

} // namespace
} // namespace nfqws2::sandbox
