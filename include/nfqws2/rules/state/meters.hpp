// Meters: how fast packets come, in a sliding window of one second, for each key (ratelimit) or
// for all that pass a rule (rate), and one out of n packets or flows (sample).
//
// They measure and never hold anything back. Times are nanoseconds of the packets' clock; one that
// goes backwards counts as standing still. RateLimit and Rate are safe for any thread if the table
// of buckets was set up as shared. Sampler belongs to one worker.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/rules/state/table_setup.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace nfqws2::rules {

// The values of a meter that go to the verdict register.
enum class RateLevel : std::uint8_t { conform, exceed, violate };
struct RateVerdict {
    RateLevel level = RateLevel::conform;
    bool cooling = false; // by itself the packet conforms: `cooldown` holds as well as the level
    bool operator==(const RateVerdict&) const = default;
};

struct RateBound {
    std::uint64_t rate = 0;    // packets or bits per second, 0 = not asked
    std::int64_t burst_ms = 0; // 0..60'000: over counts only after so long without interruption
    bool operator==(const RateBound&) const = default;
};
struct RateParameters {
    RateBound pps, bps;
    std::int64_t cooldown_ms = 0; // at most 49 days; longer counts as that
    std::uint64_t key_fields = 0; // which fields make the key: the caller's bits, compared only
    bool operator==(const RateParameters&) const = default;
};

// The key of a bucket: fields one after the other, each present or absent. At most `room` bytes
// are kept; all key words together need less.
class BucketKey {
  public:
    static constexpr std::size_t room = 160;

    // An empty one counts as absent. The source of a packet is cut first: source_of().
    void add(const IpAddress& address);
    void add(std::uint32_t number); // ports, protocols, SPI, GRE key
    void add_absent();
    Bytes bytes() const { return Bytes(text_).first(size_); }
    // The address if the key is just that, for listings.
    std::optional<IpAddress> only_address() const;

  private:
    void put(std::uint8_t kind, Bytes data);
    std::array<std::uint8_t, room> text_{};
    std::size_t size_ = 0;
};

struct BucketNode; // 64 bytes
class BucketParts;

// One id of the action `ratelimit`. Made by Meters, kept by the rules that use it.
class RateLimit {
  public:
    // `packets` that this one stands for (merged ones: more than 1), `bytes` their IP lengths.
    RateVerdict count(const BucketKey& key, std::uint32_t packets, std::uint64_t bytes,
                      std::int64_t now_ns);

    std::uint8_t id() const { return id_; }
    const RateParameters& parameters() const { return parameters_; }
    struct Counts {
        std::uint64_t exceed = 0, violate = 0; // packets, cooling ones not
        std::uint64_t buckets_full = 0;        // packets measured in the spare bucket
        std::uint64_t buckets = 0;             // at present, without the spare one
    };
    Counts counts() const;

    RateLimit(std::shared_ptr<BucketParts> parts, std::uint8_t id, std::uint16_t tag,
              const RateParameters& parameters);
    ~RateLimit();
    RateLimit(const RateLimit&) = delete;
    RateLimit& operator=(const RateLimit&) = delete;

  private:
    friend class Meters;
    RateVerdict count_spare(std::uint32_t packets, std::uint64_t bytes, std::int64_t now_ns);

    std::shared_ptr<BucketParts> parts_;
    std::uint8_t id_;
    std::uint16_t tag_; // in the bucket: a later meter of this id does not find its buckets
    RateParameters parameters_;
    std::mutex spare_lock_;
    std::unique_ptr<BucketNode> spare_; // where there is no room for another bucket
    bool spare_begun_ = false;
    std::atomic<std::uint64_t> exceed_{0}, violate_{0}, full_{0};
};

// One id of the action `rate`: one meter, no key. Both rates over are no more than one: `exceed`.
class Rate {
  public:
    RateVerdict count(std::uint32_t packets, std::uint64_t bytes, std::int64_t now_ns);
    std::uint8_t id() const { return id_; }
    const RateParameters& parameters() const { return parameters_; }
    RateLimit::Counts counts() const;

    Rate(bool shared, std::uint8_t id, const RateParameters& parameters);
    ~Rate();
    Rate(const Rate&) = delete;
    Rate& operator=(const Rate&) = delete;

  private:
    bool shared_;
    std::uint8_t id_;
    RateParameters parameters_;
    std::mutex lock_;
    std::unique_ptr<BucketNode> bucket_;
    bool begun_ = false;
    std::atomic<std::uint64_t> exceed_{0};
};

// All meters of the process. ratelimit() and rate() are for the thread that compiles rules (they
// lock); what they give back lives as long as rules hold it, and is the same object for the same id
// and parameters, so that it survives a reload. Destroy it after the rules.
class Meters {
  public:
    explicit Meters(const TableSetup& setup); // throws std::bad_alloc
    ~Meters();
    Meters(const Meters&) = delete;
    Meters& operator=(const Meters&) = delete;

    std::shared_ptr<RateLimit> ratelimit(std::uint8_t id, const RateParameters& parameters);
    std::shared_ptr<Rate> rate(std::uint8_t id, const RateParameters& parameters);

    void set_limit(std::size_t buckets); // after a reload
    TableCounts counts() const;

    // For listings of the fullest: bucket by bucket, as MarkTable::scan. `address` is none where
    // the key is not one address alone; then `key` (a hash) tells buckets apart.
    struct Listed {
        std::uint8_t id; // 0: of rules that are gone
        IpAddress address;
        std::array<std::uint8_t, 16> key;
        std::uint64_t pps, bps; // present speed
    };
    std::uint64_t scan(std::uint64_t cursor, std::int64_t now_ns,
                       const std::function<void(const Listed&)>& see) const;

  private:
    std::shared_ptr<BucketParts> parts_;
    bool shared_;
    mutable std::mutex lock_;
    std::vector<std::weak_ptr<RateLimit>> limits_;
    std::vector<std::weak_ptr<Rate>> rates_;
    std::uint16_t next_tag_ = 1;
};

// The action `sample` without a key: one per worker and rule (or id), for one thread.
class Sampler {
  public:
    enum class How : std::uint8_t { every, random };
    Sampler(std::uint32_t n, How how) : n_(n), how_(how) {} // n >= 1
    // True for each n-th packet from the n-th on, or by chance 1/n. A packet that stands for
    // several is taken if one of them is.
    bool take(std::uint32_t packets, Random& random);

  private:
    std::uint32_t n_;
    How how_;
    std::uint64_t seen_ = 0;
};
// With a key, whole flows: the same answer for the same key, in a run, or with a seed in all.
bool sample_by_key(const SipKey& key, const BucketKey& fields, std::uint32_t n);

} // namespace nfqws2::rules
