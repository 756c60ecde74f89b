#include "known_functions.hpp"

#include "nfqws2/base/text.hpp"

namespace nfqws2::app {
namespace {

// Groups of arguments that many functions take. A word that begins with $ stands for a group
// declared above.
struct ArgumentGroup {
    std::string_view name, arguments;
};
constexpr ArgumentGroup groups[] = {
    {"$direction", "dir"},
    {"$payload", "payload"},
    {"$fooling",
     "ip_ttl ip6_ttl ip_autottl ip6_autottl ip6_hopbyhop ip6_hopbyhop2 ip6_destopt ip6_destopt2 "
     "ip6_routing ip6_ah tcp_seq tcp_ack tcp_ts tcp_md5 tcp_flags_set tcp_flags_unset tcp_ts_up "
     "tcp_nop_del fool"},
    {"$ipid", "ip_id ip_id_conn"},
    {"$sending", "repeats ifout fwmark badsum"},
    {"$fragments", "ipfrag ipfrag_disorder ipfrag_pos_tcp ipfrag_pos_udp ipfrag_pos_icmp "
                   "ipfrag_pos ipfrag_next"},
    {"$decoys", "nofake1 nofake2 nofake3 nofake4"},
    {"$detectors", "inseq maxseq retrans udp_in udp_out no_rst no_http_redirect reset"},
    {"$segmented", "$direction $payload $fooling $ipid $sending"},
};

// Name, then arguments: * required, @ a blob, ! makes a blob, # a position, + positions,
// ? a condition; two names with & between them are given together or not at all.
constexpr std::string_view declarations[] = {
    // zapret-lib
    "luaexec code*",
    "pass",
    "pktdebug",
    "argdebug",
    "posdebug",
    "detect_payload_str pattern* payload undetected",
    "desync_orchestrator_example",
    // zapret-antidpi
    "drop $direction $payload",
    "send $direction $fooling $ipid $fragments $sending delay",
    "pktmod $direction $fooling $ipid",
    "rst $segmented $fragments rstack",
    "fake $segmented $fragments blob*@ optional tls_mod",
    "http_domcase $direction",
    "http_hostcase $direction spell",
    "http_methodeol $direction",
    "http_unixeol $direction",
    "synack_split $sending $fragments mode",
    "synack $sending $fragments",
    "wsize wsize scale",
    "wssize $direction wsize scale forced_cutoff",
    "syndata $fooling $sending $fragments blob@ tls_mod",
    "tls_client_hello_clone $direction blob*! fallback@ sni_del_ext sni_del sni_snt sni_snt_new "
    "sni_first sni_last",
    "multisplit $segmented $fragments pos+ seqovl seqovl_pattern@ blob@ optional nodrop",
    "multidisorder $segmented $fragments pos+ seqovl# seqovl_pattern@ blob@ optional nodrop",
    "multidisorder_legacy $segmented $fragments pos+ seqovl# seqovl_pattern@ optional",
    "tcpseg $segmented $fragments pos*+ seqovl seqovl_pattern@ blob@ optional",
    "fakedsplit $segmented $decoys pos# pattern@ seqovl seqovl_pattern@ blob@ optional nodrop",
    "fakeddisorder $segmented $decoys pos# pattern@ seqovl# seqovl_pattern@ blob@ optional nodrop",
    "hostfakesplit $segmented host midhost# disorder_after# nofake1 nofake2 blob@ optional nodrop",
    "oob $fooling $ipid $sending $fragments char byte urp",
    "udplen $direction $payload min max increment pattern@ pattern_offset",
    "dht_dn $direction dn",
    // zapret-auto
    "circular key hostkey nld reqhost success_detector failure_detector fails time $detectors",
    "condition iff*? neg instances",
    "per_instance_condition instances",
    "stopif iff*? neg",
    "repeater repeats* instances iff? neg stop clear",
    // zapret-obfs
    "wgobfs secret* padmin padmax",
    "ippxor ippxor* dataxor@ rebuild",
    "udp2icmp ctype&stype ccode&scode dataxor@ server",
    "synhide synack ghost ghost6 magic x2 kind opt xorseq ifout fwmark",
    // zapret-pcap
    "pcap file* keep",
};

KnownArgument parse_argument(std::string_view word) {
    KnownArgument argument;
    argument.name = word.substr(0, word.find_first_of("*@!#+?"));
    for (const char mark : word.substr(argument.name.size())) {
        argument.required = argument.required || mark == '*';
        if (mark == '@') argument.kind = ArgumentKind::blob;
        if (mark == '!') argument.kind = ArgumentKind::new_blob;
        if (mark == '#') argument.kind = ArgumentKind::marker;
        if (mark == '+') argument.kind = ArgumentKind::markers;
        if (mark == '?') argument.kind = ArgumentKind::condition;
    }
    return argument;
}

void add_arguments(std::string_view words, std::vector<KnownArgument>& to) {
    for (const std::string_view word : split(words, ' ')) {
        if (!word.starts_with('$')) {
            const std::size_t pair = word.find('&');
            to.push_back(parse_argument(word.substr(0, pair)));
            if (pair == std::string_view::npos) continue;
            to.push_back(parse_argument(word.substr(pair + 1)));
            std::prev(to.end(), 2)->partner = to.back().name;
            to.back().partner = std::prev(to.end(), 2)->name;
            continue;
        }
        for (const ArgumentGroup& group : groups)
            if (group.name == word) add_arguments(group.arguments, to);
    }
}

KnownFunction parse_declaration(std::string_view text) {
    KnownFunction function;
    const std::size_t blank = text.find(' ');
    function.name = text.substr(0, blank);
    if (blank != std::string_view::npos) add_arguments(text.substr(blank + 1), function.arguments);
    return function;
}

} // namespace

const std::vector<KnownFunction>& known_functions() {
    static const std::vector<KnownFunction> functions = [] {
        std::vector<KnownFunction> list;
        for (const std::string_view declaration : declarations)
            list.push_back(parse_declaration(declaration));
        return list;
    }();
    return functions;
}

const KnownFunction* find_known_function(std::string_view name) {
    for (const KnownFunction& function : known_functions())
        if (function.name == name) return &function;
    return nullptr;
}

const KnownArgument* find_argument(const KnownFunction& function, std::string_view name) {
    for (const KnownArgument& argument : function.arguments)
        if (argument.name == name) return &argument;
    for (const KnownArgument& argument : orchestration_arguments())
        if (argument.name == name) return &argument;
    return nullptr;
}

const std::vector<KnownArgument>& orchestration_arguments() {
    static const std::vector<KnownArgument> arguments =
        parse_declaration("- strategy final cond? cond_neg pattern percent cond_code").arguments;
    return arguments;
}

} // namespace nfqws2::app
