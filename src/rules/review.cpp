#include "review.hpp"

#include <algorithm>
#include <vector>

namespace nfqws2::rules {
namespace {

constexpr std::size_t most_pairs = 2'000'000; // that are compared, of each kind

class Review {
  public:
    Review(const Program& program, const Build& build, const std::map<std::uint32_t, Place>& places)
        : program_(program), build_(build), findings_(build.values.findings()), places_(places) {}

    void run();

  private:
    void marks();
    void algorithms();
    void order();
    void order_of(std::uint32_t chain, std::vector<std::uint8_t>& before);
    std::uint8_t asked(Slice tests) const;
    std::uint8_t set_by(const Rule& rule) const;
    bool set_somewhere(Algorithm algorithm) const;
    void counters_and_sets();
    void geoip();
    void unreachable_rules();
    void unreachable_profiles();
    void authentication();
    void link_layer();
    void translation();

    bool ends_always(const Rule& rule) const;
    bool stays(const Condition& condition) const;
    bool covers(const Rule& earlier, const Rule& later) const;
    bool taken_together(std::size_t number, std::size_t& left) const;
    const test::Address* plain_address(std::uint32_t number) const; // outer, not turned round
    bool takes_all_of(const Profile& earlier, const Profile& later, std::size_t& left) const;
    Place place(std::uint32_t rule) const {
        const auto found = places_.find(rule);
        return found != places_.end() ? found->second : Place{};
    }
    void warn(std::uint32_t rule, const std::string& text) {
        findings_.where = "rule '" + program_.rules[rule].name + "'";
        findings_.warn(place(rule), text);
        findings_.where.clear();
    }
    template <typename T> bool acts(const Rule& rule) const {
        for (std::uint32_t i = rule.actions.begin; i < rule.actions.end; i++)
            if (std::holds_alternative<T>(program_.actions[i])) return true;
        return false;
    }
    template <typename T> const T* asks(Slice tests, bool inverted) const {
        for (std::uint32_t i = tests.begin; i < tests.end; i++)
            if (program_.tests[i].inverted == inverted)
                if (const T* test = std::get_if<T>(&program_.tests[i].condition)) return test;
        return nullptr;
    }

    const Program& program_;
    const Build& build_;
    Findings& findings_;
    const std::map<std::uint32_t, Place>& places_;
};

void Review::marks() {
    for (const auto& [key, seen] : build_.marks) {
        if (!seen.asked || seen.set) continue;
        findings_.warn(seen.at, "no rule sets " + std::string(mark_word(MarkKind(key >> 8))) +
                                    " with id " + std::to_string(key & 0xFF) + " (scripts may do)");
    }
}

void Review::algorithms() {
    for (const auto& [algorithm, seen] : build_.algorithms)
        if (seen.asked && !seen.set)
            findings_.warn(
                seen.at,
                "a verdict of '" +
                    std::string(name_of(algorithm_words(), static_cast<std::uint32_t>(algorithm))) +
                    "' is asked, but no action sets one");
}

std::uint8_t algorithm_bit(Algorithm algorithm) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(algorithm));
}

// None: leaves the register as it is, or empties it.
Algorithm set_by(const Action& action) {
    if (std::holds_alternative<action::Rate>(action)) return Algorithm::rate;
    if (std::holds_alternative<action::RateLimit>(action)) return Algorithm::ratelimit;
    if (std::holds_alternative<action::Sample>(action)) return Algorithm::sample;
    if (std::holds_alternative<action::TcpAuth>(action)) return Algorithm::tcpauth;
    const auto* verdict = std::get_if<action::SetVerdict>(&action);
    return verdict != nullptr ? verdict->algorithm : Algorithm::none;
}

std::uint8_t Review::asked(Slice tests) const {
    std::uint8_t bits = 0;
    for (std::uint32_t i = tests.begin; i < tests.end; i++)
        if (const auto* verdict = std::get_if<test::Verdict>(&program_.tests[i].condition))
            bits |= algorithm_bit(verdict->algorithm);
    return bits;
}

std::uint8_t Review::set_by(const Rule& rule) const {
    std::uint8_t bits = 0;
    for (std::uint32_t i = rule.actions.begin; i < rule.actions.end; i++)
        bits |= algorithm_bit(rules::set_by(program_.actions[i]));
    return bits;
}

