#include "nfqws2/protocol/marker.hpp"

#include "hello_builder.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

using Positions = std::vector<std::size_t>;
constexpr auto none = std::optional<std::size_t>{};

std::optional<std::size_t> at(Bytes data, Payload type, std::string_view marker) {
    return resolve(data, type, parse_marker(marker).value());
}
Positions all_at(Bytes data, Payload type, std::string_view list) {
    return resolve_all(data, type, parse_marker_list(list).value());
}

struct Grammar {
    const char* text;
    Anchor anchor;
    int offset;
};

TEST(Marker, Grammar) {
    const Grammar rows[] = {
        {"10abc", Anchor::abs, 10},
        {"+", Anchor::abs, 0},
        {"-", Anchor::abs, 0},
        {"+-3", Anchor::abs, 0},
        {"abs", Anchor::abs, 0},
        {"abs+", Anchor::abs, 0},
        {"abs-", Anchor::abs, 0},
        {"abs+5", Anchor::abs, 5},
        {"abs-5", Anchor::abs, -5},
        {"5", Anchor::abs, 5},
        {"-5", Anchor::abs, -5},
        {"+1", Anchor::abs, 1},
        {"32767", Anchor::abs, 32767},
        {"-32768", Anchor::abs, -32768},
        {"host+1x", Anchor::host, 1},
        {"host+", Anchor::host, 0},
        {"host-", Anchor::host, 0},
        {"host+-5", Anchor::host, 0},
        {"host--5", Anchor::host, 0},
        {"sld+0x10", Anchor::sld, 0},
        {"midsld+ 3", Anchor::midsld, 3},
        {"host+1+2", Anchor::host, 1},
        {"endhost-2", Anchor::endhost, -2},
        {"endsld", Anchor::endsld, 0},
        {"method+2", Anchor::method, 2},
        {"extlen", Anchor::extlen, 0},
        {"sniext+1", Anchor::sniext, 1},
        {"1x", Anchor::abs, 1},
    };
    for (const Grammar& row : rows) {
        const auto marker = parse_marker(row.text);
        ASSERT_TRUE(marker.has_value()) << row.text;
        EXPECT_EQ(marker->anchor, row.anchor) << row.text;
        EXPECT_EQ(marker->offset, row.offset) << row.text;
    }
    for (const char* bad : {"32768", "-32769", "host+32768", "host-32769", "", "Host", "host 1",
                            " 1", "bad", "hostx", "hos", "4294967301", "99999999999999999999"})
        EXPECT_FALSE(parse_marker(bad)) << bad;
}

TEST(MarkerList, Grammar) {
    EXPECT_TRUE(parse_marker_list("")->empty());
    EXPECT_EQ(parse_marker_list("1,host,-1")->size(), 3U);
    for (const char* bad : {",", "1,", ",1", "1,,2", "1,bogus"})
        EXPECT_FALSE(parse_marker_list(bad)) << bad;
}

TEST(MarkerList, AtMost128) {
    std::string list = "1";
    for (int i = 1; i < 128; ++i)
        list += ",1";
    EXPECT_EQ(parse_marker_list(list)->size(), 128U);
    EXPECT_FALSE(parse_marker_list(list + ",1"));
    EXPECT_EQ(parse_marker_list("2,5", 2)->size(), 2U);
    EXPECT_FALSE(parse_marker_list("2,3,4", 2));
}

TEST(MarkerList, ElementBeforeACommaIsShort) {
    const std::string number = std::string(30, '0') + "5";
    EXPECT_EQ(parse_marker_list(number + ",1")->size(), 2U);
    EXPECT_FALSE(parse_marker_list("0" + number + ",1"));
    EXPECT_EQ(parse_marker_list("1,0" + number)->size(), 2U);
}

TEST(Resolve, AbsoluteInEveryType) {
    const Buffer data = bytes_of("abcdef");
    for (unsigned i = 0; i < static_cast<unsigned>(Payload::count); ++i) {
        const auto type = static_cast<Payload>(i);
        EXPECT_EQ(at(data, type, "5"), 5U);
        EXPECT_EQ(at(data, type, "6"), none);
        EXPECT_EQ(at(data, type, "-1"), 5U);
        EXPECT_EQ(at(data, type, "-6"), 0U);
        EXPECT_EQ(at(data, type, "-7"), none);
        EXPECT_EQ(at(data, type, "32767"), none);
        EXPECT_EQ(at({}, type, "0"), none);
    }
}

