#!/bin/sh
# Hosts of the Russian register that resolve.

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

run_host_list_script 65536 https://raw.githubusercontent.com/bol-van/rulist/main/reestr_hostname_resolvable.txt
