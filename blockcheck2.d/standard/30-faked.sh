# The message in pieces with fakes between them.
# shellcheck shell=dash disable=SC1091,SC2034,SC2154 # need_* go from script to script

. "$TESTDIR/def.inc"

std_faked() { # FOOLING TAIL FUNC POSITION
	local repeats="$STD_R"
	# Without the tail the foolings are tried with one copy only.
	[ "$STD_FAKED_MODE" = fooling ] && [ -z "$2" ] && repeats=
	# shellcheck disable=SC2086 # the tail is words
	std_test "$STD_P" "--lua-desync=$3:${STD_PATTERN}pos=$4:$1$repeats" $2
}

std_faked_body() { # MODE FOOLING FUNC POSITIONS
	local pos worked=1
	STD_FAKED_MODE=$1
	for pos in $4; do
		std_leaf "$1" "$2" std_faked "$3" "$pos" && worked=0
	done
	return $worked
}

std_faked_pass() { # POSITIONS
	local worked=1
	if [ "$need_multisplit" != 0 ] || std_force; then
		need_fakedsplit=0
		if std_families std_faked_body fakedsplit "$1"; then
			worked=0
		elif ! std_force; then
			need_fakedsplit=1
		fi
	fi
	if [ "$need_multidisorder" != 0 ] || std_force; then
		need_fakeddisorder=0
		if std_families std_faked_body fakeddisorder "$1"; then
			worked=0
		elif ! std_force; then
			need_fakeddisorder=1
		fi
	fi
	std_faked_fix
	return $worked
}

# STANDARD_FIX=1: what need not be split with fakes need not be tried with more fakes either.
std_faked_fix() {
	[ "$STANDARD_FIX" = 1 ] || return 0
	std_force && return 0
	[ "$need_multisplit" = 0 ] && need_fakedsplit=0
	[ "$need_multidisorder" = 0 ] && need_fakeddisorder=0
	return 0
}

pktws_check_http() { # TESTF DOMAIN
	std_skipped NOTEST_FAKED_HTTP && return
	std_begin "$1" "$2" http_req
	std_use_faked_pattern "$FAKED_PATTERN_HTTP"
	std_faked_pass "$STD_POS_HTTP"
}

pktws_check_https_tls12() {
	std_skipped NOTEST_FAKED_HTTPS && return
	std_begin "$1" "$2" tls_client_hello
	std_use_faked_pattern "$FAKED_PATTERN_HTTPS"
	std_two_passes std_faked_pass "$STD_POS_TLS_FAKED"
}

pktws_check_https_tls13() {
	std_skipped NOTEST_FAKED_HTTPS && return
	std_begin "$1" "$2" tls_client_hello
	std_use_faked_pattern "$FAKED_PATTERN_HTTPS"
	std_faked_pass "$STD_POS_TLS_FAKED"
}
