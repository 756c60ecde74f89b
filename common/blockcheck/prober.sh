# blockprobe, which asks for many pages in one process: for the fast engine. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant
#
# It takes the jobs of a group (group.sh) as they are and writes what the workers would. Curl is asked instead where
# the user has chosen another one, or has words for it that the prober does not know.

# PROBER_OPTIONS from CURL_OPT and the authorities of the environment, which count for curl where its words name none.
# Fails for what only curl can do.
prober_words() {
	local authorities="${CURL_CA_BUNDLE:-$SSL_CERT_FILE}"
	PROBER_OPTIONS=
	# shellcheck disable=SC2086 # words
	set -- $CURL_OPT
	while [ $# -gt 0 ]; do
		case $1 in
		--cacert)
			[ $# -ge 2 ] || return 1
			authorities=$2
			shift
			;;
		-k | --insecure) PROBER_OPTIONS="$PROBER_OPTIONS --insecure" ;;
		*) return 1 ;;
		esac
		shift
	done
	[ -n "$authorities" ] || return 0
	word_quote "--cacert=$authorities"
	PROBER_OPTIONS="$PROBER_OPTIONS $WORD"
}

# Curl finds authorities, and more, where the prober does not look.
prober_trust_differs() {
	local place
	[ -z "$SSL_CERT_DIR" ] || return 0
	for place in "$CURL_HOME" "$XDG_CONFIG_HOME" "$HOME" "$HOME/.config"; do
		[ -n "$place" ] || continue
		[ -e "$place/.curlrc" ] || [ -e "$place/curlrc" ] && return 0
	done
	return 1
}

prober_setup() { # sets PROBING
	PROBING=0
	prober_trust_differs && return 0
	[ "$PROBER" != 0 ] && [ "$CURL" = curl ] && is_number "$CURL_MAX_TIME" && prober_words || return 0
	"$PROBER" --help >/dev/null 2>&1 || return 0
	PROBING=1
	word_quote "--user-agent=$USER_AGENT"
	PROBER_OPTIONS="$PROBER_OPTIONS $WORD --max-time=$((CURL_MAX_TIME * 1000)) --http-port=$HTTP_PORT --https-port=$HTTPS_PORT"
	[ -z "$HTTPS_HEAD" ] || PROBER_OPTIONS="$PROBER_OPTIONS --head"
	[ "$SCANLEVEL" != quick ] || PROBER_OPTIONS="$PROBER_OPTIONS --stop-at-failure"
	[ -z "$PAD_FILE" ] || PROBER_OPTIONS="$PROBER_OPTIONS --header-file=$PAD_FILE"
}

PROBER_MOST=4096 # connections at once, of blockprobe

# Works off the file jobs, as many at once as there would be workers. One that fails is not asked again.
prober_run() {
	local code parallel="$GROUP_WORKERS"
	[ "$parallel" -le $PROBER_MOST ] || parallel=$PROBER_MOST
	eval "set -- $PROBER_OPTIONS"
	[ "$SEARCHING" != 1 ] || [ "$SCANLEVEL" != quick ] || [ "$PARALLEL" = 1 ] || set -- "$@" --enough
	"$PROBER" "$@" --parallel="$parallel" <"$WORK/jobs" >"$WORK/out.0" 2>/dev/null &
	WORKER_PIDS=$!
	pids_note workers $WORKER_PIDS
	wait $WORKER_PIDS
	code=$?
	WORKER_PIDS=
	pids_note workers
	case $code in
	0) ;;
	3) : >"$WORK/enough" ;;
	*)
		progress_clear
		echo "$PROBER failed with code $code. using $CURL"
		PROBING=0
		rm -f "$WORK/out.0"
		workers_run
		;;
	esac
}
