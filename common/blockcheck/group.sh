# One start of the daemons and one run of the workers: for the fast engine (fast.sh). Sourced by
# blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant

# --- groups -------------------------------------------------------------------------------------

group_push() { # FILE with a line "INDEX" each
	[ -s "$1" ] || return 0
	GROUP_LAST=$((GROUP_LAST + 1))
	mv "$1" "$WORK/group.$GROUP_LAST"
}

group_push_halves() { # FILE
	local count
	count=$(wc -l <"$1")
	head -n $((count / 2)) "$1" >"$WORK/half"
	group_push "$WORK/half"
	tail -n +$((count / 2 + 1)) "$1" >"$WORK/half"
	group_push "$WORK/half"
}

slots_clear() {
	local slot
	for slot in $FAST_SLOTS; do
		eval "SLOT_GLOBAL_$slot= SLOT_ARGS_$slot= SLOT_PROFILES_$slot=0 SLOT_COUNT_$slot=0"
		rm -f "$WORK/slot.$slot" "$WORK/daemon.$slot"
	done
	: >"$WORK/profiles"
	rm -f "$WORK"/jobs.* "$WORK"/out.*
	JOB_N=0
}

slot_choose() { # sets SLOT for a strategy that was split
	local one other
	if [ -z "$S_GLOBAL" ]; then
		eval "one=\$SLOT_COUNT_0 other=\$SLOT_COUNT_1"
		SLOT=0
		[ "$other" -lt "$one" ] && SLOT=1
		return 0
	fi
	for SLOT in 2 3; do
		eval "one=\$SLOT_COUNT_$SLOT other=\$SLOT_GLOBAL_$SLOT"
		[ "$one" = 0 ] || [ "$other" = "$S_GLOBAL" ] || continue
		# Small ranges: half of the ports at once, the other half rests.
		[ $((one * FAST_PORTS * 20)) -lt $((AREA_LAST - AREA_FIRST)) ] && return 0
	done
	return 1
}

group_add() { # INDEX TESTF DOMAIN QUOTED-STRATEGY: fails when there is no room
	local ports profile n
	fast_split "$PKTWS_PRE $4 $PKTWS_POST" && slot_choose || return 1
	slot_take_ports "$SLOT" "$FAST_PORTS"
	ports=$TAKEN-$((TAKEN + FAST_PORTS - 1))
	profile=$S_PROFILE
	[ "$S_PROFILES" = 1 ] && profile="--filter-lport=$ports${profile#*%PORTS%}" ||
		profile=$(replace_str %PORTS% "$ports" "$profile")
	eval "SLOT_GLOBAL_$SLOT=\$S_GLOBAL"
	eval "SLOT_ARGS_$SLOT=\"\${SLOT_ARGS_$SLOT:+\$SLOT_ARGS_$SLOT --new }\$profile\""
	eval "SLOT_COUNT_$SLOT=\$((SLOT_COUNT_$SLOT + 1))"
	n=0
	while [ $n -lt "$S_PROFILES" ]; do
		n=$((n + 1))
		eval "SLOT_PROFILES_$SLOT=\$((SLOT_PROFILES_$SLOT + 1)) profile=\$SLOT_PROFILES_$SLOT"
		echo "$SLOT $profile $1" >>"$WORK/profiles"
	done
	echo "$1" >>"$WORK/slot.$SLOT"
	jobs_add "$1" "$2" "$3"
}

jobs_add() { # INDEX TESTF DOMAIN: what workers shall do with the ports from TAKEN on
	local n=0 ip skip=$(($1 % ADDRESS_COUNT))
	for ip in $ADDRESSES; do
		[ $skip = 0 ] && break
		skip=$((skip - 1))
	done
	if [ "$PARALLEL" != 1 ]; then
		echo "$1 1 $REPEATS $TAKEN $ip $2 $3" >>"$WORK/jobs.$((JOB_N % GROUP_WORKERS))"
		JOB_N=$((JOB_N + 1))
		return
	fi
	while [ $n -lt "$REPEATS" ]; do
		n=$((n + 1))
		echo "$1 $n $n $TAKEN $ip $2 $3" >>"$WORK/jobs.$((JOB_N % GROUP_WORKERS))"
		JOB_N=$((JOB_N + 1))
	done
}

group_fill() { # GROUP-FILE: what finds no room makes a group of its own
	local index testf dom quoted
	: >"$WORK/left"
	awk 'NR == FNR { want[$1] = 1; next } FNR in want { print FNR, $0 }' "$1" "$WORK/keys" >"$WORK/fill"
	while read -r index testf dom quoted; do
		group_add "$index" "$testf" "$dom" "$quoted" || echo "$index" >>"$WORK/left"
	done <"$WORK/fill"
	group_push "$WORK/left"
}

