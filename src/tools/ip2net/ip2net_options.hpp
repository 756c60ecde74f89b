// The command line of ip2net.
#pragma once

#include "ip2net/net_grouping.hpp"

#include <optional>

namespace nfqws2::tools {

struct Ip2netOptions {
    bool ipv6 = false;
    bool verbose = false;
    PrefixRange prefix{22, 30};
    FillRule fill;
    CountRule count;
};

// Exit code if the program is to end here, else the options are filled.
std::optional<int> parse_ip2net_options(int argc, char** argv, Ip2netOptions& options);

} // namespace nfqws2::tools
