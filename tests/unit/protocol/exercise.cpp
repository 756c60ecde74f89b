#include "exercise.hpp"

#include "nfqws2/protocol/detect.hpp"
#include "nfqws2/protocol/dns.hpp"
#include "nfqws2/protocol/hostname.hpp"
#include "nfqws2/protocol/http.hpp"
#include "nfqws2/protocol/marker.hpp"
#include "nfqws2/protocol/quic.hpp"
#include "nfqws2/protocol/table.hpp"
#include "nfqws2/protocol/tls.hpp"
#include "nfqws2/protocol/tls_mod.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {

namespace {

void exercise_detection(Bytes data) {
    if (!data.empty()) {
        detect_tcp_initiator(data, true, {});
        detect_tcp_responder(data, {});
        detect_udp(data, L7::wireguard, {});
    }
    classify_icmp(data);
    for (const PayloadRow& type : payload_rows) {
        if (type.matches != nullptr) type.matches(data);
        if (type.host != nullptr) type.host(data);
        if (type.sends_elsewhere != nullptr) type.sends_elsewhere(data, "www.example.com");
    }
}

void exercise_text(Bytes data) {
    EXPECT_LE(http_host(data).value_or("").size(), 255U);
    http_header_value(data, "Location");
    normalise_host(as_text(data));
    if (const auto level = second_level(as_text(data))) {
        EXPECT_LE(level->sld, level->endsld);
        EXPECT_LT(level->endsld, data.size());
    }
    parse_marker_list(as_text(data));
    parse_tls_mod(as_text(data));
    parse_payload_set(as_text(data));
}

void exercise_extension(const std::optional<Extension>& extension, Bytes data) {
    if (!extension) return;
    ASSERT_LE(extension->offset, data.size());
    ASSERT_LE(extension->size, data.size() - extension->offset);
    const Bytes content = data.subspan(extension->offset, extension->size);
    if (const auto name = server_name_in_extension(content)) {
        ASSERT_LE(name->offset + name->size, content.size());
    }
}

void exercise_tls(Bytes data) {
    tls_record_full(data);
    client_hello_handshake_full(data);
    for (const auto strictness : {Strictness::partial, Strictness::strict}) {
        exercise_extension(find_extension(data, 0, strictness), data);
        exercise_extension(find_extension_in_handshake(data, 0, strictness), data);
        exercise_extension(find_extension_in_handshake(clipped(data, 5), 21, strictness),
                           clipped(data, 5));
    }
    server_name_in_extension(data);
    tls_client_hello_host(data);
    client_hello_handshake_host(data);
}

void exercise_markers(Bytes data) {
    static const auto markers = *parse_marker_list(
        "0,-1,host,endhost,endhost-1,sld,midsld,endsld,method,extlen,sniext,sniext+1,host-300");
    for (const PayloadRow& type : payload_rows) {
        for (const std::size_t position : resolve_all(data, type.payload, markers))
            EXPECT_LT(position, data.size());
    }
}

void exercise_quic(Bytes data) {
    if (is_quic_initial(data)) {
        if (const auto frames = quic_decrypt_initial(data)) {
            quic_has_no_crypto(*frames);
            quic_collect_crypto(*frames);
        }
    }
    quic_has_no_crypto(data);
    quic_collect_crypto(data);
    if (const auto header = parse_quic_initial(data)) {
        EXPECT_LE(header->packet_size, data.size());
    }
}

void exercise_tls_mod(Bytes data) {
    static const auto random = make_seeded_random(1);
    static const TlsMod everything = *parse_tls_mod("rnd,rndsni,dupsid,padencap,sni=a.example");
    static const TlsMod without_name = *parse_tls_mod("rnd,dupsid,padencap");
    if (!is_tls_client_hello(data)) return;
    const auto result = apply_tls_mod(data, everything, data, *random);
    if (result.ok()) {
        EXPECT_LE(result.data.size(), data.size() + 255 + 4);
    }
    apply_tls_mod(data, without_name, data, *random);
}

} // namespace

void exercise(Bytes data) {
    exercise_detection(data);
    exercise_text(data);
    exercise_tls(data);
    exercise_markers(data);
    exercise_quic(data);
    exercise_tls_mod(data);
    harvest_dns(data, [](const IpAddress& address, std::string_view name) {
        EXPECT_FALSE(address.empty());
        EXPECT_LE(name.size(), 254U);
    });
}

} // namespace nfqws2::protocol::test
