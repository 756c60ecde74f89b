# Strategies of the user, from lists.
# shellcheck shell=dash disable=SC1091,SC2034

LIST_HTTP=${LIST_HTTP:-$TESTDIR/list_http.txt}
LIST_HTTPS_TLS12=${LIST_HTTPS_TLS12:-$TESTDIR/list_https_tls12.txt}
LIST_HTTPS_TLS13=${LIST_HTTPS_TLS13:-$TESTDIR/list_https_tls13.txt}
LIST_QUIC=${LIST_QUIC:-$TESTDIR/list_quic.txt}

# One strategy a line, as words of a shell. The list is read whole first: a test may use stdin.
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
		# A bad line must not end the run.
		if ! (eval "set -- $line") 2>/dev/null; then
			echo "cannot read as words of a shell : $line"
			continue
		fi
		eval "pktws_curl_test_update \"\$testf\" \"\$dom\" $line"
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
