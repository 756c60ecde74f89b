# The lists of strategies: the placeholders <HOSTLIST> and <HOSTLIST_NOAUTO>. Sourced.
# shellcheck shell=dash disable=SC2034 # variables used through eval

HOSTLIST_MARKER='<HOSTLIST>'
HOSTLIST_NOAUTO_MARKER='<HOSTLIST_NOAUTO>'

# A placeholder that nobody knows is a mistake of writing; to the daemon it would be a strange word.
check_placeholders() { # NAME TEXT
	local cp_word
	for cp_word in $(printf '%s\n' "$2" | LC_ALL=C grep -o '<[A-Za-z_][A-Za-z0-9_-]*>' | sort -u); do
		case $cp_word in
		"$HOSTLIST_MARKER" | "$HOSTLIST_NOAUTO_MARKER") continue ;;
		esac
		zapret_failed "$1: unknown placeholder $cp_word. There are $HOSTLIST_MARKER and $HOSTLIST_NOAUTO_MARKER."
		return 1
	done
	return 0
}

# Adds " OPTION=FILE" to VAR; the compressed file is preferred, a file that does not exist left out.
append_list_option() { # VAR OPTION FILE
	local alo_file="$3" alo_value
	[ -f "$alo_file.gz" ] && alo_file="$alo_file.gz"
	[ -f "$alo_file" ] || return 0
	eval "alo_value=\"\$$1\""
	eval "$1=\"\${alo_value:+\$alo_value }\$2=\$alo_file\""
}

autohostlist_options() { # prints the options of the automatic list
	local result="--hostlist-auto=$HOSTLIST_BASE/zapret-hosts-auto.txt" name value
	for name in FAIL_THRESHOLD FAIL_TIME RETRANS_THRESHOLD RETRANS_RESET RETRANS_MAXSEQ \
		INCOMING_MAXSEQ UDP_IN UDP_OUT; do
		eval "value=\"\$AUTOHOSTLIST_$name\""
		[ -n "$value" ] && result="$result --hostlist-auto-$(tolower "$name" | tr _ -)=$value"
	done
	printf '%s\n' "$result"
}

# Replaces the placeholders in the text of a variable.
filter_apply_hostlist_target() { # VAR
	local fht_text fht_base='' fht_auto fht_noauto

	eval "fht_text=\"\$$1\""
	case $fht_text in
	*"$HOSTLIST_MARKER"* | *"$HOSTLIST_NOAUTO_MARKER"*) ;;
	*) return 0 ;;
	esac

	case $MODE_FILTER in
	hostlist | autohostlist)
		append_list_option fht_base --hostlist "$HOSTLIST_BASE/zapret-hosts-user.txt"
		append_list_option fht_base --hostlist "$HOSTLIST_BASE/zapret-hosts.txt"
		append_list_option fht_base --hostlist-exclude "$HOSTLIST_BASE/zapret-hosts-user-exclude.txt"
		;;
	esac
	fht_auto=$fht_base
	fht_noauto=$fht_base
	if [ "$MODE_FILTER" = autohostlist ]; then
		fht_auto="${fht_base:+$fht_base }$(autohostlist_options)"
		fht_noauto="${fht_base:+$fht_base }--hostlist=$HOSTLIST_BASE/zapret-hosts-auto.txt"
	fi
	fht_text=$(replace_str "$HOSTLIST_MARKER" "$fht_auto" "$fht_text")
	fht_text=$(replace_str "$HOSTLIST_NOAUTO_MARKER" "$fht_noauto" "$fht_text")
	if [ "$MODE_FILTER" = autohostlist ] && [ "$AUTOHOSTLIST_DEBUGLOG" = 1 ]; then
		fht_text="$fht_text --hostlist-auto-debug=$HOSTLIST_BASE/zapret-hosts-auto-debug.log"
	fi
	eval "$1=\$fht_text"
}

# Lists inside the program's folder go around MODE_FILTER and are lost with the folder.
warn_about_options() { # OPTIONS
	case " $1" in
	*"list=$ZAPRET_BASE/"* | *"list-exclude=$ZAPRET_BASE/"* | *"ipset=$ZAPRET_BASE/"* | *"ipset-exclude=$ZAPRET_BASE/"*)
		echo "WARNING: NFQWS2_OPT names a list inside $ZAPRET_BASE. The lists there belong to" \
			"MODE_FILTER and the placeholders <HOSTLIST> and <HOSTLIST_NOAUTO>; keep own lists elsewhere."
		;;
	esac
}
