# blockprobe, which tests many strategies in one process: for the fast engine (fast.sh). Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant
#
# It asks with libcurl. With the curl program instead where the user has chosen another one, or has words for it that
# blockprobe does not know, or where it was built without libcurl.

engine_option() { # WORD
	word_quote "$1"
	ENGINE_OPTIONS="$ENGINE_OPTIONS $WORD"
}

# Options from CURL_OPT and the authorities of the environment, which count for curl where its words name none.
# Fails for what only curl can do.
engine_trust() {
	local authorities="${CURL_CA_BUNDLE:-$SSL_CERT_FILE}" insecure=0
	# shellcheck disable=SC2086 # words
	set -- $CURL_OPT
	while [ $# -gt 0 ]; do
		case $1 in
		--cacert)
			[ $# -ge 2 ] || return 1
			authorities=$2
			shift
			;;
		-k | --insecure) insecure=1 ;;
		*) return 1 ;;
		esac
		shift
	done
	[ $insecure = 0 ] || engine_option --insecure
	[ -z "$authorities" ] || engine_option "--cacert=$authorities"
}

# Curl finds authorities, and more, where libcurl does not look.
engine_trust_differs() {
	local place
	[ -z "$SSL_CERT_DIR" ] || return 0
	for place in "$CURL_HOME" "$XDG_CONFIG_HOME" "$HOME" "$HOME/.config"; do
		[ -n "$place" ] || continue
		[ -e "$place/.curlrc" ] || [ -e "$place/curlrc" ] && return 0
	done
	return 1
}

engine_by_libcurl() {
	[ "$PROBER" != 0 ] && [ "$CURL" = curl ] && is_number "$CURL_MAX_TIME" && ! engine_trust_differs || return 1
	"$BLOCKPROBE" </dev/null >/dev/null 2>&1 && engine_trust
}

# CURL_MAX_TIME in milliseconds, within what blockprobe takes. 0 is no limit for curl. What is no number stays what it is.
engine_max_time() {
	awk -v seconds="$CURL_MAX_TIME" -v most=3600000 'BEGIN {
		ms = seconds * 1000
		if (seconds !~ /^[0-9.]+$/) print seconds
		else printf "%d", (ms == 0 || ms > most ? most : ms < 1 ? 1 : ms)
	}'
}

engine_setup() { # sets ENGINE_OPTIONS
	local options
	ENGINE_OPTIONS='' ENGINE_BROKEN=0
	engine_by_libcurl || {
		ENGINE_OPTIONS=
		engine_option "--curl=$CURL"
		# shellcheck disable=SC2086 # words
		words_quote $CURL_OPT
		engine_option "--curl-words=$QUOTED"
		[ "$CURL_HAS_TLSMAX" != 1 ] || engine_option --tls-max
		# A process for each.
		[ -n "$PARALLEL_GIVEN" ] || PARALLEL_MAX=$ENGINE_MOST_CURLS
	}
	[ -n "$PARALLEL_GIVEN" ] || engine_fit_memory
	engine_option "--user-agent=$USER_AGENT"
	engine_option "--max-time=$(engine_max_time)"
	engine_option "--http-port=$HTTP_PORT"
	engine_option "--https-port=$HTTPS_PORT"
	[ -z "$HTTPS_HEAD" ] || engine_option --head
	[ "$SCANLEVEL" != quick ] || engine_option --stop-at-failure
	[ "$PARALLEL" != 1 ] || engine_option --at-once
	[ -z "$PAD_FILE" ] || engine_option "--header-file=$PAD_FILE"
	engine_option "--folder=$WORK"
	word_quote "$NFQWS2"
	engine_option "--daemon=$WORD $DAEMON_BASE"
	engine_option "--scripts=$DAEMON_LUA"
	engine_option "--before=$PKTWS_PRE"
	engine_option "--behind=$PKTWS_POST"
	engine_option "--ranges=$ENGINE_RANGES"
	engine_option "--parallel=$([ "$PARALLEL_MAX" -le $ENGINE_MOST ] && echo "$PARALLEL_MAX" || echo $ENGINE_MOST)"
}

ENGINE_MOST=4096 # connections at once, of blockprobe
# Where the user does not say how many:
ENGINE_MOST_CURLS=16
ENGINE_LEAST=16
ENGINE_KB=512 # a connection takes 100 kB, and the system goes on to need memory

# Fewer at once on a small router.
engine_fit_memory() {
	local fit
	fit=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' "${MEMORY_FILE:-/proc/meminfo}" 2>/dev/null)
	is_number "$fit" || return 0
	fit=$((fit / ENGINE_KB))
	[ $fit -ge $ENGINE_LEAST ] || fit=$ENGINE_LEAST
	[ "$PARALLEL_MAX" -le $fit ] || PARALLEL_MAX=$fit
}

# Begins to test the strategies of $WORK/keys.
engine_start() {
	eval "set -- $ENGINE_OPTIONS"
	[ "$SEARCHING" != 1 ] || [ "$SCANLEVEL" != quick ] || set -- "$@" --enough
	"$BLOCKPROBE" "$@" --repeats="$REPEATS" --addresses="$ADDRESSES" <"$WORK/keys" >"$WORK/results" 2>"$WORK/engine.log" &
	ENGINE_PID=$!
	pids_note engine $ENGINE_PID
}

# Waits for it. ENGINE_CODE: 0, or 3 when it had enough. One that fails is not asked again.
engine_wait() {
	local said
	wait "$ENGINE_PID"
	ENGINE_CODE=$?
	ENGINE_PID=
	pids_note engine
	case $ENGINE_CODE in
	0 | 3) return 0 ;;
	esac
	engine_clean
	said=$(sed -n '$p' "$WORK/engine.log")
	progress_clear
	echo "$BLOCKPROBE failed with code $ENGINE_CODE${said:+ ($said)}. using ENGINE=classic"
	ENGINE_BROKEN=1
	return 1
}

# What it has left, if it could not clean up itself.
engine_clean() {
	local slot
	for slot in 0 1 2 3 check; do
		pids_kill daemon.$slot
		pids_note daemon.$slot
	done
}

engine_stop() {
	[ -n "$ENGINE_PID" ] || return 0
	kill "$ENGINE_PID" 2>/dev/null
	wait "$ENGINE_PID" 2>/dev/null
	ENGINE_PID=
	[ ! -d "$WORK" ] || {
		engine_clean
		pids_note engine
	}
}
