#include "nfqws2/capture/ct_message.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <climits>
#include <cstring>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

namespace nfqws2::capture {

namespace {

using packet::Connection;
using packet::CtTuple;

// Calls `each(type, payload)` for the attributes; stops at the first that does not fit.
template <typename Each> void for_each_attribute(Bytes data, Each each) {
    const auto* attribute = reinterpret_cast<const nlattr*>(data.data());
    int left = static_cast<int>(std::min<std::size_t>(data.size(), INT_MAX));
    while (mnl_attr_ok(attribute, left)) {
        const auto* payload = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
        each(mnl_attr_get_type(attribute), Bytes(payload, mnl_attr_get_payload_len(attribute)));
        const int step = static_cast<int>(MNL_ALIGN(attribute->nla_len));
        if (step >= left) return;
        attribute = mnl_attr_next(attribute);
        left -= step;
    }
}

std::optional<std::uint32_t> u32_of(Bytes b) {
    if (b.size() != 4) return std::nullopt;
    return load_be32(b.data());
}
std::uint64_t u64_of(Bytes b) {
    if (b.size() != 8) return 0;
    return std::uint64_t{load_be32(b.data())} << 32 | load_be32(b.data() + 4);
}
std::uint16_t u16_of(Bytes b) {
    return b.size() == 2 ? load_be16(b.data()) : std::uint16_t{0};
}
std::uint8_t u8_of(Bytes b) {
    return b.size() == 1 ? b[0] : std::uint8_t{0};
}

void read_addresses(Bytes data, CtTuple& t) {
    for_each_attribute(data, [&t](std::uint16_t type, Bytes value) {
        const bool v4 = type == CTA_IP_V4_SRC || type == CTA_IP_V4_DST;
        const bool v6 = type == CTA_IP_V6_SRC || type == CTA_IP_V6_DST;
        if ((!v4 || value.size() != 4) && (!v6 || value.size() != 16)) return;
        const bool source = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC;
        (source ? t.src : t.dst) = v4 ? IpAddress::v4(value.data()) : IpAddress::v6(value.data());
    });
}

void read_protocol(Bytes data, CtTuple& t) {
    for_each_attribute(data, [&t](std::uint16_t type, Bytes value) {
        switch (type) {
        case CTA_PROTO_NUM:
            t.proto = u8_of(value);
            break;
        case CTA_PROTO_SRC_PORT:
            t.sport = u16_of(value);
            break;
        case CTA_PROTO_DST_PORT:
            t.dport = u16_of(value);
            break;
        case CTA_PROTO_ICMP_ID:
        case CTA_PROTO_ICMPV6_ID:
            t.icmp_id = u16_of(value);
            break;
        case CTA_PROTO_ICMP_TYPE:
        case CTA_PROTO_ICMPV6_TYPE:
            t.icmp_type = u8_of(value);
            break;
        case CTA_PROTO_ICMP_CODE:
        case CTA_PROTO_ICMPV6_CODE:
            t.icmp_code = u8_of(value);
            break;
        default:
            break;
        }
    });
}

CtTuple tuple_of(Bytes data) {
    CtTuple t;
    for_each_attribute(data, [&t](std::uint16_t type, Bytes value) {
        if (type == CTA_TUPLE_IP) read_addresses(value, t);
        if (type == CTA_TUPLE_PROTO) read_protocol(value, t);
    });
    return t;
}

packet::CtCounter counter_of(Bytes data) {
    packet::CtCounter counter;
    for_each_attribute(data, [&counter](std::uint16_t type, Bytes value) {
        if (type == CTA_COUNTERS_PACKETS) counter.packets = u64_of(value);
        if (type == CTA_COUNTERS_BYTES) counter.bytes = u64_of(value);
    });
    return counter;
}

void read_protocol_info(Bytes data, Connection& c) {
    for_each_attribute(data, [&c](std::uint16_t type, Bytes value) {
        if (type != CTA_PROTOINFO_TCP) return;
        for_each_attribute(value, [&c](std::uint16_t inner, Bytes state) {
            if (inner == CTA_PROTOINFO_TCP_STATE && u8_of(state) <= 9 && state.size() == 1)
                c.tcp_state = static_cast<packet::CtTcp>(state[0]);
        });
    });
}

void read_helper(Bytes data, Connection& c) {
    for_each_attribute(data, [&c](std::uint16_t type, Bytes value) {
        if (type != CTA_HELP_NAME) return;
        const std::string_view name = as_text(value);
        c.helper = packet::CtHelper(name.substr(0, name.find('\0')));
    });
}

void read_timestamp(Bytes data, Connection& c) {
    for_each_attribute(data, [&c](std::uint16_t type, Bytes value) {
        if (type == CTA_TIMESTAMP_START) c.start_ns = u64_of(value);
    });
}

void read_attribute(std::uint16_t type, Bytes value, Connection& c) {
    switch (type) {
    case CTA_TUPLE_ORIG:
        c.orig = tuple_of(value);
        break;
    case CTA_TUPLE_REPLY:
        c.reply = tuple_of(value);
        break;
    case CTA_TUPLE_MASTER:
        c.master = tuple_of(value);
        break;
    case CTA_STATUS:
        c.status = u32_of(value);
        break;
    case CTA_TIMEOUT:
        c.timeout = u32_of(value);
        break;
    case CTA_MARK:
        c.mark = u32_of(value);
        break;
    case CTA_ID:
        c.id = u32_of(value);
        break;
    case CTA_ZONE:
        c.zone = u16_of(value);
        break;
    case CTA_PROTOINFO:
        read_protocol_info(value, c);
        break;
    case CTA_HELP:
        read_helper(value, c);
        break;
    case CTA_COUNTERS_ORIG:
        c.counted = true;
        c.orig_counter = counter_of(value);
        break;
    case CTA_COUNTERS_REPLY:
        c.counted = true;
        c.reply_counter = counter_of(value);
        break;
    case CTA_TIMESTAMP:
        read_timestamp(value, c);
        break;
    case CTA_LABELS:
        if (value.size() == 16) {
            c.labels.emplace();
            std::copy(value.begin(), value.end(), c.labels->begin());
        }
        break;
    default:
        break;
    }
}

void put_address(nlmsghdr* message, const IpAddress& address, bool source) {
    const Bytes raw = address.bytes();
    const std::uint16_t type = address.version == 4 ? (source ? CTA_IP_V4_SRC : CTA_IP_V4_DST)
                                                    : (source ? CTA_IP_V6_SRC : CTA_IP_V6_DST);
    mnl_attr_put(message, type, raw.size(), raw.data());
}

IpAddress all_ones(int version) {
    IpAddress a;
    a.version = static_cast<std::uint8_t>(version);
    std::fill_n(a.raw.begin(), version == 4 ? 4 : 16, std::uint8_t{0xFF});
    return a;
}

} // namespace

bool parse_connection(Bytes attributes, Connection& out) {
    for_each_attribute(
        attributes, [&out](std::uint16_t type, Bytes value) { read_attribute(type, value, out); });
    return !out.orig.src.empty() && !out.orig.dst.empty() && !out.reply.src.empty() &&
           !out.reply.dst.empty();
}

std::optional<ExpectationRequest> parse_expectation(Bytes attributes) {
    ExpectationRequest request;
    packet::CtExpectation& wanted = request.expectation;
    std::optional<CtTuple> mask;
    for_each_attribute(attributes, [&](std::uint16_t type, Bytes value) {
        switch (type) {
        case CTA_EXPECT_MASTER:
            request.master = tuple_of(value);
            break;
        case CTA_EXPECT_TUPLE:
            wanted.tuple = tuple_of(value);
            break;
        case CTA_EXPECT_MASK:
            mask = tuple_of(value);
            break;
        case CTA_EXPECT_TIMEOUT:
            wanted.timeout = u32_of(value).value_or(0);
            break;
        case CTA_EXPECT_FLAGS:
            wanted.permanent = (u32_of(value).value_or(0) & 1) != 0;
            break;
        case CTA_EXPECT_HELP_NAME:
            wanted.helper = packet::CtHelper(as_text(value).substr(0, as_text(value).find('\0')));
            break;
        default:
            break;
        }
    });
    const auto is_any = [](const IpAddress& a) {
        return std::ranges::all_of(a.raw, [](std::uint8_t byte) { return byte == 0; });
    };
    if (wanted.tuple.dst.empty()) return std::nullopt;
    if (mask && is_any(mask->src)) wanted.tuple.src = IpAddress();
    if (mask && mask->sport == 0) wanted.tuple.sport = 0;
    return request;
}

CtInfo ct_info(std::uint32_t value) {
    using packet::CtDirection;
    using packet::CtState;
    switch (value) {
    case IP_CT_ESTABLISHED:
        return {CtState::established, CtDirection::original};
    case IP_CT_RELATED:
        return {CtState::related, CtDirection::original};
    case IP_CT_NEW:
        return {CtState::fresh, CtDirection::original};
    case IP_CT_ESTABLISHED_REPLY:
        return {CtState::established, CtDirection::reply};
    case IP_CT_RELATED_REPLY:
        return {CtState::related, CtDirection::reply};
    default:
        return {};
    }
}

void put_tuple(nlmsghdr* message, std::uint16_t type, const CtTuple& t) {
    nlattr* whole = mnl_attr_nest_start(message, type);
    nlattr* addresses = mnl_attr_nest_start(message, CTA_TUPLE_IP);
    put_address(message, t.src, true);
    put_address(message, t.dst, false);
    mnl_attr_nest_end(message, addresses);
    nlattr* protocol = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(message, CTA_PROTO_NUM, t.proto);
    // The kernel wants keys of GRE in the place of ports; those of GRE without any are 0.
    if (t.has_ports() || t.proto == IPPROTO_GRE) {
        mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(t.sport));
        mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(t.dport));
    } else if (t.is_icmp()) {
        const bool v4 = t.proto == 1;
        mnl_attr_put_u16(message, v4 ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMPV6_ID, htons(t.icmp_id));
        mnl_attr_put_u8(message, v4 ? CTA_PROTO_ICMP_TYPE : CTA_PROTO_ICMPV6_TYPE, t.icmp_type);
        mnl_attr_put_u8(message, v4 ? CTA_PROTO_ICMP_CODE : CTA_PROTO_ICMPV6_CODE, t.icmp_code);
    }
    mnl_attr_nest_end(message, protocol);
    mnl_attr_nest_end(message, whole);
}

