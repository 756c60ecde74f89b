#!/bin/sh
# Resolves the exclude, user and ipban lists, loads the sets.

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

getuser
update_sets
