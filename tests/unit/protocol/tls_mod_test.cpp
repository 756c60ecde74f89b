#include "nfqws2/protocol/tls_mod.hpp"

#include "hello_builder.hpp"

#include "nfqws2/protocol/tls.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>

namespace nfqws2::protocol::test {
namespace {

TlsModResult modify(Bytes blob, std::string_view list, std::optional<Bytes> payload = {},
                    std::uint64_t seed = 1) {
    const auto random = make_seeded_random(seed);
    return apply_tls_mod(blob, parse_tls_mod(list).value(), payload, *random);
}

struct Lengths {
    std::size_t size, record, handshake, extensions;
    bool operator==(const Lengths&) const = default;
};
void PrintTo(const Lengths& l, std::ostream* out) {
    *out << l.size << " " << l.record << " " << l.handshake << " " << l.extensions;
}
Lengths lengths(const Buffer& data) {
    return {data.size(), load_be16(data.data() + 3), load_be24(data.data() + 6),
            load_be16(data.data() + 114)};
}
Buffer with_tail(std::string_view tail) {
    Buffer data = copy_of(fake_default_tls());
    put(data, bytes_of(tail));
    return data;
}

TEST(TlsModList, Words) {
    EXPECT_FALSE(parse_tls_mod("")->any());
    EXPECT_FALSE(parse_tls_mod("none")->any());
    EXPECT_FALSE(parse_tls_mod("none,")->any());
    const auto all = parse_tls_mod("padencap,rnd,dupsid,rndsni=x,sni=a,sni=b.c,");
    ASSERT_TRUE(all.has_value());
    EXPECT_TRUE(all->rnd && all->rndsni && all->dupsid && all->padencap);
    EXPECT_EQ(all->sni, "b.c");
    for (const char* bad :
         {",", "rnd,,dupsid", ",rnd", "bogus", "RND", " rnd", "sni", "sni=", "rnd,sni=,", "rnd,,"})
        EXPECT_FALSE(parse_tls_mod(bad)) << bad;
}

TEST(TlsModList, NameOfAtMost255Bytes) {
    EXPECT_EQ(parse_tls_mod("sni=" + std::string(255, 'a'))->sni->size(), 255U);
    EXPECT_FALSE(parse_tls_mod("sni=" + std::string(256, 'a')));
}

TEST(TlsMod, NothingToDoReturnsTheBlobUnchecked) {
    for (const char* list : {"", "none"}) {
        EXPECT_EQ(modify(as_bytes("notls"), list).data, bytes_of("notls"));
        EXPECT_EQ(modify(fake_default_tls(), list).data, copy_of(fake_default_tls()));
    }
}

TEST(TlsMod, ServerName) {
    const Buffer a = modify(fake_default_tls(), "sni=a.com").data;
    EXPECT_EQ(lengths(a), (Lengths{668, 663, 659, 552}));
    EXPECT_EQ(to_hex(Bytes(a).first(11)), "1603010297010002930303");
    EXPECT_EQ(to_hex(Bytes(a).subspan(110, 25)),
              "0035010002280000000a0008000005612e636f6d00170000ff");
    EXPECT_EQ(tls_client_hello_host(a), "a.com");

    const Buffer b = modify(fake_default_tls(), "sni=verylong.subdomain.example.org").data;
    EXPECT_EQ(lengths(b), (Lengths{693, 688, 684, 577}));
    EXPECT_EQ(tls_client_hello_host(b), "verylong.subdomain.example.org");
    EXPECT_TRUE(std::equal(b.begin() + 155, b.end(), fake_default_tls().begin() + 142));

    const Buffer c = modify(fake_default_tls(), "sni=www.microsoft.net").data;
    EXPECT_EQ(lengths(c), (Lengths{680, 675, 671, 564}));

    const Buffer d = modify(fake_default_tls(), "sni=a.b").data;
    EXPECT_EQ(to_hex(Bytes(d).first(11)), "1603010295010002910303");
    EXPECT_EQ(to_hex(Bytes(d).subspan(114, 18)), "0226000000080006000003612e6200170000");

    const Buffer tail = modify(with_tail("zzzz"), "sni=a.com").data;
    EXPECT_EQ(lengths(tail), (Lengths{672, 663, 659, 552}));
    EXPECT_EQ(as_text(Bytes(tail).last(4)), "zzzz");
}

void expect_random_name(std::string_view name) {
    const auto lower_or_digit = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    };
    ASSERT_FALSE(name.empty());
    EXPECT_TRUE(name[0] >= 'a' && name[0] <= 'z') << name;
    if (name.size() >= 7) {
        static const std::set<std::string_view> domains = {"com", "org", "net",
                                                           "edu", "gov", "biz"};
        EXPECT_TRUE(domains.contains(name.substr(name.size() - 3))) << name;
        EXPECT_EQ(name[name.size() - 4], '.') << name;
        name.remove_suffix(4);
    }
    EXPECT_TRUE(std::ranges::all_of(name, lower_or_digit)) << name;
}

TEST(TlsMod, RandomName) {
    std::set<std::string> seen, domains;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const Buffer data = modify(fake_default_tls(), "rndsni", {}, seed).data;
        EXPECT_EQ(lengths(data), (Lengths{680, 675, 671, 564}));
        const std::string name = tls_client_hello_host(data).value();
        EXPECT_EQ(name.size(), 17U);
        expect_random_name(name);
        seen.insert(name);
        domains.insert(name.substr(14));
    }
    EXPECT_EQ(seen.size(), 200U);
    EXPECT_EQ(domains.size(), 6U);
}

