#!/bin/sh
# Finds what opens a blocked site here: starts the daemon with one strategy after another, asks for the
# page with curl and reports what works. Settings are variables of the environment or of the config, or
# asked; --help lists them.
# shellcheck shell=dash disable=SC1090,SC1091,SC2015,SC2034,SC2154,SC2317 # parts are found at run time and
# use the variables here

EXEDIR=$(readlink -f "$0" 2>/dev/null) || EXEDIR=$0
EXEDIR=$(cd "$(dirname "$EXEDIR")" && pwd)
ZAPRET_BASE=${ZAPRET_BASE:-$EXEDIR}
[ -f "$ZAPRET_BASE/common/paths.sh" ] && . "$ZAPRET_BASE/common/paths.sh"
ZAPRET_RW=${ZAPRET_RW:-$ZAPRET_BASE}
ZAPRET_CONFIG=${ZAPRET_CONFIG:-$ZAPRET_RW/config}
ZAPRET_CONFIG_DEFAULT=$ZAPRET_BASE/config.default
BLOCKCHECK2D=${BLOCKCHECK2D:-$ZAPRET_BASE/blockcheck2.d}
PKTWSD=nfqws2

# What can be given in the environment; the config does not override it.
OWN_VARIABLES='BATCH TEST DOMAINS IPVS ENABLE_HTTP ENABLE_HTTPS_TLS12 ENABLE_HTTPS_TLS13 ENABLE_HTTP3
	REPEATS PARALLEL SCANLEVEL CURL CURL_MAX_TIME CURL_MAX_TIME_QUIC CURL_MAX_TIME_DOH CURL_OPT CURL_CMD
	CURL_VERBOSE CURL_HTTPS_GET CURL_PAD PAD_MAX_HEADER USER_AGENT HTTP_PORT HTTPS_PORT QUIC_PORT UNBLOCKED_DOM SKIP_DNSCHECK
	SKIP_IPBLOCK SKIP_KIND SKIP_PKTWS DNSCHECK_DNS DNSCHECK_DOM SECURE_DNS DOH_SERVERS DOH_SERVER SIMULATE
	SIM_SUCCESS_RATE WS_UID WS_GID QNUM NFQWS2 MDIG PROBER NCAT FSLEEP FWTYPE ENGINE PARALLEL_MAX RESUME
	BLOCKCHECK_JSON BLOCKCHECK_HTML BLOCKCHECK_LAST REPORT_FILE PROGRESS TEST_DEFAULT DOMAINS_DEFAULT PKTWS_EXTRA_PRE PKTWS_EXTRA_POST'

die() { # EXIT-CODE TEXT
	echo "$2"
	exit "$1"
}

. "$ZAPRET_BASE/common/config.sh"
. "$ZAPRET_BASE/common/config_write.sh"
. "$ZAPRET_BASE/common/base.sh"
. "$ZAPRET_BASE/common/fwtype.sh"
. "$ZAPRET_BASE/common/dialog.sh"
. "$ZAPRET_BASE/common/virt.sh"
for part in help words pids ask system dns rules curl daemon attempt plan ports engine fast pool search expect progress kind report json learn result tests; do
	. "$ZAPRET_BASE/common/blockcheck/$part.sh"
done

# Without a config its default is read, but no config is made: that is the installer's.
read_config() {
	local name given value said
	for name in $OWN_VARIABLES; do
		eval "given=\"\$$name\""
		[ -n "$given" ] && eval "GIVEN_$name=\$given"
	done
	if [ -f "$ZAPRET_CONFIG" ]; then
		load_config_file "$ZAPRET_CONFIG"
	else
		load_config_file "$ZAPRET_CONFIG_DEFAULT"
	fi
	for name in $OWN_VARIABLES; do
		eval "given=\"\$GIVEN_$name\" value=\"\$$name\""
		[ -n "$given" ] && [ "$given" != "$value" ] || continue
		said="$said $name"
		eval "$name=\$given"
	done
	[ -z "$said" ] || echo "the environment overrides the config:$said"
}

