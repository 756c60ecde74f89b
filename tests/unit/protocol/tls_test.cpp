#include "nfqws2/protocol/tls.hpp"

#include "hello_builder.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace nfqws2::protocol::test {
namespace {

TEST(TlsHello, MinimumIsElevenBytes) {
    const Buffer hello = hex("1603010006010000020303");
    EXPECT_TRUE(is_tls_client_hello(hello));
    EXPECT_FALSE(is_tls_client_hello(Bytes(hello).first(10)));
    EXPECT_FALSE(is_tls_server_hello(hello));
    EXPECT_TRUE(is_tls_server_hello(hex("1603030006020000020300")));
}

TEST(TlsHello, EveryByteOfTheSignatureCounts) {
    const Buffer good = hex("1603030006010000020303");
    for (const std::size_t at : {0U, 1U, 2U, 5U, 9U, 10U}) {
        Buffer bad = good;
        bad[at] = 4;
        EXPECT_FALSE(is_tls_client_hello(bad)) << at;
    }
    for (const std::size_t at : {3U, 4U, 6U, 7U, 8U}) { // lengths are not looked at
        Buffer other = good;
        other[at] = 0xFF;
        EXPECT_TRUE(is_tls_client_hello(other)) << at;
    }
}

TEST(TlsRecord, SizeAndCompleteness) {
    const Buffer data = record(handshake({}));
    EXPECT_EQ(tls_record_size(data), data.size());
    EXPECT_TRUE(tls_record_full(data));
    EXPECT_FALSE(tls_record_full(Bytes(data).first(data.size() - 1)));
    EXPECT_FALSE(tls_record_full(Bytes(data).first(4)));
    EXPECT_FALSE(tls_record_full({}));
}

TEST(Handshake, HelloAndCompleteness) {
    const Buffer data = handshake({});
    EXPECT_TRUE(is_client_hello_handshake(data));
    EXPECT_TRUE(client_hello_handshake_full(data));
    EXPECT_TRUE(is_client_hello_handshake(Bytes(data).first(6)));
    EXPECT_FALSE(is_client_hello_handshake(Bytes(data).first(5)));
    EXPECT_FALSE(client_hello_handshake_full(Bytes(data).first(data.size() - 1)));
}

TEST(Extensions, OffsetNeedsItsTwoBytes) {
    const Buffer data = handshake({.session = Buffer(8, 1), .extensions = server_name("a.b")});
    const auto offset = extensions_offset(data);
    ASSERT_TRUE(offset.has_value());
    EXPECT_EQ(load_be16(data.data() + *offset), 12);
    for (std::size_t size = 0; size < *offset + 2; ++size)
        EXPECT_FALSE(extensions_offset(Bytes(data).first(size))) << size;
    EXPECT_EQ(extensions_offset(Bytes(data).first(*offset + 2)), offset);
}

TEST(Extensions, ServerLayoutHasOneCipherSuite) {
    const Buffer server = handshake({.extensions = extension(43, {3, 4}), .type = 2});
    const auto found = find_extension_in_handshake(server, 43, Strictness::strict);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->size, 2U);
    EXPECT_EQ(found->offset, server.size() - 2);
    EXPECT_EQ(extensions_offset(Buffer(95, 0)), 42U);
}

TEST(Extensions, FirstMatchWins) {
    Buffer list = extension(7, {1});
    put(list, extension(9, {2, 2}));
    put(list, extension(9, {3, 3, 3}));
    const Buffer data = record(handshake({.extensions = list}));
    const auto found = find_extension(data, 9, Strictness::strict);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->size, 2U);
    EXPECT_EQ(data[found->offset], 2);
    EXPECT_FALSE(find_extension(data, 8, Strictness::strict));
}

