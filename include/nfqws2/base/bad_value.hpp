// The value of an option is refused: why, in words for the user, one or more lines. Thrown by
// whoever reads the value, at start-up only; who knows the option adds its name and place.
#pragma once

#include <stdexcept>

namespace nfqws2 {

class BadValue : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

} // namespace nfqws2
