// What ends the work with a message and exit code 1.
#pragma once

#include <stdexcept>

namespace nfqws2::ctl {

class Failure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

} // namespace nfqws2::ctl
