// Text of one track for people (docs/contracts/flows.md#the-dump).
#pragma once

#include "nfqws2/flow/track.hpp"

#include <string>

namespace nfqws2::flow {

std::string describe(const Track& track, std::int64_t now_ns);

} // namespace nfqws2::flow
