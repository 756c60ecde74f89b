// The command line of mdig, and where it reads and writes.
#pragma once

#include "mdig/mdig_line.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace nfqws2::tools {

struct MdigOptions {
    Families families;
    unsigned threads = 1;
    unsigned eagain = 10; // attempts
    unsigned eagain_delay_ms = 500;
    bool verbose = false;
    std::uint64_t stats = 0; // lines between two reports; 0 = none
    std::string log_resolved;
    std::string log_failed;
    std::string make_query; // name
};

struct MdigStreams {
    int in = 0;
    int out = 1;
    int err = 2;
};

// Exit code if the program is to end here, else the options are filled.
std::optional<int> parse_mdig_options(int argc, char** argv, const MdigStreams& streams,
                                      MdigOptions& options);

} // namespace nfqws2::tools
