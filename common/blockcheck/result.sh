# The end: what is recommended, the long report in a file, taking the result over. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2016,SC2034,SC2153,SC2154 # programs of awk; variables go between the parts; A && B || C is meant

SHORT_SUMMARY=10 # lines on a terminal

# On a terminal the long report would push away what matters: it goes to a file there. REPORT_FILE: to this one. With
# BATCH=1 programs read it, and count its lines: it keeps its form.
# `true`, since a shell ends where a redirection of `:` fails.
result_setup() {
	[ -z "$REPORT_FILE" ] || true >"$REPORT_FILE" || die 1 "cannot write '$REPORT_FILE'"
	[ -z "$BLOCKCHECK_HTML" ] || true >"$BLOCKCHECK_HTML" || die 1 "cannot write '$BLOCKCHECK_HTML'"
	REPORT_SHORT=0
	[ -t 1 ] && [ "$BATCH" != 1 ] || return 0
	REPORT_SHORT=1
}

result_report() {
	# Only now: a run that was interrupted leaves none.
	[ "$REPORT_SHORT" = 0 ] || [ -n "$REPORT_FILE" ] ||
		REPORT_FILE=$(mktemp "${TMPDIR:-/tmp}/blockcheck2-report-XXXXXX") || REPORT_SHORT=0
	if [ "$REPORT_SHORT" = 1 ]; then
		{
			INK_HEAD='' INK_END=''
			report_summary
		} >"$REPORT_FILE"
		colours_setup
		result_summary
	elif [ -n "$REPORT_FILE" ]; then
		report_summary | tee "$REPORT_FILE"
	else
		report_summary
	fi
	result_recommend
	report_files
}

result_summary() {
	local count
	count=$(wc -l <"$WORK/report")
	echo
	echo "$INK_HEAD* SUMMARY$INK_END"
	head -n $SHORT_SUMMARY "$WORK/report"
	[ "$count" -le $SHORT_SUMMARY ] || echo "... and $((count - SHORT_SUMMARY)) more"
	echo
	report_kinds
}

# --- the recommendation -----------------------------------------------------------------------------

# What the config should have: the options that learn, if there are some, else the best ones.
result_options() {
	if [ -s "$WORK/learn" ]; then
		cat "$WORK/learn"
	elif [ -s "$WORK/options" ]; then
		cat "$WORK/options"
	fi
}

result_recommend() {
	[ -s "$WORK/report" ] && [ "$BATCH" != 1 ] || return 0
	echo
	echo "$INK_HEAD* RECOMMENDATION$INK_END"
	awk -F '\t' "$WORKS_AWK"'
		{ note_line() }
		END {
			for (i = 1; i <= n; i++) {
				c = kind[order[i]]
				count[c]++
				if (!(c in best) || better(order[i], best[c])) best[c] = order[i]
			}
			for (c = 1; c <= 3; c++) if (c in best)
				print name[c] " : " text[best[c]] " (best of " count[c] "; " good[best[c]] " of " all[best[c]] " attempts good)"
		}' "$WORK/works"
	grep -E ' : (working without bypass|nfqws2 not working|test aborted, .*)$' "$WORK/report"
	if [ "$REPORT_SHORT" = 1 ]; then
		if [ -s "$WORK/options" ]; then
			echo
			printf 'NFQWS2_OPT="\n%s\n"\n' "$(result_options)"
		fi
		echo
		echo "the whole report : $REPORT_FILE"
	fi
	return 0
}

# --- taking it over ---------------------------------------------------------------------------------

# Nobody is asked where nobody sits at a terminal, and where there is no config to write to.
result_offer() {
	local config="$ZAPRET_CONFIG"
	[ "$BATCH" != 1 ] && [ -t 0 ] && [ -t 1 ] && [ -s "$WORK/options" ] && [ -w "$ZAPRET_CONFIG" ] || return 0
	NFQWS2_OPT="
$(result_options)
" NFQWS2_ENABLE=1
	cp "$config" "$WORK/config"
	ZAPRET_CONFIG=$WORK/config
	result_write || config=
	ZAPRET_CONFIG=${config:-$ZAPRET_CONFIG}
	[ -n "$config" ] || return 0
	echo
	if exists diff; then
		diff -u "$config" "$WORK/config" | sed "1,2s,$WORK/config,$config (new),"
	fi
	ask_yes_no N "write it to the config $config and start the service" || return 0
	if ! result_write; then
		echo "the config can not be written"
		return 0
	fi
	echo "written."
	result_start
}

result_write() {
	write_config_var NFQWS2_OPT && write_config_var NFQWS2_ENABLE
}

result_start() {
	local script
	if exists systemctl && systemctl cat zapret2 >/dev/null 2>&1; then
		set -- systemctl restart zapret2
	elif exists rc-service && [ -e /etc/init.d/zapret2 ]; then
		set -- rc-service zapret2 restart
	else
		for script in /etc/init.d/zapret2 "$ZAPRET_BASE/init.d/sysv/zapret2"; do
			[ -x "$script" ] && break
		done
		set -- "$script" restart
	fi
	if "$@"; then
		echo "the service runs. To see that it works : nfqws2ctl doctor"
	else
		echo "the service did not start : $*"
	fi
}
