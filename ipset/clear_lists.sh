#!/bin/sh
# Removes every generated list. The user's host lists and the automatic list stay.

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

for list in "$ZHOSTLIST" "$ZIPLIST" "$ZIPLIST6" "$ZIPLIST_USER" "$ZIPLIST_USER6" \
	"$ZIPLIST_EXCLUDE" "$ZIPLIST_EXCLUDE6" "$ZIPLIST_IPBAN" "$ZIPLIST_IPBAN6" \
	"$ZIPLIST_USER_IPBAN" "$ZIPLIST_USER_IPBAN6"; do
	rm -f "$list" "$list.gz" "$(source_file "$list")"
done
