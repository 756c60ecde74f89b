// Packets that are put aside until their message is whole: copies in the flow, whose originals are
// dropped. They leave in order; none is ever lost.
#pragma once

#include "nfqws2/capture/outlet.hpp"
#include "nfqws2/profile/profile_set.hpp"
#include "story.hpp"

namespace nfqws2::engine {

class RulesStage;

class Holder {
  public:
    struct Surroundings {
        flow::ConnectionTable* connections; // nullptr with --ctrack-disable: nothing is held
        capture::UntracedOutlet outlet;     // they are told of when they are held and released
        const profile::ProfileSet& profiles;
        Story story;
        std::uint32_t desync_fwmark;
        bool server_mode;
        CtFacts* ct = nullptr;       // nullptr with --ct=off
        RulesStage* rules = nullptr; // nullptr without --rules
    };
    explicit Holder(const Surroundings& around) : around_(around) {}

    // Puts a copy of the packet aside; false if there is no room. `news`: the wait begins anew.
    bool hold(Passage& p, bool news = true);
    // Everything of the flow leaves unmodified, and the message is given up.
    void release(flow::Track& track);
    // The packet as it was when it was put aside.
    void resume(Passage& p, const flow::HeldPacket& piece) const;
    // False: it could not be sent.
    bool send(const flow::HeldPacket& piece, Bytes data);

  private:
    void tell_release(flow::Track& track, const flow::HeldPacket& piece);

    Surroundings around_;
};

} // namespace nfqws2::engine
