// What is known of a file once all of it is read.
#include "compiler.hpp"

#include <algorithm>
#include <utility>

namespace nfqws2::rules {

// Depth first, without recursion: a chain that is on the way already is a cycle.
void Compiler::find_cycles() {
    const Program& program = *program_;
    const auto targets = [&](std::uint32_t chain) {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> out; // chain, rule
        const Slice rules = program.chains[chain].rules;
        for (std::uint32_t r = rules.begin; r < rules.end; r++) {
            const Slice actions = program.rules[r].actions;
            if (actions.begin == actions.end) continue;
            if (const auto* go = std::get_if<action::Goto>(&program.actions[actions.end - 1]))
                out.emplace_back(go->chain, r);
        }
        return out;
    };
    enum class State : std::uint8_t { fresh, open, done };
    std::vector<State> states(program.chains.size(), State::fresh);
    struct Step {
        std::uint32_t chain;
        std::vector<std::pair<std::uint32_t, std::uint32_t>> left;
    };
    for (std::uint32_t start = 0; start < states.size(); start++) {
        if (states[start] != State::fresh) continue;
        states[start] = State::open;
        std::vector<Step> way{{start, targets(start)}};
        while (!way.empty()) {
            if (way.back().left.empty()) {
                states[way.back().chain] = State::done;
                way.pop_back();
                continue;
            }
            const auto [chain, rule] = way.back().left.back();
            way.back().left.pop_back();
            if (states[chain] == State::open) {
                findings_.where = "rule '" + program.rules[rule].name + "'";
                findings_.error(places_[rule], "'goto' leads round in a circle, by chain '" +
                                                   program.chains[chain].name + "'");
                findings_.where.clear();
            } else if (states[chain] == State::fresh) {
                states[chain] = State::open;
                way.push_back({chain, targets(chain)});
            }
        }
    }
}

// Without one no address has a country, and `not geoip` would drop everything.
void Compiler::need_databases() {
    const Program& program = *program_;
    if (!program.geoip_files.empty()) return;
    const auto asks = [&](Slice tests) {
        const Test* from = program.tests.data();
        return std::any_of(from + tests.begin, from + tests.end, [](const Test& test) {
            return std::holds_alternative<test::Geo>(test.condition);
        });
    };
    const char* const text = "'geoip' needs a database: the file has no [geoip]";
    for (std::uint32_t i = 0; i < program.profiles.size(); i++)
        if (asks(program.profiles[i].tests)) return findings_.error(build_.profiles[i], text);
    for (std::uint32_t i = 0; i < program.rules.size(); i++) {
        if (!asks(program.rules[i].tests)) continue;
        findings_.where = "rule '" + program.rules[i].name + "'";
        findings_.error(places_[i], text);
        findings_.where.clear();
        return;
    }
}

// With its defaults, as far as it has them. What is wrong there harms nobody yet.
void Compiler::check_preset(const std::string& name, const Preset& preset) {
    Findings aside = findings_;
    Program program;
    Build build{program, Values(aside), {}, {}, {}, {}, {}, {}, {}};
    Names names;
    names.any = true;
    const std::vector<Node> rules = presets_.expand(build.values, preset, preset.at, nullptr);
    if (rules.empty()) return;
    for (const Node& rule : rules) {
        const auto keys = read_rule_keys(build.values, rule);
        if (!keys) continue;
        std::vector<Test> tests;
        std::vector<Action> actions;
        read_tests_and_actions(build, names, rule, *keys, tests, actions);
    }
    findings_.where = "preset '" + name + "'";
    for (const Findings::Positioned& one : aside.positioned())
        findings_.warn(one.at, one.text);
    findings_.where.clear();
}

void Compiler::check_unused_presets() {
    for (const auto& [name, preset] : presets_.all())
        if (!used_presets_.contains(name)) check_preset(name, preset);
}

// Only sets that a match asks for are built, and their values kept only where one asks for those.
void Compiler::note_used_sets() {
    Program& program = *program_;
    const auto note = [&](Slice tests, std::uint32_t profile) {
        SetView& view = program.views[program.profiles[profile].view];
        for (std::uint32_t i = tests.begin; i < tests.end; i++)
            if (const auto* set = std::get_if<test::Set>(&program.tests[i].condition)) {
                view.used |= std::uint64_t{1} << set->set;
                if (set->value) program.sets[view.sets[set->set]].with_values = true;
            }
    };
    for (std::uint32_t i = 0; i < program.profiles.size(); i++)
        note(program.profiles[i].tests, i);
    for (const Rule& rule : program.rules)
        note(rule.tests, rule.profile);
}

// Of a merged packet the length says nothing of those that came, and it may be too long to change.
void Compiler::note_pieces() {
    const auto measures = [](const Test& test) {
        const auto* length = std::get_if<test::Length>(&test.condition);
        return length != nullptr && length->element != Element::header;
    };
    const auto translates = [](const Action& action) {
        return std::holds_alternative<action::Translate>(action);
    };
    program_->needs_pieces = std::ranges::any_of(program_->tests, measures) ||
                             std::ranges::any_of(program_->actions, translates);
}

void Compiler::note_link() {
    const auto test_asks = [](const Test& test) { return asks_link(test.condition); };
    const auto action_asks = [](const Action& action) { return asks_link(action); };
    program_->asks_link = std::ranges::any_of(program_->tests, test_asks) ||
                          std::ranges::any_of(program_->actions, action_asks);
}

Compiled Compiler::finish() {
    Compiled out;
    out.errors = findings_.errors();
    out.warnings = findings_.warnings();
    out.files = files_;
    out.data_files = out.databases = program_->geoip_files;
    for (const PrefixSet& set : program_->sets)
        if (!set.file.empty()) out.data_files.push_back(set.file);
    for (const auto& [name, preset] : presets_.all())
        out.presets.push_back(name + ": " + preset.file);
    for (const Findings::Positioned& one : findings_.positioned())
        out.positioned.push_back({one.at.line, one.at.column, one.text});
    out.asks_connection = program_->asks_connection;
    for (const Action& action : program_->actions)
        if (const auto* how = std::get_if<action::Switch>(&action); how != nullptr && how->on)
            (how->capture ? out.captures : out.exports) = true;
    if (!findings_.failed()) out.program = program_;
    return out;
}

} // namespace nfqws2::rules
