# nftables rules. Sourced.
# shellcheck shell=dash disable=SC2034 # variables are for the scripts that source this
#
# Theory of operation. All lives in one table. Going up, chains, interface sets and standard rules
# are collected (nft_batch_begin) and given to nft as one transaction (nft_batch_commit): the old
# state stays whole when anything is refused. Rules of custom scripts are set one by one afterwards.
# A hook chain jumps to the chain of queue rules only when that has rules: the jump is added with the
# first rule, once a family (nft_activate).

ZAPRET_NFT_TABLE=${ZAPRET_NFT_TABLE:-zapret2}
NFT_BATCH=
# chains with their jump rules in place, as words CHAIN/FAMILY
NFT_ACTIVE=
# hook chains as NAME=TYPE HOOK PRIORITY, then regular chains
NFT_HOOK_CHAINS='forward_hook=forward=-1 postrouting_hook=postrouting=99 postnat_hook=postrouting=101
prerouting_hook=prerouting=-99 prenat_hook=prerouting=-101 predefrag=output=-401'
NFT_CHAINS='flow_offload flow_offload_zapret flow_offload_always postrouting postnat prerouting prenat
predefrag_nfqws ruletest'

NFT_COMMENT_ICMP='comment "nfqws related : prevent ttl expired socket errors"'
NFT_COMMENT_OFFLOAD='comment "direct flow offloading exemption"'

# --- commands -----------------------------------------------------------------------------------

nft_do() { # COMMAND: runs it, or puts it into the transaction
	if [ -n "$NFT_BATCH" ]; then
		printf '%s\n' "$*" >>"$NFT_BATCH"
	else
		printf '%s\n' "$*" | nft -f -
	fi
}

nft_batch_begin() {
	NFT_BATCH=$(mktemp "${TMPDIR:-/tmp}/zapret2.XXXXXX") && return 0
	NFT_BATCH=
	zapret_failed "no temporary file can be made"
}

nft_batch_commit() {
	local batch="$NFT_BATCH" code
	NFT_BATCH=
	nft -f "$batch"
	code=$?
	rm -f "$batch"
	return $code
}

nft_object() { # CMD KIND NAME [PARAMS]
	case $4 in
	'') nft_do "$1 $2 inet $ZAPRET_NFT_TABLE $3" ;;
	'{'*) nft_do "$1 $2 inet $ZAPRET_NFT_TABLE $3 $4" ;;
	*) nft_do "$1 $2 inet $ZAPRET_NFT_TABLE $3 { $4 }" ;;
	esac
}

# --- chains -------------------------------------------------------------------------------------

nft_add_chain() { # NAME PARAMS
	local name="$1"
	shift
	nft_object add chain "$name" "$*"
}
nft_del_chain() { # NAME
	nft_object delete chain "$1"
}
nft_delete_chain() {
	nft_del_chain "$@"
}
nft_flush_chain() { # NAME
	nft_object flush chain "$1"
}
nft_chain_rules() { # NAME: prints its rules, without blanks around them
	nft -t list chain inet "$ZAPRET_NFT_TABLE" "$1" 2>/dev/null | trim |
		sed -e '1,2d' -e '/^type .* hook /d' -e '/^}$/d' -e '/^$/d'
}
nft_chain_empty() { # NAME
	[ -z "$(nft_chain_rules "$1")" ]
}

# --- sets ---------------------------------------------------------------------------------------

