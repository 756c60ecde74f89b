#include "read_match.hpp"

#include <utility>

namespace nfqws2::rules::match {

namespace {

// `left` names members of the mask `right`.
std::optional<std::pair<std::uint32_t, std::uint32_t>>
read_masked(const Context& c, const Node& node, const char* left, const char* right, Words words,
            const char* what, std::optional<std::uint32_t> default_mask) {
    Members members(c.values, node, "'" + std::string(c.word) + "'");
    const Node* set = members.need(left);
    const Node* mask = default_mask ? members.take(right) : members.need(right);
    members.finish();
    if (set == nullptr || (mask == nullptr && !default_mask)) return std::nullopt;
    const auto set_bits = c.values.word_bits(*set, words, what);
    const auto mask_bits = mask != nullptr ? c.values.word_bits(*mask, words, what) : default_mask;
    if (!set_bits || !mask_bits) return std::nullopt;
    if ((*set_bits & ~*mask_bits) != 0) {
        c.values.findings().error(set->at, std::string("'") + left + "' names what '" + right +
                                               "' does not: it would never hold");
        return std::nullopt;
    }
    return std::pair(*set_bits, *mask_bits);
}

} // namespace

Got read_flags(const Context& c, const Node& node) {
    const auto got = read_masked(c, node, "flags", "mask", tcp_flag_words(), "TCP flag", 0xFF);
    if (!got) return std::nullopt;
    return test::Flags{static_cast<std::uint8_t>(got->first),
                       static_cast<std::uint8_t>(got->second)};
}

namespace {

// Option names in any case.
Node in_capitals(const Node& node) {
    Node copy = node;
    for (char& letter : copy.text)
        if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
    for (Node& item : copy.items)
        item = in_capitals(item);
    for (Member& member : copy.members)
        member.value = in_capitals(member.value);
    return copy;
}

} // namespace

Got read_options(const Context& c, const Node& node) {
    const auto got = read_masked(c, in_capitals(node), "set", "mask", tcp_option_words(),
                                 "TCP option", std::nullopt);
    if (!got) return std::nullopt;
    return test::Options{static_cast<std::uint16_t>(got->first),
                         static_cast<std::uint16_t>(got->second)};
}

Got read_mss(const Context& c, const Node& node) {
    const auto range = c.values.range(node, {1, 65535});
    if (!range) return std::nullopt;
    return test::Mss{*range};
}

Got read_window_scale(const Context& c, const Node& node) {
    const auto range = c.values.range(node, {0, 255});
    if (!range) return std::nullopt;
    return test::WindowScale{*range};
}

namespace {

// A type by word or number; `code` is set by words that stand for a type with a code.
bool read_icmp_type(const Context& c, const Node& node, test::Icmp& out) {
    if (node.is(Node::Kind::integer)) {
        const auto number = c.values.number(node, {0, 255});
        if (number) out.types.push_back(static_cast<std::uint8_t>(*number));
        return number.has_value();
    }
    if (out.protocol != 1) {
        const auto value = c.values.word(node, icmp6_words(), "ICMPv6 type");
        if (value) out.types.push_back(static_cast<std::uint8_t>(*value));
        return value.has_value();
    }
    const auto text = c.values.text(node);
    if (!text) return false;
    std::vector<std::string_view> known;
    for (const IcmpWord& word : icmp_words()) {
        known.push_back(word.name);
        if (word.name != *text) continue;
        out.types.push_back(word.type);
        if (word.code >= 0) out.code = static_cast<std::uint8_t>(word.code);
        return true;
    }
    c.values.unknown_word(node.at, *text, "ICMP type", known);
    return false;
}

bool read_icmp_code(const Context& c, const Node& node, test::Icmp& out) {
    if (out.types.size() != 1 || out.code) {
        c.values.findings().error(node.at, "a code needs one type");
        return false;
    }
    const Words words = out.protocol == 1 ? icmp_code_words(out.types.front()) : Words();
    if (node.is(Node::Kind::text) && !words.empty()) {
        const auto code = c.values.word(node, words, "code of this type");
        if (code) out.code = static_cast<std::uint8_t>(*code);
    } else if (const auto code = c.values.number(node, {0, 255})) {
        out.code = static_cast<std::uint8_t>(*code);
    }
    return out.code.has_value();
}

} // namespace

Got read_icmp(const Context& c, const Node& node) {
    test::Icmp out;
    out.protocol = c.word == "icmp" ? 1 : 58;
    Members members(c.values, node, "'" + std::string(c.word) + "'");
    const Node* type = members.need("type");
    const Node* code = members.take("code");
    members.finish();
    if (type == nullptr) return std::nullopt;
    bool good = true;
    for (const Node* item : Values::each(*type))
        good = read_icmp_type(c, *item, out) && good;
    if (good && out.types.empty()) {
        c.values.findings().error(type->at, "at least one type is needed here");
        good = false;
    }
    if (good && out.code && out.types.size() > 1) {
        c.values.findings().error(type->at, "'ttl' and 'defrag' stand alone: they name a code");
        good = false;
    }
    if (!good || (code != nullptr && !read_icmp_code(c, *code, out))) return std::nullopt;
    return out;
}

} // namespace nfqws2::rules::match
