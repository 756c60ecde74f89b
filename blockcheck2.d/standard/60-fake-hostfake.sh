# A fake, then the name in a piece of its own, surrounded by fake names.
# shellcheck shell=dash disable=SC1091,SC2034,SC2154 # need_* are set by earlier scripts

. "$TESTDIR/def.inc"

std_fake_hostfake_begin() { # TESTF DOMAIN PAYLOAD FILE NAME DEFAULT
	std_begin "$1" "$2" "$3"
	std_use_fake "$4" "$5" "$6"
	# Here the blob stands behind the wssize word.
	STD_BLOB_LAST=$STD_BLOB STD_BLOB=''
	STD_HOSTFAKE_FAKE=1
}

pktws_check_http() { # TESTF DOMAIN
	std_skipped NOTEST_FAKE_HOSTFAKE_HTTP && return
	[ "$need_hostfakesplit" = 0 ] && return
	std_fake_hostfake_begin "$1" "$2" http_req "$FAKE_HTTP" fake_http fake_default_http
	std_families std_hostfake_body
}

pktws_check_https_tls12() {
	std_skipped NOTEST_FAKE_HOSTFAKE_HTTPS && return
	[ "$need_hostfakesplit" = 0 ] && return
	std_fake_hostfake_begin "$1" "$2" tls_client_hello "$FAKE_HTTPS" fake_tls fake_default_tls
	std_two_passes std_families std_hostfake_body
}

pktws_check_https_tls13() {
	std_skipped NOTEST_FAKE_HOSTFAKE_HTTPS && return
	[ "$need_hostfakesplit" = 0 ] && return
	std_fake_hostfake_begin "$1" "$2" tls_client_hello "$FAKE_HTTPS" fake_tls fake_default_tls
	std_families std_hostfake_body
}