TEST(TlsMod, RandomNameOfGivenLength) {
    const Buffer seven = modify(fake_default_tls(), "rndsni,sni=abcdefg").data;
    EXPECT_EQ(lengths(seven), (Lengths{670, 665, 661, 554}));
    expect_random_name(*tls_client_hello_host(seven));
    const Buffer six = modify(fake_default_tls(), "sni=abcdef,rndsni").data;
    EXPECT_EQ(lengths(six), (Lengths{669, 664, 660, 553}));
    EXPECT_EQ(tls_client_hello_host(six)->size(), 6U);
    expect_random_name(*tls_client_hello_host(six));
    expect_random_name(*tls_client_hello_host(modify(fake_default_tls(), "sni=a,rndsni").data));
}

TEST(TlsMod, RandomFields) {
    const Bytes before = fake_default_tls();
    const Buffer after = modify(before, "rnd").data;
    ASSERT_EQ(after.size(), before.size());
    std::size_t changed_random = 0, changed_session = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
        const bool random = i >= 11 && i <= 42, session = i >= 44 && i <= 75;
        if (after[i] == before[i]) continue;
        EXPECT_TRUE(random || session) << i;
        ++(random ? changed_random : changed_session);
    }
    EXPECT_GT(changed_random, 24U);
    EXPECT_GT(changed_session, 24U);
}

TEST(TlsMod, SessionIdOfThePayload) {
    const Buffer payload = record(handshake({.session = Buffer(32, 0x77)}));
    for (const char* list : {"rnd,dupsid", "dupsid,rnd"}) {
        const Buffer data = modify(fake_default_tls(), list, payload).data;
        EXPECT_TRUE(std::all_of(data.begin() + 44, data.begin() + 76,
                                [](std::uint8_t b) { return b == 0x77; }));
        EXPECT_FALSE(
            std::equal(data.begin() + 11, data.begin() + 43, fake_default_tls().begin() + 11));
    }
    const auto copied = [&](Bytes from) {
        const auto result = modify(fake_default_tls(), "dupsid", from);
        EXPECT_TRUE(result.ok());
        const bool same = result.data == copy_of(fake_default_tls());
        EXPECT_EQ(same, !result.notices.empty());
        return !same;
    };
    EXPECT_TRUE(copied(Bytes(payload).first(76)));
    EXPECT_FALSE(copied(Bytes(payload).first(75)));
    EXPECT_FALSE(copied(Bytes(payload).first(43)));
    EXPECT_FALSE(copied({}));
    EXPECT_FALSE(copied(fake_default_http()));
    EXPECT_FALSE(copied(record(handshake({.session = Buffer(31, 1)}))));
}

TEST(TlsMod, WithoutPayloadTheLastTwoDoNothing) {
    for (const char* list : {"dupsid", "padencap", "dupsid,padencap"})
        EXPECT_EQ(modify(fake_default_tls(), list).data, copy_of(fake_default_tls())) << list;
}

std::string tail_hex(const Buffer& data) {
    return to_hex(Bytes(data).last(4));
}

TEST(TlsMod, EncloseWithNewPadding) {
    const auto enclose = [](std::size_t size) {
        const auto result = modify(fake_default_tls(), "padencap", Buffer(size, 'x'));
        EXPECT_TRUE(result.ok());
        return result.data;
    };
    EXPECT_EQ(lengths(enclose(10)), (Lengths{684, 689, 685, 578}));
    EXPECT_EQ(tail_hex(enclose(10)), "0015000a");
    EXPECT_EQ(lengths(enclose(0)), (Lengths{684, 679, 675, 568}));
    EXPECT_EQ(tail_hex(enclose(0)), "00150000");
    EXPECT_EQ(lengths(enclose(64856)), (Lengths{684, 65535, 65531, 65424}));
    EXPECT_EQ(tail_hex(enclose(64856)), "0015fd58");
    EXPECT_EQ(lengths(enclose(64857)), (Lengths{684, 679, 675, 568}));
    EXPECT_EQ(tail_hex(enclose(64857)), "00150000");
    EXPECT_EQ(lengths(enclose(70000)), (Lengths{684, 679, 675, 568}));
    const Buffer hundred = enclose(100);
    EXPECT_EQ(to_hex(Bytes(hundred).first(9)), "160301030b01000307");
    EXPECT_EQ(tail_hex(hundred), "00150064");
}

TEST(TlsMod, EncloseBehindTrailingData) {
    const auto result = modify(with_tail("zzzz"), "padencap", bytes_of("abc"));
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(lengths(result.data), (Lengths{688, 682, 678, 571}));
    EXPECT_EQ(tail_hex(result.data), "00150003");
    EXPECT_EQ(result.notices.size(), 1U);
}

