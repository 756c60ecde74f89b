# Local ports of a run: for the fast engine (fast.sh). Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant

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

# One of two areas of ports. Runs at the same time take different ones. An area is large, because a
# port can only be used again when all on the way have forgotten the connection, and a server whose
# packets or whose client's packets were dropped takes minutes: all of a scan have ports of their own. What others use in it is no harm: those
# ports are left out, and their packets pass our daemons unchanged.
area_claim() {
	local n=0 size=31744
	while [ $n -lt 2 ]; do
		if ! area_taken $n; then
			: >"$WORK/area-$n"
			# Looked at again: another run may have looked at the same time.
			area_taken $n || break
			rm -f "$WORK/area-$n"
		fi
		n=$((n + 1))
	done
	[ $n -lt 2 ] || n=$(($$ % 2))
	AREA_FIRST=$((2048 + n * size))
	AREA_LAST=$((AREA_FIRST + size - 1))
}

OWN_PORTS=1024 # of what the shell tests itself; they go to the first queue

PARALLEL_FIRST=16 # connections at the same time to begin with: more when that goes well

# Four ranges, each with a queue, for the daemons of the engine (src/probe/batch.cpp tells their use), and for the rules.
# ENGINE_RANGES, FAST_RULE_SLOTS: FIRST:LAST:QUEUE, four times.
ports_setup() {
	local slot first last queue size=$((AREA_LAST - AREA_FIRST + 1)) places=''
	first=$AREA_FIRST ENGINE_RANGES='' FAST_RULE_SLOTS=''
	OWN_NEXT=$(random "$first" $((first + OWN_PORTS - 1)))
	for slot in 0 1 2 3; do
		last=$((first + size / 4 - 1))
		queue=$QNUM
		[ $slot = 0 ] || queue=$(((QNUM + slot * 16127) % 64536 + 1000))
		FAST_RULE_SLOTS="$FAST_RULE_SLOTS $first:$last:$queue"
		[ $slot != 0 ] || first=$((first + OWN_PORTS))
		ENGINE_RANGES="$ENGINE_RANGES $first:$last:$queue"
		# Not where the last run began: its ports may still rest.
		places="$places $(random "$first" "$last")"
		first=$((last + 1))
	done
	echo "$PARALLEL_FIRST 3$places" >"$WORK/pace"
}

own_ports_take() { # COUNT: TAKEN becomes the first of so many ports
	[ $((OWN_NEXT + $1)) -le $((AREA_FIRST + OWN_PORTS)) ] || OWN_NEXT=$AREA_FIRST
	TAKEN=$OWN_NEXT
	OWN_NEXT=$((OWN_NEXT + $1))
}
