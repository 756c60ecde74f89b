#include "nfqws2/sandbox/file_rules.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace nfqws2::sandbox {
namespace {

class FileRulesTest : public testing::Test {
  protected:
    void SetUp() override {
        char pattern[] = "/tmp/nfqws2-rules-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        base_ = std::filesystem::canonical(pattern);
        for (const char* directory : {"/in", "/in/deep", "/inner", "/out"})
            std::filesystem::create_directory(base_ + directory);
        for (const char* file : {"/in/a", "/in/deep/b", "/out/c"})
            std::ofstream(base_ + file) << "x";
    }
    void TearDown() override { std::filesystem::remove_all(base_); }
    void link(const std::string& target, const std::string& name) const {
        std::filesystem::create_symlink(target, base_ + name);
    }
    bool admits(const std::string& name, FileAccess access = FileAccess::read) const {
        return rules_.admits(base_ + name, access);
    }

    std::string base_;
    FileRules rules_;
};

TEST_F(FileRulesTest, EverythingBelowADirectory) {
    rules_.allow(base_ + "/in", FileAccess::read);
    for (const char* name : {"/in", "/in/", "/in/a", "/in/deep/b", "/in/new", "/out/../in/a"})
        EXPECT_TRUE(admits(name)) << name;
    for (const char* name : {"", "/out/c", "/inner/x", "/in/../out/c", "/in/deep/../../out/c"})
        EXPECT_FALSE(admits(name)) << name;
}

TEST_F(FileRulesTest, AccessGrows) {
    rules_.allow(base_ + "/in", FileAccess::update);
    EXPECT_TRUE(admits("/in/a", FileAccess::read));
    EXPECT_TRUE(admits("/in/a", FileAccess::update));
    EXPECT_FALSE(admits("/in/a", FileAccess::full));
    rules_.allow(base_ + "/in", FileAccess::read); // does not take away
    EXPECT_TRUE(admits("/in/a", FileAccess::update));
    rules_.allow(base_ + "/in", FileAccess::full);
    EXPECT_TRUE(admits("/in/a", FileAccess::full));
    EXPECT_EQ(rules_.rules().size(), 1U);
}

TEST_F(FileRulesTest, LinksCountByWhereTheyLead) {
    rules_.allow(base_ + "/in", FileAccess::full);
    link(base_ + "/out", "/in/outside");
    link(base_ + "/out/c", "/in/c");
    link(base_ + "/out/new", "/in/new");
    link(base_ + "/in/a", "/out/a");
    EXPECT_FALSE(admits("/in/outside/c"));
    EXPECT_FALSE(admits("/in/c"));
    EXPECT_TRUE(admits("/out/a"));
    EXPECT_FALSE(admits("/in/new", FileAccess::update)) << "would make a file outside";
    // The link itself is inside and may go.
    EXPECT_TRUE(admits("/in/c", FileAccess::full));
    EXPECT_FALSE(admits("/out/a", FileAccess::full));
    EXPECT_FALSE(admits("/in/outside/c", FileAccess::full));
}

TEST_F(FileRulesTest, NamesThatLeadNowhereFailByThemselves) {
    EXPECT_TRUE(admits("/no/where"));
    EXPECT_TRUE(rules_.admits("", FileAccess::full));
    EXPECT_FALSE(rules_.admits("relative", FileAccess::read)) << "below the current directory";
    EXPECT_FALSE(rules_.admits("relative", FileAccess::full));
}

TEST_F(FileRulesTest, AFileAlone) {
    rules_.allow(base_ + "/in/a", FileAccess::update);
    EXPECT_TRUE(admits("/in/a", FileAccess::update));
    EXPECT_FALSE(admits("/in/deep/b"));
    EXPECT_FALSE(admits("/in/ab"));
}

TEST_F(FileRulesTest, ReplaceableFilesOpenTheirDirectory) {
    rules_.allow_replaceable(base_ + "/in/a", FileAccess::update);
    EXPECT_TRUE(admits("/in/new", FileAccess::update));
    EXPECT_FALSE(admits("/out/c"));
    rules_.allow_replaceable(base_ + "/out/not-yet-there", FileAccess::read);
    EXPECT_TRUE(admits("/out/c"));
    FileRules devices;
    devices.allow_replaceable("/dev/null", FileAccess::update);
    EXPECT_TRUE(devices.admits("/dev/null", FileAccess::update));
    EXPECT_FALSE(devices.admits("/dev/zero", FileAccess::read));
}

TEST_F(FileRulesTest, WhatDoesNotExistIsLeftOut) {
    rules_.allow(base_ + "/nothing", FileAccess::full);
    rules_.allow(base_ + "/no/where", FileAccess::full);
    rules_.allow("", FileAccess::full);
    rules_.allow_replaceable(base_ + "/no/where", FileAccess::full);
    EXPECT_TRUE(rules_.rules().empty());
}

TEST(FileRules, RootIsAboveEverything) {
    EXPECT_TRUE(is_below("/", "/"));
    EXPECT_TRUE(is_below("/etc", "/"));
    EXPECT_TRUE(is_below("/etc", "/etc"));
    EXPECT_FALSE(is_below("/etcetera", "/etc"));
    EXPECT_FALSE(is_below("/", "/etc"));
    FileRules rules;
    rules.allow("/", FileAccess::read);
    EXPECT_TRUE(rules.admits("/etc/passwd", FileAccess::read));
    EXPECT_TRUE(rules.admits("/", FileAccess::read));
}

} // namespace
} // namespace nfqws2::sandbox
