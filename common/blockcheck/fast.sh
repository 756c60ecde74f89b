# Many strategies at once: the fast engine. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2016,SC2034,SC2153,SC2154 # programs of awk; variables go between the parts; A && B || C is meant
#
# Theory of operation. A batch is the next strategies of the plan (plan.sh), which blockprobe tests (engine.sh). Its results
# come as functions of the shell in the order of the plan: piece_0 makes result_0 to result_63, piece_1 the next. The true run of the script takes them one by
# one; those it does not ask for are dropped. The batch grows while the plan proves right, else it shrinks. While the script
# takes the results of a batch the next one is tested already, if it is likely that they will be asked for (AHEAD).

FAST_MAX_BATCH=4096
FAST_MIN_BATCH=64

fast_available() {
	[ "$ENGINE" = fast ] || return 1
	[ "$SIMULATE" = 1 ] || [ "$SKIP_PKTWS" = 1 ] || [ "$CURL_VERBOSE" = 1 ] || [ "$CURL_CMD" = 1 ] && return 1
	exists mkfifo && exists awk && "$BLOCKPROBE" --help >/dev/null 2>&1 || return 1
	"$NFQWS2" --dry-run --qnum=1 --filter-lport=1 >/dev/null 2>&1
}

fast_setup() {
	FAST=0
	fast_available || {
		[ "$ENGINE" = classic ] || [ "$SIMULATE" = 1 ] || [ "$SKIP_PKTWS" = 1 ] || echo 'the fast engine cannot be used here. using ENGINE=classic'
		return 0
	}
	FAST=1
	WANT_STATISTICS=1
	mkfifo "$WORK/ask"
	area_claim
	ports_setup
	engine_setup
}

# --- batches ------------------------------------------------------------------------------------

# Tests the strategies of $WORK/keys, for result_read.
batch_run() {
	RESULTS=0 RESULT_AT=0
	[ "$ENGINE_BROKEN" = 0 ] || return 0
	progress_show
	engine_start
	batch_take
}

# The results of the batch that runs. A shell reads a file of functions much faster than lines.
batch_take() {
	RESULTS=0 RESULT_AT=0 RESULTS_GOOD=0 BATCH_SAID=
	engine_wait || return 0
	# shellcheck disable=SC1091 # just made
	. "$WORK/results"
	[ -z "$BATCH_SAID" ] || {
		progress_clear
		echo "$BATCH_SAID"
	}
}

