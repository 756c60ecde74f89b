# Which firewall is in use. Sourced.
# shellcheck shell=dash

linux_ipt_avail() {
	exists iptables && exists ip6tables
}

linux_nft_avail() {
	exists nft
}

# Does the kernel take a queue rule of nftables? It is loaded into a table of its own, without a hook, which
# then goes. Only root can try; for anybody else it is taken to work.
nft_queue_works() {
	local nqw_code nqw_table="inet zapret2_probe_$$"
	[ "$(id -u)" = 0 ] || return 0
	printf '%s\n' "add table $nqw_table" "add chain $nqw_table probe" \
		"add rule $nqw_table probe queue num 65535 bypass" | nft -f - 2>/dev/null
	nqw_code=$?
	# shellcheck disable=SC2086 # two words
	nft delete table $nqw_table 2>/dev/null
	return $nqw_code
}

# nftables where it works, else iptables, and in one line why. Sets FWTYPE.
nft_or_ipt() {
	FWTYPE=nftables
	nft_queue_works && return 0
	if linux_ipt_avail; then
		FWTYPE=iptables
		echo "nftables can not queue packets here (kernel module nft_queue): using iptables" >&2
	else
		FWTYPE=unsupported
		echo "nftables can not queue packets here (kernel module nft_queue), and there is no iptables" >&2
	fi
}

is_openwrt() {
	[ -f /etc/openwrt_release ] && [ "$(cat /proc/1/comm 2>/dev/null)" = procd ]
}

# OpenWrt whose firewall is fw3 or fw4 and may restart at any time.
openwrt_fw3() {
	[ ! -x /sbin/fw4 ] && [ -x /sbin/fw3 ]
}

linux_fwtype() { # sets FWTYPE unless it is set
	[ -n "$FWTYPE" ] && return 0
	FWTYPE=unsupported
	if is_openwrt; then
		if [ -x /sbin/fw4 ] && linux_nft_avail; then
			nft_or_ipt
		elif linux_ipt_avail; then
			FWTYPE=iptables
		fi
	elif linux_nft_avail && linux_min_version 4 16; then
		nft_or_ipt
	elif linux_ipt_avail; then
		FWTYPE=iptables
	fi
	export FWTYPE
}

get_fwtype() { # the same for any system
	[ -n "$FWTYPE" ] && return 0
	case $(uname) in
	Linux) linux_fwtype ;;
	FreeBSD)
		if exists ipfw; then
			FWTYPE=ipfw
		else
			FWTYPE=unsupported
		fi
		export FWTYPE
		;;
	*)
		FWTYPE=unsupported
		export FWTYPE
		;;
	esac
}

nft_only() { # CMD...: runs it only with nftables
	linux_fwtype
	case $FWTYPE in
	nftables) "$@" ;;
	esac
}
