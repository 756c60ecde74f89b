// The command line of blockprobe.
#pragma once

#include "job.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace nfqws2::probe {

// A range of local ports and the queue that their packets go to.
struct Range {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    std::uint16_t queue = 0;
};

// What is to be written of a run (report.hpp).
enum class ReportForm {
    none,
    records, // each result, as JSON
    page,
    whole,     // all of it, as JSON
    shortened, // the same, not too long
};

struct Options {
    // How to ask.
    std::uint32_t parallel = 16;
    std::uint32_t max_time = 2000; // milliseconds
    std::uint16_t http_port = 80;
    std::uint16_t https_port = 443;
    std::uint16_t quic_port = 443;
    bool head = false;            // HTTPS and HTTP/3: only the header
    bool stop_at_failure = false; // no more attempts after a bad one
    bool enough = false;          // the first whose attempts are all good ends everything
    bool insecure = false;
    std::string user_agent = "Mozilla";
    std::string cacert;               // empty: libcurl's own
    std::vector<std::string> headers; // more of them, whole lines
    std::string header_file;          // where they come from
    // With the curl program; empty: with libcurl.
    std::string curl;
    std::vector<std::string> curl_words;
    bool tls_max = false; // it knows --tls-max
    // Strategies; without a folder jobs are read.
    std::string folder;               // for files of the run
    std::vector<std::string> daemon;  // nfqws2 and its first words
    std::vector<std::string> scripts; // words behind the queue
    std::vector<std::string> before;  // words around each strategy
    std::vector<std::string> behind;
    std::vector<std::string> addresses;
    std::vector<Range> ranges;
    std::string list_of_queues = "/proc/net/netfilter/nfnetlink_queue"; // of the kernel
    std::chrono::milliseconds patience{10000}; // with an nfqws2 that neither takes packets nor ends
    std::uint32_t repeats = 1;
    bool at_once = false; // the attempts of a strategy
    // What to try next, instead of testing it.
    std::uint32_t pick = 0;               // so many strategies
    bool learn = false;                   // what was learned of mechanisms
    ReportForm report = ReportForm::none; // instead of testing

    bool proposes() const { return pick > 0 || learn; }
    bool reports() const { return report != ReportForm::none; }
};

// HOST::ADDRESS:PORT, for curl.
std::string connect_to(const Page& page, const Options& options);

// False if the program is to end with this exit code; then something was printed.
bool read_options(int argc, char** argv, Options& options, int& exit_code);

} // namespace nfqws2::probe
