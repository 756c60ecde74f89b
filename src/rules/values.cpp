#include "values.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <charconv>

namespace nfqws2::rules {
namespace {

constexpr std::int64_t ns_per_ms = 1'000'000;
constexpr std::int64_t longest_ms = 100LL * 366 * 86'400 * 1000; // a hundred years

std::string bounds_text(Bounds bounds) {
    return std::to_string(bounds.least) + ".." + std::to_string(bounds.most);
}

} // namespace

bool is_name(std::string_view text) {
    constexpr std::string_view more = "_.-";
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [&](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               more.find(c) != std::string_view::npos;
    });
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    if (!text.starts_with("0x") && !text.starts_with("0X")) return parse_uint(text);
    text.remove_prefix(2);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::vector<const Node*> Values::each(const Node& node) {
    std::vector<const Node*> items;
    if (!node.is(Node::Kind::array)) return {&node};
    for (const Node& item : node.items)
        items.push_back(&item);
    return items;
}

void Values::wrong_kind(const Node& node, const char* wanted) const {
    findings_.error(node.at, std::string(wanted) + " is needed here, not " + kind_name(node.kind));
}

void Values::unknown_word(Place at, std::string_view word, const char* what,
                          const std::vector<std::string_view>& known) const {
    constexpr std::size_t most_listed = 40;
    std::string hint = did_you_mean(word, known);
    if (hint.empty() && !known.empty() && known.size() <= most_listed) {
        hint = "; known:";
        for (const std::string_view one : known)
            hint += " " + std::string(one);
    }
    findings_.error(at, std::string("unknown ") + what + " '" + std::string(word) + "'" + hint);
}

std::optional<std::uint64_t> Values::number(const Node& node, Bounds bounds) const {
    std::optional<std::uint64_t> value;
    if (node.is(Node::Kind::integer)) {
        if (node.integer >= 0) value = static_cast<std::uint64_t>(node.integer);
    } else if (node.is(Node::Kind::text)) {
        value = parse_number(node.text);
    } else {
        wrong_kind(node, "a number");
        return std::nullopt;
    }
    if (value && *value >= bounds.least && *value <= bounds.most) return value;
    findings_.error(node.at, "a number " + bounds_text(bounds) + " is needed here");
    return std::nullopt;
}

std::optional<Range32> Values::range(const Node& node, Bounds bounds) const {
    const std::size_t dash = node.is(Node::Kind::text) ? node.text.find('-') : std::string::npos;
    if (dash == std::string::npos) {
        const auto one = number(node, bounds);
        if (!one) return std::nullopt;
        return Range32{static_cast<std::uint32_t>(*one), static_cast<std::uint32_t>(*one)};
    }
    const auto low = parse_number(std::string_view(node.text).substr(0, dash));
    const auto high = parse_number(std::string_view(node.text).substr(dash + 1));
    if (!low || !high || *low < bounds.least || *high > bounds.most || *low > *high) {
        findings_.error(node.at, "a number or a range A-B, A <= B, of " + bounds_text(bounds) +
                                     " is needed here");
        return std::nullopt;
    }
    return Range32{static_cast<std::uint32_t>(*low), static_cast<std::uint32_t>(*high)};
}

std::optional<std::int64_t> Values::duration_text(const Node& node, std::string_view text) const {
    static constexpr struct {
        std::string_view name;
        std::int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto value = parse_uint(text.substr(0, digits));
    const std::string_view unit = text.substr(digits);
    for (const auto& known : units)
        if (value && (unit == known.name || (unit.empty() && known.name == "s")) &&
            *value <= static_cast<std::uint64_t>(longest_ms / known.ms))
            return static_cast<std::int64_t>(*value) * known.ms * ns_per_ms;
    findings_.error(node.at, "'" + std::string(text) +
                                 "' is no duration: seconds, or text such as 500ms, 30s, 5m, 2h, "
                                 "1d");
    return std::nullopt;
}

std::optional<std::int64_t> Values::duration(const Node& node) const {
    if (node.is(Node::Kind::integer)) return duration_text(node, std::to_string(node.integer));
    if (node.is(Node::Kind::text)) return duration_text(node, node.text);
    wrong_kind(node, "a duration");
    return std::nullopt;
}

std::optional<Range<std::int64_t>> Values::duration_range(const Node& node) const {
    const std::size_t dash = node.is(Node::Kind::text) ? node.text.find('-') : std::string::npos;
    if (dash == std::string::npos) {
        findings_.error(node.at, "two durations, such as \"5m-10m\", are needed here");
        return std::nullopt;
    }
    const auto low = duration_text(node, std::string_view(node.text).substr(0, dash));
    const auto high = duration_text(node, std::string_view(node.text).substr(dash + 1));
    if (!low || !high) return std::nullopt;
    if (*low > *high) {
        findings_.error(node.at, "the first duration is longer than the second");
        return std::nullopt;
    }
    return Range<std::int64_t>{*low, *high};
}

std::optional<std::uint64_t> Values::rate(const Node& node) const {
    constexpr std::uint64_t most = 1'000'000'000'000;
    if (!node.is(Node::Kind::text)) return number(node, {1, most});
    std::string_view text = node.text;
    std::uint64_t unit = 1;
    if (text.ends_with('k')) unit = 1000;
    if (text.ends_with('M')) unit = 1'000'000;
    if (text.ends_with('G')) unit = 1'000'000'000;
    if (unit != 1) text.remove_suffix(1);
    const auto value = parse_number(text);
    if (value && *value >= 1 && *value <= most / unit) return *value * unit;
    findings_.error(node.at, "'" + node.text + "' is no rate: 1.." + std::to_string(most) +
                                 ", or text with k, M or G");
    return std::nullopt;
}

std::optional<Prefix> Values::prefix(const Node& node) const {
    if (!node.is(Node::Kind::text)) {
        wrong_kind(node, "an address or prefix");
        return std::nullopt;
    }
    const auto prefix = Prefix::parse(node.text);
    if (!prefix)
        findings_.error(node.at, "'" + node.text + "' is no address or prefix");
    else if (prefix->host_bits)
        findings_.error(node.at, "'" + node.text + "' has host bits, the network is " +
                                     prefix->address.text() + "/" + std::to_string(prefix->length));
    return prefix && prefix->host_bits ? std::nullopt : prefix;
}

std::optional<std::vector<Prefix>> Values::prefixes(const Node& node) const {
    std::vector<Prefix> all;
    bool good = true;
    for (const Node* item : each(node)) {
        const auto one = prefix(*item);
        if (one) all.push_back(*one);
        good = good && one;
    }
    if (good && all.empty()) findings_.error(node.at, "at least one prefix is needed here");
    if (!good || all.empty()) return std::nullopt;
    return all;
}

std::optional<std::uint32_t> Values::word(const Node& node, Words words, const char* what) const {
    if (!node.is(Node::Kind::text)) {
        wrong_kind(node, "text");
        return std::nullopt;
    }
    const auto value = find_word(words, node.text);
    if (!value) unknown_word(node.at, node.text, what, names_of(words));
    return value;
}

std::optional<std::uint32_t> Values::word_bits(const Node& node, Words words,
                                               const char* what) const {
    std::uint32_t bits = 0;
    bool good = true;
    for (const Node* item : each(node)) {
        const auto one = word(*item, words, what);
        if (one) bits |= *one;
        good = good && one;
    }
    return good ? std::optional(bits) : std::nullopt;
}

std::optional<std::string> Values::text(const Node& node) const {
    if (node.is(Node::Kind::text)) return node.text;
    wrong_kind(node, "text");
    return std::nullopt;
}

std::optional<bool> Values::boolean(const Node& node) const {
    if (node.is(Node::Kind::boolean)) return node.integer != 0;
    wrong_kind(node, "true or false");
    return std::nullopt;
}

std::optional<std::string> Values::name(const Node& node) const {
    if (node.is(Node::Kind::text) && is_name(node.text)) return node.text;
    findings_.error(node.at, "a name of 1 to 64 letters, digits, '_', '.' and '-' is needed here");
    return std::nullopt;
}

Members::Members(const Values& values, const Node& table, std::string what)
    : values_(values), table_(table), what_(std::move(what)) {
}

const Node* Members::take(std::string_view key) {
    known_.push_back(key);
    const Member* member = table_.find(key);
    return member != nullptr ? &member->value : nullptr;
}

const Node* Members::need(std::string_view key) {
    const Node* node = take(key);
    if (node == nullptr)
        values_.findings().error(table_.at, what_ + " needs '" + std::string(key) + "'");
    return node;
}

void Members::finish() {
    for (const Member& member : table_.members)
        if (std::ranges::find(known_, std::string_view(member.key)) == known_.end())
            values_.findings().error(member.at, "unknown key '" + member.key + "' of " + what_ +
                                                    did_you_mean(member.key, known_));
}

} // namespace nfqws2::rules
