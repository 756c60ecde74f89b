#!/bin/sh
# Addresses from Re:filter.

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

run_ip_list_script 32768 https://github.com/1andrevich/Re-filter-lists/releases/latest/download/ipsum.lst
