// Three answers to each test: yes, no, or that it depends on something that is not known here.
#include "nfqws2/rules/preview.hpp"

#include "in_force.hpp"

#include <algorithm>

namespace nfqws2::rules {
namespace {

enum class Answer : std::uint8_t { no, yes, depends };

Answer sure(bool holds) {
    return holds ? Answer::yes : Answer::no;
}

std::uint32_t protocol_bits(const Sketch& packet) {
    const IpAddress& known = packet.source.empty() ? packet.destination : packet.source;
    std::uint32_t bits = known.version == 4 ? layer_bit::ipv4 : layer_bit::ipv6;
    for (const auto& [number, bit] :
         {std::pair(6, layer_bit::tcp), std::pair(17, layer_bit::udp),
          std::pair(132, layer_bit::sctp), std::pair(1, layer_bit::icmp),
          std::pair(58, layer_bit::icmpv6), std::pair(50, layer_bit::esp),
          std::pair(51, layer_bit::ah), std::pair(47, layer_bit::gre),
          std::pair(4, layer_bit::ipip), std::pair(41, layer_bit::ipip)})
        if (packet.protocol == number) bits |= bit;
    return bits;
}

class Questions {
  public:
    Questions(const InForce& rules, const Sketch& packet) : rules_(rules), packet_(packet) {}
    void use_view(std::uint32_t view) { view_ = view; }

    // Of all: no if one says no.
    Answer ask(Slice tests, std::vector<std::string>& depends) const {
        Answer all = Answer::yes;
        for (std::uint32_t i = tests.begin; i < tests.end; i++) {
            const Test& test = rules_.program->tests[i];
            const char* word = "";
            const Answer answer = std::visit(
                [&](const auto& condition) { return one(condition, &word); }, test.condition);
            if (answer == sure(test.inverted)) return Answer::no;
            if (answer != Answer::depends) continue;
            all = answer;
            if (std::ranges::find(depends, word) == depends.end()) depends.emplace_back(word);
        }
        return all;
    }

  private:
    const IpAddress& address(End end) const {
        return end == End::source ? packet_.source : packet_.destination;
    }
    static Answer unknown(const char* name, const char** word) {
        *word = name;
        return Answer::depends;
    }

    Answer one(const test::Address& test, const char** word) const {
        if (test.inner) return Answer::no;
        const IpAddress& known = address(test.end);
        if (known.empty()) return unknown(test.end == End::source ? "src" : "dst", word);
        return sure(std::ranges::any_of(
            test.prefixes, [&](const Prefix& prefix) { return prefix.contains(known); }));
    }
    Answer one(const test::Port& test, const char** word) const {
        constexpr std::uint8_t with_ports[] = {6, 17, 132};
        if (std::ranges::find(with_ports, packet_.protocol) == std::end(with_ports))
            return Answer::no;
        const bool source = test.end == End::source;
        const auto& port = source ? packet_.source_port : packet_.destination_port;
        if (!port) return unknown(source ? "sport" : "dport", word);
        return sure(std::ranges::any_of(test.ports,
                                        [&](const Range16& range) { return range.holds(*port); }));
    }
    Answer one(const test::Protocol& test, const char**) const {
        return sure((test.any & protocol_bits(packet_)) != 0);
    }
    Answer one(const test::Icmp& test, const char** word) const {
        if (packet_.protocol != test.protocol) return Answer::no;
        const char* name = test.protocol == 1 ? "icmp" : "icmp6";
        if (!packet_.icmp_type) return unknown(name, word);
        if (std::ranges::find(test.types, *packet_.icmp_type) == test.types.end())
            return Answer::no;
        return test.code ? unknown(name, word) : Answer::yes;
    }
    Answer one(const test::Set& test, const char** word) const {
        if (test.inner) return Answer::no;
        const IpAddress& known = address(test.end);
        if (known.empty()) return unknown("pset", word);
        const PrefixSets& sets = *rules_.views[view_];
        const PrefixSets::Class found = sets.find(known);
        if (!sets.contains(found, test.set)) return Answer::no;
        const auto value = sets.value(found, test.set);
        return sure(!test.value || (value && test.value->holds(*value)));
    }
    Answer one(const test::Geo& test, const char** word) const {
        if (test.inner) return Answer::no;
        const IpAddress& known = address(test.end);
        if (known.empty()) return unknown("geoip", word);
        const GeoPlace place = rules_.geo != nullptr ? rules_.geo->find(known) : GeoPlace{};
        const auto is_in = [](const std::vector<GeoCode>& codes, GeoCode code) {
            return codes.empty() || (code && std::ranges::find(codes, code) != codes.end());
        };
        return sure(is_in(test.countries, place.country) &&
                    is_in(test.continents, place.continent));
    }
    Answer one(const test::Direction& test, const char**) const {
        return sure(test.incoming != packet_.outgoing);
    }
    Answer tcp(const char* name, const char** word) const {
        return packet_.protocol == 6 ? unknown(name, word) : Answer::no;
    }
    Answer one(const test::Flags&, const char** word) const { return tcp("tcpflags", word); }
    Answer one(const test::Options&, const char** word) const { return tcp("tcpopts", word); }
    Answer one(const test::Mss&, const char** word) const { return tcp("tcpmss", word); }
    Answer one(const test::WindowScale&, const char** word) const { return tcp("tcpws", word); }
    Answer one(const test::Ttl&, const char** word) const { return unknown("ttl", word); }
    Answer one(const test::Length&, const char** word) const { return unknown("len", word); }
    Answer one(const test::Fragment&, const char** word) const { return unknown("frag", word); }
    Answer one(const test::Spi& test, const char** word) const {
        return test.inner ? Answer::no : unknown("spi", word);
    }
    Answer one(const test::Mark& test, const char** word) const {
        return unknown(mark_word(test.kind).data(), word);
    }
    Answer one(const test::LocalMark&, const char** word) const { return unknown("mark", word); }
    Answer one(const test::Verdict&, const char** word) const { return unknown("verdict", word); }
    Answer one(const test::Sequence&, const char** word) const { return unknown("seq", word); }
    Answer one(const test::Interface& test, const char** word) const {
        return unknown(test.incoming ? "ifin" : "ifout", word);
    }
    Answer one(const test::FirewallMark&, const char** word) const {
        return unknown("fwmark", word);
    }
    Answer one(const test::ConnectionState&, const char** word) const {
        return unknown("ctstate", word);
    }
    Answer one(const test::ConnectionMark&, const char** word) const {
        return unknown("ctmark", word);
    }

