# The sequence of tests and what test scripts may call. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant

# --- for test scripts ---------------------------------------------------------------------------

# Runs one strategy. Returns 0 if it works.
pktws_curl_test() { # TESTF DOMAIN ARGS...
	local testf="$1" dom="$2"
	if [ -n "$PLANNING" ]; then
		plan_request "$@"
		return
	fi
	shift 2
	strategy_texts "$@"
	CALL_N=$((CALL_N + 1))
	strategy_announce "$testf" "$dom"
	strategy_test "$testf" "$dom" "$QUOTED"
	[ "$FAST_NOW" = 1 ] && plan_note_result "$CALL_N" "$R_CODE"
	strategy_done "$testf" "$dom"
	return "$R_CODE"
}

# The same; the first success becomes the strategy found.
pktws_curl_test_update() { # TESTF DOMAIN ARGS...
	local code
	UPDATING=1
	pktws_curl_test "$@"
	code=$?
	UPDATING=
	[ -n "$PLANNING" ] && return $code
	[ $code = 0 ] && FOUND=${FOUND:-$PKTWS_TEXT}
	return $code
}

strategy_texts() { # ARGS: QUOTED, PKTWS_WORDS (all words, quoted) and PKTWS_TEXT (all words, to be read)
	words_quote "$@"
	PKTWS_WORDS="$PKTWS_PRE${PKTWS_PRE:+ }$QUOTED${PKTWS_POST:+ }$PKTWS_POST"
	PKTWS_TEXT="$PKTWSD ${PRE_TEXT:+$PRE_TEXT }$*${POST_TEXT:+ $POST_TEXT}"
}

strategy_announce() { # TESTF DOMAIN
	progress_clear
	printf '%s\n' "- $1 ipv$IPV $2 : $PKTWS_TEXT"
}

# What becomes of a result when it was shown.
strategy_done() { # TESTF DOMAIN
	PROGRESS_DONE=$((PROGRESS_DONE + 1))
	if [ "$R_CODE" = 0 ]; then
		PROGRESS_FOUND=$((PROGRESS_FOUND + 1))
		report_add "$1" "$2" "$PKTWS_TEXT"
		works_add "$1" "$2" "$PKTWS_WORDS"
		expect_more
	fi
	json_result "$1" "$2" "$PKTWS_WORDS"
	# Those of a batch come by the hundred; the next one shows the line again before it waits.
	[ "$FAST_NOW" = 1 ] && [ $((PROGRESS_DONE % 20)) != 0 ] || progress_show
}

strategy_test() { # TESTF DOMAIN QUOTED
	RESUMED=false
	if [ "$SIMULATE" = 1 ]; then
		simulate
		return
	elif [ -z "$3" ]; then
		result_clear
		R_CODE=$CODE_INVALID R_ERROR='a word contains a line feed, or there is no word'
	elif resume_find "$@"; then
		RESUMED=true
	elif [ "$FAST_NOW" = 1 ] && result_take "$1 $2 $3"; then
		fast_show
		resume_keep "$3"
	elif scout_take "$1 $2 $3"; then
		# The plan took it to fail.
		[ "$R_CODE" = 0 ] && PLAN_STALE=1
		show_attempts
		resume_keep "$3"
	elif [ "$FAST_NOW" = 1 ]; then
		fast_test "$@"
		resume_keep "$3"
	else
		classic_test "$@"
		resume_keep "$3"
	fi
	show_result
}

simulate() {
	result_clear
	R_N=1
	SIM_SEED=$(((SIM_SEED * 1103515245 + 12345) % 2147483648))
	if [ $((SIM_SEED / 65536 % 100)) -lt "$SIM_SUCCESS_RATE" ]; then
		R_OK=1
		echo SUCCESS
	else
		R_CODE=28
		echo FAILED
	fi
}

# --- scripts of the test directory ----------------------------------------------------------------

run_scripts() { # FUNC TESTF DOMAIN
	local run_script
	for run_script in "$TESTDIR"/*.sh; do
		[ -f "$run_script" ] || continue
		unset -f "$1"
		# shellcheck disable=SC1090 # the user's file
		. "$run_script"
		existf "$1" || continue
		SCRIPT=$TEST/${run_script##*/}
		if [ -n "$PLANNING" ]; then
			"$@"
			continue
		fi
		echo
		echo "* script : $SCRIPT"
		CALL_N=0
		expect_script "$run_script"
		[ "$FAST_NOW" = 1 ] && fast_begin "$@"
		"$@"
		[ "$FAST_NOW" = 1 ] && fast_end
	done
	unset -f "$1"
	SCRIPT=
}

