// Theory of operation: each profile needs packets of some ports (types, protocols) in each way;
// what earlier profiles take away is left out; traffic rules need all packets that they do
// something with. Needs that differ in nothing but their ports are one rule, and what a wider rule
// queues anyway is taken off the others.
#include "firewall/firewall.hpp"

#include "check/known_functions.hpp"
#include "check/reach.hpp"
#include "firewall/amounts.hpp"
#include "nfqws2/base/sort.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/rules/needs.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <map>

namespace nfqws2::app::firewall {
namespace {

using profile::Profile;
using Bits = std::bitset<port_count>;

// A rule whose ports, kinds of ICMP or protocols are still bits.
struct Need {
    Rule rule;
    Bits bits;
};

// Ports and protocols that are asked about; in all of them a filter refuses nothing.
Bits everything(Transport transport) {
    namespace proto = packet::proto;
    Bits bits;
    bits.set();
    if (transport == Transport::tcp || transport == Transport::udp) bits.reset(0);
    if (transport != Transport::other) return bits;
    for (std::size_t i = 256; i < bits.size(); i++)
        bits.reset(i);
    for (const std::size_t known : {proto::tcp, proto::udp, proto::icmp, proto::icmpv6})
        bits.reset(known);
    return bits;
}

Bits bits_of(const Reach& reach, Transport transport) {
    Bits bits;
    switch (transport) {
    case Transport::tcp:
        bits = reach.tcp;
        break;
    case Transport::udp:
        bits = reach.udp;
        break;
    case Transport::icmp:
        bits = reach.icmp;
        break;
    case Transport::other:
        for (std::size_t i = 0; i < reach.ipp.size(); i++)
            bits[i] = reach.ipp[i];
    }
    return bits & everything(transport);
}

Spans spans_of(const Bits& bits) {
    Spans spans;
    for (unsigned i = 0; i < bits.size(); i++) {
        if (!bits[i]) continue;
        if (!spans.empty() && spans.back().to + 1 == i)
            spans.back().to = i;
        else
            spans.push_back({i, i});
    }
    return spans;
}

std::vector<IcmpKind> kinds_of(const Bits& bits) {
    std::vector<IcmpKind> kinds;
    for (std::size_t type = 0; type < 256; type++) {
        std::vector<IcmpKind> codes;
        for (std::size_t code = 0; code < 256; code++)
            if (bits[type * 256 + code])
                codes.push_back({static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(code)});
        if (codes.size() == 256) codes = {{static_cast<std::uint8_t>(type), std::nullopt}};
        kinds.insert(kinds.end(), codes.begin(), codes.end());
    }
    return kinds;
}

Spans lports_of(const Profile& p) {
    Bits bits;
    for (unsigned port = 1; port < port_count; port++)
        bits[port] = p.lport.matches(static_cast<std::uint16_t>(port));
    return bits == everything(Transport::tcp) ? Spans{} : spans_of(bits);
}

class Deriver {
  public:
    Deriver(const Config& config, const Profiles& profiles) : config_(config), profiles_(profiles) {
        result_.queue = config.qnum.value_or(0);
        result_.workers = config.workers;
        result_.fwmark = config.engine.desync_fwmark;
        result_.offload_mark = config.offload_mark;
        result_.ct_state_mark = config.engine.ct_state_mark;
        result_.server = config.engine.server;
    }
    RuleSet run() {
        for (const auto& p : profiles_)
            if (p->number != 0) add(*p);
        if (config_.engine.ipcache_hostname && !config_.engine.server) add_dns();
        if (config_.rules.program != nullptr) add_traffic_rules(*config_.rules.program);
        drop_covered();
        finish();
        add_notes();
        return std::move(result_);
    }

  private:
    void add(const Profile& p);
    void add(const Profile& p, Transport transport, const Bits& bits);
    void add_dns();
    void add_traffic_rules(const rules::Program& program);
    void add(const rules::Need& need, Way way, const std::string& reason);
    void put(Need need);
    std::optional<std::size_t> address_set(const Profile& p, Need& need);
    void drop_covered();
    void finish();
    void add_notes();

