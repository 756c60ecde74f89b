#include "presets.hpp"

namespace nfqws2::rules {
namespace {

// A long text is as much as the nodes that would fit in its place.
std::size_t weight(const Node& node) {
    std::size_t sum = 1 + node.text.size() / sizeof(Node);
    for (const Node& item : node.items)
        sum += weight(item);
    for (const Member& member : node.members)
        sum += weight(member.value);
    return sum;
}

// False: there is none (said).
bool take_room(const Values& values, std::size_t& room, const Node& node, Place at) {
    const std::size_t needed = weight(node);
    if (needed > room) {
        values.findings().error(at, "presets become too large");
        room = 0;
        return false;
    }
    room -= needed;
    return true;
}

// False: a parameter has no value, or there is no room (said).
bool substitute(const Values& values, Node& node, const Node& given, const Node& defaults,
                std::size_t& room) {
    if (values.findings().full()) return false;
    bool good = true;
    if (node.is(Node::Kind::text) && node.text.starts_with('$')) {
        const std::string_view name = std::string_view(node.text).substr(1);
        const Member* value = given.find(name);
        if (value == nullptr) value = defaults.find(name);
        if (value == nullptr) {
            values.findings().error(node.at,
                                    "the parameter '" + std::string(name) + "' has no value");
            return false;
        }
        const Place at = node.at;
        if (!take_room(values, room, value->value, at)) return false;
        node = value->value;
        if (given.find(name) == nullptr) node.at = at;
        return true;
    }
    for (Node& item : node.items)
        good = substitute(values, item, given, defaults, room) && good;
    for (Member& member : node.members)
        good = substitute(values, member.value, given, defaults, room) && good;
    return good;
}

} // namespace

void Presets::add(const Values& values, const Member& member, const std::string& file) {
    Findings& findings = values.findings();
    const Node& node = member.value;
    if (!is_name(member.key)) {
        findings.error(member.at, "'" + member.key + "' is no name for a preset");
        return;
    }
    if (!node.is(Node::Kind::table)) {
        values.wrong_kind(node, "a table");
        return;
    }
    if (presets_.contains(member.key)) {
        findings.error(member.at, "there is a preset '" + member.key + "' already");
        return;
    }
    Members members(values, node, "a preset");
    const Node* comment = members.take("comment");
    const Node* params = members.take("params");
    const Node* rules = members.need("rule");
    members.finish();
    if (comment != nullptr) (void)values.text(*comment);
    Preset preset;
    preset.file = file;
    preset.at = member.at;
    if (params != nullptr && !params->is(Node::Kind::table)) {
        values.wrong_kind(*params, "a table");
        return;
    }
    if (params != nullptr) preset.params = *params;
    if (rules == nullptr) return;
    if (!rules->is(Node::Kind::array)) {
        values.wrong_kind(*rules, "an array of tables");
        return;
    }
    for (const Node& rule : rules->items) {
        const Member* nested = rule.find("preset");
        if (nested == nullptr) continue;
        findings.error(nested->at, "a preset inside of a preset");
        return;
    }
    preset.rules = rules->items;
    presets_.emplace(member.key, std::move(preset));
}

const Preset* Presets::find(std::string_view name) const {
    const auto found = presets_.find(name);
    return found != presets_.end() ? &found->second : nullptr;
}

std::vector<std::string_view> Presets::names() const {
    std::vector<std::string_view> names;
    for (const auto& [name, preset] : presets_)
        names.push_back(name);
    return names;
}

std::vector<Node> Presets::expand(const Values& values, const Preset& preset, Place use,
                                  const Node* params) {
    static const Node nothing;
    const Node& given = params != nullptr ? *params : nothing;
    std::vector<std::string_view> known;
    for (const Member& member : preset.params.members)
        known.push_back(member.key);
    bool good = true;
    for (const Member& member : given.members) {
        if (preset.params.find(member.key) != nullptr) continue;
        values.unknown_word(member.at, member.key, "parameter", known);
        good = false;
    }
    for (const Node& rule : preset.rules)
        if (!take_room(values, room_, rule, use)) return {};
    std::vector<Node> rules = preset.rules;
    for (Node& rule : rules) {
        good = substitute(values, rule, given, preset.params, room_) && good;
        rule.at = use;
    }
    return good ? rules : std::vector<Node>();
}

} // namespace nfqws2::rules