nft_create_set() { # NAME PARAMS: fails when it exists
	local name="$1"
	shift
	nft_object create set "$name" "$*" 2>/dev/null
}
nft_add_set() { # NAME PARAMS
	local name="$1"
	shift
	nft_object add set "$name" "$*"
}
nft_del_set() { # NAME
	nft_object delete set "$1"
}
nft_flush_set() { # NAME
	nft_object flush set "$1"
}
nft_set_exists() { # NAME
	nft -t list set inet "$ZAPRET_NFT_TABLE" "$1" >/dev/null 2>&1
}
nft_add_set_element() { # SET ELEM
	[ -n "$2" ] || return 0
	nft_object add element "$1" "$2"
}
nft_add_set_elements() { # SET ELEM...
	local set="$1" elements
	shift
	[ $# -gt 0 ] || return 0
	make_comma_list elements "$@"
	nft_add_set_element "$set" "$elements"
}

# --- rules --------------------------------------------------------------------------------------

nft_put_rule() { # add|insert CHAIN RULE...
	local op="$1" chain="$2"
	shift 2
	nft_do "$op rule inet $ZAPRET_NFT_TABLE $chain ${FW_EXTRA_PRE:+$FW_EXTRA_PRE }$*" && return 0
	zapret_failed "nft $op rule $chain $*"
}
nft_add_rule() { # CHAIN RULE...
	nft_put_rule add "$@"
}
nft_insert_rule() { # CHAIN RULE...
	nft_put_rule insert "$@"
}

# A rule is compared in the form in which nft lists it: it is put into a scratch chain first.
nft_rule_exists() { # CHAIN RULE...
	local chain="$1" wanted
	shift
	nft_flush_chain ruletest && nft_add_rule ruletest "$*" || return 1
	wanted=$(nft_chain_rules ruletest)
	nft_flush_chain ruletest
	[ -n "$wanted" ] && nft_chain_rules "$chain" | grep -qxF -e "$wanted"
}

# --- parts of rules -----------------------------------------------------------------------------

nft_first_packets() { # N: the match of the first N packets, nothing for all of them
	case $1 in
	'' | keepalive | 0) ;;
	1) echo "ct original packets 1" ;;
	*) printf '%s\n' "ct original packets 1-$1" ;;
	esac
}

nft_filter_apply_ipset_target4() { # VAR
	[ "$MODE_FILTER" = ipset ] || return 0
	eval "$1=\"\${$1} ip daddr @zapret\""
}
nft_filter_apply_ipset_target6() { # VAR
	[ "$MODE_FILTER" = ipset ] || return 0
	eval "$1=\"\${$1} ip6 daddr @zapret6\""
}
nft_filter_apply_ipset_target() { # V4 V6
	nft_filter_apply_ipset_target4 "$1"
	nft_filter_apply_ipset_target6 "$2"
}

nft_reverse_nfqws_rule() { # STR...: an outgoing filter as the filter of the answers
	printf '%s\n' "$*" | sed -e 's/oifname/iifname/g' -e 's/dport/sport/g' -e 's/daddr/saddr/g' \
		-e 's/ct original/ct reply/g' \
		-e "s/\(meta \)\{0,1\}mark and $DESYNC_MARK == 0\(x0*\)\{0,1\} \{0,1\}//g"
}

nft_print_op() { # FILTER DESC FAMILY
	printf '%s\n' "Inserting nftables ipv$3 rule for $2 : $1"
}

nft_is_postnat() {
	[ "$POSTNAT" != 0 ] || [ "$POSTNAT_ALL" = 1 ]
}

flow_offload_wanted() {
	[ "$FLOWOFFLOAD" = software ] || [ "$FLOWOFFLOAD" = hardware ]
}

# --- queue rules --------------------------------------------------------------------------------

# The jump from a hook chain, with what no queue rule needs to see.
nft_jump_rule() { # CHAIN FAMILY: prints it
	local ip=ip six='' wan if_set iface='' filter=''
	[ "$2" = 6 ] && ip=ip6 six=6
	if_set=@wanif$six
	get_wanif46 "$2" wan
	case $1 in
	postrouting | postnat)
		[ -n "$FILTER_MARK" ] && filter="meta mark and $FILTER_MARK != 0 "
		if [ -n "$wan" ] || [ "$FW_NEEDS_WAN" = 1 ]; then
			iface="oifname $if_set "
		fi
		printf '%s\n' "meta mark and $DESYNC_MARK == 0 $filter$iface$ip daddr != @nozapret$six jump $1"
		;;
	*)
		if [ -n "$wan" ] || [ "$FW_NEEDS_WAN" = 1 ]; then
			iface="iifname $if_set "
		fi
		printf '%s\n' "meta mark and $DESYNC_MARK == 0 $iface$ip saddr != @nozapret$six jump $1"
		;;
	esac
}

