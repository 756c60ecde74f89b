#include "explain/explain.hpp"

namespace nfqws2::app {
namespace {

using profile::Profile;
using profile::ProfileSet;

template <typename Collection>
void add_labels(const Collection& from, std::vector<std::string>& to) {
    for (const auto& list : from.lists())
        to.emplace_back(label(*list));
}

// For a refusal because no list has the host or address: which lists those are.
std::vector<std::string> consulted_lists(const Profile& p, const profile::Rejection& rejection) {
    std::vector<std::string> lists;
    const std::string_view by = rejection.by;
    if (by == "hostlist" || by == "hostlist-auto") add_labels(p.hosts, lists);
    if (by == "ipset") add_labels(p.nets, lists);
    return lists;
}

ListFacts host_facts(const Profile& p, const profile::Query& q) {
    ListFacts facts;
    if (!q.has_hostname || (!p.has_host_lists() && !p.auto_hosts)) return facts;
    facts.checked = true;
    const profile::HostName host(q.hostname, q.hostname_is_ip);
    const profile::HostList* list = p.hosts_exclude.find(host);
    facts.excluded = list != nullptr;
    if (!facts.excluded) list = p.hosts.find(host);
    facts.positive = !facts.excluded && (list != nullptr || p.hosts.empty());
    if (list == nullptr) return facts;
    facts.list = label(*list);
    facts.entry = list->matching_entry(host);
    return facts;
}

ListFacts network_facts(const Profile& p, const profile::Query& q) {
    ListFacts facts;
    if (p.nets.empty()) return facts;
    facts.checked = facts.positive = true; // else it would not have won
    if (const profile::NetList* list = p.nets.find(q.address)) {
        facts.list = label(*list);
        facts.entry = list->matching_entry(q.address);
    }
    return facts;
}

SearchFacts search(const profile::Query& q, const ProfileSet& profiles) {
    SearchFacts facts;
    std::vector<profile::Rejection> rejected;
    const profile::Selection found = profiles.select(q, &rejected);
    for (const profile::Rejection& rejection : rejected) {
        const Profile& p = profiles.by_number(rejection.profile);
        facts.profiles.push_back(
            {&p, rejection.by, rejection.list, rejection.entry, consulted_lists(p, rejection)});
    }
    facts.profiles.push_back({found.profile, {}, {}, {}, {}});
    facts.hosts = host_facts(*found.profile, q);
    facts.networks = network_facts(*found.profile, q);
    return facts;
}

} // namespace

rules::Sketch sketch_of(const ExplainQuery& query, bool server) {
    rules::Sketch packet;
    packet.protocol = query.l4proto;
    packet.outgoing = query.outgoing;
    (query.outgoing ? packet.destination : packet.source) = query.address;
    if (query.is_icmp()) {
        if (query.port != 0) packet.icmp_type = static_cast<std::uint8_t>(query.port);
        return packet;
    }
    if (query.port == 0) return packet;
    const bool to_server = query.outgoing != server;
    (to_server ? packet.destination_port : packet.source_port) = query.port;
    return packet;
}

Explanation explain(const ExplainQuery& query, const ProfileSet& profiles) {
    profile::Query q;
    q.l4proto = query.l4proto;
    q.address = query.address;
    if (!query.is_icmp()) {
        q.port = query.port;
    } else if (query.port != 0 || query.states("filter-icmp")) {
        q.icmp_type = static_cast<std::uint8_t>(query.port);
        q.icmp_code = 0;
    }
    for (const auto& [row, value] : query.stated)
        row->state(q, value); // parse_explain has seen that it can
    Explanation explanation{query, {}, {}};
    explanation.searches.push_back(search(q, profiles));
    if (!query.learns()) return explanation;
    q.l7 = query.l7;
    if (query.host) {
        q.has_hostname = true;
        q.hostname = *query.host;
        q.hostname_is_ip = query.host_is_ip;
    }
    explanation.searches.push_back(search(q, profiles));
    explanation.searches.back().informed = true;
    return explanation;
}

} // namespace nfqws2::app
