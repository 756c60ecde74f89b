#include "debug_text.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/packet/proto_name.hpp"
#include "packet_text.hpp"

#include <algorithm>

namespace nfqws2::engine::debug_text {

namespace {

constexpr std::size_t shown_bytes = 32;

struct IcmpName {
    std::uint8_t protocol, type;
    const char* text;
};
constexpr IcmpName icmp_names[] = {
    {packet::proto::icmp, 0, "echo_reply"},       {packet::proto::icmp, 3, "dest_unreach"},
    {packet::proto::icmp, 5, "redirect"},         {packet::proto::icmp, 8, "echo_req"},
    {packet::proto::icmp, 11, "time_exceeded"},   {packet::proto::icmp, 12, "param_problem"},
    {packet::proto::icmpv6, 1, "dest_unreach6"},  {packet::proto::icmpv6, 2, "packet_too_big6"},
    {packet::proto::icmpv6, 3, "time_exceeded6"}, {packet::proto::icmpv6, 4, "param_problem6"},
    {packet::proto::icmpv6, 128, "echo_req6"},    {packet::proto::icmpv6, 129, "echo_reply6"},
};

std::string icmp_type_text(const packet::Dissect& d) {
    for (const IcmpName& name : icmp_names)
        if (name.protocol == d.l4proto && name.type == d.icmp_type()) return name.text;
    return std::to_string(d.icmp_type());
}

bool is_echo(const packet::Dissect& d) {
    if (d.l4proto == packet::proto::icmpv6) return d.icmp_type() == 128 || d.icmp_type() == 129;
    return d.icmp_type() == 0 || d.icmp_type() == 8;
}

// The first one that is set comes first; programs know "SA" and "AP".
std::string flag_letters(std::uint8_t flags) {
    using namespace packet::tcp_flag;
    static constexpr struct {
        std::uint8_t flag;
        char letter;
    } letters[] = {{syn, 'S'}, {ack, 'A'}, {rst, 'R'}, {fin, 'F'}, {psh, 'P'}, {urg, 'U'}};
    std::string text;
    for (const auto& l : letters)
        if ((flags & l.flag) != 0) text += l.letter;
    return text;
}

std::string transport_text(const packet::Dissect& d) {
    switch (d.l4) {
    case packet::L4::tcp:
        return format(" sport=%u dport=%u flags=%s seq=%u ack_seq=%u", d.source_port(),
                      d.destination_port(), flag_letters(d.tcp_flags()).c_str(), d.tcp_seq(),
                      load_be32(d.transport() + 8));
    case packet::L4::udp:
        return format(" sport=%u dport=%u", d.source_port(), d.destination_port());
    case packet::L4::icmp: {
        const std::string type =
            format(" icmp_type=%s icmp_code=%u", icmp_type_text(d).c_str(), d.icmp_code());
        const std::uint32_t data = load_be32(d.transport() + 4);
        if (is_echo(d)) return type + format(" id=0x%04X seq=%u", data >> 16, data & 0xFFFF);
        return type + format(" data=0x%08X", data);
    }
    case packet::L4::none:
        break;
    }
    return {};
}

const char* payload_label(const packet::Dissect& d) {
    switch (d.l4) {
    case packet::L4::tcp:
        return "TCP";
    case packet::L4::udp:
        return "UDP";
    case packet::L4::icmp:
        return "ICMP";
    case packet::L4::none:
        break;
    }
    return "IP";
}

void payload(const packet::Dissect& d) {
    const Bytes shown = d.payload.first(std::min(d.payload.size(), shown_bytes));
    std::string hex, text;
    for (const std::uint8_t byte : shown) {
        hex += format("%02X ", byte);
        text += byte >= 0x20 && byte < 0x7F ? static_cast<char>(byte) : '.';
    }
    const char* more = shown.size() < d.payload.size() ? " ..." : "";
    const char* more_hex = *more != '\0' ? "... " : "";
    log::debug("%s: len=%zu : %s%s: %s%s", payload_label(d), d.payload.size(), hex.c_str(),
               more_hex, text.c_str(), more);
}

} // namespace

void arrived(const capture::InputPacket& packet) {
    log::debug("\npacket: id=%u len=%zu mark=%08X ifin=%.*s(%u) ifout=%.*s(%u)", packet.id,
               packet.data.size(), packet.mark, static_cast<int>(packet.ifin.size()),
               packet.ifin.data(), packet.ifin_index, static_cast<int>(packet.ifout.size()),
               packet.ifout.data(), packet.ifout_index);
}

void headers(const packet::Dissect& d, bool replayed) {
    if (!d.is_ip()) return;
    log::debug("%sIP%c: %s => %s proto=%s ttl=%u%s", replayed ? "REPLAY " : "",
               d.l3 == packet::L3::ipv4 ? '4' : '6', d.source().text().c_str(),
               d.destination().text().c_str(), packet::proto_name(d.l4proto).c_str(), d.ttl(),
               transport_text(d).c_str());
    if (!d.payload.empty()) payload(d);
}

void target(const Passage& p, bool server_mode) {
    log::debug("%s mode desync profile/ipcache search target ip=%s port=%u",
               server_mode ? "server" : "client", p.target.text().c_str(), p.target_port);
}

void desync(const Passage& p) {
    const std::string_view l7 = protocol::name(p.l7), payload = protocol::name(p.payload);
    log::debug("dpi desync src=%s dst=%s track_direction=%s fixed_direction=%s "
               "connection_proto=%.*s payload_type=%.*s",
               source_text(p.dis).c_str(), destination_text(p.dis).c_str(),
               p.reverse ? "in" : "out", p.incoming ? "in" : "out", static_cast<int>(l7.size()),
               l7.data(), static_cast<int>(payload.size()), payload.data());
}

void judged(const capture::InputPacket& packet, const capture::Verdict& verdict) {
    switch (verdict.action) {
    case capture::Action::accept:
        log::debug("packet: id=%u pass unmodified", packet.id);
        break;
    case capture::Action::modify:
        log::debug("packet: id=%u pass modified. len %zu => %zu", packet.id, packet.data.size(),
                   verdict.data.size());
        break;
    case capture::Action::drop:
        log::debug("packet: id=%u drop", packet.id);
        break;
    case capture::Action::split:
        log::debug("merged packet: its pieces are wanted");
        break;
    }
}

} // namespace nfqws2::engine::debug_text
