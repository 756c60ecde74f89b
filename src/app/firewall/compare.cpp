// Theory of operation: for each way, protocol and family the installed rules say of each port how
// many packets are queued; the needed rules are held against that. Rules with conditions of which
// is not known whether packets meet them count only where addresses are a condition anyway.
#include "firewall/installed.hpp"

#include <algorithm>
#include <map>

namespace nfqws2::app::firewall {
namespace {

constexpr std::uint32_t every = UINT32_MAX;
constexpr unsigned highest_port = 65535;

// Packets of each port that are queued.
using Cover = std::vector<std::uint32_t>;

struct Place {
    Way way;
    Transport transport;
    unsigned version;
    bool initiator;
};

bool fits(const QueueRule& rule, const RuleSet& needed, const Place& place) {
    const bool way = place.way == Way::out ? rule.out : rule.in;
    const bool transport = place.transport == Transport::tcp ? rule.tcp : rule.udp;
    const bool family = place.version == 4 ? rule.ipv4 : rule.ipv6;
    return way && transport && family && rule.first_queue == needed.queue &&
           rule.last_queue + 1 >= needed.queue + needed.workers;
}

Cover cover_of(const Installed& installed, const RuleSet& needed, const Place& place,
               bool with_special) {
    Cover cover(highest_port + 1, 0);
    for (const QueueRule& rule : installed.rules) {
        if (!fits(rule, needed, place) || (rule.special && !with_special)) continue;
        const Spans& server = place.initiator ? rule.dports : rule.sports;
        const Spans& near = place.initiator ? rule.sports : rule.dports;
        if (!near.empty() && !with_special) continue;
        const std::uint32_t packets = rule.packets.value_or(every);
        const Spans spans = server.empty() ? Spans{{1, highest_port}} : server;
        for (const Span& span : spans)
            for (unsigned port = span.from; port <= span.to && port <= highest_port; port++)
                cover[port] = std::max(cover[port], packets);
    }
    return cover;
}

std::string place_text(const Place& place, const Spans& ports) {
    std::string text = place.way == Way::out ? "outgoing " : "incoming ";
    text += place.transport == Transport::tcp ? "TCP" : "UDP";
    text += place.version == 4 ? " over IPv4" : " over IPv6";
    if (ports == Spans{{1, highest_port}}) return text + ", all ports";
    const bool one = ports.size() == 1 && ports[0].from == ports[0].to;
    constexpr std::size_t shown = 20;
    const Spans first(ports.begin(),
                      ports.begin() + static_cast<std::ptrdiff_t>(std::min(ports.size(), shown)));
    return text + (one ? ", port " : ", ports ") + spans_text(first) +
           (first.size() < ports.size() ? ",..." : "");
}

// The ports by how many of their packets are queued, where that is less than needed.
std::map<std::uint32_t, Spans> lacking(const Rule& rule, const Cover& cover) {
    std::map<std::uint32_t, Spans> found;
    const Spans spans = rule.ports.empty() ? Spans{{1, highest_port}} : rule.ports;
    for (const Span& span : spans)
        for (unsigned port = span.from; port <= span.to; port++) {
            if (cover[port] >= rule.packets.value_or(every)) continue;
            Spans& ports = found[cover[port]];
            if (!ports.empty() && ports.back().to + 1 == port)
                ports.back().to = port;
            else
                ports.push_back({port, port});
        }
    return found;
}

void compare_rule(const Rule& rule, const RuleSet& needed, const Installed& installed,
                  unsigned version, std::vector<Difference>& differences) {
    const Place place{rule.way, rule.transport, version, needed.by_initiator(rule)};
    const bool narrow = rule.set.has_value() || !rule.lports.empty();
    const Cover cover = cover_of(installed, needed, place, narrow);
    for (const auto& [packets, ports] : lacking(rule, cover)) {
        std::string text = place_text(place, ports) + ": ";
        const std::string wanted =
            rule.packets ? "the first " + std::to_string(*rule.packets) : "all packets";
        if (packets == 0)
            text += "not queued; needed: " + wanted;
        else
            text += "only the first " + std::to_string(packets) +
                    " packets are queued; needed: " + wanted;
        text += " (" + comment_text(rule, 200) + ")";
        differences.push_back({true, std::move(text)});
    }
}

// Ports that are queued for nobody.
void compare_rest(const RuleSet& needed, const Installed& installed, const Place& place,
                  std::vector<Difference>& differences) {
    const Cover cover = cover_of(installed, needed, place, false);
    std::vector<bool> wanted(highest_port + 1, false);
    for (const Rule& rule : needed.rules) {
        if (rule.way != place.way || rule.transport != place.transport ||
            !(place.version == 4 ? rule.ipv4 : rule.ipv6))
            continue;
        const Spans spans = rule.ports.empty() ? Spans{{1, highest_port}} : rule.ports;
        for (const Span& span : spans)
            for (unsigned port = span.from; port <= span.to; port++)
                wanted[port] = true;
    }
    Spans ports;
    for (unsigned port = 1; port <= highest_port; port++) {
        if (cover[port] == 0 || wanted[port]) continue;
        if (!ports.empty() && ports.back().to + 1 == port)
            ports.back().to = port;
        else
            ports.push_back({port, port});
    }
    if (!ports.empty())
        differences.push_back(
            {false, place_text(place, ports) + ": queued, but no profile needs it"});
}

bool has_family(const Installed& installed, const RuleSet& needed, unsigned version) {
    return std::ranges::any_of(installed.rules, [&](const QueueRule& rule) {
        return (version == 4 ? rule.ipv4 : rule.ipv6) && rule.first_queue == needed.queue;
    });
}

} // namespace

std::vector<Difference> compare(const RuleSet& needed, const Installed& installed) {
    std::vector<Difference> differences;
    if (installed.foreign)
        differences.push_back(
            {false, "rules of iptables cannot be read in a list of nft: add iptables-save"});
    const bool any = has_family(installed, needed, 4) || has_family(installed, needed, 6);
    if (!any) {
        if (!needed.rules.empty())
            differences.push_back(
                {true, "no rule sends packets to queue " + std::to_string(needed.queue)});
        return differences;
    }
    for (const unsigned version : {4U, 6U}) {
        const auto wants = [&](const Rule& rule) { return version == 4 ? rule.ipv4 : rule.ipv6; };
        if (!has_family(installed, needed, version)) {
            if (std::ranges::any_of(needed.rules, wants))
                differences.push_back({true, "IPv" + std::to_string(version) +
                                                 ": no rule sends packets to queue " +
                                                 std::to_string(needed.queue)});
            continue;
        }
        for (const Rule& rule : needed.rules)
            if (wants(rule) &&
                (rule.transport == Transport::tcp || rule.transport == Transport::udp))
                compare_rule(rule, needed, installed, version, differences);
        for (const Way way : {Way::out, Way::in})
            for (const Transport transport : {Transport::tcp, Transport::udp})
                compare_rest(needed, installed,
                             {way, transport, version, (way == Way::out) != needed.server},
                             differences);
    }
    if (std::ranges::any_of(needed.rules, [](const Rule& rule) {
            return rule.transport == Transport::icmp || rule.transport == Transport::other;
        }))
        differences.push_back({false, "rules of ICMP and other protocols are not compared"});
    return differences;
}

} // namespace nfqws2::app::firewall
