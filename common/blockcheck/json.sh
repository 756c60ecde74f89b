# Results for programs: JSON. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2016,SC2034,SC2153,SC2154 # programs of awk; variables go between the parts; A && B || C is meant

json_setup() {
	[ -n "$BLOCKCHECK_JSON" ] || return 0
	WANT_STATISTICS=1
	true >"$BLOCKCHECK_JSON" || die 1 "cannot write '$BLOCKCHECK_JSON'"
}

json_head() { # TESTF DOMAIN[/URI]: JSON_HEAD
	domain_only "$2"
	json_str "$HOST"
	JSON_HEAD="{\"time\":$(seconds_now),\"domain\":$JSON_STR"
	json_str "${URI:-/}"
	JSON_HEAD="$JSON_HEAD,\"uri\":$JSON_STR,\"ipv\":$IPV,\"protocol\":\"${1#curl_test_}\",\"test\":\"$1\""
	json_str "$SCRIPT"
	JSON_HEAD="$JSON_HEAD,\"script\":$JSON_STR"
}

json_attempts() { # JSON_ATTEMPTS from R_LIST
	local code status bytes ms connected ip error n=0
	JSON_ATTEMPTS=
	while IFS='|' read -r code status bytes ms connected ip error; do
		[ -n "$code" ] || continue
		n=$((n + 1))
		json_str "$error"
		# connected only serves the fast engine
		: "$connected"
		JSON_ATTEMPTS="$JSON_ATTEMPTS${JSON_ATTEMPTS:+,}{\"n\":$n,\"ip\":\"$ip\",\"code\":$code,\"http_status\":${status:-0},\"bytes\":${bytes:-0},\"ms\":${ms:-0},\"error\":$JSON_STR}"
	done <<-LIST
		$R_LIST
	LIST
}

json_result() { # TESTF DOMAIN VERDICT ARGV...
	local verdict="$3"
	[ -n "$BLOCKCHECK_JSON" ] || return 0
	json_head "$1" "$2"
	shift 3
	json_array "$@"
	json_attempts
	json_str "$R_ERROR"
	printf '%s\n' "$JSON_HEAD,\"argv\":$JSON_ARRAY,\"attempts\":[$JSON_ATTEMPTS],\"code\":$R_CODE,\"error\":$JSON_STR,\"resumed\":${RESUMED:-false},\"verdict\":\"$verdict\"}" >>"$BLOCKCHECK_JSON"
}

json_lines() { # FILE: JSON_ARRAY becomes an array of its lines
	JSON_ARRAY="[$(LC_ALL=C awk "$JSON_AWK"'{ printf "%s\"%s\"", (NR > 1 ? "," : ""), json($0) }' "$1")]"
}

json_text() { # NAME FILE: JSON_MEMBER becomes a member with the text of a file, which need not be there
	json_str "$(cat "$2" 2>/dev/null)"
	JSON_MEMBER="\"$1\":$JSON_STR"
}

# The whole run as one object: the last line of --json, and what is kept of the last run.
json_summary() {
	local text time
	[ -n "$BLOCKCHECK_JSON" ] || last_wanted || return 0
	time=$(seconds_now)
	json_kinds
	text="\"blocking\":[$JSON_KINDS]"
	json_str "$TEST"
	text="$text,\"test\":$JSON_STR"
	json_str "$CURL_VERSION"
	text="$text,\"curl\":$JSON_STR"
	json_str "$("$NFQWS2" --version 2>/dev/null | head -n 1)"
	text="$text,\"nfqws2\":$JSON_STR"
	json_str "$KERNEL"
	text="$text,\"kernel\":$JSON_STR"
	json_str "$DOMAINS"
	text="$text,\"firewall\":\"$FWTYPE\",\"dns\":\"$DNS_VERDICT\",\"secure_dns\":\"$SECURE_DNS\",\"domains\":$JSON_STR"
	text="$text,\"ipvs\":\"$IPVS\",\"scanlevel\":\"$SCANLEVEL\",\"repeats\":$REPEATS,\"engine\":\"$ENGINE\""
	json_text options "$WORK/options"
	text="$text,$JSON_MEMBER"
	json_text learn "$WORK/learn"
	text="$text,$JSON_MEMBER}"
	[ -z "$BLOCKCHECK_JSON" ] || {
		json_lines "$WORK/report"
		printf '%s\n' "{\"time\":$time,\"summary\":$JSON_ARRAY,$text" >>"$BLOCKCHECK_JSON"
	}
	last_wanted || return 0
	last_shorten
	json_lines "$WORK/report.last"
	printf '%s\n' "{\"time\":$time,\"summary\":$JSON_ARRAY,\"counts\":{$(cat "$WORK/counts")},$text" >"$WORK/summary.json"
	last_keep "$WORK/summary.json"
}

# --- the last run ---------------------------------------------------------------------------------

# `nfqws2ctl serve` shows it, so it outlives a restart, and others may read it. Nothing depends on it.
last_wanted() {
	[ "$BLOCKCHECK_LAST" != 0 ] && [ "$SIMULATE" != 1 ] && [ "$SKIP_PKTWS" != 1 ]
}

# Thousands of strategies may work, and the page of nfqws2ctl takes files of 4 MB: the first ones of each test stand in the
# file, and how many work (counts).
last_shorten() {
	LC_ALL=C awk -v counts="$WORK/counts" "$JSON_AWK"'
		{
			test = $1 " " $2 " " $3
			if (!(test in seen)) order[++tests] = test
			if (++seen[test] == 1 || (seen[test] <= 20 && kept < 8000)) { print; kept++ }
			found = substr($0, index($0, " : ") + 3)
			count[test] += found ~ /^nfqws2 / && found != "nfqws2 not working"
		}
		END {
			printf "" >counts
			for (i = 1; i <= tests; i++) printf "%s\"%s\":%d", (i > 1 ? "," : ""), json(order[i]), count[order[i]] >counts
		}' "$WORK/report" >"$WORK/report.last"
}

last_keep() { # FILE
	local file="$BLOCKCHECK_LAST"
	[ ! -d "$file" ] || {
		echo "the result cannot be kept in $file: it is a folder"
		return 0
	}
	(
		umask 022
		case $file in
		*/*) mkdir -p "${file%/*}/" || exit 1 ;;
		esac
		# Nobody's file is followed: a new one takes the place.
		rm -f "$file.$$" && (set -C && cat "$1" >"$file.$$") && mv -f "$file.$$" "$file" && exit 0
		rm -f "$file.$$"
		exit 1
	) 2>/dev/null || echo "the result cannot be kept in $file"
}