nft_activate() { # CHAIN FAMILY
	local FW_EXTRA_PRE='' rule
	find_str_in_list "$1/$2" "$NFT_ACTIVE" && return 0
	rule=$(nft_jump_rule "$1" "$2")
	# In a transaction the chain was just made anew.
	if [ -n "$NFT_BATCH" ] || ! nft_rule_exists "$1_hook" "$rule"; then
		nft_add_rule "$1_hook" "$rule" || return 1
	fi
	NFT_ACTIVE="$NFT_ACTIVE $1/$2"
}

# Q is a number, or FIRST:LAST for the queues of several workers.
nft_queue_rule() { # CHAIN FAMILY FILTER MARKS Q
	local queues="$5"
	case $queues in *:*) queues="${queues%%:*}-${queues#*:}" ;; esac
	nft_insert_rule "$1" "meta nfproto ipv$2 $3 ${4:+$4 }${FW_EXTRA_POST:+$FW_EXTRA_POST }queue num $queues bypass" &&
		nft_activate "$1" "$2"
}

nft_ct_mark() { # what notes in the connection that it is handled
	if nft_is_postnat && [ "$FILTER_TTL_EXPIRED_ICMP" = 1 ]; then
		echo "ct mark set ct mark or $DESYNC_MARK"
	fi
}

nft_post_rule() { # FAMILY FILTER Q
	local chain=postrouting marks=''
	nft_print_op "$2" "nfqws postrouting (qnum $3)" "$1"
	if nft_is_postnat; then
		chain=postnat
		marks="meta mark set meta mark or $DESYNC_MARK_POSTNAT"
		[ "$FILTER_TTL_EXPIRED_ICMP" = 1 ] && marks="$marks $(nft_ct_mark)"
	fi
	nft_queue_rule "$chain" "$1" "$2" "$marks" "$3"
	if flow_offload_wanted; then
		nft_insert_rule flow_offload_zapret "meta nfproto ipv$1 $2 return $NFT_COMMENT_OFFLOAD"
	fi
}

nft_pre_rule() { # FAMILY FILTER Q
	local chain=prerouting
	nft_is_postnat && chain=prenat
	nft_print_op "$2" "nfqws prerouting (qnum $3)" "$1"
	nft_queue_rule "$chain" "$1" "$2" "$(nft_ct_mark)" "$3"
}

nft_fw_nfqws_post4() { # FILTER Q
	[ "$DISABLE_IPV4" = 1 ] || [ -z "$1" ] || nft_post_rule 4 "$1" "$2"
}
nft_fw_nfqws_post6() { # FILTER Q
	[ "$DISABLE_IPV6" = 1 ] || [ -z "$1" ] || nft_post_rule 6 "$1" "$2"
}
nft_fw_nfqws_post() { # F4 F6 Q
	nft_fw_nfqws_post4 "$1" "$3"
	nft_fw_nfqws_post6 "$2" "$3"
}
nft_fw_nfqws_pre4() { # FILTER Q
	[ "$DISABLE_IPV4" = 1 ] || [ -z "$1" ] || nft_pre_rule 4 "$1" "$2"
}
nft_fw_nfqws_pre6() { # FILTER Q
	[ "$DISABLE_IPV6" = 1 ] || [ -z "$1" ] || nft_pre_rule 6 "$1" "$2"
}
nft_fw_nfqws_pre() { # F4 F6 Q
	nft_fw_nfqws_pre4 "$1" "$3"
	nft_fw_nfqws_pre6 "$2" "$3"
}
nft_fw_reverse_nfqws_rule4() { # FILTER Q
	nft_fw_nfqws_pre4 "$(nft_reverse_nfqws_rule "$1")" "$2"
}
nft_fw_reverse_nfqws_rule6() { # FILTER Q
	nft_fw_nfqws_pre6 "$(nft_reverse_nfqws_rule "$1")" "$2"
}
nft_fw_reverse_nfqws_rule() { # F4 F6 Q
	nft_fw_reverse_nfqws_rule4 "$1" "$3"
	nft_fw_reverse_nfqws_rule6 "$2" "$3"
}
nft_fw_nfqws_both4() { # FILTER Q
	nft_fw_nfqws_post4 "$@"
	nft_fw_reverse_nfqws_rule4 "$@"
}
nft_fw_nfqws_both6() { # FILTER Q
	nft_fw_nfqws_post6 "$@"
	nft_fw_reverse_nfqws_rule6 "$@"
}
nft_fw_nfqws_both() { # F4 F6 Q
	nft_fw_nfqws_both4 "$1" "$3"
	nft_fw_nfqws_both6 "$2" "$3"
}

