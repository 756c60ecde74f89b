#include "header_writer.hpp"

#include "header_sizes.hpp"
#include "nfqws2/packet/checksum.hpp"
#include "nfqws2/packet/header_walk.hpp"

#include <algorithm>
#include <cstring>

namespace nfqws2::packet {

namespace {

constexpr std::size_t max_ipv6_header_result = 512;

void copy(std::uint8_t* to, Bytes from) {
    if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

constexpr std::size_t round_up4(std::size_t n) {
    return (n + 3) & ~std::size_t{3};
}

// The length byte of an extension header with these contents; nullopt if none describes it.
std::optional<std::uint8_t> extension_length(std::uint8_t type, std::size_t data_size) {
    const std::size_t size = data_size + 2;
    if (data_size < 6) return std::nullopt;
    if (type == proto::ah) {
        if (size % 4 != 0 || data_size >= 1024) return std::nullopt;
        return static_cast<std::uint8_t>(size / 4 - 2);
    }
    if (size % 8 != 0 || data_size >= 2048) return std::nullopt;
    return static_cast<std::uint8_t>(size / 8 - 1);
}

// Size of the written option list with padding; 0 is a valid size, nullopt means it is too long.
std::optional<std::size_t> write_tcp_options(std::span<const TcpOptionField> options,
                                             MutBytes out) {
    std::array<std::uint8_t, max_tcp_options> list;
    std::size_t size = 0;
    for (const TcpOptionField& option : options) {
        const bool single = option.kind <= 1;
        const std::size_t need = single ? 1 : 2 + option.data.size();
        if (need > list.size() - size) return std::nullopt;
        list[size] = option.kind;
        if (!single) {
            list[size + 1] = static_cast<std::uint8_t>(need);
            copy(&list[size + 2], option.data);
        }
        size += need;
        if (option.kind == 0) break;
    }
    while (size % 4 != 0)
        list[size++] = 0;
    if (size > out.size()) return std::nullopt;
    copy(out.data(), Bytes(list).first(size));
    return size;
}

Reconstructed result(std::size_t size, const char* error) {
    return size != 0 ? Reconstructed{size, {}} : Reconstructed{0, error};
}

} // namespace

std::size_t write_ipv4(const Ipv4Fields& f, MutBytes out) {
    if (f.options.size() > max_ip_options) return 0;
    const std::size_t size = ipv4_base + round_up4(f.options.size());
    if (size > out.size()) return 0;
    std::uint8_t* p = out.data();
    p[0] = static_cast<std::uint8_t>(0x40 | size / 4);
    p[1] = f.tos;
    store_be16(p + 2, f.len.value_or(0));
    store_be16(p + 4, f.id);
    store_be16(p + 6, f.off);
    p[8] = f.ttl;
    p[9] = f.protocol;
    store_be16(p + 10, 0);
    copy(p + 12, f.source);
    copy(p + 16, f.destination);
    std::memset(p + ipv4_base, 0, size - ipv4_base);
    copy(p + ipv4_base, f.options);
    return size;
}

std::size_t write_ipv6(const Ipv6Fields& f, bool preserve_next, std::uint8_t last_proto,
                       MutBytes out) {
    if (out.size() < ipv6_base) return 0;
    std::uint8_t* p = out.data();
    store_be32(p, f.flow);
    p[7] = f.hop_limit;
    copy(p + 8, f.source);
    copy(p + 24, f.destination);

    std::uint8_t* next = p + 6; // the byte that must name what follows
    *next = f.next;
    std::size_t size = ipv6_base;
    for (const ExtensionField& header : f.extensions) {
        const auto length = extension_length(header.type, header.data.size());
        if (!length || header.data.size() + 2 > out.size() - size) return 0;
        if (!preserve_next) *next = header.type;
        next = p + size;
        next[0] = header.next;
        next[1] = *length;
        copy(next + 2, header.data);
        size += header.data.size() + 2;
    }
    if (!preserve_next) *next = last_proto;
    store_be16(p + 4, f.payload_len.value_or(static_cast<std::uint16_t>(size - ipv6_base)));
    return size;
}

std::size_t write_tcp(const TcpFields& f, MutBytes out) {
    if (out.size() < tcp_base) return 0;
    const auto options = write_tcp_options(f.options, out.subspan(tcp_base));
    if (!options) return 0;
    const std::size_t size = tcp_base + *options;
    std::uint8_t* p = out.data();
    store_be16(p, f.source_port);
    store_be16(p + 2, f.destination_port);
    store_be32(p + 4, f.seq);
    store_be32(p + 8, f.ack);
    p[12] = static_cast<std::uint8_t>(size / 4 << 4 | (f.x2 & 0x0F));
    p[13] = f.flags;
    store_be16(p + 14, f.window);
    store_be16(p + 16, f.checksum);
    store_be16(p + 18, f.urgent);
    return size;
}

std::size_t write_udp(const UdpFields& f, MutBytes out) {
    if (out.size() < udp_base) return 0;
    std::uint8_t* p = out.data();
    store_be16(p, f.source_port);
    store_be16(p + 2, f.destination_port);
    store_be16(p + 4, f.length);
    store_be16(p + 6, f.checksum);
    return udp_base;
}

std::size_t write_icmp(const IcmpFields& f, MutBytes out) {
    if (out.size() < icmp_base) return 0;
    std::uint8_t* p = out.data();
    p[0] = f.type;
    p[1] = f.code;
    store_be16(p + 2, f.checksum);
    store_be32(p + 4, f.data);
    return icmp_base;
}

Reconstructed build_ipv4_header(const Ipv4Fields& f, MutBytes out) {
    const std::size_t size = write_ipv4(f, out);
    if (size != 0) fix_ipv4_checksum(out.first(size));
    return result(size, "bad ip");
}

Reconstructed build_ipv6_header(const Ipv6Fields& f, bool preserve_next, std::uint8_t last_proto,
                                MutBytes out) {
    out = out.first(std::min(out.size(), max_ipv6_header_result));
    return result(write_ipv6(f, preserve_next, last_proto, out), "bad ip6");
}

Reconstructed build_tcp_header(const TcpFields& f, MutBytes out) {
    return result(write_tcp(f, out), "bad tcp");
}

Reconstructed build_udp_header(const UdpFields& f, MutBytes out) {
    return result(write_udp(f, out), "bad udp");
}

Reconstructed build_icmp_header(const IcmpFields& f, MutBytes out) {
    return result(write_icmp(f, out), "bad icmp");
}

} // namespace nfqws2::packet
