# Many strategies at once: the fast engine. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant
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

# Tests the strategies of $WORK/keys; results go to descriptor 9.
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
	awk -F '\t' '
		NR == FNR { last[$1] = $0; next }
		FNR in last {
			n = split(last[FNR], f, "\t")
			printf "%s\n%d|%s|%s\n", $0, n - 3, f[2], f[3]
			for (i = 4; i <= n; i++) print f[i]
		}' "$WORK/outcome" "$WORK/keys" >"$WORK/results"
	exec 9<"$WORK/results"
}

# Takes the next strategies of the plan; the first must be KEY, else the plan is wrong.
batch_fill() { # KEY COUNT
	local left="$2" testf dom quoted
	: >"$WORK/keys"
	while [ "$left" -gt 0 ] && read -r testf dom quoted <&8; do
		scout_knows "$testf $dom $quoted" && continue
		if [ "$left" = "$2" ] && [ "$testf $dom $quoted" != "$1" ]; then
			return 1
		fi
		left=$((left - 1))
		# What can only run alone is not part of a batch.
		fast_split "$PKTWS_PRE $quoted $PKTWS_POST" && printf '%s\n' "$testf $dom $quoted" >>"$WORK/keys"
	done
	[ -s "$WORK/keys" ]
}

batch_next() { # KEY: makes and runs the batch that begins with it
	if [ "$PLAN_WRONG" = 1 ]; then
		BATCH_SIZE=$((BATCH_SIZE / 2))
		[ $BATCH_SIZE -ge "$INFLIGHT" ] || BATCH_SIZE=$INFLIGHT
	else
		BATCH_SIZE=$((BATCH_SIZE * 2))
	fi
	[ "$BATCH_SIZE" -le $((INFLIGHT * 8)) ] || BATCH_SIZE=$((INFLIGHT * 8))
	[ "$BATCH_SIZE" -le "$FAST_LIMIT" ] || BATCH_SIZE=$FAST_LIMIT
	if [ "$PLAN_STALE" = 1 ] || ! batch_fill "$1" "$BATCH_SIZE"; then
		plan_make $((CALL_N - 1)) $((FAST_LIMIT * 2))
		batch_fill "$1" "$BATCH_SIZE" || printf '%s\n' "$1" >"$WORK/keys"
	fi
	PLAN_WRONG=0 PLAN_STALE=0
	batch_run
}

result_read() { # reads the next result; its strategy is RESULT_KEY
	local count line
	IFS= read -r RESULT_KEY <&9 || return 1
	result_clear
	IFS='|' read -r count R_CODE_ERROR R_ERROR <&9
	while [ "$count" -gt 0 ]; do
		IFS= read -r line <&9
		result_add "$line"
		count=$((count - 1))
	done
	[ -z "$R_CODE_ERROR" ] || R_CODE=$R_CODE_ERROR
}

fast_begin() { # FUNC TESTF DOMAIN
	planner_start "$@"
	PLAN_WRONG=1 PLAN_STALE=1 BATCH_SIZE=$INFLIGHT
	: >"$WORK/empty"
	exec 8<"$WORK/empty" 9<"$WORK/empty"
}

fast_end() {
	planner_stop
	exec 8<&- 9<&-
}

fast_test() { # TESTF DOMAIN QUOTED-STRATEGY
	local key="$1 $2 $3"
	if ! fast_split "$PKTWS_PRE $3 $PKTWS_POST"; then
		classic_test "$@"
		return
	fi
	while result_read; do
		[ "$RESULT_KEY" = "$key" ] && break
		PLAN_WRONG=1 PLAN_STALE=1
		RESULT_KEY=
	done
	if [ "$RESULT_KEY" != "$key" ]; then
		batch_next "$key"
		# No local port was to be had.
		result_read && [ "$RESULT_KEY" = "$key" ] || {
			RESULT_KEY=
			classic_test "$@"
			return
		}
	fi
	RESULT_KEY=
	# The plan took it to fail.
	[ "$R_CODE" = 0 ] && PLAN_STALE=1
	show_attempts
}
