// The records of the orchestrator `learn` (lua/zapret-learn.lua) as people see them: a host with
// the strategies that were tried with it.
#pragma once

#include "nfqws2/base/json.hpp"
#include "nfqws2/profile/generation.hpp"
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

// As the script makes a part of a key of it; of a host without the root of all names at its end.
std::string key_part(std::string_view text);
std::string host_part(std::string_view host);

struct RecordName {
    std::string_view key, host;
    std::optional<unsigned> strategy; // the record is that of a strategy
};
std::optional<RecordName> record_name(std::string_view key);

void write_strategies(JsonWriter& json, const std::vector<TriedStrategy>& strategies);

struct LearnResults {
    double ok = 0, bad = 0;
    std::optional<unsigned> current;
};
void write_results(JsonWriter& json, const LearnResults& results);

// What the instances of `learn` in a set of profiles have found out. Asks for single records, so
// that it costs the same however many there are.
class Learnings {
  public:
    Learnings(const store::Stores* stores, const profile::Generation& profiles);

    // Of all instances together; nullopt: none has heard of it.
    std::optional<LearnResults> of_host(std::string_view host) const;
    // The sums of all hosts; nullopt: the instance does not learn.
    std::optional<std::vector<TriedStrategy>> sums(const profile::LuaInstance& instance) const;
    // The highest number of a strategy of a key; 0: no instance uses it, or they have none.
    unsigned last_strategy(std::string_view key) const;

  private:
    struct Key {
        std::string name;
        unsigned strategies = 0;
        bool operator==(const Key&) const = default;
    };
    void add_keys(const profile::Profile& profile);
    std::vector<TriedStrategy> tried_with(const Key& key, std::string_view host) const;

    const store::Stores* stores_;
    std::size_t store_ = 0;
    std::map<const profile::LuaInstance*, Key> by_instance_;
    std::vector<Key> keys_; // each once
};

// A line of what somebody says of it.
std::string learned_line(const LearnedHost& host);

} // namespace nfqws2::app
