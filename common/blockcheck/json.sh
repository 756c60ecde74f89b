# Results for programs and for other people: JSON, and a page. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2015,SC2034,SC2153,SC2154 # variables go between the parts; A && B || C is meant
#
# blockprobe writes them (src/probe/report.hpp): each result as soon as it is there, by a process that reads them from
# descriptor 7; all of it at the end, from the files of the run's folder.

json_setup() {
	[ -z "$BLOCKCHECK_JSON$BLOCKCHECK_HTML" ] || "$BLOCKPROBE" --help >/dev/null 2>&1 ||
		die 6 "$BLOCKPROBE, which writes --json and --html, is not available. build it or run \`$ZAPRET_BASE/install_bin.sh\`"
	[ -n "$BLOCKCHECK_JSON" ] || return 0
	WANT_STATISTICS=1
	true >"$BLOCKCHECK_JSON" || die 1 "cannot write '$BLOCKCHECK_JSON'"
	mkfifo "$WORK/records"
	"$BLOCKPROBE" --report=results <"$WORK/records" >>"$BLOCKCHECK_JSON" &
	JSON_WRITER=$!
	exec 7>"$WORK/records"
}

json_end() { # what was written is in the file then
	[ -n "$JSON_WRITER" ] || return 0
	exec 7>&-
	end_at_last "$JSON_WRITER"
	JSON_WRITER=
}

json_result() { # TESTF DOMAIN QUOTED-WORDS
	[ -n "$JSON_WRITER" ] || return 0
	printf '%s\037%s\037%s\037%s\037%s\037%s\037%s\n%s\n%s\n' "$1" "$IPV" "$2" "$SCRIPT" "$R_CODE" \
		"${RESUMED:-false}" "$R_ERROR" "$3" "$R_LIST" >&7
}

fact() { # NAME VALUE
	local value="$2"
	contains "$value" "$NL" && value=$(replace_str "$NL" ' ' "$value")
	printf '%s\t%s\n' "$1" "$value"
}

report_facts() {
	{
		fact time "$(date +%s)"
		fact about "$(date) - $KERNEL - $CURL_VERSION - firewall $FWTYPE - DNS $DNS_VERDICT - SCANLEVEL=$SCANLEVEL - sites: $DOMAINS"
		fact test "$TEST"
		fact curl "$CURL_VERSION"
		fact nfqws2 "$("$NFQWS2" --version 2>/dev/null | head -n 1)"
		fact kernel "$KERNEL"
		fact firewall "$FWTYPE"
		fact dns "$DNS_VERDICT"
		fact secure_dns "$SECURE_DNS"
		fact domains "$DOMAINS"
		fact ipvs "$IPVS"
		fact scanlevel "$SCANLEVEL"
		fact repeats "$REPEATS"
		fact engine "$ENGINE"
	} >"$WORK/facts"
}

report_written() { # FORM: prints it
	"$BLOCKPROBE" --folder="$WORK" --report="$1"
}

# For programs, for who shall be shown a page, and what is kept of the last run.
report_files() {
	[ -n "$BLOCKCHECK_JSON$BLOCKCHECK_HTML" ] || last_wanted || return 0
	report_facts
	if [ -n "$BLOCKCHECK_JSON" ]; then
		json_end
		report_written json >>"$BLOCKCHECK_JSON" || echo "cannot write '$BLOCKCHECK_JSON'"
	fi
	if last_wanted && report_written last >"$WORK/summary.json" 2>/dev/null; then
		last_keep "$WORK/summary.json"
	fi
	[ -z "$BLOCKCHECK_HTML" ] || report_written html >"$BLOCKCHECK_HTML" || echo "cannot write '$BLOCKCHECK_HTML'"
}

# --- the last run ---------------------------------------------------------------------------------

# `nfqws2ctl serve` shows it, so it outlives a restart, and others may read it. Nothing depends on it.
last_wanted() {
	[ "$BLOCKCHECK_LAST" != 0 ] && [ "$SIMULATE" != 1 ] && [ "$SKIP_PKTWS" != 1 ]
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
