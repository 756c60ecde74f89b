// The contents of one host list, immutable. 8.5 bytes per host whatever its length.
//
// Only keyed hashes are kept: 95 bits of SipHash-2-4 per entry. 32 of them (the position) order the
// entries and choose a bucket of 8 on average; the other 63 are stored and compared. A name that is
// not in the list is taken for an entry with probability (bucket size) * 2^-63, about 10^-18, per
// label tried, and names cannot be chosen to collide without the key: a false answer is not to be
// expected in 10^15 look-ups of any list.
#pragma once

#include "nfqws2/profile/page_array.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nfqws2::profile {

enum class HostMatch : std::uint8_t { none, strict, plain };

// What is stored and compared of a name.
struct HostKey {
    std::uint32_t position;
    std::uint64_t fingerprint; // lowest bit clear

    static HostKey of(std::string_view name);
};

// "example.com." is the same host: the dot names the root of the DNS. Entries are kept without it.
inline std::string_view without_root_dot(std::string_view host) {
    if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
    return host;
}

// A host that is looked for in one list after the other. It and its parents are hashed once, and
// only if a list may have them: with a list in each of 200 profiles that is a third of the search.
class HostName {
  public:
    // The text must stay.
    HostName(std::string_view host, bool is_ip) : text_(host), is_ip_(is_ip) {}

    std::string_view text() const { return text_; } // as it was given
    std::string_view name() const { return without_root_dot(text_); }
    bool is_ip() const { return is_ip_; }     // so it has no parents
    HostKey key(std::string_view part) const; // `part`: an end of the name

  private:
    static constexpr unsigned most_kept = 8; // with more labels the rest is hashed each time
    struct Kept {
        std::size_t size; // tells the ends of one name apart
        HostKey key;
    };

    std::string_view text_;
    bool is_ip_;
    mutable unsigned count_ = 0;
    mutable std::array<Kept, most_kept> kept_;
};

class HostTable {
  public:
    HostMatch find(std::string_view name) const;                       // this very name
    HostMatch find(std::string_view part, const HostName& host) const; // an end of it
    bool empty() const { return fingerprints_.empty(); }
    std::size_t size() const { return fingerprints_.size(); } // without duplicates
    std::size_t memory() const { return fingerprints_.memory() + buckets_.memory(); }

  private:
    friend class HostTableBuilder;
    std::size_t bucket(std::uint32_t position) const;
    bool may_have(std::string_view name) const { return name.size() <= longest_ && !empty(); }
    HostMatch find(const HostKey& key) const;

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

// Walk over a host and its parents (docs/contracts/lists.md#host-lists): `find` is for one name.
// Returns the offset of the part that matched; a strict entry counts for the whole host only.
template <typename Find> std::optional<std::size_t> match_host(const HostName& host, Find&& find) {
    const std::string_view whole = host.name();
    std::size_t offset = 0;
    for (;;) {
        const std::string_view name = whole.substr(offset);
        if (!name.empty() && name.front() != '.') {
            const HostMatch match = find(name);
            if (match == HostMatch::plain || (match == HostMatch::strict && offset == 0))
                return offset;
        }
        const std::size_t dot = host.is_ip() ? whole.npos : whole.find('.', offset);
        if (dot == whole.npos) return std::nullopt;
        offset = dot + 1;
    }
}

} // namespace nfqws2::profile
