// Records of the structure target: what they mean, the packets they become, how they are mutated.
#pragma once

#include "payloads.hpp"

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/packet/checksum.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace nfqws2::fuzz {

// One byte a field, so that a change of a byte is a change of one thing.
struct Record {
    std::uint8_t kind = 0;    // handshake, segment, fragment, ICMP error, merged, datagram
    std::uint8_t flow = 0;    // bit 0: IPv6, bit 1: from the server, others: which
    std::uint8_t message = 0; // what is carried
    std::uint8_t begin = 0;   // of the part, in units of 8 bytes or as `detail` says
    std::uint8_t size = 0;    // likewise
    std::uint8_t flags = 0;   // of TCP, or of the fragment
    std::uint8_t chain = 0;   // extension headers, two bits each
    std::uint8_t detail = 0;  // bit 0: units of one byte, bit 1: behind the end, bits 2..: sequence
    std::uint8_t spoiled = 0; // which byte of the packet is changed, 0: none
    std::uint8_t wait = 0;    // before it, in 10 ms
    bool from_server() const { return (flow & 2) != 0; }
    bool is_v6() const { return (flow & 1) != 0; }
};
static_assert(sizeof(Record) == 10);

enum class Kind : std::uint8_t {
    handshake,
    segment,
    fragment,
    icmp_error,
    merged,
    datagram,
    count
};

struct BuiltPacket {
    std::vector<std::uint8_t> bytes;
    bool merged = false;
    std::size_t headers = 0; // before the payload
};

inline std::vector<Record> records_in(Bytes data) {
    std::vector<Record> records(data.size() / sizeof(Record));
    if (!records.empty()) std::memcpy(records.data(), data.data(), records.size() * sizeof(Record));
    return records;
}

inline Bytes message_of(const Record& r) {
    // A hello that says it is larger than it is.
    static const std::vector<std::uint8_t> large = [] {
        const Bytes hello = protocol::fake_default_tls();
        std::vector<std::uint8_t> data(hello.begin(), hello.end());
        if (data.size() > 8) data[3] = data[7] = 0x0F;
        data.resize(6000, 0x5A);
        return data;
    }();
    const Bytes known = known_payload(r.message);
    return known.empty() ? Bytes(large) : known;
}

inline Bytes part_of(const Record& r) {
    const Bytes whole = message_of(r);
    const std::size_t unit = r.detail & 1 ? 1 : 8;
    const std::size_t begin = std::min(whole.size(), r.begin * unit);
    const std::size_t size =
        static_cast<Kind>(r.kind % 6) == Kind::merged ? r.size * unit * 4 : r.size * unit;
    return whole.subspan(begin, std::min(size, whole.size() - begin));
}

inline void append(std::vector<std::uint8_t>& to, Bytes data) {
    to.insert(to.end(), data.begin(), data.end());
}

// Extension headers by two bits each: none, hop by hop or destination options, routing, fragment.
inline std::uint8_t add_chain(std::vector<std::uint8_t>& packet, std::uint8_t chain,
                              std::uint8_t last) {
    static constexpr std::array<std::uint8_t, 4> kinds = {0, 60, 43, 44};
    std::vector<std::uint8_t> used;
    for (unsigned shift = 0; shift < 8; shift += 2)
        if (const unsigned kind = chain >> shift & 3; kind != 0)
            used.push_back(used.empty() && kind == 1 ? 0 : kinds[kind]);
    for (std::size_t i = 0; i < used.size(); i++) {
        const std::uint8_t next = i + 1 < used.size() ? used[i + 1] : last;
        append(packet, std::array<std::uint8_t, 8>{next, 0, 1, 4, 0, 0, 0, 0});
    }
    return used.empty() ? last : used.front();
}

inline std::vector<std::uint8_t> transport(const Record& r, bool tcp, Bytes payload) {
    const auto port = static_cast<std::uint16_t>(40000 + (r.flow >> 2));
    const std::uint16_t service =
        message_of(r).size() == protocol::fake_default_http().size() ? 80 : 443;
    std::vector<std::uint8_t> out(tcp ? 20 : 8);
    store_be16(out.data(), r.from_server() ? service : port);
    store_be16(out.data() + 2, r.from_server() ? port : service);
    if (tcp) {
        const std::uint32_t first = (r.detail >> 2) * 0x04000000U; // near the wrap for the last
        const std::size_t unit = r.detail & 1 ? 1 : 8;
        const bool syn = (r.flags & 2) != 0 && static_cast<Kind>(r.kind % 6) == Kind::handshake;
        store_be32(out.data() + 4,
                   first + (syn ? 0 : 1 + static_cast<std::uint32_t>(r.begin * unit)));
        store_be32(out.data() + 8, first + 1);
        out[12] = 0x50;
        out[13] = r.flags;
        store_be16(out.data() + 14, 0xFFFF);
    } else {
        store_be16(out.data() + 4, static_cast<std::uint16_t>(8 + payload.size()));
    }
    append(out, payload);
    return out;
}

struct FragmentPart {
    std::size_t offset = 0;
    bool more = false, is_fragment = false;
};

inline std::vector<std::uint8_t> network(const Record& r, std::uint8_t protocol, Bytes content,
                                         FragmentPart part) {
    std::vector<std::uint8_t> out(r.is_v6() ? 40 : 20);
    const auto field = static_cast<std::uint16_t>(part.offset / 8);
    if (r.is_v6()) {
        out[0] = 0x60;
        out[7] = 64;
        out[r.from_server() ? 39 : 23] = 1;
        std::uint8_t inner = protocol;
        std::vector<std::uint8_t> fragment;
        if (part.is_fragment) {
            fragment = {protocol, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(r.flow)};
            store_be16(fragment.data() + 2,
                       static_cast<std::uint16_t>(field << 3 | (part.more ? 1 : 0)));
            inner = 44;
        }
        out[6] = add_chain(out, r.chain, inner);
        append(out, fragment);
    } else {
        out[0] = 0x45;
        out[5] = r.flow;
        out[8] = 64;
        out[9] = protocol;
        out[r.from_server() ? 19 : 15] = 1;
        store_be16(out.data() + 6, static_cast<std::uint16_t>(field | (part.more ? 0x2000 : 0)));
    }
    append(out, content);
    if (r.is_v6()) {
        store_be16(out.data() + 4, static_cast<std::uint16_t>(out.size() - 40));
    } else {
        store_be16(out.data() + 2, static_cast<std::uint16_t>(out.size()));
        packet::fix_ipv4_checksum(out);
    }
    return out;
}

inline BuiltPacket build(const Record& r) {
    const auto kind = static_cast<Kind>(r.kind % static_cast<unsigned>(Kind::count));
    const bool tcp = kind != Kind::datagram && !(kind == Kind::fragment && r.message % 4 == 2);
    const Bytes payload = kind == Kind::handshake ? Bytes() : part_of(r);
    BuiltPacket built;
    std::vector<std::uint8_t> content =
        transport(r, tcp, kind == Kind::fragment ? message_of(r) : payload);
    FragmentPart part;
    if (kind == Kind::fragment) {
        part = {std::min<std::size_t>(r.begin * 8U, content.size()), (r.flags & 1) != 0, true};
        const std::size_t size = std::min<std::size_t>(r.size * 8U, content.size() - part.offset);
        content = {content.begin() + static_cast<long>(part.offset),
                   content.begin() + static_cast<long>(part.offset + size)};
    }
    const std::uint8_t protocol = tcp ? 6 : 17;
    built.bytes = network(r, protocol, content, part);
    built.merged = kind == Kind::merged;
    built.headers = built.bytes.size() - std::min(payload.size(), built.bytes.size());
    if (kind == Kind::icmp_error) { // the other side, or a router, tells of a packet
        std::vector<std::uint8_t> error(8);
        error[0] = r.is_v6() ? 1 : 3;
        error[1] = r.flags & 7;
        append(error,
               Bytes(built.bytes).first(std::min<std::size_t>(built.bytes.size(), r.size * 4U)));
        Record answer = r;
        answer.flow ^= 2;
        built.bytes = network(answer, r.is_v6() ? 58 : 1, error, {});
    }
    // The kernel merges only what is right.
    const std::size_t first_spoiled = built.merged ? built.headers : 1;
    if (r.spoiled >= first_spoiled && r.spoiled < built.bytes.size())
        built.bytes[r.spoiled] ^= r.detail | 1;
    if (built.bytes.size() > 0xFFFF) built.bytes.clear();
    return built;
}

// The packets a merged one stands for: headers of the first, sequence numbers that go on.
inline std::vector<BuiltPacket> pieces_of(const BuiltPacket& whole) {
    constexpr std::size_t segment = 1400;
    std::vector<BuiltPacket> pieces;
    const Bytes all(whole.bytes), payload = all.subspan(whole.headers);
    const std::size_t tcp = whole.headers - 20;
    for (std::size_t at = 0; at == 0 || at < payload.size(); at += segment) {
        BuiltPacket piece;
        append(piece.bytes, all.first(whole.headers));
        append(piece.bytes, payload.subspan(at, std::min(segment, payload.size() - at)));
        std::uint8_t* p = piece.bytes.data();
        store_be32(p + tcp + 4, load_be32(p + tcp + 4) + static_cast<std::uint32_t>(at));
        if (p[0] >> 4 == 4) {
            store_be16(p + 2, static_cast<std::uint16_t>(piece.bytes.size()));
            packet::fix_ipv4_checksum(piece.bytes);
        } else {
            store_be16(p + 4, static_cast<std::uint16_t>(piece.bytes.size() - 40));
        }
        piece.headers = whole.headers;
        pieces.push_back(std::move(piece));
    }
    return pieces;
}

// One change of the input in place; its new size.
inline std::size_t mutate(MutBytes room, std::size_t size, unsigned seed) {
    constexpr std::size_t step = sizeof(Record);
    std::minstd_rand random(seed);
    const auto below = [&random](std::size_t n) { return random() % n; };
    if (size == 0) {
        room[0] = static_cast<std::uint8_t>(random());
        size = 1;
    }
    std::size_t count = (size - 1) / step;
    const std::size_t most = (room.size() - 1) / step;
    std::vector<std::uint8_t> records(room.data() + 1, room.data() + 1 + count * step);
    const auto record = [&](std::size_t n) {
        return records.begin() + static_cast<long>(n * step);
    };
    const auto insert = [&](std::size_t at, std::vector<std::uint8_t> what) {
        records.insert(record(at), what.begin(), what.end());
        count++;
    };
    const auto change = [&](std::size_t n) {
        static constexpr std::array<std::uint8_t, 8> special = {0, 1, 2, 16, 127, 128, 254, 255};
        std::uint8_t& field = records[n * step + below(step)];
        switch (below(4)) {
        case 0:
            field = special[below(special.size())];
            break;
        case 1:
            field = static_cast<std::uint8_t>(field + 1 - 2 * below(2));
            break;
        case 2:
            field = static_cast<std::uint8_t>(field ^ 1U << below(8));
            break;
        default:
            field = static_cast<std::uint8_t>(random());
        }
    };
    switch (count == 0 ? 0 : below(8)) {
    case 0: // a new one
        if (count < most) {
            std::vector<std::uint8_t> fresh(step);
            for (std::uint8_t& byte : fresh)
                byte = static_cast<std::uint8_t>(random());
            fresh[step - 1] &= 7;
            fresh[step - 2] = 0;
            insert(below(count + 1), fresh);
        }
        break;
    case 1: // once more, perhaps elsewhere, perhaps a little different
        if (count < most) {
            const std::size_t from = below(count), to = below(count + 1);
            insert(to, {record(from), record(from + 1)});
            if (below(2) != 0) change(to);
        }
        break;
    case 2: {
        const std::size_t gone = below(count);
        records.erase(record(gone), record(gone + 1));
        break;
    }
    case 3: { // another order
        const std::size_t a = below(count), b = below(count);
        std::swap_ranges(record(a), record(a + 1), record(b));
        break;
    }
    case 4: // the rest of a message: what follows on the part
        if (count < most) {
            const std::size_t from = below(count);
            std::vector<std::uint8_t> next(record(from), record(from + 1));
            next[3] = static_cast<std::uint8_t>(next[3] + next[4]);
            insert(from + 1, next);
        }
        break;
    case 5:
        room[0] = static_cast<std::uint8_t>(random());
        break;
    default:
        change(below(count));
    }
    std::memcpy(room.data() + 1, records.data(), records.size());
    return 1 + records.size();
}

} // namespace nfqws2::fuzz