# --- running a group ----------------------------------------------------------------------------

worker() { # NUMBER
	local index first last port ip testf dom n good
	WORKER=w$1
	trap 'kill $CURL_PID $! 2>/dev/null; exit 1' TERM
	trap '' INT HUP QUIT PIPE
	while read -r index first last port ip testf dom; do
		n=$first good=1
		while [ "$n" -le "$last" ]; do
			CURL_PORTS=$((port + n - 1))
			TRY_IP=$ip
			"$testf" "$IPV" "$dom"
			attempt_line
			printf '%s\n' "$index|$n|$ATTEMPT" >>"$WORK/out.$1"
			[ "$C_CODE" = 0 ] || good=0
			[ $good = 0 ] && [ "$SCANLEVEL" = quick ] && break
			n=$((n + 1))
		done
		# With PARALLEL=1 other workers have the other attempts.
		[ $good = 1 ] && [ $((last - first + 1)) = "$REPEATS" ] && search_enough
	done <"$WORK/jobs.$1"
}

workers_run() {
	local n=0 pid
	WORKER_PIDS=
	while [ $n -lt "$GROUP_WORKERS" ] && [ -f "$WORK/jobs.$n" ]; do
		worker $n &
		WORKER_PIDS="$WORKER_PIDS $!"
		n=$((n + 1))
	done
	# shellcheck disable=SC2086 # a list of words
	pids_note workers $WORKER_PIDS
	for pid in $WORKER_PIDS; do
		wait "$pid"
	done
	WORKER_PIDS=
	pids_note workers
	# Of workers that were stopped: others may get these numbers.
	rm -f "$WORK"/pids/curl.w*
}

# Starts the daemons of a group. A slot that does not start loses its strategies: the invalid ones are
# judged, the others tried again. Returns whether any runs.
slots_start() {
	local slot args queue count some=1
	for slot in $FAST_SLOTS; do
		eval "args=\"\$SLOT_GLOBAL_$slot \$SLOT_ARGS_$slot\" queue=\$SLOT_QUEUE_$slot count=\$SLOT_COUNT_$slot"
		[ "$count" = 0 ] || daemon_start "$slot" "$queue" "$args"
	done
	for slot in $FAST_SLOTS; do
		eval "queue=\$SLOT_QUEUE_$slot count=\$SLOT_COUNT_$slot"
		[ "$count" = 0 ] && continue
		if daemon_wait "$slot" "$queue"; then
			some=0
		else
			daemon_last_words "$slot"
			daemon_stop "$slot"
			slot_drop_jobs "$slot"
			slot_find_invalid "$slot"
		fi
	done
	return $some
}

slot_drop_jobs() { # SLOT
	local file
	for file in "$WORK"/jobs.*; do
		[ -f "$file" ] || continue
		awk 'NR == FNR { gone[$1] = 1; next } !($1 in gone)' "$WORK/slot.$1" "$file" >"$WORK/jobs-left"
		mv "$WORK/jobs-left" "$file"
	done
}

slot_find_invalid() { # SLOT
	local index said="$DAEMON_SAID" testf dom quoted
	: >"$WORK/valid"
	awk 'NR == FNR { want[$1] = 1; next } FNR in want { print FNR, $0 }' "$WORK/slot.$1" "$WORK/keys" >"$WORK/fill"
	# shellcheck disable=SC2034 # the line's fields
	while read -r index testf dom quoted; do
		if strategy_is_valid "$PKTWS_PRE $quoted $PKTWS_POST"; then
			echo "$index" >>"$WORK/valid"
		else
			outcome_error "$index" "$CODE_INVALID" "$DAEMON_SAID"
		fi
	done <"$WORK/fill"
	if [ "$(wc -l <"$WORK/valid")" -lt "$(wc -l <"$WORK/slot.$1")" ]; then
		group_push "$WORK/valid"
	else
		slot_suspect "$1" "$WORK/valid" "$said"
	fi
}

# The daemon of a slot is gone although all of its strategies are valid.
slot_suspect() { # SLOT FILE TEXT
	if [ "$(wc -l <"$2")" = 1 ]; then
		outcome_error "$(cat "$2")" "$CODE_DAEMON" "$3"
	else
		group_push_halves "$2"
	fi
}

outcome_error() { # INDEX CODE TEXT
	local text
	text=$(replace_char "$TAB" ' ' "$3")
	printf '%s\t%s\t%s\n' "$1" "$2" "$text" >>"$WORK/outcome"
}

