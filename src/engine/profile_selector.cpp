#include "profile_selector.hpp"

#include "nfqws2/base/log.hpp"

namespace nfqws2::engine {

std::string_view ProfileSelector::ssid(const Passage& p) const {
    if (!ssid_of_) return {};
    const bool flow_packet = p.dis.l4 == packet::L4::tcp || p.dis.l4 == packet::L4::udp;
    if (flow_packet) return ssid_of_(p.incoming ? p.ifin : p.ifout);
    const std::string_view by_input = ssid_of_(p.ifin);
    return by_input.empty() ? ssid_of_(p.ifout) : by_input;
}

profile::Query ProfileSelector::query(Passage& p) const {
    profile::Query q;
    q.mark = p.mark;
    q.l4proto = p.dis.l4proto;
    q.address = p.target;
    q.port = p.target_port;
    q.lport = p.near_port;
    q.l7 = p.l7;
    if (profiles_.needs_ssid()) q.ssid = ssid(p);
    if (ct_ != nullptr) ct_->show(p, q);
    return q;
}

void ProfileSelector::select(Passage& p) {
    story_.searches(p, options_.server);
    flow::Track* track = p.track;
    if (track != nullptr && track->profile_searched()) {
        p.profile = profiles_.in_force(track->profile());
        if (p.profile != nullptr)
            story_.has_profile(*p.profile);
        else
            choose_again(p);
        return;
    }
    search(p);
}

profile::Selection ProfileSelector::search(Passage& p) {
    flow::Track* track = p.track;
    profile::Query q = query(p);
    if (track != nullptr) {
        if (!track->has_hostname() && !p.reverse && options_.ipcache_hostname && !options_.server) {
            if (ip_cache_.find(p.target, {}, cached_) && cached_.has_hostname)
                track->set_hostname(cached_.hostname, cached_.hostname_is_ip, false);
        }
        q.has_hostname = track->has_hostname();
        q.hostname = track->hostname();
        q.hostname_is_ip = track->hostname_is_ip();
    }
    const profile::Selection found = profiles_.select(q, story_.rejections());
    p.profile = found.profile;
    if (track != nullptr) give(*track, *p.profile);
    return found;
}

// The options were read again since the flow chose. What scripts have said of the flow was said by
// instances that may be no more; what lists say of its host is asked anew.
void ProfileSelector::choose_again(Passage& p) {
    flow::Track& track = *p.track;
    const std::uint32_t before = track.profile();
    const profile::Selection found = search(p);
    if (!profiles_.generation()->continues(before, p.profile->number)) {
        log::debug("desync profile chosen again after a reload");
        track.clear_cutoffs();
        track.clear_cuts();
    }
    if (!track.hostname_discovered()) return;
    const bool any = found.list.done || profiles_.has_host_lists(*p.profile);
    keep_verdict(p, !any              ? flow::ListVerdict{}
                    : found.list.done ? found.list
                                      : profiles_.check_hosts(*p.profile, track.hostname(),
                                                              track.hostname_is_ip()));
}

void ProfileSelector::give(flow::Track& track, const profile::Profile& profile) {
    const bool news = !track.profile_searched() || track.profile() != profile.id;
    counts_[profile.number].flows += news;
    track.set_profile(profile.id);
}

void ProfileSelector::select_for_related(Passage& p) {
    if (p.track != nullptr && p.track->profile_searched()) {
        p.profile = profiles_.in_force(p.track->profile());
        if (p.profile != nullptr) return;
    }
    const bool icmp = p.dis.l4 == packet::L4::icmp;
    const IpAddress source = p.dis.source();
    profile::Query q;
    q.mark = p.mark;
    q.l4proto = p.dis.l4proto;
    q.address = p.dis.destination();
    q.second = &source;
    if (icmp) {
        q.icmp_type = p.dis.icmp_type();
        q.icmp_code = p.dis.icmp_code();
    }
    if (profiles_.needs_ssid()) q.ssid = ssid(p);
    if (ct_ != nullptr) ct_->show(p, q);
    if (p.track != nullptr && p.track->has_hostname()) {
        q.has_hostname = true;
        q.hostname = p.track->hostname();
        q.hostname_is_ip = p.track->hostname_is_ip();
    } else if (options_.ipcache_hostname) {
        const auto named = [this](const IpAddress& address) {
            return ip_cache_.find(address, {}, cached_) && cached_.has_hostname;
        };
        if (named(q.address) || named(source)) {
            q.has_hostname = true;
            q.hostname = cached_.hostname;
            q.hostname_is_ip = cached_.hostname_is_ip;
        }
    }
    p.profile = profiles_.select(q, story_.rejections()).profile;
}

bool ProfileSelector::rediscover(Passage& p) {
    flow::Track* track = p.track;
    std::optional<protocol::HostName> found;
    if (p.raw_host) found = protocol::normalise_host(*p.raw_host);
    if (found) log::debug("hostname: %s", found->name.c_str());

    const bool new_l7 =
        p.l7 != protocol::L7::unknown && (track == nullptr || !track->l7_announced());
    const bool new_host = found && (track == nullptr || !track->hostname_discovered());
    if (new_host) {
        if (track != nullptr) track->set_hostname(found->name, found->is_ip, true);
        if (options_.ipcache_hostname && !options_.server)
            ip_cache_.set_hostname(p.target, found->name, found->is_ip);
    }
    if (new_l7 && track != nullptr) track->set_l7_announced();

    profile::Selection search;
    if (new_l7 || new_host) {
        profile::Query q = query(p);
        if (track != nullptr) {
            q.has_hostname = track->has_hostname();
            q.hostname = track->hostname();
            q.hostname_is_ip = track->hostname_is_ip();
        } else if (found) {
            q.has_hostname = true;
            q.hostname = found->name;
            q.hostname_is_ip = found->is_ip;
        }
        search = profiles_.select(q, story_.rejections());
        const bool changed = search.profile != p.profile;
        p.profile = search.profile;
        if (changed) log::debug("desync profile changed by revealed l7 protocol or hostname !");
        if (track != nullptr) {
            give(*track, *p.profile);
            if (changed) track->clear_cutoffs();
        }
    }
    return lists_allow(p, search, found ? &*found : nullptr);
}

// A positive answer needs no memory: only a negative one has consequences later.
void ProfileSelector::keep_verdict(Passage& p, flow::ListVerdict verdict) {
    const bool negative = verdict.done && !verdict.positive;
    if (!negative && p.track->extension() == nullptr) return;
    flow::TrackExtension& extension = p.track->need_extension();
    extension.list = verdict;
    extension.auto_host.watching =
        negative && !verdict.excluded && p.profile->auto_hosts != nullptr;
    extension.auto_host.retrans_stopped = !extension.auto_host.watching;
}

bool ProfileSelector::lists_allow(Passage& p, const profile::Selection& search,
                                  const protocol::HostName* found) {
    flow::Track* track = p.track;
    flow::TrackExtension* extension = track != nullptr ? track->extension() : nullptr;
    flow::ListVerdict verdict = extension != nullptr ? extension->list : flow::ListVerdict{};
    // A host that an automatic list takes in is for the flows to come: the one that is open keeps
    // its answer, even if the packet that made the host known is sent once more.
    const bool settled = search.profile == nullptr && verdict.done && found != nullptr &&
                         p.profile->auto_hosts != nullptr && found->name == track->hostname();
    if (found != nullptr && profiles_.has_host_lists(*p.profile) && !settled) {
        verdict = search.profile != nullptr && search.list.done
                      ? search.list
                      : profiles_.check_hosts(*p.profile, found->name, found->is_ip);
        if (track != nullptr) keep_verdict(p, verdict);
    }
    if (!p.is_tcp()) watch_.udp(p);
    if (verdict.done && !verdict.positive) {
        story_.passes("not applying tampering because of previous negative hostlist check",
                      "host list");
        return false;
    }
    return true;
}

} // namespace nfqws2::engine
