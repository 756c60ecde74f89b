// The contents of one host list, immutable. 8.5 bytes per host whatever its length.
//
// Only keyed hashes are kept: 95 bits of SipHash-2-4 per entry. 32 of them (the position) order the
// entries and choose a bucket of 8 on average; the other 63 are stored and compared. A name that is
// not in the list is taken for an entry with probability (bucket size) * 2^-63, about 10^-18, per
// label tried, and names cannot be chosen to collide without the key: a false answer is not to be
// expected in 10^15 look-ups of any list.
#pragma once

#include "nfqws2/profile/page_array.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nfqws2::profile {

enum class HostMatch : std::uint8_t { none, strict, plain };

class HostTable {
  public:
    HostMatch find(std::string_view name) const; // this very name
    bool empty() const { return fingerprints_.empty(); }
    std::size_t size() const { return fingerprints_.size(); } // without duplicates
    std::size_t memory() const { return fingerprints_.memory() + buckets_.memory(); }

  private:
    friend class HostTableBuilder;
    std::size_t bucket(std::uint32_t position) const;

    PageArray<std::uint64_t> fingerprints_; // ordered by bucket; lowest bit: strict
    PageArray<std::uint32_t> buckets_;      // index of the first entry; one more than buckets
    std::size_t longest_ = 0;               // longer names are not in here
};

class HostTableBuilder {
  public:
    // A list entry: optional `^`, any case. Longer than 4095 bytes: ignored.
    void add(std::string_view entry);
    std::size_t accepted() const { return accepted_; } // with duplicates
    HostTable finish();

  private:
    // Twelve bytes; the fingerprint is split to avoid padding.
    struct Record {
        std::uint32_t position, high, low;
    };

    PageArray<Record> records_;
    std::size_t accepted_ = 0, longest_ = 0;
};

// "example.com." is the same host: the dot names the root of the DNS. Entries are kept without it.
inline std::string_view without_root_dot(std::string_view host) {
    if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
    return host;
}

// Walk over a host and its parents (docs/contracts/lists.md#host-lists): `find` is for one name.
// Returns the offset of the part that matched; a strict entry counts for the whole host only.
template <typename Find>
std::optional<std::size_t> match_host(std::string_view host, bool is_ip, Find&& find) {
    host = without_root_dot(host);
    std::size_t offset = 0;
    for (;;) {
        const std::string_view name = host.substr(offset);
        if (!name.empty() && name.front() != '.') {
            const HostMatch match = find(name);
            if (match == HostMatch::plain || (match == HostMatch::strict && offset == 0))
                return offset;
        }
        const std::size_t dot = is_ip ? std::string_view::npos : host.find('.', offset);
        if (dot == std::string_view::npos) return std::nullopt;
        offset = dot + 1;
    }
}

} // namespace nfqws2::profile
