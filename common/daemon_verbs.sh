# The verbs that look at running daemons: status, reload, and the main process under a service manager. Sourced.
# shellcheck shell=dash disable=SC2034 # variables of other parts

# --- status -----------------------------------------------------------------------------------------

show_daemon() { # NUM BINARY QNUM
	local sd_pid sd_name="daemon $1${3:+ (queue $3)}"
	STATUS_SEEN=1
	if ! sd_pid=$(daemon_pid "$(daemon_pidfile "$1" "$2")" "$2"); then
		echo "$sd_name: does not run"
		STATUS_CODE=1
		return
	fi
	echo "$sd_name: runs, pid $sd_pid"
	[ -n "$3" ] || return 0
	ask_daemon "$3" status
	case $? in
	0 | 2) ;; # 2: there is nobody to ask
	*)
		echo "$sd_name: does not answer"
		STATUS_CODE=1
		;;
	esac
}

# 0: all daemons run, 1: one does not, 3: none was started.
zapret_status() {
	STATUS_SEEN=
	STATUS_CODE=0
	for_each_started show_daemon
	if [ -z "$STATUS_SEEN" ]; then
		echo "no daemon was started$([ "$NFQWS2_ENABLE" = 1 ] || echo ": NFQWS2_ENABLE=${NFQWS2_ENABLE:-0} in $ZAPRET_CONFIG")"
		return 3
	fi
	return "$STATUS_CODE"
}

# --- reload -----------------------------------------------------------------------------------------

# Asks the daemon to take what stands in its file now. 0: done. 2: it cannot, or nobody can ask it.
# Else it has refused.
reload_options() { # QNUM
	ask_daemon "$1" reload
}

send_reload_of_lists() { # BINARY PID
	[ "$1" != "$NFQWS2" ] || kill -HUP "$2"
}

# A daemon that cannot have its new options goes on with the old ones.
keep_daemon() { # NUM
	[ "$DAEMON_VERB" = reload ] && was_started "$1" || return 0
	RELOADED_DAEMONS="$RELOADED_DAEMONS $1"
	KEPT_DAEMONS="$KEPT_DAEMONS $1"
	zapret_failed "daemon $1 keeps its options"
	return 0
}

# Would the program start with these words? It says itself what is wrong. Before a daemon is ended for new options:
# with wrong ones, or a wrong file of rules, nobody would come in its place.
would_start() { # BINARY WORDS...
	local ws_binary="$1"
	[ "$ws_binary" = "$NFQWS2" ] && knows_control "$ws_binary" || return 0
	shift
	"$ws_binary" "$@" --dry-run >/dev/null
}

# Replaces the file of a daemon and lets it read it. Returns 2 when it has to be started again for that.
reload_file() { # NUM BINARY PID FILE QNUM WORDS...
	local rf_num="$1" rf_binary="$2" rf_pid="$3" rf_file="$4" rf_queue="$5"
	shift 5
	write_daemon_file "$rf_file.next" "$rf_queue" "$@" || return 2
	if [ "$(cat "$rf_file.next")" = "$(cat "$rf_file")" ]; then
		rm -f "$rf_file.next"
		send_reload_of_lists "$rf_binary" "$rf_pid"
		return 0
	fi
	mv -f "$rf_file" "$rf_file.before"
	mv -f "$rf_file.next" "$rf_file"
	reload_options "$rf_queue"
	case $? in
	0)
		rm -f "$rf_file.before"
		return 0
		;;
	2)
		if would_start "$rf_binary" "@$rf_file" "--qnum=$rf_queue"; then
			rm -f "$rf_file.before"
			return 2
		fi
		;;
	esac
	# After a crash it shall come back with what it has now.
	mv -f "$rf_file.before" "$rf_file"
	keep_daemon "$rf_num"
}

same_command() { # PID WORDS...
	local sc_pid="$1"
	shift
	[ "$(tr '\000' '\n' 2>/dev/null <"/proc/$sc_pid/cmdline")" = "$(printf '%s\n' "$@")" ]
}

# Has this process its options from its file, and shall it?
runs_from_file() { # PID BINARY QNUM
	local rff_file
	rff_file=$(daemon_file "$3")
	has_daemon_file "$2" "$3" && [ -f "$rff_file" ] && same_command "$1" "$2" "@$rff_file" "--qnum=$3"
}

# Has it them on its command line, all that there are now, and no file to get?
runs_from_words() { # PID QNUM BINARY WORDS...
	local rfw_pid="$1" rfw_queue="$2"
	shift 2
	if has_daemon_file "$1" "$rfw_queue" && [ -w "$ZAPRET_RUN" ]; then
		return 1
	fi
	same_command "$rfw_pid" "$@"
}

reload_daemon_alone() { # NUM PIDFILE BINARY WORDS...
	local rda_num="$1" rda_pidfile="$2" rda_binary="$3" rda_pid rda_queue rda_file
	shift 3
	if rda_pid=$(daemon_pid "$rda_pidfile" "$rda_binary"); then
		rda_queue=$(queue_of_options "$@")
		rda_file=$(daemon_file "$rda_queue")
		if runs_from_file "$rda_pid" "$rda_binary" "$rda_queue"; then
			reload_file "$rda_num" "$rda_binary" "$rda_pid" "$rda_file" "$rda_queue" "$@"
			[ $? = 2 ] || return 0
		elif runs_from_words "$rda_pid" "$rda_queue" "$rda_binary" "$@"; then
			send_reload_of_lists "$rda_binary" "$rda_pid"
			return 0
		elif ! would_start "$rda_binary" "$@"; then
			keep_daemon "$rda_num"
			return 0
		fi
		echo "daemon $rda_num is started again for its new options"
		stop_daemon_alone "$rda_num" "$rda_binary"
	fi
	run_daemon_alone "$rda_num" "$rda_pidfile" "$rda_binary" "$@"
}

