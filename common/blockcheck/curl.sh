# Asking for the page. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant
#
# A test function curl_test_* makes one attempt and leaves in C_CODE curl's code (6: no address,
# 254: suspicious answer), in C_ERROR what to tell the user, in C_STATUS, C_BYTES, C_MS, C_CONNECTED
# what is known about the transfer, in C_IP the address used. It returns C_CODE.
# CURL_PORTS: local ports to use. TRY_IP: address to use instead of one of the domain's.

CR=$(printf '\r')
CURL_STATISTICS='@@ %{http_code} %{size_download} %{time_total} %{time_connect} %{remote_ip}'

# Junk headers make a request long without a long download. They come from a file: a command line has limits.
pad_setup() { # sets PAD_FILE when CURL_PAD asks for it
	PAD_FILE=
	[ "$CURL_PAD" -gt 0 ] || return 0
	PAD_FILE=$WORK/pad
	awk -v left="$CURL_PAD" -v longest="$PAD_MAX_HEADER" 'BEGIN {
		filler = "A"
		while (length(filler) < longest) filler = filler filler
		for (n = 0; left > 0; n++) {
			name = sprintf("X-Pad-%04d: ", n)
			size = left < longest ? left : longest
			if (size <= length(name)) size = length(name) + 1
			print name substr(filler, 1, size - length(name))
			left -= size
		}
	}' >"$PAD_FILE"
}

curl_capabilities() {
	local features
	"$CURL" --connect-to 127.0.0.1::127.0.0.1: -o /dev/null -s --max-time 1 http://127.0.0.1:65535/ >/dev/null 2>&1
	[ $? = 2 ] && die 1 'installed curl does not support --connect-to option. pls install at least curl 7.49'
	features=$("$CURL" --version 2>/dev/null)
	CURL_HAS_TLS13=0 CURL_HAS_HTTP3=0 CURL_HAS_TLSMAX=0
	case $features in
	*OpenSSL* | *LibreSSL* | *BoringSSL* | *GnuTLS* | *quictls*) CURL_HAS_TLSMAX=1 ;;
	esac
	case $features in
	*HTTP3*) CURL_HAS_HTTP3=1 ;;
	esac
	"$CURL" --tlsv1.3 -Is -o /dev/null --max-time 1 https://127.0.0.1:65535/ >/dev/null 2>&1
	case $? in
	2 | 4) ;;
	*) CURL_HAS_TLS13=1 ;;
	esac
}

curl_port() { # TESTF
	case $1 in
	curl_test_http) echo "$HTTP_PORT" ;;
	curl_test_http3) echo "$QUIC_PORT" ;;
	*) echo "$HTTPS_PORT" ;;
	esac
}

curl_protocol() { # TESTF
	echo "${1#curl_test_}"
}

# Picks one of the domain's addresses; without another process, for the fast engine.
curl_pick_ip() { # DOMAIN FAMILY
	C_IP=$TRY_IP
	[ -n "$C_IP" ] && return 0
	# shellcheck disable=SC2046 # a list of words
	set -- $(resolve "$1" "$2")
	[ $# -gt 0 ] || return 1
	[ $# = 1 ] || shift "$(random 0 $(($# - 1)))"
	C_IP=$1
}

# Runs curl so that a signal to us is not held up by it.
curl_run() { # ARGS...
	local out="$WORK/curl${WORKER:+.$WORKER}" line
	if [ -n "$CURL_PORTS" ]; then
		set -- --local-port "$CURL_PORTS" "$@"
	fi
	[ "$CURL_VERBOSE" = 1 ] && set -- -v "$@"
	[ "$CURL_CMD" = 1 ] && {
		words_quote "$CURL" "$@"
		echo "$QUOTED"
	}
	if [ "$WANT_STATISTICS" = 1 ]; then
		set -- "$@" -w "\\n$CURL_STATISTICS\\n"
	fi
	"$CURL" "$@" >"$out" 2>&1 &
	CURL_PID=$!
	pids_note "curl.$WORKER" $CURL_PID
	wait $CURL_PID
	C_CODE=$?
	CURL_PID=
	pids_note "curl.$WORKER"
	C_ERROR='' C_STATUS=0 C_BYTES=0 C_MS=0 C_CONNECTED=
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		'@@ '*) curl_statistics "$line" ;;
		'') ;;
		*) C_ERROR="$C_ERROR${C_ERROR:+$NL}$line" ;;
		esac
	done <"$out"
	return $C_CODE
}