bool Review::set_somewhere(Algorithm algorithm) const {
    const auto seen = build_.algorithms.find(algorithm);
    return seen != build_.algorithms.end() && seen->second.set;
}

// One chain: `before` has, for each chain that may be reached, whose verdicts the register may hold
// at its start.
void Review::order_of(std::uint32_t chain, std::vector<std::uint8_t>& before) {
    std::uint8_t known = before[chain]; // not 0: the bit of "none" says that it is reached
    for (std::uint32_t r = program_.chains[chain].rules.begin; r < program_.chains[chain].rules.end;
         r++) {
        const Rule& rule = program_.rules[r];
        for (const Word& word : algorithm_words()) {
            const auto algorithm = static_cast<Algorithm>(word.value);
            if ((asked(rule.tests) & ~known & algorithm_bit(algorithm)) == 0) continue;
            if (!set_somewhere(algorithm)) continue; // algorithms() says it
            warn(r, "a verdict of '" + std::string(word.name) +
                        "' is asked, but no rule before this one sets it");
        }
        known |= set_by(rule);
        if (rule.actions.begin == rule.actions.end) continue;
        const auto* go = std::get_if<action::Goto>(&program_.actions[rule.actions.end - 1]);
        if (go != nullptr) before[go->chain] |= known;
    }
}

// Chains are walked from the main ones on, each when all that lead to it were.
void Review::order() {
    std::vector<std::uint8_t> before(program_.chains.size());
    std::vector<std::uint32_t> leading(program_.chains.size());
    const auto each_goto = [&](std::uint32_t chain, auto&& take) {
        const Slice rules = program_.chains[chain].rules;
        for (std::uint32_t r = rules.begin; r < rules.end; r++) {
            const Slice actions = program_.rules[r].actions;
            if (actions.begin == actions.end) continue;
            if (const auto* go = std::get_if<action::Goto>(&program_.actions[actions.end - 1]))
                take(go->chain);
        }
    };
    for (std::uint32_t i = 0; i < before.size(); i++)
        each_goto(i, [&](std::uint32_t to) { leading[to]++; });
    std::vector<std::uint32_t> next;
    for (std::uint32_t i = 0; i < before.size(); i++)
        if (leading[i] == 0) next.push_back(i);
    for (std::size_t i = 0; i < program_.profiles.size(); i++) {
        before[program_.profiles[i].main] = algorithm_bit(Algorithm::none);
        if (asked(program_.profiles[i].tests) != 0)
            findings_.warn(build_.profiles[i], "a verdict is asked by the match of a profile: no "
                                               "rule can have set one before");
    }
    while (!next.empty()) {
        const std::uint32_t chain = next.back();
        next.pop_back();
        if (before[chain] == 0)
            findings_.warn(build_.chains[chain],
                           "no rule goes to the chain '" + program_.chains[chain].name + "'");
        else
            order_of(chain, before);
        each_goto(chain, [&](std::uint32_t to) {
            if (--leading[to] == 0) next.push_back(to);
        });
    }
}

void Review::counters_and_sets() {
    std::vector<bool> used(program_.sets.size());
    const auto note = [&](Slice tests, std::uint32_t profile) {
        const SetView& view = program_.views[program_.profiles[profile].view];
        for (std::uint32_t i = tests.begin; i < tests.end; i++)
            if (const auto* set = std::get_if<test::Set>(&program_.tests[i].condition))
                used[view.sets[set->set]] = true;
    };
    for (std::uint32_t i = 0; i < program_.profiles.size(); i++)
        note(program_.profiles[i].tests, i);
    for (const Rule& rule : program_.rules)
        note(rule.tests, rule.profile);
    for (std::size_t i = 0; i < used.size(); i++)
        if (!used[i])
            findings_.warn(build_.sets[i], "the set '" + program_.sets[i].name + "' is not used");
}

void Review::geoip() {
    for (std::uint32_t i = 0; i < program_.rules.size(); i++) {
        const Rule& rule = program_.rules[i];
        const Slice of_profile = program_.profiles[rule.profile].tests;
        if (asks<test::Geo>(rule.tests, true) == nullptr) continue;
        const bool has_way = asks<test::Direction>(rule.tests, false) != nullptr ||
                             asks<test::Direction>(of_profile, false) != nullptr ||
                             asks<test::Address>(rule.tests, true) != nullptr ||
                             asks<test::Address>(of_profile, true) != nullptr;
        if (!has_way)
            warn(i, "'not geoip' meets outgoing packets and those of private addresses too: add "
                    "{ dir = \"in\" } to the match of the profile");
    }
}

