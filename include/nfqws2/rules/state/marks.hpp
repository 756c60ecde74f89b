// Marks with lifetimes: what rules (and scripts) remember about hosts, pairs of hosts and
// connections. One table for the four kinds, 48 bytes an entry.
//
// Times are nanoseconds of one clock, that of the packets; a mark that was written "later" than
// now has age 0. All functions but the constructor are safe for any thread if the table was set up
// as shared; reading and writing of one mark are atomic.
#pragma once

#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/rules/state/table_setup.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace nfqws2::rules {

enum class MarkKind : std::uint8_t {
    source,      // hmark: source address
    destination, // dhmark: destination address
    pair,        // sdhmark, sdmark: source and destination, in this order
    connection   // connmark: the same for both directions
};
// By the words of rules: "hmark", "dhmark", "sdhmark" or "sdmark", "connmark".
std::optional<MarkKind> mark_kind(std::string_view word);
std::string_view mark_word(MarkKind kind);

// How an action changes a mark. `restore` and `save` move between a mark and the common mark and
// are the caller's: restore is a write with `set` of the common mark; save is find(), and if that
// is valid, its value becomes the common mark.
enum class MarkHow : std::uint8_t {
    set,
    add,
    sub,
    mult,
    div,
    inc,
    dec,
    bit_and,
    bit_or,
    bit_xor,
    bit_not,
    restore,
    save
};
// "set", "add", ..., "and", "or", "xor", "not", "restore", "save".
std::optional<MarkHow> mark_how(std::string_view word);
// The new value. Modulo 2^32; `operand` means nothing to inc, dec and not. A division by 0 leaves
// the old value (the compiler refuses it). restore counts as set, save as no change.
std::uint32_t apply_mark_how(MarkHow how, std::uint32_t old, std::uint32_t operand);

enum class MarkStatus : std::uint8_t { none, valid, expired };

struct Mark {
    MarkStatus status = MarkStatus::none;
    std::uint32_t value = 0;
    std::int64_t age_ns = 0;      // since it was last written, in both states
    std::int64_t lifetime_ns = 0; // as written, 0 = permanent
};

enum class AgeOp : std::uint8_t { null, eq, lt, gt, bw };

// The arguments of the matches hmark, dhmark, sdhmark and connmark.
struct MarkTest {
    bool expired = false; // status asked for: valid or expired
    AgeOp age_op = AgeOp::null;
    std::int64_t age_ns = 0, age_to_ns = 0; // the second of bw only
    bool any_value = true;
    std::uint32_t value_from = 0, value_to = 0;

    // eq compares whole seconds, lt and gt are strict, bw includes both ends.
    bool holds(const Mark& mark) const;
    bool operator==(const MarkTest&) const = default;
};

// Names one mark. Up to 16 bytes of addresses and ports are kept as they are, longer ones (pairs
// and connections of IPv6) as 128 bits of SipHash: then equal hashes count as equal keys, and a
// listing cannot tell the addresses.
struct MarkKey {
    std::array<std::uint8_t, 16> data{};
    std::uint32_t hash = 0;
    MarkKind kind = MarkKind::source;
    std::uint8_t id = 0;     // 1..255
    std::uint8_t length = 0; // bytes of `data` that are the key itself; 0: it is a hash
};

class MarkTable {
  public:
    static constexpr std::int64_t kept_after_expiry_ns = 3600LL * 1'000'000'000;

    // Throws std::bad_alloc.
    explicit MarkTable(const TableSetup& setup);
    ~MarkTable();
    MarkTable(const MarkTable&) = delete;
    MarkTable& operator=(const MarkTable&) = delete;

    // Addresses of the outer IP header. A source is cut to ipv6_source_bits (in hmark and
    // sdhmark), a destination is not. Making a key costs the hash: once per packet, kind and id.
    MarkKey source(std::uint8_t id, const IpAddress& source) const;
    MarkKey destination(std::uint8_t id, const IpAddress& destination) const;
    MarkKey pair(std::uint8_t id, const IpAddress& source, const IpAddress& destination) const;
    // TCP, UDP and SCTP with ports; others, later fragments and tunnels (outer addresses, protocol
    // number of the outer header) with 0 for both. Either direction gives the same key.
    MarkKey connection(std::uint8_t id, std::uint8_t protocol, const IpAddress& a,
                       std::uint16_t a_port, const IpAddress& b, std::uint16_t b_port) const;

    Mark find(const MarkKey& key, std::int64_t now_ns) const;
    // Reads, changes by `how` (a missing or expired mark counts as 0), writes with the time and
    // the new lifetime (0 = permanent). The new value; `save` changes nothing and gives the old.
    // False in `*written` (if given) when memory is short: the mark is lost, and counted.
    std::uint32_t write(const MarkKey& key, MarkHow how, std::uint32_t operand,
                        std::int64_t lifetime_ns, std::int64_t now_ns, bool* written = nullptr);
    // Whether it was there.
    bool erase(const MarkKey& key);

    // A part of a walk through all marks (begin with 0, goes on with what it gives back until that
    // is 0), so that a listing of millions never holds a lock for long. `see` is called with the
    // lock of a part held: it must not use the table.
    struct Listed {
        MarkKind kind;
        std::uint8_t id;
        IpAddress a, b; // none where the key is a hash, b also where there is one address only
        std::uint16_t a_port, b_port;
        std::uint8_t protocol;
        Mark mark;
    };
    std::uint64_t scan(std::uint64_t cursor, std::int64_t now_ns,
                       const std::function<void(const Listed&)>& see) const;

    // After a reload. A smaller one is reached step by step, as marks are written.
    void set_limit(std::size_t entries);
    // `evicted` is worth a line in the log, once a minute at most: that is the caller's.
    TableCounts counts() const;
    std::uint64_t refused() const; // writes lost for want of memory

  private:
    class Parts;
    std::unique_ptr<Parts> parts_;
    SipKey key_;
    unsigned source_bits_;
};

} // namespace nfqws2::rules
