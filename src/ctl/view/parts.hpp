// What several reports have in common.
#pragma once

#include "json.hpp"
#include "view/table.hpp"

namespace nfqws2::ctl {

// The number of a member, 0 if it is not there.
std::int64_t number(const Json& object, const char* key);
std::string count(const Json& object, const char* key);
std::string
profile_name(const Json& profile);      // {"n":1,"name":"https"}: "https"; without a name "1"
std::string endpoint(const Json& side); // "192.0.2.1:443"
// What came from the server: packets that were seen, or what the client has acknowledged where only
// its own come by.
std::int64_t received(const Json& flow);
std::string age_of(std::int64_t unix_time); // how long ago
// What --check has found, "option '--qnum' (/x.conf:3): ..."; lines behind the first are set in.
std::string finding_text(const Json& finding, std::string_view indent);
// "key   value" in two columns, without those that have no value.
std::string pairs(const std::vector<std::pair<std::string, Cell>>& rows, const Style& style);

} // namespace nfqws2::ctl
