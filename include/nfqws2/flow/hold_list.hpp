// The flows that hold packets back, in order of the last packet put aside, with the totals over all
// of them. Intrusive (TrackExtension::hold_link), so that it costs nothing per ordinary flow.
#pragma once

#include "nfqws2/flow/track.hpp"

namespace nfqws2::flow {

class HoldList {
  public:
    // What one held packet counts against the limit.
    static std::size_t cost(std::size_t packet_size) { return packet_size + sizeof(HeldPacket); }

    void update(Track& track, std::int64_t now_ns); // looks at extension()->held
    void remove(Track& track);
    void postpone(Track& track, std::int64_t now_ns); // as if a packet were put aside now

    Track* first() const { return first_; } // waits longest
    std::size_t packets() const { return packets_; }
    std::size_t bytes() const { return bytes_; }

  private:
    void unlink(HoldLink& link);
    void append(Track& track, std::int64_t now_ns);

    Track *first_ = nullptr, *last_ = nullptr;
    std::size_t packets_ = 0, bytes_ = 0;
};

} // namespace nfqws2::flow
