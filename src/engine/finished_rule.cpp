// Theory of operation. Most packets of a long transfer are of no interest to anybody: the instances
// of the profile are cut off, and nothing that may still be found in the flow leads to another
// profile, is looked up in a list or counts for a detector. Two short cuts rest on this question,
// asked for one direction or for both:
//
// - A merged packet (GSO) passes whole, see merged_rule.cpp.
// - With --offload-mark the connection is marked as finished, so that the firewall sends none of
//   its packets any more (bench: queue_bench.py, load tcp, --cases offload).
//
// The answer is "yes" only if the pipeline would pass every such packet and nobody could tell.
#include "finished_rule.hpp"

#include "nfqws2/profile/outlook.hpp"
#include "nfqws2/protocol/table.hpp"

namespace nfqws2::engine {

namespace {

// Scripts will not be called in this direction. What a list said is not for ever, see hosts_matter.
bool scripts_done(const Passage& p, bool outgoing) {
    const flow::TrackExtension* x = p.track->extension();
    const bool refused = x != nullptr && x->list.done && !x->list.positive;
    return p.profile->instances.empty() || p.track->cutoff(outgoing) || refused;
}

// A further host name is looked up in the profile's lists, which may open the flow for scripts or
// start the detectors.
bool hosts_matter(const Passage& p) {
    if (!p.profile->hosts.any_list() && !p.profile->hosts_exclude.any_list()) return false;
    const flow::TrackExtension* x = p.track->extension();
    const bool may_watch =
        p.profile->auto_hosts != nullptr && (x == nullptr || !x->auto_host.finalised);
    const bool cut_off =
        p.profile->instances.empty() || (p.track->cutoff(true) && p.track->cutoff(false));
    return may_watch || !cut_off;
}

} // namespace

bool detectors_done(const flow::Track& track) {
    const flow::TrackExtension* x = track.extension();
    if (x == nullptr) return true;
    return x->held.empty() && x->reassembly == nullptr &&
           (!x->auto_host.watching || x->auto_host.finalised);
}

bool names_known(const Passage& p, Ways ways) {
    const bool by_client = ways == Ways::both || !p.reverse;
    return p.track->l7_announced() && (p.track->hostname_discovered() || !by_client);
}

bool FinishedRule::awaits_names(Passage& p, Ways ways) const {
    const flow::Track& track = *p.track;
    // Only clients name hosts.
    const bool host_known = track.hostname_discovered();
    const bool by_client = ways == Ways::both || !p.reverse;
    const bool more_hosts = by_client && (!host_known || protocol::row(track.l7()).many_hosts);
    if (more_hosts && hosts_matter(p)) return true;
    if (options_.ipcache_hostname && ((by_client && !host_known) || !p.is_tcp())) return true;
    if (names_known(p, ways)) return false;
    return profile::may_change_profile(profiles_, selector_.query(p), *p.profile,
                                       {track.l7_announced(), host_known || !by_client});
}

bool FinishedRule::nothing_left(Passage& p, Ways ways) const {
    const flow::Track& track = *p.track;
    const bool both_done = scripts_done(p, true) && scripts_done(p, false);
    if (!detectors_done(track) ||
        !(both_done || (ways == Ways::this_one && p.is_tcp() && scripts_done(p, p.outgoing()))))
        return false;
    // Scripts of the other direction are shown what is found in this one.
    return (both_done || names_known(p, ways)) && !awaits_names(p, ways);
}

} // namespace nfqws2::engine