TEST(TlsMod, EncloseWithExistingPadding) {
    Buffer list = server_name("a.example");
    put(list, extension(21, Buffer(5, 0)));
    const Buffer hello = record(handshake({.extensions = list}));
    const Buffer after = modify(hello, "padencap", Buffer(10, 'x')).data;
    ASSERT_EQ(after.size(), hello.size());
    EXPECT_EQ(load_be16(after.data() + 3), load_be16(hello.data() + 3) + 10);
    EXPECT_EQ(load_be24(after.data() + 6), load_be24(hello.data() + 6) + 10);
    const std::size_t at = *extensions_offset(Bytes(hello).subspan(5)) + 5;
    EXPECT_EQ(load_be16(after.data() + at), load_be16(hello.data() + at) + 10);
    EXPECT_EQ(to_hex(Bytes(after).last(9)), "0015000f0000000000");

    Buffer more = hello;
    more.push_back('z');
    EXPECT_FALSE(modify(more, "padencap", Buffer(10, 'x')).ok());
    EXPECT_TRUE(modify(more, "padencap").ok());
    put(list, extension(10, {0, 0}));
    EXPECT_FALSE(modify(record(handshake({.extensions = list})), "padencap", Buffer(10, 'x')).ok());
}

TEST(TlsMod, RefusesWhatIsNoWholeHello) {
    for (const char* list : {"rnd", "rndsni", "dupsid", "padencap", "sni=a"}) {
        EXPECT_FALSE(modify(as_bytes("garbage"), list).ok()) << list;
        EXPECT_FALSE(modify(fake_default_tls().first(600), list).ok()) << list;
        EXPECT_FALSE(modify(fake_default_http(), list).ok()) << list;
        EXPECT_FALSE(modify({}, list).ok()) << list;
        // A record that is complete but has no session id.
        EXPECT_FALSE(modify(hex("1603010006010000020303"), list).ok()) << list;
    }
    Buffer longer = copy_of(fake_default_tls());
    longer[8] = static_cast<std::uint8_t>(longer[8] + 1);
    EXPECT_FALSE(modify(longer, "rnd").ok());
}

TEST(TlsMod, RefusesMissingParts) {
    const Buffer no_name = record(handshake({.extensions = extension(10, {0, 0})}));
    EXPECT_TRUE(modify(no_name, "rnd").ok());
    EXPECT_FALSE(modify(no_name, "sni=a.b").ok());
    EXPECT_FALSE(modify(no_name, "rndsni").ok());
    const Buffer bad_name = record(handshake({.extensions = server_name("a", 1)}));
    EXPECT_FALSE(modify(bad_name, "sni=a.b").ok());
    const Buffer empty_name = record(handshake({.extensions = server_name("")}));
    EXPECT_FALSE(modify(empty_name, "rndsni").ok());
    EXPECT_EQ(tls_client_hello_host(modify(empty_name, "sni=a.b").data), "a.b");

    Buffer no_extensions = handshake({});
    no_extensions.pop_back();
    no_extensions.pop_back();
    no_extensions[3] = static_cast<std::uint8_t>(no_extensions[3] - 2);
    EXPECT_TRUE(modify(record(no_extensions), "rnd").ok());
    EXPECT_FALSE(modify(record(no_extensions), "padencap").ok());
    EXPECT_FALSE(modify(record(no_extensions), "sni=a").ok());
}

TEST(TlsMod, HelloInTwoRecords) {
    Buffer list = server_name("a.example");
    put(list, extension(21, Buffer(40, 0)));
    const Buffer message = handshake({.extensions = list});
    const auto middle = static_cast<std::ptrdiff_t>(message.size() - 20);
    Buffer data = record(Buffer(message.begin(), message.begin() + middle));
    put(data, record(Buffer(message.begin() + middle, message.end())));
    EXPECT_TRUE(modify(data, "rnd").ok());
    EXPECT_FALSE(modify(data, "sni=b.example").ok());
    EXPECT_FALSE(modify(data, "rndsni").ok());
    const auto enclosed = modify(data, "padencap", bytes_of("abc"));
    ASSERT_TRUE(enclosed.ok());
    EXPECT_EQ(tail_hex(enclosed.data), "00150003");
}

TEST(TlsMod, LengthsNeverWrap) {
    Buffer list = server_name("a");
    put(list, extension(10, Buffer(65400, 0)));
    const Buffer body = handshake({.session = {}, .extensions = list});
    ASSERT_GT(record(body).size(), 65450U);
    Buffer big = record(body); // the handshake length has only 16 bits in the builder
    EXPECT_TRUE(modify(big, "sni=ab").ok());
    EXPECT_FALSE(modify(big, "sni=" + std::string(200, 'a')).ok());

    // A handshake length smaller than its content must not go below zero.
    Buffer small = record(handshake({.extensions = server_name("long.name.example")}));
    store_be24(small.data() + 6, 3);
    EXPECT_FALSE(modify(small, "sni=a").ok());
}

} // namespace
} // namespace nfqws2::protocol::test
