#!/bin/sh
# Installs the programs of the system that the service needs. --yes: asks nothing.
# shellcheck shell=dash disable=SC2034 # variables of the sourced files

EXEDIR=$(cd "$(dirname "$0")" && pwd) || exit 1
ZAPRET_BASE=${ZAPRET_BASE:-"$EXEDIR"}
# shellcheck source=/dev/null
. "$ZAPRET_BASE/common/installer.sh"

case $1 in
'') ;;
-y | --yes) INSTALL_YES=1 ;;
*) exitp 1 "Usage: $0 [--yes]" ;;
esac
create_config
load_config_file "$ZAPRET_CONFIG"
check_system
require_root "$EXEDIR/install_prereq.sh" "$@"
select_fwtype
check_prerequisites
