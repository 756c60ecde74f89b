#include "nfqws2/profile/outlook.hpp"

#include <netinet/in.h>

namespace nfqws2::profile {

namespace {

bool wants_endpoints(const Profile& p, const Query& q) {
    if (q.address.version == 4 ? !p.ipv4 : !p.ipv6) return false;
    const PortFilter& ports = q.l4proto == IPPROTO_TCP ? p.tcp : p.udp;
    return ports.matches(q.port) && p.lport.matches(q.lport);
}

} // namespace

bool may_change_profile(const ProfileSet& profiles, const Query& query, const Profile& current,
                        Settled settled) {
    for (const auto& p : profiles.all()) {
        if (!wants_endpoints(*p, query)) continue;
        const bool by_l7 = !settled.l7 && !p->l7.empty();
        const bool by_host = !settled.host && (p->hosts.any_list() || p->hosts_exclude.any_list());
        // The packet that makes something known may have another mark than this one.
        const bool by_mark = !(settled.l7 && settled.host) && !p->mark.any();
        // Another protocol than the known one: the profile is out, whatever its lists say.
        const bool refused = settled.l7 && !p->l7.matches(query.l7);
        if ((by_l7 || by_host || by_mark) && !refused) return true;
        if (p.get() == &current) return false;
    }
    return false;
}

} // namespace nfqws2::profile
