#include "batch.hpp"

#include <csignal>
#include <sys/prctl.h>

namespace nfqws2::probe {

namespace {

volatile std::sig_atomic_t stopped = 0;

void on_stop(int) {
    stopped = 1;
}

} // namespace

bool is_stopped() {
    return stopped != 0;
}

// Who has started this program may be killed: then nobody wants its results, and its daemons shall
// go.
void stop_at_signals() {
    std::signal(SIGTERM, on_stop);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

} // namespace nfqws2::probe
