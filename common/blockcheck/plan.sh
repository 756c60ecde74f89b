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
#   "ID KNOWN" ---------------------> runs the function in a copy of itself, in the background:
#                                     KNOWN results replayed, then requests written to plan.ID
#   takes them while they come        some thousands, then it waits for plan.ID.more
#
# A plan that is not wanted any more is removed: the next request of its copy is the last one.

PLAN_PORTION=4096
PLAN_ID=0 # never that of an earlier plan: what is left of a planner may still look for its own

planner_start() { # FUNC TESTF DOMAIN
	: >"$WORK/known"
	# Both ends open for reading and writing: no open waits for the other side.
	exec 6<>"$WORK/ask"
	planner_loop "$@" &
	PLANNER=$!
	pids_note planner $PLANNER
}

planner_stop() {
	[ -n "$PLANNER" ] || return 0
	kill -9 "$PLANNER" 2>/dev/null
	wait "$PLANNER" 2>/dev/null
	PLANNER=
	[ ! -d "$WORK" ] || {
		rm -f "$WORK"/plan.*
		pids_note planner
	}
	exec 6>&-
}

planner_loop() { # FUNC TESTF DOMAIN
	local id known
	trap '' INT HUP QUIT
	while read -r id known <&6; do
		(planner_run "$id" "$known" "$@") >/dev/null 2>&1 </dev/null 6>&- &
	done
}

planner_run() { # ID KNOWN FUNC TESTF DOMAIN
	PLANNING=1 PLAN_N=0 PLAN_FILE=$WORK/plan.$1 PLAN_KNOWN=$2
	plan_is_wanted || return 0
	exec 5>>"$PLAN_FILE"
	# A script may end the copy of the shell.
	trap 'plan_is_wanted && true >"$PLAN_FILE.done"' EXIT
	# shellcheck disable=SC1091 # our own file: codes of the strategies that did not fail with 28
	. "$WORK/known"
	shift 2
	"$@"
}

plan_is_wanted() {
	[ -f "$PLAN_FILE" ]
}

plan_pause() {
	while plan_is_wanted && [ ! -f "$PLAN_FILE.more" ]; do
		msleep 20
	done
	rm -f "$PLAN_FILE.more"
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
	plan_is_wanted || exit 0
	shift 2
	words_quote "$@"
	printf '%s\n' "$testf $dom $QUOTED" >&5
	[ $(((PLAN_N - PLAN_KNOWN) % PLAN_PORTION)) != 0 ] || plan_pause
	return 28
}

plan_make() { # KNOWN: a new plan
	rm -f "$WORK/plan.$PLAN_ID" "$WORK/plan.$PLAN_ID".*
	PLAN_ID=$((PLAN_ID + 1)) PLAN_AT=0
	: >"$WORK/plan.$PLAN_ID"
	echo "$PLAN_ID $1" >&6
}

# PLAN_LINES becomes how many lines the plan has, when LEAST of them are behind PLAN_AT or it has an end. Not for ever:
# a planner that ended without a word has no next line. For more, up to MOST, a second.
plan_wait() { # LEAST MOST
	local file="$WORK/plan.$PLAN_ID" left=3000 more=50 ended
	while :; do
		ended=0
		[ ! -f "$file.done" ] || ended=1
		PLAN_LINES=$(wc -l <"$file")
		[ $ended = 0 ] && [ $left -gt 0 ] && [ "$PLAN_LINES" -lt $((PLAN_AT + $2)) ] || break
		if [ "$PLAN_LINES" -ge $((PLAN_AT + $1)) ]; then
			[ $more -gt 0 ] || break
			more=$((more - 1))
		fi
		: >"$file.more"
		left=$((left - 1))
		msleep 20
	done
}

plan_note_result() { # NUMBER CODE
	[ "$2" = 28 ] || echo "PLAN_CODE_$1=$2" >>"$WORK/known"
}
