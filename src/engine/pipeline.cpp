#include "pipeline.hpp"

#include "direction.hpp"
#include "nfqws2/flow/past_hosts.hpp"
#include "nfqws2/protocol/detect.hpp"

namespace nfqws2::engine {

Pipeline::Pipeline(const Surroundings& around)
    : around_(around), connections_(around.connections), story_(around.onlooker.trace()),
      rules_(make_rules_stage(around.options, around.services, around.onlooker)),
      holder_({connections_, capture::UntracedOutlet(*around.services.sender),
               *around.services.profiles, story_, around.options.desync_fwmark,
               around.options.server, around.ct, rules_.get()}),
      replayer_(holder_, connections_, *this, story_), past_(connections_, replayer_, around.now),
      joiner_(around.options, connections_, holder_, replayer_, past_),
      watch_(*around.services.auto_hosts, capture::TracedOutlet(around.onlooker),
             *around.services.random, around.options.desync_fwmark),
      detector_(around.options, around.ip_cache, joiner_, past_, holder_, watch_),
      selector_(around.options, around.services, around.ip_cache, watch_, story_, around.by_profile,
                around.ct),
      finished_(around.options, *around.services.profiles, selector_),
      merged_(around.options, *around.services.profiles, connections_, finished_, around.desync),
      distances_(around.ip_cache, around.options.server), fast_open_(around.options),
      fastpath_(around.options.fastpath_workaround, around.ip_cache),
      first_drop_(around.options.server), lua_(around.desync, story_, around.ct, rules_.get()) {
}

capture::Verdict Pipeline::process(const capture::InputPacket& packet) {
    Passage p;
    enter(p, packet);
    capture::Verdict verdict = route(p);
    if (p.bare_syn && verdict.action == capture::Action::accept)
        verdict = {capture::Action::modify, fast_open_.bare_syn()};
    if (rules_ != nullptr) rules_->finish(p, verdict);
    if (around_.options.offload && rules_ == nullptr && p.track != nullptr &&
        verdict.action == capture::Action::accept)
        verdict.finished = finished_.nothing_left(p, Ways::both) && p.track->offer_end();
    if (p.profile != nullptr && verdict.action != capture::Action::split)
        around_.by_profile[p.profile->number].packets++;
    if (around_.ct != nullptr) around_.ct->leaves(p, verdict, story_.is_traced());
    story_.leaves(packet, verdict);
    story_.ends(p, verdict);
    around_.onlooker.has_left();
    return verdict;
}

void Pipeline::enter(Passage& p, const capture::InputPacket& packet) {
    story_.arrives(packet);
    p.raw = packet.data;
    p.frame = packet.frame;
    p.link = packet.link;
    p.number = around_.counters.packets + 1;
    p.dis = packet::dissect(packet.data);
    p.mark = packet.mark;
    p.ifin = packet.ifin;
    p.ifout = packet.ifout;
    p.merged = packet.merged;
    p.ct_attribute = packet.ct;
    p.ct_info = packet.ct_info;
    around_.onlooker.sets_out(p.dis, connections_);
    story_.begins(p);
}

capture::Verdict Pipeline::route(Passage& p) {
    if ((p.mark & around_.options.desync_fwmark) != 0) {
        around_.counters.ignored++;
        story_.passes("ignoring generated packet", "own mark");
        return {};
    }
    around_.now.update();
    around_.ip_cache.purge();
    around_.upkeep.look();
    if (p.merged && must_be_split(p)) return {capture::Action::split, {}};
    if (!p.dis.is_ip()) {
        story_.passes("invalid packet - neither ipv4 or ipv6", "not IP");
        return {};
    }
    if (rules_ != nullptr) {
        if (const auto verdict = rules_->judge(p, around_.now.boot_ns(), around_.ct)) {
            story_.passes("ended by a rule", "rules");
            return *verdict;
        }
    }
    switch (p.dis.l4) {
    case packet::L4::tcp:
        fast_open_.withhold(p);
        return tcp_or_udp(p);
    case packet::L4::udp:
        return tcp_or_udp(p);
    case packet::L4::icmp:
        return icmp(p);
    case packet::L4::none:
        break;
    }
    return raw_ip(p);
}

bool Pipeline::must_be_split(Passage& p) {
    if (rules_ != nullptr && rules_->needs_pieces()) return true;
    const MergedWay way = merged_.way_of(p, rules_ == nullptr && around_.ct == nullptr);
    p.one_call = way == MergedWay::one_call;
    return way == MergedWay::split;
}

capture::Verdict Pipeline::tcp_or_udp(Passage& p) {
    find_flow(p);
    if (around_.ct != nullptr) around_.ct->arrives(p);
    selector_.select(p);
    if (p.profile->auto_hosts) around_.services.auto_hosts->purge();
    if (p.track != nullptr) distances_.learn(p);
    if (p.shallow) return {};

    const Detected detected = detector_.detect(p);
    if (connections_) connections_->release_overdue(); // what this packet has not completed
    if (detected == Detected::held) {
        p.kept = true;
        around_.counters.held++;
        story_.held();
        return p.is_tcp() ? fastpath_.instead_of_held(p)
                          : first_drop_.substitute(p, {capture::Action::drop, {}}, true);
    }
    if (!selector_.rediscover(p)) {
        if (p.holding()) holder_.release(*p.track);
        return {};
    }
    story_.goes_to_lua(p);
    return p.one_call ? show_merged(p) : first_drop_.substitute(p, lua_.run(p), false);
}

// Scripts may want its pieces after all.
capture::Verdict Pipeline::show_merged(Passage& p) {
    const capture::Verdict verdict = lua_.run(p);
    if (verdict.action == capture::Action::split) merged_.take_back(p);
    return verdict;
}

capture::Verdict Pipeline::icmp(Passage& p) {
    p.payload = protocol::Payload::icmp;
    find_quoted_flow(p);
    set_target(p, around_.options.server);
    selector_.select_for_related(p);
    if (p.shallow) return {};
    return lua_.run(p);
}

capture::Verdict Pipeline::raw_ip(Passage& p) {
    guess_direction(p);
    set_target(p, around_.options.server);
    if (around_.ct != nullptr) around_.ct->arrives(p);
    selector_.select_for_related(p);
    if (p.shallow) return {};
    return lua_.run(p);
}

// The second way, of a packet that was held.
capture::Verdict Pipeline::judge_piece(Passage& p, Bytes message) {
    const flow::ConnectionTable::Found found = connections_->find(p.dis);
    if (!found || found.reverse) return {};
    p.track = found.track;
    p.pin.emplace(*connections_, p.track); // may be another one than when the replay began
    p.l7 = p.track->l7();
    if (around_.ct != nullptr) around_.ct->resumes(p);
    selector_.select(p);
    detector_.recognise_piece(p, message);
    if (!selector_.rediscover(p)) return {};
    story_.goes_to_lua(p);
    return lua_.run(p);
}

void Pipeline::find_flow(Passage& p) {
    bool reverse = false;
    if (connections_) {
        connections_->purge();
        const flow::ConnectionTable::Found found = connections_->feed(p.dis, p.piece_size);
        p.track = found.track;
        reverse = found.reverse;
    }
    set_direction(p, reverse);
    set_target(p, around_.options.server);
}

// That of the packet which an ICMP message is about.
void Pipeline::find_quoted_flow(Passage& p) {
    bool reverse = false;
    const bool quotes = protocol::icmp_type_quotes_packet(p.dis.icmp_type());
    packet::Dissect quoted;
    if (quotes && !p.dis.payload.empty()) {
        quoted = packet::dissect(p.dis.payload, packet::Completeness::partial);
        if (quoted.is_ip()) {
            p.payload =
                quoted.l3 == packet::L3::ipv4 ? protocol::Payload::ipv4 : protocol::Payload::ipv6;
            if (connections_) {
                const flow::ConnectionTable::Found found = connections_->find(quoted);
                p.track = found.track;
                reverse = !found.reverse;
            }
        } else {
            log::debug("attached packet is invalid");
        }
    }
    set_direction(p, reverse);
    if (around_.ct == nullptr) return;
    if (quotes)
        around_.ct->arrives_about(p, quoted, !reverse);
    else
        around_.ct->arrives(p);
}

void Pipeline::set_direction(Passage& p, bool reverse) {
    if (p.track == nullptr) {
        guess_direction(p);
        return;
    }
    p.pin.emplace(*connections_, p.track);
    if (p.holding()) keep_profiles_of_held(p);
    set_flow_direction(p, reverse, around_.options.server);
    p.l7 = p.track->l7();
}

// What was put aside is replayed by the profiles that put it aside.
void Pipeline::keep_profiles_of_held(Passage& p) {
    profile::ProfileSet& profiles = *around_.services.profiles;
    const std::uint32_t id = p.track->profile();
    if (profiles.in_force(id) == nullptr && profiles.known(id) != nullptr)
        p.older.emplace(profiles, id);
}

void Pipeline::on_track_end(flow::Track& track) {
    if (track.holding()) holder_.release(track);
    around_.state.forget(track);
    if (around_.ct != nullptr) around_.ct->track_ended(track);
    if (around_.past_hosts != nullptr) around_.past_hosts->add(track, around_.now.unix_s());
}

void Pipeline::on_held_timeout(flow::Track& track) {
    log::debug("held packets waited too long, sending them unmodified");
    std::unique_ptr<flow::PastHello> past;
    if (track.extension()->reassembly)
        past =
            std::make_unique<flow::PastHello>(flow::PastHello{*track.extension()->reassembly, {}});
    holder_.release(track);
    if (past) connections_->keep_past(track, std::move(past));
}

} // namespace nfqws2::engine
