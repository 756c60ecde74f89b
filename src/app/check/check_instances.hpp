// Instances that never run (docs/contracts/command-line.md#check).
#pragma once

#include "check/report.hpp"
#include "nfqws2/protocol/names.hpp"

namespace nfqws2::app {

// What decides whether a payload can reach an instance.
struct Circumstances {
    bool server = false;
    bool tracking = true; // connection tracking is on
    protocol::DisableSet payload_disable;
};

void check_instances(const Profiles& profiles, const Circumstances& circumstances, Report& report);

} // namespace nfqws2::app