const std::string_view request = "GET / HTTP/1.1\r\nHost: www.example.com\r\nX: y\r\n\r\n";

TEST(Resolve, RequestExamples) {
    const Bytes data = as_bytes(request);
    const std::pair<const char*, std::optional<std::size_t>> rows[] = {
        {"method", 0},   {"method+2", 2},   {"host", 22},       {"host+1", 23}, {"host-6", 16},
        {"endhost", 37}, {"endhost-1", 36}, {"host+500", none}, {"sld", 26},    {"midsld", 29},
        {"endsld", 33},  {"sniext", none},  {"extlen", none},   {"abs-5", 42},  {"-1", 46},
        {"-47", 0},      {"-200", none},    {"47", none},
    };
    for (const auto& [marker, position] : rows)
        EXPECT_EQ(at(data, Payload::http_req, marker), position) << marker;
}

TEST(Resolve, RequestWithSecondBlankAndPort) {
    const Bytes data = as_bytes("\r\nPOST / HTTP/1.0\nhost:\t example.co.uk:8080");
    const std::pair<const char*, std::optional<std::size_t>> rows[] = {
        {"method", 2}, {"host", 24},   {"endhost", none}, {"endhost-1", 42},
        {"sld", 33},   {"midsld", 34}, {"endsld", 35},
    };
    for (const auto& [marker, position] : rows)
        EXPECT_EQ(at(data, Payload::http_req, marker), position) << marker;
}

TEST(Resolve, MethodEdgeCases) {
    const auto method = [](std::string_view text) {
        return at(as_bytes(text), Payload::http_req, "method");
    };
    EXPECT_EQ(method("GET / HTTP/"), none);
    EXPECT_EQ(method("GET / HTTP/1"), 0U);
    EXPECT_EQ(method("PROPPATCH / HTTP/1.1"), 0U);
    EXPECT_EQ(method("ABCDEFGHIJ / HTTP/1.1"), none);
    EXPECT_EQ(method("AB / HTTP/1.1"), none);
    EXPECT_EQ(method("get / HTTP/1.1"), none);
    EXPECT_EQ(method("\r\n\r\nGET / HTTP/1.1"), none);
    EXPECT_EQ(method("\n\nGET / HTTP/1.1"), 2U);
    EXPECT_EQ(method("GET/ HTTP/1.1"), none);
    EXPECT_EQ(method("\r\nABCDEFGHI "), 2U);
    EXPECT_EQ(method("\r\nABCDEFGHIJ"), none);
}

TEST(Resolve, HostHeaderEdgeCases) {
    const std::string line = "GET / HTTP/1.1\r\n";
    EXPECT_EQ(at(as_bytes(line + "Host: a"), Payload::http_req, "host"), none);
    EXPECT_EQ(at(as_bytes(line + "Host: ab"), Payload::http_req, "host"), 22U);
    EXPECT_EQ(at(as_bytes(line + "Host:abc"), Payload::http_req, "host"), 21U);
    EXPECT_EQ(at(as_bytes(line + "Host: localhost\r\n"), Payload::http_req, "sld"), none);
    EXPECT_EQ(at(as_bytes(line + "X: y\r\n\r\n"), Payload::http_req, "host"), none);
}

TEST(Resolve, HelloExamples) {
    const Bytes data = fake_default_tls();
    const std::pair<const char*, std::optional<std::size_t>> rows[] = {
        {"extlen", 114}, {"sniext", 120}, {"sniext-4", 116}, {"host", 125},    {"sld", 129},
        {"midsld", 133}, {"endsld", 138}, {"endhost", 142},  {"method", none},
    };
    for (const auto& [marker, position] : rows)
        EXPECT_EQ(at(data, Payload::tls_client_hello, marker), position) << marker;
}

TEST(Resolve, CutHello) {
    const Bytes data = fake_default_tls();
    EXPECT_EQ(at(data.first(142), Payload::tls_client_hello, "host"), 125U);
    EXPECT_EQ(at(data.first(142), Payload::tls_client_hello, "endhost"), none);
    EXPECT_EQ(at(data.first(142), Payload::tls_client_hello, "endhost-1"), 141U);
    EXPECT_EQ(at(data.first(138), Payload::tls_client_hello, "host"), none);
    EXPECT_EQ(at(data.first(116), Payload::tls_client_hello, "extlen"), 114U);
    EXPECT_EQ(at(data.first(115), Payload::tls_client_hello, "extlen"), none);
    EXPECT_EQ(at(Buffer(100, 0), Payload::tls_client_hello, "extlen"), 47U);
}

