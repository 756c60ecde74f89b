// Building a packet from header fields (docs/contracts/wire.md#building). Pure: plain structs in,
// bytes out. Lua tables are turned into a Blueprint elsewhere.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nfqws2::packet {

inline constexpr std::size_t max_packet = 65535;
inline constexpr std::size_t max_ip_options = 40;
inline constexpr std::size_t max_tcp_options = 40;

struct Ipv4Fields {
    std::uint8_t tos = 0, ttl = 0, protocol = 0;
    std::uint16_t id = 0, off = 0;
    std::optional<std::uint16_t> len; // used for fragments only; else computed
    std::array<std::uint8_t, 4> source{}, destination{};
    Bytes options; // padded with zeros to a multiple of four
};

struct ExtensionField {
    std::uint8_t type = 0;
    std::uint8_t next = proto::none;
    Bytes data; // the header without its first two bytes
};

struct Ipv6Fields {
    std::uint32_t flow = 0x60000000;
    std::uint8_t next = 0, hop_limit = 0;
    std::optional<std::uint16_t> payload_len; // used for fragments only; else computed
    std::array<std::uint8_t, 16> source{}, destination{};
    std::span<const ExtensionField> extensions;
};

struct TcpOptionField {
    std::uint8_t kind = 0;
    Bytes data;
};

struct TcpFields {
    std::uint16_t source_port = 0, destination_port = 0, window = 0, urgent = 0, checksum = 0;
    std::uint32_t seq = 0, ack = 0;
    std::uint8_t flags = 0, x2 = 0;
    std::span<const TcpOptionField> options;
};

struct UdpFields {
    std::uint16_t source_port = 0, destination_port = 0, length = 0, checksum = 0;
};

struct IcmpFields {
    std::uint8_t type = 0, code = 0;
    std::uint16_t checksum = 0;
    std::uint32_t data = 0;
};

struct Blueprint {
    L3 l3 = L3::none;
    L4 l4 = L4::none;           // ignored in fragment mode
    bool fragment_mode = false; // `frag_off` was present: L3 + payload, given lengths stay
    Ipv4Fields ip;
    Ipv6Fields ip6;
    TcpFields tcp;
    UdpFields udp;
    IcmpFields icmp;
    Bytes payload;
    // Last protocol of the IPv6 chain when there is no L4 header and the options leave it to us.
    std::uint8_t raw_protocol = proto::none;
};

struct ReconstructOptions {
    bool keep_checksum = false;            // keepsum: L4 checksum and UDP length as given
    bool bad_checksum = false;             // badsum: a checksum that is surely wrong
    bool preserve_next = false;            // ip6_preserve_next
    std::uint8_t last_proto = proto::none; // ip6_last_proto; 59 = automatic
};

// Result: number of bytes written to `out`, or 0 and `error` with the reason ("bad ip6", ...).
struct Reconstructed {
    std::size_t size = 0;
    std::string error;
    bool ok() const { return size != 0; }
};
// `out` should hold 65536 bytes. `random` is used by bad_checksum only.
Reconstructed reconstruct(const Blueprint& plan, const ReconstructOptions& options, Random& random,
                          MutBytes out);

// Single headers: lengths and checksums as given, except the IPv4 header checksum.
Reconstructed build_ipv4_header(const Ipv4Fields& f, MutBytes out);
// payload_len absent: length of the extension headers. Limited to 512 bytes.
Reconstructed build_ipv6_header(const Ipv6Fields& f, bool preserve_next, std::uint8_t last_proto,
                                MutBytes out);
Reconstructed build_tcp_header(const TcpFields& f, MutBytes out);
Reconstructed build_udp_header(const UdpFields& f, MutBytes out);
Reconstructed build_icmp_header(const IcmpFields& f, MutBytes out);

// The automatic last protocol of a raw packet that was dissected as `l4proto`: itself, unless it is
// zero or names an extension header, which the payload is not.
std::uint8_t raw_protocol_of(std::uint8_t l4proto);

} // namespace nfqws2::packet
