#include "probe/job.hpp"

#include <gtest/gtest.h>

using namespace nfqws2::probe;

TEST(Job, IsRead) {
    const auto job = read_job("7 1 3 2048 192.0.2.1 curl_test_https_tls12 a.test/x?y=z 0x10\n");
    ASSERT_TRUE(job);
    EXPECT_EQ(job->index, 7U);
    EXPECT_EQ(job->first, 1U);
    EXPECT_EQ(job->last, 3U);
    EXPECT_EQ(job->port, 2048);
    EXPECT_EQ(job->address, "192.0.2.1");
    EXPECT_FALSE(job->ipv6());
    EXPECT_EQ(job->protocol, Protocol::tls12);
    EXPECT_EQ(job->place, "a.test/x?y=z");
    EXPECT_EQ(job->host(), "a.test");
    EXPECT_EQ(job->mark, 16U);
}

TEST(Job, NeedsNeitherPathNorMark) {
    const auto job = read_job("1 2 2 0 2001:db8::1 curl_test_http3 a.test");
    ASSERT_TRUE(job);
    EXPECT_TRUE(job->ipv6());
    EXPECT_EQ(job->host(), "a.test");
    EXPECT_EQ(job->mark, 0U);
    EXPECT_EQ(job->protocol, Protocol::http3);
}

TEST(Job, IsRefused) {
    for (const char* const line :
         {"", "\n", "1", "1 1 1 1 192.0.2.1 curl_test_http", "1 0 1 1 192.0.2.1 curl_test_http a",
          "1 2 1 1 192.0.2.1 curl_test_http a", "1 1 99999 1 192.0.2.1 curl_test_http a",
          "1 1 2 65535 192.0.2.1 curl_test_http a", "1 1 1 65536 192.0.2.1 curl_test_http a",
          "x 1 1 1 192.0.2.1 curl_test_http a", "1 1 1 1 192.0.2 curl_test_http a",
          "1 1 1 1 [::1] curl_test_http a", "1 1 1 1 192.0.2.1 curl_test a",
          "1 1 1 1 192.0.2.1 curl_test_http /x", "1 1 1 1 192.0.2.1 curl_test_http a x",
          "1 1 1 1 192.0.2.1 curl_test_http a 1 2", "-1 1 1 1 192.0.2.1 curl_test_http a",
          "1 1 1 1 192.0.2.1 curl_test_http a 0x",
          "1 1 1 1 192.0.2.1 curl_test_http a 0x100000000"}) {
        EXPECT_FALSE(read_job(line)) << line;
    }
}
