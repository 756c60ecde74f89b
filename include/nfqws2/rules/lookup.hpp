// What rules know of an address: the sets that hold it, with the rules that ask them, and its
// country.
#pragma once

#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/rules/judge.hpp"
#include "nfqws2/rules/state/geoip.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::rules {

struct SetWithAddress {
    static constexpr std::size_t most_rules = 100; // that are named

    std::string name, file;             // "" if its prefixes stand in the file of rules
    std::string profile;                // whose own it is, "" if it is of all
    std::optional<std::uint32_t> value; // if a rule asks for it
    std::vector<std::string> rules;     // "PROFILE NAME"; "PROFILE" where it is the profile itself
    bool more_rules = false;
};

// Only sets that some rule asks. Any thread.
std::vector<SetWithAddress> sets_with(const InForce& rules, const IpAddress& address);
// Nothing without a database.
GeoPlace place_of(const InForce& rules, const IpAddress& address);

} // namespace nfqws2::rules
