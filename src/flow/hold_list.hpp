// The flows that hold packets back, once in order of the last news and once in order of the first
// packet put aside, with the totals over all of them. Intrusive (TrackExtension::hold_link), so
// that it costs nothing per ordinary flow.
#pragma once

#include "nfqws2/flow/track.hpp"

namespace nfqws2::flow {

class HoldList {
  public:
    // What one held packet counts against the limit.
    static std::size_t cost(std::size_t packet_size) { return packet_size + sizeof(HeldPacket); }

    // Looks at extension()->held; `news`: the flow waits from now on, not from its last news on.
    void update(Track& track, std::int64_t now_ns, bool news);
    void remove(Track& track);
    void postpone(Track& track, std::int64_t now_ns); // as if the first packet were put aside now

    Track* idle_longest() const { return idle_.first; }
    Track* held_longest() const { return age_.first; }
    Track* held_shortest() const { return age_.last; }
    std::size_t packets() const { return packets_; }
    std::size_t bytes() const { return bytes_; }
    std::size_t message_bytes() const { return message_bytes_; }

  private:
    struct Chain {
        HoldNeighbours HoldLink::*link;
        Track *first = nullptr, *last = nullptr;
        void append(Track& track);
        void unlink(Track& track);
    };
    Chain idle_{&HoldLink::by_news}, age_{&HoldLink::by_age};
    std::size_t packets_ = 0, bytes_ = 0, message_bytes_ = 0;
};

} // namespace nfqws2::flow
