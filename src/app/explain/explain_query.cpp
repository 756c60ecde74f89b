#include "explain/explain_query.hpp"

#include "nfqws2/base/idn.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/protocol/hostname.hpp"
#include "nfqws2/protocol/table.hpp"
#include "options/values.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

using protocol::L7;
using protocol::Payload;

constexpr const char* example =
    " (e.g. tcp:192.0.2.1:443,host=example.com,payload=tls_client_hello)";

[[noreturn]] void refuse(const std::string& what, std::string_view value) {
    throw BadValue(what + " : " + std::string(value) + example);
}

std::uint8_t parse_protocol(std::string_view text) {
    namespace proto = packet::proto;
    if (text == "tcp") return proto::tcp;
    if (text == "udp") return proto::udp;
    if (text == "icmp") return proto::icmp;
    if (text == "icmpv6") return proto::icmpv6;
    const auto number = decimal(text, UINT8_MAX);
    if (!number) refuse("unknown protocol", text);
    return static_cast<std::uint8_t>(*number);
}

// "1.2.3.4", "1.2.3.4:80", "2001:db8::1", "[2001:db8::1]:80"
void parse_endpoint(std::string_view text, ExplainQuery& q) {
    std::string_view address = text, port;
    const std::size_t bracket = text.find(']');
    if (text.starts_with('[') && bracket != std::string_view::npos) {
        address = text.substr(1, bracket - 1);
        port = text.substr(bracket + 1);
        if (!port.empty() && port[0] != ':') refuse("bad address", text);
    } else if (!IpAddress::parse(text)) {
        const std::size_t colon = text.rfind(':');
        address = text.substr(0, colon);
        if (colon != std::string_view::npos) port = text.substr(colon);
    }
    const auto parsed = IpAddress::parse(address);
    if (!parsed) refuse("bad address", text);
    q.address = *parsed;
    if (port.empty()) return;
    const auto number = decimal(port.substr(1), UINT16_MAX);
    if (!number) refuse("bad port", port.substr(1));
    q.port = static_cast<std::uint16_t>(*number);
}

std::string transports_text(std::uint8_t transports) {
    namespace transport = profile::transport;
    return transports == transport::icmp ? "icmp and icmpv6" : "tcp and udp";
}

// As a packet shows it: an internationalised name in xn-- form.
std::string name_on_the_wire(std::string_view name) {
    const bool ascii = std::all_of(name.begin(), name.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (ascii) return ascii_lower(name);
    std::string why;
    const auto converted = ascii_name(std::string(name), &why);
    if (!converted) refuse("bad host name (" + why + ")", name);
    return *converted;
}

const profile::FilterRow* row_of_key(std::string_view key) {
    for (const profile::FilterRow& row : profile::filter_rows)
        if (row.key != nullptr && key == row.key) return &row;
    return nullptr;
}

void state(const profile::FilterRow& row, std::string_view value, std::string_view item,
           ExplainQuery& q) {
    if ((row.transports & profile::transport::of(q.l4proto)) == 0)
        refuse(std::string(row.key) + " is for " + transports_text(row.transports) + " only", item);
    profile::Query scratch;
    try {
        row.state(scratch, value);
    } catch (const BadValue& e) {
        throw BadValue(std::string(e.what()) + example);
    }
    q.stated.emplace_back(&row, value);
}

void parse_detail(std::string_view item, ExplainQuery& q) {
    const std::size_t equals = item.find('=');
    const std::string_view key = item.substr(0, equals);
    if (equals == std::string_view::npos) refuse("key=value expected", item);
    const std::string_view value = item.substr(equals + 1);
    if (key == "host") {
        const protocol::HostName host = protocol::normalise_host(name_on_the_wire(value));
        if (host.name.empty()) refuse("empty host name", item);
        q.host = host.name;
        q.host_is_ip = host.is_ip;
    } else if (key == "l7") {
        const auto l7 = protocol::l7_from_name(value);
        if (!l7 || *l7 == L7::all || *l7 == L7::known) refuse("unknown flow protocol", value);
        q.l7 = *l7;
    } else if (key == "payload") {
        const auto payload = protocol::payload_from_name(value);
        if (!payload || *payload == Payload::all || *payload == Payload::known)
            refuse("unknown payload type", value);
        q.payload = *payload;
    } else if (key == "dir") {
        if (value != "in" && value != "out") refuse("dir should be in or out", value);
        q.outgoing = value == "out";
    } else if (const profile::FilterRow* row = row_of_key(key)) {
        state(*row, value, item, q);
    } else {
        std::vector<std::string_view> known{"host", "l7", "payload", "dir"};
        for (const profile::FilterRow& row : profile::filter_rows)
            if (row.key != nullptr) known.emplace_back(row.key);
        const std::string_view best = nearest(key, known);
        refuse("unknown key" + (best.empty() ? "" : " (did you mean '" + std::string(best) + "'?)"),
               key);
    }
}

} // namespace

bool ExplainQuery::states(std::string_view option) const {
    return std::ranges::any_of(stated,
                               [option](const auto& one) { return option == one.first->option; });
}

bool ExplainQuery::is_icmp() const {
    return l4proto == packet::proto::icmp || l4proto == packet::proto::icmpv6;
}

ExplainQuery parse_explain(const std::string& text) {
    ExplainQuery q;
    q.text = text;
    const auto items = split(text, ',');
    const std::size_t colon = items[0].find(':');
    if (colon == std::string_view::npos) refuse("protocol:address expected", text);
    q.l4proto = parse_protocol(items[0].substr(0, colon));
    parse_endpoint(items[0].substr(colon + 1), q);
    for (std::size_t i = 1; i < items.size(); i++)
        parse_detail(items[i], q);
    if (q.l7 == L7::unknown && q.payload) q.l7 = protocol::row(*q.payload).l7;
    const bool has_port = q.l4proto == packet::proto::tcp || q.l4proto == packet::proto::udp;
    if (has_port && q.port == 0) refuse("a port is needed", items[0]);
    if (q.is_icmp() && q.port > UINT8_MAX) refuse("bad ICMP type", items[0]);
    return q;
}

} // namespace nfqws2::app
