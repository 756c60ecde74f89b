// Theory of operation. Most packets of a long transfer are of no interest to anybody: the instances
// of the profile are cut off, and nothing that may still be found in the flow leads to another
// profile, is looked up in a list or counts for a detector. Two short cuts rest on this question,
// asked for one direction or for both:
//
// - A merged packet (GSO) passes whole; only the pieces it stands for are counted. Otherwise it is
//   split by the kernel and its pieces walk through the pipeline (bench: queue_bench.py, load tcp).
// - With --offload-mark the connection is marked as finished, so that the firewall sends none of
//   its packets any more (bench: the same with --cases offload).
//
// The answer is "yes" only if the pipeline would pass every such packet and nobody could tell.
#include "finished_rule.hpp"

#include "direction.hpp"
#include "nfqws2/profile/outlook.hpp"
#include "nfqws2/protocol/table.hpp"

#include <algorithm>

namespace nfqws2::engine {

namespace {

// Scripts will not be called in this direction. What a list said is not for ever, see hosts_matter.
bool scripts_done(const Passage& p, bool outgoing) {
    const flow::TrackExtension* x = p.track->extension();
    const bool refused = x != nullptr && x->list.done && !x->list.positive;
    return p.profile->instances.empty() || p.track->cutoff(outgoing) || refused;
}

bool detectors_done(const flow::Track& track) {
    const flow::TrackExtension* x = track.extension();
    if (x == nullptr) return true;
    return x->held.empty() && x->reassembly == nullptr &&
           (!x->auto_host.watching || x->auto_host.finalised);
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

// Size of the pieces as TCP cuts them: what both ends agreed on, less the options of each packet.
std::uint32_t piece_size(const Passage& p) {
    constexpr std::uint32_t usual_mss = 1460, min_mss = 88, plain_header = 20;
    const std::uint32_t agreed = p.track->common_mss();
    const std::uint32_t mss = std::max(agreed != 0 ? agreed : usual_mss, min_mss);
    return mss - (p.dis.l4_len - plain_header);
}

} // namespace

bool FinishedRule::nothing_left(Passage& p, Ways ways) const {
    const flow::Track& track = *p.track;
    const bool both_done = scripts_done(p, true) && scripts_done(p, false);
    if (!detectors_done(track) ||
        !(both_done || (ways == Ways::this_one && p.is_tcp() && scripts_done(p, p.outgoing()))))
        return false;
    // Only clients name hosts.
    const bool host_known = track.hostname_discovered();
    const bool by_client = ways == Ways::both || !p.reverse;
    const bool more_hosts = by_client && (!host_known || protocol::row(track.l7()).many_hosts);
    const bool l7_known = track.l7_announced();
    if (more_hosts && hosts_matter(p)) return false;
    if (options_.ipcache_hostname && ((by_client && !host_known) || !p.is_tcp())) return false;
    if (l7_known && (host_known || !by_client)) return true;
    // Scripts of the other direction are shown what is found in this one.
    if (!both_done) return false;
    return !profile::may_change_profile(profiles_, selector_.query(p), *p.profile,
                                        {l7_known, host_known || !by_client});
}

bool FinishedRule::passes_whole(Passage& p) {
    if (connections_ == nullptr) return false;
    const flow::ConnectionTable::Found found = connections_->find(p.dis);
    if (!found || !found.track->profile_searched()) return false;
    p.profile = profiles_.in_force(found.track->profile());
    if (p.profile == nullptr) return false;
    p.track = found.track;
    p.pin.emplace(*connections_, p.track); // it shall be there when the packet is counted
    p.l7 = p.track->l7();
    set_flow_direction(p, found.reverse, options_.server);
    set_target(p, options_.server);
    if (!nothing_left(p, Ways::this_one)) return false;
    if (p.is_tcp()) p.piece_size = piece_size(p);
    return true;
}

} // namespace nfqws2::engine
