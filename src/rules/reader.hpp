// Reads matches and actions of one profile into a program. Each word of the language has one
// function in read_match.cpp or read_action.cpp, found by a table there.
#pragma once

#include "values.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::rules {

// What a rule may name beside the words of the language.
struct Names {
    // Of the profile's view, with their index there. Local ones may hide global ones.
    std::map<std::string, std::uint32_t, std::less<>> local_sets, global_sets;
    std::map<std::string, std::uint32_t, std::less<>> chains; // of the profile
    bool any = false; // what is read is part of no profile: each name may be one
};

// Collects what the parts of a file have in common.
struct Build {
    Program& program;
    Values values;
    std::map<std::string, std::uint32_t, std::less<>> counters;
    // Where something was first used: for messages about the file as a whole.
    struct Seen {
        Place at;
        bool set = false, asked = false;
    };
    std::map<std::uint32_t, Seen> marks;       // kind << 8 | id
    std::map<Algorithm, Seen> algorithms;      // whose verdicts
    std::map<std::uint32_t, Place> captures;   // 1: capture, 0: export
    std::vector<Place> sets, profiles, chains; // as the program numbers them

    void note_mark(MarkKind kind, std::uint8_t id, Place at, bool set) {
        Seen& seen =
            marks.try_emplace(static_cast<std::uint32_t>(kind) << 8 | id, Seen{at}).first->second;
        (set ? seen.set : seen.asked) = true;
    }
    void note_algorithm(Algorithm algorithm, Place at, bool set) {
        Seen& seen = algorithms.try_emplace(algorithm, Seen{at}).first->second;
        (set ? seen.set : seen.asked) = true;
    }
};

// Each adds to the program; false if something was wrong (and said).
bool read_matches(Build& build, const Names& names, const Node& list, std::vector<Test>& tests);
bool read_actions(Build& build, const Names& names, const Node& list, std::vector<Action>& actions);

// The members of a rule; what it does not have is nullptr.
struct RuleKeys {
    const Node *name = nullptr, *enabled = nullptr;
    const Node *preset = nullptr, *params = nullptr; // or
    const Node *match = nullptr, *action = nullptr;
};
// nullopt: no table (said). Unknown members are said.
std::optional<RuleKeys> read_rule_keys(const Values& values, const Node& node);
// Of a rule that is no use of a preset; what is wrong is said.
void read_tests_and_actions(Build& build, const Names& names, const Node& rule,
                            const RuleKeys& keys, std::vector<Test>& tests,
                            std::vector<Action>& actions);

// All words, for documentation tests and completion.
std::vector<std::string_view> match_words();
std::vector<std::string_view> action_words();

} // namespace nfqws2::rules
