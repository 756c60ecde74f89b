# The firewall up and down, whatever its type. Sourced.
# shellcheck shell=dash

create_ipset() { # [no-update|clear]
	echo "Creating ip list table (firewall type $FWTYPE)"
	sh "$ZAPRET_BASE/ipset/create_ipset.sh" "$@"
}

run_fw_hook() { # COMMAND: blanks separate its words
	[ -n "$1" ] || return 0
	# shellcheck disable=SC2086 # the documented form of a hook
	$1
	return 0
}

# Resets of the blocking box have wrong ACK numbers; connbytes must see them all the same.
set_conntrack_liberal_mode() { # 1|0
	[ "$MODE_FILTER" = autohostlist ] || return 0
	[ -z "$SKIP_CONNTRACK_LIBERAL_MODE" ] || return 0
	sysctl -w "net.netfilter.nf_conntrack_tcp_be_liberal=$1" ||
		zapret_failed "net.netfilter.nf_conntrack_tcp_be_liberal could not be set"
	return 0
}

# Rules of the other kind, from before FWTYPE was changed, would queue every packet a second time.
zapret_unapply_other_kind() {
	case $FWTYPE in
	nftables) [ ! -f "$IPT_STATE" ] || zapret_unapply_firewall_ipt ;;
	iptables)
		if exists nft && nft -t list chain inet "$ZAPRET_NFT_TABLE" ruletest >/dev/null 2>&1; then
			zapret_unapply_firewall_nft
		fi
		;;
	esac
}

zapret_apply_firewall() {
	linux_fwtype
	run_fw_hook "$INIT_FW_PRE_UP_HOOK"
	zapret_unapply_other_kind
	case $FWTYPE in
	iptables) zapret_apply_firewall_ipt ;;
	nftables) zapret_apply_firewall_nft ;;
	*) zapret_failed "no supported firewall found ($FWTYPE)" ;;
	esac
	set_conntrack_liberal_mode 1
	run_fw_hook "$INIT_FW_POST_UP_HOOK"
}

zapret_unapply_firewall() {
	linux_fwtype
	run_fw_hook "$INIT_FW_PRE_DOWN_HOOK"
	zapret_unapply_other_kind
	case $FWTYPE in
	iptables) zapret_unapply_firewall_ipt ;;
	nftables) zapret_unapply_firewall_nft ;;
	esac
	set_conntrack_liberal_mode 0
	run_fw_hook "$INIT_FW_POST_DOWN_HOOK"
}

zapret_restart_firewall() {
	zapret_unapply_firewall
	zapret_apply_firewall
}

# The three verbs about interface sets need nftables.
nft_verb() { # FUNC
	linux_fwtype
	case $FWTYPE in
	nftables) "$1" ;;
	*) echo "nothing to do: only nftables has interface sets (firewall type $FWTYPE)" ;;
	esac
}

zapret_reload_ifsets() {
	nft_verb zapret_reload_ifsets_nft
}
zapret_list_ifsets() {
	nft_verb zapret_list_ifsets_nft
}
zapret_list_table() {
	nft_verb zapret_list_table_nft
}