TEST(Extensions, PartialNeedsOnlyTheExtensionStrictTheWholeMessage) {
    Buffer list = server_name("a.example");
    put(list, extension(21, Buffer(50, 0)));
    const Buffer data = record(handshake({.extensions = list}));
    const auto whole = find_extension(data, 0, Strictness::strict);
    ASSERT_TRUE(whole.has_value());
    const std::size_t end = whole->offset + whole->size;
    EXPECT_TRUE(find_extension(Bytes(data).first(end), 0, Strictness::partial));
    EXPECT_FALSE(find_extension(Bytes(data).first(end - 1), 0, Strictness::partial));
    EXPECT_FALSE(find_extension(Bytes(data).first(data.size() - 1), 0, Strictness::strict));
}

TEST(Extensions, StrictChecksBothLengths) {
    const Buffer good = handshake({.extensions = server_name("a.example")});
    Buffer longer = good;
    longer[3] = static_cast<std::uint8_t>(longer[3] + 1); // handshake length beyond the data
    EXPECT_FALSE(find_extension_in_handshake(longer, 0, Strictness::strict));
    EXPECT_TRUE(find_extension_in_handshake(longer, 0, Strictness::partial));
    Buffer more = good;
    const std::size_t at = *extensions_offset(good) + 1;
    more[at] = static_cast<std::uint8_t>(more[at] + 1); // extensions length beyond the data
    EXPECT_FALSE(find_extension_in_handshake(more, 0, Strictness::strict));
    EXPECT_TRUE(find_extension_in_handshake(more, 0, Strictness::partial));
}

TEST(Extensions, EditsSearchOnlyTheFirstRecordTheNameIsFoundInAll) {
    Buffer list = extension(10, Buffer(6, 0));
    put(list, server_name("second.example"));
    const Buffer message = handshake({.extensions = list});
    const auto middle = static_cast<std::ptrdiff_t>(message.size() - 10);
    Buffer data = record(Buffer(message.begin(), message.begin() + middle));
    put(data, record(Buffer(message.begin() + middle, message.end())));
    EXPECT_TRUE(find_extension(data, 10, Strictness::partial));
    EXPECT_FALSE(find_extension(data, 0, Strictness::partial));
    EXPECT_EQ(tls_client_hello_host(data), "second.example");
    EXPECT_EQ(tls_client_hello_host(record(message)), "second.example");
}

// --- a message in several records

// Cuts the message behind each of these positions.
Buffer in_records(const Buffer& message, std::initializer_list<std::size_t> cuts) {
    Buffer data;
    std::size_t from = 0;
    const auto add = [&](std::size_t to) {
        put(data, record(Buffer(message.begin() + static_cast<std::ptrdiff_t>(from),
                                message.begin() + static_cast<std::ptrdiff_t>(to))));
        from = to;
    };
    for (const std::size_t cut : cuts)
        add(cut);
    add(message.size());
    return data;
}

const Buffer message = handshake({.extensions = server_name("www.example.com")});

TEST(HelloInRecords, IsRecognisedHoweverItIsCut) {
    for (std::size_t first = 1; first < message.size(); first++) {
        for (const std::size_t second : {first, first + 1, message.size() - 1}) {
            if (second >= message.size()) continue;
            const Buffer data = second > first ? in_records(message, {first, second})
                                               : in_records(message, {first});
            ASSERT_TRUE(is_tls_client_hello(data)) << first;
            ASSERT_EQ(tls_client_hello_host(data), "www.example.com") << first << ' ' << second;
            const TlsHelloExtent extent = tls_hello_extent(data);
            ASSERT_TRUE(extent.complete);
            ASSERT_EQ(extent.size, data.size());
        }
    }
}

TEST(HelloInRecords, ExtentGrowsWithWhatIsThere) {
    using Is = TlsHelloExtent::Is;
    const Buffer data = in_records(message, {1, 3, 40});
    std::size_t before = 0;
    for (std::size_t size = 0; size < data.size(); size++) {
        const TlsHelloExtent extent = tls_hello_extent(Bytes(data).first(size));
        ASSERT_NE(extent.is, Is::foreign) << size;
        ASSERT_FALSE(extent.complete) << size;
        ASSERT_GT(extent.size, size);
        ASSERT_GE(extent.size, before);
        before = extent.size;
    }
    Buffer more = data;
    put(more, bytes_of("early data"));
    EXPECT_TRUE(tls_hello_extent(more).complete);
    EXPECT_EQ(tls_hello_extent(more).size, data.size());
}