group_run() { # GROUP-FILE WORKERS
	local slot count
	GROUP_WORKERS=$2
	rm -f "$WORK"/again*
	slots_clear
	group_fill "$1"
	slots_start || return 0
	if [ "$PROBING" = 1 ]; then
		prober_run
	else
		workers_run
	fi
	: >"$WORK/dead"
	for slot in $FAST_SLOTS; do
		eval "count=\$SLOT_COUNT_$slot"
		if [ "$count" != 0 ] && [ -s "$WORK/slot.$slot" ]; then
			daemon_was_started "$slot" && ! daemon_alive "$slot" && echo "$slot" >>"$WORK/dead"
			daemon_stop "$slot"
		fi
	done
	group_judge
}

daemon_was_started() { # SLOT
	local pid
	eval "pid=\$DAEMON_$1"
	[ -n "$pid" ]
}

# --- judging ------------------------------------------------------------------------------------

# Writes to outcome: INDEX TAB ERROR-CODE TAB ERROR-TEXT TAB ATTEMPTS...; the last line of an index
# counts. To again-port and again-connect what must be repeated, to again-SLOT what a dead daemon left.
group_judge() {
	local slot
	cat "$WORK"/out.* 2>/dev/null | LC_ALL=C tr '\200-\377' '?' | sort -t '|' -k 1,1n -k 2,2n >"$WORK/outs"
	awk -v work="$WORK" -v deadfile="$WORK/dead" '
		BEGIN {
			FS = " "
			while ((getline line < deadfile) > 0) dead[line] = 1
			file = work "/profiles"
			while ((getline line < file) > 0) {
				split(line, f, " ")
				owner[f[1], f[2]] = f[3]
				slot[f[3]] = f[1]
			}
			for (s = 0; s < 4; s++) {
				file = work "/daemon." s
				said = ""
				while ((getline line < file) > 0) {
					if (line ~ /^LUA ERROR:/) said = line
					else if (said != "" && match(line, /^  in profile [0-9]+/)) {
						n = owner[s, substr(line, 14, RLENGTH - 13)]
						if (!(n in error)) error[n] = said
						said = ""
					}
				}
			}
		}
		{
			n = index($0, "|")
			id = substr($0, 1, n - 1)
			rest = substr($0, n + 1)
			rest = substr(rest, index(rest, "|") + 1)
			gsub(/\t/, " ", rest)
			split(rest, f, "|")
			if (f[1] != 0) failed[id] = f[1]
			if (f[1] == 45) port[id] = 1
			if (f[1] != 0 && f[5] == 0) unconnected[id] = 1
			attempts[id] = attempts[id] "\t" rest
			if (!(id in seen)) { seen[id] = 1; order[++count] = id }
		}
		END {
			for (i = 1; i <= count; i++) {
				id = order[i]
				if (id in port) { print id > (work "/again-port"); continue }
				if ((id in failed) && (slot[id] in dead)) { print id > (work "/again-" slot[id]); continue }
				if (id in unconnected) print id > (work "/again-connect")
				if ((id in failed) && (id in error)) printf "%s\t252\t%s%s\n", id, error[id], attempts[id]
				else printf "%s\t\t%s\n", id, attempts[id]
			}
		}' "$WORK/outs" >>"$WORK/outcome"
	for slot in $FAST_SLOTS; do
		[ -s "$WORK/again-$slot" ] || continue
		daemon_last_words "$slot"
		slot_suspect "$slot" "$WORK/again-$slot" "$DAEMON_SAID"
	done
	[ $((PORT_RETRIES += 1)) -le 3 ] && [ -s "$WORK/again-port" ] && group_push "$WORK/again-port"
	return 0
}

# Did connections fail because there were too many? Repeats them with half as many; when that helps
# more than some chance would, half as many it stays until a group without such failures.
group_retry_connections() { # WORKERS
	local before after workers="$1"
	while [ -s "$WORK/again-connect" ] && [ "$workers" -gt 1 ] && [ "$RETRIES" -gt 0 ]; do
		before=$(wc -l <"$WORK/again-connect")
		workers=$((workers / 2))
		mv "$WORK/again-connect" "$WORK/retry"
		group_run "$WORK/retry" $workers
		after=0
		[ -s "$WORK/again-connect" ] && after=$(wc -l <"$WORK/again-connect")
		if [ $((before - after)) -gt $((workers / 4)) ]; then
			INFLIGHT=$workers
			progress_clear
			echo "the server refused connections. now $INFLIGHT strategies at the same time."
		elif [ "$after" = "$before" ]; then
			RETRIES=$((RETRIES - 1))
			break
		fi
	done
}

group_was_good() {
	[ "$RETRIES" -ge 3 ] || RETRIES=$((RETRIES + 1))
	INFLIGHT=$((INFLIGHT + (INFLIGHT + 1) / 2))
	[ "$INFLIGHT" -le "$PARALLEL_MAX" ] || INFLIGHT=$PARALLEL_MAX
}
