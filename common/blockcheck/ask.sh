# Questions. Sourced by blockcheck2.sh, after common/dialog.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant
#
# Each asks only for a variable that is unset, and only without BATCH=1; otherwise, and when there is
# nobody to answer, the default is taken.

ask_value() { # VAR DEFAULT PROMPT
	local av_now
	eval "av_now=\"\$$1\""
	[ -n "$av_now" ] && return 0
	if [ "$BATCH" != 1 ]; then
		printf '%s (default : %s) : ' "$3" "$2"
		read_answer av_now
	fi
	eval "$1=\${av_now:-\$2}"
}

ask_switch() { # VAR DEFAULT PROMPT: the variable becomes 1 or 0
	local as_now
	eval "as_now=\"\$$1\""
	[ -n "$as_now" ] && return 0
	eval "$1=$2"
	[ "$BATCH" = 1 ] || ask_yes_no_var "$1" "$3"
}

ask_choice() { # VAR DEFAULT PROMPT ITEMS: by number or by name
	local ac_now
	eval "ac_now=\"\$$1\""
	[ -n "$ac_now" ] && return 0
	eval "$1=\$2"
	[ "$BATCH" = 1 ] && return 0
	echo "$3"
	ask_list "$1" "$4" "$2"
}

list_tests() { # names of the test directories
	local dir
	for dir in "$BLOCKCHECK2D"/*/; do
		[ -d "$dir" ] || continue
		dir=${dir%/}
		printf '%s\n' "${dir##*/}"
	done
}

ask_test() {
	local tests
	tests=$(list_tests)
	[ "$(echo "$tests" | wc -w)" -gt 1 ] && ask_choice TEST "$TEST_DEFAULT" 'select test :' "$tests"
	[ -n "$TEST" ] || TEST=$TEST_DEFAULT
	TESTDIR=$BLOCKCHECK2D/$TEST
	[ -d "$TESTDIR" ] || die 1 "directory '$TESTDIR' does not exist"
}

default_ipvs() {
	if ping6 -c 1 -w 1 2a02:6b8::feed:0ff >/dev/null 2>&1 ||
		ping -6 -c 1 -w 1 2a02:6b8::feed:0ff >/dev/null 2>&1; then
		echo 46
	else
		echo 4
	fi
}

ask_ipvs() {
	[ -n "$IPVS" ] || ask_value IPVS "$(default_ipvs)" "ip protocol version(s) - 4, 6 or 46 for both"
	case $IPVS in
	4) IPV_LIST=4 ;;
	6) IPV_LIST=6 ;;
	46) IPV_LIST='4 6' ;;
	*) die 1 'invalid ip version(s). should be 4, 6 or 46.' ;;
	esac
}

ask_protocols() {
	ask_switch ENABLE_HTTP 1 "check http"
	ask_switch ENABLE_HTTPS_TLS12 1 "check https tls 1.2"
	if [ "$CURL_HAS_TLS13" = 1 ]; then
		ask_switch ENABLE_HTTPS_TLS13 0 "check https tls 1.3"
	else
		ENABLE_HTTPS_TLS13=0
		echo "installed curl version does not support TLS 1.3 . tests disabled."
	fi
	if [ "$CURL_HAS_HTTP3" = 1 ]; then
		ask_switch ENABLE_HTTP3 1 "check http3 QUIC"
	else
		ENABLE_HTTP3=0
		echo "installed curl version does not support http3 QUIC. tests disabled."
	fi
}

ask_all() {
	echo
	ask_test
	ask_value DOMAINS "$DOMAINS_DEFAULT" "specify domain(s) to test. multiple domains are space separated. URIs are supported (rutracker.org/forum/index.php)"
	ask_ipvs
	ask_protocols
	ask_value REPEATS 1 "how many times to repeat each test"
	is_number "$REPEATS" && [ "$REPEATS" -ge 1 ] || die 1 'invalid repeat count'
	[ "$REPEATS" = 1 ] || ask_switch PARALLEL 0 "do you want to run several attempts of a test at the same time"
	PARALLEL=${PARALLEL:-0}
	ask_choice SCANLEVEL standard "quick    - scan as fast as possible to reveal any working strategy
standard - do investigation what works on your DPI
force    - scan maximum despite of result" "quick standard force"
	case $SCANLEVEL in
	quick | standard | force) ;;
	*) die 1 "invalid scan level '$SCANLEVEL'" ;;
	esac
}
