#include "nfqws2/protocol/name_hint.hpp"

#include "nfqws2/protocol/names.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

TEST(NameHint, Nearest) {
    EXPECT_EQ(l7_name_hint("quik"), " (unknown name 'quik', did you mean 'quic'?)");
    EXPECT_EQ(l7_name_hint("HTTP"), " (unknown name 'HTTP', did you mean 'http'?)");
    EXPECT_EQ(payload_name_hint("dns_querry"),
              " (unknown name 'dns_querry', did you mean 'dns_query'?)");
}

TEST(NameHint, NamesThatBeginLikeIt) {
    EXPECT_EQ(payload_name_hint("http"), " (unknown name 'http', there are http_req http_reply)");
    EXPECT_EQ(payload_name_hint("DNS"), " (unknown name 'DNS', there are dns_query dns_response)");
    EXPECT_EQ(payload_name_hint("mtproto"),
              " (unknown name 'mtproto', did you mean 'mtproto_initial'?)");
}

TEST(NameHint, NothingNear) {
    EXPECT_EQ(payload_name_hint("gopher_menu"), " (unknown name 'gopher_menu')");
    const std::string all = l7_name_hint("gopher_menu");
    for (unsigned i = 0; i < static_cast<unsigned>(L7::count); i++)
        EXPECT_NE(all.find(' ' + std::string(name(static_cast<L7>(i)))), std::string::npos) << i;
    EXPECT_NE(l7_name_hint("").find("empty"), std::string::npos);
}

} // namespace
} // namespace nfqws2::protocol::test