# --- without the daemon -------------------------------------------------------------------------

# One test as the user's programs would do it. Returns 0 if strategies shall be tested.
check_without_bypass() { # TESTF DOMAIN PROTO
	local code
	echo '- checking without DPI bypass'
	attempts_run "$1" "$2"
	show_result
	code=$R_CODE
	NO_BYPASS_CODE=$code
	json_result "$1" "$2" ""
	case $code in
	0)
		report_add "$1" "$2" 'working without bypass'
		kind_look "$1" "$2" "$3" works
		[ "$SCANLEVEL" = force ]
		return
		;;
	1 | 2 | 3 | 4 | 6 | 27)
		report_add "$1" "$2" "test aborted, no reason to continue. curl code $code: $(curl_code_text "$code")"
		return 1
		;;
	esac
	return 0
}

probe() { # TESTF DOMAIN ADDRESS: one test of a domain on an address, shown
	local header=''
	if [ "$1" = curl_test_http ]; then
		header=$WORK/probe
		# shellcheck disable=SC2034 # kept by curl_test_http below
		TRY_IP=$3
		# shellcheck disable=SC2086 # words
		curl_with_address "$2" "$IPV" "$HTTP_PORT" -SsD "$header" -A "$USER_AGENT" --max-time "$CURL_MAX_TIME" \
			$CURL_OPT "http://$2" -o /dev/null
	else
		TRY_IP=$3
		"$1" "$IPV" "$2"
	fi
	TRY_IP=
	if [ "$C_CODE" = 0 ]; then
		if [ -n "$header" ]; then
			http_header "$header"
			ascii_only "$H_LINE${H_LOCATION:+ Location: $H_LOCATION}"
			echo "$ASCII"
		fi
		echo '!!!!! AVAILABLE !!!!!'
	else
		echo "$C_ERROR"
		echo "UNAVAILABLE code=$C_CODE"
	fi
	[ -n "$header" ] && rm -f "$header"
	[ "$C_CODE" = 0 ]
}

# Is it the address that is blocked, or the name? No verdict.
check_ip_block() { # TESTF DOMAIN
	local ip addresses
	echo
	echo "- IP block tests (requires manual interpretation)"
	addresses=$(resolve "$UNBLOCKED_DOM" "$IPV" | head -n 1)
	if [ -z "$addresses" ]; then
		echo "$UNBLOCKED_DOM does not resolve. tests not possible."
		return
	fi
	echo "> testing $UNBLOCKED_DOM on it's original ip"
	if ! probe "$1" "$UNBLOCKED_DOM" "$addresses"; then
		echo "$UNBLOCKED_DOM is not available. skipping this test."
		return
	fi
	echo "> testing $2 on $addresses ($UNBLOCKED_DOM)"
	probe "$1" "$2" "$addresses"
	for ip in $ADDRESSES; do
		echo "> testing $UNBLOCKED_DOM on $ip ($2)"
		probe "$1" "$UNBLOCKED_DOM" "$ip"
	done
}

find_netcat() { # sets NCAT
	[ -n "$NCAT" ] && return 0
	if exists ncat; then
		NCAT=ncat
	elif exists nc && ! is_linked_to_busybox nc; then
		NCAT=nc
	else
		return 1
	fi
}

check_port_block() { # DOMAIN PORT
	local ip code
	[ "$SKIP_IPBLOCK" = 1 ] && return 0
	echo
	echo "* port block tests ipv$IPV ${1%%/*}:$2"
	if ! find_netcat; then
		echo 'suitable netcat not found. busybox nc is not supported. pls install nmap ncat or openbsd netcat.'
		return
	fi
	for ip in $(resolve "$1" "$IPV"); do
		"$NCAT" -z -w 2 "$ip" "$2" >/dev/null 2>&1
		code=$?
		if [ $code = 0 ]; then
			echo "$ip connects"
		else
			echo "$ip does not connect. netcat code $code"
		fi
	done
}

# --- one domain, version, protocol ----------------------------------------------------------------

# Flags by which one standard script tells another what is left to do are not for the next protocol.
forget_flags() {
	local name
	for name in $(set | sed -n 's/^\(need_[a-z_0-9]*\)=.*/\1/p'); do
		unset "$name"
	done
}