# --- standard rules -----------------------------------------------------------------------------

nft_nfqws_row() { # PROTO PORTS PKT FUNC
	local filter4 filter6 queues offload
	[ -n "$3" ] && [ "$3" != 0 ] || return 0
	standard_queues queues
	standard_offload_mark offload
	filter4="$1 dport {$2} $(nft_first_packets "$3")"
	filter4="${filter4% }${offload:+ ct mark and $offload == 0}"
	filter6=$filter4
	nft_filter_apply_ipset_target filter4 filter6
	"$4" "$filter4" "$filter6" "$queues"
}

nft_apply_nfqws_in_out() { # PROTO PORTS PKT_OUT PKT_IN
	case $2 in
	'') return 0 ;;
	*[!0-9,-]*)
		zapret_failed "bad list of ports: $2"
		return 1
		;;
	esac
	nft_nfqws_row "$1" "$2" "$3" nft_fw_nfqws_post
	nft_nfqws_row "$1" "$2" "$4" nft_fw_reverse_nfqws_rule
}

zapret_apply_firewall_standard_nfqws_rules_nft() {
	local NFQWS2_PORTS_TCP="$NFQWS2_PORTS_TCP" NFQWS2_PORTS_UDP="$NFQWS2_PORTS_UDP"
	local NFQWS2_TCP_PKT_OUT="$NFQWS2_TCP_PKT_OUT" NFQWS2_TCP_PKT_IN="$NFQWS2_TCP_PKT_IN"
	local NFQWS2_UDP_PKT_OUT="$NFQWS2_UDP_PKT_OUT" NFQWS2_UDP_PKT_IN="$NFQWS2_UDP_PKT_IN"
	[ "$NFQWS2_ENABLE" = 1 ] || return 0
	fill_auto_settings_of_rules || return 1
	nft_apply_nfqws_in_out tcp "$NFQWS2_PORTS_TCP" "$NFQWS2_TCP_PKT_OUT" "$NFQWS2_TCP_PKT_IN"
	nft_apply_nfqws_in_out tcp "$NFQWS2_PORTS_TCP_KEEPALIVE" keepalive "$NFQWS2_TCP_PKT_IN"
	nft_apply_nfqws_in_out udp "$NFQWS2_PORTS_UDP" "$NFQWS2_UDP_PKT_OUT" "$NFQWS2_UDP_PKT_IN"
	nft_apply_nfqws_in_out udp "$NFQWS2_PORTS_UDP_KEEPALIVE" keepalive "$NFQWS2_UDP_PKT_IN"
}

zapret_apply_firewall_standard_rules_nft() {
	zapret_apply_firewall_standard_nfqws_rules_nft
}

# --- the table ----------------------------------------------------------------------------------

nft_create_chains() {
	local item name hook
	for item in $NFT_HOOK_CHAINS; do
		split_by_separator "$item" = name hook
		nft_add_chain "$name" "type filter hook ${hook%=*} priority ${hook#*=};"
		nft_flush_chain "$name"
	done
	for name in $NFT_CHAINS; do
		nft_add_chain "$name"
		nft_flush_chain "$name"
	done
	NFT_ACTIVE=
}

# Packets of ours must reach the wire whatever the state of the connection says.
nft_fill_predefrag() {
	nft_add_rule predefrag "mark and $DESYNC_MARK != 0 jump predefrag_nfqws" \
		'comment "nfqws generated : avoid drop by INVALID conntrack state"'
	if [ -n "$POSTNAT_ALL" ]; then
		nft_add_rule predefrag_nfqws notrack
	else
		nft_add_rule predefrag_nfqws "mark and $DESYNC_MARK_POSTNAT != 0 notrack" 'comment "postnat traffic"'
		nft_add_rule predefrag_nfqws 'ip frag-off & 0x1fff != 0 notrack comment "ipfrag"'
		nft_add_rule predefrag_nfqws 'exthdr frag exists notrack comment "ipfrag"'
		nft_add_rule predefrag_nfqws 'tcp flags ! syn,rst,ack notrack comment "datanoack"'
	fi
}

