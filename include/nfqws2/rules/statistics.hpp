// What rules have counted (docs/rules.md#statistics), as plain data and as one JSON object.
#pragma once

#include "nfqws2/rules/judge.hpp"
#include "nfqws2/rules/outputs.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace nfqws2 {
class JsonWriter;
}

namespace nfqws2::rules {

struct Statistics {
    std::int64_t unix_s = 0;
    std::uint64_t packets = 0, dropped = 0;
    bool observe = false;                     // somebody has said so: nothing is dropped
    std::vector<Judge::RuleCounts> rules;     // in the order of the file
    std::vector<Judge::NamedCounts> counters; // by name
    struct Meter {
        std::uint8_t id = 0;
        RateLimit::Counts counts;
    };
    std::vector<Meter> ratelimits, rates;
    TableCounts marks, buckets, sources;
    struct Authentication {
        std::uint8_t id = 0;
        TcpAuth::Counts counts;
    };
    std::vector<Authentication> authentications;
    std::uint64_t answers_limited = 0;
    Outputs::Counts outputs; // filled in by who owns them
};

// The counts of rules piece by piece, of the rules that the first judge has now: a judge that has
// others at the moment, while a reload goes on, is left out.
class RuleListing {
  public:
    explicit RuleListing(std::vector<const Judge*> judges); // at least one
    // The next `most` at most; none: that was all.
    std::vector<Judge::RuleCounts> next(std::size_t most);

  private:
    std::vector<const Judge*> judges_;
    std::shared_ptr<const InForce> rules_;
    std::size_t at_ = 0;
};

// The fastest of the buckets that were shown to it.
class Fastest {
  public:
    explicit Fastest(std::size_t most) : most_(most) {}
    void see(const Meters::Listed& bucket);
    std::vector<Meters::Listed> sorted() const; // the fastest first

  private:
    std::size_t most_;
    std::vector<Meters::Listed> heap_; // the slowest of them on top
};

// Sums over the workers' judges, at least one. Any thread.
Statistics statistics(std::span<const Judge* const> judges, const Tables& tables,
                      std::int64_t unix_s);
Statistics statistics_without_rules(std::span<const Judge* const> judges, const Tables& tables,
                                    std::int64_t unix_s);
// The members of the object of a rule.
void write_counts(JsonWriter& json, const Judge::RuleCounts& rule);
// Ends in `}` and a line end.
std::string to_json(const Statistics& statistics);

} // namespace nfqws2::rules
