# Local ports, and where a strategy finds its place: for the fast engine (fast.sh). Sourced by
# blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant

# --- ports --------------------------------------------------------------------------------------

# A run's private folder says which area it has: file area-N. Only folders of this user count, so nobody
# else can plant one.
area_taken() { # N
	local dir owner
	for dir in "${WORK%/*}"/zapret-blockcheck-*; do
		[ "$dir" != "$WORK" ] && [ -O "$dir" ] && [ ! -L "$dir" ] && [ -f "$dir/area-$1" ] || continue
		owner=${dir##*/zapret-blockcheck-}
		kill -0 "${owner%%-*}" 2>/dev/null && return 0
	done
	return 1
}

# One of four areas of ports. Runs at the same time take different ones. An area is large, because a
# port can only be used again when all on the way have forgotten the connection, and a server whose
# packets or whose client's packets were dropped takes minutes. What others use in it is no harm: curl
# then gets another port, and their packets pass our daemons unchanged.
area_claim() {
	local n=0 size=15872
	while [ $n -lt 4 ]; do
		if ! area_taken $n; then
			: >"$WORK/area-$n"
			# Looked at again: another run may have looked at the same time.
			area_taken $n || break
			rm -f "$WORK/area-$n"
		fi
		n=$((n + 1))
	done
	[ $n -lt 4 ] || n=$(($$ % 4))
	AREA_FIRST=$((2048 + n * size))
	AREA_LAST=$((AREA_FIRST + size - 1))
}

slots_setup() {
	local slot first="$AREA_FIRST" size=$((AREA_LAST - AREA_FIRST + 1)) last queue share
	FAST_RULE_SLOTS=
	for slot in $FAST_SLOTS; do
		share=4
		[ "$slot" -ge 2 ] && share=1
		last=$((first + size * share / 10 - 1))
		queue=$QNUM
		[ "$slot" = 0 ] || queue=$(((QNUM + slot * 16127) % 64536 + 1000))
		# Not where the last run began: its ports may still rest.
		eval "SLOT_FIRST_$slot=$first SLOT_LAST_$slot=$last SLOT_NEXT_$slot=$(random "$first" "$last") SLOT_QUEUE_$slot=$queue"
		FAST_RULE_SLOTS="$FAST_RULE_SLOTS $first:$last:$queue"
		first=$((last + 1))
	done
	slots_share
}

# How many strategies have their ports at the same time depends on the attempts.
slots_share() {
	FAST_PORTS=$REPEATS
	FAST_LIMIT=$(((SLOT_LAST_0 - SLOT_FIRST_0) / FAST_PORTS / 2))
	[ "$FAST_LIMIT" -gt "$FAST_MAX_BATCH" ] && FAST_LIMIT=$FAST_MAX_BATCH
	[ "$FAST_LIMIT" -ge 1 ] || FAST_LIMIT=1
	return 0
}

slot_take_ports() { # SLOT COUNT: TAKEN becomes the first of so many ports
	local last
	eval "TAKEN=\$SLOT_NEXT_$1 last=\$SLOT_LAST_$1"
	[ $((TAKEN + $2 - 1)) -gt "$last" ] && eval "TAKEN=\$SLOT_FIRST_$1"
	eval "SLOT_NEXT_$1=$((TAKEN + $2))"
}

# --- what a strategy is made of ------------------------------------------------------------------

# S_GLOBAL: words for the whole process; S_PROFILE: words of the profile(s), with %PORTS% where their
# port filter belongs; S_PROFILES: how many. Fails for what can only run alone.
fast_split() { # QUOTED-WORDS
	local word
	S_GLOBAL='' S_PROFILE='--filter-lport=%PORTS%' S_PROFILES=1
	eval "set -- $1"
	for word; do
		word_quote "$word"
		case $word in
		--new | --new=*)
			S_PROFILE="$S_PROFILE $WORD --filter-lport=%PORTS%"
			S_PROFILES=$((S_PROFILES + 1))
			;;
		--payload=* | --lua-desync=* | --in-range=* | --out-range=* | --cookie=* | --comment=* | --ipset*=*) S_PROFILE="$S_PROFILE $WORD" ;;
		--hostlist-auto*) return 1 ;;
		--hostlist*=*) S_PROFILE="$S_PROFILE $WORD" ;;
		--filter-lport=*) return 1 ;;
		--filter-*=*) S_PROFILE="$S_PROFILE $WORD" ;;
		--blob=* | --lua-init=*) S_GLOBAL="$S_GLOBAL $WORD" ;;
		*) return 1 ;;
		esac
	done
}
