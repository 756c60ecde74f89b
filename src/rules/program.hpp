// A compiled rules file: flat arrays of tests and actions. Immutable; workers share it. Whatever
// could be wrong with it was said when it was made (reader.hpp).
#pragma once

#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/packet/connection.hpp"
#include "nfqws2/rules/state/geoip.hpp"
#include "nfqws2/rules/state/marks.hpp"
#include "nfqws2/rules/state/meters.hpp"
#include "nfqws2/rules/state/prefix_sets.hpp"
#include "nfqws2/rules/state/tcp_auth.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace nfqws2::rules {

template <typename T> struct Range {
    T low = 0, high = 0;
    bool holds(T value) const { return low <= value && value <= high; }
    bool operator==(const Range&) const = default;
};
using Range16 = Range<std::uint16_t>;
using Range32 = Range<std::uint32_t>;

enum class End : std::uint8_t { source, destination };
enum class Layer : std::uint8_t {
    mac,
    vlan,
    encap,
    net,
    sec,
    tun,
    tun_net,
    tun_sec,
    transport,
    application,
};
inline constexpr std::size_t layers = 10;
// In front of the IP packet.
inline bool is_link(Layer layer) {
    return layer <= Layer::encap;
}
enum class Element : std::uint8_t { header, payload, packet };
inline constexpr std::size_t mark_kinds = 4;
enum class Algorithm : std::uint8_t { none, rate, ratelimit, sample, tcpauth };
// Values of the verdict register, as bits so that a match can ask for several.
namespace outcome {
inline constexpr std::uint8_t conform = 1, cooldown = 2, exceed = 4, violate = 8, match = 16,
                              skip = 32, valid = 64, invalid = 128;
}
// Words of `protocol`, as bits.
namespace layer_bit {
inline constexpr std::uint32_t ipv4 = 1U << 0, ipv6 = 1U << 1, tcp = 1U << 2, udp = 1U << 3,
                               sctp = 1U << 4, icmp = 1U << 5, icmpv6 = 1U << 6, ah = 1U << 7,
                               esp = 1U << 8, gre = 1U << 9, ipip = 1U << 10, tun_ipv4 = 1U << 11,
                               tun_ipv6 = 1U << 12, tun_ah = 1U << 13, tun_esp = 1U << 14,
                               eth = 1U << 15, vlan = 1U << 16;
}

// ---- tests ------------------------------------------------------------------------------------

enum class FragmentKind : std::uint8_t { any, df, first, internal, last, unfrag };

