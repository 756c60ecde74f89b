#include "check/check_instances.hpp"
#include "nfqws2/protocol/table.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

using profile::LuaInstance;
using profile::Profile;
using protocol::Payload;
namespace carrier = protocol::carrier;

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
        const std::uint8_t carriers = protocol::row(type).carriers;
        if ((carriers & carrier::detected) != 0 && circumstances.payload_disable.contains(type))
            continue;
        const auto note = [&](std::uint8_t by, bool transported, bool direction) {
            const bool occurs = (carriers & by) != 0 && transported;
            c.occurs = c.occurs || occurs;
            c.in_range = c.in_range || (occurs && direction);
        };
        note(carrier::tcp_initiator, transports.tcp, client);
        note(carrier::tcp_responder, transports.tcp, server);
        note(carrier::udp, transports.udp, client || server);
        note(carrier::icmp, transports.icmp, client || server);
        // An ICMP error about a flow meets the flow's profile.
        note(carrier::icmp_quote, transports.icmp || circumstances.tracking, client || server);
        note(carrier::any, true, client || server);
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

// Scripts of NFLua know one state for all packets.
void check_state(const LuaInstance& instance, unsigned workers, Report& report) {
    if (workers == 1 || !instance.func.starts_with("nflua")) return;
    report.add(Level::notice, instance.position,
               "instance " + instance.name +
                   ": with several --workers each has a Lua state of its own; a script that keeps "
                   "something in globals should run with one");
}

void check_counting(const LuaInstance& instance, bool counts, Report& report) {
    if (counts || !instance.func.starts_with("nflua")) return;
    report.add(Level::notice, instance.position,
               "instance " + instance.name +
                   ": nf.traffic finds no counters while net.netfilter.nf_conntrack_acct is 0");
}

} // namespace

void check_instances(const Profiles& profiles, const Circumstances& circumstances, Report& report) {
    for (const auto& p : profiles) {
        if (p->instances.empty()) continue;
        const Transports transports = transports_of(*p);
        for (const LuaInstance& instance : p->instances)
            check_instance(instance, transports, circumstances, report);
        for (const LuaInstance& instance : p->instances)
            check_state(instance, circumstances.workers, report);
        for (const LuaInstance& instance : p->instances)
            check_counting(instance, circumstances.counts, report);
    }
}

} // namespace nfqws2::app
