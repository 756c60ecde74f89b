// A record of a store: a key with a few named values, and when it was written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nfqws2::store {

using Value = std::variant<double, std::string>;
using Fields = std::vector<std::pair<std::string, Value>>;

inline constexpr std::size_t max_key = 255, max_fields = 16, max_field_name = 32, max_text = 255;
inline constexpr std::uint32_t default_ttl = 30 * 24 * 3600, for_ever = 0;

// Immutable: whoever looks at one keeps it, and a write makes another.
struct Record {
    std::string key;
    std::string fields;       // as in a file (record_text.hpp), sorted by name
    std::int64_t written = 0; // seconds of Unix time
    std::uint32_t ttl = default_ttl;

    bool expired(std::int64_t now) const {
        return ttl != for_ever && now - written >= static_cast<std::int64_t>(ttl);
    }
};

// Why the key or the fields are refused, nullptr if they are good. Names of fields are identifiers
// with . and -, each once.
const char* why_bad_key(std::string_view key);
const char* why_bad_fields(const Fields& fields);

// Fields as text and back. The text of good fields in any order is the same.
std::string encode_fields(Fields fields);
std::optional<Fields> decode_fields(std::string_view text);

// One line of a file, without its end: key, written, ttl, fields, with a tab between.
std::string to_line(const Record& record);
std::optional<Record> from_line(std::string_view line);

} // namespace nfqws2::store
