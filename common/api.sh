# The face of the service for custom scripts, the files of custom.d: what they may rely on, by name. All of it
# keeps its name, its arguments and its effect, on generic Linux and OpenWrt; what is not named here may change
# with any version. Sourced with the other parts.
# shellcheck shell=dash disable=SC2034 # variables are for the scripts that source this
#
# docs/contracts/files-and-service.md tells more, init.d/custom.d.examples.linux has examples. MODE is 1 to
# start or add, 0 to stop or delete. F4 and F6 are matches for IPv4 and IPv6; an empty one leaves the family
# out. A function whose name ends with 4 or 6 takes the match of that family only. VAR is a variable's name.
#
# Phases. A custom script defines those that it needs; it is sourced once for each phase:
#   zapret_custom_daemons MODE              behind the standard daemon; not to stop on OpenWrt, where procd does it
#   zapret_custom_firewall MODE             iptables, behind the standard rules
#   zapret_custom_firewall_nft              nftables, behind the standard rules
#   zapret_custom_firewall_nft_flush        nftables down: own sets and chains have to go
# Numbers, at the top level of the script:
#   alloc_dnum VAR                          of a daemon, 2000 to 2999
#   alloc_qnum VAR                          of a queue, 65300 to 65399
# Daemons:
#   do_nfqws MODE DNUM OPTIONS              nfqws2 with the account, mark and libraries of the standard daemon
#   do_daemon MODE NUM BINARY ARGS          any program
#   run_daemon NUM BINARY ARGS
#   stop_daemon NUM BINARY
#   standard_mode_daemons MODE              the standard daemon; settings may be overridden with `local`
#   filter_apply_hostlist_target VAR        replaces the placeholders in a text
#   zapret_run_daemons
#   zapret_stop_daemons
# iptables, queue rules: WAN devices, marks and excluded addresses are added:
#   fw_nfqws_post MODE F4 F6 Q              outgoing packets
#   fw_nfqws_post4 MODE F Q
#   fw_nfqws_post6 MODE F Q
#   fw_nfqws_pre MODE F4 F6 Q               incoming packets
#   fw_nfqws_pre4 MODE F Q
#   fw_nfqws_pre6 MODE F Q
#   fw_reverse_nfqws_rule MODE F4 F6 Q      the answers to what an outgoing match describes
#   fw_reverse_nfqws_rule4 MODE F Q
#   fw_reverse_nfqws_rule6 MODE F Q
#   reverse_nfqws_rule TEXT                 prints it
#   reverse_nfqws_rule_stream               the same of stdin
#   ipt_do_nfqws_in_out MODE PROTO PORTS PKT OUT SETBASE
#   zapret_do_firewall_standard_nfqws_rules_ipt MODE
#   zapret_do_firewall_standard_rules_ipt MODE
# iptables, any rule, added unless it is there, removed if it is:
#   ipt CHAIN RULE                          insert
#   ipta CHAIN RULE                         append
#   ipt_del CHAIN RULE
#   ipt_add_del MODE CHAIN RULE
#   ipta_add_del MODE CHAIN RULE
#   ipt6 CHAIN RULE
#   ipt6a CHAIN RULE
#   ipt6_del CHAIN RULE
#   ipt6_add_del MODE CHAIN RULE
#   ipt6a_add_del MODE CHAIN RULE
#   ipt_first_packets N                     prints the match of the first N packets
#   ipt_mark_filter                         prints the match of FILTER_MARK
#   ipt_port_ipset NAME PORTS               a set of ports
#   ipt_print_op MODE TEXT DESCRIPTION [6]
#   filter_apply_ipset_target VAR4 VAR6     adds the match of MODE_FILTER=ipset
#   filter_apply_ipset_target4 VAR
#   filter_apply_ipset_target6 VAR
# nftables, queue rules:
#   nft_fw_nfqws_post F4 F6 Q
#   nft_fw_nfqws_post4 F Q
#   nft_fw_nfqws_post6 F Q
#   nft_fw_nfqws_pre F4 F6 Q
#   nft_fw_nfqws_pre4 F Q
#   nft_fw_nfqws_pre6 F Q
#   nft_fw_nfqws_both F4 F6 Q               an outgoing match and its answers
#   nft_fw_nfqws_both4 F Q
#   nft_fw_nfqws_both6 F Q
#   nft_fw_reverse_nfqws_rule F4 F6 Q
#   nft_fw_reverse_nfqws_rule4 F Q
#   nft_fw_reverse_nfqws_rule6 F Q
#   nft_reverse_nfqws_rule TEXT
#   nft_apply_nfqws_in_out PROTO PORTS PKT_OUT PKT_IN
#   zapret_apply_firewall_standard_nfqws_rules_nft
#   zapret_apply_firewall_standard_rules_nft
# nftables, any object of the table:
#   nft_add_chain NAME PARAMS
#   nft_del_chain NAME
#   nft_flush_chain NAME
#   nft_chain_empty NAME
#   nft_create_set NAME PARAMS              fails when it exists
#   nft_del_set NAME
#   nft_flush_set NAME
#   nft_set_exists NAME
#   nft_add_set_element SET ELEMENT
#   nft_add_set_elements SET ELEMENTS
#   nft_add_rule CHAIN RULE
#   nft_insert_rule CHAIN RULE
#   nft_rule_exists CHAIN RULE
#   nft_first_packets N
#   nft_print_op MATCH DESCRIPTION FAMILY
#   nft_filter_apply_ipset_target VAR4 VAR6
#   nft_filter_apply_ipset_target4 VAR
#   nft_filter_apply_ipset_target6 VAR
# Around them:
#   get_lanif VAR                           devices
#   get_wanif46 4|6 VAR
#   create_ipset [no-update|clear]          the IP sets of the lists
#   linux_fwtype                            sets FWTYPE
#   get_fwtype
#   linux_ipt_avail
#   linux_nft_avail
#   nft_only COMMAND                        runs it only with nftables
#   zapret_apply_firewall
#   zapret_unapply_firewall
#   custom_runner FUNCTION ARGS             calls it in every custom script
#   zapret_failed TEXT                      a part has failed: the rest goes on, the exit code tells
#   standard_workers VAR                    workers of the standard daemon
#   standard_queues VAR                     its queue, FIRST:LAST with several workers
#   standard_offload_mark VAR               its mark for finished connections, or nothing
#   standard_state_mark VAR                 its three bits for states of connections, or nothing
#   fill_auto_settings                      gives ports and numbers of packets that are `auto` their values
# Shell helpers:
#   exists PROG
#   exist_all PROGS
#   existf FUNCTION
#   whichq PROG
#   on_off_function ON OFF MODE ARGS
#   contains TEXT PART
#   starts_with TEXT BEGINNING
#   extract_arg N ARGS
#   find_str_in_list WORD LIST
#   trim
#   split_by_separator TEXT SEPARATOR VAR1 VAR2
#   tolower TEXT
#   replace_char A B TEXT
#   replace_str A B TEXT
#   append_separator_list VAR SEPARATOR QUOTE ITEMS
#   make_separator_list VAR SEPARATOR QUOTE ITEMS
#   make_comma_list VAR ITEMS
#   make_quoted_comma_list VAR ITEMS
#   unique ITEMS
#   calc EXPRESSION
#   random MIN MAX
#   md5f
#   alloc_num COUNTER VAR MIN MAX
#   process_exists NAMES
#   linux_min_version MAJOR MINOR
#   dir_is_not_empty DIR
#   is_linked_to_busybox PROG
#   get_dir_inode DIR
#   call_for_multiple_items GETTER VAR ITEMS
#   fsleep_setup
#   msleep MS
#   minsleep
# Variables: every setting of the config, and
#   $ZAPRET_BASE                            the program's folder
#   $ZAPRET_RW                              the folder of config and lists
#   $CUSTOM_DIR                             the folder above custom.d
#   $HOSTLIST_BASE                          the folder of host lists
#   $NFQWS2                                 the program
#   $QNUM                                   queue of the standard daemon
#   $DESYNC_MARK                            mark of packets that daemons make
#   $DESYNC_MARK_POSTNAT                    mark of packets queued behind NAT
#   $MODE_FILTER
#   $ipt_connbytes                          iptables match up to the numbers of packets of a connection
#   $IPSET_EXCLUDE                          iptables match that leaves excluded addresses alone
#   $IPSET_EXCLUDE6
#   $ZAPRET_NFT_TABLE                       name of the table
# Variables to set around a call: matches before and behind the others of each rule.
#   $FW_EXTRA_PRE                           iptables and nftables
#   $FW_EXTRA_POST
#   $FW_EXTRA_PRE6                          ip6tables
#   $FW_EXTRA_POST6

