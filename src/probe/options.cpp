#include "options.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <getopt.h>
#include <memory>

namespace nfqws2::probe {

namespace {

constexpr char usage[] =
    "Usage: blockprobe [OPTION]... <jobs >results\n"
    "Asks for pages, many at once, for blockcheck2. A job is a line:\n"
    "  INDEX FIRST LAST PORT ADDRESS TEST DOMAIN[/URI] [MARK]\n"
    "attempts FIRST to LAST from the local ports from PORT on (0: any), with TEST curl_test_http,\n"
    "curl_test_https_tls12, curl_test_https_tls13 or curl_test_http3. A result is a line:\n"
    "  INDEX|NUMBER|CODE|STATUS|BYTES|MS|CONNECTED|ADDRESS|ERROR\n"
    "with the code that the curl program would end with, or 254 for an answer that is not the "
    "site's.\n"
    "\n"
    " --parallel=<N>         connections at the same time, 1..4096 (default 16)\n"
    " --max-time=<ms>        for an attempt (default 2000)\n"
    " --http-port=<N> --https-port=<N> --quic-port=<N>\n"
    " --head                 HTTPS and HTTP/3: only the header of the page\n"
    " --stop-at-failure      no more attempts of a job after a bad one\n"
    " --enough               end with the first job whose attempts are all good\n"
    " --user-agent=<text>    (default Mozilla)\n"
    " --header-file=<file>   more headers, one a line\n"
    " --cacert=<file>        authorities to trust\n"
    " --insecure             trust everybody\n"
    " --help                 this text\n";

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
    {nullptr, 0, nullptr, 0},
};

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
        return read_headers(optarg, o.headers);
    case opt_cacert:
        o.cacert = optarg;
        return true;
    case opt_insecure:
        o.insecure = true;
        return true;
    default:
        std::fputs(usage, stderr);
        return false;
    }
}

} // namespace

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
    return true;
}

} // namespace nfqws2::probe
