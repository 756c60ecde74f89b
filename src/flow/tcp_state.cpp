// Theory of operation. A flow begins in SYN and goes to ESTABLISHED with the first packet that is
// neither SYN nor SYN+ACK, or to FIN with the first FIN or RST; FIN is final. Only flags count, not
// who sent them. A packet tells its sender's position and, by its acknowledgement, the other
// side's. `seq` and `pos` are the latest ones, whatever came before; `uppos` is the highest end of
// data seen (serial arithmetic), so that data below it is a retransmission. A side's `seq0` is its
// initial sequence number, learned from its own handshake packet or from the other side's
// acknowledgement; until it is known nothing can be said about progress.
#include "tcp_state.hpp"

#include "nfqws2/flow/track.hpp"
#include "nfqws2/packet/header_walk.hpp"

#include <algorithm>

namespace nfqws2::flow::detail {

namespace {

namespace flag = packet::tcp_flag;

void add48(std::uint32_t& low, std::uint16_t& high, std::uint32_t n) {
    low += n;
    if (low < n) high++;
}

void set_state(TrackData& track, TcpState state) {
    track.state = static_cast<std::uint8_t>(state);
}

bool in_state(const TrackData& track, TcpState state) {
    return track.state == static_cast<std::uint8_t>(state);
}

void learn_seq0(SideData& side, std::uint32_t seq0) {
    side.seq0 = seq0;
    side.seq0_known = true;
}

// For a side whose handshake packet was not seen: nothing was sent yet.
void infer_seq0(SideData& side, std::uint32_t seq0) {
    learn_seq0(side, seq0);
    side.uppos = side.uppos_prev = seq0;
}

void follow_state(TrackData& track, const packet::Dissect& d, bool from_server) {
    const std::uint8_t flags = d.tcp_flags();
    switch (handshake_of(flags)) {
    case Handshake::syn:
        learn_seq0(track.client, d.tcp_seq());
        return;
    case Handshake::syn_ack:
        if (!track.client.seq0_known) infer_seq0(track.client, d.tcp_ack() - 1);
        learn_seq0(track.server, d.tcp_seq());
        return;
    case Handshake::none:
        break;
    }
    if ((flags & (flag::fin | flag::rst)) != 0) {
        set_state(track, TcpState::fin);
    } else if (in_state(track, TcpState::syn)) {
        set_state(track, TcpState::established);
        if (!from_server && !track.server.seq0_known && (flags & flag::ack) != 0)
            infer_seq0(track.server, d.tcp_ack() - 1);
    }
}

// MSS and window scale are announced in handshake packets only.
void take_options(SideData& side, const packet::Dissect& d) {
    side.mss = 0;
    packet::TcpOptionWalk walk(packet::tcp_options(d));
    packet::TcpOption option;
    while (walk.next(option)) {
        if (option.kind == 2 && option.data.size() == 2) side.mss = load_be16(option.data.data());
        if (option.kind == 3 && option.data.size() == 1) side.scale = option.data[0];
    }
}

// Real progress passes 2 GiB in steps no larger than a window (1 GiB); a stray segment, or one
// before the start, jumps.
void move_seq(SideData& side, std::uint32_t seq) {
    constexpr std::uint32_t half = 0x80000000U, max_step = 0x40000000U;
    const std::uint32_t before = side.seq - side.seq0, after = seq - side.seq0;
    if (side.seq0_known && before < half && after >= half && after - before <= max_step)
        side.rseq_over_2g = true;
    side.seq = seq;
}

// This and the next become part of their callers, for which each packet pays.
inline void count(SideData& sender, std::uint32_t packets, std::size_t payload_size) {
    add48(sender.pcounter_low, sender.pcounter_high, packets);
    if (payload_size == 0) return;
    add48(sender.pdcounter_low, sender.pdcounter_high, packets);
    const auto n = static_cast<std::uint32_t>(payload_size);
    sender.pbcounter_low += n;
    if (sender.pbcounter_low < n) sender.pbcounter_high++;
}

inline void stand_at(SideData& sender, const packet::Dissect& d, Part part) {
    move_seq(sender, d.tcp_seq() + part.offset);
    sender.pos = sender.seq + part.size;
}

void move_highest(SideData& side, bool handshake, bool has_data) {
    if (handshake) {
        side.uppos = side.uppos_prev = side.pos;
    } else if (has_data) {
        side.uppos_prev = side.uppos;
        if (((side.pos - side.uppos) & 0x80000000U) == 0) side.uppos = side.pos;
    }
}

} // namespace

Handshake handshake_of(std::uint8_t tcp_flags) {
    const std::uint8_t relevant =
        tcp_flags & (flag::syn | flag::ack | flag::fin | flag::rst | flag::psh | flag::urg);
    if (relevant == flag::syn) return Handshake::syn;
    return relevant == (flag::syn | flag::ack) ? Handshake::syn_ack : Handshake::none;
}

bool starts_over(const TrackData& track, const packet::Dissect& d) {
    if (in_state(track, TcpState::syn)) return false;
    switch (handshake_of(d.tcp_flags())) {
    case Handshake::syn:
        return true;
    case Handshake::syn_ack:
        return track.client.seq0 != d.tcp_ack() - 1;
    case Handshake::none:
        break;
    }
    return false;
}

void count_packets(TrackData& track, std::uint32_t packets, std::size_t payload_size,
                   bool from_server) {
    count(from_server ? track.server : track.client, packets, payload_size);
}

SideData foresee(SideData sender, const packet::Dissect& d, Packets packets) {
    count(sender, packets.number, packets.bytes);
    stand_at(sender, d, packets.last);
    return sender;
}

void follow_tcp(TrackData& track, const packet::Dissect& d, Part part, bool from_server) {
    follow_state(track, d, from_server);
    const bool handshake = in_state(track, TcpState::syn);
    SideData& side = from_server ? track.server : track.client;
    SideData& other = from_server ? track.client : track.server;

    if (d.l3 == packet::L3::ipv6) side.ip6_flow = d.ip6_flow();
    if (handshake) take_options(side, d);
    side.winsize = d.tcp_window();
    side.window_scaled = !handshake;
    stand_at(side, d, part);
    if ((d.tcp_flags() & flag::ack) != 0) {
        move_seq(other, d.tcp_ack());
        other.pos = other.seq;
    }
    move_highest(side, handshake, part.size != 0);
}

} // namespace nfqws2::flow::detail
