// What becomes of a packet that the kernel has joined of several (GSO, GRO).
#pragma once

#include "finished_rule.hpp"
#include "nfqws2/lua/desync.hpp"

namespace nfqws2::engine {

enum class MergedWay : std::uint8_t {
    split,    // the packets it stands for walk through the pipeline one by one
    whole,    // nothing is left to do for it
    one_call, // scripts see it as it is
};

class MergedRule {
  public:
    MergedRule(const Options& options, const profile::ProfileSet& profiles,
               flow::ConnectionTable* connections, const FinishedRule& finished,
               lua::Desync& desync)
        : options_(options), profiles_(profiles), connections_(connections), finished_(finished),
          desync_(desync) {}

    // Looked at for the first time. Unless it is to be split, the passage gets the flow, its
    // profile, and the size of the pieces. `may_call`: nothing but flow and scripts takes notice of
    // the packet.
    MergedWay way_of(Passage& p, bool may_call);
    // Scripts want the pieces of a packet that they were shown: it was never counted.
    void take_back(Passage& p) const { p.track->take_back(before_); }

  private:
    bool find_flow(Passage& p) const;
    bool suits_one_call(Passage& p) const;
    bool may_hide_names(const Passage& p) const;
    bool instances_agree(const Passage& p, const flow::Track::Stretch& stretch) const;
    bool nothing_begins(const Passage& p) const;

    const Options& options_;
    const profile::ProfileSet& profiles_;
    flow::ConnectionTable* connections_; // nullptr with --ctrack-disable
    const FinishedRule& finished_;
    lua::Desync& desync_;
    flow::Track::Counters before_{}; // the packet that is to be shown
};

} // namespace nfqws2::engine
