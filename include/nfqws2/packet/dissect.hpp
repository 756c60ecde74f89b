// A dissected packet (docs/contracts/wire.md#dissecting): offsets into the caller's bytes, nothing
// is copied. Whatever cannot be recognised stays raw IP with its whole payload; nothing throws.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/ip_address.hpp"

#include <cstdint>

namespace nfqws2::packet {

enum class L3 : std::uint8_t { none, ipv4, ipv6 };
enum class L4 : std::uint8_t { none, tcp, udp, icmp };

namespace proto { // IP protocol numbers that matter here
inline constexpr std::uint8_t hopopts = 0, icmp = 1, tcp = 6, udp = 17, routing = 43, fragment = 44,
                              ah = 51, icmpv6 = 58, none = 59, dstopts = 60, mobility = 135,
                              hip = 139, shim6 = 140;
}

namespace tcp_flag {
inline constexpr std::uint8_t fin = 0x01, syn = 0x02, rst = 0x04, psh = 0x08, ack = 0x10,
                              urg = 0x20, ece = 0x40, cwr = 0x80;
}

// Strict: lengths in the headers must fit the data. Partial: packets quoted by ICMP errors and
// `dissect(raw, true)` of Lua; an IPv4 total length below the header length means "unknown".
enum class Completeness : std::uint8_t { strict, partial };

struct Dissect {
    Bytes packet;  // from the IP header on, cut to the IP length; empty if not IP
    Bytes payload; // behind the L4 header, or behind L3 when L4 was not recognised
    std::uint32_t transport_len = 0;
    std::uint16_t l3_len = 0;
    std::uint16_t l4_len = 0;
    std::uint16_t frag_off = 0; // bytes
    std::uint8_t l4proto = 0;
    L3 l3 = L3::none;
    L4 l4 = L4::none;
    bool fragment = false;

    bool is_ip() const { return l3 != L3::none; }
    const std::uint8_t* ip() const { return packet.data(); }
    const std::uint8_t* transport() const { return packet.data() + l3_len; }

    IpAddress source() const;
    IpAddress destination() const;
    std::uint8_t ttl() const { return ip()[l3 == L3::ipv4 ? 8 : 7]; }

    // TCP and UDP only.
    std::uint16_t source_port() const { return load_be16(transport()); }
    std::uint16_t destination_port() const { return load_be16(transport() + 2); }
    // TCP only.
    std::uint32_t tcp_seq() const { return load_be32(transport() + 4); }
    std::uint32_t tcp_ack() const { return load_be32(transport() + 8); }
    std::uint8_t tcp_flags() const { return transport()[13]; }
    std::uint16_t tcp_window() const { return load_be16(transport() + 14); }
    // ICMP only.
    std::uint8_t icmp_type() const { return transport()[0]; }
    std::uint8_t icmp_code() const { return transport()[1]; }
    // IPv6 only: version, class and flow label.
    std::uint32_t ip6_flow() const { return load_be32(ip()); }
};

Dissect dissect(Bytes raw, Completeness completeness = Completeness::strict);

// Header checks that Lua's header functions and raw sending need (no length-field checks).
bool looks_like_ipv4(Bytes raw); // version 4, >= 20 bytes, 20 <= ihl*4 <= size
bool looks_like_ipv6(Bytes raw); // version 6, >= 40 bytes
bool looks_like_tcp(Bytes raw);  // >= 20 bytes, 20 <= th_off*4 <= size

} // namespace nfqws2::packet
