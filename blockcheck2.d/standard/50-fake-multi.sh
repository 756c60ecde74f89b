# A fake, then the message in pieces.
# shellcheck shell=dash disable=SC1091,SC2034,SC2154 # need_* are set by earlier scripts

. "$TESTDIR/def.inc"

std_fake_multi_pass() { # BODY
	local worked=1
	if [ "$need_multisplit" != 0 ] || std_force; then
		std_families "$1" multisplit 0 && worked=0
	fi
	if [ "$need_multidisorder" != 0 ] || std_force; then
		std_families "$1" "$MULTIDISORDER" 0 && worked=0
	fi
	return $worked
}

pktws_check_http() { # TESTF DOMAIN
	std_skipped NOTEST_FAKE_MULTI_HTTP && return
	std_begin "$1" "$2" http_req
	std_use_fake "$FAKE_HTTP" fake_http fake_default_http
	std_fake_multi_pass std_http_fake_split_body
}

std_fake_multi_tls_begin() { # TESTF DOMAIN
	std_begin "$1" "$2" tls_client_hello
	std_use_fake "$FAKE_HTTPS" fake_tls fake_default_tls
}

pktws_check_https_tls12() {
	std_skipped NOTEST_FAKE_MULTI_HTTPS && return
	std_fake_multi_tls_begin "$@"
	std_two_passes std_fake_multi_pass std_tls_fake_split_body
}

pktws_check_https_tls13() {
	std_skipped NOTEST_FAKE_MULTI_HTTPS && return
	std_fake_multi_tls_begin "$@"
	std_fake_multi_pass std_tls_fake_split_body
}
