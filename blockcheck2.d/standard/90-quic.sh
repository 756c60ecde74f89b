# QUIC: fakes before the Initial, IPv6 headers, IP fragments.
# shellcheck shell=dash disable=SC1091,SC2034

. "$TESTDIR/def.inc"

std_quic_fakes() {
	local n
	for n in 1 2 5 10 20; do
		std_test "$STD_P" "--lua-desync=fake:blob=$STD_FAKE:repeats=$n" && ! std_force && break
	done
}

std_quic_headers() {
	local header
	for header in ip6_hopbyhop ip6_destopt ip6_hopbyhop:ip6_destopt; do
		std_test "$STD_P" "--lua-desync=send:$header" --lua-desync=drop
	done
}

std_quic_fragments() { # WORDS that stand before
	local pos
	for pos in 8 16 32 64; do
		std_test "$STD_P" "$@" "--lua-desync=send:ipfrag:ipfrag_pos_udp=$pos" --lua-desync=drop && ! std_force && break
	done
}

pktws_check_http3() { # TESTF DOMAIN
	std_skipped NOTEST_QUIC && return
	std_begin "$1" "$2" quic_initial
	std_use_fake "$FAKE_QUIC" fake_quic fake_default_quic
	std_quic_fakes
	[ "$IPV" = 6 ] && std_quic_headers
	std_quic_fragments
	std_quic_fragments "--lua-desync=fake:blob=$STD_FAKE$STD_R"
}