namespace {

void put_u64(nlmsghdr* message, std::uint16_t type, std::uint64_t value) {
    mnl_attr_put_u64(message, type, htobe64(value));
}

void put_counter(nlmsghdr* message, std::uint16_t type, const packet::CtCounter& counter) {
    nlattr* nest = mnl_attr_nest_start(message, type);
    put_u64(message, CTA_COUNTERS_PACKETS, counter.packets);
    put_u64(message, CTA_COUNTERS_BYTES, counter.bytes);
    mnl_attr_nest_end(message, nest);
}

void put_helper(nlmsghdr* message, const packet::CtHelper& helper) {
    char name[packet::CtHelper::max_size + 1] = {};
    const std::string_view text = helper.text();
    std::copy(text.begin(), text.end(), name);
    nlattr* help = mnl_attr_nest_start(message, CTA_HELP);
    mnl_attr_put_strz(message, CTA_HELP_NAME, name);
    mnl_attr_nest_end(message, help);
}

} // namespace

void put_connection(nlmsghdr* message, const Connection& c) {
    put_tuple(message, CTA_TUPLE_ORIG, c.orig);
    put_tuple(message, CTA_TUPLE_REPLY, c.reply);
    if (c.master) put_tuple(message, CTA_TUPLE_MASTER, *c.master);
    if (c.status) mnl_attr_put_u32(message, CTA_STATUS, htonl(*c.status));
    if (c.timeout) mnl_attr_put_u32(message, CTA_TIMEOUT, htonl(*c.timeout));
    if (c.mark) mnl_attr_put_u32(message, CTA_MARK, htonl(*c.mark));
    if (c.id) mnl_attr_put_u32(message, CTA_ID, htonl(*c.id));
    if (c.zone != 0) mnl_attr_put_u16(message, CTA_ZONE, htons(c.zone));
    if (c.tcp_state != packet::CtTcp::unknown) {
        nlattr* info = mnl_attr_nest_start(message, CTA_PROTOINFO);
        nlattr* tcp = mnl_attr_nest_start(message, CTA_PROTOINFO_TCP);
        mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_STATE, static_cast<std::uint8_t>(c.tcp_state));
        mnl_attr_nest_end(message, tcp);
        mnl_attr_nest_end(message, info);
    }
    if (!c.helper.empty()) put_helper(message, c.helper);
    if (c.counted) {
        put_counter(message, CTA_COUNTERS_ORIG, c.orig_counter);
        put_counter(message, CTA_COUNTERS_REPLY, c.reply_counter);
    }
    if (c.labels) mnl_attr_put(message, CTA_LABELS, c.labels->size(), c.labels->data());
}

