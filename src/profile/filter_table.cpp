#include "nfqws2/profile/filter_table.hpp"

#include "nfqws2/base/text.hpp"
#include "nfqws2/protocol/name_hint.hpp"
#include "profile_draft.hpp"

#include <algorithm>

namespace nfqws2::profile::filter {

namespace {

constexpr const char* port_form = "ports like 80,443,1000-2000 or ~22 for all others";

// Refuses as "<what> : <value> (<the item that is wrong>, should be <form>)".
template <typename Filter>
[[gnu::cold]] void add_items(Filter& filter, std::string_view value, const char* what,
                             const char* form) {
    if (filter.add(value)) return;
    std::string wrong;
    for (const std::string_view item : split(value, ',')) {
        if (item == value || Filter().add(item)) continue;
        wrong = item.empty() ? "an item is empty, " : "'" + std::string(item) + "' is wrong, ";
        break;
    }
    refuse(what, value, " (" + wrong + "should be " + form + ")");
}

void add_ports(PortFilter& ports, std::string_view value) {
    add_items(ports, value, "Invalid port filter", port_form);
}

} // namespace

void parse_mark(Profile& p, bool, std::string_view value) {
    if (!p.mark.set(value))
        refuse("filter mark or mask format error", value,
               " (should be mark[/mask], each a number or 0xHEX of 32 bits)");
}

void parse_l3(Profile& p, bool again, std::string_view value) {
    bool ipv4 = false;
    bool ipv6 = false;
    for (std::string_view item : split(value, ',')) {
        if (item != "ipv4" && item != "ipv6")
            refuse("bad value for --filter-l3", value, " (should be ipv4, ipv6 or ipv4,ipv6)");
        (item == "ipv4" ? ipv4 : ipv6) = true;
    }
    p.ipv4 = ipv4 || (again && p.ipv4);
    p.ipv6 = ipv6 || (again && p.ipv6);
}

void parse_tcp(Profile& p, bool, std::string_view value) {
    add_ports(p.tcp, value);
}

void parse_udp(Profile& p, bool, std::string_view value) {
    add_ports(p.udp, value);
}

void parse_lport(Profile& p, bool, std::string_view value) {
    add_ports(p.lport, value);
}

void parse_icmp(Profile& p, bool, std::string_view value) {
    add_items(p.icmp, value, "Invalid icmp filter", "numbers like 8 or 3:1 (type:code), * or -");
}

void parse_ipp(Profile& p, bool, std::string_view value) {
    add_items(p.ipp, value, "Invalid ip protocol filter", "numbers like 47,50, * or -");
}

void parse_l7(Profile& p, bool, std::string_view value) {
    std::string bad;
    const auto set = protocol::parse_l7_set(value, &bad);
    if (!set) refuse("Invalid l7 filter", value, protocol::l7_name_hint(bad));
    p.l7 = *set;
}

void parse_ssid(Profile& p, bool, std::string_view value) {
    for (std::string_view item : split(value, ','))
        if (!item.empty()) p.ssids.emplace_back(item);
}

void parse_ssid_neg(Profile& p, bool, std::string_view value) {
    bool given = false;
    set_switch(p.other_ssids, given, value);
}

bool covers_lport(const Profile& a, const Profile& b) {
    if (a.lport.empty()) return true;
    if (b.lport.empty()) return false;
    for (unsigned port = 0; port <= UINT16_MAX; port++) {
        const auto p = static_cast<std::uint16_t>(port);
        if (b.lport.matches(p) && !a.lport.matches(p)) return false;
    }
    return true;
}

bool covers_l7(const Profile& a, const Profile& b) {
    return std::ranges::all_of(protocol::l7_rows, [&](const protocol::L7Row& row) {
        const bool seen = row.l7 != protocol::L7::all && row.l7 != protocol::L7::known;
        return !seen || !b.l7.matches(row.l7) || a.l7.matches(row.l7);
    });
}

bool covers_ssid(const Profile& a, const Profile& b) {
    if (a.ssids.empty()) return true;
    if (a.other_ssids || b.other_ssids) return a.other_ssids == b.other_ssids && a.ssids == b.ssids;
    return !b.ssids.empty() && std::all_of(b.ssids.begin(), b.ssids.end(), [&a](const auto& ssid) {
        return std::find(a.ssids.begin(), a.ssids.end(), ssid) != a.ssids.end();
    });
}

bool wants_ssid(const Profile& p, std::string_view ssid) {
    if (p.ssids.empty()) return true;
    const bool listed =
        !ssid.empty() && std::find(p.ssids.begin(), p.ssids.end(), ssid) != p.ssids.end();
    return listed != p.other_ssids;
}

void state_mark(Query& q, std::string_view value) {
    const auto mark = parse_mark_number(value);
    if (!mark) refuse("mark should be decimal or 0xHEX", value);
    q.mark = *mark;
}

void state_lport(Query& q, std::string_view value) {
    const auto port = decimal(value, UINT16_MAX);
    if (!port || *port == 0) refuse("lport should be 1..65535", value);
    q.lport = static_cast<std::uint16_t>(*port);
}

void state_icmp_code(Query& q, std::string_view value) {
    const auto code = decimal(value, UINT8_MAX);
    if (!code) refuse("bad ICMP code", value);
    q.icmp_code = static_cast<std::uint8_t>(*code);
}

void state_ssid(Query& q, std::string_view value) {
    q.ssid = value;
}

void parse_ct_state(Profile& p, bool, std::string_view value) {
    p.ct.state = parse_ct_states("filter-ctstate", value);
}

void parse_ct_mark(Profile& p, bool, std::string_view value) {
    p.ct.set_mark(value);
}

void parse_ct_zone(Profile& p, bool, std::string_view value) {
    p.ct.set_zones(value);
}

void parse_ct_helper(Profile& p, bool, std::string_view value) {
    p.ct.set_helpers(value);
}

void parse_ct_status(Profile& p, bool, std::string_view value) {
    p.ct.set_status(value);
}

bool covers_ct_mark(const Profile& a, const Profile& b) {
    if (!a.ct.restricts_mark()) return true;
    if (a.ct.other_marks != b.ct.other_marks) return false;
    return a.ct.other_marks ? b.ct.mark.covers(a.ct.mark) : a.ct.mark.covers(b.ct.mark);
}

bool covers_ct_zone(const Profile& a, const Profile& b) {
    if (a.ct.zones.empty()) return true;
    for (unsigned zone = 0; zone <= UINT16_MAX; zone++) {
        CtQuery q;
        q.zone = static_cast<std::uint16_t>(zone);
        if (b.ct.wants_zone(q) && !a.ct.wants_zone(q)) return false;
    }
    return true;
}

bool covers_ct_helper(const Profile& a, const Profile& b) {
    if (a.ct.helpers.empty()) return true;
    return a.ct.helpers == b.ct.helpers && a.ct.other_helpers == b.ct.other_helpers;
}

bool covers_ct_status(const Profile& a, const Profile& b) {
    if (a.ct.status == 0) return true;
    if (b.ct.status == 0 || a.ct.not_all_status != b.ct.not_all_status) return false;
    return a.ct.not_all_status ? (b.ct.status & ~a.ct.status) == 0
                               : (a.ct.status & ~b.ct.status) == 0;
}

void state_ct_state(Query& q, std::string_view value) {
    const auto state = packet::ct_state_from_name(value);
    if (!state) refuse("ctstate should be new, established, related, invalid or untracked", value);
    q.ct.state = *state;
}

void state_ct_mark(Query& q, std::string_view value) {
    const auto mark = parse_mark_number(value);
    if (!mark) refuse("ctmark should be decimal or 0xHEX", value);
    q.ct.mark = *mark;
}

void state_ct_zone(Query& q, std::string_view value) {
    const auto zone = decimal(value, UINT16_MAX);
    if (!zone) refuse("ctzone should be 0..65535", value);
    q.ct.zone = static_cast<std::uint16_t>(*zone);
}

void state_ct_helper(Query& q, std::string_view value) {
    q.ct.helper = value;
}

} // namespace nfqws2::profile::filter
