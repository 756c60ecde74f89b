// The records of the orchestrator `learn` (lua/zapret-learn.lua) as people see them: a host with
// the strategies that were tried with it.
#pragma once

#include "nfqws2/store/stores.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::app {

constexpr std::string_view store_of_learn = "learn";

struct TriedStrategy {
    unsigned number = 0;
    double ok = 0, bad = 0;
    std::uint64_t last_ok = 0, last_bad = 0; // Unix time, 0 = never
};

struct LearnedHost {
    std::string key, host; // host "*": the sums of all
    std::optional<unsigned> current, pin;
    std::vector<TriedStrategy> strategies; // by number
};

// Of records in any order; sorted by key and host.
std::vector<LearnedHost> learned_hosts(const std::vector<store::RecordPointer>& records);

// As the script makes a part of a key of it.
std::string key_part(std::string_view text);

struct RecordName {
    std::string_view key, host;
    std::optional<unsigned> strategy; // the record is that of a strategy
};
std::optional<RecordName> record_name(std::string_view key);

// A line of what somebody says of it.
std::string learned_line(const LearnedHost& host);

} // namespace nfqws2::app