    const InForce& rules_;
    const Sketch& packet_;
    std::uint32_t view_ = 0;
};

std::string end_of(const Program& program, const Rule& rule) {
    if (rule.actions.begin == rule.actions.end) return "";
    const Action& last = program.actions[rule.actions.end - 1];
    if (std::holds_alternative<action::Accept>(last)) return "accept";
    if (std::holds_alternative<action::Drop>(last)) return "drop";
    if (std::holds_alternative<action::Pass>(last)) return "pass";
    if (const auto* where = std::get_if<action::Goto>(&last))
        return "goto " + program.chains[where->chain].name;
    return "";
}

// The chain of a profile and those it may lead to, each once.
void walk(const Program& program, const Questions& questions, std::uint32_t first,
          std::vector<RulePreview>& out) {
    std::vector<std::uint32_t> chains{first};
    for (std::size_t at = 0; at < chains.size(); at++) {
        const Chain& chain = program.chains[chains[at]];
        for (std::uint32_t i = chain.rules.begin; i < chain.rules.end; i++) {
            const Rule& rule = program.rules[i];
            RulePreview one{rule.name, chain.name, {}, end_of(program, rule)};
            const Answer answer = questions.ask(rule.tests, one.depends);
            if (answer == Answer::no) continue;
            if (one.end.starts_with("goto ")) {
                const auto next = std::get<action::Goto>(program.actions[rule.actions.end - 1]);
                if (std::ranges::find(chains, next.chain) == chains.end())
                    chains.push_back(next.chain);
            }
            const bool ends = answer == Answer::yes && !one.end.empty() && one.end != "pass";
            out.push_back(std::move(one));
            if (ends) break;
        }
    }
}

} // namespace

std::vector<ProfilePreview> preview(const InForce& rules, const Sketch& packet) {
    const Program& program = *rules.program;
    Questions questions(rules, packet);
    std::vector<ProfilePreview> out;
    for (const Profile& profile : program.profiles) {
        questions.use_view(profile.view);
        ProfilePreview one{profile.name, {}, profile.observe, {}};
        const Answer answer = questions.ask(profile.tests, one.depends);
        if (answer == Answer::no) continue;
        walk(program, questions, profile.main, one.rules);
        out.push_back(std::move(one));
        if (answer == Answer::yes) break;
    }
    return out;
}

} // namespace nfqws2::rules
