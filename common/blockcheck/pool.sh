# The strategies of all test scripts as one pool, and which of them to try next. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2016,SC2034,SC2154 # programs of awk; variables go between the parts
#
# Theory of operation. The scripts run once in a copy of the shell where every strategy is taken to fail
# (PLANNING=2, see plan.sh); each request is a line of the pool. That goes on while the first ones are tested, in
# portions, since it takes time that the tests need.
# A strategy is known by its mechanisms: the functions that it calls, each with the kind of fooling that keeps
# its packets from the server ("fake/tcp_md5", "multisplit~seqovl"). Strategies with the same mechanisms are a
# family. A mechanism has a chance to work: what is known of boxes in general (PRIORS below) and what this run
# has seen, also with other protocols. A family works if any of its mechanisms does, so its failure is shared
# out among them. The family with the best chance gives the next strategy; for the rest of the round that one
# counts as failed, so that a round tries different mechanisms. Within a family the next one is far from those
# that were tried: places in the list are taken by the golden ratio.

# Adds what a line of the pool is: FAMILY TAB SCRIPT TAB TESTF DOMAIN QUOTED.
POOL_FAMILIES_AWK='
	function fooling(args,    kinds, n, i, found) {
		n = split("autottl ttl tcp_md5 badsum tcp_seq tcp_ack tcp_ts tcp_flags_unset tcp_flags_set ip6_hopbyhop " \
			"ip6_destopt ip6_routing ip6_ah ipfrag", kinds, " ")
		for (i = 1; i <= n; i++)
			if (match(args, "[:_]" kinds[i] "[:=]")) return "/" kinds[i]
		return ""
	}
	function add(mechanism) {
		if (index(" " family " ", " " mechanism " ")) return
		family = family (family == "" ? "" : " ") mechanism
	}
	function mechanism(word,    args, name, at) {
		gsub(/'\''/, "", word)
		args = substr(word, 14) ":"
		at = index(args, ":")
		name = substr(args, 1, at - 1)
		args = substr(args, at)
		if (name == "drop" || name == "luaexec" || name == "pass") return
		if (early && name == "pktmod") { add("+ack"); return }
		if (early && name == "send") { add("+md5"); return }
		if (index(args, ":nodrop:")) name = "fake"
		if (index(args, ":seqovl=")) name = name "~seqovl"
		add(name fooling(args))
	}
	{
		split($0, part, "\t")
		n = split(part[2], word, " ")
		family = ""; early = 0
		for (i = 3; i <= n; i++) {
			if (index(word[i], "--payload=empty")) early = 1
			else if (index(word[i], "--payload=")) early = 0
			else if (match(word[i], /^.?--lua-desync=/)) mechanism(word[i])
		}
		print (family == "" ? "other" : family) "\t" $0
	}'

# The chances of mechanisms in general are the experience of those who look for strategies; what is not there has 6 %.
# Reads what was tried (SHARE TAB KEY, "-" for what cannot be tried now), what earlier protocols taught (MECHANISM WORKED FAILED), and the pool.
# Prints the next ones: SCRIPT TAB KEY. With learn=FILE what was learned goes there instead.
POOL_PICK_AWK='
	function chance(family,    m, n, i, p) {
		n = split(family, m, " ")
		p = 1
		for (i = 1; i <= n; i++) p *= 1 - share(m[i])
		return (1 - p) * simpler[n < 4 ? n : 4]
	}
	function share(m) {
		if (!(m in prior)) prior[m] = .06
		return (2 * prior[m] + worked[m]) / (2 + worked[m] + failed[m])
	}
	function note(family, good,    m, n, i) {
		n = split(family, m, " ")
		for (i = 1; i <= n; i++) {
			worked[m[i]] += good / n
			failed[m[i]] += (1 - good) / n
		}
	}
	# The place in the list of the family that is farthest from the others, and free.
	function next_place(f,    at, turns) {
		at = (taken[f] * .61803398875) % 1
		at = int(at * size[f])
		for (turns = 0; (f, at) in gone && turns < size[f]; turns++) at = (at + 1) % size[f]
		gone[f, at] = 1
		taken[f]++
		return at
	}
	function pick(    f, best, score, top) {
		top = 0
		for (f = 1; f <= families; f++) {
			if (taken[f] >= size[f] || (globals >= 2 && global[f])) continue
			score = chance(name[f])
			if (score > top) { top = score; best = f }
		}
		if (!top) return 0
		print line[best, next_place(best)]
		if (global[best]) globals++
		note(name[best], 0)
		return 1
	}
	BEGIN {
		FS = "\t"
		n = split("http_methodeol .3 http_hostcase .25 http_unixeol .2 http_domcase .1 multisplit .25 multidisorder .25 " \
			"multidisorder_legacy .25 tcpseg~seqovl .3 multisplit~seqovl .3 multidisorder~seqovl .25 tcpseg .05 oob .12 " \
			"syndata .15 fake .2 fake/tcp_md5 .3 fake/tcp_ts .25 fake/tcp_ack .22 fake/tcp_seq .2 fake/badsum .15 fake/ttl .2 " \
			"fake/autottl .2 fake/tcp_flags_unset .15 fake/tcp_flags_set .1 fakedsplit/tcp_md5 .25 fakedsplit/tcp_ts .2 " \
			"fakeddisorder/tcp_md5 .22 fakeddisorder/tcp_ts .2 hostfakesplit/tcp_md5 .25 hostfakesplit/tcp_ts .22 " \
			"hostfakesplit/ttl .18 send/ipfrag .15 wssize .03 +ack .01 +md5 .02", word, " ")
		for (i = 1; i < n; i += 2) prior[word[i]] = word[i + 1]
		simpler[1] = 1; simpler[2] = .55; simpler[3] = .4; simpler[4] = .3
		while ((getline text < tried) > 0) {
			at = index(text, "\t")
			result[substr(text, at + 1)] = substr(text, 1, at - 1)
		}
		while ((getline text < known) > 0) {
			n = split(text, word, " ")
			m = word[1]
			worked[m] = word[2] / 2; failed[m] = word[3] / 2
		}
	}
	NF != 3 || $3 in dealt { next }
	{
		dealt[$3] = 1
		# What loads something is slower: only two of them fit into a round.
		family = $1 (index($3, "--lua-init=") || index($3, "--blob=") ? " " : "")
		if (!(family in number)) {
			number[family] = ++families
			name[families] = $1
			global[families] = family != $1
			size[families] = taken[families] = 0
		}
		f = number[family]
		if ($3 in result) {
			if (result[$3] != "-") note($1, result[$3])
			gone[f, size[f]] = 1
			taken[f]++
		}
		line[f, size[f]++] = $2 "\t" $3
	}
	END {
		if (learn != "") {
			for (m in worked) printf "%s %.3f %.3f\n", m, worked[m], failed[m] >learn
			exit
		}
		while (count-- > 0 && pick());
	}'

