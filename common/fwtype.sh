# Which firewall is in use. Sourced.
# shellcheck shell=dash

linux_ipt_avail() {
	exists iptables && exists ip6tables
}

linux_nft_avail() {
	exists nft
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
			FWTYPE=nftables
		elif linux_ipt_avail; then
			FWTYPE=iptables
		fi
	elif linux_nft_avail && linux_min_version 4 16; then
		FWTYPE=nftables
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
