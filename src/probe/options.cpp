#include "options.hpp"

#include "words.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <getopt.h>
#include <memory>

namespace nfqws2::probe {

namespace {

constexpr char usage[] =
    "Usage: blockprobe [OPTION]... <jobs >answers\n"
    "       blockprobe --folder=<folder> [OPTION]... <strategies >results\n"
    "Asks for pages, many at once, for blockcheck2. A job is a line:\n"
    "  INDEX FIRST LAST PORT ADDRESS TEST DOMAIN[/URI] [MARK]\n"
    "attempts FIRST to LAST from the local ports from PORT on (0: any), with TEST curl_test_http,\n"
    "curl_test_https_tls12, curl_test_https_tls13 or curl_test_http3. An answer is a line:\n"
    "  INDEX|NUMBER|CODE|STATUS|BYTES|MS|CONNECTED|ADDRESS|ERROR\n"
    "with the code that the curl program would end with, or 254 for an answer that is not the "
    "site's.\n"
    "\n"
    " --parallel=<N>         connections at the same time, 1..4096 (default 16); with --at-once\n"
    "                        strategies, each with as many connections as --repeats says\n"
    " --max-time=<ms>        for an attempt (default 2000)\n"
    " --http-port=<N> --https-port=<N> --quic-port=<N>\n"
    " --head                 HTTPS and HTTP/3: only the header of the page\n"
    " --stop-at-failure      no more attempts after a bad one\n"
    " --enough               end with the first whose attempts are all good\n"
    " --user-agent=<text>    (default Mozilla)\n"
    " --header-file=<file>   more headers, one a line\n"
    " --cacert=<file>        authorities to trust\n"
    " --insecure             trust everybody\n"
    " --curl=<program>       ask with the curl program instead of libcurl\n"
    " --curl-words=<words>   more words for it\n"
    " --tls-max              it knows --tls-max\n"
    "\n"
    "With a folder it tests strategies, lines \"TEST DOMAIN[/URI] WORDS...\", each with an nfqws2 "
    "that\n"
    "it starts, many in one. Words are quoted as for a shell. Results are functions of a shell.\n"
    "\n"
    " --folder=<folder>      of the run, for its files\n"
    " --daemon=<words>       nfqws2 and the words before its queue\n"
    " --scripts=<words>      those behind it\n"
    " --before=<words> --behind=<words>   around each strategy\n"
    " --addresses=<list>     of the site, in turn\n"
    " --ranges=<list>        FIRST:LAST:QUEUE, four times: local ports and their queue\n"
    " --repeats=<N>          attempts for each (default 1)\n"
    " --at-once              all attempts of one at the same time\n"
    "\n"
    "Or it proposes what to try next, of lines \"SCRIPT TAB STRATEGY\", by the files \"tried\" "
    "(SHARE TAB\n"
    "STRATEGY) and \"mechanisms\" of the folder.\n"
    "\n"
    " --pick=<N>             so many strategies\n"
    " --learn                what was learned: lines \"MECHANISM WORKED FAILED\"\n"
    "\n"
    "Or it reports what a run has found, from the files of the folder.\n"
    "\n"
    " --report=html|json|last   a page; all as JSON; the same, not too long\n"
    " --report=results       each result of the input as JSON\n"
    "\n"
    " --help                 this text\n"
    "\n"
    "Exit code 0: done, 1: wrong words, 2: it does not work, 3: enough.\n";

enum Option {
    opt_help = 1,
    opt_parallel,
    opt_max_time,
    opt_http_port,
    opt_https_port,
    opt_quic_port,
    opt_head,
    opt_stop,
    opt_enough,
    opt_agent,
    opt_headers,
    opt_cacert,
    opt_insecure,
    opt_curl,
    opt_curl_words,
    opt_tls_max,
    opt_folder,
    opt_daemon,
    opt_scripts,
    opt_before,
    opt_behind,
    opt_addresses,
    opt_ranges,
    opt_repeats,
    opt_at_once,
    opt_pick,
    opt_learn,
    opt_report,
};

constexpr option long_options[] = {
    {"help", no_argument, nullptr, opt_help},
    {"parallel", required_argument, nullptr, opt_parallel},
    {"max-time", required_argument, nullptr, opt_max_time},
    {"http-port", required_argument, nullptr, opt_http_port},
    {"https-port", required_argument, nullptr, opt_https_port},
    {"quic-port", required_argument, nullptr, opt_quic_port},
    {"head", no_argument, nullptr, opt_head},
    {"stop-at-failure", no_argument, nullptr, opt_stop},
    {"enough", no_argument, nullptr, opt_enough},
    {"user-agent", required_argument, nullptr, opt_agent},
    {"header-file", required_argument, nullptr, opt_headers},
    {"cacert", required_argument, nullptr, opt_cacert},
    {"insecure", no_argument, nullptr, opt_insecure},
    {"curl", required_argument, nullptr, opt_curl},
    {"curl-words", required_argument, nullptr, opt_curl_words},
    {"tls-max", no_argument, nullptr, opt_tls_max},
    {"folder", required_argument, nullptr, opt_folder},
    {"daemon", required_argument, nullptr, opt_daemon},
    {"scripts", required_argument, nullptr, opt_scripts},
    {"before", required_argument, nullptr, opt_before},
    {"behind", required_argument, nullptr, opt_behind},
    {"addresses", required_argument, nullptr, opt_addresses},
    {"ranges", required_argument, nullptr, opt_ranges},
    {"repeats", required_argument, nullptr, opt_repeats},
    {"at-once", no_argument, nullptr, opt_at_once},
    {"pick", required_argument, nullptr, opt_pick},
    {"learn", no_argument, nullptr, opt_learn},
    {"report", required_argument, nullptr, opt_report},
    {nullptr, 0, nullptr, 0},
};

constexpr std::size_t ranges_needed = 4;
constexpr std::uint32_t most_repeats = 1000;
constexpr std::uint32_t most_picks = 100000;
constexpr std::size_t most_headers = 10000;

template <typename Number>
bool number(const char* text, std::uint32_t least, std::uint32_t most, Number& value) {
    std::uint32_t read = 0;
    const char* const end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, read);
    if (error != std::errc() || stop != end || read < least || read > most) {
        std::fprintf(stderr, "invalid number '%s'. should be %u to %u.\n", text, least, most);
        return false;
    }
    value = static_cast<Number>(read);
    return true;
}

bool read_headers(const char* path, std::vector<std::string>& headers) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "re"), std::fclose);
    if (!file) {
        std::perror(path);
        return false;
    }
    char* text = nullptr;
    std::size_t size = 0;
    ssize_t length = 0;
    while (headers.size() < most_headers && (length = getline(&text, &size, file.get())) > 0) {
        std::string line(text, static_cast<std::size_t>(length));
        line.erase(line.find_last_not_of("\r\n") + 1);
        if (!line.empty()) {
            headers.push_back(std::move(line));
        }
    }
    std::free(text);
    return true;
}