TEST(HelloInRecords, EndsWhereNoHandshakeRecordFollows) {
    const Buffer first = record(Buffer(message.begin(), message.begin() + 50));
    EXPECT_FALSE(tls_hello_extent(first).complete); // the rest may follow
    EXPECT_EQ(tls_hello_extent(first).size, first.size() + 5);
    for (const char* next : {"17", "1604", "16030400", "1603010000", "474554"}) {
        Buffer data = first;
        put(data, hex(next));
        EXPECT_TRUE(tls_hello_extent(data).complete) << next;
        EXPECT_EQ(tls_hello_extent(data).size, first.size()) << next;
    }
}

TEST(HelloInRecords, ForeignAndUndecided) {
    using Is = TlsHelloExtent::Is;
    for (const char* prefix : {"", "16", "1603", "160301", "160301 00", "160301 00ef 01",
                               "160301 00ef 010000eb 03", "160301 0001 01", "160301 0001 01 16"})
        EXPECT_EQ(tls_hello_extent(hex(prefix)).is, Is::undecided) << prefix;
    for (const char* other :
         {"17", "1604", "160304", "160301 0000", "160301 00ef 02", "160301 00ef 010000eb 04",
          "160301 0001 02", "160301 0001 01 17", "160301 0004 01000000", "474554"})
        EXPECT_EQ(tls_hello_extent(hex(other)).is, Is::foreign) << other;
}

TEST(HelloInRecords, PositionsAreThoseOnTheWire) {
    const Buffer data = in_records(message, {10, 60});
    const TlsHandshake joined(data);
    ASSERT_TRUE(joined.is_joined());
    EXPECT_EQ(copy_of(joined.message()), message);
    for (std::size_t i = 0; i < message.size(); i++)
        ASSERT_EQ(data[joined.on_wire(i)], message[i]) << i;
    const Buffer whole = record(message);
    const TlsHandshake plain(whole);
    EXPECT_FALSE(plain.is_joined());
    EXPECT_EQ(plain.on_wire(7), 12U);
}

TEST(ServerName, ValidityOfTheStructure) {
    EXPECT_TRUE(server_name_in_extension(hex("0003000000")));
    EXPECT_FALSE(server_name_in_extension(hex("00030000")));
    EXPECT_FALSE(server_name_in_extension(hex("0004010001 61"))); // not a host name
    EXPECT_FALSE(server_name_in_extension(hex("0003000001 61"))); // list shorter than the name
    EXPECT_FALSE(server_name_in_extension(hex("0005000001 61"))); // list longer than the data
    EXPECT_FALSE(server_name_in_extension(hex("0004000002 61"))); // name longer than the list
    const auto name = server_name_in_extension(hex("0004000001 61 62"));
    ASSERT_TRUE(name.has_value());
    EXPECT_EQ(name->offset, 5U);
    EXPECT_EQ(name->size, 1U);
}

TEST(ServerName, HostOfAHello) {
    const auto host = [](const Buffer& extensions) {
        return tls_client_hello_host(record(handshake({.extensions = extensions})));
    };
    EXPECT_EQ(host(server_name("WWW.Example.com")), "www.example.com");
    EXPECT_EQ(host(server_name("")), "");
    EXPECT_EQ(host(server_name(std::string(300, 'a'))), std::string(255, 'a'));
    EXPECT_EQ(host(server_name(std::string_view("ab\0cd", 5))), "ab");
    EXPECT_FALSE(host(server_name("a.b", 1)));
    EXPECT_FALSE(host(extension(16, {0})));
    EXPECT_FALSE(host({}));
    EXPECT_EQ(client_hello_handshake_host(handshake({.extensions = server_name("q.example")})),
              "q.example");
    EXPECT_FALSE(tls_client_hello_host(bytes_of("GET / HTTP/1.1\r\n")));
}

} // namespace
} // namespace nfqws2::protocol::test
