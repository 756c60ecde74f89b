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
	json_summary
	result_html
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

# --- a page to show to somebody -----------------------------------------------------------------------

RESULT_HTML_AWK='
	function html(t) {
		gsub(/&/, "\\&amp;", t); gsub(/</, "\\&lt;", t); gsub(/>/, "\\&gt;", t); gsub(/"/, "\\&quot;", t)
		return t
	}
	function head(title) { print (section++ ? "</section>" : "") "<section><h2>" html(title) "</h2>" }
	function row(a, b, c) { print "<tr><td>" html(a) "</td><td>" html(b) "</td><td>" html(c) "</td></tr>" }
	function test(t) { return toupper(substr(t, 11)) }
	function file_text(name,    line, all) {
		while ((getline line < name) > 0) all = all line "\n"
		close(name)
		return all
	}
	FILENAME == reportfile {
		key = test($1) " " $2 " " $3
		if (!(key in result)) order[++n] = key
		value = substr($0, length($1 $2 $3) + 6)
		if (value ~ /^nfqws2 / && value != "nfqws2 not working") {
			if (!count[key]++) first[key] = value
			result[key] = count[key] " strategies work"
			list = list "<li><b>" html(key) "</b> <code>" html(value) "</code></li>\n"
		} else if (!(key in result) || !count[key]) result[key] = value == "nfqws2 not working" ? "no strategy works" : value
		next
	}
	FILENAME == kindfile {
		split($0, f, "\t")
		kinds = kinds "<tr><td>" html(f[1] == "dns" ? "DNS" : test(f[1]) " ipv" f[2] " " f[3]) "</td><td>" html(f[4]) "</td><td>" html(f[5]) "</td></tr>\n"
	}
	END {
		print "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>blockcheck2</title>"
		print "<meta name=\"viewport\" content=\"width=device-width\"><style>"
		print ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:60rem;margin:2rem auto;padding:0 1rem}"
		print "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #8886;overflow-wrap:anywhere}"
		print "pre{padding:1rem;overflow-x:auto;background:#8882}code{overflow-wrap:anywhere}h2{margin-top:2rem}</style></head><body>"
		print "<h1>blockcheck2</h1><p>" html(about) "</p>"
		head("What was found")
		print "<table><tr><th>test</th><th>result</th><th>first strategy</th></tr>"
		for (i = 1; i <= n; i++) row(order[i], result[order[i]], first[order[i]])
		print "</table>"
		if (kinds != "") {
			head("Kind of blocking")
			print "<table><tr><th>test</th><th>kind</th><th>evidence</th></tr>" kinds "</table>"
		}
		options = file_text(optionsfile)
		if (options != "") { head("NFQWS2_OPT for the config"); print "<pre>" html("NFQWS2_OPT=\"\n" options "\"") "</pre>" }
		learn = file_text(learnfile)
		if (learn != "") { head("NFQWS2_OPT that learns"); print "<pre>" html("NFQWS2_OPT=\"\n" learn "\"") "</pre>" }
		rules = file_text(rulesfile)
		if (rules != "") { head("Rules for the firewall"); print "<details><summary>only without the service</summary><pre>" html(rules) "</pre></details>" }
		if (list != "") { head("All that works"); print "<details><summary>" n " tests</summary><ul>\n" list "</ul></details>" }
		print "</section></body></html>"
	}'

result_html() {
	local about
	[ -n "$BLOCKCHECK_HTML" ] || return 0
	about="$(date) - $KERNEL - $CURL_VERSION - firewall $FWTYPE - DNS $DNS_VERDICT - SCANLEVEL=$SCANLEVEL - sites: $DOMAINS"
	ABOUT=$about awk -v reportfile="$WORK/report" -v kindfile="$WORK/kinds" -v optionsfile="$WORK/options" \
		-v learnfile="$WORK/learn" -v rulesfile="$WORK/rules" 'BEGIN { about = ENVIRON["ABOUT"] }'"$RESULT_HTML_AWK" \
		"$WORK/report" "$WORK/kinds" >"$BLOCKCHECK_HTML"
}
