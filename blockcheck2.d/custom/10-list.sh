# Strategies of the user, from lists.
# shellcheck shell=dash disable=SC1091,SC2034

LIST_HTTP=${LIST_HTTP:-$TESTDIR/list_http.txt}
LIST_HTTPS_TLS12=${LIST_HTTPS_TLS12:-$TESTDIR/list_https_tls12.txt}
LIST_HTTPS_TLS13=${LIST_HTTPS_TLS13:-$TESTDIR/list_https_tls13.txt}
LIST_QUIC=${LIST_QUIC:-$TESTDIR/list_quic.txt}

# Is a line words of a shell and nothing else? What blockcheck2 prints has no quotes, so a pasted line may
# hold characters that mean something to a shell (--out-range=s1<d1); it must neither fail nor run anything.
custom_is_shell_words() { # LINE
	local bare
	bare=$(printf '%s\n' "$1" | sed -e 's/\\.//g' -e "s/'[^']*'//g" -e 's/"[^"]*"//g')
	case $bare in
	*[\<\>\|\;\&\(\)\`]*) return 1 ;;
	esac
	(eval "set -- $1") 2>/dev/null
}

custom_by_blanks() { # TESTF DOMAIN LINE
	local testf="$1" dom="$2"
	set -f
	# shellcheck disable=SC2086 # words
	set -- $3
	set +f
	pktws_curl_test_update "$testf" "$dom" "$@"
}

# One strategy a line, as words of a shell; a line that a shell can not read is split at its blanks. The list
# is read whole first: a test may use stdin.
custom_list() { # TESTF DOMAIN FILE
	local testf="$1" dom="$2" line lines old_ifs="$IFS"
	if [ ! -f "$3" ]; then
		echo "no strategy file '$3'"
		return
	fi
	lines=$(tr -d '\r' <"$3")
	IFS='
'
	set -f
	# shellcheck disable=SC2086 # one word a line
	set -- $lines
	set +f
	IFS=$old_ifs
	for line; do
		case $line in
		'' | '#'*) continue ;;
		esac
		if custom_is_shell_words "$line"; then
			eval "pktws_curl_test_update \"\$testf\" \"\$dom\" $line"
		else
			custom_by_blanks "$testf" "$dom" "$line"
		fi
	done
}

pktws_check_http() { # TESTF DOMAIN
	custom_list "$1" "$2" "$LIST_HTTP"
}

pktws_check_https_tls12() {
	custom_list "$1" "$2" "$LIST_HTTPS_TLS12"
}

pktws_check_https_tls13() {
	custom_list "$1" "$2" "$LIST_HTTPS_TLS13"
}

pktws_check_http3() {
	custom_list "$1" "$2" "$LIST_QUIC"
}
