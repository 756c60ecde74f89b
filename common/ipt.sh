# iptables rules. Sourced.
# shellcheck shell=dash disable=SC2034,SC2046,SC2086 # filters are texts that become several words
#
# Theory of operation. Each helper adds a rule that is not there yet, or removes one that is. The
# standard rules are collected (ipt_batch_begin) and given to iptables-restore as one transaction a
# family (ipt_batch_commit): all of them are there or none, and what failed is reported. Rules of
# custom scripts are set at once, since such scripts may call iptables in between. Whatever was added
# is noted in $IPT_STATE, one rule a line, words separated by tabs; going down removes what is noted
# there even when the config has changed since, then what the present config describes.

IPT_STATE=${IPT_STATE:-/var/run/zapret2_iptables.state}
IPT_BATCH=
IPT_TAB=$(printf '\t')

IPSET_EXCLUDE='-m set ! --match-set nozapret'
IPSET_EXCLUDE6='-m set ! --match-set nozapret6'
IPBAN_EXCLUDE='-m set ! --match-set ipban'
ipt_connbytes='-m connbytes --connbytes-dir=original --connbytes-mode=packets --connbytes'

# --- one rule -----------------------------------------------------------------------------------

ipt_detect_wait() { # sets IPT_WAIT, the option to wait for another iptables
	[ -n "$IPT_WAIT_KNOWN" ] && return 0
	IPT_WAIT=
	iptables --help 2>&1 | grep -q -- '--wait' && IPT_WAIT=-w
	IPT_WAIT_KNOWN=1
}

# Runs CMD with the words of a rule in their final order: TOOL OP CHAIN TABLE, then the rule.
# FW_EXTRA_PRE (ip6tables: FW_EXTRA_PRE6) comes first, FW_EXTRA_POST before the target.
ipt_with_rule() { # CMD TOOL OP CHAIN RULE...
	local cmd="$1" tool="$2" op="$3" chain="$4" table=filter pre post n word
	shift 4
	case $tool in
	iptables) pre=$FW_EXTRA_PRE post=$FW_EXTRA_POST ;;
	*) pre=$FW_EXTRA_PRE6 post=$FW_EXTRA_POST6 ;;
	esac
	n=$#
	set -- "$@" $pre
	# The words wander from the front to the end of the list; afterwards they are in order.
	while [ "$n" -gt 0 ]; do
		word=$1
		shift
		n=$((n - 1))
		case $word in
		-t | --table)
			table=$1
			shift
			n=$((n - 1))
			;;
		-j | -g | --jump | --goto)
			set -- "$@" $post "$word"
			post=
			;;
		*) set -- "$@" "$word" ;;
		esac
	done
	"$cmd" "$tool" "$op" "$chain" "$table" "$@" $post
}

ipt_run() { # TOOL OP CHAIN TABLE RULE...
	local tool="$1" op="$2" chain="$3" table="$4"
	shift 4
	"$tool" $IPT_WAIT -t "$table" "$op" "$chain" "$@"
}

ipt_line() { # TOOL OP CHAIN TABLE RULE...: the rule as a line of the state file
	local line="$1" word
	shift
	for word; do
		line="$line$IPT_TAB$word"
	done
	printf '%s\n' "$line"
}

ipt_note() { # TOOL OP CHAIN TABLE RULE...
	ipt_line "$@" >>"$IPT_STATE"
}

ipt_do_add() { # TOOL OP CHAIN TABLE RULE...
	local tool="$1" op="$2"
	shift 2
	ipt_run "$tool" -C "$@" >/dev/null 2>&1 && return 0
	if [ -n "$IPT_BATCH" ]; then
		grep -qxF -e "$(ipt_line "$tool" "$op" "$@")" "$IPT_BATCH" 2>/dev/null ||
			ipt_line "$tool" "$op" "$@" >>"$IPT_BATCH"
	elif ipt_run "$tool" "$op" "$@"; then
		ipt_note "$tool" "$op" "$@"
	else
		zapret_failed "$tool $op $*"
	fi
}

ipt_do_del() { # TOOL OP CHAIN TABLE RULE...
	local tool="$1"
	shift 2
	ipt_run "$tool" -C "$@" >/dev/null 2>&1 || return 0
	ipt_run "$tool" -D "$@" || zapret_failed "$tool -D $*"
}

