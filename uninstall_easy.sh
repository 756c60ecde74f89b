#!/bin/sh
# Removes the service from the system. The files of the program and the user stay. --yes: asks nothing.
# shellcheck shell=dash disable=SC2034,SC2154 # variables of the sourced files

EXEDIR=$(cd "$(dirname "$(readlink -f "$0")")" && pwd) || exit 1
ZAPRET_BASE=${ZAPRET_BASE:-"$EXEDIR"}
# shellcheck source=/dev/null
. "$ZAPRET_BASE/common/installer.sh"

[ -f "$ZAPRET_CONFIG" ] || ZAPRET_CONFIG="$ZAPRET_CONFIG_DEFAULT"
load_config_file "$ZAPRET_CONFIG" lenient

case $1 in
'') ;;
-y | --yes) INSTALL_YES=1 ;;
*) exitp 1 "Usage: $0 [--yes]" ;;
esac
check_system
require_root "$EXEDIR/uninstall_easy.sh" "$@"
ask_to_continue "do you want to uninstall zapret2" || exitp 3
linux_fwtype
service_stop
# Its own stop reads the config that is there; what was set with another one goes too.
export CONFIG_LENIENT=lenient
[ "$SYSTEM" = openwrt ] || sh "$ZAPRET_BASE/init.d/sysv/zapret2" stop >/dev/null 2>&1
service_disable
echo "* removing the IP sets"
sh "$ZAPRET_BASE/ipset/create_ipset.sh" destroy
remove_created_user
crontab_del
forget_list_updates
[ "$SYSTEM" = openwrt ] && openwrt_hooks_remove
if exists nft; then
	nft delete table inet "${ZAPRET_NFT_TABLE:-zapret2}" 2>/dev/null
fi
if [ "$SYSTEM" = openwrt ]; then
	openwrt_restart_firewall
	openwrt_remove_packages
fi
echo
echo "zapret2 is uninstalled. Its files stay in $ZAPRET_BASE, remove them if you like."
