// Flow protocols and payload types, and sets of them; what is known of each stands in table.hpp.
// Their order is observable: scripts and debug text see names in the order of bits
// (docs/contracts/protocols.md#names-and-sets).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::protocol {

enum class L7 : std::uint8_t {
    all,
    unknown,
    known,
    http,
    tls,
    dtls,
    quic,
    wireguard,
    dht,
    discord,
    stun,
    xmpp,
    dns,
    mtproto,
    bt,
    utp_bt,
    count
};

enum class Payload : std::uint8_t {
    all,
    unknown,
    empty,
    known,
    ipv4,
    ipv6,
    icmp,
    http_req,
    http_reply,
    tls_client_hello,
    tls_server_hello,
    dtls_client_hello,
    dtls_server_hello,
    quic_initial,
    wireguard_initiation,
    wireguard_response,
    wireguard_cookie,
    wireguard_keepalive,
    wireguard_data,
    dht,
    discord_ip_discovery,
    stun,
    xmpp_stream,
    xmpp_starttls,
    xmpp_proceed,
    xmpp_features,
    dns_query,
    dns_response,
    mtproto_initial,
    bt_handshake,
    utp_bt_handshake,
    count
};

std::string_view name(L7 v);
std::string_view name(Payload v);
std::optional<L7> l7_from_name(std::string_view s);
std::optional<Payload> payload_from_name(std::string_view s);

// A set of enumerators. Empty = everything matches; the `known` bit covers all that come after it.
template <typename E> class FilterSet {
  public:
    constexpr FilterSet() = default;
    static constexpr FilterSet of(E v) {
        FilterSet s;
        s.add(v);
        return s;
    }
    constexpr void add(E v) { bits_ |= bit(v); }
    constexpr void clear() { bits_ = 0; }
    constexpr bool empty() const { return bits_ == 0; } // = matches everything
    constexpr bool has(E v) const { return (bits_ & bit(v)) != 0; }
    constexpr bool matches(E v) const {
        return bits_ == 0 || has(v) || (has(E::known) && v > E::known);
    }
    constexpr bool operator==(const FilterSet&) const = default;

  private:
    static_assert(static_cast<unsigned>(E::count) <= 64);
    static constexpr std::uint64_t bit(E v) { return 1ULL << static_cast<unsigned>(v); }
    std::uint64_t bits_ = 0;
};
using L7Set = FilterSet<L7>;
using PayloadSet = FilterSet<Payload>;

// Comma list; `all` clears the set and stops parsing. nullopt: unknown or empty element, *bad gets
// the culprit.
std::optional<L7Set> parse_l7_set(std::string_view list, std::string* bad = nullptr);
std::optional<PayloadSet> parse_payload_set(std::string_view list, std::string* bad = nullptr);
// "all" for the empty set, else names in bit order separated by commas.
std::string to_text(PayloadSet set);
std::string to_text(L7Set set);

// What --payload-disable / --reasm-disable hold: off by default, `every` without a value.
class DisableSet {
  public:
    void disable_every() { every_ = true; }
    void set(PayloadSet s) { // an empty (all) set disables everything
        every_ = s.empty();
        set_ = s;
    }
    bool contains(Payload v) const { return every_ || (!set_.empty() && set_.matches(v)); }

  private:
    PayloadSet set_;
    bool every_ = false;
};

} // namespace nfqws2::protocol
