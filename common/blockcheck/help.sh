# What `blockcheck2.sh --help` prints. Sourced by blockcheck2.sh.
# shellcheck shell=dash disable=SC2034 # variables go to the other parts

print_help() {
	cat <<-'HELP'
		usage: [VARIABLE=value ...] blockcheck2.sh [--json=FILE] [--html=FILE]
		       blockcheck2.sh --help

		Finds out which strategies of nfqws2 open a blocked site from here, and reports them. Asks for what
		is not set, unless BATCH=1. Needs root. Stop other bypass programs and VPNs first.

		what to test
		  DOMAINS="a.example b.example/page"   sites, with or without a path (rutracker.org)
		  IPVS=4|6|46                          versions of IP (4, or 46 where IPv6 works)
		  ENABLE_HTTP=1 ENABLE_HTTPS_TLS12=1 ENABLE_HTTPS_TLS13=0 ENABLE_HTTP3=1
		                                       protocols; HTTP/3 only where curl has it
		  HTTP_PORT=80 HTTPS_PORT=443 QUIC_PORT=443
		how
		  TEST=standard|custom|...             folder of test scripts in blockcheck2.d
		  SCANLEVEL=quick|standard|force       end with the first that works three times, leave out what
		                                       cannot matter, or try everything (standard)
		  REPEATS=N                            attempts for each strategy (1)
		  PARALLEL=1                           attempts of one strategy at the same time
		  ENGINE=fast|classic                  many strategies at the same time, or one after another (fast)
		  PARALLEL_MAX=N                       at most so many with ENGINE=fast (384, with curl 16)
		  CURL=curl CURL_OPT="words"           the program that asks for the page, and more words for it
		  CURL_MAX_TIME=2 CURL_MAX_TIME_QUIC=2 seconds for an attempt
		  CURL_HTTPS_GET=1                     fetch the page; default: only its header
		  CURL_PAD=N                           about N bytes of useless request headers, against boxes that cut
		  PAD_MAX_HEADER=4000                  long transfers; no header longer than that
		  CURL_CMD=1 CURL_VERBOSE=1            show curl's command line, its talk
		  PKTWS_EXTRA_PRE= PKTWS_EXTRA_POST=   words before and behind each strategy
		  SKIP_DNSCHECK=1 SKIP_IPBLOCK=1       leave out the checks of names and addresses
		  SKIP_KIND=1                          do not look for the kind of blocking
		  SKIP_PKTWS=1                         only these checks, no strategies
		  SECURE_DNS=1|0 DOH_SERVER=url        names over HTTPS always, or never
		  FWTYPE=iptables|nftables             firewall to use
		  NFQWS2=file MDIG=file                the programs
		results
		  BLOCKCHECK_JSON=file                 every result as a line of JSON (--json)
		  BLOCKCHECK_HTML=file                 a page to show to somebody (--html)
		  BLOCKCHECK_LAST=file|0               where the last result is kept for the page of nfqws2ctl
		  REPORT_FILE=file                     the whole report; on a terminal it is always in a file
		  RESUME=file                          keeps results; the next run with it goes on from there
		  PROGRESS=1|0                         show it (1 on a terminal)
		  SIMULATE=1 SIM_SUCCESS_RATE=10       no traffic: chance, to see what would be tested
		  BATCH=1                              no questions; the log has a form that programs can read

		The same variables can stand in the config. The manual tells the rest.
		exit codes: 0 done, 1 interrupted or a bad value, 2 no root, 5 unsupported system, 6 something is
		missing, 7 no working DNS over HTTPS.
	HELP
}

read_arguments() { # ARGS of the script
	local word
	for word; do
		case $word in
		-h | --help)
			print_help
			exit 0
			;;
		--json=?*) BLOCKCHECK_JSON=${word#*=} ;;
		--html=?*) BLOCKCHECK_HTML=${word#*=} ;;
		*)
			echo "unknown argument: $word. settings are variables, see --help" >&2
			exit 1
			;;
		esac
	done
}