bool Review::ends_always(const Rule& rule) const {
    if (rule.actions.begin == rule.actions.end) return false;
    const Action& last = program_.actions[rule.actions.end - 1];
    if (const auto* pass = std::get_if<action::Pass>(&last)) return !pass->vlan && !pass->mac;
    return std::holds_alternative<action::Accept>(last) ||
           std::holds_alternative<action::Drop>(last) || std::holds_alternative<action::Goto>(last);
}

// What a packet answers the same way as long as it is not translated.
bool Review::stays(const Condition& condition) const {
    return !std::holds_alternative<test::Mark>(condition) &&
           !std::holds_alternative<test::LocalMark>(condition) &&
           !std::holds_alternative<test::Verdict>(condition);
}

// Whether every packet that meets the later rule has met the earlier one.
bool Review::covers(const Rule& earlier, const Rule& later) const {
    for (std::uint32_t i = earlier.tests.begin; i < earlier.tests.end; i++) {
        const Test& wanted = program_.tests[i];
        bool found = false;
        for (std::uint32_t k = later.tests.begin; k < later.tests.end && !found; k++)
            found = program_.tests[k] == wanted;
        if (!found || !stays(wanted.condition)) return false;
    }
    return true;
}

// Behind a rule that ends, with the same tests or less. In a large file not all pairs are compared.
void Review::unreachable_rules() {
    std::size_t pairs_left = most_pairs;
    for (const Chain& chain : program_.chains) {
        bool translated = false;
        std::vector<bool> told(chain.rules.end - chain.rules.begin);
        for (std::uint32_t i = chain.rules.begin; i + 1 < chain.rules.end; i++) {
            const Rule& rule = program_.rules[i];
            const bool for_all = rule.tests.begin == rule.tests.end;
            translated = translated || acts<action::Translate>(rule);
            if (!ends_always(rule)) continue;
            for (std::uint32_t k = i + 1; k < chain.rules.end && pairs_left > 0; k++) {
                pairs_left--;
                const Rule& later = program_.rules[k];
                translated = translated || acts<action::Translate>(later);
                if (told[k - chain.rules.begin] || (translated && !for_all)) continue;
                if (!covers(rule, later)) continue;
                told[k - chain.rules.begin] = true;
                warn(k, "never reached: rule '" + rule.name + "' ends for all " +
                            (for_all ? "packets" : "these packets"));
                if (for_all) break; // it is said of the first only
            }
            if (for_all) break;
        }
    }
}

const test::Address* Review::plain_address(std::uint32_t number) const {
    const auto* address = std::get_if<test::Address>(&program_.tests[number].condition);
    const bool plain = address != nullptr && !program_.tests[number].inverted && !address->inner;
    return plain ? address : nullptr;
}

// Whether one of them holds all of `narrow`. `left`: how many may be compared.
bool any_holds(const std::vector<Prefix>& prefixes, const Prefix& narrow, std::size_t& left) {
    return std::ranges::any_of(prefixes, [&](const Prefix& prefix) {
        if (left == 0) return false;
        left--;
        return prefix.length <= narrow.length && prefix.contains(narrow.address);
    });
}

// Whether the tests of the earlier profile are about outer addresses only, and hold for all packets
// of the later one.
// `left`: prefixes that may be compared; without any the answer is no.
bool Review::takes_all_of(const Profile& earlier, const Profile& later, std::size_t& left) const {
    const auto holds_all = [&left](const test::Address& wide, const test::Address& narrow) {
        return wide.end == narrow.end && std::ranges::all_of(narrow.prefixes, [&](const auto& one) {
                   return any_holds(wide.prefixes, one, left);
               });
    };
    for (std::uint32_t i = earlier.tests.begin; i < earlier.tests.end; i++) {
        const test::Address* wide = plain_address(i);
        bool covered = false;
        for (std::uint32_t k = later.tests.begin; k < later.tests.end && !covered; k++) {
            const test::Address* narrow = plain_address(k);
            covered = wide != nullptr && narrow != nullptr && holds_all(*wide, *narrow);
        }
        if (!covered) return false;
    }
    return true;
}

