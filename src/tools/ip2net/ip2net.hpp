// ip2net: groups addresses from stdin into networks. Lines that are networks or ranges already go
// straight to stdout; the addresses are collected, sorted and grouped at the end of the input.
#pragma once

#include "ip2net/ip2net_options.hpp"

namespace nfqws2::tools {

int run_ip2net(const Ip2netOptions& options, int input_fd, int output_fd);
int ip2net_main(int argc, char** argv);

} // namespace nfqws2::tools
