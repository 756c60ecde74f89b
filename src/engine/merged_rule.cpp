// Theory of operation. The kernel carries up to 64 kB of a flow in one packet. Cut up by it, each
// piece costs a way through the queue and the pipeline (bench: queue_bench.py, load tcp), so it is
// left whole where nobody can tell:
//
// - Nothing is left to do for the flow, see finished_rule.cpp.
// - All functions that would be called have said that they only look (takes_merged of Lua), and
//   each piece would be shown to the same of them. They are called once, with the counters of the
//   last piece and `desync.merged` pieces.
//
// A function cannot be found to be of the second kind by looking at it: it may count its calls, or
// do something with every third packet. So nothing but its own word counts. One that breaks it is
// reported, its flow is split from then on, and what it wanted to do with this packet is asked
// again piece by piece (lua/desync.cpp); what was counted for the packet is taken back first.
//
// Where the kernel would cut is not told to us. It is computed from what both ends agreed on in the
// handshake; on a path with a smaller MTU there are more pieces than that. So an instance that
// takes certain payloads only is never spared its pieces, though none of those we know of has such
// a payload.
#include "merged_rule.hpp"

#include "direction.hpp"
#include "nfqws2/protocol/detect.hpp"

#include <algorithm>

namespace nfqws2::engine {

namespace {

// Size of the pieces as TCP cuts them: what both ends agreed on, less the options of each packet.
std::uint32_t piece_size(const Passage& p) {
    constexpr std::uint32_t usual_mss = 1460, min_mss = 88, plain_header = 20;
    const std::uint32_t agreed = p.track->common_mss();
    const std::uint32_t mss = std::max(agreed != 0 ? agreed : usual_mss, min_mss);
    return mss - (p.dis.l4_len - plain_header);
}

// What is said of the flow's protocol and hellos will not change by a packet without either.
bool is_settled(const flow::Track& track) {
    const flow::TrackExtension* x = track.extension();
    return detectors_done(track) && (x == nullptr || x->past == nullptr) &&
           (track.l7() == protocol::L7::unknown || track.l7_announced());
}

} // namespace

MergedWay MergedRule::way_of(Passage& p, bool may_call) {
    if (!find_flow(p)) return MergedWay::split;
    if (p.is_tcp()) p.piece_size = piece_size(p);
    if (finished_.nothing_left(p, Ways::this_one)) return MergedWay::whole;
    if (!may_call || !suits_one_call(p)) return MergedWay::split;
    before_ = p.track->counters();
    return MergedWay::one_call;
}

bool MergedRule::find_flow(Passage& p) const {
    if (connections_ == nullptr) return false;
    connections_->purge(); // a flow that is over is not kept by this packet
    const flow::ConnectionTable::Found found = connections_->find(p.dis);
    if (!found || !found.track->profile_searched()) return false;
    p.profile = profiles_.in_force(found.track->profile());
    if (p.profile == nullptr) return false;
    p.track = found.track;
    p.pin.emplace(*connections_, p.track); // it shall be there when the packet is counted
    p.l7 = p.track->l7();
    set_flow_direction(p, found.reverse, options_.server);
    set_target(p, options_.server);
    return true;
}

bool MergedRule::suits_one_call(Passage& p) const {
    if (!p.is_tcp() || !is_plain_data(p.dis) || p.pieces() < 2 || p.track->wants_pieces() ||
        p.track->common_mss() == 0 || !is_settled(*p.track) ||
        finished_.awaits_names(p, Ways::this_one) || !may_hide_names(p))
        return false;
    const flow::Track::Stretch stretch = p.track->foresee(p.dis, p.piece_size, p.reverse);
    const bool at_start = stretch.first.pdcounter == 1 || stretch.first.rseq() == 1;
    return !at_start && instances_agree(p, stretch) && nothing_begins(p);
}

// A piece that begins elsewhere than we think could tell protocol or host. Whoever is shown them in
// answers must not be one who acts on it.
bool MergedRule::may_hide_names(const Passage& p) const {
    if (names_known(p, Ways::this_one) || p.track->cutoff(!p.outgoing())) return true;
    const flow::Positions positions = p.track->positions();
    const flow::SidePositions& other = p.reverse ? positions.client : positions.server;
    const auto& instances = p.profile->instances;
    for (std::size_t i = 0; i < instances.size(); i++) {
        const bool over =
            flow::beyond_range(instances[i].range(!p.outgoing()), &other) ||
            p.track->instance_cut(p.profile->number, instances[i].func_n, !p.outgoing());
        if (!over && !desync_.takes_merged(*p.profile, i)) return false;
    }
    return true;
}

// Each of them takes all pieces or none.
bool MergedRule::instances_agree(const Passage& p, const flow::Track::Stretch& stretch) const {
    const auto& instances = p.profile->instances;
    const bool out = p.outgoing();
    for (std::size_t i = 0; i < instances.size(); i++) {
        const profile::LuaInstance& instance = instances[i];
        if (p.track->instance_cut(p.profile->number, instance.func_n, out)) continue;
        const flow::Range& range = instance.range(out);
        const bool due = flow::in_range(range, &stretch.first);
        if (due != flow::in_range(range, &stretch.last) ||
            flow::beyond_range(range, &stretch.first) != flow::beyond_range(range, &stretch.last))
            return false;
        if (due && (!instance.payload.matches(protocol::Payload::unknown) ||
                    !desync_.takes_merged(*p.profile, i)))
            return false;
    }
    return true;
}

// No piece is anything that the pipeline knows.
bool MergedRule::nothing_begins(const Passage& p) const {
    const Bytes data = p.dis.payload;
    for (std::size_t at = 0; at < data.size(); at += p.piece_size) {
        const Bytes piece = clipped(data, at, p.piece_size);
        const protocol::Detection d =
            p.reverse ? protocol::detect_tcp_responder(piece, options_.payload_disable)
                      : protocol::detect_tcp_initiator(piece, false, options_.payload_disable);
        if (d.payload != protocol::Payload::unknown) return false;
    }
    return true;
}

} // namespace nfqws2::engine
