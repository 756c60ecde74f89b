#include "nfqws2/flow/range.hpp"

#include "nfqws2/base/text.hpp"

#include <charconv>
#include <system_error>

namespace nfqws2::flow {

namespace {

// Takes a position off the front of `text`: a letter, for counters followed by a number.
std::optional<RangePos> take_position(std::string_view& text) {
    if (text.empty()) return std::nullopt;
    RangePos p{text[0], 0};
    text.remove_prefix(1);
    switch (p.mode) {
    case 'a':
    case 'x':
        return p;
    case 'n':
    case 'd':
    case 's':
    case 'p':
    case 'b': {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), p.pos);
        if (error != std::errc()) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        return p;
    }
    default:
        return std::nullopt;
    }
}

std::string to_text(const RangePos& p) {
    return p.mode + std::to_string(p.pos);
}

bool is_sequence(char mode) {
    return mode == 's' || mode == 'p';
}

std::uint64_t value_of(char mode, const SidePositions& side) {
    switch (mode) {
    case 'n':
        return side.pcounter;
    case 'd':
        return side.pdcounter;
    case 'b':
        return side.pbcounter;
    case 's':
        return side.rseq();
    default:
        return side.rpos();
    }
}

bool above_lower(const RangePos& from, const SidePositions* side) {
    if (from.mode == 'x') return false;
    if (from.mode == 'a') return true;
    if (side == nullptr || (is_sequence(from.mode) && side->rseq_over_2g)) return false;
    return value_of(from.mode, *side) >= from.pos;
}

bool below_upper(const RangePos& to, bool exclusive, const SidePositions* side) {
    if (to.mode == 'x') return false;
    if (to.mode == 'a') return true;
    if (side == nullptr || (is_sequence(to.mode) && side->rseq_over_2g)) return false;
    const std::uint64_t value = value_of(to.mode, *side);
    return value < to.pos || (value == to.pos && !exclusive);
}

} // namespace

std::optional<Range> parse_range(std::string_view text) {
    if (text.empty()) return std::nullopt;
    if (text[0] == 'x') return Range::never();
    Range range;
    if (text[0] != '-' && text[0] != '<') {
        const std::optional<RangePos> from = take_position(text);
        if (!from) return std::nullopt;
        range.from = *from;
    }
    // A '-' anywhere wins over an earlier '<'; text before it is ignored.
    std::size_t separator = text.find('-');
    if (separator == std::string_view::npos) {
        separator = text.find('<');
        range.upper_exclusive = separator != std::string_view::npos;
    }
    if (separator == std::string_view::npos) {
        if (range.from.mode != 'a') return std::nullopt;
        return range;
    }
    text.remove_prefix(separator + 1);
    if (text.empty()) return range;
    const std::optional<RangePos> to = take_position(text);
    if (!to) return std::nullopt;
    range.to = *to;
    return range;
}

std::string to_text(const Range& r) {
    return to_text(r.from) + (r.upper_exclusive ? '<' : '-') + to_text(r.to);
}

std::string position_text(const Range& r, const SidePositions* side) {
    const auto text = [side](char mode) {
        const bool counts = side != nullptr && mode != 'a' && mode != 'x';
        return mode + std::to_string(counts ? value_of(mode, *side) : 0);
    };
    return text(r.from.mode) + " " + text(r.to.mode);
}

bool in_range(const Range& r, const SidePositions* side) {
    return above_lower(r.from, side) && below_upper(r.to, r.upper_exclusive, side);
}

bool beyond_range(const Range& r, const SidePositions* side) {
    if (!below_upper(r.to, r.upper_exclusive, side)) return true;
    return side == nullptr && !above_lower(r.from, side);
}

} // namespace nfqws2::flow
