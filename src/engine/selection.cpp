// Choosing the profile, choosing it again when protocol or host become known, and what the host
// lists say (docs/contracts/profiles.md#when-a-profile-is-searched).
#include "pipeline.hpp"

#include "debug_text.hpp"
#include "nfqws2/base/log.hpp"

namespace nfqws2::engine {

profile::Query Pipeline::query(const Passage& p) const {
    profile::Query q;
    q.mark = p.mark;
    q.l4proto = p.dis.l4proto;
    q.address = p.target;
    q.port = p.target_port;
    q.lport = p.near_port;
    q.l7 = p.l7;
    if (services.profiles->needs_ssid()) q.ssid = ssid(p);
    return q;
}

void Pipeline::select_profile(Passage& p) {
    if (log::debug_enabled()) debug_text::target(p, options.server);
    flow::Track* track = p.track;
    if (track != nullptr && track->profile_searched()) {
        p.profile = &services.profiles->by_number(track->profile());
        if (log::debug_enabled())
            log::debug("using cached desync profile %s", p.profile->label().c_str());
        return;
    }
    profile::Query q = query(p);
    if (track != nullptr) {
        if (!track->has_hostname() && !p.reverse && options.ipcache_hostname && !options.server) {
            if (ip_cache.find(p.target, {}, cached_) && cached_.has_hostname)
                track->set_hostname(cached_.hostname, cached_.hostname_is_ip, false);
        }
        q.has_hostname = track->has_hostname();
        q.hostname = track->hostname();
        q.hostname_is_ip = track->hostname_is_ip();
    }
    p.profile = services.profiles->select(q, rejections()).profile;
    if (track != nullptr) track->set_profile(p.profile->number);
}

// ICMP (with or without a related flow) and raw IP.
void Pipeline::select_for_related(Passage& p) {
    if (p.track != nullptr && p.track->profile_searched()) {
        p.profile = &services.profiles->by_number(p.track->profile());
        return;
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
    if (services.profiles->needs_ssid()) q.ssid = ssid(p);
    if (p.track != nullptr && p.track->has_hostname()) {
        q.has_hostname = true;
        q.hostname = p.track->hostname();
        q.hostname_is_ip = p.track->hostname_is_ip();
    } else if (options.ipcache_hostname) {
        const auto named = [this](const IpAddress& address) {
            return ip_cache.find(address, {}, cached_) && cached_.has_hostname;
        };
        if (named(q.address) || named(source)) {
            q.has_hostname = true;
            q.hostname = cached_.hostname;
            q.hostname_is_ip = cached_.hostname_is_ip;
        }
    }
    p.profile = services.profiles->select(q, rejections()).profile;
}

// False: the host is known and the lists are against it, the packet passes without Lua.
bool Pipeline::rediscover(Passage& p) {
    flow::Track* track = p.track;
    std::optional<protocol::HostName> found;
    if (p.raw_host) found = protocol::normalise_host(*p.raw_host);
    if (found && log::debug_enabled()) log::debug("hostname: %s", found->name.c_str());

    const bool new_l7 =
        p.l7 != protocol::L7::unknown && (track == nullptr || !track->l7_announced());
    const bool new_host = found && (track == nullptr || !track->hostname_discovered());
    if (new_host) {
        if (track != nullptr) track->set_hostname(found->name, found->is_ip, true);
        if (options.ipcache_hostname && !options.server)
            ip_cache.set_hostname(p.target, found->name, found->is_ip);
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
        search = services.profiles->select(q, rejections());
        const bool changed = search.profile != p.profile;
        p.profile = search.profile;
        if (changed && log::debug_enabled())
            log::debug("desync profile changed by revealed l7 protocol or hostname !");
        if (track != nullptr) {
            track->set_profile(p.profile->number);
            if (changed) track->clear_cutoffs();
        }
    }
    return lists_allow(p, search, found ? &*found : nullptr);
}

bool Pipeline::lists_allow(Passage& p, const profile::Selection& search,
                           const protocol::HostName* found) {
    flow::Track* track = p.track;
    flow::TrackExtension* extension = track != nullptr ? track->extension() : nullptr;
    flow::ListVerdict verdict = extension != nullptr ? extension->list : flow::ListVerdict{};
    // A host that an automatic list takes in is for the flows to come: the one that is open keeps
    // its answer, even if the packet that made the host known is sent once more.
    const bool settled = search.profile == nullptr && verdict.done && found != nullptr &&
                         p.profile->auto_hosts != nullptr && found->name == track->hostname();
    if (found != nullptr && services.profiles->has_host_lists(*p.profile) && !settled) {
        verdict = search.profile != nullptr && search.list.done
                      ? search.list
                      : services.profiles->check_hosts(*p.profile, found->name, found->is_ip);
        // A positive answer needs no memory: only a negative one has consequences later.
        if (track != nullptr && (!verdict.positive || extension != nullptr)) {
            extension = &track->need_extension();
            extension->list = verdict;
            extension->auto_host.watching =
                !verdict.positive && !verdict.excluded && p.profile->auto_hosts != nullptr;
            extension->auto_host.retrans_stopped = !extension->auto_host.watching;
        }
    }
    if (!p.is_tcp()) watch_udp(p);
    if (verdict.done && !verdict.positive) {
        if (log::debug_enabled())
            log::debug("not applying tampering because of previous negative hostlist check");
        if (services.trace != nullptr) services.trace->note("host list");
        return false;
    }
    return true;
}

// The first packet from the other side tells its distance; a later flow to the same address starts
// with the remembered value (docs/contracts/flows.md#ip-cache).
void Pipeline::learn_ttl(Passage& p) {
    flow::Track* track = p.track;
    if (track == nullptr) return;
    if (p.incoming) {
        const bool real = track->incoming_ttl() != 0 && !track->incoming_ttl_from_cache();
        if (!real) {
            if (log::debug_enabled() && track->incoming_ttl() != p.dis.ttl())
                log::debug("incoming TTL %u", p.dis.ttl());
            track->set_incoming_ttl(p.dis.ttl(), false);
        }
        if (!options.server && ip_cache.set_ttl(p.target, p.ifin, track->incoming_ttl()) &&
            log::debug_enabled())
            log::debug("updated ttl cache");
        return;
    }
    if (options.server || track->incoming_ttl() != 0) return;
    if (!ip_cache.find(p.target, p.ifout, cached_) || cached_.ttl == 0) return;
    track->set_incoming_ttl(cached_.ttl, true);
    if (log::debug_enabled()) log::debug("got cached ttl %u", cached_.ttl);
}

} // namespace nfqws2::engine
