#include "nfqws2/profile/host_table.hpp"

#include "nfqws2/base/siphash.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <array>

namespace nfqws2::profile {

namespace {

constexpr std::size_t hosts_per_bucket = 8;
constexpr std::size_t longest_entry = 4095;    // no host name; bounds the work of a look-up
constexpr std::size_t give_back_every = 65536; // records

} // namespace

HostKey HostKey::of(std::string_view name) {
    const Hash128 hash = siphash128(SipKey::of_process(), as_bytes(name));
    return {static_cast<std::uint32_t>(hash.second), hash.first & ~std::uint64_t{1}};
}

HostKey HostName::key(std::string_view part) const {
    for (unsigned i = 0; i < count_; i++)
        if (kept_[i].size == part.size()) return kept_[i].key;
    const HostKey key = HostKey::of(part);
    if (count_ < most_kept) kept_[count_++] = {part.size(), key};
    return key;
}

std::size_t HostTable::bucket(std::uint32_t position) const {
    return static_cast<std::size_t>(std::uint64_t{position} * (buckets_.size() - 1) >> 32);
}

HostMatch HostTable::find(std::string_view name) const {
    return may_have(name) ? find(HostKey::of(name)) : HostMatch::none;
}

HostMatch HostTable::find(std::string_view part, const HostName& host) const {
    return may_have(part) ? find(host.key(part)) : HostMatch::none;
}

HostMatch HostTable::find(const HostKey& key) const {
    const std::size_t b = bucket(key.position);
    for (std::size_t i = buckets_[b]; i < buckets_[b + 1]; ++i)
        if ((fingerprints_[i] & ~std::uint64_t{1}) == key.fingerprint)
            return (fingerprints_[i] & 1) != 0 ? HostMatch::strict : HostMatch::plain;
    return HostMatch::none;
}

void HostTableBuilder::add(std::string_view entry) {
    const bool strict = !entry.empty() && entry.front() == '^';
    if (strict) entry.remove_prefix(1);
    if (entry.size() > longest_entry) return;

    std::array<char, longest_entry> lower;
    std::transform(entry.begin(), entry.end(), lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    const HostKey key = HostKey::of({lower.data(), entry.size()});
    records_.push_back({key.position, static_cast<std::uint32_t>(key.fingerprint >> 32),
                        static_cast<std::uint32_t>(key.fingerprint) | (strict ? 1U : 0U)});
    longest_ = std::max(longest_, entry.size());
    ++accepted_;
}

HostTable HostTableBuilder::finish() {
    // Descending, and then taken from the back, so that the records give way to the table as it
    // grows. Of equal names the one that is not strict comes first and is kept: it covers more.
    std::sort(records_.begin(), records_.end(), [](const Record& a, const Record& b) {
        if (a.position != b.position) return a.position > b.position;
        return a.high != b.high ? a.high > b.high : a.low > b.low;
    });

    HostTable table;
    table.longest_ = longest_;
    const std::size_t buckets = records_.size() / hosts_per_bucket + 1;
    table.buckets_.resize(buckets + 1);
    std::size_t filled = 0; // buckets whose end is known
    std::optional<Record> last;
    while (!records_.empty()) {
        const Record r = records_[records_.size() - 1];
        records_.truncate(records_.size() - 1);
        if (records_.size() % give_back_every == 0) records_.shrink();
        if (last && last->position == r.position && last->high == r.high &&
            (last->low | 1) == (r.low | 1))
            continue;
        last = r;
        for (const std::size_t b = table.bucket(r.position); filled < b; ++filled)
            table.buckets_[filled + 1] = static_cast<std::uint32_t>(table.size());
        table.fingerprints_.push_back(std::uint64_t{r.high} << 32 | r.low);
    }
    for (; filled < buckets; ++filled)
        table.buckets_[filled + 1] = static_cast<std::uint32_t>(table.size());
    table.fingerprints_.shrink();
    return table;
}

} // namespace nfqws2::profile
