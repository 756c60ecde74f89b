// What became of host names whose flows have ended. Bounded in number and by the budget: the name
// that was not seen for longest goes first, approximately.
#pragma once

#include "nfqws2/base/memory_budget.hpp"
#include "nfqws2/base/siphash.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace nfqws2::flow {

class Track;

class PastHosts {
  public:
    struct Host {
        std::string name;
        std::uint64_t flows = 0, answered = 0; // answered: data came back
        std::uint64_t bytes = 0;               // of both directions
        std::int64_t seen_s = 0;               // Unix time of the last end
        bool fresh = true;                     // since the hand passed
    };
    static constexpr std::size_t usual = 10'000;

    PastHosts(std::size_t most, MemoryBudget* budget);

    // A flow that ends. Without a host name nothing is kept.
    void add(const Track& track, std::int64_t unix_s);
    // In no order; what is at a place may be another one later.
    std::size_t size() const { return hosts_.size(); }
    const Host& at(std::size_t place) const { return hosts_[place]; }

  private:
    // Names come from the network: nobody is to aim many of them at one place.
    struct KeyedHash {
        SipKey key;
        KeyedHash() : key(SipKey::of_process()) {}
        std::size_t operator()(std::string_view name) const {
            return static_cast<std::size_t>(table_hash(key, as_bytes(name)));
        }
    };

    Host* room_for(std::string_view name);
    static std::size_t cost(std::string_view name);

    std::size_t most_;
    MemoryBudget* budget_;
    MemoryShare share_;
    std::size_t bytes_ = 0;
    std::deque<Host> hosts_; // the keys below look into it
    std::unordered_map<std::string_view, Host*, KeyedHash> by_name_;
    std::size_t hand_ = 0;
};

} // namespace nfqws2::flow
