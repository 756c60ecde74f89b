// What blockcheck2 has found at last, for the page.
#pragma once

#include "json.hpp"

#include <string>

namespace nfqws2::ctl {

// Where blockcheck2 leaves the last object of its results (blockcheck2.sh).
inline constexpr const char* last_blockcheck_file = "/var/lib/zapret2-blockcheck/last.json";

// The same object, shorter: {"at": seconds, "domains", "scanlevel", "dns", "firewall", "nfqws2",
// "tests": [{"test", "ipv", "domain", "state", "count", "strategies": [the first ones], "text"}],
// "blocking": [{"test", "ipv", "domain", "kind", "evidence"}], "options", "learn"}. The state of a
// test is "works" (count strategies do), "open" (without any), "fails" (none does) or "aborted"
// (text says why). A member that has another kind than it should have is empty.
Json shorten_blockcheck(const Json& found);

// The file as {"result": ...}, which is null if there is none; throws Failure if it is no result.
Json last_blockcheck(const std::string& path);

} // namespace nfqws2::ctl
