// Theory of operation: the packet is written front to back into the caller's buffer (L3 headers, L4
// header, payload), then checksummed as a whole, and only then cut if it is to be one fragment of
// itself. Lengths are therefore always those of what was really written.
#include "nfqws2/packet/reconstruct.hpp"

#include "header_writer.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/packet/checksum.hpp"
#include "nfqws2/packet/header_walk.hpp"

#include <algorithm>
#include <cstring>

namespace nfqws2::packet {

namespace {

constexpr std::size_t buffer_limit = 65536;
constexpr std::size_t max_payload = 65535;
constexpr std::uint16_t ipv4_fragment_bits = 0x3FFF;

// Where the parts of a packet under construction lie.
struct Layout {
    std::size_t l3 = 0, l4 = 0, total = 0;
};

Reconstructed failure(std::string reason) {
    return {0, std::move(reason)};
}

std::uint8_t last_protocol(const Blueprint& plan, const ReconstructOptions& options) {
    if (options.last_proto != proto::none) return options.last_proto;
    switch (plan.fragment_mode ? L4::none : plan.l4) {
    case L4::tcp:
        return proto::tcp;
    case L4::udp:
        return proto::udp;
    case L4::icmp:
        return proto::icmpv6;
    case L4::none:
        break;
    }
    return plan.raw_protocol;
}

std::size_t write_l3(const Blueprint& plan, const ReconstructOptions& options, MutBytes out) {
    if (plan.l3 == L3::ipv4) return write_ipv4(plan.ip, out);
    if (plan.l3 != L3::ipv6) return 0;
    return write_ipv6(plan.ip6, options.preserve_next || plan.fragment_mode,
                      last_protocol(plan, options), out);
}

// 0 with an L4 header wanted means failure.
std::size_t write_l4(const Blueprint& plan, MutBytes out) {
    switch (plan.l4) {
    case L4::tcp:
        return write_tcp(plan.tcp, out);
    case L4::udp:
        return write_udp(plan.udp, out);
    case L4::icmp:
        return write_icmp(plan.icmp, out);
    case L4::none:
        break;
    }
    return 0;
}

const char* l4_error(L4 l4) {
    return l4 == L4::tcp ? "bad tcp" : l4 == L4::udp ? "bad udp" : "bad icmp";
}

// A checksum that no receiver can take for `good`: neither equal to it nor one of the two values
// that mean the same (0 and 0xFFFF) or "not computed" (0 in UDP).
std::uint16_t spoiled(std::uint16_t good, Random& random) {
    if (good == 0 || good == 0xFFFF) return static_cast<std::uint16_t>(1 + random.below(65534));
    const std::uint32_t other = 1 + random.below(65533);
    return static_cast<std::uint16_t>(other < good ? other : other + 1);
}

void set_l4_checksum(const Blueprint& plan, bool bad, Random& random, const Layout& at,
                     MutBytes out) {
    const L4Checksum kind = plan.l4 == L4::tcp   ? L4Checksum::tcp
                            : plan.l4 == L4::udp ? L4Checksum::udp
                                                 : L4Checksum::icmp;
    const MutBytes header = out.subspan(at.l3, at.l4);
    const Bytes payload = out.subspan(at.l3 + at.l4, at.total - at.l3 - at.l4);
    if (kind == L4Checksum::udp)
        store_be16(header.data() + 4, static_cast<std::uint16_t>(header.size() + payload.size()));
    const std::uint16_t sum = l4_checksum(kind, out.first(at.l3), header, payload);
    store_be16(header.data() + checksum_offset(kind), bad ? spoiled(sum, random) : sum);
}

Reconstructed finish_ipv4(const Blueprint& plan, const Layout& at, MutBytes out) {
    std::size_t size = at.total;
    if (plan.fragment_mode) {
        if (!plan.ip.len) store_be16(out.data() + 2, static_cast<std::uint16_t>(size));
    } else if (plan.ip.off & ipv4_fragment_bits) {
        const std::size_t wanted = plan.ip.len.value_or(0);
        if (wanted < at.l3 || wanted > at.total) return failure("ipv4 frag : invalid ip_len");
        const std::size_t offset = (plan.ip.off & 0x1FFFU) * 8U, count = wanted - at.l3;
        if (at.l3 + offset + count > at.total)
            return failure("ipv4 frag : fragment end is outside of the packet");
        std::memmove(out.data() + at.l3, out.data() + at.l3 + offset, count);
        size = wanted;
    } else {
        store_be16(out.data() + 2, static_cast<std::uint16_t>(size));
    }
    if (size > max_packet) return failure(format("packet too large : %zu", size));
    fix_ipv4_checksum(out.first(at.l3));
    return {size, {}};
}

// Offset of the fragment header that the chain of the built packet reaches within the payload
// length written so far; a header that is only partly inside counts as reached.
std::optional<std::size_t> find_fragment_header(Bytes packet) {
    ExtensionWalk walk(packet);
    ExtensionHeader header;
    while (walk.next(header))
        if (header.type == proto::fragment) return header.offset;
    if (!walk.at_end() && walk.last_type() == proto::fragment) return walk.end();
    return std::nullopt;
}

Reconstructed finish_ipv6(const Blueprint& plan, const Layout& at, MutBytes out) {
    if (plan.fragment_mode) {
        if (!plan.ip6.payload_len)
            store_be16(out.data() + 4, static_cast<std::uint16_t>(at.total - 40));
        return {at.total, {}};
    }
    const auto fragment = find_fragment_header(out.first(at.total));
    if (!fragment) {
        store_be16(out.data() + 4, static_cast<std::uint16_t>(at.total - 40));
        return {at.total, {}};
    }
    const std::size_t payload_len = load_be16(out.data() + 4);
    const std::size_t body = *fragment + 8, unfragmentable = body - 40;
    if (unfragmentable > payload_len) return failure("ipv6 frag : invalid ip6_plen");
    const std::size_t offset = load_be16(out.data() + *fragment + 2) & 0xFFF8U;
    const std::size_t count = payload_len - unfragmentable;
    if (body + offset + count > at.total)
        return failure("ipv6 frag : fragmentable part is outside of the packet");
    std::memmove(out.data() + body, out.data() + body + offset, count);
    return {40 + payload_len, {}};
}

} // namespace

Reconstructed reconstruct(const Blueprint& plan, const ReconstructOptions& options, Random& random,
                          MutBytes out) {
    out = out.first(std::min(out.size(), buffer_limit));
    Layout at;
    at.l3 = write_l3(plan, options, out);
    if (at.l3 == 0) return failure(plan.l3 == L3::ipv4 ? "bad ip" : "bad ip6");
    const bool has_l4 = !plan.fragment_mode && plan.l4 != L4::none;
    if (has_l4) {
        at.l4 = write_l4(plan, out.subspan(at.l3));
        if (at.l4 == 0) return failure(l4_error(plan.l4));
    }
    const MutBytes room = out.subspan(at.l3 + at.l4);
    const std::size_t payload = plan.payload.size();
    if (payload > max_payload) return failure(format("payload too large : %zu", payload));
    if (payload > room.size())
        return failure(format("payload does not fit into the buffer : payload %zu buffer_left %zu",
                              payload, room.size()));
    if (payload != 0) std::memcpy(room.data(), plan.payload.data(), payload);
    at.total = at.l3 + at.l4 + payload;

    if (has_l4 && !options.keep_checksum)
        set_l4_checksum(plan, options.bad_checksum, random, at, out);
    return plan.l3 == L3::ipv4 ? finish_ipv4(plan, at, out) : finish_ipv6(plan, at, out);
}

} // namespace nfqws2::packet
