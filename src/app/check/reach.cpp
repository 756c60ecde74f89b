#include "check/reach.hpp"

#include "nfqws2/profile/filter_table.hpp"
#include "nfqws2/protocol/detect.hpp"
#include "nfqws2/protocol/table.hpp"

#include <algorithm>

namespace nfqws2::app {

using profile::Profile;
using protocol::L7;

namespace {

// One that the transport can carry, or a flow of which nothing is known.
bool accepts_any(const Profile& p, protocol::L7Set carried) {
    if (p.l7.matches(L7::unknown)) return true;
    for (auto i = static_cast<unsigned>(L7::known) + 1; i < static_cast<unsigned>(L7::count); i++) {
        const L7 l7 = static_cast<L7>(i);
        if (carried.has(l7) && p.l7.matches(l7)) return true;
    }
    return false;
}

} // namespace

Reach reach_of(const Profile& p) {
    Reach r;
    const bool tcp = accepts_any(p, protocol::protocols_over(protocol::carrier::tcp));
    const bool udp = accepts_any(p, protocol::protocols_over(protocol::carrier::udp));
    const bool rest = p.l7.matches(L7::unknown); // no flow, no flow protocol
    for (std::size_t i = 0; i < port_count; i++) {
        const auto port = static_cast<std::uint16_t>(i);
        r.tcp[i] = tcp && p.tcp.matches(port);
        r.udp[i] = udp && p.udp.matches(port);
        r.icmp[i] = rest && p.icmp.matches(static_cast<std::uint8_t>(i >> 8),
                                           static_cast<std::uint8_t>(i & 255));
    }
    for (std::size_t i = 0; i < r.ipp.size(); i++)
        r.ipp[i] = rest && p.ipp.matches(static_cast<std::uint8_t>(i));
    return r;
}

namespace {

// Every list of `part` is also in `whole`.
template <typename Collection> bool includes(const Collection& whole, const Collection& part) {
    return std::all_of(part.lists().begin(), part.lists().end(), [&whole](const auto& list) {
        return std::find(whole.lists().begin(), whole.lists().end(), list) != whole.lists().end();
    });
}

template <typename Collection>
bool covers_lists(const Collection& a, const Collection& a_exclude, const Collection& b,
                  const Collection& b_exclude) {
    const bool wide = a.empty() || (!b.empty() && includes(a, b));
    return wide && (a_exclude.empty() || includes(b_exclude, a_exclude));
}

bool covers_hosts(const Profile& a, const Profile& b) {
    const bool b_needs_name = b.auto_hosts != nullptr || b.has_host_lists();
    if (a.auto_hosts) return b_needs_name; // takes every packet with a host name
    if (!a.has_host_lists()) return true;
    return b_needs_name && !b.auto_hosts &&
           covers_lists(a.hosts, a.hosts_exclude, b.hosts, b.hosts_exclude);
}

} // namespace

bool covers(const Profile& a, const Profile& b) {
    const auto covered = [&](const profile::FilterRow& row) {
        return row.covers == nullptr || row.covers(a, b);
    };
    return std::ranges::all_of(profile::filter_rows, covered) && covers_hosts(a, b) &&
           covers_lists(a.nets, a.nets_exclude, b.nets, b.nets_exclude);
}

const char* impossible(const Profile& p) {
    for (const profile::FilterRow& row : profile::filter_rows)
        if (const char* why = row.impossible != nullptr ? row.impossible(p) : nullptr) return why;
    return nullptr;
}

} // namespace nfqws2::app
