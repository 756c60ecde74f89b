#include "options/option_table.hpp"

#include "nfqws2/protocol/table.hpp"
#include "options/ct_options.hpp"
#include "options/option_actions.hpp"
#include "options/rules_options.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

namespace nfqws2::app {
namespace {

using Builder = profile::ProfileBuilder;
using Group = OptionGroup;

constexpr Arg none = Arg::none, required = Arg::required, optional = Arg::optional;

constexpr OptionName ours(const char* name, Arg arg) {
    return {name, arg, true};
}
constexpr OptionName common(const char* name, Arg arg) {
    return {name, arg, false};
}

constexpr auto payload_help = protocol::text_with_names<protocol::payload_rows>(
    "payload types for the following --lua-desync. Default all: ");

const OptionSpec table_before_filters[] = {
    // --- general
    {common("debug", optional), Group::general, "0|1|syslog|@<file>",
     "debug messages to the console, syslog or a file; without value: console", set_debug},
    {common("dry-run", none), Group::general, "",
     "verify parameters and list files, then exit; code 0 if all is well", set_dry_run},
    {common("version", none), Group::general, "",
     "print the version and what is built in, and exit", set_version},
    {ours("quiet", none), Group::general, "", "print errors, warnings and answers only",
     ignore_option},
    {ours("help", none), Group::general, "", "print this text and exit", set_help},
    {common("comment", optional), Group::general, "<text>", "ignored", ignore_option},
    {common("intercept", optional), Group::general, "0|1",
     "0: do not intercept, run --lua-init and timers only. Default 1", set_intercept},
    {common("fuzz", required), Group::general, "<N>",
     "push N random packets through the engine after Lua init; implies --intercept=0", set_fuzz},
    {common("qnum", required), Group::general, "<N>", "NFQUEUE number, 0..65535", set_qnum},
    {ours("workers", required), Group::general, "<N>",
     "handle N queues, from --qnum on, with a thread and a Lua state each, 1..64; the firewall "
     "rules need --queue-balance. Default 1",
     set_workers},
    {common("bind-fix4", none), Group::general, "",
     "bind outgoing generated IPv4 packets to the output interface", set_bind_fix4},
    {common("bind-fix6", none), Group::general, "",
     "bind outgoing generated IPv6 packets to the output interface", set_bind_fix6},
    {common("fwmark", required), Group::general, "<N|0xHEX>",
     "mark bit of generated packets. Default 0x40000000", set_fwmark},
    {ours("gso", optional), Group::general, "0|1",
     "take packets larger than the MTU whole and split only those that must be looked at. Default "
     "1",
     set_gso},
    {ours("offload-mark", required), Group::general, "<N|0xHEX>",
     "mark bit of packets of finished connections, for firewall rules that end their queueing",
     set_offload_mark},

    {ours("rules", required), Group::general, "<file>",
     "traffic rules (TOML): what they drop, mark and measure before flows and strategies see it",
     set_rules},
    {ours("rules-stats", required), Group::general, "<file[:seconds]>",
     "write what rules have counted there as JSON, every 10 s, at SIGUSR1 and at the end",
     set_rules_stats},
    {ours("rules-capture", required), Group::general, "<file[:MB]>",
     "write packets with the action 'capture' there as pcapng, 100 MB at most", set_rules_capture},
    {ours("rules-export", required), Group::general, "<unix:path|file>",
     "write packets with the action 'export' there as JSON, a line or datagram each",
     set_rules_export},

    // --- process and privileges
    {common("daemon", none), Group::privileges, "", "go to the background when ready", set_daemon},
    {common("chdir", optional), Group::privileges, "<dir>",
     "change the current directory now; without value: to the directory of the program",
     change_dir},
    {common("pidfile", required), Group::privileges, "<file>", "write the process id there",
     set_pidfile},
    {ours("control", required), Group::privileges, "<path>",
     "make a Unix socket there that nfqws2ctl, panels and monitoring ask", set_control},
    {ours("control-group", required), Group::privileges, "<name|gid>",
     "members of this group may use the socket of --control too. Default 0", set_control_group},
    {ours("reload-on-hup", none), Group::privileges, "",
     "SIGHUP reads the options again too, not only lists", set_reload_on_hup},
    {common("user", required), Group::privileges, "<name>", "drop privileges to this user",
     set_user},
    {common("uid", required), Group::privileges, "<uid[:gid[,gid...]]>",
     "drop privileges to these ids. Default 2147483647:2147483647", set_uid},
    {common("writable", optional), Group::privileges, "<dir>",
     "create a directory that Lua may write to, in environment variables WRITABLE and "
     "WRITEABLE. Default $TMPDIR/zapret2 or /tmp/zapret2",
     set_writable},
    {ours("writeable", optional), Group::privileges, "<dir>", "the same as --writable",
     set_writable},
    {ours("state-dir", required), Group::privileges, "<dir>",
     "keep what scripts remember in stores over restarts, in a folder for each queue below; "
     "without it they live in memory",
     set_state_dir},
    {ours("state-interval", required), Group::privileges, "<seconds>",
     "write it that often, and at the end. Default 30", set_state_interval},
    {ours("store-max", required), Group::privileges, "<N>",
     "records in all stores, the one written longest ago gives way. Default 20000", set_store_max},
    {ours("sandbox", required), Group::privileges, "off|report|enforce|require",
     "what scripts may not do: off = only the privileges hold them, report = it is named in the "
     "log, enforce = it is refused or ends the process, require = and no start where the kernel "
     "cannot do that. Default enforce",
     set_sandbox},
    {ours("lua-allow", required), Group::privileges, "<path>|conntrack[,queue][,netlink]",
     "scripts may read and write this file, or everything below this directory; or they may reach "
     "the kernel's connections (nfct), queues of their own (nfq), netlink messages (nf.netlink); "
     "any number",
     add_lua_allow},

    // --- connection tracking
    {common("ctrack-timeouts", required), Group::tracking, "<S:E:F[:U]>",
     "seconds to keep a flow: TCP SYN, ESTABLISHED, FIN, UDP. Default 60:300:60:60",
     set_ctrack_timeouts},
    {common("ctrack-disable", optional), Group::tracking, "0|1", "1: no connection tracking",
     set_ctrack_disable},
    {ours("ctrack-max", required), Group::tracking, "<N>",
     "tracked flows at most, the most idle one gives way. Default 1000000, 0 = unlimited",
     set_ctrack_max},
    {ours("mem-limit", required), Group::tracking, "<MB>",
     "memory of all that traffic makes the program keep: flows, held packets, messages, Lua. "
     "Default a quarter of the machine's, at least 24; 0 = no limit",
     set_mem_limit},
    {common("payload-disable", optional), Group::tracking, "<type[,type...]>",
     "do not recognise these payload types; without value: none", set_payload_disable},
    {common("reasm-disable", optional), Group::tracking, "<type[,type...]>",
     "do not reassemble these payload types (tls_client_hello, quic_initial); without value: none",
     set_reasm_disable},
    {ours("fastpath-workaround", optional), Group::tracking, "0|1|auto",
     "for routers that forward known connections in hardware: the first held part of a TLS hello "
     "goes on as an empty ACK; auto: for servers that seem to need it. Default 0, without value 1",
     set_fastpath_workaround},
    {common("server", optional), Group::tracking, "0|1",
     "server mode: our side is the one that is connected to", set_server},
    {common("ipcache-lifetime", required), Group::tracking, "<seconds>",
     "lifetime of cached hop counts and host names. Default 7200, 0 = for ever",
     set_ipcache_lifetime},
    {common("ipcache-hostname", optional), Group::tracking, "0|1",
     "1: cache host names of addresses for profile selection before the name is seen",
     set_ipcache_hostname},
    {ours("ct", required), Group::tracking, "off|auto|queue|mark|netlink|sim",
     "what the kernel knows of connections, for --filter-ct*, --ct-state and scripts: from the "
     "queue, from bits of the packet mark, by requests, or simulated. Default off, with such a "
     "filter auto",
     set_ct},
    {ours("ct-state-mark", required), Group::tracking, "<N|0xHEX>",
     "three adjacent bits of the packet mark in which firewall rules tell the state: 1 new, 2 "
     "established, 3 related, 4 invalid, 5 untracked",
     set_ct_state_mark},
    {ours("ct-sim-helper", required), Group::tracking, "ftp[:PORT[+PORT...]]",
     "simulated connections to these ports, without one to port 21, have the helper ftp",
     set_ct_sim_helper},

    // --- Lua
    {common("blob", required), Group::lua, "<name>:[+offset]@<file>|0xHEX",
     "load binary data into a Lua variable", add_blob},
    {common("lua-init", required), Group::lua, "@<file>|<text>",
     "run this Lua code once at start; in order, any number", add_lua_init},
    {ours("lua-run", required), Group::lua, "@<file>|<text>",
     "run this program of its own behind --lua-init, with the words behind -- as arguments; "
     "implies "
     "--intercept=0; it may reach what --lua-allow names of the kernel",
     set_lua_run},
    {ours("lua-reload", none), Group::lua, "",
     "a reload runs changed --lua-init again, in the same Lua state; without it that is refused",
     set_lua_reload},
    {common("lua-gc", required), Group::lua, "<seconds>",
     "force a garbage collection that often. Default 60, 0 = never", set_lua_gc},
    {ours("lua-control", required), Group::lua, "<path>[,all]",
     "make a Unix socket there by which root hands over code for the first Lua state, or all",
     set_lua_control},
    {ours("lua-send", required), Group::lua, "<path> code|@file",
     "hand code to the program with this --lua-control, print its answer, and exit",
     refuse_lua_send},
    {ours("nflua-netlink", required), Group::lua, "<N>|off",
     "protocol of netlink by which scripts of NFLua send messages. Default 2, which processes "
     "without rights may use too",
     set_nflua_netlink},
    {ours("lua-call-limit", required), Group::lua, "<ms>",
     "processor time of one Lua call; beyond it an error ends the call, or, a second later, exit "
     "code 101 the process. Default 1000, 0 = no limit",
     set_lua_call_limit},
    {ours("lua-wait-limit", required), Group::lua, "<ms>",
     "how long one Lua call may wait, three times that for a disk; beyond it an error ends the "
     "call, or, two seconds later, exit code 101 the process. Default 10000, 0 = no limit",
     set_lua_wait_limit},
    {ours("lua-mem-limit", required), Group::lua, "<MB>",
     "memory of all Lua data. Default a quarter of the machine's, 16 to 256, 0 = no limit",
     set_lua_mem_limit},

    // --- offline
    {ours("pcap-in", required), Group::offline, "<file>",
     "process the packets of a capture (- = standard input) instead of NFQUEUE; exit code 2: "
     "capture error, 3: a Lua function failed",
     set_pcap_in},
    {ours("pcap-out", required), Group::offline, "<file>",
     "write every packet that would leave to a capture (- = standard output)", set_pcap_out},
    {ours("pcap-local", required), Group::offline, "<ip[/bits][,...]>",
     "addresses of our side. Default: source of the first IP packet", set_pcap_local},
    {ours("pcap-ifname", required), Group::offline, "<name>",
     "interface name reported to scripts. Default pcap0", set_pcap_ifname},
    {ours("pcap-in-mark", required), Group::offline, "<N|0xHEX>",
     "mark of every packet of the capture. Default 0", set_pcap_in_mark},
    {ours("seed", required), Group::offline, "<N>",
     "reproducible randomness; needs --pcap-in or --intercept=0", set_seed},
    {ours("trace", required), Group::offline, "<file>",
     "one JSON object per packet: what happened and why (- = standard output)", set_trace},
    {ours("check", optional), Group::offline, "json",
     "like --dry-run, and also initialise Lua and look for mistakes", set_check},
    {ours("explain", required), Group::offline, "<proto>:<ip>[:<port>][,key=value...]",
     "tell which profile and instances such a packet would meet", add_explain},
    {ours("explain-json", none), Group::offline, "", "--explain answers as JSON", set_explain_json},

    {ours("print-rules", required), Group::offline, "nft|iptables|json|service",
     "print the smallest firewall rules that show the profiles every packet they need, and exit",
     set_print_rules},
    {ours("rules-now", optional), Group::offline, "<file>",
     "with --check: compare the rules in the file (nft list ruleset, or iptables-save, "
     "ip6tables-save and ipset save; without value or -: standard input) with the needed ones",
     set_rules_now},

    // --- profiles
    {common("new", optional), Group::structure, "<name>", "begin the next profile",
     &Builder::new_profile},
    {common("skip", none), Group::structure, "", "ignore this profile", &Builder::skip},
    {common("name", required), Group::structure, "<name>", "name of the profile",
     &Builder::set_name},
    {common("template", optional), Group::structure, "<name>",
     "this profile is a template, used by --import only", &Builder::set_template},
    {common("import", required), Group::structure, "<template>",
     "copy the settings of a template into this profile", &Builder::import},
    {common("cookie", required), Group::structure, "<text>", "passed to Lua as desync.cookie",
     &Builder::set_cookie},

};

// Before the lists come the filters of profile/filter_table.hpp.
const OptionSpec table_behind_filters[] = {
    // --- lists
    {common("ipset", required), Group::lists, "<file>",
     "include the addresses of a list (one ip[/bits] per line, may be gzip)", &Builder::ipset},
    {common("ipset-ip", required), Group::lists, "<ip[/bits][,...]>", "include these addresses",
     &Builder::ipset_ip},
    {common("ipset-exclude", required), Group::lists, "<file>", "exclude the addresses of a list",
     &Builder::ipset_exclude},
    {common("ipset-exclude-ip", required), Group::lists, "<ip[/bits][,...]>",
     "exclude these addresses", &Builder::ipset_exclude_ip},
    {common("hostlist", required), Group::lists, "<file>",
     "include the hosts of a list and their sub-domains (one per line, ^ = no sub-domains, may be "
     "gzip)",
     &Builder::hostlist},
    {common("hostlist-domains", required), Group::lists, "<name[,name...]>", "include these hosts",
     &Builder::hostlist_domains},
    {common("hostlist-exclude", required), Group::lists, "<file>", "exclude the hosts of a list",
     &Builder::hostlist_exclude},
    {common("hostlist-exclude-domains", required), Group::lists, "<name[,name...]>",
     "exclude these hosts", &Builder::hostlist_exclude_domains},

    // --- automatic host list
    {common("hostlist-auto", required), Group::auto_list, "<file>",
     "add hosts that look blocked to this list by themselves", &Builder::hostlist_auto},
    {common("hostlist-auto-fail-threshold", required), Group::auto_list, "<1..20>",
     "failures until a host is added. Default 3", &Builder::auto_fail_threshold},
    {common("hostlist-auto-fail-time", required), Group::auto_list, "<seconds>",
     "all failures must happen within this time. Default 60", &Builder::auto_fail_time},
    {common("hostlist-auto-retrans-threshold", required), Group::auto_list, "<2..10>",
     "retransmissions that count as a failure. Default 3", &Builder::auto_retrans_threshold},
    {common("hostlist-auto-retrans-maxseq", required), Group::auto_list, "<bytes>",
     "count retransmissions up to this relative sequence. Default 32768",
     &Builder::auto_retrans_maxseq},
    {common("hostlist-auto-retrans-reset", optional), Group::auto_list, "0|1",
     "send a RST to the retransmitter to end waiting. Default 1", &Builder::auto_retrans_reset,
     "1"},
    {common("hostlist-auto-incoming-maxseq", required), Group::auto_list, "<bytes>",
     "a reply beyond this relative sequence is a success. Default 4096, 0 = do not watch replies",
     &Builder::auto_incoming_maxseq},
    {common("hostlist-auto-udp-out", required), Group::auto_list, "<N>",
     "UDP failure: that many packets sent. Default 4, 0 = do not watch UDP",
     &Builder::auto_udp_out},
    {common("hostlist-auto-udp-in", required), Group::auto_list, "<N>",
     "UDP failure: not more than that many received. Default 1", &Builder::auto_udp_in},
    {ours("hostlist-auto-max", required), Group::auto_list, "<N>",
     "add nothing to a list with that many entries. Default 10000, 0 = no limit",
     &Builder::auto_max},
    {common("hostlist-auto-debug", required), Group::auto_list, "<file>",
     "log decisions of all automatic lists", set_hostlist_auto_debug},

    // --- instances
    {common("payload", required), Group::instances, "<type[,type...]>", payload_help.data(),
     &Builder::payload},
    {ours("ct-state", required), Group::instances, "[~]STATE[,STATE...]",
     "states of packets for the following --lua-desync: new, established, related, invalid, "
     "untracked; ~ = any but these. Default all",
     &Builder::ct_state},
    {common("in-range", required), Group::instances, "x|a|[(n|d|s|p|b)N](-|<)[(n|d|s|p|b)N]",
     "incoming packets for the following --lua-desync: n packets, d data packets, s sequence, "
     "p position, b bytes; < excludes the upper end. Default x (none)",
     &Builder::in_range},
    {common("out-range", required), Group::instances, "x|a|[(n|d|s|p|b)N](-|<)[(n|d|s|p|b)N]",
     "outgoing packets likewise. Default a (all)", &Builder::out_range},
    {common("lua-desync", required), Group::instances, "<func>[:arg[=value]]...",
     "call this Lua function for matching packets; in order, any number. Write \\: for a colon",
     &Builder::lua_desync},
};

OptionSpec option_of(const profile::FilterRow& row) {
    const Arg argument = row.without_value != nullptr ? optional : required;
    return {{row.option, argument, !row.of_first_release},
            Group::filter,
            row.value,
            row.help,
            &row,
            row.without_value != nullptr ? row.without_value : ""};
}

const std::vector<OptionSpec>& table() {
    static const std::vector<OptionSpec> whole = [] {
        std::vector<OptionSpec> list(std::begin(table_before_filters),
                                     std::end(table_before_filters));
        std::ranges::transform(profile::filter_rows, std::back_inserter(list), option_of);
        list.insert(list.end(), std::begin(table_behind_filters), std::end(table_behind_filters));
        return list;
    }();
    return whole;
}

} // namespace

bool is_live(const OptionSpec& option) {
    const auto* action = std::get_if<GlobalOption>(&option.action);
    return action == nullptr || *action == add_blob || *action == add_lua_init ||
           *action == ignore_option;
}

std::span<const OptionSpec> option_table() {
    return table();
}

std::span<const OptionName> option_names() {
    static const std::vector<OptionName> names = [] {
        std::vector<OptionName> list;
        for (const OptionSpec& option : table())
            list.push_back(option.name);
        return list;
    }();
    return names;
}

} // namespace nfqws2::app
