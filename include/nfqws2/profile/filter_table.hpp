// Every filter of a profile, a row each: option, parser, what an import does, matcher, and what
// --check and --explain have to know. A profile wants a packet if no row refuses it; the host lists
// and ip sets are asked after the rows (profile_set.cpp).
#pragma once

#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/profile/profile.hpp"
#include "nfqws2/profile/query.hpp"
#include "nfqws2/protocol/table.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nfqws2::profile {

// Which packets a filter is about: bits.
namespace transport {
inline constexpr std::uint8_t tcp = 1, udp = 2, icmp = 4, other = 8, all = 15;
constexpr std::uint8_t of(std::uint8_t l4proto) {
    namespace proto = packet::proto;
    if (l4proto == proto::tcp) return tcp;
    if (l4proto == proto::udp) return udp;
    return l4proto == proto::icmp || l4proto == proto::icmpv6 ? icmp : other;
}
} // namespace transport

// What a filter looks at: the endpoints of a flow, which stay; its protocol, which stays once it is
// known; a packet, and the next may differ; the machine.
enum class Subject : std::uint8_t { endpoints, protocol, packet, machine };

struct FilterRow {
    const char* option;    // without dashes; names the refusal
    bool of_first_release; // a later option makes no abbreviation of these ambiguous
    const char* value;     // how --help shows the argument
    const char* help;
    std::uint8_t transports;
    Subject subject;
    // Reads a value into the profile. `again`: the option was given before. Throws BadValue.
    void (*parse)(Profile&, bool again, std::string_view value);
    // What an import does; only asked if the template has the option. `given`: `to` has it too.
    void (*merge)(Profile& to, bool given, const Profile& from);
    bool (*restricts)(const Profile&); // some packet could be refused
    bool (*matches)(const Profile&, const Query&);
    // What `b` accepts `a` accepts too. nullptr: --check compares sets of packets instead.
    bool (*covers)(const Profile& a, const Profile& b) = nullptr;
    const char* (*impossible)(const Profile&) = nullptr; // why no packet can match, or nullptr
    const char* without_value = nullptr;                 // the argument is optional; its default
    // --explain: the key that states what is looked at, its reader (throws BadValue), and
    // what is missing if a filter asks for it unstated (nullptr: nothing, the default is a value).
    const char* key = nullptr;
    void (*state)(Query&, std::string_view value) = nullptr;
    const char* unstated = nullptr;
    bool costly = false; // asked behind everything else, lists too
};

// What is more than a line of a row.
namespace filter {
void parse_mark(Profile&, bool, std::string_view);
void parse_l3(Profile&, bool again, std::string_view);
void parse_tcp(Profile&, bool, std::string_view);
void parse_udp(Profile&, bool, std::string_view);
void parse_lport(Profile&, bool, std::string_view);
void parse_icmp(Profile&, bool, std::string_view);
void parse_ipp(Profile&, bool, std::string_view);
void parse_l7(Profile&, bool, std::string_view);
void parse_ssid(Profile&, bool, std::string_view);
void parse_ssid_neg(Profile&, bool, std::string_view);
bool covers_lport(const Profile& a, const Profile& b);
bool covers_l7(const Profile& a, const Profile& b);
bool covers_ssid(const Profile& a, const Profile& b);
bool wants_ssid(const Profile&, std::string_view ssid);
void state_mark(Query&, std::string_view);
void state_lport(Query&, std::string_view);
void state_icmp_code(Query&, std::string_view);
void state_ssid(Query&, std::string_view);
void parse_ct_state(Profile&, bool, std::string_view);
void parse_ct_mark(Profile&, bool, std::string_view);
void parse_ct_zone(Profile&, bool, std::string_view);
void parse_ct_helper(Profile&, bool, std::string_view);
void parse_ct_status(Profile&, bool, std::string_view);
bool covers_ct_mark(const Profile& a, const Profile& b);
bool covers_ct_zone(const Profile& a, const Profile& b);
bool covers_ct_helper(const Profile& a, const Profile& b);
bool covers_ct_status(const Profile& a, const Profile& b);
void state_ct_state(Query&, std::string_view);
void state_ct_mark(Query&, std::string_view);
void state_ct_zone(Query&, std::string_view);
void state_ct_helper(Query&, std::string_view);
inline constexpr auto l7_help = protocol::text_with_names<protocol::l7_rows>("flow protocols: ");
inline constexpr const char* ports = "[~]port1[-port2]|*[,...]";
} // namespace filter

