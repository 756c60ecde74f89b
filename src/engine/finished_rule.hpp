// Is a flow of no interest to anybody any more?
#pragma once

#include "profile_selector.hpp"

namespace nfqws2::engine {

// Of a flow.
enum class Ways : std::uint8_t { this_one, both };

class FinishedRule {
  public:
    FinishedRule(const Options& options, const profile::ProfileSet& profiles,
                 flow::ConnectionTable* connections, const ProfileSelector& selector)
        : options_(options), profiles_(profiles), connections_(connections), selector_(selector) {}

    // The packet has a track and a profile.
    bool nothing_left(Passage& p, Ways ways) const;
    // Of a merged packet, which is looked at for the first time.
    bool passes_whole(Passage& p);

  private:
    const Options& options_;
    const profile::ProfileSet& profiles_;
    flow::ConnectionTable* connections_;
    const ProfileSelector& selector_;
};

} // namespace nfqws2::engine
