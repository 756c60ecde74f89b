#include "nfqws2/protocol/http.hpp"

#include "nfqws2/protocol/hostname.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol {
namespace {

using namespace std::string_literals;

TEST(HttpRequest, MinimumIsSixteenBytes) {
    EXPECT_TRUE(is_http_request(as_bytes("GET / HTTP/1.1\r\n")));
    EXPECT_FALSE(is_http_request(as_bytes("GET / HTTP/1.1\r")));
    EXPECT_TRUE(is_http_request(as_bytes("GET / HTTP/1.xyz")));
}

TEST(HttpRequest, MethodList) {
    for (const char* m :
         {"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "CONNECT", "TRACE", "PATCH"})
        EXPECT_TRUE(is_http_request(as_bytes(m + " / HTTP/1.1\r\n\r\n"s))) << m;
    for (const char* m : {"get", "Get", "PROPPATCH", "PRI", "GE", "GETS", "", "\r\nGET", "GET\t"})
        EXPECT_FALSE(is_http_request(as_bytes(m + " / HTTP/1.1\r\n\r\n"s))) << m;
}

TEST(HttpRequest, TokensAndVersion) {
    EXPECT_TRUE(is_http_request(as_bytes("GET \t/ \t HTTP/1.9abc")));
    EXPECT_FALSE(is_http_request(as_bytes("GET /\r\nHTTP/1.1\r\n\r\n")));
    EXPECT_FALSE(is_http_request(as_bytes("GET / http/1.1\r\n\r\n")));
    EXPECT_FALSE(is_http_request(as_bytes("GET / HTTP/2.0\r\n\r\n")));
    EXPECT_FALSE(is_http_request(as_bytes("GET / \r\nHTTP/1.1\r\n")));
    EXPECT_FALSE(is_http_request(as_bytes("GET ")));
    EXPECT_FALSE(is_http_request(as_bytes("GET /")));
    EXPECT_FALSE(is_http_request(as_bytes("GET / ")));
    EXPECT_FALSE(is_http_request({}));
}

TEST(HttpReply, Signature) {
    EXPECT_TRUE(is_http_reply(as_bytes("HTTP/1.0 999abc")));
    EXPECT_FALSE(is_http_reply(as_bytes("HTTP/1.0 999ab")));
    EXPECT_FALSE(is_http_reply(as_bytes("HTTP/1.2 200 OK\r\n")));
    EXPECT_FALSE(is_http_reply(as_bytes("HTTP/1.1\t200 OK\r\n")));
    EXPECT_FALSE(is_http_reply(as_bytes("HTTP/1.1 20x OK\r\n")));
    EXPECT_FALSE(is_http_reply(as_bytes("http/1.1 200 OK\r\n")));
}

TEST(HttpReply, Status) {
    EXPECT_EQ(http_reply_status(as_bytes("HTTP/1.1 302 Found\r\n")), 302);
    EXPECT_EQ(http_reply_status(as_bytes("HTTP/1.1 007 x\r\n")), 7);
    EXPECT_EQ(http_reply_status(as_bytes("nothing at all")), 0);
}

TEST(HttpHeader, FirstOccurrenceInAnyCase) {
    const auto data = "GET / HTTP/1.1\r\nX-Host: a\r\nHOST:\t One.Example \r\nhost: two\r\n"s;
    EXPECT_EQ(http_header_value(as_bytes(data), "Host"), "one.example");
    EXPECT_EQ(http_header_value(as_bytes(data), "X-Host"), "a");
    EXPECT_FALSE(http_header_value(as_bytes(data), "Location"));
    EXPECT_FALSE(http_header_value(as_bytes("Host: first line"), "Host"));
    EXPECT_EQ(http_header_value(as_bytes("x\nHost:a"), "Host"), "a");
    EXPECT_FALSE(http_header_value(as_bytes("x\nHost"), "Host"));
    EXPECT_FALSE(http_header_value(as_bytes("x\nHost:"), "Host"));
    EXPECT_FALSE(http_header_value(as_bytes("x\nHost : a"), "Host"));
}

TEST(HttpHeader, IsFoundInTheBody) {
    EXPECT_EQ(http_host(as_bytes("POST / HTTP/1.1\r\n\r\nx\nHost: body.example\r\n")),
              "body.example");
}

TEST(HttpHeader, ValueEndsAtNul) {
    EXPECT_EQ(http_host(as_bytes("x\nHost: ab\0cd\r\n"s)), "ab");
    EXPECT_FALSE(http_host(as_bytes("x\nHost: \0cd\r\n"s)));
}

struct HostCase {
    std::string value;
    std::optional<std::string> host;
    bool is_ip = false;
};

TEST(HttpHost, TableOfValues) {
    const HostCase cases[] = {
        {" www.Example.COM", "www.example.com"},
        {"\t example.org:8080 ", "example.org"},
        {" a:80", "a"},
        {" :80", ""},
        {" :", ":"},
        {" [2001:DB8::1]:8080", "2001:db8::1", true},
        {" 2001:db8::5", "2001:db8::5", true},
        {" ::1:80", "::1:80", true},
        {" [bad]:1", "bad"},
        {" [::1", "[::1"},
        {" []", ""},
        {" [1.2.3.4]", "1.2.3.4"},
        {" 192.0.2.7:81", "192.0.2.7", true},
        {" 01.2.3.4", "01.2.3.4"},
        {" 1.2.3", "1.2.3"},
        {" fe80::1%eth0", "fe80"},
        {" u@ex.example:1", "u@ex.example"},
        {" dot.example.", "dot.example."},
        {" ex ample", "ex"},
        {" " + std::string(309, 'x'), std::string(255, 'x')},
        {"", std::nullopt},
        {" \t ", std::nullopt},
    };
    for (const HostCase& c : cases) {
        const auto raw = http_host(as_bytes("GET / HTTP/1.1\r\nHost:" + c.value + "\r\n\r\n"));
        ASSERT_EQ(raw.has_value(), c.host.has_value()) << c.value;
        if (!raw) continue;
        const HostName host = normalise_host(*raw);
        EXPECT_EQ(host.name, *c.host) << c.value;
        EXPECT_EQ(host.is_ip, c.is_ip) << c.value;
    }
}

bool redirects(std::string_view host, int status, const std::string& location) {
    const std::string reply = "HTTP/1.1 " + std::to_string(status) + " Moved\r\nServer: x\r\n" +
                              (location.empty() ? "" : "Location: " + location + "\r\n") + "\r\n";
    return is_foreign_redirect(as_bytes(reply), host);
}

TEST(HttpRedirect, ForeignOnes) {
    EXPECT_TRUE(redirects("www.a.example", 302, "http://other.net/x"));
    EXPECT_TRUE(redirects("www.a.example", 307, "https://other.net/x"));
    EXPECT_TRUE(redirects("www.a.example", 302, "HTTP://OTHER.NET/"));
    EXPECT_TRUE(redirects("www.a.example", 302, "http://other.net"));
    EXPECT_TRUE(redirects("intranet", 302, "http://other.net/x"));
    EXPECT_TRUE(redirects("www.a.example", 302, "http://192.0.2.1/"));
    EXPECT_TRUE(redirects("192.0.2.1", 302, "http://other.net/"));
}

TEST(HttpRedirect, HarmlessOnes) {
    EXPECT_FALSE(redirects("www.a.example", 301, "http://other.net/x"));
    EXPECT_FALSE(redirects("www.a.example", 308, "http://other.net/x"));
    EXPECT_FALSE(redirects("www.a.example", 302, "https://b.a.EXAMPLE/x"));
    EXPECT_FALSE(redirects("a.co.uk", 302, "http://b.co.uk/"));
    for (const char* location : {"/local", "//other.net/", "http://localhost/", "http:///x", "",
                                 "ftp://other.net/", "http://[2001:db8::1]/"})
        EXPECT_FALSE(redirects("www.a.example", 302, location)) << location;
    EXPECT_FALSE(redirects("", 302, "http://other.net/"));
    EXPECT_FALSE(is_foreign_redirect(as_bytes("GET / HTTP/1.1\r\n\r\n"), "a.example"));
}

// Port, credentials and query are no part of the domain; addresses are compared as a whole.
TEST(HttpRedirect, ComparesDomainsOnly) {
    EXPECT_FALSE(redirects("www.a.example", 302, "http://a.example:8080/x"));
    EXPECT_FALSE(redirects("www.a.example", 302, "http://a.example?x"));
    EXPECT_FALSE(redirects("www.a.example", 302, "http://a.example#x"));
    EXPECT_FALSE(redirects("www.a.example", 302, "http://user@a.example/"));
    EXPECT_FALSE(redirects("www.a.example", 302, "http://user:pw@a.example:1/"));
    EXPECT_TRUE(redirects("www.a.example", 302, "http://a.example@other.net/"));
    EXPECT_TRUE(redirects("192.0.2.1", 302, "http://198.51.2.1/"));
    EXPECT_FALSE(redirects("192.0.2.1", 302, "http://192.0.2.1:8080/"));
}

} // namespace
} // namespace nfqws2::protocol
