# What the user gets to see and to keep. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant

# --- on the console -----------------------------------------------------------------------------

show_attempt() { # N CODE ERROR
	local prefix=''
	progress_clear
	[ "$REPEATS" -gt 1 ] && prefix="[attempt $1] "
	if [ "$2" != 0 ]; then
		printf '%s\n' "$prefix${3:-failed with code $2}"
	elif [ "$REPEATS" -gt 1 ]; then
		echo "${prefix}AVAILABLE"
	fi
}

show_attempts() { # all of R_LIST
	local n=0 line old_ifs="$IFS" error
	IFS=$NL
	set -f
	# shellcheck disable=SC2086 # one word a line
	set -- $R_LIST
	IFS=$old_ifs
	set +f
	for line; do
		n=$((n + 1))
		error=${line#*|*|*|*|*|*|}
		show_attempt $n "${line%%|*}" "$error"
	done
}

show_result() {
	progress_clear
	case $R_CODE in
	0) echo "$INK_GOOD!!!!! AVAILABLE !!!!!$INK_END" ;;
	"$CODE_SUSPICIOUS") echo "${INK_BAD}UNAVAILABLE$INK_END" ;;
	"$CODE_INVALID") echo "${INK_BAD}ERROR invalid strategy$INK_END : $R_ERROR" ;;
	"$CODE_DAEMON") echo "${INK_BAD}ERROR $PKTWSD failed$INK_END : $R_ERROR" ;;
	*) echo "${INK_BAD}UNAVAILABLE code=$R_CODE$INK_END" ;;
	esac
}

# --- the report ---------------------------------------------------------------------------------

report_add() { # TESTF DOMAIN VALUE
	printf '%s\n' "$1 ipv$IPV $2 : $3" >>"$WORK/report"
}

report_summary() {
	local domains
	# shellcheck disable=SC2086 # a list of words
	domains=$(unique $DOMAINS | wc -w)
	echo
	echo "$INK_HEAD* SUMMARY$INK_END"
	cat "$WORK/report"
	if [ "$domains" -gt 1 ]; then
		echo
		echo '* COMMON'
		awk -v domains="$domains" '
			{
				key = $1 " " $2 substr($0, length($1 $2 $3) + 3)
				if (!((key, $3) in seen)) {
					seen[key, $3] = 1
					if (!(key in count)) order[++n] = key
					count[key]++
				}
			}
			END { for (i = 1; i <= n; i++) if (count[order[i]] == domains) print order[i] }
		' "$WORK/report"
		echo
		echo '* COVERAGE'
		report_coverage "$domains"
		[ "$SCANLEVEL" = force ] ||
			echo "the intersection is only reliable with SCANLEVEL=force: other levels do not test every strategy for every domain"
	fi
	echo
	kind_dns
	report_kinds
	report_options
	report_learn
	report_rules
	cat <<-'ADVICE'
		Please note this SUMMARY does not guarantee a magic pill for you to copy/paste and be happy.
		Understanding how strategies work is very desirable.
		This knowledge allows to understand better which strategies to prefer and which to avoid if possible, how to combine strategies.
		Blockcheck does it's best to prioritize good strategies but it's not bullet-proof.
		It was designed not as magic pill maker but as a DPI bypass test tool.
	ADVICE
}

# Every strategy that worked somewhere, by the number of domains.
report_coverage() { # DOMAINS
	awk -v domains="$1" '
		$5 != "nfqws2" || substr($0, length($1 $2 $3 $4 $5) + 6) == "not working" { next }
		{
			key = $1 " " $2 substr($0, length($1 $2 $3) + 3)
			if (!((key, $3) in seen)) {
				seen[key, $3] = 1
				if (!(key in count)) order[++n] = key
				count[key]++
			}
		}
		END {
			for (wanted = domains; wanted >= 1; wanted--)
				for (i = 1; i <= n; i++)
					if (count[order[i]] == wanted) print wanted "/" domains " : " order[i]
		}
	' "$WORK/report"
}

# What reports of the file "works" share: its lines by protocol and strategy, and which of two is better. awk.
# shellcheck disable=SC2016 # of awk
WORKS_AWK='
	function class(t) { return t == "curl_test_http" ? 1 : t == "curl_test_http3" ? 3 : 2 }
	function acts_early(t) {
		if (t ~ /--payload=empty/ || !match(t, /--payload=(http_req|tls_client_hello|quic_initial)/)) return 1
		return index(t, "--lua-desync=") < RSTART
	}
	function better(id, than) {
		if (places[id] != places[than]) return places[id] > places[than]
		if (good[id] * all[than] != good[than] * all[id]) return good[id] * all[than] > good[than] * all[id]
		return early[id] < early[than]
	}
	function note_line(    c, id) {
		c = class($1)
		id = c SUBSEP $6
		if (!(id in places)) { order[++n] = id; kind[id] = c; text[id] = $6; early[id] = acts_early($6) }
		places[id]++; good[id] += $4; all[id] += $5
	}
	BEGIN {
		name[1] = "http"; name[2] = "tls"; name[3] = "quic"
		filter[1] = "--filter-tcp=" http; filter[2] = "--filter-tcp=" https; filter[3] = "--filter-udp=" quic
		list[1] = list[2] = "<HOSTLIST>"; list[3] = "<HOSTLIST_NOAUTO>"
	}'

