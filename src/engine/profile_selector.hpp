// Choosing the profile, choosing it again when protocol or host become known, and what the host
// lists say (docs/contracts/profiles.md#when-a-profile-is-searched).
#pragma once

#include "auto_host_watch.hpp"
#include "nfqws2/engine/engine.hpp"
#include "nfqws2/protocol/hostname.hpp"
#include "story.hpp"

namespace nfqws2::engine {

class ProfileSelector {
  public:
    ProfileSelector(const Options& options, const Services& services, flow::IpCache& ip_cache,
                    AutoHostWatch& watch, Story story, std::vector<ProfileCounts>& counts,
                    CtFacts* ct)
        : options_(options), profiles_(*services.profiles), ssid_of_(services.ssid_of),
          ip_cache_(ip_cache), watch_(watch), story_(story), counts_(counts), ct_(ct) {}

    // Of a TCP or UDP packet, by what is known before its payload is looked at.
    void select(Passage& p);
    // ICMP (with or without a related flow) and raw IP.
    void select_for_related(Passage& p);
    // Behind payload detection. False: the host is known and the lists are against it, the packet
    // passes without Lua.
    bool rediscover(Passage& p);
    // What filters ask about, but for the host.
    profile::Query query(Passage& p) const;

  private:
    std::string_view ssid(const Passage& p) const;
    profile::Selection search(Passage& p);
    void choose_again(Passage& p);
    void keep_verdict(Passage& p, flow::ListVerdict verdict);
    void give(flow::Track& track, const profile::Profile& profile);
    bool lists_allow(Passage& p, const profile::Selection& search, const protocol::HostName* found);

    const Options& options_;
    profile::ProfileSet& profiles_;
    const std::function<std::string_view(std::string_view)>& ssid_of_;
    flow::IpCache& ip_cache_;
    AutoHostWatch& watch_;
    Story story_;
    std::vector<ProfileCounts>& counts_; // by number
    CtFacts* ct_;                        // nullptr with --ct=off
    flow::IpCacheRecord cached_;         // what the ip cache knew last
};

} // namespace nfqws2::engine
