# The daemon under test. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant
#
# Theory of operation. A slot is a daemon with its queue; the classic engine has slot 0 only. A start
# is over when the queue is bound or the process is gone. A daemon that does not start, ends by itself
# or complains about a Lua error makes the result of its strategy an error, not "unavailable".

DAEMON_LOOKS=1000 # at one that starts, every 10 ms, before it is given up

daemon_setup() {
	# shellcheck disable=SC2089,SC2090 # read back by eval
	words_quote --uid "$WS_UID:$WS_GID" "--fwmark=$DESYNC_MARK"
	DAEMON_BASE=$QUOTED
	words_quote "--lua-init=@$ZAPRET_BASE/lua/zapret-lib.lua" "--lua-init=@$ZAPRET_BASE/lua/zapret-antidpi.lua"
	DAEMON_LUA=$QUOTED
	extra_words PRE
	PKTWS_PRE=$QUOTED
	extra_words POST
	PKTWS_POST=$QUOTED
}

extra_words() { # PRE|POST: QUOTED becomes what the user wants around each strategy
	local part="$1" n value
	eval "value=\$PKTWS_EXTRA_$part"
	# shellcheck disable=SC2086 # split on purpose
	set -- $value
	for n in 1 2 3 4 5 6 7 8 9; do
		eval "value=\$PKTWS_EXTRA_${part}_$n"
		[ -n "$value" ] && set -- "$@" "$value"
	done
	words_quote "$@"
}

daemon_start() { # SLOT QUEUE QUOTED-ARGS
	local slot="$1" queue="$2"
	eval "set -- $DAEMON_BASE --qnum=$queue $DAEMON_LUA $3"
	"$NFQWS2" "$@" >"${DAEMON_OUT:-/dev/null}" 2>"$WORK/daemon.$slot" &
	eval "DAEMON_$slot=$!"
	pids_note "daemon.$slot" $!
}

daemon_alive() { # SLOT
	local pid
	eval "pid=\$DAEMON_$1"
	[ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}

queue_bound() { # QUEUE; 2 = cannot be known
	local number rest
	[ -r /proc/net/netfilter/nfnetlink_queue ] || return 2
	# shellcheck disable=SC2034 # rest takes what is not needed
	while read -r number rest; do
		[ "$number" = "$1" ] && return 0
	done </proc/net/netfilter/nfnetlink_queue
	return 1
}

daemon_wait() { # SLOT QUEUE: until it can take packets
	local left="$DAEMON_LOOKS"
	while [ "$left" -gt 0 ]; do
		queue_bound "$2"
		case $? in
		0)
			daemon_alive "$1"
			return
			;;
		2)
			minsleep
			daemon_alive "$1"
			return
			;;
		esac
		# The shell notices the end of a child while it waits for another.
		msleep 10
		daemon_alive "$1" || return 1
		left=$((left - 1))
	done
	return 1
}

daemon_stop() { # SLOT
	local pid
	eval "pid=\$DAEMON_$1"
	[ -n "$pid" ] || return 0
	eval "DAEMON_$1="
	kill -9 "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	[ -d "$WORK" ] && pids_note "daemon.$1"
	return 0
}

daemon_last_words() { # SLOT: DAEMON_SAID becomes the last line of its complaint
	local line
	DAEMON_SAID=
	while IFS= read -r line || [ -n "$line" ]; do
		[ -n "$line" ] && DAEMON_SAID=$line
	done <"$WORK/daemon.$1"
	[ -n "$DAEMON_SAID" ] || DAEMON_SAID='nfqws2 ended without a word'
}

daemon_lua_error() { # SLOT: finds the first Lua error, in DAEMON_SAID
	local line
	DAEMON_SAID=
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		'LUA ERROR:'* | *'desync ERROR'*)
			DAEMON_SAID=$line
			return 0
			;;
		esac
	done <"$WORK/daemon.$1"
	return 1
}

# Would the daemon start with these words? DAEMON_SAID tells why not, or that it hangs.
strategy_is_valid() { # QUOTED-ARGS
	local left="$DAEMON_LOOKS" hangs=0 pid code
	eval "set -- $DAEMON_BASE --intercept=0 $DAEMON_LUA $1"
	"$NFQWS2" "$@" >/dev/null 2>"$WORK/daemon.check" </dev/null &
	pid=$!
	pids_note daemon.check $pid
	while [ "$left" -gt 0 ] && kill -0 $pid 2>/dev/null; do
		msleep 10
		left=$((left - 1))
	done
	[ "$left" -gt 0 ] || ! kill -9 $pid 2>/dev/null || hangs=1
	wait $pid 2>/dev/null
	code=$?
	pids_note daemon.check
	[ $code != 0 ] || return 0
	if [ $hangs = 1 ]; then
		DAEMON_SAID="$PKTWSD neither starts nor ends"
	else
		daemon_last_words check
	fi
	return 1
}

# One that starts with no strategy shall not make each of them look invalid.
check_daemon() {
	[ "$SIMULATE" = 1 ] || [ "$SKIP_PKTWS" = 1 ] && return 0
	strategy_is_valid '' || die 6 "$NFQWS2 does not start: $DAEMON_SAID"
}