# Takes the next strategies of the plan; the first must be KEY, if there is one, else the plan is wrong.
batch_fill() { # KEY
	plan_wait "$PARALLEL_MAX" "$BATCH_SIZE"
	PLAN_AT=$(KEY=$1 awk -v at="$PLAN_AT" -v lines="$PLAN_LINES" -v left="$BATCH_SIZE" -v scouted="$WORK/scouted" -v keys="$WORK/keys" '
		BEGIN {
			printf "" >keys
			while ((getline line < scouted) > 0) known[line] = 1
			first = ENVIRON["KEY"] != ""
		}
		NR <= at { next }
		NR > lines || left == 0 || wrong { exit }
		{ at = NR }
		$0 in known { next }
		first && $0 != ENVIRON["KEY"] { wrong = 1; exit }
		{
			first = 0
			left--
			print >keys
		}
		END { print at }' "$WORK/plan.$PLAN_ID")
	[ -s "$WORK/keys" ]
}

# By half, or four times. A batch ends with waiting for its last answers, so few large ones are better while the plan holds.
batch_grow() {
	local most=$((PARALLEL_MAX * 8)) least="$PARALLEL_MAX"
	[ "$most" -le $FAST_MAX_BATCH ] || most=$FAST_MAX_BATCH
	[ "$least" -le $FAST_MIN_BATCH ] || least=$FAST_MIN_BATCH
	if [ "$PLAN_WRONG" = 1 ]; then
		BATCH_SIZE=$((BATCH_SIZE / 2))
		[ "$BATCH_SIZE" -ge "$least" ] || BATCH_SIZE=$least
	else
		BATCH_SIZE=$((BATCH_SIZE * 4))
	fi
	[ "$BATCH_SIZE" -le "$most" ] || BATCH_SIZE=$most
}

batch_next() { # KEY: makes and runs the batch that begins with it
	# Its queues are those of this one.
	batch_ahead_stop
	batch_grow
	if [ "$PLAN_STALE" = 1 ] || ! batch_fill "$1"; then
		plan_make $((CALL_N - 1))
		batch_fill "$1" || printf '%s\n' "$1" >"$WORK/keys"
	fi
	PLAN_WRONG=0 PLAN_STALE=0
	batch_run
}

# With a success the script may go another way, unless it tests everything.
batch_ahead() {
	[ "$ENGINE_BROKEN" = 0 ] && [ "$PLAN_WRONG" = 0 ] && { [ "$RESULTS_GOOD" = 0 ] || [ "$SCANLEVEL" = force ]; } || return 0
	batch_grow
	batch_fill '' || return 0
	engine_start
	AHEAD=1
}

batch_ahead_stop() {
	[ -n "$AHEAD" ] || return 0
	AHEAD=
	engine_stop
}

# The batch that was begun ahead, if the strategy is in it.
batch_ahead_take() { # KEY
	[ -n "$AHEAD" ] || return 1
	if ! grep -qxF -e "$1" "$WORK/keys"; then
		batch_ahead_stop
		PLAN_WRONG=1 PLAN_STALE=1
		return 1
	fi
	AHEAD=
	progress_show
	batch_take
	batch_ahead
}

# --- results ------------------------------------------------------------------------------------

result_read() { # reads the next result; its strategy is RESULT_KEY
	[ "$RESULT_AT" -lt "$RESULTS" ] || return 1
	[ $((RESULT_AT % 64)) != 0 ] || "piece_$((RESULT_AT / 64))"
	"result_$((RESULT_AT % 64))"
	RESULT_AT=$((RESULT_AT + 1))
}

# The next result, if it is that of this strategy. Else RESULT_KEY is empty: what comes into R_CODE then is not the result
# of that key.
result_take() { # KEY
	if result_read; then
		[ "$RESULT_KEY" != "$1" ] || return 0
		RESULT_AT=$((RESULT_AT - 1))
	fi
	RESULT_KEY=
	return 1
}

# The result of this strategy; those before it are dropped.
result_find() { # KEY
	RESULT_KEY=
	while result_read; do
		[ "$RESULT_KEY" != "$1" ] || return 0
		PLAN_WRONG=1 PLAN_STALE=1 RESULT_KEY=
	done
	return 1
}

fast_begin() { # FUNC TESTF DOMAIN
	planner_start "$@"
	PLAN_WRONG=1 PLAN_STALE=1 BATCH_SIZE=$FAST_MIN_BATCH AHEAD=
	# What works lets the script leave out others. Where nothing does, the plan holds.
	[ "$SCANLEVEL" != force ] && [ $((PROGRESS_FOUND + PROGRESS_SCOUTED)) != 0 ] || BATCH_SIZE=$((FAST_MAX_BATCH * 2))
	RESULTS=0 RESULT_AT=0 RESULT_KEY=
}

fast_end() {
	batch_ahead_stop
	planner_stop
	RESULTS=0
}

fast_test() { # TESTF DOMAIN QUOTED-STRATEGY, whose result is not the next one
	local key="$1 $2 $3"
	result_find "$key" || { batch_ahead_take "$key" && result_find "$key"; } || {
		batch_next "$key"
		batch_ahead
		# A test of the user's own, which only the shell knows, or an engine that failed.
		result_take "$key" || {
			batch_ahead_stop
			classic_test "$@"
			return
		}
	}
	fast_show
}

fast_show() {
	RESULT_KEY=
	# The plan took it to fail.
	[ "$R_CODE" = 0 ] && PLAN_STALE=1
	show_attempts
}
