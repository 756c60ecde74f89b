// Firewall rules that follow from the profiles: the smallest that show them every packet they need
// (docs/contracts/command-line.md#firewall-rules). Deriving is apart from printing, and neither
// touches anything outside.
#pragma once

#include "check/report.hpp"
#include "options/config.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::app::firewall {

enum class Way : std::uint8_t { out, in }; // as ranges mean it: --server turns it round
enum class Transport : std::uint8_t { tcp, udp, icmp, other };

struct Span {
    unsigned from = 0, to = 0;
    bool operator==(const Span&) const = default;
};
using Spans = std::vector<Span>; // in order, apart from each other

struct IcmpKind {
    std::uint8_t type = 0;
    std::optional<std::uint8_t> code; // any
    bool operator==(const IcmpKind&) const = default;
};

// Packets to be queued. Empty sets of ports, kinds and protocols mean all of them; `other` is never
// TCP, UDP or ICMP.
struct Rule {
    Way way = Way::out;
    Transport transport = Transport::tcp;
    bool ipv4 = true, ipv6 = true;
    Spans ports;  // of the server
    Spans lports; // of the initiator
    std::vector<IcmpKind> icmp;
    Spans protocols;
    std::optional<std::size_t> set;       // of RuleSet: the far end is in it
    std::optional<std::uint32_t> packets; // the first ones of a connection's way; all
    std::uint32_t own = 0;                // that many more, where our own packets are counted too
    bool estimate = false;                // `packets` may be too few for unusual connections
    bool related = false;  // ICMP: only errors about connections, whatever their kind
    bool invalid = false;  // TCP: also packets that the kernel knows no connection for
    bool any_side = false; // whoever opened the connection; `ports` and `lports` are as if the way
                           // told that
    std::vector<std::string> reasons;

    bool any_port() const { return ports.empty() && lports.empty(); }
};

struct AddressSet {
    std::vector<std::shared_ptr<profile::NetList>> lists;
};

struct RuleSet {
    std::uint16_t queue = 0;
    unsigned workers = 1;
    std::uint32_t fwmark = 0, offload_mark = 0;
    std::uint32_t ct_state_mark = 0; // bits that tell the program states of connections
    bool server = false;
    std::vector<AddressSet> sets;
    std::vector<Rule> rules; // those of ports before those of any port
    std::vector<std::string> notes;

    // Packets of the rule are those of the side that opened the connection.
    bool by_initiator(const Rule& rule) const { return (rule.way == Way::out) != server; }
    // Nothing but the connection tells whose packets they are. Servers of disguised UDP answer what
    // the kernel has never seen as UDP, so the device has to tell there.
    bool asks_connection(const Rule& rule) const {
        return rule.any_port() && !rule.any_side &&
               !(rule.transport == Transport::udp && server && !rule.packets);
    }
    std::string name() const { return "nfqws2_" + std::to_string(queue); }
};

// The states that are told, and the value of the field for each.
struct ToldState {
    const char* name; // as nft has it
    std::uint32_t mark;
};
std::array<ToldState, 5> told_states(std::uint32_t ct_state_mark);

// Of profiles 1, 2, ... with their lists loaded.
RuleSet derive(const Config& config, const Profiles& profiles);

std::string nft_text(const RuleSet& set);      // for `nft -f -`
std::string iptables_text(const RuleSet& set); // for `sh`
std::string json_text(const RuleSet& set);
// The settings of the service scripts, NAME=VALUE a line: one list of ports for each protocol.
std::string service_text(const RuleSet& set);

// "80,443,1000-2000"
std::string spans_text(const Spans& spans, std::string_view range_sign = "-");
// In one line of printable ASCII without quotes, at most `longest` bytes: for comments.
std::string comment_text(const Rule& rule, std::size_t longest);

} // namespace nfqws2::app::firewall
