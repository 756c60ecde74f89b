#include "tools/mdig/dns_message.hpp"

#include "nfqws2/base/text.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nfqws2::tools {
namespace {

std::string query_hex(std::string_view name, DnsType type = DnsType::a) {
    const auto query = make_dns_query(name, type);
    return query ? to_hex(*query) : "none";
}

TEST(DnsMessage, MakesQueries) {
    EXPECT_EQ(query_hex("iana.org"), "000001000001000000000000"
                                     "0469616e61036f7267000001"
                                     "0001");
    EXPECT_EQ(query_hex("iana.org", DnsType::aaaa), "000001000001000000000000"
                                                    "0469616e61036f726700001c"
                                                    "0001");
    EXPECT_EQ(query_hex("iana.org."), query_hex("iana.org"));
    EXPECT_EQ(query_hex("x"), "000001000001000000000000"
                              "01780000010001");
}

TEST(DnsMessage, KnowsTheShapeOfNames) {
    const std::string label63(63, 'a');
    const std::string name253 =
        label63 + '.' + label63 + '.' + label63 + '.' + std::string(61, 'a'); // 3 * 64 + 61
    EXPECT_TRUE(has_dns_shape("a.b"));
    EXPECT_TRUE(has_dns_shape("a.b."));
    EXPECT_TRUE(has_dns_shape(label63));
    EXPECT_TRUE(has_dns_shape(name253));
    EXPECT_TRUE(has_dns_shape(name253 + '.'));
    EXPECT_FALSE(has_dns_shape(name253 + 'a'));
    EXPECT_FALSE(has_dns_shape(label63 + 'a'));
    for (const char* bad : {"", ".", "..", "a..b", ".a", "a.."}) {
        EXPECT_FALSE(has_dns_shape(bad)) << bad;
        EXPECT_EQ(query_hex(bad), "none") << bad;
    }
    const auto longest = make_dns_query(name253, DnsType::a);
    ASSERT_TRUE(longest);
    EXPECT_EQ(longest->size(), 12U + 255 + 4);
}

const std::string header = "12348180000100030000000004"
                           "69616e61036f72670000010001";
const std::string header_of_two = "12348180000100020000000004"
                                  "69616e61036f72670000010001";
const std::string cname = "c00c000500010000003c000603777777c00c";
const std::string a_record = "c026000100010000003c0004c0002b08";
const std::string aaaa_record = "c026001c00010000003c0010"
                                "20010db8000000000000000000000005";

// "address,address,... ok" or "... error"
std::string parsed(const std::string& hex) {
    const auto bytes = from_hex(hex);
    if (!bytes) return "bad test data";
    std::string out;
    const bool ok = parse_dns_reply(*bytes, [&](const IpAddress& a) { out += a.text() + ' '; });
    return out + (ok ? "ok" : "error");
}

TEST(DnsMessage, ParsesTheExample) {
    const std::string reply = header + cname + a_record + aaaa_record;
    EXPECT_EQ(parsed(reply), "192.0.43.8 2001:db8::5 ok");
    EXPECT_EQ(parsed(reply.substr(0, reply.size() - 6)), "192.0.43.8 error");
    EXPECT_EQ(parsed(reply + "00ff"), "192.0.43.8 2001:db8::5 ok");
}

TEST(DnsMessage, RefusesWhatIsNoReply) {
    EXPECT_EQ(parsed(query_hex("iana.org")), "error");
    EXPECT_EQ(parsed(""), "error");
    EXPECT_EQ(parsed("12348180000000"), "error");
    EXPECT_EQ(parsed("1234818000000000000000"), "error"); // 11 bytes
}

TEST(DnsMessage, AcceptsEmptyAnswersWhateverTheCode) {
    EXPECT_EQ(parsed("123481800000000000000000"), "ok");
    EXPECT_EQ(parsed("12348183000100000000000004"
                     "69616e61036f72670000010001"),
              "ok");
}

TEST(DnsMessage, AcceptsUncompressedAndMixedNames) {
    const std::string plain = "0469616e61036f726700000100010000003c0004c0002b08";
    const std::string mixed = "03777777c00c000100010000003c0004c0002b09";
    const std::string root = "00000100010000003c0004c0002b0a";
    EXPECT_EQ(parsed(header + plain + mixed + root), "192.0.43.8 192.0.43.9 192.0.43.10 ok");
}

TEST(DnsMessage, SkipsOtherRecords) {
    const std::string chaos = "c00c000100030000003c0004c0002b08";
    const std::string odd_length = "c00c000100010000003c0005c0002b0800";
    const std::string odd_length6 = "c00c001c00010000003c0004c0002b08";
    EXPECT_EQ(parsed(header + chaos + odd_length + odd_length6), "ok");
}

TEST(DnsMessage, StopsAtStructuralErrors) {
    EXPECT_EQ(parsed(header_of_two + a_record), "192.0.43.8 error"); // one record missing
    EXPECT_EQ(parsed(header_of_two + a_record + "c0"), "192.0.43.8 error");
    EXPECT_EQ(parsed(header_of_two + a_record + "40"), "192.0.43.8 error"); // reserved label type
    EXPECT_EQ(parsed(header_of_two + a_record + "8001"), "192.0.43.8 error");
    EXPECT_EQ(parsed("123481800001000000000000"), "error");         // no question
    EXPECT_EQ(parsed("12348180000100000000000003616161"), "error"); // name without an end
    EXPECT_EQ(parsed("12348180000100000000000000000100"), "error"); // question cut
    EXPECT_EQ(parsed("1234818000000001000000003f"), "error");
}

TEST(DnsMessage, EveryCutOfAReplyIsSafe) {
    const std::string reply = header + cname + a_record + aaaa_record;
    for (std::size_t size = 0; size < reply.size(); size += 2)
        EXPECT_TRUE(parsed(reply.substr(0, size)).ends_with("error")) << size / 2;
}

} // namespace
} // namespace nfqws2::tools
