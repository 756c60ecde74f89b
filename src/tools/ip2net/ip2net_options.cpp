#include "ip2net/ip2net_options.hpp"

#include "command.hpp"
#include "nfqws2/base/text.hpp"

#include <cstdio>
#include <getopt.h>
#include <string_view>

namespace nfqws2::tools {

namespace {

constexpr char usage[] =
    "Usage: ip2net [OPTION]... <addresses >networks\n"
    "Replaces single IP addresses by networks that hold enough of them.\n"
    "Networks and ranges in the input are printed first, as they are.\n"
    "\n"
    " -4                        IPv4 list (default)\n"
    " -6                        IPv6 list\n"
    " --prefix-length=min[-max] prefix lengths of the networks (default 22-30, IPv6 56-64)\n"
    " --v4-threshold=mul/div    at least mul/div of an IPv4 network is in the list (default 3/4)\n"
    " --v6-threshold=N          at least N addresses of an IPv6 network are in the list (default "
    "5)\n"
    " --verbose                 counts to stderr at the end\n"
    " --help                    this text\n";

enum Option {
    opt_v4,
    opt_v6,
    opt_prefix,
    opt_v4_threshold,
    opt_v6_threshold,
    opt_verbose,
    opt_help
};

constexpr option long_options[] = {
    {"4", no_argument, nullptr, opt_v4},
    {"6", no_argument, nullptr, opt_v6},
    {"prefix-length", required_argument, nullptr, opt_prefix},
    {"v4-threshold", required_argument, nullptr, opt_v4_threshold},
    {"v6-threshold", required_argument, nullptr, opt_v6_threshold},
    {"verbose", no_argument, nullptr, opt_verbose},
    {"h", no_argument, nullptr, opt_help},
    {"help", no_argument, nullptr, opt_help},
    {nullptr, 0, nullptr, 0},
};

std::optional<std::uint32_t> number(std::string_view text) {
    const auto value = parse_uint(text, UINT32_MAX);
    if (!value) return std::nullopt;
    return static_cast<std::uint32_t>(*value);
}

// "min" or "min-max". The upper bound depends on the family and is tested when that is known.
std::optional<PrefixRange> parse_prefix_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    const auto min = number(text.substr(0, dash));
    const auto max = dash == std::string_view::npos ? min : number(text.substr(dash + 1));
    if (!min || !max || *min == 0 || *max < *min) return std::nullopt;
    return PrefixRange{*min, *max};
}

std::optional<FillRule> parse_fill_rule(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto mul = number(text.substr(0, slash));
    const auto div = number(text.substr(slash + 1));
    if (!mul || !div || *div < 2 || *mul < 1 || *mul >= *div) return std::nullopt;
    return FillRule{*mul, *div};
}

int refuse_value(const char* name, const char* value) {
    std::fprintf(stderr, "invalid parameter for %s : %s\n", name, value);
    return exit_usage;
}

} // namespace

std::optional<int> parse_ip2net_options(int argc, char** argv, Ip2netOptions& options) {
    std::optional<PrefixRange> prefix;
    for (;;) {
        const int which = getopt_long_only(argc, argv, "", long_options, nullptr);
        if (which == -1) break;
        switch (which) {
        case opt_v4:
        case opt_v6:
            options.ipv6 = which == opt_v6;
            break;
        case opt_prefix:
            prefix = parse_prefix_range(optarg);
            if (!prefix) return refuse_value("prefix-length", optarg);
            break;
        case opt_v4_threshold: {
            const auto rule = parse_fill_rule(optarg);
            if (!rule) return refuse_value("v4-threshold", optarg);
            options.fill = *rule;
            break;
        }
        case opt_v6_threshold: {
            const auto count = number(optarg);
            if (!count || *count == 0) return refuse_value("v6-threshold", optarg);
            options.count.count = *count;
            break;
        }
        case opt_verbose:
            options.verbose = true;
            break;
        case opt_help:
            return show_help(usage);
        default:
            return refuse_options(usage);
        }
    }
    const unsigned longest = options.ipv6 ? Ipv6Key::width - 1 : Ipv4Key::width - 1;
    if (prefix && prefix->max > longest) {
        std::fputs("invalid parameter for prefix-length\n", stderr);
        return exit_usage;
    }
    options.prefix = prefix.value_or(options.ipv6 ? PrefixRange{56, 64} : PrefixRange{22, 30});
    return std::nullopt;
}

} // namespace nfqws2::tools
