// The whole program: start-up (docs/contracts/command-line.md#start-order), one of the loops, the
// exit code.
#pragma once

namespace nfqws2::app {

int run_program(int argc, const char* const* argv);

} // namespace nfqws2::app
