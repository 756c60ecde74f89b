// A strategy that is tested, and its result.
#pragma once

#include "strategy.hpp"
#include "verdict.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace nfqws2::probe {

struct Item {
    Strategy strategy;
    std::vector<std::uint16_t> ports;
    std::vector<Attempt> attempts;
    // Most strategies of a group that it may be in.
    std::size_t crowd = std::numeric_limits<std::size_t>::max();
    unsigned port_tries = 0;
    unsigned deaf_tries = 0;
    int error = 0; // of the strategy, no network's
    std::string error_text;
    bool done = false;

    int code() const; // of the last bad attempt
    bool has(int attempt_code) const;
    bool was_connected() const; // each time
};

// Its result as a function of a shell, result_NUMBER. A shell reads those much faster than lines.
std::string result_text(const Item& item, std::size_t number);

} // namespace nfqws2::probe