namespace test {

struct Address {
    End end = End::source;
    bool inner = false; // of the tunnel
    std::vector<Prefix> prefixes;
    bool operator==(const Address&) const = default;
};
struct Port {
    End end = End::source;
    std::vector<Range16> ports;
    bool operator==(const Port&) const = default;
};
struct Protocol {
    std::uint32_t any = 0; // layer_bit
    bool operator==(const Protocol&) const = default;
};
struct Ttl {
    Range32 values;
    bool operator==(const Ttl&) const = default;
};
struct Length {
    Layer layer = Layer::net;
    Element element = Element::packet;
    Range32 values;
    bool operator==(const Length&) const = default;
};
struct Fragment {
    FragmentKind kind = FragmentKind::any;
    bool operator==(const Fragment&) const = default;
};
struct Flags {
    std::uint8_t flags = 0, mask = 0;
    bool operator==(const Flags&) const = default;
};
struct Options {
    std::uint16_t set = 0, mask = 0; // bits of option kinds 0..15
    bool operator==(const Options&) const = default;
};
struct Mss {
    Range32 values;
    bool operator==(const Mss&) const = default;
};
struct WindowScale {
    Range32 values;
    bool operator==(const WindowScale&) const = default;
};
struct Icmp {
    std::uint8_t protocol = 1; // or 58
    std::vector<std::uint8_t> types;
    std::optional<std::uint8_t> code;
    bool operator==(const Icmp&) const = default;
};
struct Spi {
    bool inner = false;
    Range32 values;
    bool operator==(const Spi&) const = default;
};
struct Set {
    End end = End::source;
    bool inner = false;
    std::uint32_t set = 0; // of the profile's view
    std::optional<Range32> value;
    bool operator==(const Set&) const = default;
};
struct Geo {
    End end = End::source;
    bool inner = false;
    std::vector<GeoCode> countries, continents; // empty: any
    bool operator==(const Geo&) const = default;
};
struct Mark {
    MarkKind kind = MarkKind::source;
    std::uint8_t id = 0;
    MarkTest asked;
    bool operator==(const Mark&) const = default;
};
struct LocalMark {
    Range32 values;
    std::uint32_t mask = 0xFFFFFFFF;
    bool operator==(const LocalMark&) const = default;
};
struct Verdict {
    Algorithm algorithm = Algorithm::none;
    std::uint8_t any = 0; // outcome
    bool operator==(const Verdict&) const = default;
};
struct Sequence {
    Layer layer = Layer::application;
    Element element = Element::payload;
    Range32 range{0, 1500}; // offsets, both inclusive
    std::uint32_t repeat = 0, distance = 0;
    std::vector<std::uint8_t> bytes;
    bool operator==(const Sequence&) const = default;
};
struct Direction {
    bool incoming = false;
    bool operator==(const Direction&) const = default;
};
struct Interface {
    bool incoming = false; // the interface it came in by
    bool prefix = false;
    std::string name;
    bool operator==(const Interface&) const = default;
};
struct FirewallMark {
    std::uint32_t value = 0, mask = 0xFFFFFFFF;
    bool operator==(const FirewallMark&) const = default;
};

struct ConnectionState {
    packet::CtStateSet any;
    bool operator==(const ConnectionState&) const = default;
};
struct ConnectionMark {
    std::uint32_t value = 0, mask = 0xFFFFFFFF;
    bool operator==(const ConnectionMark&) const = default;
};

} // namespace test

using Condition =
    std::variant<test::Address, test::Port, test::Protocol, test::Ttl, test::Length, test::Fragment,
                 test::Flags, test::Options, test::Mss, test::WindowScale, test::Icmp, test::Spi,
                 test::Set, test::Geo, test::Mark, test::LocalMark, test::Verdict, test::Sequence,
                 test::Direction, test::Interface, test::FirewallMark, test::ConnectionState,
                 test::ConnectionMark>;
// Frames tell that, not packets.
inline bool asks_link(const Condition& condition) {
    if (const auto* length = std::get_if<test::Length>(&condition)) return is_link(length->layer);
    if (const auto* sequence = std::get_if<test::Sequence>(&condition))
        return is_link(sequence->layer);
    const auto* protocol = std::get_if<test::Protocol>(&condition);
    return protocol != nullptr && (protocol->any & (layer_bit::eth | layer_bit::vlan)) != 0;
}
struct Test {
    bool inverted = false;
    Condition condition;
    bool operator==(const Test&) const = default;
};

// ---- actions ----------------------------------------------------------------------------------

namespace key_bit {
inline constexpr std::uint32_t l3_src = 1U << 0, l3_dst = 1U << 1, l3_proto = 1U << 2,
                               l3_tun_src = 1U << 3, l3_tun_dst = 1U << 4, l3_tun_proto = 1U << 5,
                               l4_src = 1U << 6, l4_dst = 1U << 7, l4_proto = 1U << 8,
                               sec_id = 1U << 9, sec_proto = 1U << 10, sec_tun_id = 1U << 11,
                               sec_tun_proto = 1U << 12, tun_id = 1U << 13, tun_proto = 1U << 14;
}

