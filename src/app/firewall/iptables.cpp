// Theory of operation: a POSIX shell script. Chains of our own are given to iptables-restore, which
// replaces their contents as a whole; the jumps to them are put in place by commands, since
// chains of the system may hold other rules. Incoming packets are taken behind address translation,
// so that both ways show the same addresses; packets without connections are taken in front of
// forwarding, where the way is known by the device.
#include "firewall/firewall.hpp"

#include <array>
#include <cstdio>

namespace nfqws2::app::firewall {
namespace {

constexpr std::size_t ports_of_a_rule = 15; // a range is two of them
constexpr std::size_t longest_comment = 400;

struct Family {
    unsigned version;
    const char* tool;
    const char* icmp;
    const char* icmp_match;
    const char* icmp_type;
    const char* set_family;
};
constexpr Family family4{4, "iptables", "icmp", "icmp", "--icmp-type", "inet"};
constexpr Family family6{6, "ip6tables", "icmpv6", "icmp6", "--icmpv6-type", "inet6"};

std::string hex(std::uint32_t mark) {
    char text[16];
    std::snprintf(text, sizeof(text), "0x%x", mark);
    return text;
}

std::string capitals(std::string text) {
    for (char& c : text)
        c = static_cast<char>(c - 'a' + 'A');
    return text;
}

std::string mark_match(const char* match, std::uint32_t mark, bool inverted = false) {
    return std::string("-m ") + match + (inverted ? " !" : "") + " --mark " + hex(mark) + "/" +
           hex(mark);
}

// As many matches as the kernel's limit needs; one empty text for all ports.
std::vector<std::string> port_matches(const Spans& spans, const std::string& side) {
    if (spans.empty()) return {""};
    if (spans.size() == 1) return {" --" + side + "port " + spans_text(spans, ":")};
    std::vector<std::string> matches;
    Spans part;
    std::size_t used = 0;
    const auto flush = [&] {
        matches.push_back(" -m multiport --" + side + "ports " + spans_text(part, ":"));
        part.clear();
        used = 0;
    };
    for (const Span& span : spans) {
        const std::size_t size = span.from == span.to ? 1 : 2;
        if (used + size > ports_of_a_rule) flush();
        part.push_back(span);
        used += size;
    }
    flush();
    return matches;
}

class Printer {
  public:
    explicit Printer(const RuleSet& set) : set_(set) {}
    std::string run();

  private:
    void head();
    void cut_down();
    void tables(const Family& family);
    void chain(const Family& family, Way way, bool of_connections);
    void rule(const Family& family, const Rule& rule, const std::string& chain);
    void sets();
    void jumps(const Family& family);
    std::string chain_name(Way way, bool of_connections) const;
    std::string set_name(std::size_t set, const Family& family) const {
        return set_.name() + "_" + std::to_string(set + 1) + "_" + std::to_string(family.version);
    }
    std::string target() const;
    void line(const std::string& text) { out_ += text + "\n"; }

