#include "ctl/serve/blockcheck.hpp"

#include "ctl/failure.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace nfqws2::ctl {
namespace {

Json tests_of(const Json& lines) {
    return shorten_blockcheck(Json{{"summary", lines}})["tests"];
}

TEST(Blockcheck, LinesOfATestAreJoined) {
    const Json tests = tests_of({"curl_test_http ipv4 a.test : nfqws2 --x=1 : --y",
                                 "curl_test_http ipv6 a.test : nfqws2 not working",
                                 "curl_test_http ipv4 a.test : nfqws2 --z",
                                 "curl_test_http3 ipv4 a.test/page : working without bypass",
                                 "curl_test_https_tls12 ipv4 a.test : test aborted, why"});
    ASSERT_EQ(tests.size(), 4U);
    EXPECT_EQ(tests[0], (Json{{"test", "http"},
                              {"ipv", 4},
                              {"domain", "a.test"},
                              {"state", "works"},
                              {"count", 2},
                              {"strategies", {"--x=1 : --y", "--z"}}}));
    EXPECT_EQ(tests[1]["state"], "fails");
    EXPECT_EQ(tests[1]["ipv"], 6);
    EXPECT_EQ(tests[2]["state"], "open");
    EXPECT_EQ(tests[2]["domain"], "a.test/page");
    EXPECT_EQ(tests[3]["state"], "aborted");
    EXPECT_EQ(tests[3]["text"], "test aborted, why");
}

TEST(Blockcheck, ManyStrategiesAreCounted) {
    Json lines = Json::array();
    for (int i = 0; i < 5000; i++)
        lines.push_back("curl_test_http ipv4 a.test : nfqws2 --x=" + std::to_string(i));
    const Json tests = tests_of(lines);
    EXPECT_EQ(tests[0]["count"], 5000);
    EXPECT_EQ(tests[0]["strategies"].size(), 20U);
    for (int i = 0; i < 5000; i++)
        lines.push_back("curl_test_http ipv4 " + std::to_string(i) + ".test : nfqws2 not working");
    EXPECT_EQ(tests_of(lines).size(), 1000U);
}

TEST(Blockcheck, CountsTellOfLinesThatAreNotThere) {
    const Json lines = {"curl_test_http ipv4 a.test : nfqws2 --x : y",
                        "curl_test_http ipv4 b.test : nfqws2 not working",
                        "curl_test_http ipv4 c.test : nfqws2 --x"};
    const Json tests = shorten_blockcheck(Json{{"summary", lines},
                                               {"counts",
                                                {{"curl_test_http ipv4 a.test", 7000},
                                                 {"curl_test_http ipv4 b.test", 5},
                                                 {"curl_test_http ipv4 c.test", "x"},
                                                 {"curl_test_http ipv4 d.test", 9}}}})["tests"];
    ASSERT_EQ(tests.size(), 3U);
    EXPECT_EQ(tests[0]["count"], 7000);
    EXPECT_EQ(tests[1]["count"], 0);
    EXPECT_EQ(tests[2]["count"], 1);
}

TEST(Blockcheck, AnythingMayStandThere) {
    EXPECT_EQ(tests_of(Json::array()), Json::array());
    EXPECT_EQ(tests_of({1, nullptr, "", "x", "a b c", "a ipv5 c : d", "a ipv4 c d"}),
              Json::array());
    const Json odd = shorten_blockcheck(Json{{"time", "x"},
                                             {"summary", 7},
                                             {"blocking", {1, Json{{"kind", 2}, {"ipv", "x"}}}},
                                             {"options", Json::array()}});
    EXPECT_EQ(odd["at"], 0);
    EXPECT_EQ(odd["options"], "");
    ASSERT_EQ(odd["blocking"].size(), 2U);
    EXPECT_EQ(odd["blocking"][1]["kind"], "");
    EXPECT_EQ(odd["blocking"][1]["ipv"], 0);
}

TEST(Blockcheck, TheFileMayBeMissingOrDamaged) {
    const auto path = std::filesystem::path(testing::TempDir()) / "blockcheck_test.json";
    std::filesystem::remove(path);
    EXPECT_EQ(last_blockcheck(path), (Json{{"result", nullptr}}));
    std::ofstream(path) << "{\"time\": 5}";
    EXPECT_EQ(last_blockcheck(path)["result"]["at"], 5);
    std::ofstream(path) << "{\"time\": 5";
    EXPECT_THROW(last_blockcheck(path), Failure);
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
    EXPECT_THROW(last_blockcheck(path), Failure);
    std::filesystem::remove(path);
}

TEST(Blockcheck, OnlyAFileOfSensibleSizeIsRead) {
    const auto path = std::filesystem::path(testing::TempDir()) / "blockcheck_test.json";
    std::filesystem::remove(path);
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_THROW(last_blockcheck(path), Failure); // and nobody waits for a writer
    std::filesystem::remove(path);
    std::ofstream(path) << "{\"time\": 5}" << std::string((4 << 20) - 11, ' ');
    EXPECT_EQ(last_blockcheck(path)["result"]["at"], 5);
    std::ofstream(path, std::ios::app) << ' ';
    EXPECT_THROW(last_blockcheck(path), Failure);
    std::filesystem::remove(path);
}

} // namespace
} // namespace nfqws2::ctl
