#include "nfqws2/profile/outlook.hpp"

#include "nfqws2/profile/filter_table.hpp"

#include <algorithm>

namespace nfqws2::profile {

namespace {

template <typename Test> bool any_row(Subject subject, const Query& q, Test test) {
    const std::uint8_t transport = transport::of(q.l4proto);
    return std::ranges::any_of(filter_rows, [&](const FilterRow& row) {
        return row.subject == subject && (row.transports & transport) != 0 && test(row);
    });
}

} // namespace

bool may_change_profile(const ProfileSet& profiles, const Query& query, const Profile& current,
                        Settled settled) {
    for (const auto& p : profiles.all()) {
        const auto restricts = [&p](const FilterRow& row) { return row.restricts(*p); };
        const auto refuses = [&](const FilterRow& row) { return !row.matches(*p, query); };
        if (any_row(Subject::endpoints, query, refuses)) continue;
        const bool by_l7 = !settled.l7 && any_row(Subject::protocol, query, restricts);
        const bool by_host = !settled.host && (p->hosts.any_list() || p->hosts_exclude.any_list());
        // The packet that makes something known may differ from this one.
        const bool by_packet =
            !(settled.l7 && settled.host) && any_row(Subject::packet, query, restricts);
        // Another protocol than the known one: the profile is out, whatever its lists say.
        const bool refused = settled.l7 && any_row(Subject::protocol, query, refuses);
        if ((by_l7 || by_host || by_packet) && !refused) return true;
        if (p.get() == &current) return false;
    }
    return false;
}

} // namespace nfqws2::profile
