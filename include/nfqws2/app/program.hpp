// The whole program: start-up in the order of spec part 01 sections 5 and 6, one of the loops, the
// exit code.
#pragma once

namespace nfqws2::app {

int run_program(int argc, const char* const* argv);

} // namespace nfqws2::app
