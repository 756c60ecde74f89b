#!/bin/sh
# Runs a daemon and starts it again after a crash:
#   supervise.sh PIDFILE BINARY WORDS...
#
# Theory of operation. The daemon is a child, its pid stands in PIDFILE. When it ends by itself, by its
# options (exit 1 within the time of a start) or because somebody ended it (TERM, INT, HUP), so does the
# supervisor. Everything else is a crash: a signal, the code of a watchdog, or a failure after the start.
# Then the daemon comes back after a pause, which doubles up to a minute as long as the daemon does not
# live that long. TERM only tells the supervisor that the next end is the last one: who ends the service
# ends the daemon himself, once, so that the daemon can say farewell to its packets. USR1 and USR2 are
# questions to the daemon and are passed on.
# shellcheck shell=dash

PIDFILE=$1
shift
NAME=${1##*/}
FIRST_PAUSE=${SUPERVISE_PAUSE:-2}
LONGEST_PAUSE=60
START_TIME=2 # seconds within which exit 1 speaks of the options

stopping=0
trapped=0
pid=
sleeper=
trap 'stopping=1 trapped=1; [ -z "$sleeper" ] || kill "$sleeper" 2>/dev/null' TERM
# Not ignored: the daemon would inherit that.
trap 'trapped=1' HUP INT
trap 'trapped=1; pass_on USR1' USR1
trap 'trapped=1; pass_on USR2' USR2

# The journal takes a priority before the line, and needs it once.
errors_go_to_journal() {
	[ -n "$JOURNAL_STREAM" ] && [ "$(stat -L -c %d:%i /proc/self/fd/3 3>&2 2>/dev/null)" = "$JOURNAL_STREAM" ]
}

say() {
	if errors_go_to_journal; then
		echo "<3>$NAME: $*" >&2
		return
	fi
	echo "$NAME: $*" >&2
	if type logger >/dev/null 2>&1; then
		logger -t zapret "$NAME: $*"
	fi
}

pass_on() { # SIGNAL
	[ -z "$pid" ] || kill -s "$1" "$pid" 2>/dev/null
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

is_crash() { # CODE SECONDS-OF-LIFE
	case $1 in
	1) [ "$2" -gt "$START_TIME" ] || return 1 ;;
	0 | 126 | 127) return 1 ;;
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
	pid=
	life=$(($(now) - born))
	is_crash "$code" "$life" || exit "$code"
	[ "$stopping" = 0 ] || exit 0
	[ "$life" -lt "$LONGEST_PAUSE" ] || pause=$FIRST_PAUSE
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