bool read_list(const char* text, std::vector<std::string>& list) {
    auto read = read_words(text);
    if (!read) {
        std::fprintf(stderr, "a quote has no end in '%s'\n", text);
        return false;
    }
    list = std::move(*read);
    return true;
}

bool read_range(std::string_view text, Range& range) {
    for (std::uint16_t* const number : {&range.first, &range.last, &range.queue}) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
        if (error != std::errc()) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if ((number == &range.queue) != text.empty() ||
            text.substr(0, 1) != (text.empty() ? "" : ":")) {
            return false;
        }
        text.remove_prefix(text.empty() ? 0 : 1);
    }
    return range.first > 0 && range.last >= range.first;
}

bool read_ranges(const char* text, std::vector<Range>& ranges) {
    std::string_view rest = text;
    for (auto word = take_word(rest); !word.empty(); word = take_word(rest)) {
        Range range;
        if (!read_range(word, range)) {
            std::fprintf(stderr, "invalid ports '%s'. should be FIRST:LAST:QUEUE.\n",
                         std::string(word).c_str());
            return false;
        }
        ranges.push_back(range);
    }
    return true;
}

bool read_form(std::string_view text, ReportForm& form) {
    constexpr std::array<std::pair<std::string_view, ReportForm>, 4> forms{{
        {"results", ReportForm::records},
        {"html", ReportForm::page},
        {"json", ReportForm::whole},
        {"last", ReportForm::shortened},
    }};
    for (const auto& [name, value] : forms) {
        if (text == name) {
            form = value;
            return true;
        }
    }
    std::fprintf(stderr, "invalid report '%s'. should be html, json, last or results.\n",
                 std::string(text).c_str());
    return false;
}