// CTA_MARK_MASK names the bits that are cleared before CTA_MARK is put in.
void put_changes(nlmsghdr* message, const packet::CtChanges& changes, std::uint32_t old_status) {
    if (changes.mark) {
        mnl_attr_put_u32(message, CTA_MARK, htonl(*changes.mark & changes.mark_mask));
        if (changes.mark_mask != UINT32_MAX)
            mnl_attr_put_u32(message, CTA_MARK_MASK, htonl(changes.mark_mask));
    }
    if (changes.timeout) mnl_attr_put_u32(message, CTA_TIMEOUT, htonl(*changes.timeout));
    if (changes.status) mnl_attr_put_u32(message, CTA_STATUS, htonl(old_status | *changes.status));
    if (changes.helper) put_helper(message, *changes.helper);
    if (changes.labels) {
        auto labels = *changes.labels;
        if (changes.labels_mask) // the kernel clears these bits, then turns those over that are set
            for (std::size_t i = 0; i < labels.size(); i++)
                labels[i] &= (*changes.labels_mask)[i];
        mnl_attr_put(message, CTA_LABELS, labels.size(), labels.data());
        if (changes.labels_mask)
            mnl_attr_put(message, CTA_LABELS_MASK, changes.labels_mask->size(),
                         changes.labels_mask->data());
    }
}