curl_statistics() { # LINE
	local millis
	# shellcheck disable=SC2086 # words
	set -- $1
	C_STATUS=$((1$2 - 1000)) C_BYTES=$3
	# seconds with six decimals; a version may use a decimal comma
	millis=${4#*[.,]}
	millis=${millis%"${millis#???}"}
	C_MS=$((${4%%[.,]*} * 1000 + 1$millis - 1000))
	# Some versions count a TLS connection only when its handshake is over, but tell the address.
	C_CONNECTED=1
	case $5$6 in
	0.000000 | 0,000000) C_CONNECTED=0 ;;
	esac
}

curl_with_address() { # DOMAIN[/URI] FAMILY PORT ARGS...
	local dom="$1" family="$2" port="$3" ip
	shift 3
	if ! curl_pick_ip "$dom" "$family"; then
		C_CODE=6 C_ERROR='could not resolve host' C_STATUS=0 C_BYTES=0 C_MS=0 C_CONNECTED=
		return 6
	fi
	ip=$C_IP
	[ "$family" = 6 ] && ip="[$ip]"
	[ -z "$PAD_FILE" ] || set -- "$@" -H "@$PAD_FILE"
	curl_run --connect-to "${dom%%/*}::$ip:$port" "$@"
}

curl_test_http() { # FAMILY DOMAIN[/URI]
	local header="$WORK/hdr${WORKER:+.$WORKER}"
	# shellcheck disable=SC2086 # CURL_OPT is words
	curl_with_address "$2" "$1" "$HTTP_PORT" -SsD "$header" -A "$USER_AGENT" --max-time "$CURL_MAX_TIME" \
		$CURL_OPT "http://$2" -o /dev/null && http_verdict "$header" "${2%%/*}"
	rm -f "$header"
	return $C_CODE
}

curl_test_https() { # FAMILY DOMAIN[/URI] VERSION
	local max=''
	[ "$CURL_HAS_TLSMAX" = 1 ] && max="--tls-max $3"
	# shellcheck disable=SC2086 # words
	curl_with_address "$2" "$1" "$HTTPS_PORT" $HTTPS_HEAD -Ss -A "$USER_AGENT" --max-time "$CURL_MAX_TIME" \
		$CURL_OPT "--tlsv$3" $max "https://$2" -o /dev/null
}

curl_test_https_tls12() { # FAMILY DOMAIN[/URI]
	curl_test_https "$1" "$2" 1.2
}

curl_test_https_tls13() {
	curl_test_https "$1" "$2" 1.3
}

curl_test_http3() {
	# shellcheck disable=SC2086 # words
	curl_with_address "$2" "$1" "$QUIC_PORT" $HTTPS_HEAD -Ss -A "$USER_AGENT" --max-time "$CURL_MAX_TIME_QUIC" \
		--http3-only $CURL_OPT "https://$2" -o /dev/null
}

# A block page is a redirect to another site; 400 means that the server saw what only the DPI should.
http_verdict() { # HEADER-FILE DOMAIN
	http_header "$1"
	C_STATUS=${H_STATUS:-0}
	case $H_STATUS in
	400)
		C_CODE=254
		C_ERROR='http code 400. likely the server received fakes.'
		;;
	301 | 302 | 307 | 308)
		if ! redirect_is_own "$H_LOCATION" "$2"; then
			C_CODE=254
			ascii_only "$H_LOCATION"
			C_ERROR="suspicious redirection $H_STATUS to : $ASCII"
		fi
		;;
	esac
}

http_header() { # FILE: H_STATUS, H_LOCATION, H_LINE of the last answer in it
	local line
	H_STATUS='' H_LOCATION='' H_LINE=''
	[ -f "$1" ] || return 0
	while IFS= read -r line || [ -n "$line" ]; do
		line=${line%"$CR"}
		case $line in
		HTTP/*)
			H_LINE=$line H_LOCATION=
			H_STATUS=${line#* }
			H_STATUS=${H_STATUS%% *}
			;;
		[Ll][Oo][Cc][Aa][Tt][Ii][Oo][Nn]:*)
			H_LOCATION=${line#*:}
			H_LOCATION=${H_LOCATION# }
			;;
		esac
	done <"$1"
}

redirect_is_own() { # LOCATION DOMAIN
	local place own
	place=$(tolower "$1")
	own=$(tolower "$2")
	case $place in
	http://* | https://*) place=${place#*://} ;;
	//*) place=${place#//} ;;
	*) return 0 ;;
	esac
	place=${place%%[/?#]*}
	place=${place##*@}
	place=${place%%:*}
	case $place in
	"$own" | *."$own") return 0 ;;
	esac
	return 1
}

curl_code_text() { # CODE
	case $1 in
	1) echo 'unsupported protocol' ;;
	2) echo 'early initialization code failed' ;;
	3) echo 'the URL was not properly formatted' ;;
	4) echo 'feature not supported by libcurl' ;;
	6) echo 'could not resolve host' ;;
	27) echo 'out of memory' ;;
	esac
}
