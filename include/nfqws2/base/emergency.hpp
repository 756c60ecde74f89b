// Last words of a process: messages put together without the heap and written without locks and
// stdio, for signal handlers that may have interrupted anything.
#pragma once

#include <cstddef>
#include <string_view>

namespace nfqws2::emergency {

class Line {
  public:
    Line& operator<<(std::string_view text);
    Line& operator<<(unsigned value);
    std::string_view text() const { return {data_, size_}; }

  private:
    char data_[512];
    std::size_t size_ = 0;
};

// Remembers the debug target that log.hpp has now, for say(). Not for signal handlers.
void remember_target();

// Writes `line`, which ends with a newline, to stderr and to the remembered target.
void say(std::string_view line);

} // namespace nfqws2::emergency