TEST(Resolve, HelloWithoutOrWithEmptyName) {
    const Buffer no_name = record(handshake({.extensions = extension(10, {0, 0})}));
    EXPECT_NE(at(no_name, Payload::tls_client_hello, "extlen"), none);
    for (const char* marker : {"host", "endhost", "sld", "midsld", "endsld", "sniext"})
        EXPECT_EQ(at(no_name, Payload::tls_client_hello, marker), none) << marker;

    Buffer list = server_name("");
    put(list, extension(10, {0, 0}));
    const Buffer empty_name = record(handshake({.extensions = list}));
    EXPECT_NE(at(empty_name, Payload::tls_client_hello, "host"), none);
    EXPECT_EQ(at(empty_name, Payload::tls_client_hello, "host"),
              at(empty_name, Payload::tls_client_hello, "endhost"));
    EXPECT_EQ(at(empty_name, Payload::tls_client_hello, "sld"), none);

    const Buffer bad_name = record(handshake({.extensions = server_name("a.b", 1)}));
    EXPECT_NE(at(bad_name, Payload::tls_client_hello, "sniext"), none);
    EXPECT_EQ(at(bad_name, Payload::tls_client_hello, "host"), none);
}

// Headers of further records count; the end of the name is directly behind its last byte.
TEST(Resolve, HelloInSeveralRecords) {
    const Buffer message = handshake({.extensions = server_name("www.example.com")});
    const std::size_t name = message.size() - 15; // of the name
    for (const std::size_t cut : {name - 3, name + 2, name + 7, name + 15 - 1}) {
        Buffer data = record(Buffer(message.begin(), message.begin() + static_cast<long>(cut)));
        put(data, record(Buffer(message.begin() + static_cast<long>(cut), message.end())));
        const auto wire = [&](std::size_t at) { return at + (at < cut ? 5 : 10); };
        const auto where = [&](const char* marker) {
            return at(data, Payload::tls_client_hello, marker);
        };
        EXPECT_EQ(where("host"), wire(name));
        EXPECT_EQ(where("sld"), wire(name + 4 - 1) + 1) << cut;
        EXPECT_EQ(where("endsld"), wire(name + 11 - 1) + 1);
        EXPECT_EQ(where("endhost-1"), wire(name + 14));
        EXPECT_EQ(where("sniext"), wire(name - 5));
    }
}

TEST(Resolve, NamesNeedTheRightType) {
    for (const Payload type : {Payload::tls_server_hello, Payload::quic_initial,
                               Payload::http_reply, Payload::unknown, Payload::all, Payload::known})
        for (const char* marker : {"host", "endhost", "sld", "method", "extlen", "sniext"}) {
            EXPECT_EQ(at(fake_default_tls(), type, marker), none);
            EXPECT_EQ(at(as_bytes(request), type, marker), none);
        }
}

TEST(ResolveAll, SortsAndDropsDuplicates) {
    EXPECT_EQ(
        all_at(fake_default_tls(), Payload::tls_client_hello, "100,midsld,sniext+1,endhost-2,-10"),
        (Positions{100, 121, 133, 140, 670}));
    EXPECT_EQ(all_at(as_bytes(request), Payload::http_req, "5,3,5,abs+3,method,0,1000,-1"),
              (Positions{0, 3, 5, 46}));
    EXPECT_EQ(all_at(as_bytes(request), Payload::http_req, "1000,sniext"), Positions{});
    EXPECT_EQ(all_at(as_bytes(request), Payload::http_req, ""), Positions{});
    EXPECT_EQ(all_at({}, Payload::http_req, "0,method,-1"), Positions{});
}

TEST(Resolve, StandardRequestBlob) {
    const std::pair<const char*, std::size_t> rows[] = {
        {"method", 0}, {"host", 22}, {"sld", 26}, {"midsld", 28}, {"endsld", 30}, {"endhost", 34}};
    for (const auto& [marker, position] : rows)
        EXPECT_EQ(at(fake_default_http(), Payload::http_req, marker), position) << marker;
}

} // namespace
} // namespace nfqws2::protocol::test
