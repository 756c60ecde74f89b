#include "nfqws2/rules/state/meters.hpp"

#include "bucket.hpp"
#include "sharded_table.hpp"

#include <algorithm>
#include <cstring>

namespace nfqws2::rules {

namespace {

// What a field of a key begins with.
constexpr std::uint8_t absent = 0, number = 1, ipv4 = 4, ipv6 = 6;

struct NamedBucket {
    std::uint32_t hash = 0;
    std::uint8_t kind = 0; // BucketNode::key_v4, key_v6 or 0
    std::array<std::uint8_t, 16> key{};
};

NamedBucket name_bucket(const SipKey& sip, std::uint16_t tag, const BucketKey& fields) {
    std::array<std::uint8_t, BucketKey::room + 2> text;
    const Bytes bytes = fields.bytes();
    store_be16(text.data(), tag);
    std::memcpy(text.data() + 2, bytes.data(), bytes.size());
    const Bytes hashed = Bytes(text).first(bytes.size() + 2);
    NamedBucket name;
    if (const auto address = fields.only_address()) {
        name.kind = address->version == 4 ? BucketNode::key_v4 : BucketNode::key_v6;
        name.key = address->raw;
        name.hash = table_hash(sip, hashed);
        return name;
    }
    const Hash128 hash = siphash128(sip, hashed);
    std::memcpy(name.key.data(), &hash.first, 8);
    std::memcpy(name.key.data() + 8, &hash.second, 8);
    name.hash = static_cast<std::uint32_t>(hash.first ^ hash.second >> 32);
    return name;
}

std::unique_lock<std::mutex> lock_if(bool shared, std::mutex& mutex) {
    return shared ? std::unique_lock(mutex) : std::unique_lock<std::mutex>();
}

void note(const RateVerdict& verdict, std::uint32_t packets, std::atomic<std::uint64_t>& exceed,
          std::atomic<std::uint64_t>& violate) {
    if (verdict.cooling || verdict.level == RateLevel::conform) return;
    (verdict.level == RateLevel::exceed ? exceed : violate)
        .fetch_add(packets, std::memory_order_relaxed);
}

RateLimit::Counts counts_of(const std::atomic<std::uint64_t>& exceed,
                            const std::atomic<std::uint64_t>& violate, std::uint64_t full,
                            std::uint64_t buckets) {
    return {exceed.load(std::memory_order_relaxed), violate.load(std::memory_order_relaxed), full,
            buckets};
}

// The object of that id and parameters that rules still hold; drops what none hold.
template <typename Meter>
std::shared_ptr<Meter> still_there(std::vector<std::weak_ptr<Meter>>& all, std::uint8_t id,
                                   const RateParameters& parameters) {
    std::shared_ptr<Meter> found;
    std::erase_if(all, [&](const std::weak_ptr<Meter>& weak) {
        const auto meter = weak.lock();
        if (meter && meter->id() == id && meter->parameters() == parameters) found = meter;
        return !meter;
    });
    return found;
}

} // namespace

void BucketKey::put(std::uint8_t kind, Bytes data) {
    if (size_ + 1 + data.size() > text_.size()) return;
    text_[size_] = kind;
    if (!data.empty()) std::memcpy(text_.data() + size_ + 1, data.data(), data.size());
    size_ += 1 + data.size();
}

void BucketKey::add(const IpAddress& address) {
    put(address.empty() ? absent : address.version, address.bytes());
}

void BucketKey::add(std::uint32_t value) {
    std::array<std::uint8_t, 4> bytes;
    store_be32(bytes.data(), value);
    put(number, bytes);
}

void BucketKey::add_absent() {
    put(absent, {});
}

std::optional<IpAddress> BucketKey::only_address() const {
    if (size_ == 5 && text_[0] == ipv4) return IpAddress::v4(text_.data() + 1);
    if (size_ == 17 && text_[0] == ipv6) return IpAddress::v6(text_.data() + 1);
    return std::nullopt;
}

// How many buckets of each tag there are. Few tags are in use at a time, and their pages stay.
class CountsOfTags {
  public:
    void prepare(std::uint16_t tag) { // before it is in use; by one thread
        auto& page = pages_[tag / per_page];
        if (!page) page = std::make_unique<Page>();
    }
    std::atomic<std::uint32_t>& of(std::uint16_t tag) const {
        return (*pages_[tag / per_page])[tag % per_page];
    }

