# A fake message before the real one.
# shellcheck shell=dash disable=SC1091,SC2034 # need_fake is for scripts that follow

. "$TESTDIR/def.inc"

std_fake_need() { # WORKED: 0 if something did
	need_fake=0
	[ "$1" = 0 ] || std_force || need_fake=1
}

std_fake_http_body() { # MODE FOOLING
	local blob worked=1
	for blob in $STD_FAKE 0x00000000; do
		std_leaf "$1" "$2" std_http_fake "$blob" && worked=0
	done
	return $worked
}

std_fake_tls_body() { # MODE FOOLING
	std_leaf "$1" "$2" std_tls_fakes
}

pktws_check_http() { # TESTF DOMAIN
	std_skipped NOTEST_FAKE_HTTP && return
	std_begin "$1" "$2" http_req
	std_use_fake "$FAKE_HTTP" fake_http fake_default_http
	std_families std_fake_http_body
	std_fake_need $?
}

pktws_check_https_tls12() {
	std_skipped NOTEST_FAKE_HTTPS && return
	std_begin "$1" "$2" tls_client_hello
	std_use_fake "$FAKE_HTTPS" fake_tls fake_default_tls
	std_two_passes std_families std_fake_tls_body
	std_fake_need $?
}

pktws_check_https_tls13() {
	std_skipped NOTEST_FAKE_HTTPS && return
	std_begin "$1" "$2" tls_client_hello
	std_use_fake "$FAKE_HTTPS" fake_tls fake_default_tls
	std_families std_fake_tls_body
	std_fake_need $?
}
