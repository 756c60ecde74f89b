# HTTP: the same request, written otherwise.
# shellcheck shell=dash disable=SC1091,SC2034

. "$TESTDIR/def.inc"

pktws_check_http() { # TESTF DOMAIN
	local kind
	std_skipped NOTEST_BASIC_HTTP && return
	std_begin "$1" "$2" http_req
	for kind in http_hostcase http_hostcase:spell=hoSt http_domcase http_methodeol http_unixeol; do
		std_test "$STD_P" "--lua-desync=$kind"
	done
}
