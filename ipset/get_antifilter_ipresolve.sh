#!/bin/sh
# Addresses from antifilter.download: ipresolve.

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

run_ip_list_script 102400 https://antifilter.download/list/ipresolve.lst
