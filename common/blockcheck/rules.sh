# What of the traffic goes to the queue. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant
#
# Theory of operation. Rules exist for one port, protocol and IP version at a time, in chains of our
# own whose names hold our pid. They are given to the firewall as one transaction. Removal does not
# depend on what was added: everything that carries our name goes.
# The classic engine queues all traffic to the addresses under test; the fast engine only traffic of
# our own source ports, each range to its queue (RULE_SLOTS: "FIRST:LAST:QUEUE ..."). With
# RULE_WATCH=1 all answers are queued too.

rules_names() {
	NFT_TABLE=blockcheck$$
	IPT_OUT=blockcheck_output_$$
	IPT_IN=blockcheck_input_$$
	IPT_COMMENT=blockcheck_$$
	RULE_MARK=$DESYNC_MARK/$DESYNC_MARK
}

rules_trial() { # can packets be queued here?
	case $FWTYPE in
	iptables) ipt_trial ;;
	nftables) nft_trial ;;
	esac
}

rules_set() { # PROTO PORT FAMILY ADDRESSES...
	rules_try "$@" || die 1 "the $FWTYPE rules were refused"
}

rules_try() { # PROTO PORT FAMILY ADDRESSES...
	RULES_SET=1
	case $FWTYPE in
	iptables) ipt_set "$@" ;;
	nftables) nft_set "$@" ;;
	esac
}

rules_clear() {
	ipt_trial_clear # interrupted amid it
	[ -n "$RULES_SET" ] || return 0
	case $FWTYPE in
	iptables) ipt_clear ;;
	nftables) nft_clear ;;
	esac
	RULES_SET=
}

# --- iptables -----------------------------------------------------------------------------------

ipt_restore() { # TOOL: rules from standard input, as one transaction a table
	"$1-restore" -w -n 2>/dev/null
}

ipt_trial() {
	TRIAL_RULE="OUTPUT -t mangle -p 255 -m comment --comment $IPT_COMMENT -j NFQUEUE --queue-num $QNUM"
	# shellcheck disable=SC2086 # words
	iptables -w -I $TRIAL_RULE 2>/dev/null || { TRIAL_RULE=; return 1; }
	ipt_trial_clear
}

ipt_trial_clear() {
	[ -n "$TRIAL_RULE" ] || return 0
	# shellcheck disable=SC2086 # words
	iptables -w -D $TRIAL_RULE 2>/dev/null
	TRIAL_RULE=
}

