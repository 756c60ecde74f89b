#include "nfqws2/protocol/names.hpp"

#include <array>
#include <cstddef>

namespace nfqws2::protocol {

namespace {

template <typename E> inline constexpr std::size_t count_of = static_cast<std::size_t>(E::count);

constexpr std::array<std::string_view, count_of<L7>> l7_names = {
    "all", "unknown", "known", "http", "tls", "dtls",    "quic", "wireguard",
    "dht", "discord", "stun",  "xmpp", "dns", "mtproto", "bt",   "utp_bt",
};
static_assert(!l7_names.back().empty());

constexpr std::array<std::string_view, count_of<Payload>> payload_names = {
    "all",
    "unknown",
    "empty",
    "known",
    "ipv4",
    "ipv6",
    "icmp",
    "http_req",
    "http_reply",
    "tls_client_hello",
    "tls_server_hello",
    "dtls_client_hello",
    "dtls_server_hello",
    "quic_initial",
    "wireguard_initiation",
    "wireguard_response",
    "wireguard_cookie",
    "wireguard_keepalive",
    "wireguard_data",
    "dht",
    "discord_ip_discovery",
    "stun",
    "xmpp_stream",
    "xmpp_starttls",
    "xmpp_proceed",
    "xmpp_features",
    "dns_query",
    "dns_response",
    "mtproto_initial",
    "bt_handshake",
    "utp_bt_handshake",
};
static_assert(!payload_names.back().empty());

template <typename E, std::size_t N>
std::string_view name_in(const std::array<std::string_view, N>& names, E value) {
    const auto index = static_cast<std::size_t>(value);
    return index < N ? names[index] : std::string_view{};
}

template <typename E, std::size_t N>
std::optional<E> find_in(const std::array<std::string_view, N>& names, std::string_view text) {
    for (std::size_t i = 0; i < N; ++i) {
        if (names[i] == text) return static_cast<E>(i);
    }
    return std::nullopt;
}

// `all` ends the parsing: whatever follows it cannot change the meaning, and existing
// configurations may have anything there.
template <typename E, std::size_t N>
std::optional<FilterSet<E>> parse_set(const std::array<std::string_view, N>& names,
                                      std::string_view list, std::string* bad) {
    FilterSet<E> set;
    for (std::size_t begin = 0;;) {
        const std::size_t comma = list.find(',', begin);
        const std::string_view word = list.substr(begin, comma - begin);
        const auto value = find_in<E>(names, word);
        if (!value) {
            if (bad) *bad = word;
            return std::nullopt;
        }
        if (*value == E::all) return FilterSet<E>{};
        set.add(*value);
        if (comma == std::string_view::npos) return set;
        begin = comma + 1;
    }
}

template <typename E> std::string join_names(FilterSet<E> set) {
    if (set.empty()) return std::string(name(E::all));
    std::string text;
    for (std::size_t i = 0; i < count_of<E>; ++i) {
        const E value = static_cast<E>(i);
        if (!set.has(value)) continue;
        if (!text.empty()) text += ',';
        text += name(value);
    }
    return text;
}

} // namespace

std::string_view name(L7 v) {
    return name_in(l7_names, v);
}
std::string_view name(Payload v) {
    return name_in(payload_names, v);
}

std::optional<L7> l7_from_name(std::string_view s) {
    return find_in<L7>(l7_names, s);
}
std::optional<Payload> payload_from_name(std::string_view s) {
    return find_in<Payload>(payload_names, s);
}

std::optional<L7Set> parse_l7_set(std::string_view list, std::string* bad) {
    return parse_set<L7>(l7_names, list, bad);
}
std::optional<PayloadSet> parse_payload_set(std::string_view list, std::string* bad) {
    return parse_set<Payload>(payload_names, list, bad);
}

std::string to_text(PayloadSet set) {
    return join_names(set);
}
std::string to_text(L7Set set) {
    return join_names(set);
}

} // namespace nfqws2::protocol
