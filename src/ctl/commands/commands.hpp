// The words of the command line. Each adds its options to the description of the program and, when
// it is called, does its work there; what goes wrong is thrown as Failure.
#pragma once

#include <CLI/CLI.hpp>

#include <stdexcept>
#include <string>

namespace nfqws2::ctl {

// Ends the program with a message and exit code 1.
class Failure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

void add_ladder(CLI::App& app);

} // namespace nfqws2::ctl
