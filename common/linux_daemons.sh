# The standard daemon and those of the custom scripts. Sourced.
# shellcheck shell=dash

standard_mode_daemons() { # MODE
	local opt workers offload
	[ "$NFQWS2_ENABLE" = 1 ] || return 0
	warn_about_options "$NFQWS2_OPT"
	[ "$1" != 1 ] || check_placeholders NFQWS2_OPT "$NFQWS2_OPT" || return 1
	standard_workers workers
	[ "$workers" = 1 ] && workers='' || workers=" --workers=$workers"
	standard_offload_mark offload
	opt="--qnum=$QNUM$workers${offload:+ --offload-mark=$offload} $NFQWS2_OPT"
	filter_apply_hostlist_target opt
	do_nfqws "$1" 1 "$opt"
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
