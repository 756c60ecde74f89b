// A strategy under test, and what its words mean for those beside it.
#pragma once

#include "job.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::probe {

// Many strategies are profiles of one daemon, told apart by their local ports. Words that act on
// the whole process (--blob, --lua-init) are shared only by those that have the same.
struct Strategy {
    std::string key; // the line that asks for it
    Protocol protocol = Protocol::http;
    std::string place;
    std::vector<std::string> words;  // all of them, with those around it
    std::vector<std::string> global; // those for the process
    bool alone = false;              // it has words that others cannot stand beside

    // The words of its profiles, for these ports; how many profiles that is.
    std::vector<std::string> profiles(std::string_view ports, std::size_t& count) const;
};

// TEST DOMAIN[/URI] WORDS..., with more words before and behind. nullopt if it is no such line.
std::optional<Strategy> read_strategy(std::string_view line, const std::vector<std::string>& before,
                                      const std::vector<std::string>& behind);

} // namespace nfqws2::probe
