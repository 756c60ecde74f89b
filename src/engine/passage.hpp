// What the parts of the pipeline hand to each other; not visible outside of engine/.
#pragma once

#include "ct_facts.hpp"
#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/flow/pieces.hpp"
#include "nfqws2/lua/desync.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/profile/profile_set.hpp"
#include "nfqws2/protocol/names.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::rules {
struct Account;
}

namespace nfqws2::engine {

// One packet on its way through the pipeline: what is known about it so far.
struct Passage {
    // From the start
    Bytes raw;                // as it came in
    Bytes frame, link;        // see capture::InputPacket
    std::uint64_t number = 0; // since start, from 1; a replayed piece keeps that of its packet
    packet::Dissect dis;
    std::uint32_t mark = 0;
    std::string_view ifin, ifout;
    bool merged = false;          // the kernel has joined several packets to this one
    std::uint32_t piece_size = 0; // TCP payload in each of those, if this one is not split
    bool one_call = false;        // it goes to scripts as it is
    bool bare_syn = false;        // its data was taken off
    Bytes ct_attribute;           // with --ct=queue: what the kernel says of its connection
    std::optional<std::uint32_t> ct_info;
    bool shallow = false; // rules want its flow to be tracked, and nothing else

    // Once its flow was looked for
    flow::Track* track = nullptr;
    // Scripts may feed packets themselves, which may expire tracks: not this one.
    std::optional<flow::ConnectionTable::Pin> pin;
    std::optional<flow::Positions> positions;        // see positions_of()
    std::optional<profile::ProfileSet::Older> older; // its held packets belong to older profiles
    bool reverse = false;                            // from the server to the client of the flow
    bool incoming = false; // what Lua calls "in": reverse, inverted by --server
    IpAddress target;
    std::uint16_t target_port = 0, near_port = 0;
    std::optional<PacketCt> ct;                        // with --ct
    std::shared_ptr<const packet::CtFacts> ct_of_held; // likewise, of a packet that was put aside
    std::shared_ptr<const rules::Account> rules_of_held;

    // Once a profile was searched, which payload and host may change
    const profile::Profile* profile = nullptr;

    // Once the payload was looked at
    protocol::Payload payload = protocol::Payload::unknown;
    protocol::L7 l7 = protocol::L7::unknown;
    bool kept = false;                   // it was put aside
    std::optional<std::string> raw_host; // found in this packet, not yet normalised

    // Of messages in several packets
    std::optional<lua::Replay> replay;
    std::optional<Bytes> reasm_data;     // joined message, replay only
    std::optional<Bytes> decrypt_data;   // CRYPTO stream of a QUIC hello
    std::vector<std::uint8_t> decrypted; // what it points to when the hello came in one datagram

    bool outgoing() const { return !incoming; }
    bool is_tcp() const { return dis.l4 == packet::L4::tcp; }
    bool is_replay() const { return replay.has_value(); }
    // How many packets it counts as.
    std::uint32_t pieces() const { return flow::pieces_of(dis.payload.size(), piece_size).count; }
    bool holding() const { return track != nullptr && track->holding(); }
};

// What payload detection decided about a packet.
enum class Detected : std::uint8_t {
    go_on,
    held, // a copy was put aside; this packet must not go on its way now
};

// The counters of the flow for this packet: a snapshot for replayed pieces, else made on demand.
inline const flow::Positions& positions_of(Passage& p) {
    if (!p.positions) p.positions = p.track->positions();
    return *p.positions;
}

// TCP: the segment is not more than its data.
inline bool is_plain_data(const packet::Dissect& d) {
    using namespace packet::tcp_flag;
    return (d.tcp_flags() & (fin | rst | syn | urg)) == 0;
}

// The first known payload decides the protocol of the flow.
void set_payload(Passage& p, protocol::Payload payload, protocol::L7 l7);
// The same, unless it is unknown, and said in the debug text.
void note_payload(Passage& p, protocol::Payload payload, protocol::L7 l7);

} // namespace nfqws2::engine
