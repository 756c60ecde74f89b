#include "nfqws2/profile/filters.hpp"

#include "nfqws2/base/text.hpp"

#include <charconv>
#include <optional>

namespace nfqws2::profile {

namespace {

constexpr std::size_t linear_limit = 8; // port items tested one by one before a bitmap pays
constexpr std::size_t bitmap_words = 65536 / 64;

// A decimal number at the front of `text`, which is advanced behind it. Leading blanks and one '+'
// are accepted as in all numbers of the command line.
std::optional<unsigned> take_number(std::string_view& text, unsigned max) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    if (!text.empty() && text.front() == '+') text.remove_prefix(1);
    std::size_t digits = 0;
    unsigned value = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
        value = value * 10 + static_cast<unsigned>(text[digits] - '0');
        if (value > max) return std::nullopt;
        ++digits;
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
    return value;
}

bool take(std::string_view& text, char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
}

} // namespace

std::optional<std::uint32_t> parse_mark_number(std::string_view text) {
    const bool is_hex = text.starts_with("0x") || text.starts_with("0X");
    std::uint32_t value = 0;
    if (is_hex) text.remove_prefix(2);
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, is_hex ? 16 : 10);
    if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

bool MarkFilter::set(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto mark = parse_mark_number(text.substr(0, slash));
    std::optional<std::uint32_t> mask = UINT32_MAX;
    if (slash != std::string_view::npos) mask = parse_mark_number(text.substr(slash + 1));
    if (!mark || !mask) return false;
    mark_ = *mark;
    mask_ = *mask;
    return true;
}

[[gnu::cold]] bool PortFilter::add(std::string_view list) {
    std::vector<Item> added;
    for (std::string_view text : split(list, ',')) {
        if (text == "*") {
            added.push_back({1, 65535, false});
            continue;
        }
        const bool negate = take(text, '~');
        const auto from = take_number(text, 65535);
        if (!from) return false;
        auto to = from;
        if (take(text, '-')) to = take_number(text, 65535);
        if (!to || !text.empty() || *from > *to) return false;
        added.push_back(
            {static_cast<std::uint16_t>(*from), static_cast<std::uint16_t>(*to), negate});
    }
    items_.insert(items_.end(), added.begin(), added.end());
    index();
    return true;
}

void PortFilter::add_nothing() {
    items_.push_back({0, 0, false});
    index();
}

void PortFilter::append(const PortFilter& other) {
    items_.insert(items_.end(), other.items_.begin(), other.items_.end());
    index();
}

bool PortFilter::matches(std::uint16_t port) const {
    if (items_.empty()) return true;
    if (bitmap_.empty()) return matches_items(port);
    return (bitmap_[port / 64] >> (port % 64) & 1) != 0;
}

bool PortFilter::matches_items(std::uint16_t port) const {
    if (port == 0) return false;
    for (const Item& item : items_) {
        if (item.to == 0) continue; // "0" matches nothing, inverted or not
        const bool inside = port >= item.from && port <= item.to;
        if (inside != item.negate) return true;
    }
    return false;
}

void PortFilter::index() {
    if (items_.size() <= linear_limit) return;
    bitmap_.assign(bitmap_words, 0);
    for (unsigned port = 1; port <= 65535; ++port)
        if (matches_items(static_cast<std::uint16_t>(port)))
            bitmap_[port / 64] |= std::uint64_t{1} << (port % 64);
}

[[gnu::cold]] bool IcmpFilter::add(std::string_view list) {
    std::vector<Item> added;
    for (std::string_view text : split(list, ',')) {
        if (text == "*" || text == "-") {
            added.push_back({text == "*" ? Kind::any : Kind::none, 0, 0});
            continue;
        }
        const auto type = take_number(text, 255);
        if (!type) return false;
        Item item{Kind::type, static_cast<std::uint8_t>(*type), 0};
        if (take(text, ':')) {
            const auto code = take_number(text, 255);
            if (!code) return false;
            item.kind = Kind::type_code;
            item.code = static_cast<std::uint8_t>(*code);
        }
        if (!text.empty()) return false;
        added.push_back(item);
    }
    items_.insert(items_.end(), added.begin(), added.end());
    return true;
}

void IcmpFilter::add_nothing() {
    items_.push_back({Kind::none, 0, 0});
}

void IcmpFilter::append(const IcmpFilter& other) {
    items_.insert(items_.end(), other.items_.begin(), other.items_.end());
}

bool IcmpFilter::matches(std::uint8_t type, std::uint8_t code) const {
    if (items_.empty()) return true;
    for (const Item& item : items_) {
        if (item.kind == Kind::any) return true;
        if (item.kind == Kind::none || item.type != type) continue;
        if (item.kind == Kind::type || item.code == code) return true;
    }
    return false;
}

[[gnu::cold]] bool ProtocolFilter::add(std::string_view list) {
    std::vector<Item> added;
    for (std::string_view text : split(list, ',')) {
        if (text == "*" || text == "-") {
            added.push_back({text == "*" ? Kind::any : Kind::none, 0});
            continue;
        }
        const auto number = take_number(text, 255);
        if (!number || !text.empty()) return false;
        added.push_back({Kind::number, static_cast<std::uint8_t>(*number)});
    }
    items_.insert(items_.end(), added.begin(), added.end());
    return true;
}

void ProtocolFilter::add_nothing() {
    items_.push_back({Kind::none, 0});
}

void ProtocolFilter::append(const ProtocolFilter& other) {
    items_.insert(items_.end(), other.items_.begin(), other.items_.end());
}

bool ProtocolFilter::matches(std::uint8_t protocol) const {
    if (items_.empty()) return true;
    for (const Item& item : items_)
        if (item.kind == Kind::any || (item.kind == Kind::number && item.number == protocol))
            return true;
    return false;
}

} // namespace nfqws2::profile
