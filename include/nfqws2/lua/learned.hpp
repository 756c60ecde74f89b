// What the orchestrator `learn` keeps of a flow (lua/zapret-learn.lua), for those who show it to
// people.
#pragma once

#include <optional>
#include <string>

namespace nfqws2::lua {

struct Learned {
    std::string host;      // whose record
    unsigned strategy = 0; // 0 = none
    std::string why;       // it was chosen
    std::string result;    // "success", "failure", "" = none yet
};

} // namespace nfqws2::lua
