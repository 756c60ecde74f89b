// The command line of the prober.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nfqws2::probe {

struct Options {
    std::uint32_t parallel = 16;
    std::uint32_t max_time = 2000; // milliseconds
    std::uint16_t http_port = 80;
    std::uint16_t https_port = 443;
    std::uint16_t quic_port = 443;
    bool head = false;            // HTTPS and HTTP/3: only the header
    bool stop_at_failure = false; // no more attempts of a job
    bool enough = false;          // the first job whose attempts are all good ends everything
    bool insecure = false;
    std::string user_agent = "Mozilla";
    std::string cacert;               // empty: libcurl's own
    std::vector<std::string> headers; // more of them, whole lines
};

// False if the program is to end with this exit code; then something was printed.
bool read_options(int argc, char** argv, Options& options, int& exit_code);

} // namespace nfqws2::probe
