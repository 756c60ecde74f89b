// Hellos that have left but are kept with their flows, in order of their last use. Intrusive.
#pragma once

#include "nfqws2/flow/track.hpp"

namespace nfqws2::flow {

class PastList {
  public:
    static std::size_t cost(const PastHello& past);

    void add(Track& track, std::unique_ptr<PastHello> past);
    std::unique_ptr<PastHello> take(Track& track); // nullptr if there is none

    PastHello* oldest() const { return first_; }
    std::size_t bytes() const { return bytes_; }

  private:
    PastHello *first_ = nullptr, *last_ = nullptr;
    std::size_t bytes_ = 0;
};

} // namespace nfqws2::flow
