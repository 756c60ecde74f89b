// ip2net: groups addresses from stdin into networks. Lines that are networks or ranges already go
// straight to stdout; the addresses are collected, sorted and grouped at the end of the input.
#pragma once

#include "nfqws2/tools/net_grouping.hpp"

#include <cstdint>
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
int run_ip2net(const Ip2netOptions& options, int input_fd, int output_fd);
int ip2net_main(int argc, char** argv);

} // namespace nfqws2::tools
