// Theory of operation: one table, replaced as a whole in one transaction. Both ways are queued
// where the far side's addresses are seen, behind and in front of address translation. What the
// program sends for a packet queued here carries its mark, and must not be translated or counted
// again: it is not tracked.
#include "firewall/firewall.hpp"

#include <cstdio>

namespace nfqws2::app::firewall {
namespace {

constexpr std::size_t longest_comment = 127; // of a rule

std::string hex(std::uint32_t mark) {
    char text[16];
    std::snprintf(text, sizeof(text), "0x%x", mark);
    return text;
}

std::string one_or_set(const Spans& spans) {
    const std::string text = spans_text(spans);
    return spans.size() == 1 ? text : "{ " + text + " }";
}

class Printer {
  public:
    explicit Printer(const RuleSet& set) : set_(set) {
        while (((set.fwmark | set.offload_mark | set.ct_state_mark) & queued_mark_) != 0)
            queued_mark_ >>= 1;
    }
    std::string run();

  private:
    void sets();
    void chain(Way way);
    void rule(const Rule& rule);
    void icmp(const Rule& rule, const std::string& end);
    void line(const std::string& text) { out_ += text + "\n"; }
    std::string queue(const Rule& rule) const;
    std::string set_name(std::size_t set, unsigned version) const {
        return "set_" + std::to_string(set + 1) + "_" + std::to_string(version);
    }

    const RuleSet& set_;
    std::uint32_t queued_mark_ = 0x20000000; // of packets that were queued behind translation
    std::string out_;
};

std::string Printer::queue(const Rule& rule) const {
    std::string text;
    if (rule.way == Way::out) text += " meta mark set meta mark | " + hex(queued_mark_);
    text += " queue num " + std::to_string(set_.queue);
    if (set_.workers > 1) text += "-" + std::to_string(set_.queue + set_.workers - 1);
    return text + " bypass comment \"" + comment_text(rule, longest_comment) + "\"";
}

void Printer::sets() {
    for (std::size_t i = 0; i < set_.sets.size(); i++)
        for (const unsigned version : {4U, 6U}) {
            std::string elements;
            for (const auto& list : set_.sets[i].lists)
                for (const std::string& network : list->networks(version))
                    elements += (elements.empty() ? "" : ", ") + network;
            line("\tset " + set_name(i, version) + " {");
            line(std::string("\t\ttype ") + (version == 4 ? "ipv4_addr" : "ipv6_addr"));
            line("\t\tflags interval");
            line("\t\tauto-merge");
            if (!elements.empty()) line("\t\telements = { " + elements + " }");
            line("\t}");
        }
}

// Without a family in `rule` a match of ICMP tells it.
void Printer::icmp(const Rule& rule, const std::string& end) {
    for (const unsigned version : {4U, 6U}) {
        if (!(version == 4 ? rule.ipv4 : rule.ipv6)) continue;
        const std::string family = version == 4 ? "ipv4" : "ipv6";
        const std::string protocol = version == 4 ? "icmp" : "icmpv6";
        const std::string any = "\t\tmeta nfproto " + family + " meta l4proto " + protocol;
        if (rule.related) line(any + " ct state related" + end);
        if (!rule.related && rule.icmp.empty()) line(any + end);
        for (const IcmpKind& kind : rule.icmp)
            line("\t\tmeta nfproto " + family + " " + protocol + " type " +
                 std::to_string(kind.type) +
                 (kind.code ? " " + protocol + " code " + std::to_string(*kind.code) : "") + end);
    }
}

void Printer::rule(const Rule& rule) {
    const std::string end = queue(rule);
    const bool initiator = set_.by_initiator(rule);
    if (rule.transport == Transport::icmp) return icmp(rule, end);
    std::string match;
    if (rule.transport == Transport::other) {
        match = rule.protocols.empty() ? "meta l4proto != { tcp, udp, icmp, icmpv6 }"
                                       : "meta l4proto " + one_or_set(rule.protocols);
    } else {
        const std::string protocol = rule.transport == Transport::tcp ? "tcp" : "udp";
        match = rule.any_port() ? "meta l4proto " + protocol : "";
        if (!rule.ports.empty())
            match += protocol + (initiator ? " dport " : " sport ") + one_or_set(rule.ports);
        if (!rule.lports.empty())
            match += (match.empty() ? "" : " ") + protocol + (initiator ? " sport " : " dport ") +
                     one_or_set(rule.lports);
        if (set_.asks_connection(rule))
            line("\t\t" + match + " ct direction " + (initiator ? "reply" : "original") +
                 " return");
    }
    const auto print = [&](const std::string& before) {
        std::string text = "\t\t" + before + match;
        if (rule.packets)
            line(text + " ct " + (initiator ? "original" : "reply") + " packets 1-" +
                 std::to_string(*rule.packets) + end);
        else
            line(text + end);
        if (rule.invalid) line(text + " ct state invalid" + end);
    };
    if (!rule.set) {
        if (rule.ipv4 && rule.ipv6) return print("");
        return print(rule.ipv4 ? "meta nfproto ipv4 " : "meta nfproto ipv6 ");
    }
    const std::string side = rule.way == Way::out ? " daddr @" : " saddr @";
    if (rule.ipv4) print("ip" + side + set_name(*rule.set, 4) + " ");
    if (rule.ipv6) print("ip6" + side + set_name(*rule.set, 6) + " ");
}

void Printer::chain(Way way) {
    line(way == Way::out ? "\tchain postrouting {" : "\tchain prerouting {");
    line(way == Way::out ? "\t\ttype filter hook postrouting priority 101; policy accept;"
                         : "\t\ttype filter hook prerouting priority -101; policy accept;");
    line("\t\tmeta mark & " + hex(set_.fwmark) + " != 0 return");
    if (set_.offload_mark != 0) {
        const std::string mark = hex(set_.offload_mark);
        line("\t\tmeta mark & " + mark + " != 0 ct mark set ct mark | " + mark +
             " meta mark set meta mark & " + hex(~set_.offload_mark));
        line("\t\tct mark & " + mark + " != 0 return");
    }
    if (set_.ct_state_mark != 0)
        for (const ToldState& state : told_states(set_.ct_state_mark))
            line(std::string("\t\tct state ") + state.name + " meta mark set meta mark & " +
                 hex(~set_.ct_state_mark) + " | " + hex(state.mark));
    for (const Rule& r : set_.rules)
        if (r.way == way) rule(r);
    line("\t}");
}

std::string Printer::run() {
    const std::string table = "table inet " + set_.name();
    line("#!/usr/sbin/nft -f");
    line("# Rules for nfqws2 --qnum=" + std::to_string(set_.queue) +
         ", printed by --print-rules=nft. Load as root; again to replace them.");
    line("# On a router let only devices of the provider through: oifname \"eth1\", iifname "
         "\"eth1\".");
    line("# \"nft delete " + table + "\" takes the rules away.");
    for (const std::string& note : set_.notes)
        line("# Note: " + note);
    line("add " + table);
    line("delete " + table);
    line(table + " {");
    sets();
    line("\tchain output {");
    line("\t\ttype filter hook output priority -401; policy accept;");
    line("\t\tmeta mark & " + hex(set_.fwmark | queued_mark_) +
         " == " + hex(set_.fwmark | queued_mark_) + " notrack");
    line("\t}");
    chain(Way::out);
    chain(Way::in);
    line("}");
    return out_;
}

} // namespace

std::string nft_text(const RuleSet& set) {
    return Printer(set).run();
}

} // namespace nfqws2::app::firewall
