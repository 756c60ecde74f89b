// One packet as a plain struct for the compiled table builder. The layout is declared twice, here
// and for the FFI in fast_table.lua.hpp; a size check at start keeps them honest.
#pragma once

#include <cstdint>

namespace nfqws2::lua {

struct SideFacts {
    double pcounter, pdcounter, pbcounter;
    std::uint32_t ip6_flow, seq0, seq, rseq, pos, uppos, uppos_prev, winsize_calc;
    std::uint32_t winsize, scale, mss, rseq_over_2g;
};

struct Facts {
    const std::uint8_t *packet, *payload, *reasm, *decrypt;
    const char *ifin, *ifout, *hostname;
    double t_start, dt;
    SideFacts client, server;
    std::uint8_t target[16];
    // lengths of what is pointed to above
    std::uint32_t payload_len, reasm_len, decrypt_len, ifin_len, ifout_len, hostname_len;
    // dissect
    std::uint32_t l3, l4, l4proto, l3_len, l4_len, transport_len, fragment, frag_off;
    std::uint32_t ip6_flow, seq, ack, icmp_data;
    // packet
    std::uint32_t fwmark, profile_n, outgoing, target_port, target_version, l7payload, l7proto;
    std::uint32_t has_reasm, has_decrypt, tcp_mss, replay, replay_piece, replay_count, reasm_offset;
    // track
    std::uint32_t has_track, tcp_track, incoming_ttl, track_l7, has_hostname, hostname_is_ip;
    std::uint32_t in_cutoff, out_cutoff, direct_is_client, lua_state;
    // The pointers are good: a packet's table is being built right now.
    std::uint32_t valid;
};

} // namespace nfqws2::lua
