#!/bin/sh
# Installs the service with a few questions. An empty answer takes the default.
#   install_easy.sh             uses the executables of binaries/, builds them when there are none
#   install_easy.sh make        always builds
#   install_easy.sh --yes       takes every default
#   install_easy.sh --dry-run   shows what would be done
#   install_easy.sh --set=NAME=VALUE
# shellcheck shell=dash disable=SC2034,SC2154 # variables of the sourced files

EXEDIR=$(cd "$(dirname "$(readlink -f "$0")")" && pwd) || exit 1
ZAPRET_BASE=${ZAPRET_BASE:-"$EXEDIR"}
# shellcheck source=/dev/null
. "$ZAPRET_BASE/common/installer.sh"

load_config() {
	create_config
	load_config_file "$ZAPRET_CONFIG"
	WAS_ENABLED=$NFQWS2_ENABLE
}

# --- questions ------------------------------------------------------------------------------------

select_ipv6() {
	echo "* IPv6"
	if ask_yes_no "$([ "$DISABLE_IPV6" = 1 ] && echo N || echo Y)" "enable ipv6 support"; then
		DISABLE_IPV6=0
	else
		DISABLE_IPV6=1
	fi
	write_config_vars DISABLE_IPV6
}

ask_tmpdir() { # a router's /tmp is memory
	local ram
	ram=$(ram_kb)
	[ -n "$ram" ] && [ "$ram" -lt 400000 ] || return 0
	echo "* temporary folder"
	echo "/tmp in memory may be too small for big lists; a folder of the flash wears it off."
	# That of the environment is not that of the service.
	grep -q '^[[:space:]]*TMPDIR=' "$ZAPRET_CONFIG" || TMPDIR=
	ask_list TMPDIR "/tmp $ZAPRET_RW/tmp" "/tmp" keep
	[ "$TMPDIR" = /tmp ] && TMPDIR=
	[ -n "$TMPDIR" ] && mkdir -p "$TMPDIR"
	write_config_vars TMPDIR
}

ask_flow_offload() {
	[ "$SYSTEM" = openwrt ] || [ "$FWTYPE" = nftables ] || return 0
	echo "* flow offloading"
	echo "donttouch : leave the system's setting; none : off; software, hardware : by zapret2, with exemptions"
	ask_list FLOWOFFLOAD "donttouch none software hardware" donttouch
	write_config_vars FLOWOFFLOAD
}

ask_mode_filter() {
	echo "* filtering"
	echo "select mode :"
	ask_list MODE_FILTER "none ipset hostlist autohostlist" none
	write_config_vars MODE_FILTER
}

edit_options() {
	local file editor code
	# shellcheck disable=SC2153 # the variable of the user's environment
	for editor in "$EDITOR" mcedit nano vim vi; do
		[ -n "$editor" ] && exists "$editor" && break
		editor=
	done
	[ -n "$editor" ] || {
		echo "no editor was found. change NFQWS2_OPT in $ZAPRET_CONFIG"
		return 1
	}
	file=$(mktemp "${TMPDIR:-/tmp}/zapret2.XXXXXX") || return 1
	printf '%s\n' "$NFQWS2_OPT" >"$file"
	"$editor" "$file"
	code=$?
	# The text is data: nothing of it is evaluated.
	[ "$code" = 0 ] && NFQWS2_OPT=$(cat "$file")
	rm -f "$file"
	return "$code"
}

# The daemon itself checks the options, as it would be started.
options_are_good() (
	# shellcheck source=/dev/null
	. "$ZAPRET_BASE/common/list.sh"
	HOSTLIST_BASE=${HOSTLIST_BASE:-"$ZAPRET_RW/ipset"}
	opt=$NFQWS2_OPT
	user=
	filter_apply_hostlist_target opt
	if [ -n "$WS_USER" ] && id -u "$WS_USER" >/dev/null 2>&1; then
		user="--user=$WS_USER"
	fi
	set -f
	# shellcheck disable=SC2086 # options, blanks separate the words
	"$ZAPRET_BASE/nfq2/nfqws2" --dry-run $user --qnum="${QNUM:-300}" $opt
)

ask_options() {
	local tries=0
	echo "* nfqws2"
	ask_yes_no_var NFQWS2_ENABLE "enable nfqws2"
	while [ "$NFQWS2_ENABLE" = 1 ]; do
		printf 'current options :\n%s\n\n' "$NFQWS2_OPT"
		if ask_yes_no N "do you want to edit the options"; then
			edit_options
		fi
		echo "verifying options"
		if options_are_good; then
			write_config_vars NFQWS2_OPT
			break
		fi
		tries=$((tries + 1))
		if [ "$INSTALL_YES" = 1 ] && [ "$WAS_ENABLED" = 1 ]; then
			# Nobody has said that it shall be disabled.
			echo "WARNING: the options are WRONG. nfqws2 stays enabled. Correct NFQWS2_OPT in $ZAPRET_CONFIG."
			break
		fi
		if [ "$tries" = 10 ] || ! ask_yes_no N "the options are WRONG. try again"; then
			echo "WARNING: nfqws2 is left disabled. Correct NFQWS2_OPT in $ZAPRET_CONFIG and set NFQWS2_ENABLE=1."
			NFQWS2_ENABLE=0
		fi
	done
	write_config_vars NFQWS2_ENABLE
}

