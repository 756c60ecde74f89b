#!/bin/sh
# The update of the lists: runs the list script that the config names in GETLIST, and keeps how that went.
#   get_config.sh             now
#   get_config.sh scheduled   for timers: a failure is tried again, later each time, and told to the system's log
#   get_config.sh status      says how the last update went. Exit 0 well, 1 it failed, 3 there was none
# shellcheck shell=dash disable=SC2154 # variables of def.sh

EXEDIR=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$EXEDIR/def.sh"

LISTS_TRIES=${LISTS_TRIES:-4}
LISTS_PAUSE=${LISTS_PAUSE:-600}
# Who waits for another try. A good update meanwhile and the uninstaller take the file away, which ends it.
WAITING="$ZAPRET_RUN/list-update.waiting"
# A name of this folder, nothing else.
SCRIPT=${GETLIST:-get_ipban.sh}
SCRIPT=${SCRIPT##*/}

status_value() { # NAME
	sed -n "s/^$1=//p" "$(update_status_file)" 2>/dev/null | head -n 1
}

# Seconds since 1970, and as people write it.
TIME_FORMAT='+%s %Y-%m-%d %H:%M:%S'

time_in() { # SECONDS
	local at
	at=$(($(date +%s) + $1))
	date -d "@$at" "$TIME_FORMAT" 2>/dev/null || date -r "$at" "$TIME_FORMAT"
}

show_status() {
	local result failures success next
	result=$(status_value result)
	if [ -z "$result" ]; then
		echo "the lists were not updated yet"
		return 3
	fi
	echo "$(status_value script): $result, $(status_value time | cut -d' ' -f2-)"
	[ -z "$(status_value text)" ] || echo "  $(status_value text)"
	[ "$result" = failed ] || return 0
	failures=$(status_value failures) success=$(status_value success) next=$(status_value next)
	echo "  failures in succession: $failures"
	[ -z "$success" ] || echo "  last good one: ${success#* }"
	is_number "${next%% *}" && [ "${next%% *}" -gt "$(date +%s)" ] && echo "  next try: ${next#* }"
	return 1
}

# What the scripts reported, as one line.
report_text() {
	cut -d' ' -f2- "$LIST_REPORT" | tr -d '\000-\011\013-\037\177' | head -n 20 |
		awk '{ printf "%s%s", between, $0; between = "; " }'
}

report_result() { # CODE
	if [ "$1" != 0 ] || grep -q '^failed ' "$LIST_REPORT"; then
		echo failed
	elif grep -q '^updated ' "$LIST_REPORT"; then
		echo updated
	elif grep -q '^unchanged ' "$LIST_REPORT"; then
		echo unchanged
	else
		echo "done"
	fi
}

write_status() { # RESULT [SECONDS_TO_THE_NEXT_TRY]
	local file failures=0 success next=''
	file=$(update_status_file)
	success=$(status_value success)
	if [ "$1" = failed ]; then
		failures=$(status_value failures)
		is_number "$failures" || failures=0
		failures=$((failures + 1))
		[ -z "$2" ] || next=$(time_in "$2")
	else
		success=$(time_in 0)
	fi
	(umask 022 && mkdir -p "$IPSET_RW_DIR")
	printf '%s\n' "script=$SCRIPT" "result=$1" "time=$(time_in 0)" "success=$success" "failures=$failures" \
		"next=$next" "text=$(report_text)" >"$file.new" && chmod 644 "$file.new" && mv -f "$file.new" "$file"
	publish_update_status
}

tell() { # RESULT: to the system's log, where nobody looks at our output
	local text
	[ "$MODE" = scheduled ] || return 0
	text="list update $SCRIPT: $1: $(report_text)"
	if [ "$1" = failed ]; then
		zapret_failed "$text"
		errors_go_to_journal || ! exists logger || logger -t zapret2 -p daemon.err "$text"
	else
		echo "$text"
		errors_go_to_journal || ! exists logger || logger -t zapret2 -p daemon.notice "$text"
	fi
}

# One try. Its result is RESULT, its code CODE.
update() { # [SECONDS_TO_THE_NEXT_TRY]
	: >"$LIST_REPORT"
	CODE=0
	if [ -f "$EXEDIR/$SCRIPT" ]; then
		sh "$EXEDIR/$SCRIPT" || CODE=$?
	else
		list_failed "GETLIST=$GETLIST: no such list script in $EXEDIR"
	fi
	RESULT=$(report_result "$CODE")
	[ "$RESULT" = failed ] && [ "$CODE" = 0 ] && CODE=2
	write_status "$RESULT" "$1"
	tell "$RESULT"
}

wait_for_next_try() { # SECONDS: still wanted?
	local waiting
	make_run_folder
	echo $$ >"$WAITING" || return 1
	sleep "$1"
	read -r waiting 2>/dev/null <"$WAITING" && [ "$waiting" = $$ ] && rm -f "$WAITING"
}

MODE=$1
case $MODE in
'' | scheduled) ;;
status)
	show_status
	exit
	;;
*)
	echo "Usage: $0 [scheduled|status]" >&2
	exit 1
	;;
esac
make_zap_tmp
LIST_REPORT="$ZAP_TMP/report"
export LIST_REPORT
try=1
pause=$LISTS_PAUSE
while :; do
	if [ "$MODE" != scheduled ] || [ "$try" -ge "$LISTS_TRIES" ]; then
		update
		break
	fi
	update "$pause"
	[ "$RESULT" = failed ] || break
	wait_for_next_try "$pause" || exit "$CODE"
	try=$((try + 1))
	pause=$((pause * 2))
done
[ "$RESULT" = failed ] || rm -f "$WAITING"
exit "$CODE"
