// What the global options do; one function per option, named in the option table.
#pragma once

#include "options/parse_state.hpp"

namespace nfqws2::app {

void ignore_option(ParseState&, const OptionValue&);
void set_debug(ParseState&, const OptionValue&);
void set_dry_run(ParseState&, const OptionValue&);
void set_version(ParseState&, const OptionValue&);
void set_help(ParseState&, const OptionValue&);
void set_intercept(ParseState&, const OptionValue&);
void set_fuzz(ParseState&, const OptionValue&);
void set_qnum(ParseState&, const OptionValue&);
void set_workers(ParseState&, const OptionValue&);
void set_bind_fix4(ParseState&, const OptionValue&);
void set_bind_fix6(ParseState&, const OptionValue&);
void set_fwmark(ParseState&, const OptionValue&);
void set_gso(ParseState&, const OptionValue&);
void set_offload_mark(ParseState&, const OptionValue&);
void set_daemon(ParseState&, const OptionValue&);
void change_dir(ParseState&, const OptionValue&);
void set_pidfile(ParseState&, const OptionValue&);
void set_control(ParseState&, const OptionValue&);
void set_control_group(ParseState&, const OptionValue&);
void set_reload_on_hup(ParseState&, const OptionValue&);
void set_user(ParseState&, const OptionValue&);
void set_uid(ParseState&, const OptionValue&);
void set_writable(ParseState&, const OptionValue&);
void set_state_dir(ParseState&, const OptionValue&);
void set_state_interval(ParseState&, const OptionValue&);
void set_store_max(ParseState&, const OptionValue&);
void set_sandbox(ParseState&, const OptionValue&);
void set_lua_control(ParseState&, const OptionValue&);
void refuse_lua_send(ParseState&, const OptionValue&);
void set_nflua_netlink(ParseState&, const OptionValue&);
void add_lua_allow(ParseState&, const OptionValue&);
void set_lua_run(ParseState&, const OptionValue&);
void set_ctrack_timeouts(ParseState&, const OptionValue&);
void set_ctrack_disable(ParseState&, const OptionValue&);
void set_ctrack_max(ParseState&, const OptionValue&);
void set_mem_limit(ParseState&, const OptionValue&);
void set_payload_disable(ParseState&, const OptionValue&);
void set_reasm_disable(ParseState&, const OptionValue&);
void set_fastpath_workaround(ParseState&, const OptionValue&);
void set_server(ParseState&, const OptionValue&);
void set_ipcache_lifetime(ParseState&, const OptionValue&);
void set_ipcache_hostname(ParseState&, const OptionValue&);
void add_blob(ParseState&, const OptionValue&);
void add_lua_init(ParseState&, const OptionValue&);
void set_lua_reload(ParseState&, const OptionValue&);
void set_lua_gc(ParseState&, const OptionValue&);
void set_lua_call_limit(ParseState&, const OptionValue&);
void set_lua_wait_limit(ParseState&, const OptionValue&);
void set_lua_mem_limit(ParseState&, const OptionValue&);
void set_pcap_in(ParseState&, const OptionValue&);
void set_pcap_out(ParseState&, const OptionValue&);
void set_pcap_local(ParseState&, const OptionValue&);
void set_pcap_ifname(ParseState&, const OptionValue&);
void set_pcap_in_mark(ParseState&, const OptionValue&);
void set_seed(ParseState&, const OptionValue&);
void set_trace(ParseState&, const OptionValue&);
void set_check(ParseState&, const OptionValue&);
void add_explain(ParseState&, const OptionValue&);
void set_explain_json(ParseState&, const OptionValue&);
void set_print_rules(ParseState&, const OptionValue&);
void set_rules_now(ParseState&, const OptionValue&);
void set_hostlist_auto_debug(ParseState&, const OptionValue&);

} // namespace nfqws2::app