# --- numbers --------------------------------------------------------------------------------------

# Called at the top level of a custom script, so numbers are the same in every phase.
alloc_qnum() { # VAR: number of a queue
	alloc_num ZAPRET_LAST_QNUM "$1" 65300 65399
}

alloc_dnum() { # VAR: number of a daemon
	alloc_num ZAPRET_LAST_DNUM "$1" 2000 2999
}

# --- the standard daemon ------------------------------------------------------------------------

standard_workers() { # VAR
	if is_number "${NFQWS2_WORKERS:-1}" && [ "${NFQWS2_WORKERS:-1}" -ge 1 ] &&
		[ "${NFQWS2_WORKERS:-1}" -le 64 ]; then
		eval "$1=\${NFQWS2_WORKERS:-1}"
	else
		zapret_failed "NFQWS2_WORKERS must be 1 to 64: $NFQWS2_WORKERS"
		eval "$1=1"
	fi
}

# The mark of connections that the standard daemon has finished, empty if these stay in its queue.
standard_offload_mark() { # VAR
	local som_mark=0
	eval "$1="
	[ -n "$NFQWS2_OFFLOAD_MARK" ] || return 0
	case $NFQWS2_OFFLOAD_MARK in
	0x | 0x*[!0-9a-fA-F]* | 0x?????????*) ;;
	0x*) som_mark=$((NFQWS2_OFFLOAD_MARK)) ;;
	esac
	if [ "$som_mark" -gt 0 ] && [ $((som_mark & (som_mark - 1))) = 0 ] &&
		[ $((som_mark & (DESYNC_MARK | DESYNC_MARK_POSTNAT | ${FILTER_MARK:-0}))) = 0 ]; then
		eval "$1=\$NFQWS2_OFFLOAD_MARK"
	else
		zapret_failed "NFQWS2_OFFLOAD_MARK must be one bit that no other mark has, as 0xHEX: $NFQWS2_OFFLOAD_MARK"
	fi
}

