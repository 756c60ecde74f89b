#include "nfqws2/sandbox/privileges.hpp"

#include "in_child.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <pwd.h>
#include <sstream>
#include <sys/prctl.h>

namespace nfqws2::sandbox {
namespace {

using test::ChildResult;
using test::in_child;

void write_status(int out) {
    std::ifstream file("/proc/self/status");
    std::stringstream text;
    text << file.rdbuf();
    const std::string s = text.str() + "Running: " + running_as() + "\n";
    if (write(out, s.data(), s.size()) < 0) _exit(99);
}

std::map<std::string, std::string> fields(const std::string& text) {
    std::map<std::string, std::string> out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos) continue;
        std::string value = line.substr(colon + 1);
        while (!value.empty() && (value.front() == ' ' || value.front() == '\t'))
            value.erase(0, 1);
        while (!value.empty() && value.back() == ' ')
            value.pop_back();
        out[line.substr(0, colon)] = value;
    }
    return out;
}

// Becomes `identity` as start-up does and tells what the process looks like then.
ChildResult dropped(const Identity& identity, KeptCapabilities keep = KeptCapabilities::network) {
    return in_child([&](int out) {
        if (!change_identity(identity)) return 1;
        if (!drop_capabilities(keep)) return 2;
        write_status(out);
        return 0;
    });
}

#define NEEDS_ROOT()                                                                               \
    if (!can_change_identity()) GTEST_SKIP() << "needs CAP_SETUID and CAP_SETGID"

TEST(Privileges, DefaultIdentityAndNetworkCapabilities) {
    NEEDS_ROOT();
    const ChildResult r = dropped({});
    ASSERT_EQ(r.status, 0);
    auto f = fields(r.output);
    EXPECT_EQ(f["Uid"], "2147483647\t2147483647\t2147483647\t2147483647");
    EXPECT_EQ(f["Gid"], "2147483647\t2147483647\t2147483647\t2147483647");
    EXPECT_EQ(f["Groups"], "2147483647");
    EXPECT_EQ(f["CapPrm"], "0000000000003000");
    EXPECT_EQ(f["CapEff"], "0000000000003000");
    EXPECT_EQ(f["CapInh"], "0000000000000000");
    EXPECT_EQ(f["CapBnd"], "0000000000000000");
    EXPECT_EQ(f["CapAmb"], "0000000000000000");
    EXPECT_EQ(f["Running"], "Running as UID=2147483647 GID=2147483647");
}

TEST(Privileges, OfflineKeepsNothing) {
    NEEDS_ROOT();
    auto f = fields(dropped({}, KeptCapabilities::none).output);
    EXPECT_EQ(f["CapPrm"], "0000000000000000");
    EXPECT_EQ(f["CapEff"], "0000000000000000");
    EXPECT_EQ(f["CapBnd"], "0000000000000000");
}

TEST(Privileges, GivenGroupsArePrimaryAndSupplementary) {
    NEEDS_ROOT();
    auto f = fields(dropped({12345, {300, 100, 200}, ""}).output);
    EXPECT_EQ(f["Uid"], "12345\t12345\t12345\t12345");
    EXPECT_EQ(f["Gid"], "300\t300\t300\t300");
    EXPECT_EQ(f["Groups"], "100 200 300");
    EXPECT_EQ(f["Running"], "Running as UID=12345 GID=100,200,300");
}

TEST(Privileges, UserTakesItsOwnGroups) {
    NEEDS_ROOT();
    const passwd* entry = getpwnam("nobody");
    if (entry == nullptr) GTEST_SKIP() << "no user nobody";
    auto f = fields(dropped({entry->pw_uid, {entry->pw_gid}, "nobody"}).output);
    EXPECT_EQ(f["Uid"].substr(0, f["Uid"].find('\t')), std::to_string(entry->pw_uid));
    EXPECT_EQ(f["Groups"], std::to_string(entry->pw_gid));
}

TEST(Privileges, UidZeroStillLosesTheOtherCapabilities) {
    NEEDS_ROOT();
    auto f = fields(dropped({0, {0}, ""}).output);
    EXPECT_EQ(f["Uid"], "0\t0\t0\t0");
    EXPECT_EQ(f["CapEff"], "0000000000003000");
    EXPECT_EQ(f["CapPrm"], "0000000000003000");
    EXPECT_EQ(f["CapBnd"], "0000000000000000");
}

TEST(Privileges, SecureBitsAreLocked) {
    NEEDS_ROOT();
    const ChildResult r = in_child([](int) {
        if (!change_identity({0, {0}, ""}) || !drop_capabilities(KeptCapabilities::network))
            return 1;
        constexpr int noroot_and_its_lock = 3, keep_caps_lock = 1 << 5, no_ambient_raise = 3 << 6;
        const int wanted = noroot_and_its_lock | keep_caps_lock | no_ambient_raise;
        if (prctl(PR_GET_SECUREBITS) != wanted) return 2;
        return prctl(PR_SET_SECUREBITS, 0L) == 0 || prctl(PR_SET_KEEPCAPS, 1L) == 0 ? 3 : 0;
    });
    EXPECT_EQ(r.status, 0);
}

TEST(Privileges, NewProgramsGetNoMore) {
    const ChildResult r = in_child([](int) {
        return forbid_new_privileges() && prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 1 ? 0 : 1;
    });
    EXPECT_EQ(r.status, 0);
}

TEST(Privileges, CannotComeBack) {
    NEEDS_ROOT();
    const ChildResult r = in_child([](int) {
        if (!change_identity({}) || !drop_capabilities(KeptCapabilities::network)) return 1;
        if (can_change_identity()) return 2;
        return setuid(0) == 0 || setgid(0) == 0 ? 3 : 0;
    });
    EXPECT_EQ(r.status, 0);
}

TEST(Privileges, FailuresAreReported) {
    NEEDS_ROOT();
    EXPECT_EQ(dropped({4294967295U, {1}, ""}).status, 1); // setuid(-1): Invalid argument
    EXPECT_EQ(dropped({1, {}, ""}).status, 1);
    const ChildResult second = in_child([](int) {
        if (!change_identity({}) || !drop_capabilities(KeptCapabilities::none)) return 1;
        return change_identity({1, {1}, ""}) ? 2 : 0;
    });
    EXPECT_EQ(second.status, 0);
    const ChildResult without = in_child([](int) {
        if (!change_identity({}) || !drop_capabilities(KeptCapabilities::none)) return 1;
        if (drop_capabilities(KeptCapabilities::network)) return 2; // nothing to keep: fatal
        return drop_capabilities(KeptCapabilities::none) ? 0 : 3;   // offline: nothing is needed
    });
    EXPECT_EQ(without.status, 0);
}

// Without SETPCAP the bounding set is left alone and the kept set stays.
TEST(Privileges, RepeatedDropIsHarmless) {
    NEEDS_ROOT();
    const ChildResult r = in_child([](int out) {
        if (!change_identity({}) || !drop_capabilities(KeptCapabilities::network)) return 1;
        if (!drop_capabilities(KeptCapabilities::network)) return 2;
        write_status(out);
        return 0;
    });
    EXPECT_EQ(r.status, 0);
    EXPECT_EQ(fields(r.output)["CapEff"], "0000000000003000");
}

} // namespace
} // namespace nfqws2::sandbox
