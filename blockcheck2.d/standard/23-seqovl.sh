# Pieces that overlap: the server drops what is before its window, a filter may take it.
# shellcheck shell=dash disable=SC1091,SC2034

. "$TESTDIR/def.inc"

std_seqovl_pattern() { # FILE DEFAULT: STD_PAT becomes the blob to use
	STD_PAT=$2
	[ -n "$1" ] || return 0
	STD_PAT=seqovl_pat
	STD_BLOB="--blob=seqovl_pat:@$1"
}

std_seqovl_disorder() { # PAIRS of OVERLAP/POSITIONS; STD_PAT_INIT is run before a pattern is used
	local pair worked=1
	for pair in $1; do
		std_test "$STD_P" "--lua-desync=$MULTIDISORDER:pos=${pair#*/}:seqovl=${pair%%/*}" && worked=0
		STD_INIT=$STD_PAT_INIT
		std_test "$STD_P" "--lua-desync=$MULTIDISORDER:pos=${pair#*/}:seqovl=${pair%%/*}:seqovl_pattern=$STD_PAT" && worked=0
		STD_INIT=
	done
	return $worked
}

# --- HTTP ---------------------------------------------------------------------------------------

pktws_check_http() { # TESTF DOMAIN
	local pos worked
	std_skipped NOTEST_SEQOVL_HTTP && return
	std_begin "$1" "$2" http_req
	std_seqovl_pattern "$SEQOVL_PATTERN_HTTP" fake_default_http
	std_test "$STD_P" --lua-desync=tcpseg:pos=0,-1:seqovl=1 --lua-desync=drop
	std_test "$STD_P" "--lua-desync=tcpseg:pos=0,-1:seqovl=#$STD_PAT:seqovl_pattern=$STD_PAT" --lua-desync=drop
	for pos in method+2 method+2,midsld; do
		worked=0
		std_test "$STD_P" "--lua-desync=multisplit:pos=$pos:seqovl=1" && worked=1
		std_test "$STD_P" "--lua-desync=multisplit:pos=$pos:seqovl=#$STD_PAT:seqovl_pattern=$STD_PAT" && worked=1
		[ $worked = 0 ] || std_force || break
	done
	STD_PAT_INIT=
	std_seqovl_disorder 'method+1/method+2 midsld-1/midsld method+1/method+2,midsld'
}

# --- TLS ----------------------------------------------------------------------------------------

# One kind of splitting with its three kinds of overlap.
std_seqovl_forms() { # SPLIT [WORDS...]
	local split="$1" worked=1
	shift
	std_test "$STD_P" "--lua-desync=$split:seqovl=1" "$@" && worked=0
	STD_INIT=$STD_PAT_INIT
	std_test "$STD_P" "--lua-desync=$split:seqovl=#$STD_PAT:seqovl_pattern=$STD_PAT" "$@" && worked=0
	STD_INIT=
	std_test "$STD_P" "--lua-desync=luaexec:code=desync.patmod=tls_mod($STD_PAT,'rnd,dupsid,padencap',desync.reasm_data)" \
		"--lua-desync=$split:seqovl=#patmod:seqovl_pattern=patmod" "$@" && worked=0
	return $worked
}

std_seqovl_tls_pass() {
	local pos worked=1
	std_seqovl_forms tcpseg:pos=0,-1 --lua-desync=drop && worked=0
	for pos in 10 10,sniext+1 10,sniext+4 10,midsld; do
		if std_seqovl_forms "multisplit:pos=$pos"; then
			worked=0
			std_force || break
		fi
	done
	std_seqovl_disorder '1/2 sniext/sniext+1 sniext+3/sniext+4 midsld-1/midsld 1/2,midsld' && worked=0
	return $worked
}

std_seqovl_tls() { # PASSES TESTF DOMAIN
	std_skipped NOTEST_SEQOVL_HTTPS && return
	std_begin "$2" "$3" tls_client_hello
	std_seqovl_pattern "$SEQOVL_PATTERN_HTTPS" fake_default_tls
	STD_PAT_INIT="--lua-init=$STD_PAT=tls_mod($STD_PAT,'rnd')"
	if [ "$1" = 2 ]; then
		std_two_passes std_seqovl_tls_pass
	else
		std_seqovl_tls_pass
	fi
}

pktws_check_https_tls12() {
	std_seqovl_tls 2 "$@"
}

pktws_check_https_tls13() {
	std_seqovl_tls 1 "$@"
}
