#!/bin/sh
# Addresses of the Russian register, resolved and joined to networks.

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

LIST=https://raw.githubusercontent.com/bol-van/rulist/main/reestr_smart
run_ip_list_script 2048 "${LIST}4.txt" 2048 "${LIST}6.txt"