# The answer first, then what kind of blocking it is, then everything else.
strategies_run() { # FUNC TESTF DOMAIN PROTO
	local done=1
	if search_wanted; then
		if [ "$SCANLEVEL" = quick ]; then
			search_quick "$1" "$2" "$3" && done=0
		else
			search_scout "$1" "$2" "$3"
		fi
		forget_flags
	fi
	strategies_kind "$2" "$3" "$4"
	[ $done = 1 ] || return
	set -- "$1" "$2" "$3"
	resume_begin "$2" "$3"
	expect_begin "$@"
	run_scripts "$@"
	expect_end
}

strategies_kind() { # TESTF DOMAIN PROTO
	local slots="$RULE_SLOTS"
	[ "$NO_BYPASS_CODE" != 0 ] && kind_wanted || return 0
	kind_look "$1" "$2" "$3" blocked
	RULE_SLOTS=$slots
	# shellcheck disable=SC2086 # a list of words
	rules_set "$3" "$(curl_port "$1")" "$IPV" $ADDRESSES
}

check_strategies() { # TESTF DOMAIN FUNC PROTO
	local port
	port=$(curl_port "$1")
	echo
	echo "preparing $PKTWSD redirection"
	FAST_NOW=$FAST RULE_SLOTS=
	# Few strategies, and not every curl binds the local port of QUIC.
	[ "$4" = udp ] && FAST_NOW=0
	[ "$FAST_NOW" = 1 ] && RULE_SLOTS=$FAST_RULE_SLOTS
	# shellcheck disable=SC2086 # a list of words
	rules_set "$4" "$port" "$IPV" $ADDRESSES
	progress_begin
	forget_flags
	scout_clear
	FOUND=
	strategies_run "$3" "$1" "$2" "$4"
	progress_clear
	echo
	if [ -n "$FOUND" ]; then
		echo "!!!!! $1: working strategy found for ipv$IPV $2 : $FOUND !!!!!"
	else
		echo "$1: $PKTWSD strategy for ipv$IPV $2 not found"
		report_add "$1" "$2" "$PKTWSD not working"
	fi
	echo
	echo "clearing $PKTWSD redirection"
	rules_clear
	RULE_SLOTS='' FAST_NOW=0
}

check_protocol() { # TESTF DOMAIN FUNC PROTO
	echo
	echo "* $1 ipv$IPV $2"
	ADDRESSES=$(resolve "$2" "$IPV")
	# Nothing is sent: an address for documents will do (RFC 5737, RFC 3849).
	if [ "$SIMULATE" = 1 ] && [ -z "$ADDRESSES" ]; then
		ADDRESSES=192.0.2.1
		[ "$IPV" = 6 ] && ADDRESSES=2001:db8::1
	fi
	# shellcheck disable=SC2086 # a list of words
	ADDRESS_COUNT=$(set -- $ADDRESSES && echo $#)
	NO_BYPASS_CODE=0
	if [ "$SIMULATE" != 1 ]; then
		check_without_bypass "$1" "$2" "$4" || return 0
	fi
	if [ "$4" = tcp ] && [ "$SKIP_IPBLOCK" != 1 ]; then
		check_ip_block "$1" "$2"
	fi
	[ "$SKIP_PKTWS" = 1 ] && return 0
	if [ "$ADDRESS_COUNT" = 0 ]; then
		report_add "$1" "$2" "test aborted, no reason to continue. curl code 6: $(curl_code_text 6)"
		return 0
	fi
	check_strategies "$@"
}

check_domain() { # DOMAIN
	if [ "$ENABLE_HTTP" = 1 ]; then
		check_port_block "$1" "$HTTP_PORT"
		check_protocol curl_test_http "$1" pktws_check_http tcp
	fi
	if [ "$ENABLE_HTTPS_TLS12" = 1 ] || [ "$ENABLE_HTTPS_TLS13" = 1 ]; then
		check_port_block "$1" "$HTTPS_PORT"
	fi
	[ "$ENABLE_HTTPS_TLS12" = 1 ] && check_protocol curl_test_https_tls12 "$1" pktws_check_https_tls12 tcp
	[ "$ENABLE_HTTPS_TLS13" = 1 ] && check_protocol curl_test_https_tls13 "$1" pktws_check_https_tls13 tcp
	[ "$ENABLE_HTTP3" = 1 ] && check_protocol curl_test_http3 "$1" pktws_check_http3 udp
	return 0
}