set_default() { # VAR VALUE
	eval "$1=\"\${$1:-\$2}\""
}

# A program of an installation, else of a build in the source tree, else of a release that was unpacked, else of the system.
find_binary() { # VAR PLACE
	local name="${2##*/}" file ready=
	[ -x "$ZAPRET_BASE/$2" ] || [ ! -d "$ZAPRET_BASE/binaries" ] || ready=$(sh "$ZAPRET_BASE/install_bin.sh" getarch 2>/dev/null)
	for file in "$ZAPRET_BASE/$2" "$ZAPRET_BASE/build/$name" "$ZAPRET_BASE/build/release/$name" \
		"$ZAPRET_BASE/binaries/$ready/$name"; do
		[ -x "$file" ] && break
		file=
	done
	[ -n "$file" ] || file=$(which "$name") || file=$ZAPRET_BASE/$2
	set_default "$1" "$file"
}

set_defaults() {
	set_default TEST_DEFAULT standard
	set_default DOMAINS_DEFAULT rutracker.org
	set_default CURL curl
	set_default CURL_MAX_TIME 2
	set_default CURL_MAX_TIME_QUIC "$CURL_MAX_TIME"
	set_default CURL_MAX_TIME_DOH 2
	set_default CURL_PAD 0
	set_default PAD_MAX_HEADER 4000
	set_default USER_AGENT Mozilla
	set_default HTTP_PORT 80
	set_default HTTPS_PORT 443
	set_default QUIC_PORT 443
	set_default UNBLOCKED_DOM iana.org
	set_default DNSCHECK_DNS '8.8.8.8 1.1.1.1 77.88.8.1'
	set_default DNSCHECK_DOM 'pornhub.com ej.ru rutracker.org www.torproject.org bbc.com'
	set_default DOH_SERVERS 'https://cloudflare-dns.com/dns-query https://dns.google/dns-query https://dns.quad9.net/dns-query https://dns.adguard.com/dns-query https://common.dot.dns.yandex.net/dns-query'
	set_default SIM_SUCCESS_RATE 10
	set_default WS_UID 1
	set_default WS_GID 3003
	set_default QNUM $(($$ % 64536 + 1000))
	find_binary NFQWS2 nfq2/nfqws2
	find_binary MDIG mdig/mdig
	[ -z "$PROBER" ] || [ "$PROBER" = 0 ] || BLOCKPROBE=$PROBER
	find_binary BLOCKPROBE probe/blockprobe
	# src/ctl/serve/blockcheck.hpp looks there.
	# In no STATE_DIR: one that is there at the start of a router counts as restored.
	set_default BLOCKCHECK_LAST /var/lib/zapret2-blockcheck/last.json
	set_default ENGINE fast
	PARALLEL_GIVEN=$PARALLEL_MAX
	set_default PARALLEL_MAX 384
	DESYNC_MARK=0x10000000
	HTTPS_HEAD=-I
	[ "$CURL_HTTPS_GET" = 1 ] && HTTPS_HEAD=
	FAST=0 FAST_NOW=0
	is_number "$CURL_PAD" || die 1 "invalid CURL_PAD '$CURL_PAD'. should be a number of bytes."
	is_number "$PAD_MAX_HEADER" && [ "$PAD_MAX_HEADER" -ge 16 ] || die 1 "invalid PAD_MAX_HEADER '$PAD_MAX_HEADER'. should be at least 16."
	is_number "$PARALLEL_MAX" && [ "$PARALLEL_MAX" -ge 1 ] || die 1 "invalid PARALLEL_MAX '$PARALLEL_MAX'"
	case $ENGINE in
	fast | classic) ;;
	*) die 1 "invalid ENGINE '$ENGINE'. should be fast or classic." ;;
	esac
}

# --- the end ------------------------------------------------------------------------------------

