#include "nfqws2/protocol/dns.hpp"

#include "samples.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

using Found = std::vector<std::pair<std::string, std::string>>;

Found harvest(const Buffer& message) {
    Found found;
    harvest_dns(message, [&](const IpAddress& address, std::string_view name) {
        found.emplace_back(address.text(), name);
    });
    return found;
}

Buffer message(std::string_view question, std::string_view answers, unsigned count) {
    Buffer data = hex("1234 8180 0001 0000 0000 0000");
    data[7] = static_cast<std::uint8_t>(count);
    for (const std::string_view part : {question, answers}) {
        const Buffer more = hex(part);
        data.insert(data.end(), more.begin(), more.end());
    }
    return data;
}

constexpr const char* question_a = "03 575757 07 4578616d706c65 03 636f6d 00 0001 0001";
constexpr const char* answer_a = "c00c 0001 0001 00000000 0004 0a630102";

TEST(DnsQuery, Signature) {
    const Buffer good = hex("ffff 01ff 0001 0000 0000 0003");
    EXPECT_TRUE(is_dns_query(good));
    EXPECT_FALSE(is_dns_query(Bytes(good).first(11)));
    for (const auto& [at, value] : {std::pair{2, 0x80},
                                    {2, 0x08},
                                    {2, 0x04},
                                    {2, 0x02},
                                    {4, 1},
                                    {5, 0},
                                    {5, 2},
                                    {7, 1},
                                    {9, 1},
                                    {11, 4},
                                    {10, 1}}) {
        Buffer bad = good;
        bad[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(value);
        EXPECT_FALSE(is_dns_query(bad)) << at << " " << value;
    }
}

TEST(DnsResponse, Signature) {
    const Buffer good = hex("ffff 87ff 0001 0064 0064 0064");
    EXPECT_TRUE(is_dns_response(good));
    EXPECT_FALSE(is_dns_response(Bytes(good).first(11)));
    for (const auto& [at, value] :
         {std::pair{2, 0x07}, {2, 0x88}, {5, 0}, {5, 2}, {7, 101}, {9, 101}, {11, 101}, {10, 1}}) {
        Buffer bad = good;
        bad[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(value);
        EXPECT_FALSE(is_dns_response(bad)) << at << " " << value;
    }
}

TEST(DnsHarvest, AddressBelongsToTheQuestion) {
    EXPECT_EQ(harvest(message(question_a, answer_a, 1)), (Found{{"10.99.1.2", "www.example.com"}}));
}

TEST(DnsHarvest, CnameChainMapsToTheAskedName) {
    const std::string answers = "c00c 0005 0001 00000000 0007 0465646765 c010"
                                "0465646765 c010 0001 0001 00000000 0004 0a630102"
                                "00 001c 0001 00000000 0010 fd990001000000000000000000000002";
    EXPECT_EQ(harvest(message(question_a, answers, 3)),
              (Found{{"10.99.1.2", "www.example.com"}, {"fd99:1::2", "www.example.com"}}));
}

TEST(DnsHarvest, OtherRecordsAreSkipped) {
    const std::string answers = "c00c 0001 0003 00000000 0004 01010101" // class CHAOS
                                "c00c 0001 0001 00000000 0003 010101"   // wrong length
                                "c00c 001c 0001 00000000 0004 01010101" // wrong length
                                "c00c 0010 0001 00000000 0002 0161"     // TXT
                                "c00c 0001 0001 00000000 0004 0a630102";
    EXPECT_EQ(harvest(message(question_a, answers, 5)), (Found{{"10.99.1.2", "www.example.com"}}));
}

TEST(DnsHarvest, MalformedTailKeepsWhatCameBefore) {
    for (const char* tail : {"c0", "c00c 0001 0001 00000000 0004 0a6301", "c00c 0001 0001",
                             "80 00 0001 0001 00000000 0004 0a630103", "3f 61", ""})
        EXPECT_EQ(harvest(message(question_a, std::string(answer_a) + tail, 9)).size(), 1U) << tail;
}

TEST(DnsHarvest, QuestionByPointer) {
    // The name lies in the first answer's owner.
    const std::string answers = "0161 0162 00 0001 0001 00000000 0004 01020304";
    EXPECT_EQ(harvest(message("c012 0001 0001", answers, 1)), (Found{{"1.2.3.4", "a.b"}}));
    EXPECT_TRUE(harvest(message("c00c 0001 0001", answers, 1)).empty()); // points to itself
    EXPECT_TRUE(harvest(message("ffff 0001 0001", answers, 1)).empty());
    EXPECT_TRUE(harvest(message("0161 c012 0001 0001", answers, 1)).empty()); // after a label
}

TEST(DnsHarvest, QuestionsThatGiveUp) {
    for (const char* question :
         {"00 0001 0001", "0161 00 0002 0001", "0161 00 0001 0003", "0161 00 0001 8001", "0161 00",
          "0161 00 0001 00", "0a61", "41 61 00 0001 0001", ""})
        EXPECT_TRUE(harvest(message(question, answer_a, 1)).empty()) << question;
    EXPECT_EQ(harvest(message("0161 00 001c 0001", answer_a, 1)).size(), 1U);
    EXPECT_TRUE(harvest(message(question_a, answer_a, 0)).empty());
    EXPECT_TRUE(harvest(hex("00")).empty());
}

// Labels of 63, 63, 63 and n characters and three dots: 192 + n.
std::string long_question(unsigned last) {
    std::string question;
    for (const unsigned size : {63U, 63U, 63U, last})
        question += format("%02x", size) + to_hex(Buffer(size, 'X'));
    return question + "00 0001 0001";
}

TEST(DnsHarvest, NameOfAtMost254Characters) {
    for (const unsigned last : {61U, 62U}) {
        const Found found =
            harvest(message(long_question(last), "00 0001 0001 00000000 0004 01020304", 1));
        ASSERT_EQ(found.size(), 1U);
        EXPECT_EQ(found[0].second.size(), 192 + last);
        EXPECT_EQ(found[0].second.front(), 'x');
    }
    EXPECT_TRUE(
        harvest(message(long_question(63), "00 0001 0001 00000000 0004 01020304", 1)).empty());
}

} // namespace
} // namespace nfqws2::protocol::test
