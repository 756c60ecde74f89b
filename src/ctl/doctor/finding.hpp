// What the doctor has found.
#pragma once

#include <string>
#include <vector>

namespace nfqws2::ctl {

// problem: it cannot work so. warning: it does not do all that was asked for. note: worth knowing.
enum class Gravity : char { problem, warning, note };

struct Finding {
    std::string code; // stable: scripts and panels know it
    Gravity gravity = Gravity::warning;
    std::string text;       // what is so
    std::string advice;     // what to do
    std::string where = {}; // queue, file, profile: what it is about, "" = the machine
};
using Findings = std::vector<Finding>;

const char* name_of(Gravity gravity);

} // namespace nfqws2::ctl
