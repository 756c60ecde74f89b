#!/bin/sh
# The scheduled update: runs the list script that the config names in GETLIST.

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

# A name of this folder, nothing else.
SCRIPT=${GETLIST:-get_ipban.sh}
SCRIPT=${SCRIPT##*/}
if [ ! -f "$EXEDIR/$SCRIPT" ]; then
	echo "GETLIST=$GETLIST: no such list script in $EXEDIR" >&2
	exit 2
fi
exec sh "$EXEDIR/$SCRIPT"
