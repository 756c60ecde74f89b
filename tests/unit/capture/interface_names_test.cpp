#include "nfqws2/capture/interface_names.hpp"

#include "net_lab.hpp"

#include <thread>

namespace nfqws2::capture {
namespace {

class InterfaceNamesTest : public test::NetLab {
  protected:
    static void wait_for_the_next_check() {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    static std::string quietly(InterfaceNames& names, std::uint32_t index, std::string* errors) {
        testing::internal::CaptureStderr();
        std::string name(names.name(index));
        *errors = testing::internal::GetCapturedStderr();
        return name;
    }
};

TEST_F(InterfaceNamesTest, KnowsSeveralAndNone) {
    InterfaceNames names;
    names.open();
    const unsigned lo = if_nametoindex("lo"), nq0 = if_nametoindex("nq0");
    for (unsigned round = 0; round < 2; round++) {
        EXPECT_EQ(names.name(0), "");
        EXPECT_EQ(names.name(lo), "lo");
        EXPECT_EQ(names.name(nq0), "nq0");
    }
}

TEST_F(InterfaceNamesTest, AnUnknownIndexIsReportedOnce) {
    InterfaceNames names;
    names.open();
    std::string errors;
    EXPECT_EQ(quietly(names, 9999, &errors), "");
    EXPECT_NE(errors.find("9999"), std::string::npos);
    names.name(1);
    names.name(if_nametoindex("nq0"));
    EXPECT_EQ(quietly(names, 9999, &errors), "");
    EXPECT_EQ(errors, "");
}

TEST_F(InterfaceNamesTest, FollowsRenamingRemovalAndCreation) {
    InterfaceNames names;
    names.open();
    const unsigned nq0 = if_nametoindex("nq0");
    names.refresh();
    EXPECT_EQ(names.name(nq0), "nq0");
    ASSERT_TRUE(test::shell("ip link set nq0 down") && test::shell("ip link set nq0 name renamed"));
    wait_for_the_next_check();
    names.refresh();
    EXPECT_EQ(names.name(nq0), "renamed");

    ASSERT_TRUE(test::shell("ip link del renamed"));
    wait_for_the_next_check();
    names.refresh();
    std::string errors;
    EXPECT_EQ(quietly(names, nq0, &errors), "");

    ASSERT_TRUE(test::shell("ip link add name born index " + std::to_string(nq0) + " type dummy") ||
                test::shell("ip link add name born index " + std::to_string(nq0) +
                            " type veth peer name born2"));
    wait_for_the_next_check();
    names.refresh();
    EXPECT_EQ(names.name(nq0), "born");
}

// Without the kernel's events an entry must not live long.
TEST_F(InterfaceNamesTest, WorksWithoutEvents) {
    InterfaceNames names;
    const unsigned nq0 = if_nametoindex("nq0");
    names.refresh();
    EXPECT_EQ(names.name(nq0), "nq0");
    ASSERT_TRUE(test::shell("ip link set nq0 down") && test::shell("ip link set nq0 name renamed"));
    EXPECT_EQ(names.name(nq0), "nq0");
    wait_for_the_next_check();
    names.refresh();
    EXPECT_EQ(names.name(nq0), "renamed");
}

} // namespace
} // namespace nfqws2::capture
