# Many copies of the first bytes, so that the filter gives up.
# shellcheck shell=dash disable=SC1091,SC2034

. "$TESTDIR/def.inc"

std_misc() { # POSITIONS
	local n pos worked
	for n in 1 20 100 260; do
		worked=0
		for pos in $1; do
			std_test "$STD_P" "--lua-desync=tcpseg:pos=$pos:ip_id=rnd:repeats=$n" && worked=1
		done
		[ $worked = 0 ] || std_force || break
	done
}

std_misc_tls() {
	std_skipped NOTEST_MISC_HTTPS && return
	std_begin "$1" "$2" tls_client_hello
	std_misc '0,1 0,midsld'
}

pktws_check_http() { # TESTF DOMAIN
	std_skipped NOTEST_MISC_HTTP && return
	std_begin "$1" "$2" http_req
	std_misc '0,method+2 0,midsld'
}

pktws_check_https_tls12() {
	std_misc_tls "$@"
}

pktws_check_https_tls13() {
	std_misc_tls "$@"
}