# "Time exceeded" answers to packets of handled connections would break the connection.
nft_fill_icmp_filter() {
	local protos='' proto
	[ "$FILTER_TTL_EXPIRED_ICMP" = 1 ] || return 0
	[ "$DISABLE_IPV4" = 1 ] || protos=icmp
	[ "$DISABLE_IPV6" = 1 ] || protos="$protos icmpv6"
	if nft_is_postnat; then
		for proto in $protos; do
			nft_add_rule prerouting_hook "$proto type time-exceeded ct state invalid drop"
		done
	else
		nft_add_rule postrouting_hook \
			"mark and $DESYNC_MARK != 0 ct mark set ct mark or $DESYNC_MARK $NFT_COMMENT_ICMP"
	fi
	for proto in $protos; do
		nft_add_rule prerouting_hook \
			"$proto type time-exceeded ct mark and $DESYNC_MARK != 0 drop $NFT_COMMENT_ICMP"
	done
}

# The daemon sends a packet of a finished connection round again with this mark, which moves from the
# packet to the connection. The rules have to stand in front of the jumps to those with the queue.
nft_fill_offload() {
	local offload others chain post=postrouting_hook pre=prerouting_hook
	standard_offload_mark offload
	[ "$NFQWS2_ENABLE" = 1 ] && [ -n "$offload" ] || return 0
	others=$((0xFFFFFFFF ^ offload))
	nft_is_postnat && post=postnat_hook pre=prenat_hook
	for chain in "$post" "$pre"; do
		nft_add_rule "$chain" "meta mark and $offload != 0" \
			"ct mark set ct mark or $offload meta mark set meta mark and $others"
	done
}

# The state of each packet's connection goes into its mark, in front of the jumps to the queue.
nft_fill_ct_states() {
	local states post=postrouting_hook pre=prerouting_hook
	standard_state_mark states
	[ "$NFQWS2_ENABLE" = 1 ] && [ -n "$states" ] || return 0
	nft_is_postnat && post=postnat_hook pre=prenat_hook
	for_each_ct_state "$states" nft_ct_state_rule "$((0xFFFFFFFF ^ states))" "$post" "$pre"
}
nft_ct_state_rule() { # STATE BITS OTHERS CHAIN...
	local state="$1" bits="$2" others="$3" chain
	shift 3
	for chain in "$@"; do
		nft_add_rule "$chain" "ct state $state meta mark set meta mark and $others or $bits"
	done
}

nft_fill_ifset() { # SET DEVICES
	local set="$1" elements
	shift
	nft_flush_set "$set"
	[ -n "$*" ] || return 0
	# shellcheck disable=SC2048,SC2086 # a list of words
	make_quoted_comma_list elements $*
	nft_add_set_element "$set" "$elements"
}

nft_fill_ifsets() {
	local lan='' wan='' wan6=''
	get_lanif lan
	get_wanif46 4 wan
	get_wanif46 6 wan6
	nft_fill_ifset wanif "$wan"
	nft_fill_ifset wanif6 "$wan6"
	nft_fill_ifset lanif "$lan"
}

nft_fill_table() {
	local FW_EXTRA_PRE='' FW_EXTRA_POST='' set
	nft_do "add table inet $ZAPRET_NFT_TABLE"
	nft_create_chains
	for set in wanif wanif6 lanif; do
		nft_add_set "$set" 'type ifname;'
	done
	nft_fill_ifsets
	nft_fill_icmp_filter
	nft_fill_offload
	nft_fill_ct_states
	nft_fill_predefrag
}

# --- flow offload -------------------------------------------------------------------------------