namespace action {

struct Accept {};
struct Drop {};
struct SetLevel {
    bool shallow = false; // flows are tracked, nothing else
};
// Accept, or into the pipeline at a level; only for frames with that tag or destination.
struct Pass {
    bool pipeline = false, shallow = false;
    std::optional<std::uint16_t> vlan;
    std::optional<std::array<std::uint8_t, 6>> mac;
};
struct Goto {
    std::uint32_t chain = 0;
};
struct Count {
    std::uint32_t counter = 0;
};
struct LocalMark {
    MarkHow how = MarkHow::set;
    std::uint32_t value = 0;
};
struct StoredMark {
    MarkKind kind = MarkKind::source;
    std::uint8_t id = 0;
    MarkHow how = MarkHow::set;
    std::uint32_t value = 0;
    std::int64_t lifetime_ns = 0; // 0: for ever
};
struct RateLimit {
    std::uint8_t id = 0;
    std::uint32_t meter = 0; // of Program::ratelimits
};
struct Rate {
    std::uint8_t id = 0;
    std::uint32_t meter = 0; // of Program::rates
};
struct Sample {
    std::uint32_t number = 0; // of all sample actions
    std::uint32_t n = 1;
    bool random = false;
    std::uint32_t key = 0; // whole flows
};
struct TcpAuth {
    std::uint8_t id = 0;
    AuthParameters parameters;
};
struct SetVerdict {
    Algorithm algorithm = Algorithm::none; // none: cleared
    std::uint8_t value = 0;
};
struct Switch {
    bool capture = false; // or export
    bool on = false;
};
struct Translate {
    End end = End::source;
    std::optional<Prefix> v4, v6;
};

} // namespace action

using Action = std::variant<action::Accept, action::Drop, action::SetLevel, action::Pass,
                            action::Goto, action::Count, action::LocalMark, action::StoredMark,
                            action::RateLimit, action::Rate, action::Sample, action::TcpAuth,
                            action::SetVerdict, action::Switch, action::Translate>;

inline bool asks_link(const Action& action) {
    const auto* pass = std::get_if<action::Pass>(&action);
    return pass != nullptr && (pass->vlan || pass->mac);
}

// ---- rules ------------------------------------------------------------------------------------

struct Slice {
    std::uint32_t begin = 0, end = 0;
};
struct Rule {
    Slice tests, actions;
    std::string name; // NAME or PROFILE/CHAIN#N
    std::uint32_t profile = 0, chain = 0;
};
struct Chain {
    std::string name;
    Slice rules;
};
struct Profile {
    std::string name;
    Slice tests;
    std::uint32_t main = 0; // chain
    bool observe = false;
    std::uint32_t view = 0; // of sets
};

// A set of addresses: a file or prefixes of the rules file.
struct PrefixSet {
    std::string name, file;
    std::vector<PrefixEntry> entries;
    bool with_values = false; // some match asks for them
};
// The sets that a profile can name: the global ones, then its own.
struct SetView {
    std::vector<std::uint32_t> sets; // of Program::sets
    std::uint64_t used = 0;          // bits: the others are not read
};

enum class Policy : std::uint8_t { go_on, accept, drop };

struct Limits {
    std::uint64_t marks = 1'000'000, buckets = 500'000, sources = 500'000;
};

struct Program {
    Policy policy = Policy::go_on;
    Limits limits;
    unsigned ipv6_source_bits = 64;
    std::vector<Prefix> lan;
    std::vector<std::string> geoip_files;

    std::vector<Test> tests;
    std::vector<Action> actions;
    std::vector<Rule> rules;
    std::vector<Chain> chains;
    std::vector<Profile> profiles;
    std::vector<std::string> counters;
    std::vector<PrefixSet> sets;
    std::vector<SetView> views;
    struct NamedMeter {
        std::uint8_t id;
        RateParameters parameters;
    };
    std::vector<NamedMeter> ratelimits, rates;
    std::vector<action::TcpAuth> authentications; // one for each id
    std::uint32_t samples = 0;                    // sample actions

    bool needs_pieces = false;    // merged packets must be split first
    bool asks_link = false;       // of frames
    bool asks_connection = false; // of connection tracking
};

} // namespace nfqws2::rules
