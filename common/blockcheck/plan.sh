# What a test script will ask for next. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant
#
# Theory of operation. A test script is a program: which strategy it asks for depends on what the
# earlier ones gave. To test many at once the fast engine must know the next ones. So the function of
# the script also runs in a copy of the shell, forked before the true run began (the planner), where
# strategies whose result is known return it and all others are written down and taken to fail. The
# true run stays the only one that counts: where it goes another way than planned, its request decides
# and a new plan is made. PLANNING=1 in such copies; in those that fill the pool (pool.sh) 2, in those that
# only count (expect.sh) 3.
#
#   true run                         planner (waits on a pipe)
#   asks for S, not tested yet
#   "KNOWN LIMIT" ------------------> runs the function in a copy of itself:
#                                     KNOWN results replayed, then LIMIT requests written to a file
#   <-------------------------------- count

planner_start() { # FUNC TESTF DOMAIN
	: >"$WORK/known"
	# Both ends open for reading and writing: no open waits for the other side.
	exec 6<>"$WORK/ask" 7<>"$WORK/answer"
	planner_loop "$@" &
	PLANNER=$!
	pids_note planner $PLANNER
}

planner_stop() {
	[ -n "$PLANNER" ] || return 0
	kill -9 "$PLANNER" 2>/dev/null
	wait "$PLANNER" 2>/dev/null
	PLANNER=
	[ -d "$WORK" ] && pids_note planner
	exec 6>&- 7>&-
}

planner_loop() { # FUNC TESTF DOMAIN
	local known limit
	trap '' INT HUP QUIT
	while read -r known limit <&6; do
		(planner_run "$known" "$limit" "$@") >/dev/null 2>&1 </dev/null 6>&- 7>&-
		echo ready >&7
	done
}

planner_run() { # KNOWN LIMIT FUNC TESTF DOMAIN
	PLANNING=1 PLAN_N=0 PLAN_KNOWN=$1 PLAN_LIMIT=$2
	exec 5>"$WORK/plan"
	# shellcheck disable=SC1091 # our own file: codes of the strategies that did not fail with 28
	. "$WORK/known"
	shift 2
	"$@"
}

# What pktws_curl_test does in a planner.
plan_request() { # TESTF DOMAIN ARGS...
	local code=28 testf="$1" dom="$2"
	case $PLANNING in
	2)
		[ -d "$WORK/planning" ] || exit 0
		shift 2
		words_quote "$@"
		[ -z "$QUOTED" ] || [ "$UPDATING" != 1 ] || printf '%s\n' "$SCRIPT$TAB$testf $dom $QUOTED" >&5
		pool_pause
		return 28
		;;
	3)
		expect_request "$@"
		return
		;;
	esac
	PLAN_N=$((PLAN_N + 1))
	if [ $PLAN_N -le "$PLAN_KNOWN" ]; then
		eval "code=\${PLAN_CODE_$PLAN_N:-28}"
		return "$code"
	fi
	[ "$PLAN_LIMIT" = 0 ] && return 28
	shift 2
	words_quote "$@"
	printf '%s\n' "$testf $dom $QUOTED" >&5
	PLAN_LIMIT=$((PLAN_LIMIT - 1))
	[ $PLAN_LIMIT -gt 0 ] || exit 0
	return 28
}

plan_make() { # KNOWN LIMIT: a new plan
	local reply
	: >"$WORK/plan"
	echo "$1 $2" >&6
	read -r reply <&7 && [ "$reply" = ready ]
	PLAN_AT=0
}

plan_note_result() { # NUMBER CODE
	[ "$2" = 28 ] || echo "PLAN_CODE_$1=$2" >>"$WORK/known"
}
