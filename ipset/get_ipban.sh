#!/bin/sh
# Resolves the exclude and ipban lists, loads the sets.

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

getipban
update_sets