stop_if_unwanted() { # NUM BINARY QNUM
	find_str_in_list "$1" "$RELOADED_DAEMONS" || stop_daemon "$1" "$2"
}

# Those of the config, each by the gentlest way; those that are not in it any more end.
zapret_reload_daemons() {
	RELOADED_DAEMONS=
	KEPT_DAEMONS=
	DAEMON_VERB=reload
	zapret_run_daemons
	DAEMON_VERB=
	for_each_started stop_if_unwanted
}

# Rules change with a strategy only where their numbers follow from it, and with the daemon: what it has not taken
# is not theirs either.
rules_have_changed() {
	! find_str_in_list "$STANDARD_DAEMON" "$KEPT_DAEMONS" && auto_settings_changed
}

zapret_reload() {
	zapret_reload_daemons
	[ "$INIT_APPLY_FW" = 1 ] || return 0
	rules_have_changed || return 0
	zapret_restart_firewall
}

# --- main process -----------------------------------------------------------------------------------

# As pid_alive, but without another process: this is asked all the time.
still_alive() { # PID
	local sa_line
	[ -r "/proc/$1/stat" ] && read -r sa_line 2>/dev/null <"/proc/$1/stat" || return 1
	case ${sa_line##*)} in
	' '[ZX]*) return 1 ;;
	esac
	return 0
}

count_living() { # NUM BINARY QNUM
	local cl_pidfile cl_pid
	DAEMONS_STARTED=$((DAEMONS_STARTED + 1))
	cl_pidfile=$(daemon_pidfile "$1" "$2")
	for cl_pid in "$cl_pidfile" "$(watch_file "$cl_pidfile")"; do
		if [ -f "$cl_pid" ] && read -r cl_pid <"$cl_pid" && is_number "$cl_pid" && still_alive "$cl_pid"; then
			return 0
		fi
	done
	DAEMONS_ENDED="${DAEMONS_ENDED:+$DAEMONS_ENDED, }$1"
	DAEMONS_DEAD=$((DAEMONS_DEAD + 1))
}

count_daemons() {
	DAEMONS_STARTED=0
	DAEMONS_DEAD=0
	DAEMONS_ENDED=
	for_each_started count_living
}

tell_manager() { # SOCKET WORDS...
	[ -n "$1" ] && exists systemd-notify || return 0
	NOTIFY_SOCKET="$1"
	export NOTIFY_SOCKET
	shift
	systemd-notify "$@"
	unset NOTIFY_SOCKET
}

state_text() {
	if [ -n "$DAEMONS_ENDED" ]; then
		echo "daemon $DAEMONS_ENDED has ended, see the log"
	elif [ "$ZAPRET_FAILED" = 1 ]; then
		echo "$DAEMONS_STARTED daemon(s) run, but a part has failed, see the log"
	else
		echo "$DAEMONS_STARTED daemon(s) run"
	fi
}

# Stays as long as a daemon of the service lives, so that a service manager sees the end of the last one as a
# failure; the rules go with it. START and STOP are the functions that do the work. Who stops or restarts daemons behind the
# manager's back is not punished: no daemon is an end only when that was not done within MAIN_PATIENCE looks.
zapret_main() { # START STOP
	local zm_manager="$NOTIFY_SOCKET" zm_before zm_empty=0
	unset NOTIFY_SOCKET
	trap 'exit 0' TERM INT
	"$1"
	count_daemons
	if [ "$DAEMONS_STARTED" = "$DAEMONS_DEAD" ] && [ "$ZAPRET_FAILED" = 1 ]; then
		"$2"
		exit 1
	fi
	zm_before=$(state_text)
	tell_manager "$zm_manager" --ready --status="$zm_before"
	[ "$DAEMONS_STARTED" != 0 ] || zm_empty=-1 # rules only: there is nobody to wait for
	while :; do
		sleep "${MAIN_PAUSE:-2}" &
		wait $!
		count_daemons
		if [ "$DAEMONS_STARTED" = 0 ]; then
			[ "$zm_empty" -ge 0 ] || continue
			zm_empty=$((zm_empty + 1))
			[ "$zm_empty" -lt "${MAIN_PATIENCE:-5}" ] || exit 0
			continue
		fi
		zm_empty=0
		if [ "$DAEMONS_STARTED" = "$DAEMONS_DEAD" ]; then
			zapret_failed "no daemon runs any more"
			"$2"
			exit 1
		fi
		ZAPRET_FAILED=0
		[ "$(state_text)" != "$zm_before" ] || continue
		zm_before=$(state_text)
		[ -z "$DAEMONS_ENDED" ] || zapret_failed "daemon $DAEMONS_ENDED has ended"
		tell_manager "$zm_manager" --status="$zm_before"
	done
}
