#!/bin/sh
# Addresses from antifilter.network: ipsmart.

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

run_ip_list_script 102400 https://antifilter.network/download/ipsmart.lst
