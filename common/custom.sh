# Custom scripts: files of custom.d, each sourced once a phase. Sourced.
# shellcheck shell=dash

# Sources every custom script; calls FUNC where the script defines it.
custom_runner() { # FUNC ARGS...
	local zcr_func="$1" zcr_script
	[ "$DISABLE_CUSTOM" = 1 ] && return 0
	shift
	for zcr_script in "$CUSTOM_DIR/custom.d/"*; do
		[ -f "$zcr_script" ] || continue
		if has_windows_lines "$zcr_script"; then
			zapret_failed "$zcr_script has Windows line ends (CR LF) and is left out"
			continue
		fi
		unset -f "$zcr_func"
		# shellcheck disable=SC1090 # the user's file
		. "$zcr_script"
		existf "$zcr_func" || continue
		"$zcr_func" "$@"
	done
	unset -f "$zcr_func"
	return 0
}
