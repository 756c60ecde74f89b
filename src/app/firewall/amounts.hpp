// How many packets of a connection a profile needs.
#pragma once

#include "firewall/firewall.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::app::firewall {

// Of one way of a connection.
struct Amount {
    bool all = false;
    std::uint32_t packets = 0; // unless all
    std::uint32_t own = 0;
    bool estimate = false;
    bool invalid = false;
    std::vector<std::string> reasons;

    bool none() const { return !all && packets == 0; }
    void want(const Amount& other); // the larger one, and why
};

// What decides beside the profile.
struct Setting {
    bool server = false, tracking = true;
};

Amount needed(const profile::Profile& profile, Way way, Transport transport, Setting setting);
// Some instance is shown ICMP errors about its incoming connections' packets.
bool wants_icmp_errors(const profile::Profile& profile);

} // namespace nfqws2::app::firewall
