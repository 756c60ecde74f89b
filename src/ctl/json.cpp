#include "json.hpp"

#include <cmath>

namespace nfqws2::ctl {
namespace {

// Trees are copied and destroyed by recursion. Ours are at most six deep.
constexpr int deepest = 32;

bool too_deep(std::string_view text) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (quoted) {
            if (c == '\\') i++;
            if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > deepest) return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

} // namespace

std::optional<Json> parse_object(std::string_view text, std::size_t limit) {
    if (text.size() > limit || too_deep(text)) return std::nullopt;
    Json value = Json::parse(text, nullptr, false);
    if (!value.is_object()) return std::nullopt;
    return value;
}

const Json& member(const Json& object, const char* key) {
    static const Json nothing;
    if (!object.is_object()) return nothing;
    const auto found = object.find(key);
    return found == object.end() ? nothing : *found;
}

const Json& elements(const Json& value) {
    static const Json none = Json::array();
    return value.is_array() ? value : none;
}

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : std::string();
}

std::optional<std::int64_t> integer_of(const Json& value) {
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) return INT64_MAX;
    if (value.is_number_integer()) return value.get<std::int64_t>();
    return std::nullopt;
}

std::optional<double> real_of(const Json& value) {
    if (!value.is_number()) return std::nullopt;
    const double real = value.get<double>();
    return std::isfinite(real) ? std::optional(real) : std::nullopt;
}

std::string dump(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace nfqws2::ctl
