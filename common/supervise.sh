#!/bin/sh
# Runs a daemon and starts it again after a crash:
#   supervise.sh PIDFILE BINARY WORDS...
#
# Theory of operation. The daemon is a child, its pid stands in PIDFILE. When it ends by itself, by its
# options (exit 1) or because somebody ended it (TERM, INT, HUP), so does the supervisor. Everything else
# is a crash: a signal, or the code of a watchdog. Then the daemon comes back after a pause, which doubles
# up to a minute as long as the daemon does not live that long. TERM only tells the supervisor that the
# next end is the last one: who ends the service ends the daemon himself, once, so that the daemon can say
# farewell to its packets.
# shellcheck shell=dash

PIDFILE=$1
shift
NAME=${1##*/}
FIRST_PAUSE=${SUPERVISE_PAUSE:-2}
LONGEST_PAUSE=60

stopping=0
trapped=0
sleeper=
trap 'stopping=1 trapped=1; [ -z "$sleeper" ] || kill "$sleeper" 2>/dev/null' TERM
# Not ignored: the daemon would inherit that.
trap 'trapped=1' HUP INT

say() {
	echo "$NAME: $*" >&2
	if type logger >/dev/null 2>&1; then
		logger -t zapret "$NAME: $*"
	fi
}

start() { # BINARY WORDS...
	"$@" >/dev/null &
	pid=$!
	# Never seen half written.
	echo "$pid" >"$PIDFILE.new" && mv -f "$PIDFILE.new" "$PIDFILE"
	# Told to end just before: nobody else knows of this daemon.
	[ "$stopping" = 0 ] || kill "$pid"
}

# A trap ends `wait` although the daemon lives.
wait_for_end() {
	while :; do
		trapped=0
		wait "$pid"
		code=$?
		[ "$trapped" = 1 ] && [ "$code" -gt 128 ] && kill -0 "$pid" 2>/dev/null || return 0
	done
}

is_crash() { # CODE
	case $1 in
	0 | 1 | 126 | 127) return 1 ;;
	129 | 130 | 143) return 1 ;;
	esac
	return 0
}

now() {
	read -r seconds rest </proc/uptime
	echo "${seconds%%.*}"
}

pause=$FIRST_PAUSE
while :; do
	born=$(now)
	start "$@"
	wait_for_end
	is_crash "$code" || exit "$code"
	[ "$stopping" = 0 ] || exit 0
	[ $(($(now) - born)) -lt "$LONGEST_PAUSE" ] || pause=$FIRST_PAUSE
	say "ended with code $code, starts again in $pause s"
	sleep "$pause" >/dev/null 2>&1 &
	sleeper=$!
	[ "$stopping" = 0 ] || kill "$sleeper" 2>/dev/null
	wait "$sleeper"
	sleeper=
	[ "$stopping" = 0 ] || exit 0
	pause=$((pause * 2))
	[ "$pause" -le "$LONGEST_PAUSE" ] || pause=$LONGEST_PAUSE
done