ipt() { # CHAIN RULE...: insert
	ipt_detect_wait
	ipt_with_rule ipt_do_add iptables -I "$@"
}
ipta() { # CHAIN RULE...: append
	ipt_detect_wait
	ipt_with_rule ipt_do_add iptables -A "$@"
}
ipt_del() {
	ipt_detect_wait
	ipt_with_rule ipt_do_del iptables -D "$@"
}
ipt6() {
	ipt_detect_wait
	ipt_with_rule ipt_do_add ip6tables -I "$@"
}
ipt6a() {
	ipt_detect_wait
	ipt_with_rule ipt_do_add ip6tables -A "$@"
}
ipt6_del() {
	ipt_detect_wait
	ipt_with_rule ipt_do_del ip6tables -D "$@"
}
ipt_add_del() { # MODE CHAIN RULE...
	on_off_function ipt ipt_del "$@"
}
ipta_add_del() {
	on_off_function ipta ipt_del "$@"
}
ipt6_add_del() {
	on_off_function ipt6 ipt6_del "$@"
}
ipt6a_add_del() {
	on_off_function ipt6a ipt6_del "$@"
}

# --- transactions -------------------------------------------------------------------------------

ipt_batch_begin() {
	if exists iptables-restore && { [ "$DISABLE_IPV6" = 1 ] || exists ip6tables-restore; } &&
		IPT_BATCH=$(mktemp "${TMPDIR:-/tmp}/zapret2.XXXXXX"); then
		return 0
	fi
	IPT_BATCH=
}

# Reads lines of the batch, prints them as input of iptables-restore.
ipt_restore_text() { # TOOL
	awk -F '\t' -v tool="$1" '
		function quoted(word) {
			if (word ~ /^[A-Za-z0-9_.,:\/!+=%-]+$/) return word
			gsub(/["\\]/, "\\\\&", word)
			return "\"" word "\""
		}
		$1 == tool {
			if (!($4 in rules)) tables[++count] = $4
			line = $2 " " $3
			for (i = 5; i <= NF; i++) line = line " " quoted($i)
			rules[$4] = rules[$4] line "\n"
		}
		END {
			for (i = 1; i <= count; i++) printf "*%s\n%sCOMMIT\n", tables[i], rules[tables[i]]
		}'
}

# Removes every rule listed on stdin that is there.
ipt_remove_lines() {
	local line
	while IFS= read -r line; do
		(
			set -f
			IFS=$IPT_TAB
			set -- $line
			unset IFS
			case $1 in
			iptables | ip6tables) ipt_do_del "$@" ;;
			esac
		) || ZAPRET_FAILED=1
	done
}

ipt_batch_commit() {
	local batch="$IPT_BATCH" tool text code=0
	IPT_BATCH=
	[ -n "$batch" ] || return 0
	for tool in iptables ip6tables; do
		text=$(ipt_restore_text "$tool" <"$batch")
		[ -n "$text" ] || continue
		if printf '%s\n' "$text" | "$tool-restore" $IPT_WAIT --noflush; then
			grep "^$tool$IPT_TAB" "$batch" >>"$IPT_STATE"
		else
			# Tables are committed one after another: take back what came before the failure.
			grep "^$tool$IPT_TAB" "$batch" | ipt_remove_lines
			zapret_failed "the $tool rules could not be set"
			code=1
		fi
	done
	rm -f "$batch"
	return $code
}

# Removes what was added since the state file was begun.
ipt_remove_noted() {
	ipt_detect_wait
	[ -f "$IPT_STATE" ] || return 0
	ipt_remove_lines <"$IPT_STATE"
	rm -f "$IPT_STATE"
}

# --- parts of rules -----------------------------------------------------------------------------

ipt_first_packets() { # N: the match of the first N packets, nothing for all of them
	case $1 in
	'' | keepalive | 0) ;;
	*) printf '%s\n' "$ipt_connbytes 1:$1" ;;
	esac
}

ipt_mark_filter() { # the match of FILTER_MARK
	[ -n "$FILTER_MARK" ] && printf '%s\n' "-m mark --mark $FILTER_MARK/$FILTER_MARK"
	return 0
}

ipt_print_op() { # MODE TEXT DESC [6]
	local what=Deleting
	[ "$1" = 1 ] && what=Inserting
	printf '%s\n' "$what ip$4tables rule for $3 : $2"
}

ipt_port_ipset() { # NAME PORTS: a set of ports from a comma list
	local name="$1" ports port lines
	case $2 in
	'' | *[!0-9,-]*)
		zapret_failed "bad list of ports: $2"
		return 1
		;;
	esac
	lines="create $name bitmap:port range 0-65535 -exist
