#include "read_action.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::rules::act {

namespace {

constexpr Word level_words[] = {{"L3-L4", 1}, {"L3-L7", 0}};

} // namespace

Got read_level(const Context& c, const Node& node) {
    const auto level = c.values.word(node, level_words, "level");
    if (!level) return std::nullopt;
    return action::SetLevel{*level != 0};
}

namespace {

// "01:23:45:67:89:ab"
std::optional<std::array<std::uint8_t, 6>> read_hardware_address(const Context& c,
                                                                 const Node& node) {
    const auto parts =
        node.is(Node::Kind::text) ? split(node.text, ':') : std::vector<std::string_view>();
    std::array<std::uint8_t, 6> out{};
    bool good = parts.size() == out.size();
    for (std::size_t i = 0; good && i < out.size(); i++) {
        const auto byte = from_hex(parts[i]);
        good = byte && byte->size() == 1;
        if (good) out[i] = byte->front();
    }
    if (good) return out;
    c.values.findings().error(node.at, "a hardware address such as 02:00:5e:10:00:00 is needed "
                                       "here");
    return std::nullopt;
}

} // namespace

Got read_pass(const Context& c, const Node& node) {
    static constexpr Word targets[] = {{"os", 0}, {"uh", 1}};
    Members members(c.values, node, "'pass'");
    const Node* to = members.need("to");
    const Node* level = members.take("level");
    const Node* vid = members.take("vid");
    const Node* mac = members.take("mac");
    members.finish();
    const auto target = to != nullptr ? c.values.word(*to, targets, "way") : std::nullopt;
    if (!target) return std::nullopt;
    action::Pass out;
    out.pipeline = *target != 0;
    if (level != nullptr) {
        const auto word = c.values.word(*level, level_words, "level");
        if (!word) return std::nullopt;
        out.shallow = *word != 0;
        if (!out.pipeline) {
            c.values.findings().error(level->at, "'level' goes with to = \"uh\"");
            return std::nullopt;
        }
    } else if (out.pipeline) {
        c.values.findings().error(node.at, "to = \"uh\" needs 'level'");
        return std::nullopt;
    }
    if (vid != nullptr) {
        const auto number = c.values.number(*vid, {0, 4095});
        if (!number) return std::nullopt;
        out.vlan = static_cast<std::uint16_t>(*number);
    }
    if (mac != nullptr) {
        out.mac = read_hardware_address(c, *mac);
        if (!out.mac) return std::nullopt;
    }
    return out;
}

Got read_goto(const Context& c, const Node& node) {
    const auto name = c.values.text(node);
    if (!name) return std::nullopt;
    const auto found = c.names.chains.find(*name);
    if (found != c.names.chains.end()) return action::Goto{found->second};
    if (c.names.any) return action::Goto{};
    std::vector<std::string_view> known;
    for (const auto& [known_name, index] : c.names.chains)
        known.push_back(known_name);
    c.values.unknown_word(node.at, *name, "chain", known);
    return std::nullopt;
}

Got read_verdict(const Context& c, const Node& node) {
    if (node.is(Node::Kind::text)) {
        static constexpr Word clear[] = {{"clear", 0}};
        if (!c.values.word(node, clear, "operation")) return std::nullopt;
        return action::SetVerdict{};
    }
    if (!node.is(Node::Kind::table)) {
        c.values.wrong_kind(node, "\"clear\" or a table");
        return std::nullopt;
    }
    static constexpr Word operations[] = {{"clear", 0}, {"set", 1}};
    Members members(c.values, node, "'verdict'");
    const Node* op = members.need("op");
    action::SetVerdict out;
    const Node* value = nullptr;
    std::size_t named = 0;
    for (const Word& word : algorithm_words()) {
        const Node* of_this = members.take(word.name);
        if (of_this == nullptr) continue;
        named++;
        value = of_this;
        out.algorithm = static_cast<Algorithm>(word.value);
    }
    members.finish();
    const auto operation =
        op != nullptr ? c.values.word(*op, operations, "operation") : std::nullopt;
    if (!operation) return std::nullopt;
    const bool sets = operation == 1U;
    if (named != (sets ? 1U : 0U)) {
        c.values.findings().error(node.at, sets ? "\"set\" needs the value of one of rate, "
                                                  "ratelimit, sample and tcpauth"
                                                : "\"clear\" takes no value");
        return std::nullopt;
    }
    if (value == nullptr) return out;
    const auto word =
        c.values.word(*value, outcome_words(out.algorithm), "value of this algorithm");
    if (!word) return std::nullopt;
    out.value = static_cast<std::uint8_t>(*word);
    c.build.note_algorithm(out.algorithm, node.at, true);
    return out;
}

Got read_switch(const Context& c, const Node& node) {
    static constexpr Word states[] = {{"off", 0}, {"on", 1}};
    const auto state = c.values.word(node, states, "state");
    if (!state) return std::nullopt;
    const bool capture = c.word == "capture";
    c.build.captures.try_emplace(capture ? 1U : 0U, node.at);
    return action::Switch{capture, *state != 0};
}

Got read_translate(const Context& c, const Node& node) {
    const auto prefixes = c.values.prefixes(node);
    if (!prefixes) return std::nullopt;
    action::Translate out;
    out.end = c.word == "snat" ? End::source : End::destination;
    for (const Prefix& prefix : *prefixes) {
        auto& family = prefix.address.version == 4 ? out.v4 : out.v6;
        if (family) {
            c.values.findings().error(node.at, "more than one prefix of one family");
            return std::nullopt;
        }
        family = prefix;
    }
    return out;
}

} // namespace nfqws2::rules::act