void put_expectation(nlmsghdr* message, const CtTuple& master,
                     const packet::CtExpectation& wanted) {
    CtTuple tuple = wanted.tuple, mask;
    const int version = tuple.dst.version;
    mask.proto = tuple.proto;
    mask.dst = all_ones(version);
    mask.dport = UINT16_MAX;
    mask.sport = tuple.sport != 0 ? UINT16_MAX : std::uint16_t{0};
    mask.src.version = static_cast<std::uint8_t>(version);
    if (tuple.src.empty())
        tuple.src.version = static_cast<std::uint8_t>(version);
    else
        mask.src = all_ones(version);
    put_tuple(message, CTA_EXPECT_MASTER, master);
    put_tuple(message, CTA_EXPECT_TUPLE, tuple);
    put_tuple(message, CTA_EXPECT_MASK, mask);
    mnl_attr_put_u32(message, CTA_EXPECT_TIMEOUT, htonl(wanted.timeout));
    if (wanted.permanent) mnl_attr_put_u32(message, CTA_EXPECT_FLAGS, htonl(1));
    if (!wanted.helper.empty()) {
        char name[packet::CtHelper::max_size + 1] = {};
        const std::string_view text = wanted.helper.text();
        std::copy(text.begin(), text.end(), name);
        mnl_attr_put_strz(message, CTA_EXPECT_HELP_NAME, name);
    }
}

} // namespace nfqws2::capture