flush $name"
	ports=$(replace_char , ' ' "$2")
	for port in $ports; do
		lines="$lines
add $name $port -exist"
	done
	printf '%s\n' "$lines" | ipset restore || zapret_failed "set $name could not be filled"
}

ipt_port_ipset_destroy() {
	local name
	for name in zport_tcp zport_tcp_k zport_udp zport_udp_k; do
		ipset -q destroy "$name" 2>/dev/null
	done
	return 0
}

filter_apply_ipset_target4() { # VAR
	[ "$MODE_FILTER" = ipset ] || return 0
	eval "$1=\"\${$1} -m set --match-set zapret dst\""
}
filter_apply_ipset_target6() { # VAR
	[ "$MODE_FILTER" = ipset ] || return 0
	eval "$1=\"\${$1} -m set --match-set zapret6 dst\""
}
filter_apply_ipset_target() { # V4 V6
	filter_apply_ipset_target4 "$1"
	filter_apply_ipset_target6 "$2"
}

# An outgoing filter as the filter of the answers.
reverse_nfqws_rule_stream() {
	sed -e 's/^/ /' -e 's/ -o / -i /g' -e 's/ --dport\(s\{0,1\}\)\([ =]\)/ --sport\1\2/g' \
		-e 's/ dst\( \|$\)/ src\1/g' -e 's/--connbytes-dir=original/--connbytes-dir=reply/g' \
		-e 's/--connbytes-dir original/--connbytes-dir reply/g' \
		-e "s, -m mark ! --mark $DESYNC_MARK/$DESYNC_MARK,,g" -e 's/^ //'
}
reverse_nfqws_rule() { # STR...
	printf '%s\n' "$*" | reverse_nfqws_rule_stream
}

# --- queue rules --------------------------------------------------------------------------------

# The queues are those of several workers when Q is FIRST:LAST.
ipt_queue_target() { # Q
	case $1 in
	*:*) echo "NFQUEUE --queue-balance $1 --queue-bypass" ;;
	*) echo "NFQUEUE --queue-num $1 --queue-bypass" ;;
	esac
}

# One rule for each WAN device, or one without a device when none is configured.
fw_nfqws_each_wan() { # 4|6 FUNC ARGS...: calls FUNC DEV ARGS
	local family="$1" func="$2" wan dev
	shift 2
	get_wanif46 "$family" wan
	if [ -n "$wan" ]; then
		for dev in $wan; do
			"$func" "$dev" "$@"
		done
	elif [ "$FW_NEEDS_WAN" = 1 ]; then
		echo "no WAN device for IPv$family: no rule"
	else
		"$func" '' "$@"
	fi
}

fw_nfqws_post_rule() { # DEV ADDDEL EXCLUDE MODE FILTER Q
	"$2" "$4" POSTROUTING -t mangle ${1:+-o "$1"} $(ipt_mark_filter) \
		-m mark ! --mark "$DESYNC_MARK/$DESYNC_MARK" $5 $3 dst -j $(ipt_queue_target "$6")
}

fw_nfqws_pre_rule() { # DEV ADDDEL EXCLUDE MODE FILTER Q
	local chain
	for chain in INPUT FORWARD; do
		"$2" "$4" "$chain" -t mangle ${1:+-i "$1"} $5 $3 src -j $(ipt_queue_target "$6")
	done
}

