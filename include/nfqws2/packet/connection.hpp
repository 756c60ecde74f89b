// What connection tracking knows of a packet, whoever tells it: the kernel or the simulation. Plain
// values without memory of their own; the words for them are the kernel's.
#pragma once

#include "nfqws2/base/ip_address.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace nfqws2::packet {

// Of a packet. The numbers are those of --ct-state-mark, see docs/contracts/flows.md.
enum class CtState : std::uint8_t { unknown, fresh, established, related, invalid, untracked };
std::string_view name(CtState state);                             // "new" for fresh
std::optional<CtState> ct_state_from_name(std::string_view name); // any case; not "unknown"

// A set of states, as filters have it. Empty: no filter.
class CtStateSet {
  public:
    bool empty() const { return bits_ == 0; }
    bool has(CtState state) const { return (bits_ >> static_cast<unsigned>(state) & 1U) != 0; }
    void add(CtState state) {
        bits_ = static_cast<std::uint8_t>(bits_ | 1U << static_cast<unsigned>(state));
    }
    // Every other state, "unknown" among them.
    void invert() { bits_ = static_cast<std::uint8_t>(~bits_ & 0x3FU); }
    bool matches(CtState state) const { return empty() || has(state); }
    bool covers(CtStateSet other) const {
        return empty() || (!other.empty() && (other.bits_ & ~bits_) == 0);
    }
    bool operator==(const CtStateSet&) const = default;

  private:
    std::uint8_t bits_ = 0;
};

enum class CtSource : std::uint8_t { queue, mark, netlink, sim };
std::string_view name(CtSource source);

namespace ct_status {
inline constexpr std::uint32_t expected = 1, seen_reply = 2, assured = 4, confirmed = 8,
                               src_nat = 0x10, dst_nat = 0x20, fixed_timeout = 0x400;
}
struct CtStatusName {
    std::uint32_t bit;
    std::string_view name;
};
std::span<const CtStatusName> ct_status_names();

// States of TCP as the kernel counts them.
enum class CtTcp : std::uint8_t {
    none,
    syn_sent,
    syn_recv,
    established,
    fin_wait,
    close_wait,
    last_ack,
    time_wait,
    close,
    syn_sent2,
    unknown = 255,
};
std::string_view name(CtTcp state); // "" if unknown

// One direction of a connection. Of ICMP and ICMPv6 type, code and id take the place of the ports.
struct CtTuple {
    std::uint8_t proto = 0;
    std::uint8_t icmp_type = 0, icmp_code = 0;
    std::uint16_t icmp_id = 0;
    std::uint16_t sport = 0, dport = 0;
    IpAddress src, dst;

    bool has_ports() const; // TCP, UDP, UDP-Lite, SCTP, DCCP
    bool is_icmp() const { return proto == 1 || proto == 58; }
    bool operator==(const CtTuple&) const = default;
};

struct CtCounter {
    std::uint64_t packets = 0, bytes = 0; // of IP
};

// The name of a helper: at most 15 characters.
class CtHelper {
  public:
    static constexpr std::size_t max_size = 15;
    CtHelper() = default;
    explicit CtHelper(std::string_view name); // what is too long is cut
    bool empty() const { return size_ == 0; }
    std::string_view text() const { return {text_.data(), size_}; }

  private:
    std::array<char, max_size> text_{};
    std::uint8_t size_ = 0;
};

using CtLabels = std::array<std::uint8_t, 16>;

// An entry of the table. What has no value is not known.
struct Connection {
    CtTuple orig, reply;
    std::optional<CtTuple> master;
    std::optional<std::uint32_t> id, mark, status, timeout;
    std::uint16_t zone = 0;
    CtTcp tcp_state = CtTcp::unknown;
    CtHelper helper, master_helper;
    bool counted = false;
    CtCounter orig_counter, reply_counter;
    std::uint64_t start_ns = 0; // Unix time, 0 = not known
    std::optional<CtLabels> labels;
};

enum class CtDirection : std::uint8_t { unknown, original, reply };

// What is known of a packet and its connection.
struct CtFacts {
    CtSource source = CtSource::sim;
    CtState state = CtState::unknown;
    CtDirection direction = CtDirection::unknown;
    bool exact = false;
    std::optional<Connection> connection; // none: invalid, untracked, or not to be had
};

// What ct_set() changes. Later values win.
struct CtChanges {
    std::optional<std::uint32_t> mark;
    std::uint32_t mark_mask = 0xFFFFFFFF; // bits of the mark that are given
    std::optional<std::uint32_t> timeout, status;
    std::optional<CtHelper> helper; // empty: none
    std::optional<CtLabels> labels, labels_mask;

    bool empty() const { return !mark && !timeout && !status && !helper && !labels; }
    void add(const CtChanges& later);
    void add_labels(const CtLabels& later, const std::optional<CtLabels>& mask);
    std::uint32_t changed_mark(std::uint32_t old) const {
        return mark ? (old & ~mark_mask) | (*mark & mark_mask) : old;
    }
};

// A connection that ct_expect() announces.
struct CtExpectation {
    CtTuple tuple; // an empty source and source port 0 stand for any
    std::uint32_t timeout = 300;
    bool permanent = false;
    CtHelper helper;
};

} // namespace nfqws2::packet
