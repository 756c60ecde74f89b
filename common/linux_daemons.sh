# The standard daemon and those of the custom scripts. Sourced.
# shellcheck shell=dash

STANDARD_DAEMON=1 # its number

standard_daemon_options() { # VAR: those of the standard daemon that are its own
	local sdo_opt sdo_workers sdo_offload sdo_states
	standard_workers sdo_workers
	[ "$sdo_workers" = 1 ] && sdo_workers='' || sdo_workers=" --workers=$sdo_workers"
	standard_offload_mark sdo_offload
	standard_state_mark sdo_states
	# shellcheck disable=SC2034 # the next lines read it by its name
	sdo_opt="--qnum=$QNUM$sdo_workers${sdo_offload:+ --offload-mark=$sdo_offload}${sdo_states:+ --ct-state-mark=$sdo_states}${NFQWS2_RULES:+ --rules=$NFQWS2_RULES} $NFQWS2_OPT"
	filter_apply_hostlist_target sdo_opt
	eval "$1=\$sdo_opt"
}

check_rules_path() { # the options are split at blanks
	case $NFQWS2_RULES in
	*[[:space:]]*)
		zapret_failed "NFQWS2_RULES must be a path without blanks: $NFQWS2_RULES"
		;;
	esac
}

standard_mode_daemons() { # MODE
	local opt
	if [ "$1" != 1 ]; then
		# What runs ends, whatever stands in the config now.
		[ "$NFQWS2_ENABLE" = 1 ] || was_started "$STANDARD_DAEMON" || return 0
		do_nfqws "$1" "$STANDARD_DAEMON"
		return
	fi
	[ "$NFQWS2_ENABLE" = 1 ] || return 0
	warn_about_options "$NFQWS2_OPT"
	if ! check_rules_path || ! check_placeholders NFQWS2_OPT "$NFQWS2_OPT"; then
		keep_daemon "$STANDARD_DAEMON"
		return 1
	fi
	standard_daemon_options opt
	do_nfqws "$1" "$STANDARD_DAEMON" "$(queued_replies)$opt"
}

# Detectors judge by what does not come only if they know how many incoming packets of a connection are queued.
queued_replies() { # prints options, each with a blank behind it
	case $NFQWS2_OPT in
	*--lua-desync=learn* | *--lua-desync=circular*) ;;
	*) return 0 ;;
	esac
	(
		fill_auto_settings >/dev/null || exit 0
		queued_replies_option in_pkts_tcp "$NFQWS2_TCP_PKT_IN"
		queued_replies_option in_pkts_udp "$NFQWS2_UDP_PKT_IN"
	)
}

queued_replies_option() { # GLOBAL PACKETS
	case $2 in
	keepalive) printf -- '--lua-init=%s=1e9 ' "$1" ;;
	'' | 0 | *[!0-9]*) ;;
	*) printf -- '--lua-init=%s=%s ' "$1" "$2" ;;
	esac
}

# --- settings that follow from the strategy -------------------------------------------------------

AUTO_SETTINGS='NFQWS2_PORTS_TCP NFQWS2_TCP_PKT_OUT NFQWS2_TCP_PKT_IN
NFQWS2_PORTS_UDP NFQWS2_UDP_PKT_OUT NFQWS2_UDP_PKT_IN'

# Prints NAME=VALUE for each of these settings, as the standard daemon's options need it.
settings_of_strategy() {
	local sos_opt sos_user="--user=$WS_USER"
	if existf select_user; then
		select_user
		sos_user=$WS_USER_OPT
	fi
	standard_daemon_options sos_opt
	(
		set -f
		# shellcheck disable=SC2086 # options are texts, blanks separate the words
		"$NFQWS2" $sos_user --fwmark="$DESYNC_MARK" $sos_opt --print-rules=service
	)
}

auto_settings() { # prints the names of those that are `auto`
	local as_name as_value
	for as_name in $AUTO_SETTINGS; do
		eval "as_value=\$$as_name"
		[ "$as_value" != auto ] || printf '%s\n' "$as_name"
	done
}

AUTO_SETTINGS_FILE=auto-settings # of ZAPRET_RUN

# Gives each setting that is `auto` its value. Sets AUTO_SETTINGS_ANSWER to what the program has said.
fill_auto_settings() {
	local fas_name fas_value fas_wanted
	AUTO_SETTINGS_ANSWER=
	fas_wanted=$(auto_settings)
	[ -n "$fas_wanted" ] || return 0
	if ! AUTO_SETTINGS_ANSWER=$(settings_of_strategy); then
		zapret_failed "no rules for the standard daemon: what is auto needs options that the program takes"
		return 1
	fi
	for fas_name in $fas_wanted; do
		fas_value=$(printf '%s\n' "$AUTO_SETTINGS_ANSWER" | sed -n "s/^$fas_name=\([0-9a-z,-]*\)\$/\1/p")
		eval "$fas_name=\$fas_value"
		echo "$fas_name=$fas_value (auto)"
	done
}

# The same for rules that are set with these values. Only they are noted: a look must not hide from a later one
# that the rules in force have other values.
fill_auto_settings_of_rules() {
	fill_auto_settings || return 1
	[ -z "$AUTO_SETTINGS_ANSWER" ] || write_run_file "$AUTO_SETTINGS_FILE" "$AUTO_SETTINGS_ANSWER"
	return 0
}

# Would rules that are set now have other numbers than those that were set?
auto_settings_changed() {
	local asc_answer
	[ "$NFQWS2_ENABLE" = 1 ] && [ -n "$(auto_settings)" ] || return 1
	asc_answer=$(settings_of_strategy) || return 1
	[ "$asc_answer" != "$(cat "$ZAPRET_RUN/$AUTO_SETTINGS_FILE" 2>/dev/null)" ]
}

zapret_run_daemons() {
	standard_mode_daemons 1
	custom_runner zapret_custom_daemons 1
	return 0
}

zapret_stop_daemons() {
	standard_mode_daemons 0
	custom_runner zapret_custom_daemons 0
}

zapret_restart_daemons() {
	zapret_stop_daemons
	zapret_run_daemons
}
