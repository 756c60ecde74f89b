#include "app/start/fence.hpp"

#include "nfqws2/base/log.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace nfqws2::app {
namespace {

using sandbox::FileAccess;

class FenceTest : public testing::Test {
  protected:
    void SetUp() override {
        // Not below /tmp, which is open to scripts.
        char pattern[] = "/var/tmp/nfqws2-fence-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        base_ = std::filesystem::canonical(pattern);
        home_ = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
        for (const char* directory : {"/home", "/home/me", "/home/me/lua", "/lists", "/lua", "/w"})
            std::filesystem::create_directory(base_ + directory);
        setenv("HOME", (base_ + "/home/me").c_str(), 1);
        old_directory_ = std::filesystem::current_path();
        std::filesystem::current_path("/");
    }
    void TearDown() override {
        std::filesystem::current_path(old_directory_);
        setenv("HOME", home_.c_str(), 1);
        unsetenv("WRITABLE");
        std::filesystem::remove_all(base_);
    }
    std::string make(const std::string& name) const {
        std::ofstream(base_ + name) << "example.com\n";
        return base_ + name;
    }
    bool admits(const std::string& path, FileAccess access) const {
        return file_rules(config_, lists_).admits(path, access);
    }

    std::string base_, home_;
    std::filesystem::path old_directory_;
    VirtualClock clock_{0};
    profile::ListStore lists_{clock_};
    Config config_;
};

TEST_F(FenceTest, SystemFilesAreReadable) {
    EXPECT_TRUE(admits("/etc/passwd", FileAccess::read));
    EXPECT_TRUE(admits("/proc/self/status", FileAccess::read));
    EXPECT_TRUE(admits("/usr/share/file", FileAccess::read));
    EXPECT_TRUE(admits("/dev/null", FileAccess::update));
    EXPECT_TRUE(admits("/tmp/file", FileAccess::full));
    EXPECT_FALSE(admits("/etc/passwd", FileAccess::update));
    EXPECT_FALSE(admits("/proc/self/mem", FileAccess::update));
    EXPECT_FALSE(admits("/dev/null", FileAccess::full));
    EXPECT_FALSE(admits("/", FileAccess::read));
    EXPECT_FALSE(admits("/dev/mem", FileAccess::read));
    EXPECT_FALSE(admits(make("/file"), FileAccess::read));
}

TEST_F(FenceTest, PlacesOfScripts) {
    config_.engine.lua_init = {{true, make("/lua/one.lua")}, {false, "print('/etc')"}};
    EXPECT_TRUE(admits(base_ + "/lua/two.lua", FileAccess::read));
    EXPECT_FALSE(admits(base_ + "/lua/two.lua", FileAccess::update));
    EXPECT_FALSE(admits(base_ + "/lists/x", FileAccess::read));
}

// A script that lies in somebody's home does not open it; one in a folder of it opens the folder.
TEST_F(FenceTest, HomesAreNotPlacesOfScripts) {
    config_.engine.lua_init = {{true, make("/home/me/one.lua")}};
    EXPECT_TRUE(admits(base_ + "/home/me/one.lua", FileAccess::read));
    EXPECT_FALSE(admits(base_ + "/home/me/two.lua", FileAccess::read));
    config_.engine.lua_init = {{true, make("/home/one.lua")}};
    EXPECT_FALSE(admits(base_ + "/home/me/two.lua", FileAccess::read));
    config_.engine.lua_init = {{true, make("/home/me/lua/one.lua")}};
    EXPECT_TRUE(admits(base_ + "/home/me/lua/two.lua", FileAccess::read));
    config_.engine.lua_init.clear();
    for (const char* directory : {"/home", "/home/me"}) {
        std::filesystem::current_path(base_ + directory);
        EXPECT_FALSE(admits(base_ + "/home/me/x", FileAccess::read)) << directory;
    }
    std::filesystem::current_path(base_ + "/lua");
    EXPECT_TRUE(admits("relative", FileAccess::read));
    EXPECT_FALSE(admits("relative", FileAccess::update));
}

TEST_F(FenceTest, ListsAndLogs) {
    std::string error;
    const auto hosts = lists_.host_file(make("/lists/hosts"), &error);
    config_.list_uses.push_back({0, hosts, nullptr});
    EXPECT_TRUE(admits(base_ + "/lists/hosts.new", FileAccess::read));
    EXPECT_FALSE(admits(base_ + "/lists/hosts", FileAccess::update));
    ASSERT_NE(lists_.auto_host_file(base_ + "/lists/auto", &error), nullptr);
    EXPECT_TRUE(admits(base_ + "/lists/auto", FileAccess::update));
    EXPECT_FALSE(admits(base_ + "/lists/auto", FileAccess::full));
    config_.auto_debug.path = make("/w/debug");
    EXPECT_TRUE(admits(base_ + "/w/debug", FileAccess::update));
}

TEST_F(FenceTest, FilesOfArguments) {
    auto profile = std::make_unique<profile::Profile>();
    profile::LuaInstance instance;
    instance.func = "learn";
    instance.args = {{"groups", make("/lists/groups")}, {"key", make("/w/key")}};
    profile->instances.push_back(std::move(instance));
    config_.profiles.push_back(std::move(profile));
    EXPECT_TRUE(admits(base_ + "/lists/groups", FileAccess::read));
    EXPECT_FALSE(admits(base_ + "/lists/groups", FileAccess::update));
    EXPECT_FALSE(admits(base_ + "/w/key", FileAccess::read));
}

// The directory above those of lists is open for reading too, for lists that are made anew.
TEST_F(FenceTest, TheDirectoryAboveLists) {
    for (const char* directory : {"/w/deep", "/w/deep/lists", "/home/lists"})
        std::filesystem::create_directory(base_ + directory);
    std::string error;
    config_.list_uses.push_back(
        {0, lists_.host_file(make("/w/deep/lists/hosts"), &error), nullptr});
    EXPECT_TRUE(admits(base_ + "/w/deep/new", FileAccess::read));
    EXPECT_FALSE(admits(base_ + "/w/deep/new", FileAccess::update));
    EXPECT_FALSE(admits(base_ + "/w/new", FileAccess::read));
    // Not where homes are.
    config_.list_uses.push_back({0, lists_.host_file(make("/home/lists/hosts"), &error), nullptr});
    config_.list_uses.push_back({0, nullptr, lists_.net_file(make("/home/me/lua/nets"), &error)});
    EXPECT_TRUE(admits(base_ + "/home/lists/new", FileAccess::read));
    EXPECT_FALSE(admits(base_ + "/home/new", FileAccess::read));
    EXPECT_FALSE(admits(base_ + "/home/me/new", FileAccess::read));
    // Nor the root.
    config_.list_uses.push_back({0, lists_.host_file("/etc/hostname", &error), nullptr});
    EXPECT_FALSE(admits("/x", FileAccess::read));
    // Automatic lists are written where they are, no further.
    std::filesystem::create_directories(base_ + "/lists/a/b");
    ASSERT_NE(lists_.auto_host_file(base_ + "/lists/a/b/auto", &error), nullptr);
    EXPECT_TRUE(admits(base_ + "/lists/a/x", FileAccess::read));
    EXPECT_FALSE(admits(base_ + "/lists/a/x", FileAccess::update));
}

TEST_F(FenceTest, TheDebugFile) {
    ASSERT_TRUE(log::set_target_file(base_ + "/w/log"));
    EXPECT_TRUE(admits(base_ + "/w/log", FileAccess::update));
    log::set_target_none();
    EXPECT_FALSE(admits(base_ + "/w/log", FileAccess::read));
}

TEST_F(FenceTest, WritableAndAllowedPlaces) {
    setenv("WRITABLE", (base_ + "/w").c_str(), 1);
    EXPECT_FALSE(admits(base_ + "/w/x", FileAccess::read)) << "inherited from somewhere";
    config_.writable = true;
    EXPECT_TRUE(admits(base_ + "/w/x", FileAccess::full));
    config_.lua_allow = {base_ + "/lists", make("/file")};
    EXPECT_TRUE(admits(base_ + "/lists/x", FileAccess::full));
    EXPECT_TRUE(admits(base_ + "/file", FileAccess::update));
    EXPECT_FALSE(admits(base_ + "/other", FileAccess::read));
}

} // namespace
} // namespace nfqws2::app
