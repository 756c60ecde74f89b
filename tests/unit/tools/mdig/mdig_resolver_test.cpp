#include "tools/mdig/mdig_resolver.hpp"

#include <gtest/gtest.h>

#include <netdb.h>

namespace nfqws2::tools {
namespace {

// Numeric names need no network and no hosts file.
TEST(MdigResolver, ResolvesNumericNames) {
    SystemResolver resolver;
    std::vector<IpAddress> addresses;
    EXPECT_EQ(resolver.resolve("127.1", {true, false}, addresses), 0);
    ASSERT_EQ(addresses.size(), 1U);
    EXPECT_EQ(addresses[0].text(), "127.0.0.1");

    addresses.clear();
    EXPECT_EQ(resolver.resolve("::1", {true, true}, addresses), 0);
    ASSERT_EQ(addresses.size(), 1U);
    EXPECT_EQ(addresses[0].text(), "::1");

    addresses.clear();
    EXPECT_NE(resolver.resolve("127.1", {false, true}, addresses), 0);
    EXPECT_TRUE(addresses.empty());
}

TEST(MdigResolver, NamesTheErrors) {
    EXPECT_STREQ(eai_name(EAI_NONAME), "EAI_NONAME");
    EXPECT_STREQ(eai_name(EAI_AGAIN), "EAI_AGAIN");
    EXPECT_STREQ(eai_name(EAI_BADFLAGS), "EAI_BADFLAGS");
    EXPECT_STREQ(eai_name(EAI_FAIL), "EAI_FAIL");
    EXPECT_STREQ(eai_name(EAI_MEMORY), "EAI_MEMORY");
    EXPECT_STREQ(eai_name(EAI_FAMILY), "EAI_FAMILY");
    EXPECT_STREQ(eai_name(EAI_SERVICE), "EAI_SERVICE");
    EXPECT_STREQ(eai_name(EAI_SOCKTYPE), "EAI_SOCKTYPE");
    EXPECT_STREQ(eai_name(EAI_SYSTEM), "EAI_SYSTEM");
#ifdef __GLIBC__
    EXPECT_STREQ(eai_name(-5), "EAI_NODATA");
    EXPECT_STREQ(eai_name(-9), "EAI_ADDRFAMILY");
#endif
    EXPECT_STREQ(eai_name(12345), "UNKNOWN");
}

} // namespace
} // namespace nfqws2::tools