fw_nfqws_post4() { # MODE FILTER Q
	[ "$DISABLE_IPV4" = 1 ] || [ -z "$2" ] && return 0
	ipt_print_op "$1" "$2" "nfqws postrouting (qnum $3)"
	fw_nfqws_each_wan 4 fw_nfqws_post_rule ipt_add_del "$IPSET_EXCLUDE" "$@"
}
fw_nfqws_post6() { # MODE FILTER Q
	[ "$DISABLE_IPV6" = 1 ] || [ -z "$2" ] && return 0
	ipt_print_op "$1" "$2" "nfqws postrouting (qnum $3)" 6
	fw_nfqws_each_wan 6 fw_nfqws_post_rule ipt6_add_del "$IPSET_EXCLUDE6" "$@"
}
fw_nfqws_post() { # MODE F4 F6 Q
	fw_nfqws_post4 "$1" "$2" "$4"
	fw_nfqws_post6 "$1" "$3" "$4"
}
fw_nfqws_pre4() { # MODE FILTER Q
	[ "$DISABLE_IPV4" = 1 ] || [ -z "$2" ] && return 0
	ipt_print_op "$1" "$2" "nfqws input+forward (qnum $3)"
	fw_nfqws_each_wan 4 fw_nfqws_pre_rule ipt_add_del "$IPSET_EXCLUDE" "$@"
}
fw_nfqws_pre6() { # MODE FILTER Q
	[ "$DISABLE_IPV6" = 1 ] || [ -z "$2" ] && return 0
	ipt_print_op "$1" "$2" "nfqws input+forward (qnum $3)" 6
	fw_nfqws_each_wan 6 fw_nfqws_pre_rule ipt6_add_del "$IPSET_EXCLUDE6" "$@"
}
fw_nfqws_pre() { # MODE F4 F6 Q
	fw_nfqws_pre4 "$1" "$2" "$4"
	fw_nfqws_pre6 "$1" "$3" "$4"
}
fw_reverse_nfqws_rule4() { # MODE FILTER Q
	fw_nfqws_pre4 "$1" "$(reverse_nfqws_rule "$2")" "$3"
}
fw_reverse_nfqws_rule6() { # MODE FILTER Q
	fw_nfqws_pre6 "$1" "$(reverse_nfqws_rule "$2")" "$3"
}
fw_reverse_nfqws_rule() { # MODE F4 F6 Q
	fw_reverse_nfqws_rule4 "$1" "$2" "$4"
	fw_reverse_nfqws_rule6 "$1" "$3" "$4"
}

# --- standard rules -----------------------------------------------------------------------------

ipt_nfqws_row() { # MODE PROTO PORTS PKT OUT SET
	local filter4 filter6 queues offload
	[ -n "$3" ] && [ -n "$4" ] && [ "$4" != 0 ] || return 0
	standard_queues queues
	standard_offload_mark offload
	if [ "$1" = 1 ]; then
		ipt_port_ipset "$6" "$3" || return 1
	fi
	filter4="-p $2 -m set --match-set $6 dst"
	if [ "$4" != keepalive ]; then
		filter4="$filter4 $(ipt_first_packets "$4")"
	fi
	filter4="$filter4${offload:+ -m connmark ! --mark $offload/$offload}"
	filter6=$filter4
	filter_apply_ipset_target filter4 filter6
	if [ "$5" = 1 ]; then
		fw_nfqws_post "$1" "$filter4" "$filter6" "$queues"
	else
		fw_reverse_nfqws_rule "$1" "$filter4" "$filter6" "$queues"
	fi
}

ipt_do_nfqws_in_out() { # MODE PROTO PORTS PKT OUT SETBASE
	local set="$6_$2"
	[ "$4" = keepalive ] && set="${set}_k"
	ipt_nfqws_row "$1" "$2" "$3" "$4" "$5" "$set"
}

# The daemon sends a packet of a finished connection round again with this mark, which moves from the
# packet to the connection. The rules have to stand in front of those with the queue: what a queue
# accepts sees no further rule of the chain. Each insertion puts the newer one on top.
ipt_offload_rules() { # MODE
	local offload chain match
	standard_offload_mark offload
	[ -n "$offload" ] || return 0
	match="-t mangle -m mark --mark $offload/$offload"
	for chain in POSTROUTING INPUT FORWARD; do
		if [ "$DISABLE_IPV4" != 1 ]; then
			ipt_add_del "$1" "$chain" $match -j MARK --set-xmark "0x0/$offload"
			ipt_add_del "$1" "$chain" $match -j CONNMARK --or-mark "$offload"
		fi
		if [ "$DISABLE_IPV6" != 1 ]; then
			ipt6_add_del "$1" "$chain" $match -j MARK --set-xmark "0x0/$offload"
			ipt6_add_del "$1" "$chain" $match -j CONNMARK --or-mark "$offload"
		fi
	done
}

# The state of each packet's connection goes into its mark, in front of the rules with the queue.
ipt_ct_state_rules() { # MODE
	local states chain
	standard_state_mark states
	[ -n "$states" ] || return 0
	for chain in POSTROUTING INPUT FORWARD; do
		for_each_ct_state "$states" ipt_ct_state_rule "$1" "$chain" "$states"
	done
}
ipt_ct_state_rule() { # STATE BITS MODE CHAIN MASK
	if [ "$DISABLE_IPV4" != 1 ]; then
		ipt_add_del "$3" "$4" -t mangle -m conntrack --ctstate "$1" -j MARK --set-xmark "$2/$5"
	fi
	if [ "$DISABLE_IPV6" != 1 ]; then
		ipt6_add_del "$3" "$4" -t mangle -m conntrack --ctstate "$1" -j MARK --set-xmark "$2/$5"
	fi
}

