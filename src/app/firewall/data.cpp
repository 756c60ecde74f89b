// The rules for programs: JSON, and the settings of the service scripts.
#include "firewall/firewall.hpp"

#include "nfqws2/base/json.hpp"

#include <algorithm>
#include <bitset>

namespace nfqws2::app::firewall {
namespace {

const char* name(Transport transport) {
    switch (transport) {
    case Transport::tcp:
        return "tcp";
    case Transport::udp:
        return "udp";
    case Transport::icmp:
        return "icmp";
    case Transport::other:
        break;
    }
    return "other";
}

void write(JsonWriter& json, const Spans& spans) {
    json.open_array();
    for (const Span& span : spans)
        json.text(spans_text({span}));
    json.close_array();
}

void write(JsonWriter& json, const RuleSet& set, const Rule& rule) {
    json.open_object();
    json.key("way").text(rule.way == Way::out ? "out" : "in");
    json.key("protocol").text(name(rule.transport));
    json.key("sender").text(!rule.any_side && (!rule.any_port() || set.asks_connection(rule))
                                ? (set.by_initiator(rule) ? "initiator" : "responder")
                                : "any");
    json.key("families").open_array();
    if (rule.ipv4) json.number(4);
    if (rule.ipv6) json.number(6);
    json.close_array();
    write(json.key("ports"), rule.ports);
    write(json.key("initiator_ports"), rule.lports);
    json.key("icmp").open_array();
    for (const IcmpKind& kind : rule.icmp)
        json.text(std::to_string(kind.type) + (kind.code ? ":" + std::to_string(*kind.code) : ""));
    json.close_array();
    write(json.key("protocols"), rule.protocols);
    json.key("set");
    rule.set ? json.number(*rule.set + 1) : json.null();
    json.key("packets");
    rule.packets ? json.number(*rule.packets) : json.null();
    json.key("own_packets").number(rule.own);
    json.key("estimate").boolean(rule.estimate);
    json.key("related").boolean(rule.related);
    json.key("invalid").boolean(rule.invalid);
    json.key("reasons").open_array();
    for (const std::string& reason : rule.reasons)
        json.text(reason);
    json.close_array();
    json.close_object();
}

void write(JsonWriter& json, const AddressSet& set) {
    json.open_object();
    json.key("lists").open_array();
    for (const auto& list : set.lists)
        json.text(profile::label(*list));
    json.close_array();
    json.key("networks").open_array();
    for (const auto& list : set.lists)
        for (const unsigned version : {4U, 6U})
            for (const std::string& network : list->networks(version))
                json.text(network);
    json.close_array();
    json.close_object();
}

// What the settings of the service can say of one protocol.
struct Settings {
    std::bitset<65536> ports;
    bool every_port = false;
    std::uint32_t packets[2] = {0, 0}; // by Way
    bool all[2] = {false, false};
};

Settings settings_of(const RuleSet& set, Transport transport) {
    Settings s;
    for (const Rule& rule : set.rules) {
        if (rule.transport != transport) continue;
        const auto way = static_cast<std::size_t>(rule.way);
        s.all[way] = s.all[way] || !rule.packets;
        s.packets[way] = std::max(s.packets[way], rule.packets.value_or(0) + rule.own);
        s.every_port = s.every_port || rule.ports.empty();
        for (const Span& span : rule.ports)
            for (unsigned port = span.from; port <= span.to; port++)
                s.ports.set(port);
    }
    return s;
}

std::string ports_text(const Settings& s) {
    if (s.every_port) return "1-65535";
    Spans spans;
    for (unsigned port = 1; port < s.ports.size(); port++) {
        if (!s.ports[port]) continue;
        if (!spans.empty() && spans.back().to + 1 == port)
            spans.back().to = port;
        else
            spans.push_back({port, port});
    }
    return spans_text(spans);
}

} // namespace

std::string json_text(const RuleSet& set) {
    std::string out;
    JsonWriter json(out);
    json.open_object();
    json.key("queue").number(set.queue);
    json.key("queues").number(set.workers);
    json.key("name").text(set.name());
    json.key("mark").number(set.fwmark);
    json.key("offload_mark").number(set.offload_mark);
    if (set.ct_state_mark != 0) json.key("ct_state_mark").number(set.ct_state_mark);
    json.key("server").boolean(set.server);
    json.key("sets").open_array();
    for (const AddressSet& addresses : set.sets)
        write(json, addresses);
    json.close_array();
    json.key("rules").open_array();
    for (const Rule& rule : set.rules)
        write(json, set, rule);
    json.close_array();
    json.key("notes").open_array();
    for (const std::string& note : set.notes)
        json.text(note);
    json.close_array();
    json.close_object();
    return out + "\n";
}

std::string service_text(const RuleSet& set) {
    std::string out;
    for (const Transport transport : {Transport::tcp, Transport::udp}) {
        const Settings s = settings_of(set, transport);
        const std::string protocol = transport == Transport::tcp ? "TCP" : "UDP";
        out += "NFQWS2_PORTS_" + protocol + "=" + ports_text(s) + "\n";
        for (const Way way : {Way::out, Way::in}) {
            const auto i = static_cast<std::size_t>(way);
            out += "NFQWS2_" + protocol + (way == Way::out ? "_PKT_OUT=" : "_PKT_IN=") +
                   (s.all[i] ? "keepalive" : std::to_string(s.packets[i])) + "\n";
        }
    }
    return out;
}

} // namespace nfqws2::app::firewall