    const RuleSet& set_;
    std::string out_;
};

bool has_connections(const Rule& rule) {
    return rule.transport == Transport::tcp || rule.transport == Transport::udp || rule.related;
}

std::string Printer::target() const {
    const std::string first = std::to_string(set_.queue);
    if (set_.workers == 1) return " -j NFQUEUE --queue-num " + first + " --queue-bypass";
    return " -j NFQUEUE --queue-balance " + first + ":" +
           std::to_string(set_.queue + set_.workers - 1) + " --queue-bypass";
}

std::string Printer::chain_name(Way way, bool of_connections) const {
    return set_.name() + (way == Way::out ? "_out" : of_connections ? "_in" : "_pre");
}

void Printer::head() {
    line("#!/bin/sh");
    line("# Rules for nfqws2 --qnum=" + std::to_string(set_.queue) +
         ", printed by --print-rules=iptables. Run as root; again to replace them.");
    line("# A router should name its devices of the provider: WAN=\"eth1 ppp0\" sh FILE");
    line("# \"sh FILE remove\" takes the rules away.");
    for (const std::string& note : set_.notes)
        line("# Note: " + note);
    line("set -eu");
    line("set -f");
    line("");
    line("unhook() { # COMMAND: takes the jumps to our chains away");
    line("\t\"$1\" -w -t mangle -S | sed -n 's/^-A \\(.* -j " + set_.name() +
         "_[a-z]*\\)$/-D \\1/p' |");
    line("\t\twhile read -r rule; do");
    line("\t\t\t\"$1\" -w -t mangle $rule");
    line("\t\tdone");
    line("}");
    line("hook() { # COMMAND CHAIN OPTION OUR-CHAIN: the jumps, one for each device");
    line("\tif [ -z \"${WAN:-}\" ]; then");
    line("\t\t\"$1\" -w -t mangle -I \"$2\" $own -j \"$4\"");
    line("\tfi");
    line("\tfor device in ${WAN:-}; do");
    line("\t\t\"$1\" -w -t mangle -I \"$2\" \"$3\" \"$device\" $own -j \"$4\"");
    line("\tdone");
    line("}");
    line("remove() { # COMMAND");
    line("\tunhook \"$1\"");
    line("\tfor chain in out in pre; do");
    line("\t\t\"$1\" -w -t mangle -F " + set_.name() + "_$chain 2>/dev/null || continue");
    line("\t\t\"$1\" -w -t mangle -X " + set_.name() + "_$chain");
    line("\tdone");
    line("}");
    cut_down();
    line("if [ \"${1:-}\" = remove ]; then");
    line("\tremove iptables");
    line("\tif command -v ip6tables >/dev/null; then remove ip6tables; fi");
    for (std::size_t i = 0; i < set_.sets.size(); i++)
        for (const Family* family : {&family4, &family6})
            line("\tipset destroy " + set_name(i, *family) + " 2>/dev/null || :");
    line("\texit 0");
    line("fi");
}

// What an iptables of a small router lacks is found out by trying, and the rules do without it.
void Printer::cut_down() {
    const std::string chain = set_.name() + "_try";
    line("takes() { # COMMAND MATCH...");
    line("\ttool=$1 taken=0");
    line("\tshift");
    line("\t\"$tool\" -w -t mangle -N " + chain + " 2>/dev/null || :");
    line("\t\"$tool\" -w -t mangle -A " + chain + " \"$@\" -j RETURN 2>/dev/null || taken=1");
    line("\t\"$tool\" -w -t mangle -F " + chain);
    line("\t\"$tool\" -w -t mangle -X " + chain);
    line("\treturn $taken");
    line("}");
    line("lacks() { # COMMAND MATCH WHAT-IT-COSTS");
    line("\techo \"$1 has no match '$2': $3\"");
    line("\tlacking=\"$lacking $2 \"");
    line("}");
    line("look_at() { # COMMAND: sets lacking and own, the match of the jumps");
    line("\tlacking= own='" + mark_match("mark", set_.fwmark, true) + "'");
    line("\ttakes \"$1\" -m mark --mark 0x1/0x1 || {");
    line("\t\tlacks \"$1\" mark 'packets of the program come by it again, which takes time'");
    line("\t\town=");
    line("\t}");
    line("\ttakes \"$1\" -p tcp -m multiport --dports 1,2 ||");
    line("\t\tlacks \"$1\" multiport 'there is a rule for each port'");
    line("\ttakes \"$1\" -m connbytes --connbytes-mode packets --connbytes-dir original "
         "--connbytes 1:2 ||");
    line("\t\tlacks \"$1\" connbytes 'all packets of the connections are queued, not the first'");
    line("\ttakes \"$1\" -m conntrack --ctstate INVALID ||");
    line("\t\tlacks \"$1\" conntrack 'packets of both directions are queued, retransmissions may "
         "not be'");
    line("}");
    line("fit() { # rules on standard input without what is lacking");
    line("\tawk -v lacking=\"$lacking\" '");
    line("\t\tfunction put(text,    head, tail, ports, n, i) {");
    line("\t\t\tif (!no_multiport || !match(text, / -m multiport --[ds]ports [^ ]+/)) {");
    line("\t\t\t\tprint text");
    line("\t\t\t\treturn");
    line("\t\t\t}");
    line("\t\t\thead = substr(text, 1, RSTART - 1)");
    line("\t\t\ttail = substr(text, RSTART + RLENGTH)");
    line("\t\t\ttext = substr(text, RSTART + 14, RLENGTH - 14)");
    line("\t\t\tn = split(substr(text, 10), ports, \",\")");
    line("\t\t\tfor (i = 1; i <= n; i++) put(head \" \" substr(text, 1, 7) \" \" ports[i] tail)");
    line("\t\t}");
    line("\t\tBEGIN { no_multiport = index(lacking, \" multiport \") }");
    line(
        "\t\tindex(lacking, \" connbytes \") { sub(/ -m connbytes .*--connbytes [0-9:]+/, \"\") }");
    line("\t\tindex(lacking, \" conntrack \") && / -m conntrack / { next }");
    line("\t\t{ put($0) }");
    line("\t'");
    line("}");
}

void Printer::sets() {
    if (set_.sets.empty()) return;
    line("");
    line("ipset restore <<'END'");
    for (std::size_t i = 0; i < set_.sets.size(); i++)
        for (const Family* family : {&family4, &family6}) {
            std::vector<std::string> networks;
            for (const auto& list : set_.sets[i].lists)
                for (std::string& network : list->networks(family->version))
                    networks.push_back(std::move(network));
            const std::string name = set_name(i, *family);
            line("create " + name + " hash:net family " + family->set_family + " maxelem " +
                 std::to_string(networks.size() + 1024) + " -exist");
            line("flush " + name);
            for (const std::string& network : networks) {
                if (!network.ends_with("/0")) {
                    line("add " + name + " " + network + " -exist");
                    continue;
                }
                // A network of this kind has at least one bit.
                const bool v4 = family->version == 4;
                line("add " + name + (v4 ? " 0.0.0.0/1" : " ::/1") + " -exist");
                line("add " + name + (v4 ? " 128.0.0.0/1" : " 8000::/1") + " -exist");
            }
        }
    line("END");
}

void Printer::rule(const Family& family, const Rule& rule, const std::string& chain) {
    line("# " + comment_text(rule, longest_comment));
    const std::string begin = "-A " + chain;
    const bool initiator = set_.by_initiator(rule);
    std::string end;
    if (rule.set)
        end += " -m set --match-set " + set_name(*rule.set, family) +
               (rule.way == Way::out ? " dst" : " src");
    if (rule.transport == Transport::icmp) {
        const std::string protocol = begin + " -p " + family.icmp;
        if (rule.related) line(protocol + " -m conntrack --ctstate RELATED" + target());
        if (!rule.related && rule.icmp.empty()) line(protocol + target());
        for (const IcmpKind& kind : rule.icmp)
            line(protocol + " -m " + family.icmp_match + " " + family.icmp_type + " " +
                 std::to_string(kind.type) + (kind.code ? "/" + std::to_string(*kind.code) : "") +
                 target());
        return;
    }
    if (rule.transport == Transport::other) {
        for (const Span& span : rule.protocols)
            for (unsigned protocol = span.from; protocol <= span.to; protocol++)
                line(begin + " -p " + std::to_string(protocol) + target());
        if (!rule.protocols.empty()) return;
        for (const char* known : {"tcp", "udp", family.icmp})
            line(begin + " -p " + known + " -j RETURN");
        line(begin + target());
        return;
    }
    const std::string protocol =
        begin + " -p " + (rule.transport == Transport::tcp ? "tcp" : "udp");
    const std::string own_way = initiator ? "original" : "reply";
    if (set_.asks_connection(rule))
        line(protocol + " -m conntrack --ctdir " + (initiator ? "REPLY" : "ORIGINAL") +
             " -j RETURN");
    for (const std::string& server : port_matches(rule.ports, initiator ? "d" : "s"))
        for (const std::string& near : port_matches(rule.lports, initiator ? "s" : "d")) {
            std::string match = protocol + server + near;
            match += end;
            if (rule.packets)
                line(match + " -m connbytes --connbytes-mode packets --connbytes-dir " + own_way +
                     " --connbytes 1:" + std::to_string(*rule.packets + rule.own) + target());
            else
                line(match + target());
            if (rule.invalid) line(match + " -m conntrack --ctstate INVALID" + target());
        }
}

void Printer::chain(const Family& family, Way way, bool of_connections) {
    const std::string name = chain_name(way, of_connections);
    if (set_.offload_mark != 0) {
        const std::string mark = mark_match("mark", set_.offload_mark);
        const std::string connection = mark_match("connmark", set_.offload_mark);
        line("-A " + name + " " + mark + " -j CONNMARK --or-mark " + hex(set_.offload_mark));
        line("-A " + name + " " + mark + " " + connection + " -j MARK --set-xmark 0x0/" +
             hex(set_.offload_mark));
        line("-A " + name + " " + connection + " -j RETURN");
    }
    if (set_.ct_state_mark != 0)
        for (const ToldState& state : told_states(set_.ct_state_mark))
            line("-A " + name + " -m conntrack --ctstate " + capitals(state.name) +
                 " -j MARK --set-xmark " + hex(state.mark) + "/" + hex(set_.ct_state_mark));
    for (const Rule& r : set_.rules) {
        if (r.way != way || (way == Way::in && has_connections(r) != of_connections)) continue;
        if (family.version == 4 ? r.ipv4 : r.ipv6) rule(family, r, name);
    }
}

void Printer::tables(const Family& family) {
    line(std::string("look_at ") + family.tool);
    line(std::string("fit <<'END' | ") + family.tool + "-restore -w --noflush");
    line("*mangle");
    for (const char* part : {"_out", "_in", "_pre"})
        line(":" + set_.name() + part + " - [0:0]");
    chain(family, Way::out, true);
    chain(family, Way::in, true);
    chain(family, Way::in, false);
    line("COMMIT");
    line("END");
}

void Printer::jumps(const Family& family) {
    bool out = false, in = false, pre = false;
    for (const Rule& r : set_.rules) {
        if (!(family.version == 4 ? r.ipv4 : r.ipv6)) continue;
        out = out || r.way == Way::out;
        in = in || (r.way == Way::in && has_connections(r));
        pre = pre || (r.way == Way::in && !has_connections(r));
    }
    const std::string tool = family.tool;
    line("unhook " + tool);
    if (out) line("hook " + tool + " POSTROUTING -o " + chain_name(Way::out, true));
    if (in)
        for (const char* place : {"INPUT", "FORWARD"})
            line("hook " + tool + " " + place + " -i " + chain_name(Way::in, true));
    if (pre) line("hook " + tool + " PREROUTING -i " + chain_name(Way::in, false));
}

std::string Printer::run() {
    head();
    sets();
    line("");
    tables(family4);
    jumps(family4);
    line("");
    line("command -v ip6tables-restore >/dev/null || exit 0");
    tables(family6);
    jumps(family6);
    return out_;
}

} // namespace

std::string iptables_text(const RuleSet& set) {
    return Printer(set).run();
}

} // namespace nfqws2::app::firewall
