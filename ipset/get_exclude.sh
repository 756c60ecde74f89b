#!/bin/sh
# Resolves the exclude list, loads the sets.

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

getexclude
update_sets
