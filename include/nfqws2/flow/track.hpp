// One tracked connection. Hot data (tuple, counters) lies together; what few flows need (held
// packets, reassembly, instance cutoffs, list verdicts) hangs off a lazily made extension, so that
// an ordinary flow stays within 256 bytes with its table slot (docs/contracts/goals.md#flows).
#pragma once

#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/flow/held_packets.hpp"
#include "nfqws2/flow/positions.hpp"
#include "nfqws2/flow/reassembly.hpp"
#include "nfqws2/flow/track_data.hpp"
#include "nfqws2/packet/connection.hpp"
#include "nfqws2/protocol/names.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::packet {
struct Dissect;
}

namespace nfqws2::flow {

enum class TcpState : std::uint8_t { syn, established, fin };

struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;
};

// Result of the host list check of a flow (docs/contracts/profiles.md#when-a-profile-is-searched).
struct ListVerdict {
    bool done = false, positive = false, excluded = false;
};

// Bookkeeping of the automatic host list for one flow (docs/contracts/lists.md#detectors).
struct AutoHostState {
    bool watching = false;  // host in no list, detectors active (`hostname_ah_check`)
    bool finalised = false; // success or failure was reported
    bool retrans_stopped = false;
    std::uint8_t retrans = 0;
};

inline constexpr int no_lua_ref = -2; // LUA_NOREF

class Track;

// Place of a track in the table's lists of flows with held packets; the table's business.
struct HoldNeighbours {
    Track *prev = nullptr, *next = nullptr;
};
struct HoldLink {
    HoldNeighbours by_news, by_age;
    std::int64_t news_ns = 0, first_ns = 0; // of the last packet with news, of the first one
    std::size_t bytes = 0;
    std::size_t packets = 0; // 0 = not in the lists
    std::size_t message = 0; // memory of the reassembly
    bool unanswered = false; // in the lists of such flows
};

// A hello whose packets have left, kept for a while because some of them may come again, or the
// rest of them late; see engine/past_hellos.cpp.
struct PastHello {
    Reassembly message;
    HeldPackets pieces;       // as they came; empty if the hello left before it was whole
    std::int64_t last_ns = 0; // when it left, or was last repeated
    unsigned repeats = 0;
    // The table's business.
    Track* track = nullptr;
    PastHello *prev = nullptr, *next = nullptr;
    std::size_t bytes = 0;
};

struct TrackExtension {
    ListVerdict list;
    AutoHostState auto_host;
    struct Cut {
        std::uint32_t profile, instance;
        bool in, out;
    };
    std::vector<Cut> cuts; // those that found no place in the track; ask Track::instance_cut
    std::unique_ptr<Reassembly> reassembly;
    HeldPackets held;
    bool start_acknowledged = false; // an empty ACK went on for the first held packet
    HoldLink hold_link;
    std::unique_ptr<PastHello> past; // set by ConnectionTable::keep_past()
};

class ConnectionTable;

class Track {
  public:
    Track(const Track&) = delete;
    Track& operator=(const Track&) = delete;

    bool is_tcp() const { return d_.flags.tcp; }
    Endpoint client() const { return endpoint(d_.client_address, d_.client_port); }
    Endpoint server() const { return endpoint(d_.server_address, d_.server_port); }
    // Copy assembled from the compact form when called for; cheap (two cache lines).
    Positions positions() const;
    TcpState state() const { return static_cast<TcpState>(d_.state); }
    std::int64_t start_ns() const { return d_.start_ns; }
    std::int64_t last_ns() const { return d_.last_ns; }
    std::uint32_t number() const { return d_.number; } // since start, for traces; from 1

    // Client's last data packet repeated old data.
    bool is_retransmission() const {
        return ((d_.client.uppos_prev - d_.client.pos) & 0x80000000U) == 0;
    }
    // Smaller of both MSS values, 0 if one is unknown.
    std::uint16_t common_mss() const;

    // What a merged TCP packet would count for its sender at the first and at the last of its
    // pieces; it is not counted.
    struct Stretch {
        SidePositions first, last;
    };
    Stretch foresee(const packet::Dissect& d, std::uint32_t piece_size, bool from_server) const;
    // To take back what was counted for a packet.
    struct Counters {
        detail::SideData client, server;
    };
    Counters counters() const { return {d_.client, d_.server}; }
    void take_back(const Counters& before) {
        d_.client = before.client;
        d_.server = before.server;
    }
    // Scripts do something with its packets, though they said that they only look.
    bool wants_pieces() const { return d_.flags.wants_pieces; }
    void set_wants_pieces() { d_.flags.wants_pieces = true; }

