// mdig: resolves names from stdin with many threads, passes addresses through. Two extra modes make
// and read one DNS message.
#pragma once

#include "nfqws2/tools/mdig_line.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace nfqws2::tools {

class Resolver;

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
int run_mdig(const MdigOptions& options, Resolver& resolver, const MdigStreams& streams);
int run_make_query(const MdigOptions& options, const MdigStreams& streams);
int run_parse_reply(const MdigStreams& streams);
int mdig_main(int argc, char** argv);

} // namespace nfqws2::tools
