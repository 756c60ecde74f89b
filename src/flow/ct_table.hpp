// Where simulated connections are kept: 64 bytes a flow in pages that follow the slabs of the
// tracks, and a small table for what has no track.
#pragma once

#include "nfqws2/base/siphash.hpp"
#include "nfqws2/flow/track.hpp"
#include "nfqws2/packet/connection.hpp"

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace nfqws2::flow {

struct CtEntry {
    std::uint64_t bytes[2]{}; // [0] original, [1] reply
    std::uint64_t packets[2]{};
    std::uint32_t ends[2]{};   // TCP: highest sequence that was sent
    std::uint32_t expires_s{}; // of the clock of boot
    std::uint32_t first_ms{};  // when it began, modulo 2^32
    std::uint32_t mark{}, id{};
    std::uint32_t extra{}; // place in the list of CtExtra, 0 = none
    std::uint16_t status{};
    std::uint8_t tcp_state{};
    bool exists : 1 {}, by_server : 1 {}; // by_server: the track's server sent the first packet
    bool unacknowledged_original : 1 {}, unacknowledged_reply : 1 {};
    bool told : 1 {};    // observers know that it is there
    bool removed : 1 {}; // by a script; goes when nobody looks at it any more
    bool by_hand : 1 {}; // a script has made it
};
static_assert(sizeof(CtEntry) == 64);

namespace detail {

class CtPages {
  public:
    // nullptr: there is none.
    CtEntry* find(const Track& track) const;
    CtEntry& make(const Track& track); // which has none
    void drop(const Track& track);
    std::size_t used() const { return used_; }
    std::size_t bytes() const { return pages_in_use_ * page_bytes_; }

  private:
    struct Page {
        std::vector<CtEntry> entries;
        unsigned used = 0;
    };
    std::vector<std::unique_ptr<Page>> pages_; // by slab
    std::size_t used_ = 0, pages_in_use_ = 0, page_bytes_ = 0;
};

// Least recently used ones give way.
class CtSmallTable {
  public:
    static constexpr std::size_t most = 65'536;
    struct Entry : CtEntry {
        packet::CtTuple orig;
    };
    explicit CtSmallTable(const SipKey& key) : by_tuple_(16, Hash{key}) {}

    // In either direction.
    Entry* find(const packet::CtTuple& tuple);
    // The entry that has to give way is handed out before it goes.
    template <typename Dropped> Entry& make(const packet::CtTuple& orig, Dropped dropped) {
        if (list_.size() >= most) {
            dropped(list_.back());
            drop(list_.back());
        }
        return add(orig);
    }
    void drop(Entry& entry);
    void use(Entry& entry); // it becomes the most recently used one
    std::size_t size() const { return list_.size(); }
    std::list<Entry>& all() { return list_; }

  private:
    // The same for both directions, so that one look-up is enough.
    static packet::CtTuple key_of(const packet::CtTuple& tuple);
    struct Hash {
        SipKey key;
        std::size_t operator()(const packet::CtTuple& t) const;
    };
    Entry& add(const packet::CtTuple& orig);

    std::list<Entry> list_; // the most recently used first
    std::unordered_map<packet::CtTuple, std::list<Entry>::iterator, Hash> by_tuple_;
};

} // namespace detail
} // namespace nfqws2::flow
