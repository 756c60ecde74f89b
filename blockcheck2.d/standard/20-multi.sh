# The message in pieces, in order and out of order. What works here need not be tried with fakes.
# shellcheck shell=dash disable=SC1091,SC2034,SC2153 # need_* are for the scripts that follow

. "$TESTDIR/def.inc"

std_multi_func() { # FUNC POSITIONS
	local pos worked=1
	for pos in $2; do
		std_test "$STD_P" "--lua-desync=$1:pos=$pos" && worked=0
	done
	return $worked
}

std_multi() { # POSITIONS
	local worked=1
	need_multisplit=1 need_multidisorder=1
	if std_multi_func multisplit "$1"; then
		worked=0
		std_force || need_multisplit=0
	fi
	if std_multi_func "$MULTIDISORDER" "$1"; then
		worked=0
		std_force || need_multidisorder=0
	fi
	return $worked
}

pktws_check_http() { # TESTF DOMAIN
	std_skipped NOTEST_MULTI_HTTP && return
	std_begin "$1" "$2" http_req
	std_multi "$STD_POS_HTTP"
}

pktws_check_https_tls12() {
	local split disorder
	std_skipped NOTEST_MULTI_HTTPS && return
	std_begin "$1" "$2" tls_client_hello
	std_multi "$STD_POS_TLS" && ! std_force && return
	# The second pass says nothing about splitting alone.
	split=$need_multisplit disorder=$need_multidisorder
	STD_W=$STD_WSSIZE
	std_multi "$STD_POS_TLS"
	need_multisplit=$split need_multidisorder=$disorder
}

pktws_check_https_tls13() {
	std_skipped NOTEST_MULTI_HTTPS && return
	std_begin "$1" "$2" tls_client_hello
	std_multi "$STD_POS_TLS"
}
