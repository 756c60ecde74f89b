// Lines of the input on their way to the resolver: addresses and bad lines are dealt with here,
// names are handed on one by one.
#pragma once

#include "line_reader.hpp"
#include "mdig/mdig_output.hpp"

#include <string>

namespace nfqws2::tools {

class Intake {
  public:
    Intake(const MdigOptions& options, LineReader& input, MdigOutput& output)
        : options_(options), input_(input), output_(output) {}

    // Takes lines until one has to be resolved, or enough are gathered in the batch; `domain` is
    // empty if there is no name. False: nothing is left. Waits for input only while the batch is
    // empty.
    bool take(unsigned worker, Batch& batch, std::string& domain);
    bool would_wait() { return input_.would_wait(); }

  private:
    bool read_line(const Batch& batch, Line& line);
    void handle(unsigned worker, const Line& line, Batch& batch, std::string& domain);

    const MdigOptions& options_;
    LineReader& input_;
    MdigOutput& output_;
};

} // namespace nfqws2::tools
