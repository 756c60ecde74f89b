// The record behind Track, packed: a million of them must fit a router. Its first cache line is all
// that a look-up reads. Counters of packets have 48 bits (16 of them apart, for alignment).
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <array>
#include <cstdint>
#include <memory>

namespace nfqws2::flow {

struct TrackExtension;

namespace detail {

struct HostName {
    static constexpr std::size_t max_size = 255;
    std::uint16_t size;
    char text[max_size]; // only `size` of them are really there
};

// Both live in slab pools; their address leads back to the pool.
struct PoolDelete {
    void operator()(TrackExtension* p) const;
    void operator()(HostName* p) const;
};

struct SideData {
    std::uint32_t pcounter_low, pdcounter_low;
    std::uint32_t pbcounter_low, pbcounter_high;
    std::uint32_t ip6_flow;
    std::uint32_t seq0, seq, pos, uppos, uppos_prev;
    std::uint16_t pcounter_high, pdcounter_high;
    std::uint16_t winsize, mss;
    std::uint8_t scale; // as found; limited to 14 where it is applied
    bool seq0_known : 1, rseq_over_2g : 1;
    bool window_scaled : 1; // the last window was not that of a handshake packet
    std::uint8_t ct_state;  // the client's: packet::CtState of the first packet, 0 = not asked for
};

struct TrackFlags {
    bool tcp : 1, ipv6 : 1;
    bool ttl_from_cache : 1;
    bool l7_announced : 1;
    bool profile_searched : 1;
    bool cutoff_in : 1, cutoff_out : 1;
    bool host_is_ip : 1, host_discovered : 1;
    bool answered : 1; // in the wheel of flows that have shown two sides
    bool ended : 1;    // out of the table; only pins keep it
    bool wants_pieces : 1;
    std::uint16_t offers : 4;
};
static_assert(sizeof(TrackFlags) == 2);

struct TrackData {
    std::uint32_t hash = 0, chain = 0;
    std::uint16_t client_port = 0, server_port = 0;
    TrackFlags flags{};
    std::uint16_t cut_profile = 0; // profile of the two masks below
    std::array<std::uint8_t, 16> client_address{}, server_address{};
    std::int64_t last_ns = 0;
    std::uint8_t state = 0, l7 = 0, incoming_ttl = 0, pins = 0;
    std::uint32_t profile = 0;

    SideData client{}, server{};
    std::int64_t start_ns = 0;
    std::uint32_t wheel_prev = 0, wheel_next = 0, wheel_s = 0;
    std::uint32_t number = 0;
    std::unique_ptr<HostName, PoolDelete> host;
    std::unique_ptr<TrackExtension, PoolDelete> extension;
    std::int32_t lua_ref = -2;
    // Instances 1..16 of profile `cut_profile` that were cut off; others are in the extension.
    std::uint16_t cut_in = 0, cut_out = 0;
};

} // namespace detail
} // namespace nfqws2::flow
