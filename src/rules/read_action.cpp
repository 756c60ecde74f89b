#include "read_action.hpp"

#include <algorithm>
#include <utility>

namespace nfqws2::rules {
namespace {

enum class Takes : std::uint8_t { nothing, plain, table, either };
struct ActionWord {
    std::string_view name;
    Takes takes;
    bool terminal;
    act::Got (*read)(const act::Context& c, const Node& node);
};
constexpr ActionWord words[] = {
    {"accept", Takes::nothing, true, act::read_bare<action::Accept>},
    {"capture", Takes::plain, false, act::read_switch},
    {"connmark", Takes::table, false, act::read_stored_mark},
    {"dhmark", Takes::table, false, act::read_stored_mark},
    {"dnat", Takes::plain, false, act::read_translate},
    {"drop", Takes::nothing, true, act::read_bare<action::Drop>},
    {"export", Takes::plain, false, act::read_switch},
    {"goto", Takes::plain, true, act::read_goto},
    {"hmark", Takes::table, false, act::read_stored_mark},
    {"mark", Takes::table, false, act::read_local_mark},
    {"pass", Takes::table, true, act::read_pass},
    {"rate", Takes::table, false, act::read_rate},
    {"ratelimit", Takes::table, false, act::read_ratelimit},
    {"sample", Takes::table, false, act::read_sample},
    {"sdhmark", Takes::table, false, act::read_stored_mark},
    {"sdmark", Takes::table, false, act::read_stored_mark},
    {"snat", Takes::plain, false, act::read_translate},
    {"stats", Takes::plain, false, act::read_stats},
    {"tcpauth", Takes::table, false, act::read_tcpauth},
    {"uh", Takes::plain, false, act::read_level},
    {"verdict", Takes::either, false, act::read_verdict},
};

const ActionWord* find_action(const Values& values, Place at, std::string_view name) {
    const auto* found = std::ranges::find(words, name, &ActionWord::name);
    if (found != std::end(words)) return found;
    values.unknown_word(at, name, "action", action_words());
    return nullptr;
}

// False: said. An action without arguments is a string.
bool read_one(Build& build, const Names& names, const Node& node, std::vector<Action>& actions,
              bool& terminal) {
    const Values& values = build.values;
    const bool bare = node.is(Node::Kind::text);
    if (!bare && !(node.is(Node::Kind::table) && node.members.size() == 1)) {
        values.findings().error(node.at, "an action is text, or a table with one key, such as "
                                         "\"drop\" or { stats = \"NAME\" }");
        return false;
    }
    const Place at = bare ? node.at : node.members.front().at;
    const std::string& name = bare ? node.text : node.members.front().key;
    const ActionWord* word = find_action(values, at, name);
    if (word == nullptr) return false;
    terminal = word->terminal;
    if (bare != (word->takes == Takes::nothing)) {
        values.findings().error(
            at,
            "'" + name + (bare ? "' needs arguments" : "' takes no arguments: \"" + name + "\""));
        return false;
    }
    const Node& value = bare ? node : node.members.front().value;
    const bool table = value.is(Node::Kind::table);
    if (!bare && word->takes != Takes::either && table != (word->takes == Takes::table)) {
        values.wrong_kind(value,
                          word->takes == Takes::table ? "a table of arguments" : "a plain value");
        return false;
    }
    act::Got got = word->read({build, values, names, word->name}, value);
    if (!got) return false;
    actions.push_back(std::move(*got));
    return true;
}

} // namespace

std::vector<std::string_view> action_words() {
    std::vector<std::string_view> names;
    for (const ActionWord& word : words)
        names.push_back(word.name);
    return names;
}

bool read_actions(Build& build, const Names& names, const Node& list,
                  std::vector<Action>& actions) {
    if (!list.is(Node::Kind::array) || list.items.empty()) {
        build.values.findings().error(list.at, "an array of at least one action is needed here");
        return false;
    }
    bool good = true, ended = false;
    std::string last;
    for (const Node& item : list.items) {
        if (ended) {
            build.values.findings().error(item.at, "action behind '" + last + "' is never reached");
            return false;
        }
        bool terminal = false;
        good = read_one(build, names, item, actions, terminal) && good;
        ended = terminal;
        last = item.is(Node::Kind::text) || item.members.empty() ? item.text
                                                                 : item.members.front().key;
    }
    return good;
}

} // namespace nfqws2::rules
