// A program with what it needs at run time. Immutable but for its meters; workers share it.
#pragma once

#include "nfqws2/rules/judge.hpp"
#include "program.hpp"

namespace nfqws2::rules {

struct InForce {
    std::shared_ptr<const Program> program;
    std::vector<std::shared_ptr<RateLimit>> ratelimits;
    std::vector<std::shared_ptr<Rate>> rates;
    std::vector<std::shared_ptr<const PrefixSets>> views;
    std::shared_ptr<const GeoDatabases> geo;
    MemoryShare of_sets;

    explicit InForce(MemoryBudget* budget) : of_sets(budget, MemoryBudget::Part::lists) {}
};

} // namespace nfqws2::rules
