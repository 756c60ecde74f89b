# Local ports, and where a strategy finds its place: for the fast engine (fast.sh). Sourced by
# blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2016,SC2034,SC2153,SC2154 # programs of awk; variables go between the parts; A && B || C is meant

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

# For programs of awk. split_strategy(line): of words as word_quote writes them it sets s_global to those for the whole
# process, s_profile to those of the profile(s), with %PORTS% where their port filter belongs, s_profiles to their
# number. 0 for what can only run alone.
SPLIT_AWK='
	BEGIN { quote = sprintf("%c", 39) }
	# The word at the beginning of a line, as it is written.
	function first_word(line,    at, inside, c, n) {
		# Most have no quotes.
		at = match(line, / /)
		if (!index(substr(line, 1, at ? at : length(line)), quote)) return at ? substr(line, 1, at - 1) : line
		n = length(line)
		for (at = 1; at <= n; at++) {
			c = substr(line, at, 1)
			if (c == quote) inside = !inside
			else if (c == "\\" && !inside) at++
			else if (c == " " && !inside) break
		}
		return substr(line, 1, at - 1)
	}
	function split_strategy(line,    word, name) {
		s_global = ""; s_profile = "--filter-lport=%PORTS%"; s_profiles = 1
		while (line != "") {
			if (substr(line, 1, 1) == " ") { line = substr(line, 2); continue }
			word = first_word(line)
			line = substr(line, length(word) + 1)
			name = word
			sub("^" quote, "", name)
			if (name ~ /^--new(=|$)/) { word = word " --filter-lport=%PORTS%"; s_profiles++ }
			else if (name ~ /^--(blob|lua-init)=/) { s_global = s_global " " word; continue }
			else if (name ~ /^--(hostlist-auto|filter-lport=)/) return 0
			else if (name !~ /^--(payload|lua-desync|in-range|out-range|cookie|comment|ipset.*|hostlist.*|filter-.*)=/) return 0
			s_profile = s_profile " " word
		}
		return 1
	}'

fast_can() { # QUOTED-WORDS: can they run beside others?
	QUOTED=$1 awk "$SPLIT_AWK"'BEGIN { exit !split_strategy(ENVIRON["QUOTED"]) }' </dev/null
}
