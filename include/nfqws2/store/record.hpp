// A record of a store: a key with a few named values, and when it was written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
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
    std::string fields;       // packed, sorted by name
    std::int64_t written = 0; // seconds of Unix time
    std::uint32_t ttl = default_ttl;

    bool expired(std::int64_t now) const {
        return ttl != for_ever && now - written >= static_cast<std::int64_t>(ttl);
    }
};

// A field where it stands, in a packed record or elsewhere.
struct FieldView {
    std::string_view name, text;
    double number = 0;
    bool is_number = false;
};
Value value_of(const FieldView& field);
std::vector<FieldView> views_of(const Fields& fields); // valid as long as these are

// Why the key or the fields are refused, nullptr if they are good. Names of fields are identifiers
// with . and -, each once.
const char* why_bad_key(std::string_view key);
const char* why_bad_fields(std::span<const FieldView> fields);

// Good fields as bytes: for each a name and a number or a text, in the order of the names. Fields
// in any order give the same bytes. Scripts read and write them all the time, so nothing is made
// into text before a file needs it.
std::string pack_fields(std::span<FieldView> fields); // puts them in order
inline constexpr std::size_t max_packed = max_fields * (3 + max_field_name + max_text);
class PackedFields {
  public:
    explicit PackedFields(std::string_view packed) : rest_(packed) {}
    bool next(FieldView& field);

  private:
    std::string_view rest_;
};
Fields unpack_fields(std::string_view packed);

// One line of a file, without its end: key, written, ttl, fields, with a tab between.
std::string to_line(const Record& record);
std::optional<Record> from_line(std::string_view line);

} // namespace nfqws2::store
