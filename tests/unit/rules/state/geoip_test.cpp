// Countries of addresses from a database that tests/tools/mmdb.py has made:
// 10.0.0.0/8=RU/EU 192.0.2.0/24=US/NA 2001:db8::/32=DE
#include "nfqws2/rules/state/geoip.hpp"

#include "../../places.hpp"

#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace nfqws2::rules {
namespace {

IpAddress address(const char* text) {
    return *IpAddress::parse(text);
}

class Geo : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string why;
        if (!GeoDatabases::available(&why)) GTEST_SKIP() << why;
    }
    const std::string file = nfqws2::test::in_data("rules/places.mmdb");
};

TEST_F(Geo, PlacesAreFound) {
    GeoDatabases databases;
    std::string error;
    ASSERT_TRUE(databases.add(file, &error)) << error;
    EXPECT_GT(databases.memory(), 0U);
    EXPECT_EQ("RU", databases.find(address("10.1.2.3")).country.text());
    EXPECT_EQ("EU", databases.find(address("10.1.2.3")).continent.text());
    EXPECT_EQ("US", databases.find(address("192.0.2.255")).country.text());
    EXPECT_EQ("DE", databases.find(address("2001:db8::1")).country.text());
    EXPECT_FALSE(databases.find(address("2001:db8::1")).continent);
    EXPECT_FALSE(databases.find(address("192.0.3.0")).country);
    EXPECT_FALSE(databases.find(address("2001:db9::1")).country);
}

// The process may not open it itself any more.
TEST_F(Geo, AnOpenFileIsTaken) {
    GeoDatabases databases;
    std::string error;
    ASSERT_TRUE(databases.add("/no/such/file", &error,
                              FileDescriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC))))
        << error;
    EXPECT_EQ("RU", databases.find(address("10.1.2.3")).country.text());
}

TEST_F(Geo, WhatIsNoDatabaseIsRefused) {
    GeoDatabases databases;
    std::string error;
    EXPECT_FALSE(databases.add("/no/such/file", &error));
    EXPECT_EQ("/no/such/file: No such file or directory", error);
    const std::string path = "/tmp/nfqws2-geo-" + std::to_string(getpid());
    std::ofstream(path) << "nonsense";
    EXPECT_FALSE(databases.add(path, &error));
    EXPECT_EQ(0U, error.find(path + ": not a MaxMind database: ")) << error;
    std::remove(path.c_str());
    EXPECT_TRUE(databases.empty());
}

// A mapping of the file itself would end the process here.
TEST_F(Geo, AFileThatIsCutOffLaterDoesNotMatter) {
    const std::string path = "/tmp/nfqws2-geo-" + std::to_string(getpid());
    std::ofstream(path, std::ios::binary) << std::ifstream(file, std::ios::binary).rdbuf();
    GeoDatabases databases;
    std::string error;
    ASSERT_TRUE(databases.add(path, &error)) << error;
    ASSERT_EQ(0, truncate(path.c_str(), 0));
    EXPECT_EQ("RU", databases.find(address("10.1.2.3")).country.text());
    std::remove(path.c_str());
}

TEST_F(Geo, ACacheForgetsWithItsDatabases) {
    const auto with = std::make_shared<GeoDatabases>();
    std::string error;
    ASSERT_TRUE(with->add(file, &error)) << error;
    GeoCache cache(SipKey{1, 2});
    EXPECT_EQ("RU", cache.find(with, address("10.1.2.3")).country.text());
    EXPECT_EQ("RU", cache.find(with, address("10.1.2.3")).country.text());
    EXPECT_FALSE(cache.find(std::make_shared<GeoDatabases>(), address("10.1.2.3")).country);
}

TEST(GeoCode, TwoCapitalLetters) {
    EXPECT_EQ("RU", GeoCode::of("RU").text());
    for (const char* bad : {"", "R", "ru", "RUS", "R1"})
        EXPECT_FALSE(GeoCode::of(bad)) << bad;
    EXPECT_TRUE(is_country_code(GeoCode::of("XK")));
    EXPECT_FALSE(is_country_code(GeoCode::of("QQ")));
    EXPECT_TRUE(is_continent_code(GeoCode::of("AN")));
    EXPECT_FALSE(is_continent_code(GeoCode::of("RU")));
}

} // namespace
} // namespace nfqws2::rules