// What belongs together is there.
bool is_whole(const Options& o) {
    const bool needs_folder = o.proposes() || (o.reports() && o.report != ReportForm::records);
    if (needs_folder && o.folder.empty()) {
        std::fputs("--pick, --learn and --report need --folder\n", stderr);
        return false;
    }
    if (o.folder.empty() || o.proposes() || o.reports()) {
        return true;
    }
    for (const auto& address : o.addresses) {
        if (!is_address(address)) {
            std::fprintf(stderr, "invalid address '%s'\n", address.c_str());
            return false;
        }
    }
    if (o.daemon.empty() || o.addresses.empty() || o.ranges.size() != ranges_needed) {
        std::fputs("--folder needs --daemon, --addresses and four --ranges\n", stderr);
        return false;
    }
    return true;
}

bool apply_to_strategies(int option, Options& o) {
    switch (option) {
    case opt_folder:
        o.folder = optarg;
        return true;
    case opt_daemon:
        return read_list(optarg, o.daemon);
    case opt_scripts:
        return read_list(optarg, o.scripts);
    case opt_before:
        return read_list(optarg, o.before);
    case opt_behind:
        return read_list(optarg, o.behind);
    case opt_addresses:
        return read_list(optarg, o.addresses);
    case opt_ranges:
        return read_ranges(optarg, o.ranges);
    case opt_repeats:
        return number(optarg, 1, most_repeats, o.repeats);
    case opt_at_once:
        o.at_once = true;
        return true;
    case opt_pick:
        return number(optarg, 1, most_picks, o.pick);
    case opt_learn:
        o.learn = true;
        return true;
    case opt_report:
        return read_form(optarg, o.report);
    default:
        std::fputs(usage, stderr);
        return false;
    }
}

bool apply(int option, Options& o) {
    switch (option) {
    case opt_parallel:
        return number(optarg, 1, 4096, o.parallel);
    case opt_max_time:
        return number(optarg, 1, 3600000, o.max_time);
    case opt_http_port:
        return number(optarg, 1, UINT16_MAX, o.http_port);
    case opt_https_port:
        return number(optarg, 1, UINT16_MAX, o.https_port);
    case opt_quic_port:
        return number(optarg, 1, UINT16_MAX, o.quic_port);
    case opt_head:
        o.head = true;
        return true;
    case opt_stop:
        o.stop_at_failure = true;
        return true;
    case opt_enough:
        o.enough = true;
        return true;
    case opt_agent:
        o.user_agent = optarg;
        return true;
    case opt_headers:
        o.header_file = optarg;
        return read_headers(optarg, o.headers);
    case opt_cacert:
        o.cacert = optarg;
        return true;
    case opt_insecure:
        o.insecure = true;
        return true;
    case opt_curl:
        o.curl = optarg;
        return true;
    case opt_curl_words:
        return read_list(optarg, o.curl_words);
    case opt_tls_max:
        o.tls_max = true;
        return true;
    default:
        return apply_to_strategies(option, o);
    }
}

} // namespace

std::string connect_to(const Page& page, const Options& options) {
    const unsigned port = page.plain()                       ? options.http_port
                          : page.protocol == Protocol::http3 ? options.quic_port
                                                             : options.https_port;
    const std::string address = page.ipv6() ? '[' + page.address + ']' : page.address;
    return std::string(page.host()) + "::" + address + ':' + std::to_string(port);
}

bool read_options(int argc, char** argv, Options& options, int& exit_code) {
    exit_code = 1;
    int option = 0;
    while ((option = getopt_long(argc, argv, "", long_options, nullptr)) != -1) {
        if (option == opt_help) {
            std::fputs(usage, stdout);
            exit_code = 0;
            return false;
        }
        if (!apply(option, options)) {
            return false;
        }
    }
    if (optind < argc) {
        std::fprintf(stderr, "unknown argument '%s'\n", argv[optind]);
        return false;
    }
    return is_whole(options);
}

} // namespace nfqws2::probe
