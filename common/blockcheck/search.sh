# The first answer first: tries the strategies that are most likely to work here. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2016,SC2034,SC2153,SC2154 # programs of awk; variables go between the parts; A && B || C is meant
#
# Theory of operation. Level quick asks the pool (pool.sh) instead of running the scripts in their order, and ends
# with the first strategy that works SEARCH_TIMES times. Level standard asks it for some rounds before the scripts
# run, so that there is something to tell early; the results are kept for the scripts, which get them without
# another test. Level force and SIMULATE search nothing.
#
# The fast engine tests a round at once; with quick, the worker that is the first to be done with a strategy that
# works stops the others (file enough). The classic engine tests one after another, in the order of the pool.

SEARCH_ROUNDS=4 # of level standard without a success
SEARCH_TIMES=3  # good attempts that level quick wants of a strategy

# --- results kept for the scripts -----------------------------------------------------------------

scout_clear() {
	SCOUTED=$NL SCOUT_N=0
	: >"$WORK/scouted"
}

scout_keep() { # KEY
	SCOUT_N=$((SCOUT_N + 1))
	SCOUTED="$SCOUTED$SCOUT_N $1$NL"
	printf '%s\n' "$1" >>"$WORK/scouted"
	eval "SCOUT_CODE_$SCOUT_N=\$R_CODE SCOUT_ERROR_$SCOUT_N=\$R_ERROR SCOUT_TRIES_$SCOUT_N=\$R_N
		SCOUT_OK_$SCOUT_N=\$R_OK SCOUT_LIST_$SCOUT_N=\$R_LIST"
}

scout_knows() { # KEY
	[ "$SCOUT_N" -gt 0 ] && contains "$SCOUTED" " $1$NL"
}

