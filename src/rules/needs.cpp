// Theory of operation. Each rule that does something starts with everything, and each of its tests,
// and those of its profile, takes away what cannot meet it. Tests that are turned round, and those
// of what is not known beforehand (marks, sets, countries), take nothing away. Needs that differ in
// one thing only become one.
#include "nfqws2/rules/needs.hpp"

#include "ip_protocols.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "program.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace nfqws2::rules {
namespace {

using Protocols = std::bitset<256>;
using Ports = std::bitset<65'536>;

namespace proto = packet::proto;

Protocols only(std::initializer_list<std::size_t> numbers) {
    Protocols protocols;
    for (const std::size_t number : numbers)
        protocols.set(number);
    return protocols;
}

Protocols with_inside() {
    return only({ipip, ip6_in_ip, gre, proto::ah});
}

// What a word of `protocol` is about. Behind an outer one other layers may follow.
struct Meaning {
    std::uint32_t bits;
    Protocols protocols;
    bool ipv4, ipv6, outer;
};

const std::vector<Meaning>& meanings() {
    static const std::vector<Meaning> all = {
        {layer_bit::ipv4, ~Protocols(), true, false, false},
        {layer_bit::ipv6, ~Protocols(), false, true, false},
        {layer_bit::eth | layer_bit::vlan, ~Protocols(), true, true, false},
        {layer_bit::tcp, only({proto::tcp}), true, true, false},
        {layer_bit::udp, only({proto::udp}), true, true, false},
        {layer_bit::sctp, only({sctp}), true, true, false},
        {layer_bit::icmp, only({proto::icmp}), true, false, false},
        {layer_bit::icmpv6, only({proto::icmpv6}), false, true, false},
        {layer_bit::ah, only({proto::ah}), true, true, true},
        {layer_bit::esp, only({esp}), true, true, true},
        // An authentication header may stand in front of these.
        {layer_bit::gre, only({gre, proto::ah}), true, true, true},
        {layer_bit::ipip, only({ipip, ip6_in_ip, proto::ah}), true, true, true},
        {layer_bit::tun_ipv4 | layer_bit::tun_ipv6 | layer_bit::tun_ah | layer_bit::tun_esp,
         with_inside(), true, true, true}};
    return all;
}

// Takes away what cannot meet a test.
class Narrowing {
  public:
    explicit Narrowing(Need& need) : need_(need) {}

    // Once, behind all tests. Ports and types inside of another layer are not those of the packet.
    void finish() {
        need_.protocols = outer_.all() || transport_.none() ? transport_ : outer_;
        if (outer_.all()) {
            need_.ipv4 = need_.ipv4 && transport_ipv4_;
            need_.ipv6 = need_.ipv6 && transport_ipv6_;
            return;
        }
        for (Ports* of_transport : {&need_.sports, &need_.dports, &need_.icmp, &need_.icmp6})
            if (of_transport->any()) of_transport->set();
    }
    void by(const Test& test) {
        if (const auto* way = std::get_if<test::Direction>(&test.condition))
            return only_way(way->incoming != test.inverted);
        if (!test.inverted)
            std::visit([this](const auto& condition) { by(condition); }, test.condition);
    }

  private:
    // Most say nothing about headers.
    template <typename Condition> void by(const Condition&) {}

    void by(const test::Address& test) {
        if (test.inner) return inside();
        const auto has = [&](unsigned version) {
            return std::ranges::any_of(test.prefixes, [&](const Prefix& prefix) {
                return prefix.address.version == version;
            });
        };
        only_families(need_.ipv4, need_.ipv6, has(4), has(6));
    }
    void by(const test::Port& test) {
        transport_ &= only({proto::tcp, proto::udp, sctp});
        Ports ports;
        for (const Range16& range : test.ports)
            for (std::size_t port = range.low; port <= range.high; port++)
                ports.set(port);
        (test.end == End::source ? need_.sports : need_.dports) &= ports;
    }
    void by(const test::Protocol& test) {
        Protocols protocols;
        bool v4 = false, v6 = false, outer = false, network = false;
        for (const Meaning& meaning : meanings()) {
            if ((test.any & meaning.bits) == 0) continue;
            protocols |= meaning.protocols;
            v4 = v4 || meaning.ipv4;
            v6 = v6 || meaning.ipv6;
            outer = outer || meaning.outer;
            network = network || meaning.protocols.all();
        }
        (outer ? outer_ : transport_) &= protocols;
        if (network || outer) return only_families(need_.ipv4, need_.ipv6, v4, v6);
        only_families(transport_ipv4_, transport_ipv6_, v4, v6);
    }
    void by(const test::Flags&) { transport_ &= only({proto::tcp}); }
    void by(const test::Options&) { transport_ &= only({proto::tcp}); }
    void by(const test::Mss&) { transport_ &= only({proto::tcp}); }
    void by(const test::WindowScale&) { transport_ &= only({proto::tcp}); }
    void by(const test::Icmp& test) {
        const bool v6 = test.protocol == proto::icmpv6;
        transport_ &= only({v6 ? proto::icmpv6 : proto::icmp});
        only_families(transport_ipv4_, transport_ipv6_, !v6, v6);
        Ports kinds;
        for (const std::uint8_t type : test.types)
            for (std::size_t code = 0; code < 256; code++)
                if (!test.code || *test.code == code) kinds.set(type * 256U + code);
        (v6 ? need_.icmp6 : need_.icmp) &= kinds;
    }
    void by(const test::Spi& test) {
        if (test.inner) return inside();
        outer_ &= only({proto::ah, esp});
    }
    void by(const test::Set& test) {
        if (test.inner) inside();
    }
    void by(const test::Geo& test) {
        if (test.inner) inside();
    }
    void by(const test::Length& test) { by(test.layer); }
    void by(const test::Sequence& test) { by(test.layer); }
    void by(Layer layer) {
        if (layer == Layer::sec) outer_ &= only({proto::ah, esp});
        if (layer == Layer::tun || layer == Layer::tun_net || layer == Layer::tun_sec) inside();
    }
    void only_way(bool incoming) { (incoming ? need_.out : need_.in) = false; }
    void inside() { outer_ &= with_inside(); }
    static void only_families(bool& ipv4, bool& ipv6, bool has4, bool has6) {
        ipv4 = ipv4 && has4;
        ipv6 = ipv6 && has6;
    }

