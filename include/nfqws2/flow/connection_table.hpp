// The table of flows: search in both directions, creation, feeding, time-outs, limits (spec part 03
// section 4). How it works is told at the top of connection_table.cpp.
#pragma once

#include "nfqws2/base/clock.hpp"
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
    std::uint32_t release_ms = 1500; // held packets are released after this idle time; 0 = never
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

    // Expires a bounded number of idle tracks and releases overdue held packets. Called before each
    // fed packet and by the event loop's timer. True: more is waiting, call again soon.
    bool purge();
    // Milliseconds until purge() has something to look at, -1 if there is no track at all.
    int next_purge_ms() const;
    // Milliseconds until the next held packet is due for release, -1 if none is held.
    int next_release_ms() const;
    // Whether one more packet of this size may be put aside (max_held_bytes over all flows).
    bool may_hold(std::size_t packet_size) const;
    // To be called after extension()->held of the track changed.
    void held_changed(Track& track);

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

    std::size_t size() const;
    std::size_t held_packets() const;
    std::size_t held_bytes() const;
    std::uint64_t evicted() const; // tracks that ended early because of max_tracks
    // Ends every track (program end); the observer releases held packets.
    void clear();
    // SIGUSR1: one line per track (section 4.8).
    void dump(const std::function<void(const std::string&)>& line) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace nfqws2::flow
