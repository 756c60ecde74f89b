#include "nfqws2/app/check.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

using profile::LuaInstance;
using profile::Profile;
using protocol::Payload;

// Which packets carry a payload type; in TCP flows one side only may send it.
enum class Carrier : std::uint8_t { any, tcp_client, tcp_server, tcp_both, udp, icmp, quoted };

Carrier carrier_of(Payload type) {
    switch (type) {
    case Payload::http_req:
    case Payload::tls_client_hello:
    case Payload::xmpp_starttls:
    case Payload::mtproto_initial:
        return Carrier::tcp_client;
    case Payload::http_reply:
    case Payload::tls_server_hello:
    case Payload::xmpp_proceed:
    case Payload::xmpp_features:
        return Carrier::tcp_server;
    case Payload::xmpp_stream:
    case Payload::bt_handshake:
        return Carrier::tcp_both;
    case Payload::icmp:
        return Carrier::icmp;
    case Payload::ipv4:
    case Payload::ipv6:
        return Carrier::quoted;
    case Payload::unknown:
    case Payload::empty:
        return Carrier::any;
    default:
        return Carrier::udp;
    }
}

template <typename Filter> bool lets_ports_through(const Filter& filter) {
    if (filter.empty()) return true;
    for (unsigned port = 1; port <= UINT16_MAX; port++)
        if (filter.matches(static_cast<std::uint16_t>(port))) return true;
    return false;
}

struct Transports {
    bool tcp, udp, icmp;
};

Transports transports_of(const Profile& p) {
    Transports t{lets_ports_through(p.tcp), lets_ports_through(p.udp), p.icmp.empty()};
    for (unsigned i = 0; i <= UINT16_MAX && !t.icmp; i++)
        t.icmp =
            p.icmp.matches(static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i & 255));
    return t;
}

// No counter can be within the range.
bool is_empty(const flow::Range& range, bool tracking) {
    const flow::RangePos &from = range.from, &to = range.to;
    if (from.mode == 'x' || to.mode == 'x') return true;
    if (!tracking) return from.mode != 'a' || to.mode != 'a';
    if (to.mode != 'a' && range.upper_exclusive && to.pos == 0) return true;
    if (from.mode != to.mode || from.mode == 'a') return false;
    return from.pos > to.pos || (from.pos == to.pos && range.upper_exclusive);
}

struct Chances {
    bool occurs = false;   // some packet of the profile carries a wanted payload
    bool in_range = false; // and goes in a direction that the ranges allow
};

Chances chances_of(const LuaInstance& instance, const Transports& transports,
                   const Circumstances& circumstances, bool in, bool out) {
    Chances c;
    // Packets of the client are outgoing, those of the server incoming; the other way round with
    // --server.
    const bool client = circumstances.server ? in : out, server = circumstances.server ? out : in;
    for (auto i = static_cast<unsigned>(Payload::unknown);
         i < static_cast<unsigned>(Payload::count); i++) {
        const auto type = static_cast<Payload>(i);
        if (type == Payload::known || !instance.payload.matches(type)) continue;
        const Carrier carrier = carrier_of(type);
        const bool recognised =
            carrier != Carrier::any && carrier != Carrier::icmp && carrier != Carrier::quoted;
        if (recognised && circumstances.payload_disable.contains(type)) continue;
        const bool tcp = transports.tcp, both = client || server;
        const auto note = [&c](bool occurs, bool in_range) {
            c.occurs = c.occurs || occurs;
            c.in_range = c.in_range || (occurs && in_range);
        };
        switch (carrier) {
        case Carrier::tcp_client:
            note(tcp, client);
            break;
        case Carrier::tcp_server:
            note(tcp, server);
            break;
        case Carrier::tcp_both:
            note(tcp, both);
            break;
        case Carrier::udp:
            note(transports.udp, both);
            break;
        case Carrier::icmp:
            note(transports.icmp, both);
            break;
        case Carrier::quoted: // an ICMP error about a flow meets the flow's profile
            note(transports.icmp || circumstances.tracking, both);
            break;
        case Carrier::any:
            note(true, both);
            break;
        }
    }
    return c;
}

void check_instance(const LuaInstance& instance, const Transports& transports,
                    const Circumstances& circumstances, Report& report) {
    const bool in = !is_empty(instance.in_range, circumstances.tracking);
    const bool out = !is_empty(instance.out_range, circumstances.tracking);
    const std::string never = "instance " + instance.name + " can never run: ";
    if (!in && !out) {
        report.add(Level::warning, instance.position,
                   never + "no packet is within --in-range " + flow::to_text(instance.in_range) +
                       " or --out-range " + flow::to_text(instance.out_range) +
                       (circumstances.tracking ? "" : " without connection tracking"));
        return;
    }
    const Chances chances = chances_of(instance, transports, circumstances, in, out);
    const std::string payload = "--payload=" + protocol::to_text(instance.payload);
    if (!chances.occurs)
        report.add(Level::warning, instance.position,
                   never + payload + " cannot occur in packets that pass the profile's filters");
    else if (!chances.in_range)
        report.add(Level::warning, instance.position,
                   never + payload + " occurs only in " + (in ? "outgoing" : "incoming") +
                       " packets, which " + (in ? "--out-range" : "--in-range") +
                       " does not let through");
}

} // namespace

void check_instances(const Profiles& profiles, const Circumstances& circumstances, Report& report) {
    for (const auto& p : profiles) {
        if (p->instances.empty()) continue;
        const Transports transports = transports_of(*p);
        for (const LuaInstance& instance : p->instances)
            check_instance(instance, transports, circumstances, report);
    }
}

} // namespace nfqws2::app