zapret_do_firewall_standard_nfqws_rules_ipt() { # MODE
	local NFQWS2_PORTS_TCP="$NFQWS2_PORTS_TCP" NFQWS2_PORTS_UDP="$NFQWS2_PORTS_UDP"
	local NFQWS2_TCP_PKT_OUT="$NFQWS2_TCP_PKT_OUT" NFQWS2_TCP_PKT_IN="$NFQWS2_TCP_PKT_IN"
	local NFQWS2_UDP_PKT_OUT="$NFQWS2_UDP_PKT_OUT" NFQWS2_UDP_PKT_IN="$NFQWS2_UDP_PKT_IN"
	[ "$NFQWS2_ENABLE" = 1 ] || return 0
	if [ "$1" = 1 ]; then
		fill_auto_settings_of_rules || return 1
	elif [ -n "$(auto_settings)" ]; then
		return 0 # they have gone with the state file
	fi
	ipt_nfqws_row "$1" tcp "$NFQWS2_PORTS_TCP" "$NFQWS2_TCP_PKT_OUT" 1 zport_tcp
	ipt_nfqws_row "$1" tcp "$NFQWS2_PORTS_TCP" "$NFQWS2_TCP_PKT_IN" 0 zport_tcp
	ipt_nfqws_row "$1" tcp "$NFQWS2_PORTS_TCP_KEEPALIVE" keepalive 1 zport_tcp_k
	ipt_nfqws_row "$1" udp "$NFQWS2_PORTS_UDP" "$NFQWS2_UDP_PKT_OUT" 1 zport_udp
	ipt_nfqws_row "$1" udp "$NFQWS2_PORTS_UDP" "$NFQWS2_UDP_PKT_IN" 0 zport_udp
	ipt_nfqws_row "$1" udp "$NFQWS2_PORTS_UDP_KEEPALIVE" keepalive 1 zport_udp_k
	ipt_offload_rules "$1"
	ipt_ct_state_rules "$1"
}

zapret_do_firewall_standard_rules_ipt() { # MODE
	zapret_do_firewall_standard_nfqws_rules_ipt "$1"
}

# "Time exceeded" answers to packets of handled connections would break the connection.
zapret_do_icmp_filter() { # MODE
	local FW_EXTRA_PRE='' FW_EXTRA_POST='' FW_EXTRA_PRE6='' FW_EXTRA_POST6='' chain
	local mark="$DESYNC_MARK/$DESYNC_MARK"
	[ "$FILTER_TTL_EXPIRED_ICMP" = 1 ] || return 0
	if [ "$DISABLE_IPV4" != 1 ]; then
		ipt_add_del "$1" POSTROUTING -t mangle -m mark --mark "$mark" -j CONNMARK --or-mark "$DESYNC_MARK"
		for chain in INPUT FORWARD; do
			ipt_add_del "$1" "$chain" -p icmp -m icmp --icmp-type time-exceeded \
				-m connmark --mark "$mark" -j DROP
		done
	fi
	if [ "$DISABLE_IPV6" != 1 ]; then
		ipt6_add_del "$1" POSTROUTING -t mangle -m mark --mark "$mark" -j CONNMARK --or-mark "$DESYNC_MARK"
		for chain in INPUT FORWARD; do
			ipt6_add_del "$1" "$chain" -p icmpv6 -m icmp6 --icmpv6-type time-exceeded \
				-m connmark --mark "$mark" -j DROP
		done
	fi
}

# --- all of it ----------------------------------------------------------------------------------

# Platforms with flow offload through iptables redefine these two.
zapret_do_flow_offload_ipt() { # MODE
	return 0
}

zapret_apply_firewall_ipt() {
	echo Applying iptables
	if ! exists ipset; then
		zapret_failed "ipset is not installed"
		return 1
	fi
	create_ipset no-update || zapret_failed "the IP sets could not be made"
	ipt_batch_begin
	zapret_do_firewall_standard_rules_ipt 1
	ipt_batch_commit
	custom_runner zapret_custom_firewall 1
	ipt_batch_begin
	zapret_do_icmp_filter 1
	ipt_batch_commit
	zapret_do_flow_offload_ipt 1
}

zapret_unapply_firewall_ipt() {
	echo Clearing iptables
	zapret_do_flow_offload_ipt 0
	ipt_remove_noted
	zapret_do_firewall_standard_rules_ipt 0
	custom_runner zapret_custom_firewall 0
	zapret_do_icmp_filter 0
	ipt_port_ipset_destroy
}
