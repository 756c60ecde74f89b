#include "tools/mdig/mdig_ares.hpp"
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

TEST(Patience, IsThatOfResolvConf) {
    const auto of = [](std::string_view text) {
        const Patience patience = patience_of(text);
        return std::to_string(patience.timeout_s) + "x" + std::to_string(patience.attempts);
    };
    EXPECT_EQ(of(""), "5x2");
    EXPECT_EQ(of("nameserver 127.0.0.1\noptions timeout:2 attempts:1\n"), "2x1");
    EXPECT_EQ(of("options rotate timeout:1\r\n options\tattempts:3 edns0"), "1x3");
    EXPECT_EQ(of("options timeout:0 attempts:99\noptions timeout:7\n"), "7x5");
    EXPECT_EQ(of("#options timeout:1\noption timeout:1\noptions timeout:x attempts: timeout\n\n"),
              "5x2");
}

} // namespace
} // namespace nfqws2::tools
