// The compiled program against a slow, obvious interpreter of the same rules, on random packets and
// random rules. The interpreter knows no facts that are kept, no layers walk and no flat arrays: it
// reads header bytes anew for each match.
#include "world.hpp"

#include <functional>
#include <random>

namespace nfqws2::rules {
namespace {

using namespace test_packets;

// A match as text, and what it means.
struct Predicate {
    std::string text;
    std::function<bool(const Packet&)> holds;
};

bool is_v4(const Packet& p) {
    return p[0] >> 4 == 4;
}
std::size_t ip_header(const Packet& p) {
    return is_v4(p) ? 20 : 40;
}
unsigned number_of(const Packet& p) {
    return is_v4(p) ? p[9] : p[6];
}
bool later(const Packet& p) {
    return is_v4(p) && (load_be16(&p[6]) & 0x1FFF) != 0;
}
bool is_transport(const Packet& p, unsigned protocol) {
    const std::size_t least = protocol == 6 ? 20 : 8;
    if (number_of(p) != protocol || later(p) || p.size() < ip_header(p) + least) return false;
    if (protocol != 6) return true;
    const std::size_t header = (p[ip_header(p) + 12] >> 4) * 4U;
    return header >= 20 && p.size() >= ip_header(p) + header;
}

class Dice {
  public:
    explicit Dice(unsigned seed) : engine_(seed) {}
    unsigned below(unsigned n) { return static_cast<unsigned>(engine_() % n); }
    bool coin() { return below(2) != 0; }

  private:
    std::mt19937 engine_;
};

Packet random_packet(Dice& dice) {
    Ip4 header;
    header.source = "10.0.0." + std::to_string(dice.below(4));
    header.destination = "192.0.2." + std::to_string(dice.below(4));
    header.ttl = static_cast<std::uint8_t>(60 + dice.below(6));
    if (dice.below(5) == 0)
        header.fragment = static_cast<std::uint16_t>(dice.below(2) * 0x2000 + dice.below(2) * 5);
    const auto port = [&dice] { return static_cast<std::uint16_t>(50 + dice.below(6)); };
    const std::string payload = std::string(dice.below(3), 'x') + (dice.coin() ? "GET" : "get");
    Packet transport;
    unsigned protocol = 17;
    switch (dice.below(3)) {
    case 0:
        transport = udp(port(), port(), payload);
        break;
    case 1:
        protocol = 6;
        transport = tcp(port(), port(), static_cast<std::uint8_t>(dice.below(32)), {}, payload);
        break;
    default:
        protocol = 1;
        transport = icmp(static_cast<std::uint8_t>(dice.below(12)), 0);
    }
    if (dice.below(8) == 0) transport.resize(dice.below(static_cast<unsigned>(transport.size())));
    if (protocol != 1 && dice.below(4) == 0)
        return ipv6("2001:db8::" + std::to_string(dice.below(4)), "2001:db8:1::1",
                    static_cast<std::uint8_t>(protocol), transport);
    return ipv4(header, static_cast<std::uint8_t>(protocol), transport);
}

Predicate address_match(Dice& dice) {
    const bool source = dice.coin();
    const unsigned last = dice.below(4);
    const std::string net = source ? "10.0.0." : "192.0.2.";
    const bool pair = dice.coin(); // two addresses: /31
    const unsigned first = pair ? last & ~1U : last;
    return {std::string("{ ") + (source ? "src" : "dst") + " = \"" + net + std::to_string(first) +
                (pair ? "/31" : "") + "\" }",
            [=](const Packet& p) {
                const std::size_t at = source ? 15 : 19;
                return is_v4(p) && (pair ? (p[at] & ~1U) == first : p[at] == first);
            }};
}

Predicate port_match(Dice& dice) {
    const bool source = dice.coin();
    const unsigned low = 50 + dice.below(6), high = low + dice.below(3);
    return {std::string("{ ") + (source ? "sport" : "dport") + " = \"" + std::to_string(low) + "-" +
                std::to_string(high) + "\" }",
            [=](const Packet& p) {
                if (!is_transport(p, 6) && !is_transport(p, 17)) return false;
                const unsigned port = load_be16(&p[ip_header(p) + (source ? 0 : 2)]);
                return low <= port && port <= high;
            }};
}

Predicate protocol_match(Dice& dice) {
    static constexpr struct {
        const char* word;
        unsigned number;
    } words[] = {{"tcp", 6}, {"udp", 17}, {"icmp", 1}};
    const auto word = words[dice.below(3)];
    return {std::string("{ protocol = \"") + word.word + "\" }", [=](const Packet& p) {
                return later(p) ? number_of(p) == word.number : is_transport(p, word.number);
            }};
}

Predicate ttl_match(Dice& dice) {
    const unsigned low = 60 + dice.below(6);
    return {"{ ttl = \"" + std::to_string(low) + "-70\" }",
            [=](const Packet& p) { return p[is_v4(p) ? 8 : 7] >= low; }};
}

Predicate length_match(Dice& dice) {
    const unsigned most = 28 + dice.below(40);
    return {"{ len = { len = \"0-" + std::to_string(most) + "\" } }",
            [=](const Packet& p) { return p.size() <= most; }};
}

Predicate flags_match(Dice& dice) {
    const bool syn = dice.coin();
    return {std::string("{ tcpflags = { flags = [") + (syn ? "\"syn\"" : "") +
                "], mask = [\"syn\", \"ack\"] } }",
            [=](const Packet& p) {
                return is_transport(p, 6) && (p[ip_header(p) + 13] & 0x12) == (syn ? 2 : 0);
            }};
}

Predicate fragment_match(Dice& dice) {
    const bool last = dice.coin();
    return {std::string("{ frag = \"") + (last ? "last" : "any") + "\" }", [=](const Packet& p) {
                const unsigned field = is_v4(p) ? load_be16(&p[6]) : 0;
                return last ? (field & 0x1FFF) != 0 && (field & 0x2000) == 0
                            : (field & 0x3FFF) != 0;
            }};
}

Predicate sequence_match(Dice&) {
    return {"{ seq = { seq = \"GET\" } }", [](const Packet& p) {
                std::size_t header = 0;
                if (is_transport(p, 6)) header = (p[ip_header(p) + 12] >> 4) * 4U;
                if (is_transport(p, 17) || is_transport(p, 1)) header = 8;
                if (is_transport(p, 58)) header = 8;
                if (header == 0) return false;
                const std::string rest(p.begin() + static_cast<long>(ip_header(p) + header),
                                       p.end());
                return rest.find("GET") != std::string::npos;
            }};
}

Predicate random_match(Dice& dice) {
    static constexpr Predicate (*makers[])(Dice&) = {address_match,  port_match,    protocol_match,
                                                     ttl_match,      length_match,  flags_match,
                                                     fragment_match, sequence_match};
    Predicate made = makers[dice.below(std::size(makers))](dice);
    if (dice.below(4) != 0) return made;
    return {"{ not = " + made.text + " }",
            [holds = made.holds](const Packet& p) { return !holds(p); }};
}

struct SlowRule {
    std::vector<Predicate> matches;
    std::string counter;
    unsigned add = 0; // to the local mark, first
    enum { none, accept, drop, away } end = none;
    std::optional<unsigned> mark; // asked