ipt_queue_lines() { # CHAIN ADDRESS-OPTION ADDRESS PROTO PORT-OPTION
	local slot rest
	if [ -z "$RULE_SLOTS" ]; then
		echo "-A $1 $2 $3 -j NFQUEUE --queue-num $QNUM"
		return
	fi
	for slot in $RULE_SLOTS; do
		rest=${slot#*:}
		echo "-A $1 $2 $3 -p $4 -m $4 $5 ${slot%%:*}:${rest%%:*} -j NFQUEUE --queue-num ${rest#*:}"
	done
}

ipt_mangle_text() { # PROTO PORT ADDRESSES...
	local proto="$1" port="$2" ip
	shift 2
	echo '*mangle'
	echo ":$IPT_OUT -"
	[ "$proto" = tcp ] || [ "$RULE_WATCH" = 1 ] && {
		echo ":$IPT_IN -"
		echo "-A $IPT_IN ! -p $proto -j RETURN"
		echo "-A $IPT_IN -p $proto -m $proto ! --sport $port -j RETURN"
		[ "$RULE_WATCH" = 1 ] || echo "-A $IPT_IN -p tcp -m tcp ! --tcp-flags SYN,ACK SYN,ACK -j RETURN"
		for ip; do
			ipt_queue_lines "$IPT_IN" -s "$ip" "$proto" --dport
		done
	}
	echo "-A $IPT_OUT -m mark --mark $RULE_MARK -j RETURN"
	echo "-A $IPT_OUT ! -p $proto -j RETURN"
	echo "-A $IPT_OUT -p $proto -m $proto ! --dport $port -j RETURN"
	[ -n "$RULE_SLOTS" ] && echo "-A $IPT_OUT -p $proto -m $proto ! --sport $AREA_FIRST:$AREA_LAST -j RETURN"
	for ip; do
		echo "-A $IPT_OUT -d $ip -j CONNMARK --set-xmark $RULE_MARK"
		ipt_queue_lines "$IPT_OUT" -d "$ip" "$proto" --sport
	done
	[ "$proto" = tcp ] || [ "$RULE_WATCH" = 1 ] && echo "-I INPUT -j $IPT_IN"
	echo "-I OUTPUT -j $IPT_OUT"
	echo COMMIT
}

ipt_raw_text() {
	echo '*raw'
	echo "-I OUTPUT -m mark --mark $RULE_MARK -m comment --comment $IPT_COMMENT -j CT --notrack"
	echo COMMIT
}

ipt_filter_text() { # PROTO PORT FAMILY
	local note="-m comment --comment $IPT_COMMENT -j"
	local icmp='-p icmp -m icmp --icmp-type 11'
	[ "$3" = 6 ] && icmp='-p icmpv6 -m icmp6 --icmpv6-type 3'
	echo '*filter'
	echo "-I INPUT 1 $icmp -m connmark --mark $RULE_MARK $note DROP"
	[ "$1" = tcp ] && {
		echo "-I INPUT 2 -p tcp -m tcp --sport $2 ! --tcp-flags FIN,SYN,RST,ACK SYN $note ACCEPT"
		echo "-I OUTPUT 1 -p tcp -m tcp --dport $2 -m conntrack --ctstate INVALID $note ACCEPT"
	}
	[ "$3" = 6 ] || echo "-I OUTPUT 1 -f $note ACCEPT"
	echo COMMIT
}

ipt_set() { # PROTO PORT FAMILY ADDRESSES...
	local proto="$1" port="$2" family="$3" tool=iptables
	shift 3
	[ "$family" = 6 ] && tool=ip6tables
	{
		ipt_mangle_text "$proto" "$port" "$@"
		ipt_raw_text
		ipt_filter_text "$proto" "$port" "$family"
	} | ipt_restore $tool || return 1
	# Not every kernel has this match.
	[ "$family" = 6 ] &&
		ip6tables -w -t raw -A OUTPUT -m frag -m comment --comment "$IPT_COMMENT" -j CT --notrack 2>/dev/null
	return 0
}

ipt_clear() {
	local tool table
	for tool in iptables ip6tables; do
		for table in raw filter mangle; do
			{
				echo "*$table"
				"$tool-save" -t $table 2>/dev/null | sed -n -e "/ --comment $IPT_COMMENT /s/^-A/-D/p" \
					-e "/^-A [A-Z]* -j blockcheck_[a-z]*_$$\$/s/^-A/-D/p"
				echo COMMIT
			} | ipt_restore $tool
		done
		for table in $IPT_OUT $IPT_IN; do
			printf '%s\n' '*mangle' "-F $table" "-X $table" COMMIT | ipt_restore $tool
		done
	done
}

# --- nftables -----------------------------------------------------------------------------------

nft_trial() {
	local table="inet ${NFT_TABLE}_test" code
	nft -f - 2>/dev/null <<-RULES
		add table $table
		add chain $table test { type filter hook output priority 0; }
		add rule $table test meta l4proto 255 queue num $QNUM
	RULES
	code=$?
	nft delete table "$table" 2>/dev/null
	return $code
}

nft_queue_lines() { # CHAIN FILTER PORT-MATCH ACTION
	local slot rest
	if [ -z "$RULE_SLOTS" ]; then
		echo "add rule inet $NFT_TABLE $1 $2 $4 queue num $QNUM"
		return
	fi
	for slot in $RULE_SLOTS; do
		rest=${slot#*:}
		echo "add rule inet $NFT_TABLE $1 $2 $3 ${slot%%:*}-${rest%%:*} $4 queue num ${rest#*:}"
	done
}

nft_set() { # PROTO PORT FAMILY ADDRESSES...
	local proto="$1" port="$2" family="$3" ip=ip icmp=icmp addr table="inet $NFT_TABLE" answers='tcp flags & (syn|ack) == (syn|ack) '
	shift 3
	[ "$RULE_WATCH" = 1 ] && answers=
	[ "$family" = 6 ] && ip=ip6 icmp=icmpv6
	{
		echo "add table $table"
		echo "add chain $table postnat { type filter hook postrouting priority 102; }"
		echo "add chain $table prenat { type filter hook prerouting priority -102; }"
		echo "add chain $table predefrag { type filter hook output priority -402; }"
		for addr; do
			nft_queue_lines postnat \
				"$proto dport $port meta mark and $DESYNC_MARK == 0 $ip daddr $addr" \
				"$proto sport" "ct mark set ct mark or $DESYNC_MARK"
		done
		echo "add rule $table prenat $icmp type time-exceeded ct mark and $DESYNC_MARK != 0 drop"
		echo "add rule $table prenat $icmp type time-exceeded ct state invalid drop"
		for addr; do
			[ "$proto" = tcp ] || [ "$RULE_WATCH" = 1 ] && nft_queue_lines prenat \
				"$proto sport $port $answers$ip saddr $addr" "$proto dport" ''
		done
		echo "add rule $table predefrag meta nfproto ipv$family mark and $DESYNC_MARK != 0 notrack"
	} >"$WORK/nft"
	nft -f "$WORK/nft"
}

nft_clear() {
	nft delete table inet "$NFT_TABLE" 2>/dev/null
	nft delete table inet "${NFT_TABLE}_test" 2>/dev/null
}
