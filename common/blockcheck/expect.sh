# How many strategies are really to be expected: for the line of progress. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2016,SC2034,SC2153,SC2154 # programs of awk; variables go between the parts; A && B || C is meant
#
# Theory of operation. What works makes scripts leave out others, so the number of all strategies says little. A
# copy of the shell in the background runs the scripts that are left with PLANNING=3: nothing is tested, and a
# strategy is taken to work if it has a fooling or a function in it that has worked here. It counts, and leaves
# the number in the file "expected". That begins anew with every script, and when more was found.

# A function of the shell that says whether the words of a strategy hold something that has worked.
EXPECT_AWK='
	{
		n = split($NF, word, " ")
		for (i = 1; i <= n; i++) {
			gsub(/\047/, "", word[i])
			if (word[i] !~ /^--lua-desync=/) continue
			parts = split(substr(word[i], 14), part, ":")
			fooled = 0
			for (k = 2; k <= parts; k++)
				if (part[k] ~ /^(ip6?_(auto)?ttl=|tcp_md5$|badsum$|tcp_(seq|ack|ts)=|tcp_flags_|ip6_)/ && part[k] ~ /^[A-Za-z0-9_=,-]+$/) {
					good["*:" part[k] "*"] = 1
					fooled = 1
				}
			if (!fooled && part[1] ~ /^[a-z_0-9]+$/ && part[1] !~ /^(drop|pass|luaexec|wssize|send|pktmod)$/)
				good["*--lua-desync=" part[1] "*"] = 1
		}
	}
	END {
		for (g in good) text = text (text == "" ? "" : "|") g
		print "expect_works() {\ncase $1 in\n" (text == "" ? "\"\"" : text) ") return 0 ;;\nesac\nreturn 1\n}"
	}'

expect_begin() { # FUNC TESTF DOMAIN
	EXPECT_ARGS="$*" EXPECT_PID='' EXPECT_FOUND=-1
	rm -f "$WORK/expected"
}

expect_end() {
	EXPECT_ARGS=
	expect_stop
}

expect_stop() {
	[ -n "$EXPECT_PID" ] || return 0
	# If something survives: the next request of the scripts is their last.
	[ ! -d "$WORK/expecting" ] || rmdir "$WORK/expecting"
	kill -9 "$EXPECT_PID" 2>/dev/null
	wait "$EXPECT_PID" 2>/dev/null
	EXPECT_PID=
}

expect_request() { # TESTF DOMAIN ARGS...
	[ -d "$WORK/expecting" ] || exit 0
	PLAN_N=$((PLAN_N + 1))
	expect_works "$*" || return 28
}

expect_count() { # SCRIPT DONE FUNC TESTF DOMAIN: in a copy of the shell
	local script from="$1" done="$2" seen=0
	shift 2
	PLANNING=3 PLAN_N=0
	{
		sed -n 's/^\(0\.[5-9].\|1\.[0-9]*\)\t//p' "$WORK/tried"
		cut -f 6 "$WORK/works"
	} 2>/dev/null | awk -F '\t' "$EXPECT_AWK" >"$WORK/expect-works"
	# shellcheck disable=SC1091 # just made
	. "$WORK/expect-works"
	for script in "$TESTDIR"/*.sh; do
		[ "$script" = "$from" ] && seen=1
		[ $seen = 1 ] && [ -f "$script" ] || continue
		unset -f "$1"
		# shellcheck disable=SC1090 # the user's file
		. "$script"
		existf "$1" && "$@"
	done
	echo $((done + PLAN_N)) >"$WORK/expected.new"
	mv "$WORK/expected.new" "$WORK/expected"
}

# A script begins, or something was found in it.
expect_anew() {
	[ "$PROGRESS" = 1 ] && [ -n "$EXPECT_ARGS" ] && [ "$SIMULATE" != 1 ] || return 0
	expect_stop
	EXPECT_FOUND=$PROGRESS_FOUND EXPECT_NEXT=$((PROGRESS_DONE + 100))
	mkdir "$WORK/expecting"
	(
		trap '' INT HUP QUIT
		# shellcheck disable=SC2086 # names without blanks
		expect_count "$EXPECT_SCRIPT" "$EXPECT_DONE" $EXPECT_ARGS >/dev/null 2>&1 </dev/null
	) &
	EXPECT_PID=$!
}

expect_script() { # SCRIPT
	EXPECT_SCRIPT=$1 EXPECT_DONE=$PROGRESS_DONE
	expect_anew
}

expect_more() {
	# Nothing is expected where nobody is shown it.
	[ -n "$EXPECT_ARGS" ] && [ -n "$EXPECT_NEXT" ] || return 0
	[ "$PROGRESS_FOUND" = "$EXPECT_FOUND" ] || [ "$PROGRESS_DONE" -lt "$EXPECT_NEXT" ] || expect_anew
}
