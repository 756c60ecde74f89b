// Is a flow of no interest to anybody any more?
#pragma once

#include "profile_selector.hpp"

namespace nfqws2::engine {

// Of a flow.
enum class Ways : std::uint8_t { this_one, both };

class FinishedRule {
  public:
    FinishedRule(const Options& options, const profile::ProfileSet& profiles,
                 const ProfileSelector& selector)
        : options_(options), profiles_(profiles), selector_(selector) {}

    // Both of a packet that has a track and a profile.
    bool nothing_left(Passage& p, Ways ways) const;
    // Whether a protocol or a host that is not known yet would change anything but what scripts
    // are shown.
    bool awaits_names(Passage& p, Ways ways) const;

  private:
    const Options& options_;
    const profile::ProfileSet& profiles_;
    const ProfileSelector& selector_;
};

// Nothing of the flow is held back or joined, and no detector of an automatic list watches it.
bool detectors_done(const flow::Track& track);
// Protocol and host of the flow, as far as these ways could tell them.
bool names_known(const Passage& p, Ways ways);

} // namespace nfqws2::engine