# The three adjacent bits of the packet mark that tell the daemon the state of the packet's connection.
standard_state_mark() { # VAR
	local ssm_mark=0 ssm_offload ssm_low
	eval "$1="
	[ -n "$NFQWS2_CT_STATE_MARK" ] || return 0
	case $NFQWS2_CT_STATE_MARK in
	0x | 0x*[!0-9a-fA-F]* | 0x?????????*) ;;
	0x*) ssm_mark=$((NFQWS2_CT_STATE_MARK)) ;;
	esac
	standard_offload_mark ssm_offload
	ssm_low=$((ssm_mark & -ssm_mark))
	if [ "$ssm_mark" -gt 0 ] && [ $((ssm_mark / ssm_low)) = 7 ] &&
		[ $((ssm_mark & (DESYNC_MARK | DESYNC_MARK_POSTNAT | ${FILTER_MARK:-0} | ${ssm_offload:-0}))) = 0 ]; then
		eval "$1=\$NFQWS2_CT_STATE_MARK"
	else
		zapret_failed "NFQWS2_CT_STATE_MARK must be three adjacent bits that no other mark has, as 0xHEX: $NFQWS2_CT_STATE_MARK"
	fi
}

# Calls the function with STATE BITS for each state, BITS as they stand in the mark.
for_each_ct_state() { # MASK FUNCTION ARGS
	local fcs_low=$(($1 & -$1)) fcs_function="$2" fcs_value=0 fcs_state
	shift 2
	for fcs_state in new established related invalid untracked; do
		fcs_value=$((fcs_value + 1))
		"$fcs_function" "$fcs_state" "$(printf 0x%08x $((fcs_value * fcs_low)))" "$@"
	done
}

standard_queues() { # VAR: the number of its queue, or FIRST:LAST
	local sq_workers
	standard_workers sq_workers
	if [ "$sq_workers" -gt 1 ] && is_number "$QNUM"; then
		eval "$1=\$QNUM:$((QNUM + sq_workers - 1))"
	else
		eval "$1=\$QNUM"
	fi
}
