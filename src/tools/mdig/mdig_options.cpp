#include "mdig/mdig_options.hpp"

#include "command.hpp"
#include "mdig/mdig.hpp"

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <getopt.h>

namespace nfqws2::tools {

namespace {

constexpr char usage[] =
    "Usage: mdig [OPTION]... <names >addresses\n"
    "Resolves names, one a line, with many threads. Addresses and subnets are passed on.\n"
    "\n"
    " --family=<4|6|46>         address family wanted (default 4)\n"
    " --threads=<N>             1..100 threads (default 1)\n"
    " --eagain=<N>              attempts while the resolver says EAI_AGAIN, 1..1000 (default 10)\n"
    " --eagain-delay=<ms>       pause after EAI_AGAIN, 0..100000 (default 500)\n"
    " --verbose                 what each thread does, to stderr\n"
    " --stats=<N>               statistics to stderr every N lines and at the end\n"
    " --log-resolved=<file>     write the lines that succeeded to this file\n"
    " --log-failed=<file>       write the lines that failed to this file\n"
    " --dns-make-query=<domain> write a binary DNS query to stdout (--family=6: AAAA, else A)\n"
    " --dns-parse-query         read a binary DNS reply from stdin, write its addresses\n"
    " --help                    this text\n";

enum Option {
    opt_help,
    opt_family,
    opt_threads,
    opt_eagain,
    opt_eagain_delay,
    opt_verbose,
    opt_stats,
    opt_log_resolved,
    opt_log_failed,
    opt_make_query,
    opt_parse_query,
};

constexpr option long_options[] = {
    {"help", no_argument, nullptr, opt_help},
    {"family", required_argument, nullptr, opt_family},
    {"threads", required_argument, nullptr, opt_threads},
    {"eagain", required_argument, nullptr, opt_eagain},
    {"eagain-delay", required_argument, nullptr, opt_eagain_delay},
    {"verbose", no_argument, nullptr, opt_verbose},
    {"stats", required_argument, nullptr, opt_stats},
    {"log-resolved", required_argument, nullptr, opt_log_resolved},
    {"log-failed", required_argument, nullptr, opt_log_failed},
    {"dns-make-query", required_argument, nullptr, opt_make_query},
    {"dns-parse-query", no_argument, nullptr, opt_parse_query},
    {nullptr, 0, nullptr, 0},
};

// Like atoi, without its undefined overflow.
int to_int(const char* text) {
    return static_cast<int>(std::clamp<long>(std::strtol(text, nullptr, 10), INT_MIN, INT_MAX));
}

bool parse_families(const char* text, Families& families) {
    const int value = to_int(text);
    families = {value == 4 || value == 46, value == 6 || value == 46};
    return families.v4 || families.v6;
}

bool parse_within(const char* text, int min, int max, unsigned& value) {
    const int number = to_int(text);
    if (number < min || number > max) return false;
    value = static_cast<unsigned>(number);
    return true;
}

// What is wrong with the option just read, or nullptr.
const char* apply(int which, MdigOptions& options) {
    switch (which) {
    case opt_family:
        return parse_families(optarg, options.families) ? nullptr : "ip family must be 4,6 or 46";
    case opt_threads:
        return parse_within(optarg, 1, 100, options.threads)
                   ? nullptr
                   : "thread number must be within 1..100";
    case opt_eagain:
        return parse_within(optarg, 1, 1000, options.eagain) ? nullptr
                                                             : "eagain must be within 1..1000";
    case opt_eagain_delay:
        return parse_within(optarg, 0, 100000, options.eagain_delay_ms)
                   ? nullptr
                   : "eagain-delay must be within 0..100000";
    case opt_verbose:
        options.verbose = true;
        break;
    case opt_stats:
        options.stats = static_cast<std::uint64_t>(std::max(to_int(optarg), 0));
        break;
    case opt_log_resolved:
        options.log_resolved = optarg;
        break;
    case opt_log_failed:
        options.log_failed = optarg;
        break;
    case opt_make_query:
        options.make_query = optarg;
        break;
    default:
        break;
    }
    return nullptr;
}

} // namespace

std::optional<int> parse_mdig_options(int argc, char** argv, const MdigStreams& streams,
                                      MdigOptions& options) {
    for (;;) {
        const int which = getopt_long_only(argc, argv, "", long_options, nullptr);
        if (which == -1) return std::nullopt;
        if (which == opt_help) return show_help(usage);
        if (which == opt_parse_query) return run_parse_reply(streams);
        if (which == '?') return refuse_options(usage);
        if (const char* wrong = apply(which, options)) {
            std::fprintf(stderr, "%s\n", wrong);
            return exit_usage;
        }
    }
}

} // namespace nfqws2::tools
