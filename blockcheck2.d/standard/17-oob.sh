# An out-of-band byte in the message.
# shellcheck shell=dash disable=SC1091,SC2034

. "$TESTDIR/def.inc"

std_oob() { # NOTEST TESTF DOMAIN
	local urp
	std_skipped "$1" && return
	std_begin "$2" "$3"
	for urp in b 0 2 midsld; do
		std_test --in-range=-s1 "--lua-desync=oob:urp=$urp"
	done
}

pktws_check_http() { # TESTF DOMAIN
	std_oob NOTEST_OOB_HTTP "$@"
}

pktws_check_https_tls12() {
	std_oob NOTEST_OOB_HTTPS "$@"
}

pktws_check_https_tls13() {
	std_oob NOTEST_OOB_HTTPS "$@"
}
