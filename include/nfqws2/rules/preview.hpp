// Which rules a packet would meet of which only a few header facts are known (--explain).
#pragma once

#include "nfqws2/rules/judge.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::rules {

struct Sketch {
    std::uint8_t protocol = 0;
    IpAddress source, destination; // empty: not known
    std::optional<std::uint16_t> source_port, destination_port;
    std::optional<std::uint8_t> icmp_type;
    bool outgoing = true;
};

// What is not sure depends on these words of the language, such as "hmark".
struct RulePreview {
    std::string name, chain;
    std::vector<std::string> depends; // empty: it holds
    std::string end;                  // "accept", "drop", "goto dns", ... or "": goes on
};
// The profiles that may be chosen, in order; the last one surely is, unless none is.
struct ProfilePreview {
    std::string name;
    std::vector<std::string> depends;
    bool observe = false;
    std::vector<RulePreview> rules; // without those that cannot hold
};

// It has no tunnel.
std::vector<ProfilePreview> preview(const InForce& rules, const Sketch& packet);

} // namespace nfqws2::rules