network_devices() {
	local path
	for path in /sys/class/net/*; do
		[ -e "$path" ] && [ "${path##*/}" != lo ] && printf '%s ' "${path##*/}"
	done
}

ask_interfaces() {
	local devices
	[ "$SYSTEM" = openwrt ] && return 0
	devices=$(network_devices)
	echo "* interfaces"
	if [ "$FWTYPE" = nftables ] && [ "$FLOWOFFLOAD" != donttouch ]; then
		echo "LAN interface :"
		ask_list IFACE_LAN "NONE $devices" NONE keep
		[ "$IFACE_LAN" = NONE ] && IFACE_LAN=
		write_config_vars IFACE_LAN
	fi
	echo "WAN interface (ANY : every interface) :"
	ask_list IFACE_WAN "ANY $devices" ANY keep
	[ "$IFACE_WAN" = ANY ] && IFACE_WAN=
	write_config_vars IFACE_WAN
}

ask_getlist() {
	local hosts='get_refilter_domains.sh get_antizapret_domains.sh get_reestr_resolvable_domains.sh'
	local nets='get_user.sh get_antifilter_ip.sh get_antifilter_ipsmart.sh get_antifilter_ipsum.sh
		get_antifilter_ipresolve.sh get_antifilter_allyouneed.sh get_reestr_preresolved.sh
		get_reestr_preresolved_smart.sh get_refilter_ipsum.sh'
	echo "* lists"
	# A script of the user's own stays, one of ours only with its mode.
	if [ "$MODE_FILTER" = ipset ]; then
		find_str_in_list "$GETLIST" "$hosts" && GETLIST=
	else
		find_str_in_list "$GETLIST" "$(unique "$nets")" && GETLIST=
	fi
	case $MODE_FILTER in
	ipset)
		if ask_yes_no Y "do you want to download an ip list automatically"; then
			ask_list GETLIST "$(unique "$nets")" get_antifilter_allyouneed.sh keep
		else
			GETLIST=
		fi
		;;
	hostlist | autohostlist)
		if ask_yes_no "$([ "$MODE_FILTER" = hostlist ] || [ -n "$GETLIST" ] && echo Y || echo N)" \
			"do you want to download a host list automatically"; then
			ask_list GETLIST "$hosts" get_refilter_domains.sh keep
		else
			GETLIST=
		fi
		;;
	*) GETLIST= ;;
	esac
	write_config_vars GETLIST
}

# --- lists ----------------------------------------------------------------------------------------

download_lists() {
	[ -n "$GETLIST" ] || return 0
	echo "* downloading the list"
	# Old lists stay until new ones are there.
	sh "$ZAPRET_BASE/ipset/get_config.sh" || echo "WARNING: the list could not be downloaded. Try again later : $ZAPRET_BASE/ipset/get_config.sh"
}

# --- the steps ------------------------------------------------------------------------------------

umask 0022
parse_installer_words "$@"
# The plan is that of the whole: the installer of the new place does the rest of it.
if [ "$INSTALL_PLANNED" != 1 ]; then
	[ "$INSTALL_DRY" = 1 ] || install_guard
	check_system
	show_plan
	if [ "$INSTALL_DRY" = 1 ]; then
		show_dry_run
		exit 0
	fi
	phase programs
	check_bins "$INSTALL_MAKE"
	require_root "$EXEDIR/install_easy.sh" "$@"
	case $SYSTEM in
	systemd | openrc) check_readonly_system ;;
	esac
	phase files
else
	install_guard
	check_system
	check_bins
	require_root "$EXEDIR/install_easy.sh" "$@"
fi
export INSTALL_PLANNED=1
check_location install_easy.sh
check_other_installation
phase settings
load_config
apply_settings
check_dns
check_virt
service_stop_for_install
install_binaries
select_fwtype
select_ipv6
check_prerequisites
[ "$SYSTEM" = openwrt ] && ask_tmpdir
ask_flow_offload
ask_mode_filter
ask_options
ask_interfaces
ask_getlist
phase service
service_enable
phase lists
download_lists
schedule_install
if [ "$SYSTEM" = openwrt ]; then
	openwrt_hooks_install
	openwrt_disable_system_offload
fi
phase start
service_start
[ "$SYSTEM" = openwrt ] && openwrt_restart_firewall
show_result
exit 0
