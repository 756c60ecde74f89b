#include "nfqws2/protocol/xmpp.hpp"

#include <gtest/gtest.h>
#include <string>

namespace nfqws2::protocol {
namespace {

TEST(Xmpp, StreamTag) {
    EXPECT_TRUE(is_xmpp_stream(as_bytes("<stream:stream x")));
    EXPECT_FALSE(is_xmpp_stream(as_bytes("<stream:stream ")));
    EXPECT_FALSE(is_xmpp_stream(as_bytes("<stream:stream>x")));
    EXPECT_FALSE(is_xmpp_stream(as_bytes("<STREAM:stream x")));
    EXPECT_FALSE(is_xmpp_stream({}));
}

TEST(Xmpp, StreamBehindXmlDeclaration) {
    EXPECT_TRUE(is_xmpp_stream(as_bytes("<?xml version='1.0'?><stream:stream ")));
    EXPECT_TRUE(is_xmpp_stream(as_bytes("<?xml version='1.0'?>\n\n<stream:stream to='x'>")));
    EXPECT_FALSE(is_xmpp_stream(as_bytes("<?xml version='1.0'?><stream:stream")));
    EXPECT_FALSE(is_xmpp_stream(as_bytes("<?xml version='1.0'><stream:stream xxxxxx")));
    EXPECT_FALSE(is_xmpp_stream(as_bytes("<?xmlxversion='1.0'?><stream:stream ")));
}

TEST(Xmpp, OtherTags) {
    EXPECT_TRUE(is_xmpp_starttls(as_bytes("<starttls ")));
    EXPECT_FALSE(is_xmpp_starttls(as_bytes("<starttls")));
    EXPECT_FALSE(is_xmpp_starttls(as_bytes("<starttls>x")));
    EXPECT_TRUE(is_xmpp_proceed(as_bytes("<proceed ")));
    EXPECT_FALSE(is_xmpp_proceed(as_bytes("<proceed")));
    EXPECT_FALSE(is_xmpp_proceed(as_bytes("<proceed>x")));
    EXPECT_TRUE(is_xmpp_features(as_bytes("<stream:features>")));
    EXPECT_FALSE(is_xmpp_features(as_bytes("<stream:features")));
    EXPECT_FALSE(is_xmpp_features(as_bytes("<stream:feature >")));
}

} // namespace
} // namespace nfqws2::protocol