    const Config& config_;
    const Profiles& profiles_;
    std::vector<std::pair<const Profile*, std::unique_ptr<Reach>>> earlier_;
    std::vector<Need> needs_;
    RuleSet result_;
};

// Lists may change while the program runs: a profile with one takes nothing away for sure.
bool has_lists(const Profile& p) {
    return p.hosts.any_list() || p.hosts_exclude.any_list() || p.nets.any_list() ||
           p.nets_exclude.any_list();
}

void Deriver::add(const Profile& p) {
    if (impossible(p) != nullptr) return;
    auto reach = std::make_unique<Reach>(reach_of(p));
    Reach left = *reach;
    for (const auto& [other, taken] : earlier_)
        if (taken->meets(left) && covers(*other, p)) left.remove(*taken);
    if (!has_lists(p)) earlier_.emplace_back(&p, std::move(reach));
    for (const Transport transport :
         {Transport::tcp, Transport::udp, Transport::icmp, Transport::other}) {
        const Bits bits = bits_of(left, transport);
        if (bits.any()) add(p, transport, bits);
    }
}

void Deriver::add(const Profile& p, Transport transport, const Bits& bits) {
    const Setting setting{config_.engine.server, !config_.engine.ctrack_disable};
    const bool has_ports = transport == Transport::tcp || transport == Transport::udp;
    for (const Way way : {Way::out, Way::in}) {
        const Amount amount = needed(p, way, transport, setting);
        if (amount.none()) continue;
        Need need;
        need.rule.way = way;
        need.rule.transport = transport;
        need.rule.ipv4 = p.ipv4;
        need.rule.ipv6 = p.ipv6;
        if (!amount.all) {
            need.rule.packets = amount.packets;
            need.rule.own = way == Way::out ? amount.own : 0;
            need.rule.invalid = amount.invalid && transport == Transport::tcp;
        }
        need.rule.estimate = amount.estimate && !amount.all;
        std::string text = "profile " + p.label() + ":";
        for (const std::string& reason : amount.reasons)
            text += (text.back() == ':' ? " " : "; ") + reason;
        need.rule.reasons.push_back(std::move(text));
        need.bits = bits;
        if (has_ports) {
            need.rule.lports = lports_of(p);
            need.rule.set = address_set(p, need);
        }
        if (need.rule.ipv4 || need.rule.ipv6) put(std::move(need));
    }
    if (!has_ports || !setting.tracking || !wants_icmp_errors(p)) return;
    Need errors;
    errors.rule.way = Way::in;
    errors.rule.transport = Transport::icmp;
    errors.rule.ipv4 = p.ipv4;
    errors.rule.ipv6 = p.ipv6;
    errors.rule.related = true;
    errors.rule.reasons.push_back("profile " + p.label() + ": errors about its connections");
    put(std::move(errors));
}

// Names of hosts are learned from answers, which are those of a flow that was seen.
void Deriver::add_dns() {
    constexpr std::uint32_t packets = 3;
    for (const Way way : {Way::out, Way::in}) {
        Need need;
        need.rule.way = way;
        need.rule.transport = Transport::udp;
        need.rule.packets = packets;
        need.rule.reasons.emplace_back("--ipcache-hostname: answers of DNS");
        need.bits.set(53);
        put(std::move(need));
    }
}

// Whoever sends them, and all of them: rules are about packets, not about connections.
void Deriver::add_traffic_rules(const rules::Program& program) {
    for (const rules::Need& need : rules::needs_of(program)) {
        std::string reason = "traffic rules:";
        for (const std::string& profile : need.profiles)
            reason += (reason.back() == ':' ? " " : ", ") +
                      (profile.empty() ? "their policy" : "profile " + profile);
        if (need.out) add(need, Way::out, reason);
        if (need.in) add(need, Way::in, reason);
    }
    if (rules::asks_direction_without_lan(program))
        result_.notes.emplace_back("on a router 'dir' of traffic rules needs 'lan' in their file, "
                                   "where packets are queued in FORWARD");
    if (rules::asks_fragments(program))
        result_.notes.emplace_back("fragments are joined before these rules see them: 'frag' of "
                                   "traffic rules needs a rule in raw, ahead of that");
}

void Deriver::add(const rules::Need& need, Way way, const std::string& reason) {
    namespace proto = packet::proto;
    const auto put_one = [&](Transport transport, const Bits& bits, const auto& change) {
        if (bits.none()) return;
        Need wanted;
        wanted.rule.way = way;
        wanted.rule.transport = transport;
        wanted.rule.ipv4 = need.ipv4;
        wanted.rule.ipv6 = need.ipv6;
        wanted.rule.any_side = true;
        wanted.rule.reasons.push_back(reason);
        wanted.bits = bits;
        change(wanted.rule);
        if (wanted.rule.ipv4 || wanted.rule.ipv6) put(std::move(wanted));
    };
    const bool to_server = (way == Way::out) != config_.engine.server;
    // Port 0 is asked about only where a rule names it.
    const auto asked = [](const Bits& ports) {
        return ports.all() ? everything(Transport::tcp) : ports;
    };
    const Bits of_server = asked(to_server ? need.dports : need.sports);
    const Bits near = asked(to_server ? need.sports : need.dports);
    for (const auto& [number, transport] :
         {std::pair(proto::tcp, Transport::tcp), std::pair(proto::udp, Transport::udp)})
        if (need.protocols[number] && near.any())
            put_one(transport, of_server, [&](Rule& rule) {
                if (near != everything(Transport::tcp)) rule.lports = spans_of(near);
            });
    if (need.protocols[proto::icmp])
        put_one(Transport::icmp, need.icmp, [](Rule& rule) { rule.ipv6 = false; });
    if (need.protocols[proto::icmpv6])
        put_one(Transport::icmp, need.icmp6, [](Rule& rule) { rule.ipv4 = false; });
    Bits others;
    for (std::size_t i = 0; i < need.protocols.size(); i++)
        others[i] = need.protocols[i];
    put_one(Transport::other, others & everything(Transport::other), [](Rule&) {});
}

bool same_apart_from_bits(const Rule& a, const Rule& b) {
    return a.way == b.way && a.transport == b.transport && a.ipv4 == b.ipv4 && a.ipv6 == b.ipv6 &&
           a.lports == b.lports && a.set == b.set && a.packets == b.packets &&
           a.invalid == b.invalid && a.related == b.related && a.any_side == b.any_side;
}

void add_reasons(Rule& to, const Rule& from) {
    for (const std::string& reason : from.reasons)
        if (std::ranges::find(to.reasons, reason) == to.reasons.end()) to.reasons.push_back(reason);
}

void Deriver::put(Need need) {
    for (Need& other : needs_) {
        if (!same_apart_from_bits(other.rule, need.rule)) continue;
        other.bits |= need.bits;
        other.rule.own = std::max(other.rule.own, need.rule.own);
        other.rule.estimate = other.rule.estimate || need.rule.estimate;
        add_reasons(other.rule, need.rule);
        return;
    }
    needs_.push_back(std::move(need));
}

// The set of the profile's addresses, and no family of which it has none.
std::optional<std::size_t> Deriver::address_set(const Profile& p, Need& need) {
    if (p.nets.empty()) return std::nullopt;
    const auto& lists = p.nets.lists();
    const auto has = [&](unsigned version) {
        return std::ranges::any_of(
            lists, [&](const auto& list) { return !list->networks(version).empty(); });
    };
    need.rule.ipv4 = need.rule.ipv4 && has(4);
    need.rule.ipv6 = need.rule.ipv6 && has(6);
    if (!need.rule.ipv4 && !need.rule.ipv6) return std::nullopt;
    for (std::size_t i = 0; i < result_.sets.size(); i++)
        if (result_.sets[i].lists == lists) return i;
    result_.sets.push_back({lists});
    return result_.sets.size() - 1;
}

// Every packet of the narrow rule with these bits is queued by the wide one.
bool wider(const Rule& wide, const Rule& narrow) {
    const bool counts = !wide.packets || (narrow.packets && *wide.packets >= *narrow.packets &&
                                          wide.own >= narrow.own);
    return wide.way == narrow.way && wide.transport == narrow.transport &&
           (wide.ipv4 || !narrow.ipv4) && (wide.ipv6 || !narrow.ipv6) &&
           (wide.lports.empty() || wide.lports == narrow.lports) &&
           (!wide.set || wide.set == narrow.set) && counts &&
           (wide.any_side || !narrow.any_side || !wide.any_port()) &&
           (wide.invalid || !narrow.invalid || !wide.packets) && !wide.related;
}

void Deriver::drop_covered() {
    for (std::size_t i = 0; i < needs_.size(); i++) {
        Need& narrow = needs_[i];
        for (std::size_t k = 0; k < needs_.size(); k++) {
            Need& wide = needs_[k];
            if (i == k || wide.bits.none() || !wider(wide.rule, narrow.rule)) continue;
            if (narrow.rule.related) {
                if (wide.bits != everything(Transport::icmp)) continue;
                narrow.rule.related = false; // the other rule has them all
            } else if ((narrow.bits & wide.bits).none()) {
                continue;
            }
            add_reasons(wide.rule, narrow.rule);
            narrow.bits &= ~wide.bits;
        }
    }
    std::erase_if(needs_, [](const Need& n) { return n.bits.none() && !n.rule.related; });
}

void Deriver::finish() {
    for (Need& need : needs_) {
        Rule& rule = need.rule;
        if (!rule.related && need.bits != everything(rule.transport)) {
            if (rule.transport == Transport::icmp)
                rule.icmp = kinds_of(need.bits);
            else if (rule.transport == Transport::other)
                rule.protocols = spans_of(need.bits);
            else
                rule.ports = spans_of(need.bits);
        }
        result_.rules.push_back(std::move(rule));
    }
    const auto place = [](const Rule& rule) {
        // One that asks the connection ends the search for the packets of the other side.
        return std::tuple(rule.way, rule.transport, rule.any_port(), !rule.any_side);
    };
    sort_stably(result_.rules, [&](const Rule& a, const Rule& b) { return place(a) < place(b); });
    // Sets that no rule names any more.
    std::map<std::size_t, std::size_t> kept;
    std::vector<AddressSet> sets;
    for (Rule& rule : result_.rules) {
        if (!rule.set) continue;
        if (kept.emplace(*rule.set, sets.size()).second) sets.push_back(result_.sets[*rule.set]);
        rule.set = kept[*rule.set];
    }
    result_.sets = std::move(sets);
}

void Deriver::add_notes() {
    std::vector<std::string> unknown;
    for (const auto& p : profiles_)
        for (const profile::LuaInstance& instance : p->instances)
            if (find_known_function(instance.func) == nullptr &&
                std::ranges::find(unknown, instance.func) == unknown.end())
                unknown.push_back(instance.func);
    for (const std::string& name : unknown)
        result_.notes.push_back("only a script knows what " + name +
                                "() needs besides the packets within its ranges");
    if (!config_.engine.lua_init.empty())
        result_.notes.emplace_back("packets that timers of scripts send (rawsend) carry the mark; "
                                   "answers to them are queued only if a rule says so");
    if (!result_.sets.empty())
        result_.notes.emplace_back("sets hold what the lists held now: print again when they "
                                   "change");
    if (result_.rules.empty()) result_.notes.emplace_back("no profile needs any packet");
}

} // namespace

RuleSet derive(const Config& config, const Profiles& profiles) {
    return Deriver(config, profiles).run();
}

} // namespace nfqws2::app::firewall
