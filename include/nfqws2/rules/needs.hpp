// Which packets traffic rules do something with: what a firewall has to queue for them.
#pragma once

#include "nfqws2/rules/compile.hpp"

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace nfqws2::rules {

// Packets for which all of it holds. What is said of ports and of ICMP holds for those protocols
// only.
struct Need {
    static constexpr std::size_t most = 200; // of a file; more of them become one for everything

    bool out = true, in = true; // as `dir` means it
    bool ipv4 = true, ipv6 = true;
    std::bitset<256> protocols;         // of the IP header
    std::bitset<65'536> sports, dports; // of TCP and UDP
    std::bitset<65'536> icmp, icmp6;    // type * 256 + code
    std::vector<std::string> profiles;  // of the rules file, that want them; "": its policy
    Need();                             // everything
    bool nothing() const;
};

// Rules that only let packets pass need none: what is not queued passes too. Those of the inside of
// tunnels, and of what AH protects, are looked for only if a rule names such a layer.
std::vector<Need> needs_of(const Program& program);
// Some rule asks for the direction, and no `lan` tells it where both interfaces are known.
bool asks_direction_without_lan(const Program& program);
// Some rule looks at fragments, which connection tracking joins before a queue sees them.
bool asks_fragments(const Program& program);

} // namespace nfqws2::rules
