#!/bin/sh
# Hosts from antizapret.

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

run_host_list_script 102400 https://antizapret.prostovpn.org:8443/domains-export.txt
