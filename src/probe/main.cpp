#include "options.hpp"
#include "transfers.hpp"

#include <csignal>
#include <curl/curl.h>

int main(int argc, char** argv) {
    // A TLS library writes to connections that the other side may have closed.
    std::signal(SIGPIPE, SIG_IGN);
    nfqws2::probe::Options options;
    int exit_code = 0;
    if (!nfqws2::probe::read_options(argc, argv, options, exit_code)) {
        return exit_code;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        std::fputs("libcurl does not start\n", stderr);
        return 2;
    }
    const auto end = nfqws2::probe::run_jobs(options, stdin, stdout);
    curl_global_cleanup();
    switch (end) {
    case nfqws2::probe::End::done:
        return 0;
    case nfqws2::probe::End::enough:
        return 3;
    default:
        return 2;
    }
}
