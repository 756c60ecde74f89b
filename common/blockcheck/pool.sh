# The strategies of all test scripts as one pool. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2034,SC2154 # variables go between the parts
#
# Theory of operation. The scripts run once in a copy of the shell where every strategy is taken to fail
# (PLANNING=2, see plan.sh); each request is a line of the pool. That goes on while the first ones are tested, in
# portions, since it takes time that the tests need. Which of them to try next blockprobe says (src/probe/pool.cpp tells
# how), from what was tried and what earlier protocols taught.

POOL_ENOUGH=400 # lines of a portion

# Called with each line in the copy of the shell that fills the pool.
pool_pause() {
	PLAN_N=$((PLAN_N + 1))
	[ $((PLAN_N % POOL_ENOUGH)) = 0 ] || return 0
	while [ ! -f "$WORK/planning/more" ] && [ ! -f "$WORK/planning/all" ] && [ -d "$WORK/planning" ]; do
		msleep 20
	done
	rm -f "$WORK/planning/more"
}

pool_more() { # WORD: another portion (more), or without a pause from now on (all)
	: >"$WORK/planning/$1"
}

# A script may end the copy of the shell: an error in it, `exit`. What is in the pool then is all that there will be.
pool_begin() { # FUNC TESTF DOMAIN
	rm -f "$WORK/pool.done" "$WORK/pool.whole"
	mkdir "$WORK/planning"
	POOL_SIZE=0
	: >"$WORK/requests"
	: >"$WORK/tried"
	[ -f "$WORK/mechanisms" ] || : >"$WORK/mechanisms"
	(
		trap '' INT HUP QUIT
		exec 5>"$WORK/requests" >/dev/null 2>&1 </dev/null
		trap 'true >"$WORK/pool.done"' EXIT
		PLANNING=2 PLAN_N=0
		run_scripts "$@"
		: >"$WORK/pool.whole"
	) &
	POOL_PID=$!
}

# Until the pool has strategies of most kinds: the first rounds need not know everything.
pool_wait() {
	local left=100
	while [ $left -gt 0 ] && [ ! -f "$WORK/pool.done" ] && [ "$(wc -l <"$WORK/requests")" -lt $POOL_ENOUGH ]; do
		msleep 20
		left=$((left - 1))
	done
	return 0
}

pool_end() {
	[ -n "$POOL_PID" ] || return 0
	# If something survives: the next request of the scripts is their last.
	rm -rf "$WORK/planning"
	kill -9 "$POOL_PID" 2>/dev/null
	wait "$POOL_PID" 2>/dev/null
	POOL_PID=
}

pool_ask() { # OPTION
	head -n "$POOL_SIZE" "$WORK/requests" | "$BLOCKPROBE" --folder="$WORK" "$1"
}

pool_complete() {
	[ -f "$WORK/pool.done" ] || ! kill -0 "$POOL_PID" 2>/dev/null
}

# The next strategies of the pool, in $WORK/picks. Fails when there is none left.
pool_pick() { # COUNT
	local complete
	while :; do
		complete=0
		pool_complete && complete=1
		# The last line may just be written.
		POOL_SIZE=$(wc -l <"$WORK/requests")
		# Without its help the scripts run in their order.
		pool_ask "--pick=$1" >"$WORK/picks" || {
			POOL_SIZE=0
			return 1
		}
		[ -s "$WORK/picks" ] && return 0
		[ $complete = 0 ] || return 1
		pool_more more
		msleep 100
	done
}

# The scripts have ended before their end.
pool_broken() {
	pool_complete && [ ! -f "$WORK/pool.whole" ]
}

# What this protocol taught about mechanisms helps with the next.
pool_learn() {
	! pool_ask --learn >"$WORK/mechanisms.new" || mv "$WORK/mechanisms.new" "$WORK/mechanisms"
}