    std::uint8_t incoming_ttl() const { return d_.incoming_ttl; }
    bool incoming_ttl_from_cache() const { return d_.flags.ttl_from_cache; }
    void set_incoming_ttl(std::uint8_t ttl, bool from_cache) {
        d_.incoming_ttl = ttl;
        d_.flags.ttl_from_cache = from_cache;
    }

    protocol::L7 l7() const { return static_cast<protocol::L7>(d_.l7); }
    void set_l7(protocol::L7 v) { d_.l7 = static_cast<std::uint8_t>(v); }
    bool l7_announced() const { return d_.flags.l7_announced; } // the profile was searched with it
    void set_l7_announced() { d_.flags.l7_announced = true; }

    std::string_view hostname() const { // empty view with data()==nullptr when unknown
        return d_.host ? std::string_view(d_.host->text, d_.host->size) : std::string_view();
    }
    bool has_hostname() const { return d_.host != nullptr; }
    bool hostname_is_ip() const { return d_.flags.host_is_ip; }
    // Found in a payload of this flow, not in the ip cache.
    bool hostname_discovered() const { return d_.flags.host_discovered; }
    // At most 255 characters are kept.
    void set_hostname(std::string_view name, bool is_ip, bool discovered);

    // Cached profile: its id, valid if searched.
    bool profile_searched() const { return d_.flags.profile_searched; }
    std::uint32_t profile() const { return d_.profile; }
    void set_profile(std::uint32_t id) {
        d_.profile = id;
        d_.flags.profile_searched = true;
    }

    // Of the first packet of the flow that a profile was searched for, by --ct.
    packet::CtState first_ct_state() const {
        return static_cast<packet::CtState>(d_.client.ct_state);
    }
    void set_first_ct_state(packet::CtState state) {
        d_.client.ct_state = static_cast<std::uint8_t>(state);
    }

    bool cutoff(bool outgoing) const { // lua_in_cutoff / lua_out_cutoff
        return outgoing ? d_.flags.cutoff_out : d_.flags.cutoff_in;
    }
    void set_cutoff(bool outgoing) {
        d_.flags.cutoff_out |= outgoing;
        d_.flags.cutoff_in |= !outgoing;
    }
    void clear_cutoffs() { d_.flags.cutoff_in = d_.flags.cutoff_out = false; }

    // Whether the firewall may be told once more that the flow is finished. Rules that lose the
    // mark would send the same packet back for ever.
    bool offer_end() {
        constexpr unsigned most = 15;
        if (d_.flags.offers == most) return false;
        d_.flags.offers++;
        return true;
    }

    bool has_cuts() const {
        return (d_.cut_in | d_.cut_out) != 0 || (d_.extension && !d_.extension->cuts.empty());
    }
    bool instance_cut(std::uint32_t profile, std::uint32_t instance, bool outgoing) const;
    void cut_instance(std::uint32_t profile, std::uint32_t instance, bool in, bool out);
    void clear_cuts();

    int lua_ref() const { return d_.lua_ref; } // registry reference of `lua_state`, or no_lua_ref
    void set_lua_ref(int ref) { d_.lua_ref = ref; }

    TrackExtension* extension() { return d_.extension.get(); } // nullptr if never made
    const TrackExtension* extension() const { return d_.extension.get(); }
    TrackExtension& need_extension(); // std::bad_alloc when memory is short
    // After packets were put into or taken out of extension()->held the table must be told with
    // ConnectionTable::held_changed(), so that it knows which flows to look at for the release.
    bool holding() const { return d_.extension && !d_.extension->held.empty(); }

  private:
    friend class ConnectionTable;
    Track() = default; // only in the table's memory
    ~Track() = default;
    Endpoint endpoint(const std::array<std::uint8_t, 16>& address, std::uint16_t port) const {
        return {{address, static_cast<std::uint8_t>(d_.flags.ipv6 ? 6 : 4)}, port};
    }
    bool cut_fits_mask(std::uint32_t profile, std::uint32_t instance) const;

    detail::TrackData d_;
};

} // namespace nfqws2::flow