// Whether profiles before this one that look at nothing but one address share its packets out.
bool Review::taken_together(std::size_t number, std::size_t& left) const {
    const auto taken_before = [&](End end, const Prefix& prefix) {
        for (std::size_t i = 0; i < number; i++) {
            const Slice tests = program_.profiles[i].tests;
            if (tests.end != tests.begin + 1) continue;
            const test::Address* address = plain_address(tests.begin);
            if (address != nullptr && address->end == end &&
                any_holds(address->prefixes, prefix, left))
                return true;
        }
        return false;
    };
    const Slice tests = program_.profiles[number].tests;
    for (std::uint32_t i = tests.begin; i < tests.end; i++) {
        const test::Address* address = plain_address(i);
        if (address == nullptr) continue;
        const auto is_taken = [&](const Prefix& one) { return taken_before(address->end, one); };
        if (std::ranges::all_of(address->prefixes, is_taken)) return true;
    }
    return false;
}

void Review::unreachable_profiles() {
    std::size_t pairs_left = most_pairs;
    for (std::size_t i = 1; i < program_.profiles.size(); i++) {
        const Profile& later = program_.profiles[i];
        const auto end = program_.profiles.begin() + static_cast<std::ptrdiff_t>(i);
        const auto taker = std::find_if(program_.profiles.begin(), end, [&](const Profile& one) {
            return takes_all_of(one, later, pairs_left);
        });
        if (taker == end) {
            if (taken_together(i, pairs_left))
                findings_.warn(build_.profiles[i], "profile '" + later.name +
                                                       "' is never chosen: profiles before it "
                                                       "take all its packets together");
            continue;
        }
        const bool all = taker->tests.begin == taker->tests.end;
        findings_.warn(build_.profiles[i],
                       "profile '" + later.name + "' is never chosen: profile '" + taker->name +
                           "' before it takes all " + (all ? "packets" : "its packets"));
        if (all) return;
    }
}

void Review::authentication() {
    for (std::uint32_t i = 0; i < program_.rules.size(); i++) {
        if (!acts<action::TcpAuth>(program_.rules[i])) continue;
        const bool dropped = std::ranges::any_of(program_.rules, [&](const Rule& rule) {
            const auto* verdict = asks<test::Verdict>(rule.tests, false);
            return verdict != nullptr && verdict->algorithm == Algorithm::tcpauth &&
                   (verdict->any & outcome::invalid) != 0 && acts<action::Drop>(rule);
        });
        if (dropped) continue;
        warn(i, "'tcpauth' drops nothing by itself: a rule with "
                "{ verdict = { tcpauth = \"invalid\" } } has to");
    }
}

void Review::link_layer() {
    for (std::uint32_t i = 0; i < program_.rules.size(); i++) {
        const Rule& rule = program_.rules[i];
        bool asks = false;
        for (const Slice tests : {rule.tests, program_.profiles[rule.profile].tests})
            for (std::uint32_t t = tests.begin; t < tests.end; t++)
                asks = asks || asks_link(program_.tests[t].condition);
        for (std::uint32_t a = rule.actions.begin; a < rule.actions.end; a++)
            asks = asks || asks_link(program_.actions[a]);
        if (asks) warn(i, "queues show a link layer on a bridge only: elsewhere this never holds");
    }
}

void Review::translation() {
    for (std::uint32_t i = 0; i < program_.rules.size(); i++) {
        const Slice actions = program_.rules[i].actions;
        for (std::uint32_t a = actions.begin; a < actions.end; a++) {
            const auto* how = std::get_if<action::Translate>(&program_.actions[a]);
            if (how != nullptr && how->end == End::destination)
                warn(i, "the kernel does not route again behind a queue in FORWARD or INPUT: "
                        "'dnat' needs one in PREROUTING");
        }
    }
}

void Review::run() {
    marks();
    algorithms();
    order();
    counters_and_sets();
    geoip();
    unreachable_rules();
    unreachable_profiles();
    authentication();
    link_layer();
    translation();
}

} // namespace

void review(const Program& program, const Build& build,
            const std::map<std::uint32_t, Place>& places) {
    Review(program, build, places).run();
}

} // namespace nfqws2::rules
