// Theory of operation: the packets a profile accepts are described by sets of ports (TCP, UDP),
// ICMP types and codes, and protocol numbers, and by the other filters. An earlier profile takes a
// packet away if it accepts it too. Where its other filters are at least as wide, all packets
// within its sets are gone; what is left of the sets in the end can be selected. Filters are
// compared as they are now: a list that is filled later can only take fewer packets away.
#include "check/check_profiles.hpp"
#include "nfqws2/profile/filter_table.hpp"
#include "nfqws2/protocol/detect.hpp"
#include "nfqws2/protocol/table.hpp"

#include <algorithm>
#include <bitset>

namespace nfqws2::app {
namespace {

using profile::Profile;
using protocol::L7;

constexpr std::size_t port_count = 65536;

struct Reach {
    std::bitset<port_count> tcp, udp, icmp; // icmp: type * 256 + code
    std::bitset<256> ipp;

    bool none() const { return tcp.none() && udp.none() && icmp.none() && ipp.none(); }
    void remove(const Reach& other) {
        tcp &= ~other.tcp;
        udp &= ~other.udp;
        icmp &= ~other.icmp;
        ipp &= ~other.ipp;
    }
    bool meets(const Reach& other) const {
        return (tcp & other.tcp).any() || (udp & other.udp).any() || (icmp & other.icmp).any() ||
               (ipp & other.ipp).any();
    }
};

// One that the transport can carry, or a flow of which nothing is known.
bool accepts_any(const Profile& p, protocol::L7Set carried) {
    if (p.l7.matches(L7::unknown)) return true;
    for (auto i = static_cast<unsigned>(L7::known) + 1; i < static_cast<unsigned>(L7::count); i++) {
        const L7 l7 = static_cast<L7>(i);
        if (carried.has(l7) && p.l7.matches(l7)) return true;
    }
    return false;
}

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

// Whatever `b` accepts `a` accepts too, apart from what is in Reach.
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

// "profile 1 (a) always wins", "profiles 1 (a), 2 (b) always win"
std::string winners_text(const std::vector<const Profile*>& winners) {
    std::string text = winners.size() == 1 ? "profile " : "profiles ";
    for (std::size_t i = 0; i < winners.size(); i++)
        text += (i == 0 ? "" : ", ") + winners[i]->label();
    return text + (winners.size() == 1 ? " always wins" : " always win");
}

} // namespace

void check_profiles(const Profiles& profiles, Report& report) {
    std::vector<std::pair<const Profile*, std::unique_ptr<Reach>>> earlier;
    for (const auto& p : profiles) {
        if (p->number == 0) break;
        const std::string never = "profile " + p->label() + " can never be selected: ";
        if (const char* why = impossible(*p)) {
            report.add(Level::warning, p->position, never + why);
            continue;
        }
        auto reach = std::make_unique<Reach>(reach_of(*p));
        if (reach->none()) {
            report.add(Level::warning, p->position, never + "its filters contradict each other");
            continue;
        }
        Reach left = *reach;
        std::vector<const Profile*> winners;
        for (const auto& [other, taken] : earlier) {
            if (!taken->meets(left) || !covers(*other, *p)) continue;
            left.remove(*taken);
            winners.push_back(other);
        }
        if (left.none()) report.add(Level::warning, p->position, never + winners_text(winners));
        earlier.emplace_back(p.get(), std::move(reach));
    }
}

} // namespace nfqws2::app
