// Somebody who watches the packets of some flows while the program runs, in lines of the trace.
// Called in the thread of the engine.
#pragma once

#include "nfqws2/flow/track.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <string_view>

namespace nfqws2::engine {

class FlowWatcher {
  public:
    virtual ~FlowWatcher() = default;
    // Asked before a packet goes its way, the second only if the first says yes: whether it may be
    // one of those. `track` is the flow as far as it is known then, or nullptr.
    virtual bool may_want(const packet::Dissect& packet) const = 0;
    virtual bool may_want(const flow::Track* track) const = 0;
    // What happened to it, a line or several; not wanted after all if it belongs to another flow.
    virtual void take(const flow::Track* track, std::string_view lines) = 0;
};

} // namespace nfqws2::engine
