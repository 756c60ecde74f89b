# Processes of a run, for who cleans up after it. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2153,SC2154 # variables go between the parts; A && B || C is meant

# What runs now, for the watchdog: a file of process numbers for each kind, empty when there are none.
pids_note() { # KIND [PID...]
	local kind="$1"
	shift
	echo "$*" >"$WORK/pids/$kind"
}

# Ends what these kinds name. Only what is a process of its own: -1 would be everybody, 0 this program, too.
pids_kill() { # KIND...
	local kind pid
	for kind; do
		# shellcheck disable=SC2013 # words
		for pid in $(cat "$WORK/pids/$kind" 2>/dev/null); do
			case $pid in
			0* | *[!0-9]*) continue ;;
			esac
			[ "$pid" = 1 ] || kill -9 "$pid" 2>/dev/null
		done
	done
	return 0
}

pids_kill_all() {
	local file
	for file in "$WORK"/pids/*; do
		pids_kill "${file##*/}"
	done
}
