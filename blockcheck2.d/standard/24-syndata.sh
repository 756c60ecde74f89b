# Data in the SYN packet.
# shellcheck shell=dash disable=SC1091,SC2034

. "$TESTDIR/def.inc"

std_syndata() { # KINDS: with nothing else, and with a split message
	local split kind worked=1
	for split in '' multisplit "$MULTIDISORDER"; do
		for kind in $1; do
			if [ -n "$split" ]; then
				std_test "--lua-desync=$kind" "$STD_P" "--lua-desync=$split" && worked=0
			else
				std_test "--lua-desync=$kind" && worked=0
			fi
		done
	done
	return $worked
}

std_syndata_tls_begin() { # TESTF DOMAIN
	std_begin "$1" "$2" tls_client_hello
	std_use_fake "$FAKE_HTTPS" fake_tls fake_default_tls
	STD_KINDS="syndata syndata:blob=0x1603 syndata:blob=$STD_FAKE:tls_mod=rnd,dupsid,rndsni syndata:blob=$STD_FAKE:tls_mod=rnd,dupsid,sni=google.com"
}

pktws_check_http() { # TESTF DOMAIN
	std_skipped NOTEST_SYNDATA_HTTP && return
	std_begin "$1" "$2" http_req
	std_use_fake "$FAKE_HTTP" fake_http fake_default_http
	std_syndata "syndata syndata:blob=$STD_FAKE"
}

pktws_check_https_tls12() {
	std_skipped NOTEST_SYNDATA_HTTPS && return
	std_syndata_tls_begin "$@"
	std_two_passes std_syndata "$STD_KINDS"
}

pktws_check_https_tls13() {
	std_skipped NOTEST_SYNDATA_HTTPS && return
	std_syndata_tls_begin "$@"
	std_syndata "$STD_KINDS"
}
