# One strategy, tested alone: the classic engine. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant
#
# A tested strategy is described by R_CODE (0 works, curl's code, 254 suspicious answer, 253 invalid
# strategy, 252 error of the daemon), R_ERROR (for 252, 253), R_N attempts of which R_OK succeeded,
# and R_LIST: a line for each, CODE|STATUS|BYTES|MS|CONNECTED|IP|ERROR.

CODE_DAEMON=252
CODE_INVALID=253
CODE_SUSPICIOUS=254

result_clear() {
	R_CODE=0 R_ERROR='' R_N=0 R_OK=0 R_LIST=''
}

attempt_line() { # ATTEMPT becomes the line that describes the attempt just made
	local error="$C_ERROR"
	contains "$error" "$NL" && error=$(replace_str "$NL" ' ' "$error")
	ascii_only "$error"
	ATTEMPT="$C_CODE|$C_STATUS|$C_BYTES|$C_MS|$C_CONNECTED|$C_IP|$ASCII"
}

result_add() { # ATTEMPT
	R_N=$((R_N + 1))
	R_LIST="$R_LIST$1$NL"
	case $1 in
	'0|'*) R_OK=$((R_OK + 1)) ;;
	*) R_CODE=${1%%|*} ;;
	esac
}

attempts_one_by_one() { # TESTF DOMAIN
	local n=0
	while [ $n -lt "$REPEATS" ]; do
		n=$((n + 1))
		"$1" "$IPV" "$2"
		attempt_line
		result_add "$ATTEMPT"
		show_attempt $n "$C_CODE" "$C_ERROR"
		[ "$C_CODE" != 0 ] && [ "$SCANLEVEL" = quick ] && break
	done
}

attempts_at_once() { # TESTF DOMAIN
	local n=0 pids='' pid line
	while [ $n -lt "$REPEATS" ]; do
		n=$((n + 1))
		(
			trap 'kill $CURL_PID 2>/dev/null; exit 1' TERM
			WORKER=$n
			"$1" "$IPV" "$2"
			attempt_line
			printf '%s\n' "$ATTEMPT" >"$WORK/parallel.$n"
		) &
		pids="$pids $!"
	done
	ATTEMPT_PIDS=$pids
	# shellcheck disable=SC2086 # a list of words
	pids_note attempts $pids
	n=0
	for pid in $pids; do
		wait "$pid"
		n=$((n + 1))
		IFS= read -r line <"$WORK/parallel.$n" || line='2|0|0|0|||the attempt did not end'
		result_add "$line"
		show_attempt $n "${line%%|*}" "${line##*|}"
	done
	ATTEMPT_PIDS=
	pids_note attempts
}

attempts_run() { # TESTF DOMAIN
	result_clear
	if [ "$PARALLEL" = 1 ] && [ "$REPEATS" -gt 1 ]; then
		attempts_at_once "$@"
	else
		attempts_one_by_one "$@"
	fi
}

# Looks for reasons of a failure that are not the network's.
result_blame_daemon() { # SLOT
	[ "$R_CODE" = 0 ] && return 0
	if ! daemon_alive "$1"; then
		daemon_last_words "$1"
	elif ! daemon_lua_error "$1"; then
		return 0
	fi
	R_CODE=$CODE_DAEMON
	R_ERROR=$DAEMON_SAID
}

result_not_started() { # SLOT QUOTED-ARGS
	daemon_last_words "$1"
	R_CODE=$CODE_DAEMON
	R_ERROR=$DAEMON_SAID
	if ! strategy_is_valid "$2"; then
		R_CODE=$CODE_INVALID
		R_ERROR=$DAEMON_SAID
	fi
}

classic_test() { # TESTF DOMAIN QUOTED-STRATEGY
	local args="$PKTWS_PRE $3 $PKTWS_POST" queue="$QNUM"
	if [ -n "$RULE_SLOTS" ]; then
		own_ports_take $((REPEATS * 2))
		CURL_PORTS=$TAKEN-$((TAKEN + REPEATS * 2 - 1))
	fi
	daemon_start 0 "$queue" "$args"
	if daemon_wait 0 "$queue"; then
		attempts_run "$1" "$2"
		result_blame_daemon 0
	else
		result_clear
		result_not_started 0 "$args"
	fi
	daemon_stop 0
	CURL_PORTS=
}
