#include "batch.hpp"
#include "options.hpp"
#include "report.hpp"

#include <csignal>
#include <cstdio>
#include <sys/resource.h>

namespace {

// A connection takes a few descriptors.
void raise_limit_of_files() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

} // namespace

int main(int argc, char** argv) {
    using namespace nfqws2::probe;
    // A TLS library writes to connections that the other side may have closed.
    std::signal(SIGPIPE, SIG_IGN);
    Options options;
    int exit_code = 0;
    if (!read_options(argc, argv, options, exit_code)) {
        return exit_code;
    }
    if (options.proposes()) {
        return propose(options, stdin, stdout) == End::done ? 0 : 2;
    }
    if (options.reports()) {
        return report(options, stdin, stdout) ? 0 : 2;
    }
    stop_at_signals();
    raise_limit_of_files();
    const auto asker = make_asker(options);
    if (!asker) {
        std::fputs("libcurl is missing or does not start: --curl names a program instead\n",
                   stderr);
        return 2;
    }
    const auto run = options.folder.empty() ? run_jobs : run_batch;
    switch (run(options, *asker, stdin, stdout)) {
    case End::done:
        return 0;
    case End::enough:
        return 3;
    default:
        return 2;
    }
}
