// An explanation as text for people and as JSON for programs.
#pragma once

#include "explain/explain.hpp"

#include <string>
#include <vector>

namespace nfqws2::app {

std::string to_text(const Explanation& explanation);
std::string to_json(const std::vector<Explanation>& explanations);

} // namespace nfqws2::app