POOL_ENOUGH=400 # lines of a portion

# Called with each line in the copy of the shell that fills the pool.
pool_pause() {
	PLAN_N=$((PLAN_N + 1))
	[ $((PLAN_N % POOL_ENOUGH)) = 0 ] || return 0
	while [ ! -f "$WORK/planning/more" ] && [ ! -f "$WORK/planning/all" ] && [ -d "$WORK/planning" ]; do
		msleep 20
	done
	rm -f "$WORK/planning/more"
}

pool_more() { # WORD: another portion (more), or without a pause from now on (all)
	: >"$WORK/planning/$1"
}

# A script may end the copy of the shell: an error in it, `exit`. What is in the pool then is all that there will be.
pool_begin() { # FUNC TESTF DOMAIN
	rm -f "$WORK/pool.done" "$WORK/pool.whole"
	mkdir "$WORK/planning"
	POOL_SIZE=0
	: >"$WORK/requests"
	: >"$WORK/pool"
	: >"$WORK/tried"
	[ -f "$WORK/mechanisms" ] || : >"$WORK/mechanisms"
	(
		trap '' INT HUP QUIT
		exec 5>"$WORK/requests" >/dev/null 2>&1 </dev/null
		trap 'true >"$WORK/pool.done"' EXIT
		PLANNING=2 PLAN_N=0
		run_scripts "$@"
		: >"$WORK/pool.whole"
	) &
	POOL_PID=$!
}

# Until the pool has strategies of most kinds: the first rounds need not know everything.
pool_wait() {
	local left=100
	while [ $left -gt 0 ] && [ ! -f "$WORK/pool.done" ] && [ "$(wc -l <"$WORK/requests")" -lt $POOL_ENOUGH ]; do
		msleep 20
		left=$((left - 1))
	done
	return 0
}

pool_end() {
	[ -n "$POOL_PID" ] || return 0
	# If something survives: the next request of the scripts is their last.
	rm -rf "$WORK/planning"
	kill -9 "$POOL_PID" 2>/dev/null
	wait "$POOL_PID" 2>/dev/null
	POOL_PID=
}

# The requests that came since the last time.
pool_fill() {
	local size
	size=$(wc -l <"$WORK/requests")
	[ "$size" -gt "$POOL_SIZE" ] || return 0
	sed -n "$((POOL_SIZE + 1)),${size}p" "$WORK/requests" | awk "$POOL_FAMILIES_AWK" >>"$WORK/pool"
	POOL_SIZE=$size
}

pool_awk() { # VARIABLE=VALUE
	awk -v tried="$WORK/tried" -v known="$WORK/mechanisms" -v "$1" "$POOL_PICK_AWK" "$WORK/pool"
}

pool_complete() {
	[ -f "$WORK/pool.done" ] || ! kill -0 "$POOL_PID" 2>/dev/null
}

# The next strategies of the pool, in $WORK/picks. Fails when there is none left.
pool_pick() { # COUNT
	local complete
	while :; do
		complete=0
		pool_complete && complete=1
		pool_fill
		pool_awk "count=$1" >"$WORK/picks"
		[ -s "$WORK/picks" ] && return 0
		[ $complete = 0 ] || return 1
		pool_more more
		msleep 100
	done
}

# The scripts have ended before their end.
pool_broken() {
	pool_complete && [ ! -f "$WORK/pool.whole" ]
}

# What this protocol taught about mechanisms helps with the next.
pool_learn() {
	pool_awk "learn=$WORK/mechanisms.new" </dev/null
	[ -f "$WORK/mechanisms.new" ] && mv "$WORK/mechanisms.new" "$WORK/mechanisms"
	return 0
}