# Of each protocol the strategy that works for the most domains and versions, then the most stable one,
# then one that only acts on the message, then the first. What acts before the message cannot wait until
# protocol and name are known, so nothing of it may stand in the profile's filter.
report_options() {
	[ -s "$WORK/works" ] || return 0
	awk -F '\t' -v http="$HTTP_PORT" -v https="$HTTPS_PORT" -v quic="$QUIC_PORT" -v options="$WORK/options" \
		"$WORKS_AWK"'
		{ note_line() }
		END {
			for (i = 1; i <= n; i++) {
				c = kind[order[i]]
				if (!(c in best) || better(order[i], best[c])) best[c] = order[i]
			}
			for (c = 1; c <= 3; c++) {
				if (!(c in best)) continue
				if (!some++) print "* NFQWS2_OPT, ready to paste into config\n"
				id = best[c]
				printf "# %s: %d of %d attempts good in %d test%s%s\n", name[c], good[id], all[id], places[id],
					(places[id] > 1 ? "s" : ""), (early[id] ? "; acts before the name is known, so on all sites" : "")
				out = out (out == "" ? "" : "--new\n") filter[c] \
					(early[id] ? "" : " --filter-l7=" name[c] " " list[c]) " " text[id] "\n"
			}
			if (out != "") print "NFQWS2_OPT=\"\n" out "\"\n"
			printf "%s", out >options
		}' "$WORK/works"
}

# The service makes them itself; who starts the program alone needs them beside the options.
report_rules() {
	local file="$WORK/learn" kind=iptables
	[ -s "$file" ] || file="$WORK/options"
	[ -s "$file" ] || return 0
	[ "$FWTYPE" = nftables ] && kind=nft
	set -f
	# shellcheck disable=SC2046 # words of NFQWS2_OPT, without the service's placeholders
	set -- $(sed 's/<[A-Z_]*>//g' "$file")
	set +f
	"$NFQWS2" --qnum=300 "$@" --print-rules=$kind >"$WORK/rules" 2>/dev/null </dev/null || return 0
	echo "* rules that show the last options all packets they need, for those who start nfqws2 without the service"
	echo
	cat "$WORK/rules"
	echo
}

# Remembers a strategy that works, for report_options. The config is read by a shell, and the service
# splits NFQWS2_OPT at blanks, so words that would suffer cannot stand there.
works_add() { # TESTF DOMAIN QUOTED-WORDS
	local testf="$1" dom="$2" word
	eval "set -- $3"
	for word; do
		case $word in
		*[[:space:]\"\$\`\\]*) return 0 ;;
		esac
	done
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$testf" "$IPV" "$dom" "$R_OK" "$R_N" "$*" >>"$WORK/works"
}

# --- resuming -----------------------------------------------------------------------------------

# RESUME=file keeps a line for every result: TESTF IPV DOMAIN REPEATS WORDS CODE N OK ERROR, separated
# by tabs. A strategy found there is not tested again. The same run asks in the same order, so reading
# on usually finds the next one.

resume_setup() {
	[ -n "$RESUME" ] || return 0
	[ -e "$RESUME" ] || echo "# results of blockcheck2, for RESUME" >"$RESUME" || die 1 "cannot write '$RESUME'"
	# An interrupted write must not spoil the next line.
	[ -z "$(tail -c 1 "$RESUME")" ] || echo >>"$RESUME"
	[ -w "$RESUME" ] || die 1 "cannot write '$RESUME'"
}

resume_begin() { # TESTF DOMAIN
	RESUME_LEFT=0
	[ -n "$RESUME" ] || return 0
	awk -F '\t' -v t="$1" -v v="$IPV" -v d="$2" -v r="$REPEATS" \
		'NF == 9 && $1 == t && $2 == v && $3 == d && $4 == r' "$RESUME" >"$WORK/resume"
	[ -s "$WORK/resume" ] && RESUME_LEFT=1
	RESUME_ASTRAY=0
	exec 4<"$WORK/resume"
}

resume_take() { # LINE
	local rest="${1#"$RESUME_KEY"}"
	result_clear
	R_CODE=${rest%%"$TAB"*}
	rest=${rest#*"$TAB"}
	R_N=${rest%%"$TAB"*}
	rest=${rest#*"$TAB"}
	R_OK=${rest%%"$TAB"*}
	R_ERROR=${rest#*"$TAB"-}
}

resume_find() { # TESTF DOMAIN QUOTED: the result kept for a strategy
	local line
	[ -n "$RESUME" ] || return 1
	RESUME_KEY=$1$TAB$IPV$TAB$2$TAB$REPEATS$TAB$PKTWS_PRE$3$PKTWS_POST$TAB
	[ "$RESUME_LEFT" = 1 ] || return 1
	if [ "$RESUME_ASTRAY" = 0 ]; then
		if ! IFS= read -r line <&4; then
			RESUME_LEFT=0
			return 1
		fi
	else
		line=$(KEY=$RESUME_KEY awk 'index($0, ENVIRON["KEY"]) == 1 { print; exit }' "$WORK/resume")
	fi
	if ! starts_with "$line" "$RESUME_KEY"; then
		[ "$RESUME_ASTRAY" = 1 ] && return 1
		RESUME_ASTRAY=1
		resume_find "$@"
		return
	fi
	resume_take "$line"
}

resume_keep() { # QUOTED
	[ -n "$RESUME" ] || return 0
	contains "$1$R_ERROR" "$TAB" && return 0
	printf '%s\n' "$RESUME_KEY$R_CODE$TAB$R_N$TAB$R_OK$TAB-$R_ERROR" >>"$RESUME"
}
