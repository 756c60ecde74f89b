# One start of the daemons and one run of the workers: for the fast engine (fast.sh). Sourced by
# blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2016,SC2034,SC2153,SC2154 # programs of awk; variables go between the parts; A && B || C is meant

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
		eval "SLOT_COUNT_$slot=0"
		rm -f "$WORK/slot.$slot" "$WORK/args.$slot" "$WORK/daemon.$slot"
	done
	: >"$WORK/profiles"
	: >"$WORK/jobs"
	rm -f "$WORK"/jobs.* "$WORK"/out.*
}

# Gives each strategy of a group a slot and ports. Reads the numbers of the group and all keys; writes, in WORK, what a
# daemon gets (args.SLOT), who is in it (slot.SLOT), whose its profiles are (profiles: SLOT PROFILE INDEX), what is to be
# asked (jobs) and what found no room (left). Prints where the slots stand then, for the shell.
GROUP_AWK='
	# Without words for the whole process: where there are fewer. Else with others that have the same; these ranges are
	# small: half of the ports at once, the other half rests.
	function choose_slot(    s) {
		if (s_global == "") return count[1] < count[0] ? 1 : 0
		for (s = 2; s <= 3; s++)
			if ((!count[s] || global[s] == s_global) && count[s] * ports * 20 < area) return s
		return -1
	}
	function take_ports(s,    taken) {
		taken = next_port[s]
		if (taken + ports - 1 > last_port[s]) taken = first_port[s]
		next_port[s] = taken + ports
		return taken
	}
	function add_jobs(index_, port, testf, dom,    ip, n) {
		ip = address[index_ % addresses + 1]
		if (parallel != 1) { print index_, 1, repeats, port, ip, testf, dom > (work "/jobs"); return }
		for (n = 1; n <= repeats; n++) print index_, n, n, port, ip, testf, dom > (work "/jobs")
	}
	function add(index_, testf, dom, line,    s, port, range, n) {
		if (!split_strategy(pre " " line " " post)) return 0
		s = choose_slot()
		if (s < 0) return 0
		port = take_ports(s)
		range = port "-" (port + ports - 1)
		gsub(/%PORTS%/, range, s_profile)
		global[s] = s_global
		print (count[s]++ ? "--new " s_profile : s_global " " s_profile) > (work "/args." s)
		for (n = 1; n <= s_profiles; n++) print s, ++profiles[s], index_ > (work "/profiles")
		print index_ > (work "/slot." s)
		add_jobs(index_, port, testf, dom)
		return 1
	}
	BEGIN {
		addresses = split(ENVIRON["ADDRESSES"], address, " ")
		pre = ENVIRON["PRE"]; post = ENVIRON["POST"]
		n = split(slots, slot, " ")
		for (i = 1; i <= n; i++) {
			split(slot[i], f, ":")
			first_port[f[1]] = f[2]; last_port[f[1]] = f[3]; next_port[f[1]] = f[4]
			count[f[1]] = profiles[f[1]] = 0
		}
	}
	NR == FNR { want[$1] = 1; next }
	FNR in want {
		line = $0
		sub(/^[^ ]+ [^ ]+ /, "", line)
		if (!add(FNR, $1, $2, line)) print FNR > (work "/left")
	}
	END { for (s in count) printf "SLOT_COUNT_%d=%d SLOT_NEXT_%d=%d\n", s, count[s], s, next_port[s] }'

group_fill() { # GROUP-FILE: what finds no room makes a group of its own
	local slot slots=''
	: >"$WORK/left"
	for slot in $FAST_SLOTS; do
		eval "slots=\"\$slots $slot:\$SLOT_FIRST_$slot:\$SLOT_LAST_$slot:\$SLOT_NEXT_$slot\""
	done
	eval "$(ADDRESSES=$ADDRESSES PRE=$PKTWS_PRE POST=$PKTWS_POST awk -v work="$WORK" -v slots="$slots" -v ports="$FAST_PORTS" \
		-v repeats="$REPEATS" -v parallel="$PARALLEL" -v area=$((AREA_LAST - AREA_FIRST)) \
		"$SPLIT_AWK$GROUP_AWK" "$1" "$WORK/keys")"
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
	awk -v work="$WORK" -v workers="$GROUP_WORKERS" '{
		file = work "/jobs." ((NR - 1) % workers)
		print >> file
		close(file) # they may be more than can be open
	}' "$WORK/jobs"
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
	local slot queue count some=1
	for slot in $FAST_SLOTS; do
		eval "queue=\$SLOT_QUEUE_$slot count=\$SLOT_COUNT_$slot"
		[ "$count" = 0 ] || daemon_start "$slot" "$queue" "$(tr '\n' ' ' <"$WORK/args.$slot")"
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
	awk 'NR == FNR { gone[$1] = 1; next } !($1 in gone)' "$WORK/slot.$1" "$WORK/jobs" >"$WORK/jobs-left"
	mv "$WORK/jobs-left" "$WORK/jobs"
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
