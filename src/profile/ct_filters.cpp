#include "nfqws2/profile/ct_filters.hpp"

#include "nfqws2/base/bad_value.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::profile {

namespace {

[[noreturn]] void refuse_option(const char* option, std::string_view wrong,
                                const std::string& hint) {
    throw BadValue("bad value for --" + std::string(option) + ": '" + std::string(wrong) + "'" +
                   hint);
}

// What to show of a bad item: the whole value if there is nothing where it should be.
std::string_view shown(std::string_view item, std::string_view value) {
    return item.empty() ? value : item;
}

std::string name_hint(std::string_view word, const std::vector<std::string_view>& known) {
    const std::string_view best = nearest(ascii_lower(word), known);
    if (!best.empty()) return " (did you mean '" + std::string(best) + "'?)";
    std::string names;
    for (const std::string_view one : known)
        names += (names.empty() ? "" : ", ") + std::string(one);
    return " (should be " + names + ")";
}

// The items behind a `~`, if there is one.
std::vector<std::string_view> items_of(std::string_view value, bool* inverted) {
    *inverted = value.starts_with('~');
    return split(*inverted ? value.substr(1) : value, ',');
}

std::optional<CtFilters::ZoneRange> zone_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    const auto from = parse_uint(text.substr(0, dash), UINT16_MAX);
    const auto to =
        dash == std::string_view::npos ? from : parse_uint(text.substr(dash + 1), UINT16_MAX);
    if (!from || !to || *from > *to) return std::nullopt;
    return CtFilters::ZoneRange{static_cast<std::uint16_t>(*from), static_cast<std::uint16_t>(*to)};
}

} // namespace

packet::CtStateSet parse_ct_states(const char* option, std::string_view value) {
    using packet::CtState;
    packet::CtStateSet states;
    bool inverted = false;
    for (const std::string_view item : items_of(value, &inverted)) {
        const auto state = packet::ct_state_from_name(item);
        if (!state) {
            std::vector<std::string_view> known;
            for (const CtState one : {CtState::fresh, CtState::established, CtState::related,
                                      CtState::invalid, CtState::untracked})
                known.push_back(packet::name(one));
            refuse_option(option, shown(item, value), name_hint(item, known));
        }
        states.add(*state);
    }
    if (inverted) states.invert();
    return states;
}

void CtFilters::set_mark(std::string_view value) {
    const bool inverted = value.starts_with('~');
    MarkFilter filter;
    if (!filter.set(inverted ? value.substr(1) : value))
        refuse_option("filter-ctmark", value,
                      " (should be mark[/mask], each a number or 0xHEX of 32 bits)");
    mark = filter;
    other_marks = inverted;
}

void CtFilters::set_zones(std::string_view value) {
    bool inverted = false;
    std::vector<ZoneRange> ranges;
    for (const std::string_view item : items_of(value, &inverted)) {
        const auto range = zone_range(item);
        if (!range)
            refuse_option("filter-ctzone", shown(item, value),
                          " (should be zones of 0..65535 like 1,5-8)");
        ranges.push_back(*range);
    }
    zones = std::move(ranges);
    other_zones = inverted;
}

void CtFilters::set_helpers(std::string_view value) {
    bool inverted = false;
    std::vector<std::string> names;
    for (const std::string_view item : items_of(value, &inverted)) {
        if (item.empty() || item.size() > packet::CtHelper::max_size)
            refuse_option("filter-cthelper", shown(item, value),
                          " (should be names of 1 to 15 characters, * for any, - for none)");
        names.emplace_back(item);
    }
    helpers = std::move(names);
    other_helpers = inverted;
}

void CtFilters::set_status(std::string_view value) {
    const std::span<const packet::CtStatusName> known = packet::ct_status_names();
    bool inverted = false;
    std::uint32_t bits = 0;
    for (const std::string_view item : items_of(value, &inverted)) {
        const auto found = std::ranges::find(known, ascii_lower(item), &packet::CtStatusName::name);
        if (found == known.end()) {
            std::vector<std::string_view> names;
            for (const packet::CtStatusName& one : known)
                names.push_back(one.name);
            refuse_option("filter-ctstatus", shown(item, value), name_hint(item, names));
        }
        bits |= found->bit;
    }
    status = bits;
    not_all_status = inverted;
}

bool CtFilters::wants_zone(const CtQuery& q) const {
    if (zones.empty()) return true;
    const bool listed = std::ranges::any_of(
        zones, [&q](const ZoneRange& r) { return r.from <= q.zone && q.zone <= r.to; });
    return listed != other_zones;
}

bool CtFilters::wants_helper(const CtQuery& q) const {
    if (helpers.empty()) return true;
    const bool has_one = !q.helper.empty() || !q.master_helper.empty();
    const bool listed = std::ranges::any_of(helpers, [&](const std::string& name) {
        if (name == "*") return has_one;
        if (name == "-") return !has_one;
        return name == q.helper || name == q.master_helper;
    });
    return listed != other_helpers;
}

} // namespace nfqws2::profile
