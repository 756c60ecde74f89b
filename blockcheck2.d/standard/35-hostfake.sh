# The name in a piece of its own, surrounded by fake names.
# shellcheck shell=dash disable=SC1091,SC2034 # need_* go from script to script

. "$TESTDIR/def.inc"

std_hostfake_run() { # PASSES
	local worked
	STD_HOSTFAKE_FAKE=0
	need_hostfakesplit=0
	if [ "$1" = 2 ]; then
		std_two_passes std_families std_hostfake_body
	else
		std_families std_hostfake_body
	fi
	worked=$?
	[ $worked = 0 ] || std_force || need_hostfakesplit=1
	[ "$STANDARD_FIX" = 1 ] && std_force && need_hostfakesplit=1
	return $worked
}

pktws_check_http() { # TESTF DOMAIN
	std_skipped NOTEST_HOSTFAKE_HTTP && return
	std_begin "$1" "$2" http_req
	std_hostfake_run 1
}

pktws_check_https_tls12() {
	std_skipped NOTEST_HOSTFAKE_HTTPS && return
	std_begin "$1" "$2" tls_client_hello
	std_hostfake_run 2
}

pktws_check_https_tls13() {
	std_skipped NOTEST_HOSTFAKE_HTTPS && return
	std_begin "$1" "$2" tls_client_hello
	std_hostfake_run 1
}