nft_add_flowtable() { # PARAMS DEVICE...: names quoted, for older nft unquoted
	local params="$1" list
	shift
	[ $# -gt 0 ] || return 1
	make_quoted_comma_list list "$@"
	nft_object add flowtable ft "$params devices = { $list };" 2>/dev/null && return 0
	make_comma_list list "$@"
	nft_object add flowtable ft "$params devices = { $list };" 2>/dev/null
}

nft_delete_flowtable() {
	nft_flush_chain flow_offload_always 2>/dev/null
	nft_object delete flowtable ft 2>/dev/null
}

nft_create_flowtable() {
	local lan='' wan='' wan6='' devices dev lower added
	flow_offload_wanted || return 0
	get_lanif lan
	get_wanif46 4 wan
	get_wanif46 6 wan6
	devices=$(unique "$lan $wan $wan6")
	[ -n "$devices" ] || return 0
	if [ "$FLOWOFFLOAD" = software ]; then
		# shellcheck disable=SC2086 # a list of words
		nft_add_flowtable 'hook ingress priority -1;' $devices
		return 0
	fi
	nft_object add flowtable ft 'hook ingress priority -1; flags offload;' 2>/dev/null || return 0
	for dev in $devices; do
		added=0
		for lower in $(get_lower_devices "$dev"); do
			nft_add_flowtable '' "$lower" && added=1
		done
		[ "$added" = 1 ] || nft_add_flowtable '' "$dev"
	done
	return 0
}

# Fails where the kernel has no flow offload; nothing else then follows.
nft_fill_flow_offload_always() {
	local table="inet $ZAPRET_NFT_TABLE flow_offload_always"
	nft_do "add rule $table flow add @ft" 2>/dev/null && nft_do "add rule $table counter"
}

nft_fill_flow_offload() {
	local FW_EXTRA_PRE='' l4='meta l4proto { tcp, udp }'
	flow_offload_wanted || return 0
	nft_fill_flow_offload_always || return 0
	if [ "$DISABLE_IPV4" != 1 ]; then
		nft_add_rule forward_hook "$l4 oifname @wanif jump flow_offload"
		nft_add_rule flow_offload "ip daddr == @nozapret goto flow_offload_always"
	fi
	if [ "$DISABLE_IPV6" != 1 ]; then
		nft_add_rule forward_hook "$l4 oifname @wanif6 jump flow_offload"
		nft_add_rule flow_offload "ip6 daddr == @nozapret6 goto flow_offload_always"
	fi
	nft_add_rule flow_offload "jump flow_offload_zapret"
	nft_add_rule flow_offload_zapret "goto flow_offload_always"
}

# --- all of it ----------------------------------------------------------------------------------

zapret_reload_ifsets_nft() {
	nft_batch_begin || return 1
	nft_fill_ifsets
	nft_batch_commit || zapret_failed "the interface sets could not be filled"
	flow_offload_wanted || return 0
	nft_delete_flowtable
	nft_create_flowtable
	nft_fill_flow_offload_always
	return 0
}

zapret_list_ifsets_nft() {
	local set
	for set in wanif wanif6 lanif; do
		nft list set inet "$ZAPRET_NFT_TABLE" "$set"
	done
	nft list flowtable inet "$ZAPRET_NFT_TABLE" ft 2>/dev/null
	return 0
}

zapret_list_table_nft() {
	nft -t list table inet "$ZAPRET_NFT_TABLE"
}

zapret_apply_firewall_nft() {
	echo Applying nftables
	if ! create_ipset no-update; then
		zapret_failed "the IP sets could not be made"
		return 1
	fi
	nft_delete_flowtable
	nft_batch_begin || return 1
	nft_fill_table
	zapret_apply_firewall_standard_rules_nft
	if ! nft_batch_commit; then
		zapret_failed "the nftables rules were refused: nothing was changed"
		return 1
	fi
	nft_create_flowtable
	custom_runner zapret_custom_firewall_nft
	nft_fill_flow_offload
}

# Chains of ours that exist, emptied and removed at once. A chain some other still jumps to stays, empty.
zapret_unapply_firewall_nft() {
	local name
	echo Clearing nftables
	if nft -t list table inet "$ZAPRET_NFT_TABLE" >/dev/null 2>&1; then
		nft_batch_begin || return 1
		nft_create_chains
		for name in $NFT_HOOK_CHAINS $NFT_CHAINS; do
			nft_del_chain "${name%%=*}"
		done
		if ! nft_batch_commit; then
			nft_batch_begin || return 1
			nft_create_chains
			nft_batch_commit
			zapret_failed "the nftables chains could not be removed, they were emptied"
		fi
		nft_object delete flowtable ft 2>/dev/null
	fi
	custom_runner zapret_custom_firewall_nft_flush
}
