// What happens when a forbidden system call was tried.
#pragma once

#include "nfqws2/sandbox/mode.hpp"

namespace nfqws2::sandbox {

// The result of a system call can be set from a signal handler on this architecture, so that
// `report` can be done.
bool can_answer_calls();

// Installs the handler of SIGSYS; to be called before the filter forbids to change it.
bool handle_violations(Mode mode);
// Until then the handler knows numbers only. Called when the filter's memory is free again, which
// the names reuse.
void learn_call_names();

} // namespace nfqws2::sandbox