scout_take() { # KEY: its result, if it was tested before the scripts
	local before number
	scout_knows "$1" || return 1
	before=${SCOUTED%%" $1$NL"*}
	number=${before##*"$NL"}
	eval "R_CODE=\$SCOUT_CODE_$number R_ERROR=\$SCOUT_ERROR_$number R_N=\$SCOUT_TRIES_$number
		R_OK=\$SCOUT_OK_$number R_LIST=\$SCOUT_LIST_$number"
}

# --- a round --------------------------------------------------------------------------------------

key_split() { # KEY
	KEY_TESTF=${1%% *}
	KEY_QUOTED=${1#* }
	KEY_DOM=${KEY_QUOTED%% *}
	KEY_QUOTED=${KEY_QUOTED#* }
}

# For the pool: which share of the attempts was good.
search_note() { # KEY
	local share=0
	[ "$R_N" = 0 ] || share=$((R_OK * 100 / R_N))
	printf '%u.%02u\t%s\n' $((share / 100)) $((share % 100)) "$1" >>"$WORK/tried"
}

search_one() { # KEY: as a script would ask for it
	eval "pktws_curl_test_update \"\$KEY_TESTF\" \"\$KEY_DOM\" $KEY_QUOTED"
	search_note "$1"
}

# A result of a batch.
search_result() { # KEY
	search_note "$1"
	if [ "$R_CODE" = 0 ] || [ "$SCANLEVEL" = quick ]; then
		eval "strategy_texts $KEY_QUOTED"
	fi
	[ "$R_CODE" = 0 ] && FOUND=${FOUND:-$PKTWS_TEXT}
	if [ "$SCANLEVEL" != quick ]; then
		scout_keep "$1"
		PROGRESS_DONE=$((PROGRESS_DONE + 1))
		[ "$R_CODE" != 0 ] || PROGRESS_FOUND=$((PROGRESS_FOUND + 1))
		return 0
	fi
	resume_find "$KEY_TESTF" "$KEY_DOM" "$KEY_QUOTED" || resume_keep "$KEY_QUOTED"
	strategy_announce "$KEY_TESTF" "$KEY_DOM"
	show_attempts
	show_result
	strategy_done "$KEY_TESTF" "$KEY_DOM"
}

# Those of the picks that can run beside others, if no result is kept from another run, are the batch.
search_take_batch() {
	: >"$WORK/keys"
	cp "$WORK/picks" "$WORK/picks.left"
	[ "$FAST_NOW" = 1 ] && [ -z "$RESUME" ] || return 0
	PRE=$PKTWS_PRE POST=$PKTWS_POST awk -v keys="$WORK/keys" "$SPLIT_AWK"'{
		# A quoted word may have a TAB.
		key = line = substr($0, index($0, "\t") + 1)
		sub(/^[^ ]+ [^ ]+ /, "", line)
		if (split_strategy(ENVIRON["PRE"] " " line " " ENVIRON["POST"])) print key >keys
		else print
	}' "$WORK/picks" >"$WORK/picks.left"
}

# Tests the strategies of $WORK/picks.
search_round() {
	local script key
	search_take_batch
	# Descriptor 3: a test may read what is on the standard input.
	while IFS=$TAB read -r script key <&3; do
		key_split "$key"
		SCRIPT=$script RESUMED=false
		if resume_find "$KEY_TESTF" "$KEY_DOM" "$KEY_QUOTED"; then
			if [ "$SCANLEVEL" = quick ]; then
				search_one "$key"
			else
				search_note "$key"
			fi
		elif [ "$FAST_NOW" = 1 ] && fast_can "$PKTWS_PRE $KEY_QUOTED $PKTWS_POST"; then
			printf '%s\n' "$key" >>"$WORK/keys"
		elif [ "$SCANLEVEL" = quick ]; then
			search_one "$key"
		else
			printf -- '-\t%s\n' "$key" >>"$WORK/tried"
		fi
		[ "$SCANLEVEL" = quick ] && [ -n "$FOUND" ] && return 0
	done 3<"$WORK/picks.left"
	search_batch
}

search_batch() {
	[ -s "$WORK/keys" ] || return 0
	rm -f "$WORK/enough"
	SEARCHING=1
	batch_run
	SEARCHING=
	while result_read; do
		# Stopped before its last attempt: its turn may come again.
		[ "$SCANLEVEL" = quick ] && [ "$R_CODE" = 0 ] && [ "$R_N" -lt "$REPEATS" ] && continue
		key_split "$RESULT_KEY"
		[ "$SCANLEVEL" != quick ] || SCRIPT=$(search_script_of "$RESULT_KEY")
		search_result "$RESULT_KEY"
	done
	RESULT_KEY=
	[ -n "$FOUND" ] || search_lost
	rm -f "$WORK/enough"
}

search_script_of() { # KEY: prints the script that a pick comes from
	KEY=$1 awk '{ at = index($0, "\t") } substr($0, at + 1) == ENVIRON["KEY"] { print substr($0, 1, at - 1); exit }' "$WORK/picks"
}

# What got no result, for want of a port: level quick tests it alone, from more ports; else the scripts will. What was
# only stopped has its turn again.
search_lost() {
	local key fast="$FAST_NOW"
	[ -f "$WORK/enough" ] && return 0
	awk 'FILENAME == ARGV[1] { seen[substr($0, index($0, "\t") + 1)] = 1; next } !($0 in seen)' "$WORK/tried" "$WORK/keys" >"$WORK/lost"
	if [ "$SCANLEVEL" != quick ]; then
		sed "s/^/-$TAB/" "$WORK/lost" >>"$WORK/tried"
		return 0
	fi
	FAST_NOW=0
	while [ -z "$FOUND" ] && IFS= read -r key <&3; do
		key_split "$key"
		SCRIPT=$(search_script_of "$key")
		search_one "$key"
	done 3<"$WORK/lost"
	FAST_NOW=$fast
}

# A worker is done with a strategy that works.
search_enough() {
	[ "$SEARCHING" = 1 ] && [ "$SCANLEVEL" = quick ] || return 0
	: >"$WORK/enough"
	# shellcheck disable=SC2046 # a list of words
	kill $(cat "$WORK/pids/workers") 2>/dev/null
}

search_is_enough() {
	[ "$SEARCHING" = 1 ] && [ -f "$WORK/enough" ]
}

# --- all of it ------------------------------------------------------------------------------------

search_count() { # ROUND: how many strategies it shall have
	SEARCH_COUNT=1
	[ "$FAST_NOW" = 1 ] || return 0
	SEARCH_COUNT=$INFLIGHT
	[ "$SCANLEVEL" = quick ] || return 0
	# Nothing of the likely ones has worked: more at a time.
	[ "$1" -le 3 ] || SEARCH_COUNT=$((INFLIGHT * 2))
	[ "$1" -le 6 ] || SEARCH_COUNT=$((INFLIGHT * 8))
	[ "$SEARCH_COUNT" -le "$FAST_LIMIT" ] || SEARCH_COUNT=$FAST_LIMIT
}

search_rounds() { # MOST; 0 = until something is found or all was tried
	local round=0
	SEARCH_LEVEL=$SCANLEVEL
	while [ -z "$FOUND" ]; do
		round=$((round + 1))
		[ "$1" = 0 ] || [ $round -le "$1" ] || break
		search_count $round
		pool_pick "$SEARCH_COUNT" || break
		pool_more "$([ $round -le 3 ] && echo more || echo all)"
		progress_total "$POOL_SIZE"
		progress_show
		search_round
	done
	SEARCH_LEVEL=
}

search_wanted() {
	[ "$SIMULATE" = 1 ] && return 1
	exists awk || return 1
	[ "$SCANLEVEL" = quick ] || { [ "$SCANLEVEL" = standard ] && [ "$FAST_NOW" = 1 ]; }
}

# Level quick. Fails when the scripts ask for nothing that could be found, so that they have to run themselves; also
# when nothing was found and one of them is broken, which shows its error then.
search_quick() { # FUNC TESTF DOMAIN
	local times="$REPEATS" broken=0
	[ "$REPEATS" -ge $SEARCH_TIMES ] || REPEATS=$SEARCH_TIMES
	[ "$FAST_NOW" = 0 ] || slots_share
	resume_begin "$2" "$3"
	RESUME_ASTRAY=1
	pool_begin "$@"
	pool_wait
	if pool_pick 1; then
		echo
		echo "* script : $TEST/*.sh, the most likely strategies first"
		search_rounds 0
		SCRIPT=
	fi
	[ -n "$FOUND" ] || ! pool_broken || broken=1
	pool_end
	pool_learn
	REPEATS=$times
	[ "$FAST_NOW" = 0 ] || slots_share
	[ "$POOL_SIZE" -gt 0 ] && [ $broken = 0 ]
}

# Level standard: something to tell before the scripts run. Where a few batches are all there is, they tell it.
search_scout() { # FUNC TESTF DOMAIN
	resume_begin "$2" "$3"
	RESUME_ASTRAY=1
	pool_begin "$@"
	pool_wait
	if [ ! -f "$WORK/pool.done" ] || [ "$(wc -l <"$WORK/requests")" -gt $((INFLIGHT * 4)) ]; then
		search_rounds $SEARCH_ROUNDS
		SCRIPT=
		progress_clear
		progress_again
		[ -z "$FOUND" ] || echo "found so far : $2 ipv$IPV $3 : $FOUND"
	fi
	pool_end
	pool_learn
	# The first of the scripts' own order is what they will report.
	FOUND=
}
