#include "nfqws2/protocol/names.hpp"

#include "nfqws2/protocol/table.hpp"

#include <cstddef>

namespace nfqws2::protocol {

namespace {

template <typename Rows, typename E> std::string_view name_in(const Rows& rows, E value) {
    const auto index = static_cast<std::size_t>(value);
    return index < rows.size() ? rows[index].name : std::string_view{};
}

template <typename E, typename Rows>
std::optional<E> find_in(const Rows& rows, std::string_view text) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows[i].name == text) return static_cast<E>(i);
    }
    return std::nullopt;
}

// `all` ends the parsing: whatever follows it cannot change the meaning, and existing
// configurations may have anything there.
template <typename E, typename Rows>
std::optional<FilterSet<E>> parse_set(const Rows& rows, std::string_view list, std::string* bad) {
    FilterSet<E> set;
    for (std::size_t begin = 0;;) {
        const std::size_t comma = list.find(',', begin);
        const std::string_view word = list.substr(begin, comma - begin);
        const auto value = find_in<E>(rows, word);
        if (!value) {
            if (bad) *bad = word;
            return std::nullopt;
        }
        if (*value == E::all) return FilterSet<E>{};
        set.add(*value);
        if (comma == std::string_view::npos) return set;
        begin = comma + 1;
    }
}

template <typename E> std::string join_names(FilterSet<E> set) {
    if (set.empty()) return std::string(name(E::all));
    std::string text;
    for (std::size_t i = 0; i < static_cast<std::size_t>(E::count); ++i) {
        const E value = static_cast<E>(i);
        if (!set.has(value)) continue;
        if (!text.empty()) text += ',';
        text += name(value);
    }
    return text;
}

} // namespace

std::string_view name(L7 v) {
    return name_in(l7_rows, v);
}
std::string_view name(Payload v) {
    return name_in(payload_rows, v);
}

std::optional<L7> l7_from_name(std::string_view s) {
    return find_in<L7>(l7_rows, s);
}
std::optional<Payload> payload_from_name(std::string_view s) {
    return find_in<Payload>(payload_rows, s);
}

std::optional<L7Set> parse_l7_set(std::string_view list, std::string* bad) {
    return parse_set<L7>(l7_rows, list, bad);
}
std::optional<PayloadSet> parse_payload_set(std::string_view list, std::string* bad) {
    return parse_set<Payload>(payload_rows, list, bad);
}

std::string to_text(PayloadSet set) {
    return join_names(set);
}
std::string to_text(L7Set set) {
    return join_names(set);
}

} // namespace nfqws2::protocol
