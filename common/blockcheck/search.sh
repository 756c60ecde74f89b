# The first answer first: tries the strategies that are most likely to work here. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2016,SC2034,SC2153,SC2154 # programs of awk; variables go between the parts; A && B || C is meant
#
# Theory of operation. Level quick asks the pool (pool.sh) instead of running the scripts in their order, and ends
# with the first strategy that works SEARCH_TIMES times. Level standard asks it for some rounds before the scripts
# run, so that there is something to tell early; the results are kept for the scripts, which get them without
# another test. Level force and SIMULATE search nothing.
#
# The fast engine tests a round at once; with quick, the first strategy that is done and works ends it (ENGINE_CODE=3). The classic engine tests one after another, in the order of the pool.

SEARCH_ROUNDS=4 # of level standard without a success
SEARCH_SIZE=16  # strategies of a round: likely ones, whose results teach what the next round shall have
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

# Tests the strategies of $WORK/picks. Without results of another run they are the batch as they are.
search_round() {
	local script key
	if [ "$FAST_NOW" = 1 ] && [ -z "$RESUME" ]; then
		# A quoted word may have a TAB.
		awk '{ print substr($0, index($0, "\t") + 1) }' "$WORK/picks" >"$WORK/keys"
		search_batch
		return
	fi
	: >"$WORK/keys"
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
		elif [ "$FAST_NOW" = 1 ]; then
			printf '%s\n' "$key" >>"$WORK/keys"
		else
			search_one "$key"
		fi
		[ "$SCANLEVEL" = quick ] && [ -n "$FOUND" ] && return 0
	done 3<"$WORK/picks"
	search_batch
}

search_batch() {
	[ -s "$WORK/keys" ] || return 0
	SEARCHING=1
	batch_run
	SEARCHING=
	while result_read; do
		key_split "$RESULT_KEY"
		[ "$SCANLEVEL" != quick ] || SCRIPT=$(search_script_of "$RESULT_KEY")
		search_result "$RESULT_KEY"
	done
	RESULT_KEY=
	[ -n "$FOUND" ] || [ "$ENGINE_CODE" = 3 ] || search_lost
}

search_script_of() { # KEY: prints the script that a pick comes from
	KEY=$1 awk '{ at = index($0, "\t") } substr($0, at + 1) == ENVIRON["KEY"] { print substr($0, 1, at - 1); exit }' "$WORK/picks"
}

# What got no result, as a test that only the shell knows: level quick tests it alone; else the scripts will.
search_lost() {
	local key fast="$FAST_NOW"
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

# --- all of it ------------------------------------------------------------------------------------

search_count() { # ROUND: how many strategies it shall have
	SEARCH_COUNT=1
	[ "$FAST_NOW" = 1 ] || return 0
	SEARCH_COUNT=$SEARCH_SIZE
	[ "$SCANLEVEL" = quick ] || return 0
	# Nothing of the likely ones has worked: more at a time.
	[ "$1" -le 3 ] || SEARCH_COUNT=$((SEARCH_SIZE * 2))
	[ "$1" -le 6 ] || SEARCH_COUNT=$((SEARCH_SIZE * 8))
	[ "$1" -le 9 ] || SEARCH_COUNT=$FAST_MAX_BATCH
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
	"$BLOCKPROBE" --help >/dev/null 2>&1 || return 1
	[ "$SCANLEVEL" = quick ] || { [ "$SCANLEVEL" = standard ] && [ "$FAST_NOW" = 1 ]; }
}

# Level quick. Fails when the scripts ask for nothing that could be found, so that they have to run themselves; also
# when nothing was found and one of them is broken, which shows its error then.
search_quick() { # FUNC TESTF DOMAIN
	local times="$REPEATS" broken=0
	[ "$REPEATS" -ge $SEARCH_TIMES ] || REPEATS=$SEARCH_TIMES
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
	[ "$POOL_SIZE" -gt 0 ] && [ $broken = 0 ]
}

# Level standard: something to tell before the scripts run. Where a few batches are all there is, they tell it.
search_scout() { # FUNC TESTF DOMAIN
	resume_begin "$2" "$3"
	RESUME_ASTRAY=1
	pool_begin "$@"
	pool_wait
	if [ ! -f "$WORK/pool.done" ] || [ "$(wc -l <"$WORK/requests")" -gt $((SEARCH_SIZE * SEARCH_ROUNDS)) ]; then
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