    Need& need_;
    Protocols outer_ = ~Protocols(), transport_ = ~Protocols();
    // What the transport tells of the network layer below it, which may be one inside of a tunnel.
    bool transport_ipv4_ = true, transport_ipv6_ = true;
};

// An action that makes a difference to a packet that would pass unseen.
bool acts(const Action& action) {
    if (const auto* mark = std::get_if<action::LocalMark>(&action))
        return mark->how == MarkHow::save;
    if (const auto* verdict = std::get_if<action::SetVerdict>(&action))
        return verdict->algorithm != Algorithm::none;
    if (const auto* output = std::get_if<action::Switch>(&action)) return output->on;
    return !std::holds_alternative<action::Accept>(action) &&
           !std::holds_alternative<action::Pass>(action) &&
           !std::holds_alternative<action::SetLevel>(action) &&
           !std::holds_alternative<action::Goto>(action);
}

// The rule that has left a verdict needs the packet already.
bool waits_for_a_verdict(const Test& test) {
    return !test.inverted && std::holds_alternative<test::Verdict>(test.condition);
}

class Collector {
  public:
    explicit Collector(const Program& program) : program_(program) {}

    std::vector<Need> run() {
        if (program_.policy == Policy::drop) put(Need(), "");
        for (const Rule& rule : program_.rules)
            add(rule);
        return std::move(needs_);
    }

  private:
    void add(const Rule& rule) {
        const auto actions =
            std::span(program_.actions)
                .subspan(rule.actions.begin, rule.actions.end - rule.actions.begin);
        if (std::none_of(actions.begin(), actions.end(), acts)) return;
        const Profile& profile = program_.profiles[rule.profile];
        Need need;
        Narrowing narrowing(need);
        for (const Slice tests : {profile.tests, rule.tests})
            for (std::uint32_t i = tests.begin; i < tests.end; i++) {
                if (waits_for_a_verdict(program_.tests[i])) return;
                narrowing.by(program_.tests[i]);
            }
        narrowing.finish();
        if (!need.nothing()) put(std::move(need), profile.name);
    }

    static bool same_ways(const Need& a, const Need& b) { return a.out == b.out && a.in == b.in; }
    static bool same_families(const Need& a, const Need& b) {
        return a.ipv4 == b.ipv4 && a.ipv6 == b.ipv6;
    }
    // In how many things they differ.
    static int differences(const Need& a, const Need& b) {
        return !same_ways(a, b) + !same_families(a, b) + (a.protocols != b.protocols) +
               (a.sports != b.sports) + (a.dports != b.dports) + (a.icmp != b.icmp) +
               (a.icmp6 != b.icmp6);
    }
    static bool covers(const Need& wide, const Need& narrow) {
        return (wide.out || !narrow.out) && (wide.in || !narrow.in) &&
               (wide.ipv4 || !narrow.ipv4) && (wide.ipv6 || !narrow.ipv6) &&
               (narrow.protocols & ~wide.protocols).none() &&
               (narrow.sports & ~wide.sports).none() && (narrow.dports & ~wide.dports).none() &&
               (narrow.icmp & ~wide.icmp).none() && (narrow.icmp6 & ~wide.icmp6).none();
    }
    static void join(Need& to, const Need& from) {
        to.out = to.out || from.out;
        to.in = to.in || from.in;
        to.ipv4 = to.ipv4 || from.ipv4;
        to.ipv6 = to.ipv6 || from.ipv6;
        to.protocols |= from.protocols;
        to.sports |= from.sports;
        to.dports |= from.dports;
        to.icmp |= from.icmp;
        to.icmp6 |= from.icmp6;
        for (const std::string& profile : from.profiles)
            if (std::ranges::find(to.profiles, profile) == to.profiles.end())
                to.profiles.push_back(profile);
    }
    void put(Need need, const std::string& profile) {
        need.profiles = {profile};
        for (Need& known : needs_)
            if (differences(known, need) <= 1 || covers(known, need)) return join(known, need);
        if (needs_.size() == Need::most) {
            Need all;
            for (const Need& known : needs_)
                join(all, known);
            join(all, need);
            needs_ = {std::move(all)};
            return;
        }
        needs_.push_back(std::move(need));
    }

    const Program& program_;
    std::vector<Need> needs_;
};

template <typename T> bool asks(const Program& program) {
    return std::ranges::any_of(
        program.tests, [](const Test& test) { return std::holds_alternative<T>(test.condition); });
}

} // namespace

Need::Need() {
    protocols.set();
    sports.set();
    dports.set();
    icmp.set();
    icmp6.set();
}

bool Need::nothing() const {
    return !(out || in) || !(ipv4 || ipv6) || protocols.none() || sports.none() || dports.none() ||
           icmp.none() || icmp6.none();
}

std::vector<Need> needs_of(const Program& program) {
    return Collector(program).run();
}

bool asks_direction_without_lan(const Program& program) {
    return program.lan.empty() && asks<test::Direction>(program);
}

bool asks_fragments(const Program& program) {
    return asks<test::Fragment>(program);
}

} // namespace nfqws2::rules
