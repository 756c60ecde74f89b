// Everything a command line says, as plain data. Filled by the option parser, read by start-up.
#pragma once

#include "explain/explain_query.hpp"
#include "nfqws2/base/output_file.hpp"
#include "nfqws2/capture/network_info.hpp"
#include "nfqws2/engine/engine.hpp"
#include "nfqws2/profile/list_store.hpp"
#include "nfqws2/profile/profile.hpp"
#include "nfqws2/profile/profile_builder.hpp"
#include "nfqws2/rules/compile.hpp"
#include "nfqws2/sandbox/mode.hpp"
#include "nfqws2/store/stores.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::app {

// The ids of a process that gave its privileges away: belongs to nobody.
inline constexpr unsigned default_id = 0x7FFFFFFF;

struct Privileges {
    bool drop = false;
    bool by_user = false; // --user: supplementary groups come from initgroups
    std::string user;
    unsigned uid = default_id;
    std::vector<unsigned> gids{default_id}; // first is primary
};

// Of the firewall rules that are printed.
enum class RulesFormat : std::uint8_t { none, nft, iptables, json, service };

// Where facts about the kernel's connections come from.
enum class CtMode : std::uint8_t { off, automatic, queue, mark, netlink, sim };

struct Config {
    engine::Options engine;

    std::vector<std::unique_ptr<profile::Profile>> profiles; // 1, 2, ... without profile 0
    std::size_t user_profiles = 0, templates = 0;            // for the status lines
    std::vector<profile::UnusedTemplate> unused_templates;
    std::vector<profile::ListUse> list_uses;
    bool uses_ssid = false;

    bool intercept = true, dry_run = false;
    unsigned fuzz_packets = 0;
    std::optional<std::uint16_t> qnum;
    unsigned workers = 1;                                     // with a queue each, from qnum on
    std::size_t memory_limit = MemoryBudget::default_limit(); // of all workers; 0 = none
    bool gso = true;                // packets larger than the MTU are taken whole
    std::uint32_t offload_mark = 0; // of finished connections, 0 = off
    CtMode ct = CtMode::off;        // as asked for; engine.ct is what it comes to
    bool ct_given = false;
    bool bind_fix4 = false, bind_fix6 = false;
    bool daemon = false;
    std::string pidfile;
    // Protocol of netlink for messages of scripts, none = off; opened if somebody may want it.
    std::optional<int> nflua_netlink = 2; // NETLINK_USERSOCK
    std::string control;                  // path of the control socket, "" = none
    unsigned control_group = 0;
    std::string lua_control;      // path of the socket for code, "" = none
    bool lua_control_all = false; // code runs in every worker
    bool reload_on_hup = false;   // options too, not only lists
    bool lua_reload = false;      // changed files of --lua-init are run again in the same state
    std::string reread;           // configuration file that a reload reads again, "" = none
    Privileges privileges;
    sandbox::Mode sandbox = sandbox::Mode::enforce;
    bool sandbox_required = false;      // no start without all of it
    std::string fence_status;           // what of it holds (fence.hpp)
    std::vector<std::string> lua_allow; // real paths that scripts may use besides the usual ones
    std::optional<lua::Script> lua_run; // a program of its own
    std::size_t lua_run_position = 0;
    bool writable = false;
    std::string writable_dir; // "" = default
    OutputFile auto_debug;    // --hostlist-auto-debug
    std::string state_dir;    // "" = what stores hold lives in memory only
    store::Limits stores;
    unsigned state_interval_s = 30;

    std::string rules_file;                      // "" = no rules
    rules::Compiled rules;                       // once it is read
    std::vector<FileDescriptor> rules_databases; // opened before privileges are given up
    OutputFile rules_stats;                      // --rules-stats
    unsigned rules_stats_s = 10;
    OutputFile rules_capture; // --rules-capture
    std::uint64_t rules_capture_mb = 100;
    OutputFile rules_export;         // --rules-export into a file
    std::string rules_export_socket; // or to a socket

    // offline mode
    std::string pcap_in, pcap_out, pcap_ifname = "pcap0";
    std::vector<capture::Network> pcap_local;
    std::uint32_t pcap_mark = 0; // of every packet that is read

    // tracing and checking
    std::string trace_file; // "" = off, "-" = standard output
    bool check = false, check_json = false, explain_json = false;
    std::vector<ExplainQuery> explain;
    RulesFormat print_rules = RulesFormat::none;
    std::optional<std::string> rules_now; // file with the rules of the firewall, "-" = input
    std::vector<profile::OptionPosition> lua_init_positions; // of each engine.lua_init

    bool offline() const { return !pcap_in.empty(); }
};

} // namespace nfqws2::app
