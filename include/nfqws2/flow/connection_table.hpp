// The table of flows: search in both directions, creation, feeding, time-outs, limits
// (docs/contracts/flows.md#tracks). How it works is told at the top of connection_table.cpp.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/memory_budget.hpp"
#include "nfqws2/flow/track.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace nfqws2::flow {

struct TableOptions {
    std::uint32_t timeout_syn = 60, timeout_established = 300, timeout_fin = 60, timeout_udp = 60;
    std::size_t max_tracks = 1'000'000;            // --ctrack-max; 0 = unlimited
    std::size_t max_held_bytes = 64 * 1024 * 1024; // all held packets together
    // Held packets are released after this time without news; 0 = never.
    std::uint32_t release_ms = 1500;
    std::uint32_t release_max_ms = 4500; // and that long after the first of them at the latest
    // The same for TCP flows whose other side has not answered, where answers are seen at all.
    std::uint32_t release_unanswered_ms = 500, release_unanswered_max_ms = 1500;
    MemoryBudget* memory = nullptr; // bounds all that is kept; may be shared by several tables
};

// Told when a track ends (expiry, eviction, reset, program end): the engine sends its held packets
// unmodified and drops the Lua reference. The track is still whole during the call.
class TrackObserver {
  public:
    virtual ~TrackObserver() = default;
    virtual void on_track_end(Track& track) = 0;
    // Held packets waited too long; same duty, but the track lives on.
    virtual void on_held_timeout(Track& track) = 0;
};

class ConnectionTable {
  public:
    ConnectionTable(const TableOptions& options, Clock& clock);
    ~ConnectionTable();
    ConnectionTable(const ConnectionTable&) = delete;
    ConnectionTable& operator=(const ConnectionTable&) = delete;

    void set_observer(TrackObserver* observer);

    struct Found {
        Track* track = nullptr;
        bool reverse = false; // the packet goes from server to client
        explicit operator bool() const { return track != nullptr; }
    };
    // Finds or creates the track of a TCP/UDP packet and counts it. No track: mid-stream TCP,
    // anything that is not dissected TCP/UDP. A merged TCP packet counts as those it stands for,
    // with `piece_size` bytes of payload in each but the last.
    Found feed(const packet::Dissect& d, std::uint32_t piece_size = 0);
    // Search only, no counting, no creation. Works on partial dissects (packets quoted by ICMP
    // errors: ports are enough, an incomplete TCP header is fine).
    Found find(const packet::Dissect& d) const;
    // The same by the endpoints of a packet.
    Found find(bool tcp, const Endpoint& source, const Endpoint& destination) const;

    // Expires a bounded number of idle tracks. Called before each fed packet and by the event
    // loop's timer. True: more is waiting, call again soon.
    bool purge();
    // Releases overdue held packets, likewise; after a fed packet, which may complete what is
    // overdue.
    bool release_overdue();
    // Milliseconds until purge() has something to look at, -1 if there is no track at all.
    int next_purge_ms() const;
    // Milliseconds until the next held packet is due for release, -1 if none is held.
    int next_release_ms() const;
    // Whether one more packet of this size may be put aside (max_held_bytes over all flows).
    bool may_hold(std::size_t packet_size) const;
    // The same for this flow, within the memory budget too. What only might be needed gives way:
    // hellos that have left, then the youngest flow without an answer that holds packets, unless
    // this one has no answer either.
    bool make_room(const Track& track, std::size_t packet_size);
    // To be called after extension()->held of the track changed. `news`: what was put aside brought
    // something, so that it is worth waiting on.
    void held_changed(Track& track, bool news = true);

    // Keeps a hello that has left with its flow, in place of what was kept; not if the flow has
    // ended or room is short. It goes after `past_life_ns`, or when held packets need its room.
    static constexpr std::int64_t past_life_ns = 5'000'000'000;
    void keep_past(Track& track, std::unique_ptr<PastHello> past);
    std::unique_ptr<PastHello> take_past(Track& track);

    // A track that must not be freed or reset while this lives (the one Lua is working on).
    class Pin {
      public:
        Pin(ConnectionTable& table, Track* track);
        ~Pin();
        Pin(const Pin&) = delete;
        Pin& operator=(const Pin&) = delete;

      private:
        ConnectionTable& table_;
        Track* track_;
    };

    // The flows that are over or have had no packet for so long, but pinned ones.
    void for_each_idle(std::int64_t idle_ns, const std::function<void(Track&)>& visit);

    // A part of a walk through all flows, between whose parts packets may come: visits about
    // `least` or more and returns where to go on, 0 at the end. A flow may be visited twice if many
    // end meanwhile.
    std::uint32_t scan(std::uint32_t cursor, std::size_t least,
                       const std::function<void(const Track&)>& visit) const;

    std::size_t size() const;
    std::uint64_t created() const; // tracks since the start
    std::size_t held_packets() const;
    // When the flow that has held packets for the longest put its first one aside; INT64_MAX: none.
    std::int64_t longest_hold_ns() const;
    std::size_t held_bytes() const;
    std::uint64_t evicted() const; // tracks that ended early because of max_tracks
    // Ends every track (program end); the observer releases held packets.
    void clear();
    // SIGUSR1: one line per track (docs/contracts/flows.md#the-dump).
    void dump(const std::function<void(const Track&, const std::string&)>& line) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace nfqws2::flow
