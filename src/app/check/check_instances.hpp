// Instances that never run, or not as they may be meant to (docs/contracts/command-line.md#check).
#pragma once

#include "check/report.hpp"
#include "nfqws2/protocol/names.hpp"

namespace nfqws2::app {

// What decides whether a payload can reach an instance.
struct Circumstances {
    bool server = false;
    bool tracking = true; // connection tracking is on
    protocol::DisableSet payload_disable;
    unsigned workers = 1;
    bool counts =
        true; // false: scripts may ask the kernel for connections, which it does not count
};

void check_instances(const Profiles& profiles, const Circumstances& circumstances, Report& report);

} // namespace nfqws2::app