# The process just started, if it is one of ours: a signal may come before its number is noted.
last_child() {
	local pid comm state parent rest
	# shellcheck disable=SC2034 # fields that are not needed
	read -r pid comm state parent rest 2>/dev/null <"/proc/$!/stat" && [ "$parent" = $$ ] && echo "$pid"
}

# Nobody knows what it is, so nobody waits long for it.
end_at_last() { # PID
	local left=100
	while [ $left -gt 0 ] && kill -0 "$1" 2>/dev/null; do
		msleep 20
		left=$((left - 1))
	done
	kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

# Removes everything of this run. Whatever was begun, at any moment.
cleanup() {
	local pid last
	trap '' INT PIPE HUP TERM QUIT
	last=$(last_child 2>/dev/null)
	[ -n "$WATCHDOG" ] && {
		kill -9 "$WATCHDOG"
		wait "$WATCHDOG"
	} 2>/dev/null
	# shellcheck disable=SC2086 # lists of words
	kill $CURL_PID $ATTEMPT_PIDS $KIND_READER $last 2>/dev/null
	for pid in $CURL_PID $ATTEMPT_PIDS $KIND_READER; do
		wait "$pid" 2>/dev/null
	done
	[ -z "$last" ] || end_at_last "$last"
	engine_stop
	daemon_stop 0
	planner_stop
	pool_end
	expect_end
	json_end
	rules_clear
	discard_written_config
	[ -z "$WORK" ] || remove_work_folder
	return 0
}

# A copy of the shell that sees its files go may just be writing its last one.
remove_work_folder() {
	local left=50
	until rm -rf "$WORK" 2>/dev/null || [ $left = 0 ]; do
		msleep 100
		left=$((left - 1))
	done
}

on_signal() { # NAME
	[ "$1" = INT ] && {
		echo
		echo 'terminating...'
	} 2>/dev/null
	exit 1
}

# SIGKILL leaves us no last word: another process has it.
watchdog_start() {
	(
		trap '' INT PIPE HUP TERM QUIT
		exec </dev/null >/dev/null 2>&1
		while kill -0 $$ 2>/dev/null; do
			sleep 1
		done
		[ -d "$WORK" ] || exit 0
		WATCHDOG=
		# Twice: another curl may have begun meanwhile.
		pids_kill_all
		pids_kill_all
		RULES_SET=1
		cleanup
	) &
	WATCHDOG=$!
}

make_work_folder() {
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/zapret-blockcheck-$$-XXXXXX") || die 1 'no temporary folder can be made'
	mkdir "$WORK/dns" "$WORK/pids"
	: >"$WORK/report"
	: >"$WORK/works"
}

# --- main ---------------------------------------------------------------------------------------

run_all() {
	for dom in $DOMAINS; do
		for IPV in $IPV_LIST; do
			IPVV=
			[ "$IPV" = 6 ] && IPVV=6
			check_domain "$dom"
		done
	done
}

main() { # ARGS of the script
	read_arguments "$@"
	read_config
	set_defaults
	check_system
	warn_other_bypass
	become_root "$0" "$@"
	rules_names
	trap 'cleanup' EXIT
	for signal in INT PIPE HUP TERM QUIT; do
		# shellcheck disable=SC2064 # the name now
		trap "on_signal $signal" $signal
	done
	make_work_folder
	watchdog_start
	fsleep_setup
	unset ALL_PROXY
	check_prerequisites
	check_dns
	check_virt
	ask_all
	daemon_setup
	check_daemon
	PRE_TEXT=$(eval "set -- $PKTWS_PRE" && echo "$*")
	POST_TEXT=$(eval "set -- $PKTWS_POST" && echo "$*")
	SIM_SEED=$(random 0 2147483647)
	pad_setup
	kind_setup
	result_setup
	json_setup
	resume_setup
	colours_setup
	progress_setup
	fast_setup
	run_all
	result_report
	result_offer
	[ "$BATCH" = 1 ] || {
		printf 'press enter to continue'
		read_answer answer
	}
	exit 0
}

main "$@"
