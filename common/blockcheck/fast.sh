# Many strategies at once: the fast engine. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2016,SC2034,SC2153,SC2154 # programs of awk; variables go between the parts; A && B || C is meant
#
# Theory of operation. A batch is the next strategies of the plan (plan.sh). Each becomes a profile of a
# daemon, told apart by --filter-lport, and its curl binds to these local ports. A daemon holds only
# strategies with the same global words (--blob, --lua-init), since those act on the whole process; so
# there are four slots, each a daemon with its own queue and port range: 0 and 1 share the strategies
# without global words, 2 and 3 take others. Ports are used in turn, so one comes back only after the
# kernel, the server and the filter have forgotten it.
#
# A batch is worked off in groups. A group is one start of the daemons and one run of the workers; what
# cannot be judged after it makes new groups: strategies that found no slot, a local port that was in
# use, connections refused because there were too many, strategies of a daemon that died (in halves,
# until the guilty one is alone).
#
# Results wait in a file in the order of the plan. The true run of the script takes them one by one;
# those it does not ask for are dropped. The batch grows while the plan proves right, else it shrinks.

FAST_SLOTS='0 1 2 3'
FAST_MAX_BATCH=512

fast_available() {
	[ "$ENGINE" = fast ] || return 1
	[ "$SIMULATE" = 1 ] || [ "$SKIP_PKTWS" = 1 ] || [ "$CURL_VERBOSE" = 1 ] || [ "$CURL_CMD" = 1 ] && return 1
	exists mkfifo && exists awk || return 1
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
	INFLIGHT=$PARALLEL_MAX
	RETRIES=3
	mkfifo "$WORK/ask" "$WORK/answer"
	area_claim
	slots_setup
	prober_setup
}

# --- batches ------------------------------------------------------------------------------------

# Tests the strategies of $WORK/keys, for result_read.
batch_run() {
	local group=0
	: >"$WORK/outcome"
	GROUP_LAST=0 PORT_RETRIES=0
	awk '{ print NR }' "$WORK/keys" >"$WORK/all"
	group_push "$WORK/all"
	while [ $group -lt "$GROUP_LAST" ]; do
		group=$((group + 1))
		progress_show
		group_run "$WORK/group.$group" "$INFLIGHT"
		search_is_enough && break
		if [ -s "$WORK/again-connect" ]; then
			group_retry_connections "$INFLIGHT"
		else
			group_was_good
		fi
		rm -f "$WORK/group.$group"
	done
	results_write
}

# A result as a function of the shell, result_N: a shell reads a file of functions much faster than lines.
RESULTS_AWK='
	function quoted(t) {
		gsub(quote, quote "\\" quote quote, t)
		return quote t quote
	}
	BEGIN { quote = sprintf("%c", 39) }
	NR == FNR { last[$1] = $0; next }
	FNR in last {
		n = split(last[FNR], f, "\t")
		code = 0; good = 0; list = ""
		for (i = 4; i <= n; i++) {
			list = list f[i] "\n"
			bar = index(f[i], "|")
			if (f[i] ~ /^0\|/) good++
			# Of an attempt that was killed while it was written less may be there.
			else code = bar > 1 ? substr(f[i], 1, bar - 1) : 2
		}
		printf "result_%d() {\nRESULT_KEY=%s R_CODE=%s R_ERROR=%s R_N=%d R_OK=%d R_LIST=%s\n}\n", ++results, quoted($0),
			quoted(f[2] == "" ? code : f[2]), quoted(f[3]), n - 3, good, quoted(list)
	}
	END { print "RESULTS=" results + 0 }'

results_write() {
	LC_ALL=C awk -F '\t' "$RESULTS_AWK" "$WORK/outcome" "$WORK/keys" >"$WORK/results"
	RESULT_AT=0
	# shellcheck disable=SC1091 # just made
	. "$WORK/results"
}

# Takes the next strategies of the plan; the first must be KEY, else the plan is wrong. What can only run alone is not
# part of a batch.
batch_fill() { # KEY COUNT
	PLAN_AT=$(KEY=$1 PRE=$PKTWS_PRE POST=$PKTWS_POST awk -v at="$PLAN_AT" -v left="$2" -v scouted="$WORK/scouted" -v keys="$WORK/keys" \
		"$SPLIT_AWK"'
		BEGIN {
			printf "" >keys
			while ((getline line < scouted) > 0) known[line] = 1
			first = 1
		}
		NR <= at { next }
		left == 0 || wrong { exit }
		{ at = NR }
		$0 in known { next }
		first && $0 != ENVIRON["KEY"] { wrong = 1; exit }
		{
			first = 0
			left--
			line = $0
			sub(/^[^ ]+ [^ ]+ /, "", line)
			if (split_strategy(ENVIRON["PRE"] " " line " " ENVIRON["POST"])) print >keys
		}
		END { print at }' "$WORK/plan")
	[ -s "$WORK/keys" ]
}

batch_next() { # KEY: makes and runs the batch that begins with it
	local limit=$((FAST_LIMIT * 2))
	if [ "$PLAN_WRONG" = 1 ]; then
		BATCH_SIZE=$((BATCH_SIZE / 2))
		[ $BATCH_SIZE -ge "$INFLIGHT" ] || BATCH_SIZE=$INFLIGHT
	else
		BATCH_SIZE=$((BATCH_SIZE * 2))
	fi
	[ "$BATCH_SIZE" -le $((INFLIGHT * 8)) ] || BATCH_SIZE=$((INFLIGHT * 8))
	[ "$BATCH_SIZE" -le "$FAST_LIMIT" ] || BATCH_SIZE=$FAST_LIMIT
	if [ "$PLAN_STALE" = 1 ] || ! batch_fill "$1" "$BATCH_SIZE"; then
		# Each plan begins with all that was asked for before. The one that came true to its end will do so for long.
		[ "$PLAN_STALE" = 1 ] || limit=$((FAST_LIMIT * 8))
		plan_make $((CALL_N - 1)) "$limit"
		batch_fill "$1" "$BATCH_SIZE" || printf '%s\n' "$1" >"$WORK/keys"
	fi
	PLAN_WRONG=0 PLAN_STALE=0
	batch_run
}

result_read() { # reads the next result; its strategy is RESULT_KEY
	[ "$RESULT_AT" -lt "$RESULTS" ] || return 1
	RESULT_AT=$((RESULT_AT + 1))
	"result_$RESULT_AT"
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

fast_begin() { # FUNC TESTF DOMAIN
	planner_start "$@"
	PLAN_WRONG=1 PLAN_STALE=1 BATCH_SIZE=$INFLIGHT
	RESULTS=0 RESULT_AT=0 RESULT_KEY=
}

fast_end() {
	planner_stop
	RESULTS=0
}

fast_test() { # TESTF DOMAIN QUOTED-STRATEGY, whose result is not the next one
	local key="$1 $2 $3"
	fast_can "$PKTWS_PRE $3 $PKTWS_POST" || {
		classic_test "$@"
		return
	}
	RESULT_KEY=
	while result_read && [ "$RESULT_KEY" != "$key" ]; do
		PLAN_WRONG=1 PLAN_STALE=1 RESULT_KEY=
	done
	if [ "$RESULT_KEY" != "$key" ]; then
		batch_next "$key"
		# No local port was to be had.
		result_take "$key" || {
			classic_test "$@"
			return
		}
	fi
	fast_show
}

fast_show() {
	RESULT_KEY=
	# The plan took it to fail.
	[ "$R_CODE" = 0 ] && PLAN_STALE=1
	show_attempts
}