  private:
    static constexpr std::size_t per_page = 256, pages = 65536 / per_page;
    using Page = std::array<std::atomic<std::uint32_t>, per_page>;
    std::array<std::unique_ptr<Page>, pages> pages_;
};

class BucketParts {
  public:
    explicit BucketParts(const TableSetup& setup)
        : table(setup), key(setup.key), shared(setup.shared) {}
    ShardedTable<BucketNode> table;
    CountsOfTags counts;
    SipKey key;
    bool shared;
};

RateLimit::RateLimit(std::shared_ptr<BucketParts> parts, std::uint8_t id, std::uint16_t tag,
                     const RateParameters& parameters)
    : parts_(std::move(parts)), id_(id), tag_(tag), parameters_(parameters),
      spare_(std::make_unique<BucketNode>()) {
}
RateLimit::~RateLimit() = default;

RateVerdict RateLimit::count(const BucketKey& key, std::uint32_t packets, std::uint64_t bytes,
                             std::int64_t now_ns) {
    const NamedBucket name = name_bucket(parts_->key, tag_, key);
    RateVerdict verdict;
    {
        auto& part = parts_->table.part_of(name.hash);
        const auto held = parts_->table.lock(part);
        BucketNode* bucket = part.find(name.hash, [&](const BucketNode& found) {
            return found.tag == tag_ && found.key == name.key &&
                   (found.flags & (BucketNode::key_v4 | BucketNode::key_v6)) == name.kind;
        });
        if (bucket == nullptr) {
            const auto idle = [&](const BucketNode& other) { return other.idle(now_ns); };
            bucket = part.make(
                name.hash, idle,
                [&](const BucketNode& other) { return idle(other) ? worthless : must_stay; },
                [&](const BucketNode& gone) {
                    parts_->counts.of(gone.tag).fetch_sub(1, std::memory_order_relaxed);
                });
            if (bucket != nullptr) {
                bucket->tag = tag_;
                parts_->counts.of(tag_).fetch_add(1, std::memory_order_relaxed);
                bucket->key = name.key;
                bucket->flags = name.kind;
                bucket->begin(now_ns, parameters_.cooldown_ms);
            }
        }
        if (bucket != nullptr) verdict = bucket->count(parameters_, packets, bytes, now_ns);
        if (bucket == nullptr) full_.fetch_add(packets, std::memory_order_relaxed);
        if (bucket == nullptr) verdict = count_spare(packets, bytes, now_ns);
    }
    note(verdict, packets, exceed_, violate_);
    return verdict;
}

RateVerdict RateLimit::count_spare(std::uint32_t packets, std::uint64_t bytes,
                                   std::int64_t now_ns) {
    const auto held = lock_if(parts_->shared, spare_lock_);
    if (!spare_begun_) {
        spare_begun_ = true;
        spare_->begin(now_ns, parameters_.cooldown_ms);
    }
    return spare_->count(parameters_, packets, bytes, now_ns);
}

RateLimit::Counts RateLimit::counts() const {
    return counts_of(exceed_, violate_, full_.load(std::memory_order_relaxed),
                     parts_->counts.of(tag_).load(std::memory_order_relaxed));
}

Rate::Rate(bool shared, std::uint8_t id, const RateParameters& parameters)
    : shared_(shared), id_(id), parameters_(parameters), bucket_(std::make_unique<BucketNode>()) {
}
Rate::~Rate() = default;

RateVerdict Rate::count(std::uint32_t packets, std::uint64_t bytes, std::int64_t now_ns) {
    RateVerdict verdict;
    {
        const auto held = lock_if(shared_, lock_);
        if (!begun_) {
            begun_ = true;
            bucket_->begin(now_ns, parameters_.cooldown_ms);
        }
        verdict = bucket_->count(parameters_, packets, bytes, now_ns);
    }
    if (verdict.level == RateLevel::violate) verdict.level = RateLevel::exceed;
    if (verdict.level == RateLevel::exceed && !verdict.cooling)
        exceed_.fetch_add(packets, std::memory_order_relaxed);
    return verdict;
}

RateLimit::Counts Rate::counts() const {
    return {exceed_.load(std::memory_order_relaxed), 0, 0, 1};
}

Meters::Meters(const TableSetup& setup)
    : parts_(std::make_shared<BucketParts>(setup)), shared_(setup.shared) {
}
Meters::~Meters() = default;

std::shared_ptr<RateLimit> Meters::ratelimit(std::uint8_t id, const RateParameters& parameters) {
    const std::lock_guard held(lock_);
    if (auto found = still_there(limits_, id, parameters)) return found;
    const auto in_use = [this](std::uint16_t tag) {
        return std::any_of(limits_.begin(), limits_.end(), [&](const auto& weak) {
            const auto meter = weak.lock();
            return meter && meter->tag_ == tag;
        });
    };
    std::uint16_t tag;
    do
        tag = next_tag_++;
    while (tag == 0 || in_use(tag));
    parts_->counts.prepare(tag);
    auto made = std::make_shared<RateLimit>(parts_, id, tag, parameters);
    limits_.push_back(made);
    return made;
}

std::shared_ptr<Rate> Meters::rate(std::uint8_t id, const RateParameters& parameters) {
    const std::lock_guard held(lock_);
    if (auto found = still_there(rates_, id, parameters)) return found;
    auto made = std::make_shared<Rate>(shared_, id, parameters);
    rates_.push_back(made);
    return made;
}

void Meters::set_limit(std::size_t buckets) {
    parts_->table.set_limit(buckets);
}

TableCounts Meters::counts() const {
    return parts_->table.counts();
}

[[gnu::cold]] std::uint64_t Meters::scan(std::uint64_t cursor, std::int64_t now_ns,
                                         const std::function<void(const Listed&)>& see) const {
    const std::lock_guard held(lock_);
    std::vector<std::pair<std::uint16_t, std::uint8_t>> ids; // by tag
    for (const auto& weak : limits_)
        if (const auto meter = weak.lock()) ids.emplace_back(meter->tag_, meter->id_);
    return parts_->table.scan(cursor, [&](const BucketNode& bucket) {
        const auto id = std::find_if(ids.begin(), ids.end(),
                                     [&](const auto& pair) { return pair.first == bucket.tag; });
        BucketNode copy = bucket;
        const BucketNode::Speed speed = copy.speed(now_ns);
        Listed item{
            id == ids.end() ? std::uint8_t{0} : id->second, {}, bucket.key, speed.pps, speed.bps};
        if ((bucket.flags & BucketNode::key_v4) != 0)
            item.address = IpAddress::v4(bucket.key.data());
        if ((bucket.flags & BucketNode::key_v6) != 0)
            item.address = IpAddress::v6(bucket.key.data());
        see(item);
    });
}

bool Sampler::take(std::uint32_t packets, Random& random) {
    if (how_ == How::random) {
        for (std::uint32_t i = 0; i < packets; i++)
            if (random.below(n_) == 0) return true;
        return false;
    }
    const std::uint64_t before = seen_ / n_;
    seen_ += packets;
    return seen_ / n_ != before;
}

bool sample_by_key(const SipKey& key, const BucketKey& fields, std::uint32_t n) {
    return siphash<2, 4>(key, fields.bytes()) % n == 0;
}

} // namespace nfqws2::rules
