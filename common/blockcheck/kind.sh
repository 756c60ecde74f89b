# What kind of blocking is it? Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2016,SC2034,SC2153,SC2154 # programs of awk; variables go between the parts; A && B || C is meant
#
# Theory of operation. A request is made once more without a strategy, and the daemon writes down every packet of it
# (--trace). The same is done with a name that is not blocked on the same address, and, where that does not answer
# either, on its own address. What the packets show is told, each with its evidence; what they do not show is not.
# A line of the file "kinds": TESTF TAB IP VERSION TAB DOMAIN TAB KIND TAB EVIDENCE.

# Facts of a trace, as variables: counts, bytes, TTLs, milliseconds. "in" are packets from the server.
KIND_AWK='
	function field(name,    at) {
		at = index($0, "\"" name "\":")
		if (!at) return ""
		at = substr($0, at + length(name) + 3, 64)
		sub(/^"/, "", at)
		sub(/[",}].*/, "", at)
		return at
	}
	function ttl() {
		return match($0, / ttl=[0-9]+/) ? substr($0, RSTART + 5, RLENGTH - 5) + 0 : 0
	}
	function ms(t) { return int(t * 1000 + .5) }
	# Of this request: its local ports are known.
	function is_ours(src) {
		if (!first_port) return 1
		sub(/.*:/, "", src)
		return src + 0 >= first_port && src + 0 <= last_port
	}
	BEGIN { rst_ttl = rst_after = synack_ttl = data_ttl = first = rest = -1 }
	# What ECN adds says nothing here.
	{ flags = field("flags"); gsub(/[EC]/, "", flags) }
	# Packets of earlier connections still come.
	!ours && flags == "S" && is_ours(field("src")) { ours = field("src") }
	!ours && field("l4") == "udp" && /"dir":"out"/ { ours = field("src") }
	!ours || (field("src") != ours && field("dst") != ours) { next }
	{
		t = field("t") + 0; size = field("dlen") + 0
		if (!begun) { begin = t; begun = 1 }
		end = t
	}
	/"dir":"out"/ {
		if (flags == "S") syns++
		if (size > 0) { requests++; if (requests == 1) asked = t }
		next
	}
	/"dir":"in"/ {
		if (flags == "SA") { synack_ttl = ttl(); next }
		if (flags ~ /R/) { if (!resets++) { rst_ttl = ttl(); rst_early = !requests; rst_after = ms(t - (requests ? asked : begin)) } next }
		if (requests && flags == "A" && size == 0) acks++
		if (flags ~ /F/) fins++
		if (size > 0) {
			if (!answers++) { data_ttl = ttl(); data_at = t }
			bytes += size
			if (bytes <= 16384) first = t - data_at
			else { rest_bytes += size; rest = t - data_at - first }
			last = t
		}
	}
	END {
		printf "K_SYNS=%d K_SYNACK_TTL=%d K_REQUESTS=%d K_ACKS=%d K_RESETS=%d K_RST_TTL=%d K_RST_AFTER=%d K_RST_EARLY=%d ",
			syns, synack_ttl, requests, acks, resets, rst_ttl, rst_after, rst_early
		printf "K_FINS=%d K_ANSWERS=%d K_BYTES=%d K_DATA_TTL=%d ", fins, answers, bytes, data_ttl
		printf "K_REST_BYTES=%d K_FIRST_MS=%d K_REST_MS=%d K_LAST_MS=%d K_TIME_MS=%d K_PACKETS=%d\n",
			rest_bytes, ms(first), ms(rest), answers ? ms(last - begin) : 0, ms(end - begin), NR
	}'

kind_setup() {
	: >"$WORK/kinds"
	SKIP_KIND=${SKIP_KIND:-${SKIP_IPBLOCK:-0}}
}

# The evidence may hold what a stranger wrote: nothing in it that a terminal obeys, or that is no text.
kind_add() { # KIND EVIDENCE
	printf '%s\t%s\t%s\t%s\t%s\n' "$KIND_TESTF" "$IPV" "$KIND_DOMAIN" "$1" \
		"$(printf '%s' "$2" | LC_ALL=C tr -d '\000-\037\177' | LC_ALL=C tr '\200-\377' '?')" >>"$WORK/kinds"
}

KIND_MOST=1000 # packets of a trace that are kept

# A large page makes a large trace. What comes later is read, since the daemon would wait, but not kept.
kind_trace_begin() { # sets DAEMON_OUT and KIND_READER
	DAEMON_OUT=$WORK/kind.trace
	rm -f "$WORK/kind.pipe"
	mkfifo "$WORK/kind.pipe" 2>/dev/null || return 0
	{
		head -n $KIND_MOST
		exec cat >/dev/null
	} <"$WORK/kind.pipe" >"$WORK/kind.trace" &
	KIND_READER=$!
	pids_note reader $KIND_READER
	DAEMON_OUT=$WORK/kind.pipe
}

# The end of the daemon is that of its trace, too, unless it never began one.
kind_trace_end() { # STARTED: 1 or 0
	[ -n "$KIND_READER" ] || return 0
	[ "$1" = 1 ] || kill "$KIND_READER" 2>/dev/null
	wait "$KIND_READER" 2>/dev/null
	KIND_READER=
	pids_note reader
}

# Makes one request and sets the facts K_*, with the result in C_*. Fails when the daemon does not start.
kind_request() { # TESTF DOMAIN ADDRESS
	local pid begin ports="$CURL_PORTS" first='' last='' statistics="$WANT_STATISTICS"
	# Not every curl binds the local port of QUIC.
	[ "$1" = curl_test_http3 ] || {
		kind_take_ports
		CURL_PORTS=$first-$last
	}
	kind_trace_begin
	daemon_start 0 "$QNUM" "--in-range=a --out-range=a --trace=-"
	DAEMON_OUT=
	daemon_wait 0 "$QNUM" || {
		daemon_stop 0
		kind_trace_end 0
		CURL_PORTS=$ports
		return 1
	}
	begin=$(seconds_now)
	TRY_IP=$3 WANT_STATISTICS=1
	"$1" "$IPV" "$2"
	TRY_IP='' WANT_STATISTICS=$statistics CURL_PORTS=$ports
	# As curl says it, if it does.
	K_MS=$C_MS
	[ "$K_MS" -gt 0 ] || K_MS=$((($(seconds_now) - begin) * 1000))
	K_SECONDS=$(((K_MS + 500) / 1000))
	# It writes the rest when it ends by itself.
	pid=$DAEMON_0
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	daemon_stop 0
	kind_trace_end 1
	eval "$(awk -v first_port="$first" -v last_port="$last" "$KIND_AWK" "$WORK/kind.trace")"
}

KIND_PORTS=16 # of which curl takes one that is free

kind_take_ports() { # sets first and last
	if [ "$FAST" = 1 ]; then
		own_ports_take $KIND_PORTS
		first=$TAKEN
	else
		first=$(random 2048 60000)
	fi
	last=$((first + KIND_PORTS - 1))
}

# --- what the packets of the blocked request show --------------------------------------------------

# Whose TTL differs has come another way than the server's packets.
kind_ttl_remark() { # TTL
	if [ "$K_SYNACK_TTL" -lt 0 ] || [ "$1" = "$K_SYNACK_TTL" ]; then
		echo "TTL $1"
	else
		echo "TTL $1 (SYN,ACK of the server: $K_SYNACK_TTL)"
	fi
}

# Fails when nothing is to be seen.
kind_of_packets() { # ADDRESS PROTO
	local unit=packets silence='nothing came back'
	if [ "$2" = tcp ] && [ "$K_SYNACK_TTL" -lt 0 ]; then
		if [ "$K_RESETS" -gt 0 ]; then
			kind_add 'connection refused' "RST from $1 as the answer to SYN, $(kind_ttl_remark "$K_RST_TTL")"
			return
		fi
		# Nothing was sent: that is no question of who answers.
		[ "$K_SYNS" -gt 0 ] || return 1
		kind_add 'no connection' "$K_SYNS SYN to $1, no answer"
		return
	fi
	if [ "$K_RESETS" -gt 0 ] && [ "$K_RST_EARLY" = 1 ] && [ "$K_ANSWERS" = 0 ]; then
		kind_add RST "RST $K_RST_AFTER ms after the SYN, before the request, $(kind_ttl_remark "$K_RST_TTL")"
		return
	fi
	[ "$K_REQUESTS" -gt 0 ] || return 1
	if [ "$K_RESETS" -gt 0 ] && [ "$K_ANSWERS" = 0 ]; then
		kind_add RST "RST $K_RST_AFTER ms after the request, $(kind_ttl_remark "$K_RST_TTL")"
	elif [ "$K_ANSWERS" = 0 ] && [ "$K_FINS" -gt 0 ]; then
		kind_add closed "FIN instead of an answer to the request"
	elif [ "$K_ANSWERS" = 0 ]; then
		[ "$2" = tcp ] || unit=datagrams silence='nothing came back: blocked, or no QUIC there'
		[ "$K_ACKS" = 0 ] || silence="$K_ACKS acknowledgements but no answer"
		kind_add drop "$K_REQUESTS $unit with the request sent in $K_SECONDS s, $silence"
	else
		kind_of_transfer
	fi
}

# An answer began.
kind_of_transfer() {
	local redirect="${C_ERROR#suspicious redirection }"
	if [ "$C_CODE" = "$CODE_SUSPICIOUS" ] && [ "$redirect" != "$C_ERROR" ]; then
		kind_add redirect "$redirect, $(kind_ttl_remark "$K_DATA_TTL")"
	elif [ "$C_CODE" = 60 ] || [ "$C_CODE" = 51 ]; then
		kind_certificate
	elif [ "$C_CODE" = 0 ]; then
		return 1
	elif [ "$K_RESETS" -gt 0 ]; then
		kind_add RST "RST after $K_BYTES bytes of the answer, $(kind_ttl_remark "$K_RST_TTL")"
	elif [ "$K_BYTES" -ge 12000 ] && [ "$K_BYTES" -le 40000 ] && [ $((K_MS - K_LAST_MS)) -ge 500 ]; then
		kind_add 'cut after 16 kB' "$K_BYTES bytes of the answer came in the first $K_LAST_MS ms, then nothing until the end after $K_SECONDS s"
	elif [ "$K_REST_BYTES" -ge 1448 ] && kind_is_slow; then
		:
	elif [ "$C_CODE" = 28 ] && [ "$K_PACKETS" -lt $KIND_MOST ] && [ $((K_MS - K_LAST_MS)) -ge 1000 ]; then
		kind_add stall "$K_BYTES bytes of the answer came in the first $K_LAST_MS ms, then nothing until the end after $K_SECONDS s"
	else
		return 1
	fi
}

# The same connection was faster before.
kind_is_slow() {
	local first rest
	[ "$K_REST_MS" -ge 500 ] || return 1
	first=$((16384 / (K_FIRST_MS > 0 ? K_FIRST_MS : 1))) # kB/s
	rest=$((K_REST_BYTES / K_REST_MS))
	[ "$rest" -lt 64 ] && [ $((rest * 4)) -lt $first ] || return 1
	kind_add slow-down "the first 16 kB came with $first kB/s, the next $((K_REST_BYTES / 1000)) kB with $rest kB/s"
}

# Who knows no authorities, or whose connections are all changed, gets the same for another name.
kind_certificate() {
	local error="${C_ERROR%%"$NL"*}" ip="$C_IP" issuer options="$CURL_OPT" own
	own=$(resolve "$UNBLOCKED_DOM" "$IPV" | head -n 1)
	if [ -n "$own" ] && kind_request "$KIND_TESTF" "$UNBLOCKED_DOM" "$own" && [ "$C_CODE" = 60 ]; then
		kind_add 'certificate unknown' "that of $UNBLOCKED_DOM on its own address $own is not known here either (${error#curl: })"
		return
	fi
	# Without looking at it, to see it.
	CURL_VERBOSE=1 CURL_OPT="$CURL_OPT -k"
	kind_request "$KIND_TESTF" "$KIND_DOMAIN" "$ip"
	CURL_VERBOSE=$KIND_VERBOSE CURL_OPT=$options
	issuer=$(printf '%s\n' "$C_ERROR" | sed -n 's/^\* *issuer: *//p' | head -n 1)
	kind_add 'certificate changed' "it is not one for this name from an authority known here${issuer:+, issuer: $issuer} (${error#curl: })"
}

# --- name, address or protocol -----------------------------------------------------------------------

# The blocked request got no answer: does another name get one? Evidence is an answer with data.
kind_of_reach() { # ADDRESS PROTO
	local own
	kind_request "$KIND_TESTF" "$UNBLOCKED_DOM" "$1" || return
	if [ "$K_ANSWERS" -gt 0 ] && [ "$C_CODE" != 28 ] && [ "$C_CODE" != 56 ] && [ "$C_CODE" != "$CODE_SUSPICIOUS" ]; then
		kind_add 'by name' "$1 answers a request for $UNBLOCKED_DOM with $K_BYTES bytes"
		return
	fi
	# It answers something: neither the one nor the other.
	[ "$K_ANSWERS" = 0 ] || return
	own=$(resolve "$UNBLOCKED_DOM" "$IPV" | head -n 1)
	# An address of the blocked name is no other one.
	[ -n "$own" ] && ! printf '%s\n' "$ADDRESSES" | grep -qxF -e "$own" || return
	TRY_IP=$own
	"$KIND_TESTF" "$IPV" "$UNBLOCKED_DOM"
	TRY_IP=
	if [ "$C_CODE" = 0 ]; then
		kind_add 'by address' "$1 does not answer a request for $UNBLOCKED_DOM either, $own does"
	else
		KIND_NOWHERE="$UNBLOCKED_DOM does not answer on its own address $own either"
	fi
}

# Other protocols answer, this one does not answer anybody. Of QUIC that says little: few sites have it.
kind_of_protocol() { # PROTO
	local others
	[ "$1" = tcp ] && [ -n "$KIND_NOWHERE" ] || return 0
	others=$(awk -v t="$KIND_TESTF" -v v="ipv$IPV" '$1 != t && $2 == v && $4 == ":" && /: working without bypass$/ { print $1 " of " $3; exit }' "$WORK/report")
	[ -n "$others" ] || return 0
	kind_add 'by protocol' "$KIND_NOWHERE, while $others works"
}

# --- a test ---------------------------------------------------------------------------------------

kind_wanted() {
	[ "$SKIP_KIND" != 1 ] && [ "$SKIP_PKTWS" != 1 ] && [ "$SIMULATE" != 1 ]
}

# Rules that show the daemon all packets of both directions. No reason to end the run if they are refused.
kind_rules() { # PROTO PORT
	rules_clear
	RULE_WATCH=1 RULE_SLOTS=''
	# shellcheck disable=SC2086 # a list of words
	rules_try "$1" "$2" "$IPV" $ADDRESSES || {
		echo "the kind of blocking cannot be looked for: the $FWTYPE rules were refused"
		rules_clear
	}
	RULE_WATCH=
	[ -n "$RULES_SET" ]
}

# After a test without bypass. HOW: blocked, or works: then only a whole page can show something.
kind_look() { # TESTF DOMAIN PROTO HOW
	local address head="$HTTPS_HEAD" seconds="$CURL_MAX_TIME" answers code
	kind_wanted || return 0
	KIND_TESTF=$1 KIND_DOMAIN=$2 KIND_NOWHERE='' KIND_VERBOSE=$CURL_VERBOSE
	# shellcheck disable=SC2086 # a list of words
	address=$(extract_arg 1 $ADDRESSES)
	progress_clear
	kind_rules "$3" "$(curl_port "$1")" || return 0
	if [ "$4" = works ]; then
		HTTPS_HEAD=
		# Curl takes fractions, too.
		is_number "$CURL_MAX_TIME" && CURL_MAX_TIME=$((CURL_MAX_TIME * 2))
		kind_request "$1" "$2" "$address" && [ "$C_CODE" != 0 ] && kind_of_packets "$address" "$3"
		HTTPS_HEAD=$head CURL_MAX_TIME=$seconds
	elif kind_request "$1" "$2" "$address"; then
		answers=$K_ANSWERS code=$C_CODE
		# Who answered is not out of reach, unless somebody else answered in his place.
		kind_of_packets "$address" "$3" && { [ "$answers" = 0 ] || [ "$code" = "$CODE_SUSPICIOUS" ]; } && {
			kind_of_reach "$address" "$3"
			kind_of_protocol "$3"
		}
	fi
	rules_clear
}

# --- the page -------------------------------------------------------------------------------------

kind_dns() {
	[ "$DNS_VERDICT" = spoofed ] && [ -n "$DNS_EVIDENCE" ] || return 0
	[ -s "$WORK/kinds" ] && [ "$(head -c 3 "$WORK/kinds")" = dns ] && return 0
	{
		printf '%s\t\t\t%s\t%s\n' dns 'DNS answers changed' "$DNS_EVIDENCE"
		cat "$WORK/kinds"
	} >"$WORK/kinds.new"
	mv "$WORK/kinds.new" "$WORK/kinds"
}

report_kinds() {
	[ -s "$WORK/kinds" ] || return 0
	echo "$INK_HEAD* KIND OF BLOCKING$INK_END"
	awk -F '\t' '{ print $1 ($2 == "" ? "" : " ipv" $2 " " $3) " : " $4 " : " $5 }' "$WORK/kinds"
	echo
}
