# The system blockcheck2 runs on: firewall, rights, prerequisites. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant

check_system() {
	echo '* checking system'
	UNAME=$(uname)
	[ "$UNAME" = Linux ] || die 5 "$UNAME is not supported"
	linux_fwtype
	case $FWTYPE in
	iptables | nftables) ;;
	unsupported) die 5 "no firewall here can queue packets. install iptables, or nftables where the kernel has the module nft_queue" ;;
	*) die 5 "firewall type $FWTYPE not supported in $UNAME" ;;
	esac
	# shellcheck disable=SC1091 # not everywhere
	distribution=$([ -r /etc/os-release ] && . /etc/os-release && echo "$PRETTY_NAME")
	CURL_VERSION=$("$CURL" --version 2>/dev/null | head -n 1)
	KERNEL=$(uname -r)
	echo "detected $UNAME system, kernel $KERNEL${distribution:+, $distribution}"
	echo "firewall type is $FWTYPE"
	echo "CURL version ${CURL_VERSION:-unknown}"
}

warn_other_bypass() {
	local name
	for name in nfqws2 nfqws tpws; do
		if process_exists "$name"; then
			echo "!!! WARNING. $name runs on this system. Stop all bypass software, it disturbs the tests."
		fi
	done
}

# As common/elevate.sh, but the settings are in the environment and have to come along.
become_root() { # SCRIPT ARGS...
	[ "$SKIP_PKTWS" = 1 ] || [ "$(id -u)" = 0 ] && return 0
	echo "root is required"
	if exists sudo; then
		exec sudo -E sh "$@"
	elif exists su; then
		words_quote sh "$@"
		exec su -m root -c "$QUOTED"
	fi
	exit 2
}

require_program() { # TEXT PROG...: one of them must exist
	local text="$1" prog
	shift
	for prog; do
		exists "$prog" && return 0
	done
	die 6 "$text does not exist. please install: $*"
}

check_prerequisites() {
	echo '* checking prerequisites'
	[ "$SKIP_PKTWS" = 1 ] || [ -x "$NFQWS2" ] ||
		die 6 "$NFQWS2 is not available. build it or run \`$ZAPRET_BASE/install_bin.sh\`"
	[ -x "$MDIG" ] || die 6 "$MDIG is not available. build it or run \`$ZAPRET_BASE/install_bin.sh\`"
	require_program curl "$CURL"
	case $FWTYPE in
	iptables)
		require_program iptables iptables
		require_program ip6tables ip6tables
		;;
	nftables) require_program nft nft ;;
	esac
	if [ "$SKIP_PKTWS" != 1 ]; then
		rules_trial || die 6 "the $FWTYPE queue target is not available. install the kernel module (nfnetlink_queue, xt_NFQUEUE or nft_queue)"
	fi
	curl_capabilities
}