    bool holds(const Packet& packet, unsigned present) const {
        for (const Predicate& match : matches)
            if (!match.holds(packet)) return false;
        return !mark || *mark == present;
    }
};

SlowRule random_rule(Dice& dice, std::size_t number, bool may_go) {
    SlowRule rule;
    for (unsigned i = dice.below(3); i > 0; i--)
        rule.matches.push_back(random_match(dice));
    rule.counter = "C" + std::to_string(number);
    rule.add = dice.below(3);
    if (dice.below(4) == 0) rule.mark = dice.below(4);
    const unsigned end = dice.below(8);
    if (end == 0) rule.end = SlowRule::accept;
    if (end == 1) rule.end = SlowRule::drop;
    if (end == 2 && may_go) rule.end = SlowRule::away;
    return rule;
}

std::string text_of(const SlowRule& rule, const char* table) {
    std::string out = std::string(table) + "\nmatch = [ ";
    for (const Predicate& match : rule.matches)
        out += match.text + ", ";
    if (rule.mark) out += "{ mark = " + std::to_string(*rule.mark) + " }";
    out += " ]\naction = [ { stats = \"" + rule.counter +
           "\" }, { mark = { how = \"add\", value = " + std::to_string(rule.add) + " } }";
    static const char* const ends[] = {"", ", \"accept\"", ", \"drop\"", ", { goto = \"away\" }"};
    return out + ends[rule.end] + " ]\n";
}

// Main chain and another; the decision, and which rules were hit.
Decision interpret(const std::vector<SlowRule>& main, const std::vector<SlowRule>& away,
                   const Packet& packet, std::vector<std::string>& hits) {
    unsigned mark = 0;
    const std::vector<SlowRule>* chain = &main;
    for (std::size_t i = 0; i < chain->size(); i++) {
        const SlowRule& rule = (*chain)[i];
        if (!rule.holds(packet, mark)) continue;
        hits.push_back(rule.counter);
        mark += rule.add;
        if (rule.end == SlowRule::accept) return Decision::accept;
        if (rule.end == SlowRule::drop) return Decision::drop;
        if (rule.end != SlowRule::away) continue;
        chain = &away;
        i = SIZE_MAX; // its first rule is next
    }
    return Decision::go_on;
}

TEST(Property, CompiledRulesDoWhatTheTextSays) {
    for (unsigned seed = 0; seed < 150; seed++) {
        Dice dice(seed);
        std::vector<SlowRule> main, away;
        for (unsigned i = 0; i < 6; i++)
            main.push_back(random_rule(dice, i, true));
        for (unsigned i = 0; i < 3; i++)
            away.push_back(random_rule(dice, 10 + i, false));
        std::string text = "[[profile]]\n";
        for (const SlowRule& rule : main)
            text += text_of(rule, "[[profile.rule]]");
        text += "[[profile.chain]]\nname = \"away\"\n";
        for (const SlowRule& rule : away)
            text += text_of(rule, "[[profile.chain.rule]]");
        World world(text);
        ASSERT_NE(nullptr, world.judge);
        for (int i = 0; i < 60; i++) {
            const Packet packet = random_packet(dice);
            std::vector<std::string> wanted, hits;
            const Decision decision = interpret(main, away, packet, wanted);
            EXPECT_EQ(decision, world.feed(packet).decision) << "seed " << seed << "\n" << text;
            for (const std::string& hit : world.judge->account().hits) {
                const bool is_away = hit.find("away") != std::string::npos;
                const std::size_t number = std::stoul(hit.substr(hit.rfind('#') + 1)) - 1;
                hits.push_back("C" + std::to_string(is_away ? 10 + number : number));
            }
            ASSERT_EQ(wanted, hits) << "seed " << seed << " packet " << i << "\n" << text;
        }
    }
}

} // namespace
} // namespace nfqws2::rules
