#!/bin/sh
# Addresses of the Russian register, resolved.

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

LIST=https://raw.githubusercontent.com/bol-van/rulist/main/reestr_resolved
run_ip_list_script 4096 "${LIST}4.txt" 4096 "${LIST}6.txt"
