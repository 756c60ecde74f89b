// Reading JSON whose shape nobody guarantees: a member that is missing, or of another kind than
// asked for, is simply not there. Nothing here throws.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::ctl {

// Members stay in the order in which the daemon has written them.
using Json = nlohmann::ordered_json;

// The text is one JSON object of at most `limit` bytes, not nested deeper than anything of ours is.
std::optional<Json> parse_object(std::string_view text, std::size_t limit);

const Json& member(const Json& object, const char* key); // null if there is none
const Json& elements(const Json& value);                 // an empty array if it is none

std::string text_of(const Json& value); // "" if it is no text
std::optional<std::int64_t> integer_of(const Json& value);
std::optional<double> real_of(const Json& value);

// In one line; bytes that are no UTF-8 become replacement characters.
std::string dump(const Json& value);

} // namespace nfqws2::ctl