// In the order in which they are asked, which the name of a refusal shows, and in which --help
// lists them.
inline constexpr std::array filter_rows = std::to_array<FilterRow>({
    {.option = "filter-mark",
     .of_first_release = true,
     .value = "mark[/mask]",
     .help =
         "mark of the packet, decimal or 0xHEX; (mark of the packet and mask) = mark. Without mask "
         "all bits count. Default: every packet",
     .transports = transport::all,
     .subject = Subject::packet,
     .parse = filter::parse_mark,
     .merge = [](Profile& to, bool, const Profile& from) { to.mark = from.mark; },
     .restricts = [](const Profile& p) { return !p.mark.any(); },
     .matches = [](const Profile& p, const Query& q) { return p.mark.matches(q.mark); },
     .covers = [](const Profile& a, const Profile& b) { return a.mark.covers(b.mark); },
     .impossible = [](const Profile& p) -> const char* {
         return p.mark.possible() ? nullptr : "its --filter-mark has bits outside of its mask";
     },
     .key = "mark",
     .state = filter::state_mark},
    {.option = "filter-l3",
     .of_first_release = true,
     .value = "ipv4|ipv6[,...]",
     .help = "IP version",
     .transports = transport::all,
     .subject = Subject::endpoints,
     .parse = filter::parse_l3,
     .merge =
         [](Profile& to, bool given, const Profile& from) {
             to.ipv4 = from.ipv4 || (given && to.ipv4);
             to.ipv6 = from.ipv6 || (given && to.ipv6);
         },
     .restricts = [](const Profile& p) { return !p.ipv4 || !p.ipv6; },
     .matches = [](const Profile& p,
                   const Query& q) { return q.address.version == 4 ? p.ipv4 : p.ipv6; },
     .covers = [](const Profile& a,
                  const Profile& b) { return (a.ipv4 || !b.ipv4) && (a.ipv6 || !b.ipv6); }},
    {.option = "filter-tcp",
     .of_first_release = true,
     .value = filter::ports,
     .help = "TCP ports of the server; ~ = any but these",
     .transports = transport::tcp,
     .subject = Subject::endpoints,
     .parse = filter::parse_tcp,
     .merge = [](Profile& to, bool, const Profile& from) { to.tcp.append(from.tcp); },
     .restricts = [](const Profile& p) { return !p.tcp.empty(); },
     .matches = [](const Profile& p, const Query& q) { return p.tcp.matches(q.port); }},
    {.option = "filter-udp",
     .of_first_release = true,
     .value = filter::ports,
     .help = "UDP ports of the server; ~ = any but these",
     .transports = transport::udp,
     .subject = Subject::endpoints,
     .parse = filter::parse_udp,
     .merge = [](Profile& to, bool, const Profile& from) { to.udp.append(from.udp); },
     .restricts = [](const Profile& p) { return !p.udp.empty(); },
     .matches = [](const Profile& p, const Query& q) { return p.udp.matches(q.port); }},
    {.option = "filter-lport",
     .of_first_release = false,
     .value = filter::ports,
     .help = "ports of the initiator, TCP and UDP; ~ = any but these",
     .transports = transport::tcp | transport::udp,
     .subject = Subject::endpoints,
     .parse = filter::parse_lport,
     .merge = [](Profile& to, bool, const Profile& from) { to.lport.append(from.lport); },
     .restricts = [](const Profile& p) { return !p.lport.empty(); },
     .matches = [](const Profile& p, const Query& q) { return p.lport.matches(q.lport); },
     .covers = filter::covers_lport,
     .key = "lport",
     .state = filter::state_lport,
     .unstated = "the port of the initiator"},
    {.option = "filter-icmp",
     .of_first_release = true,
     .value = "type[:code]|*|-[,...]",
     .help = "ICMP and ICMPv6 types; * = all, - = none",
     .transports = transport::icmp,
     .subject = Subject::packet,
     .parse = filter::parse_icmp,
     .merge = [](Profile& to, bool, const Profile& from) { to.icmp.append(from.icmp); },
     .restricts = [](const Profile& p) { return !p.icmp.empty(); },
     .matches = [](const Profile& p,
                   const Query& q) { return p.icmp.matches(q.icmp_type, q.icmp_code); },
     .key = "code",
     .state = filter::state_icmp_code},
    {.option = "filter-ipp",
     .of_first_release = true,
     .value = "proto|*|-[,...]",
     .help = "other IP protocols; * = all, - = none",
     .transports = transport::other,
     .subject = Subject::packet,
     .parse = filter::parse_ipp,
     .merge = [](Profile& to, bool, const Profile& from) { to.ipp.append(from.ipp); },
     .restricts = [](const Profile& p) { return !p.ipp.empty(); },
     .matches = [](const Profile& p, const Query& q) { return p.ipp.matches(q.l4proto); }},
    {.option = "filter-l7",
     .of_first_release = true,
     .value = "<proto[,proto...]>",
     .help = filter::l7_help.data(),
     .transports = transport::all,
     .subject = Subject::protocol,
     .parse = filter::parse_l7,
     .merge = [](Profile& to, bool, const Profile& from) { to.l7 = from.l7; },
     .restricts = [](const Profile& p) { return !p.l7.empty(); },
     .matches = [](const Profile& p, const Query& q) { return p.l7.matches(q.l7); },
     .covers = filter::covers_l7},
    {.option = "filter-ssid",
     .of_first_release = true,
     .value = "<ssid[,ssid...]>",
     .help = "Wi-Fi network names",
     .transports = transport::all,
     .subject = Subject::machine,
     .parse = filter::parse_ssid,
     .merge =
         [](Profile& to, bool, const Profile& from) {
             to.ssids.insert(to.ssids.end(), from.ssids.begin(), from.ssids.end());
         },
     .restricts = [](const Profile& p) { return !p.ssids.empty(); },
     .matches = [](const Profile& p, const Query& q) { return filter::wants_ssid(p, q.ssid); },
     .covers = filter::covers_ssid,
     .key = "ssid",
     .state = filter::state_ssid},
    {.option = "filter-ssid-neg", // changes what the row above does
     .of_first_release = false,
     .value = "0|1",
     .help = "1: any network but those of --filter-ssid. Default 0, without value 1",
     .transports = transport::all,
     .subject = Subject::machine,
     .parse = filter::parse_ssid_neg,
     .merge = [](Profile& to, bool, const Profile& from) { to.other_ssids = from.other_ssids; },
     .restricts = [](const Profile&) { return false; },
     .matches = [](const Profile&, const Query&) { return true; },
     .without_value = "1"},
    {.option = "filter-ctstate",
     .of_first_release = false,
     .value = "[~]STATE[,STATE...]",
     .help = "state of the flow's first packet in connection tracking: new, established, related, "
             "invalid, untracked; ~ = any but these",
     .transports = transport::all,
     .subject = Subject::endpoints, // that of the first packet stays
     .parse = filter::parse_ct_state,
     .merge = [](Profile& to, bool, const Profile& from) { to.ct.state = from.ct.state; },
     .restricts = [](const Profile& p) { return !p.ct.state.empty(); },
     .matches = [](const Profile& p, const Query& q) { return p.ct.state.matches(q.ct.state); },
     .covers = [](const Profile& a, const Profile& b) { return a.ct.state.covers(b.ct.state); },
     .key = "ctstate",
     .state = filter::state_ct_state,
     .unstated = "the state of the connection",
     .costly = true},
    {.option = "filter-ctmark",
     .of_first_release = false,
     .value = "[~]mark[/mask]",
     .help = "mark of the connection, decimal or 0xHEX: (mark and mask) = mark; ~ = any but that",
     .transports = transport::all,
     .subject = Subject::packet,
     .parse = filter::parse_ct_mark,
     .merge =
         [](Profile& to, bool, const Profile& from) {
             to.ct.mark = from.ct.mark;
             to.ct.other_marks = from.ct.other_marks;
         },
     .restricts = [](const Profile& p) { return p.ct.restricts_mark(); },
     .matches = [](const Profile& p, const Query& q) { return p.ct.wants_mark(q.ct); },
     .covers = filter::covers_ct_mark,
     .impossible = [](const Profile& p) -> const char* {
         return p.ct.mark.possible() || p.ct.other_marks
                    ? nullptr
                    : "its --filter-ctmark has bits outside of its mask";
     },
     .key = "ctmark",
     .state = filter::state_ct_mark,
     .costly = true},
    {.option = "filter-ctzone",
     .of_first_release = false,
     .value = "[~]N[-M][,...]",
     .help = "zone of connection tracking; ~ = any but these",
     .transports = transport::all,
     .subject = Subject::packet,
     .parse = filter::parse_ct_zone,
     .merge =
         [](Profile& to, bool, const Profile& from) {
             to.ct.zones = from.ct.zones;
             to.ct.other_zones = from.ct.other_zones;
         },
     .restricts = [](const Profile& p) { return !p.ct.zones.empty(); },
     .matches = [](const Profile& p, const Query& q) { return p.ct.wants_zone(q.ct); },
     .covers = filter::covers_ct_zone,
     .key = "ctzone",
     .state = filter::state_ct_zone,
     .costly = true},
    {.option = "filter-cthelper",
     .of_first_release = false,
     .value = "[~]NAME[,NAME...]|*|-",
     .help = "helper of the connection or of its master; * = any, - = none; ~ = any but these",
     .transports = transport::all,
     .subject = Subject::packet,
     .parse = filter::parse_ct_helper,
     .merge =
         [](Profile& to, bool, const Profile& from) {
             to.ct.helpers = from.ct.helpers;
             to.ct.other_helpers = from.ct.other_helpers;
         },
     .restricts = [](const Profile& p) { return !p.ct.helpers.empty(); },
     .matches = [](const Profile& p, const Query& q) { return p.ct.wants_helper(q.ct); },
     .covers = filter::covers_ct_helper,
     .key = "cthelper",
     .state = filter::state_ct_helper,
     .costly = true},
    {.option = "filter-ctstatus",
     .of_first_release = false,
     .value = "[~]BIT[,BIT...]",
     .help = "bits of the connection, all of them: seen_reply, assured, src_nat, ...; ~ = not all",
     .transports = transport::all,
     .subject = Subject::packet,
     .parse = filter::parse_ct_status,
     .merge =
         [](Profile& to, bool, const Profile& from) {
             to.ct.status = from.ct.status;
             to.ct.not_all_status = from.ct.not_all_status;
         },
     .restricts = [](const Profile& p) { return p.ct.status != 0; },
     .matches = [](const Profile& p, const Query& q) { return p.ct.wants_status(q.ct); },
     .covers = filter::covers_ct_status,
     .costly = true},
});

// The row of an option that exists.
constexpr const FilterRow& filter_row(std::string_view option) {
    std::size_t i = 0;
    while (option != filter_rows[i].option)
        ++i;
    return filter_rows[i];
}

// The option of the first row from `i` on that refuses, or nullptr; of those that cost little, or
// of the others. A step for each row is unrolled, since this is asked for every profile of every
// new flow.
template <bool costly, std::size_t i = 0>
inline const char* refused_by_row(const Profile& p, const Query& q, std::uint8_t carried) {
    if constexpr (i < filter_rows.size()) {
        constexpr const FilterRow& row = filter_rows[i];
        if constexpr (row.costly == costly) {
            const bool asked = row.transports == transport::all || (row.transports & carried) != 0;
            if (asked && !row.matches(p, q)) return row.option;
        }
        return refused_by_row<costly, i + 1>(p, q, carried);
    } else {
        return nullptr;
    }
}

} // namespace nfqws2::profile
