"""The logic of the standard scripts, without traffic (SIMULATE=1)."""
import os

from checks import cases, check, check_equal, need_tool

HTTP, TLS12, TLS13, QUIC = ("curl_test_http", "curl_test_https_tls12", "curl_test_https_tls13",
                            "curl_test_http3")

NONE = {
    HTTP: {10: 5, 15: 8, 17: 4, 20: 6, 23: 12, 24: 6, 25: 86, 30: 258, 35: 516, 50: 516, 55: 516,
           60: 516},
    TLS12: {15: 8, 17: 4, 20: 36, 23: 50, 24: 24, 25: 430, 30: 1376, 35: 1032, 50: 7740, 55: 6880,
            60: 1032},
    TLS13: {15: 8, 17: 4, 20: 18, 23: 25, 24: 12, 25: 215, 30: 688, 35: 516, 50: 3870, 55: 3440,
            60: 516},
    QUIC: {90: 13},
}
ALL_TLS = {15: 2, 17: 4, 20: 18, 23: 16, 24: 12, 25: 75, 35: 180, 55: 1200}
ALL = {HTTP: {10: 5, 15: 2, 17: 4, 20: 6, 23: 10, 24: 6, 25: 30, 35: 180, 55: 180},
       TLS12: ALL_TLS, TLS13: ALL_TLS, QUIC: {90: 3}}
FORCE = {
    HTTP: {10: 5, 15: 8, 17: 4, 20: 6, 23: 12, 24: 6, 25: 42, 30: 126, 35: 252, 50: 252, 55: 252},
    TLS12: {15: 8, 17: 4, 20: 36, 23: 50, 24: 24, 25: 210, 30: 672, 35: 504, 50: 3780, 55: 3360},
    TLS13: {15: 8, 17: 4, 20: 18, 23: 25, 24: 12, 25: 105, 30: 336, 35: 252, 50: 1890, 55: 1680},
    QUIC: {90: 13},
}
# Nothing works at level force: as `none`, but script 35 does not ask for script 60 there.
FORCE_NONE = {t: {n: c for n, c in table.items() if n != 60} for t, table in NONE.items()}

LITERALS = {
    HTTP: """
--payload=http_req --lua-desync=tcpseg:pos=0,method+2:ip_id=rnd:repeats=1
--payload=http_req --lua-desync=fake:blob=fake_default_http:ip_ttl=1:repeats=1 --payload=empty --out-range=s1<d1 --lua-desync=pktmod:ip_ttl=1
--payload=http_req --lua-desync=fakedsplit:pos=method+2,midsld:ip_ttl=2:repeats=1
--payload=http_req --lua-desync=fake:blob=0x00000000:ip_ttl=1:repeats=1 --lua-desync=multisplit:pos=midsld
--payload=http_req --lua-desync=fakeddisorder:pos=midsld:tcp_seq=-3000
--payload=http_req --lua-desync=fakeddisorder:pos=midsld:tcp_md5:repeats=1 --payload=empty --out-range=<s1 --lua-desync=send:tcp_md5
--in-range=-s1 --lua-desync=oob:urp=midsld
--payload=http_req --lua-desync=multidisorder:pos=midsld:seqovl=midsld-1
--payload=http_req --lua-desync=multidisorder:pos=method+2,midsld:seqovl=method+1
""",
    TLS12: """
--lua-desync=wssize:wsize=1:scale=6 --payload=tls_client_hello --lua-desync=multisplit:pos=1,sniext+1,host+1,midsld-2,midsld,midsld+2,endhost-1
--lua-init=fake_default_tls=tls_mod(fake_default_tls,'rnd') --lua-desync=wssize:wsize=1:scale=6 --payload=tls_client_hello --lua-desync=tcpseg:pos=0,-1:seqovl=#fake_default_tls:seqovl_pattern=fake_default_tls --lua-desync=drop
--payload=tls_client_hello --lua-desync=luaexec:code=desync.patmod=tls_mod(fake_default_tls,'rnd,dupsid,padencap',desync.reasm_data) --lua-desync=multisplit:pos=10,midsld:seqovl=#patmod:seqovl_pattern=patmod
--payload=tls_client_hello --lua-desync=multidisorder:pos=2,midsld:seqovl=1
--lua-desync=syndata:blob=0x1603 --payload=tls_client_hello --lua-desync=multisplit
--payload=tls_client_hello --lua-desync=fake:blob=0x00000000:ip_ttl=1:repeats=1 --lua-desync=fake:blob=fake_default_tls:ip_ttl=1:tls_mod=rnd,dupsid:repeats=1
--payload=tls_client_hello --lua-desync=multisplit:blob=fake_default_tls:ip_ttl=1:pos=2:nodrop:repeats=1
--payload=tls_client_hello --lua-desync=hostfakesplit:disorder_after:nofake1:midhost=midsld:ip_ttl=1:repeats=1
--payload=tls_client_hello --lua-desync=fake:blob=fake_default_tls:ip_ttl=1:repeats=1 --lua-desync=hostfakesplit:nofake2:ip_ttl=1:repeats=1
--payload=tls_client_hello --lua-desync=fake:blob=fake_default_tls:ip_autottl=-5,3-20:repeats=1 --lua-desync=fakedsplit:pos=midsld:ip_autottl=-5,3-20
""",
    QUIC: """
--payload=quic_initial --lua-desync=fake:blob=fake_default_quic:repeats=1 --lua-desync=send:ipfrag:ipfrag_pos_udp=8 --lua-desync=drop
--payload=quic_initial --lua-desync=fake:blob=fake_default_quic:repeats=20
""",
}
# A curl that says it can do HTTP/3; SIMULATE asks it for nothing else.
CURL3 = """#!/bin/sh
case $* in
*--version*) echo 'curl 8.9.0 OpenSSL/3.0'; echo 'Features: HTTP3 SSL' ;;
*) exit 7 ;;
esac
"""


def simulate(env, lab, rate, **variables):
    settings = {"ENABLE_HTTPS_TLS13": 1, "CURL": env.tool(lab, "curl3", CURL3)}
    settings.update(variables)
    done = env.run(lab, SIMULATE=1, SIM_SUCCESS_RATE=rate, **settings)
    check_equal("exit code", done.code, 0)
    return done


@cases({"nothing works": (0, "standard", NONE), "all works": (100, "standard", ALL),
        "all works, force": (100, "force", FORCE), "nothing works, force": (0, "force", FORCE_NONE)})
def test_counts(env, rate, level, expected):
    with env.lab() as lab:
        done = simulate(env, lab, rate, SCANLEVEL=level)
        check_equal("strategies of each script", done.counts(), expected)
        word = "SUCCESS" if rate else "FAILED"
        check_equal("results", {line for *_, line in done.results()}, {word})
        if rate == 0 and level == "standard":
            for testf, literals in LITERALS.items():
                said = set(done.strategies(testf))
                missing = [s for s in literals.strip().splitlines() if s not in said]
                check(not missing, "missing: %s", missing)


def test_ipv6(env):
    with env.lab() as lab:
        done = simulate(env, lab, 0, IPVS=6, ENABLE_HTTPS_TLS12=0, ENABLE_HTTPS_TLS13=0)
        expected = dict(NONE[HTTP])
        expected.update({25: 96, 30: 288, 35: 576, 50: 576, 55: 576, 60: 576})
        check_equal("strategies", done.counts(), {HTTP: expected, QUIC: {90: 16}})
        for part in ("ip6_ttl=1", "ip6_autottl=-5,3-20", "fake:blob=0x00000000:ip6_ah:repeats=1",
                     "--lua-desync=pktmod:ip6_ttl=1", "send:ip6_hopbyhop:ip6_destopt"):
            done.has(part)
        done.lacks(":ip_ttl")


def test_busybox(env):
    need_tool("busybox")
    with env.lab() as lab:
        done = env.run(lab, shell=("busybox", "ash"), SIMULATE=1, SIM_SUCCESS_RATE=0,
                       ENABLE_HTTPS_TLS12=0)
        check_equal("exit code", done.code, 0)
        check_equal("strategies", done.counts(), {HTTP: NONE[HTTP]})


def test_settings(env):
    """Variables of the standard test put their words in the right places."""
    with env.lab() as lab:
        files = dict(FAKE_HTTP="/f/h", FAKE_HTTPS="/f/t", FAKED_PATTERN_HTTPS="/f/p",
                     SEQOVL_PATTERN_HTTPS="/f/s", HOSTFAKE="host.test", FAKE_REPEATS=3, MAX_TTL=1,
                     MIN_AUTOTTL_DELTA=2, MAX_AUTOTTL_DELTA=2, FOOLINGS46_TCP="tcp_md5",
                     MULTIDISORDER="multidisorder_legacy", NOTEST_OOB_HTTP=1, NOTEST_MISC_HTTPS=1)
        done = simulate(env, lab, 0, ENABLE_HTTPS_TLS13=0, ENABLE_HTTP3=0, **files)
        tls, http = done.strategies(TLS12), done.strategies(HTTP)
        w, p = "--lua-desync=wssize:wsize=1:scale=6", "--payload=tls_client_hello"
        md5 = "--payload=empty --out-range=<s1 --lua-desync=send:tcp_md5"
        for wanted in (
                "--blob=fake_tls:@/f/t %s %s --lua-desync=fake:blob=fake_tls:ip_ttl=1:repeats=3" % (
                    w, p),
                "--blob=faked_pat:@/f/p %s --lua-desync=fakedsplit:pattern=faked_pat:pos=2:tcp_md5"
                % p,
                "--blob=faked_pat:@/f/p %s %s --lua-desync=fakedsplit:pattern=faked_pat:pos=2:"
                "tcp_md5:repeats=3 %s" % (w, p, md5),
                "--blob=seqovl_pat:@/f/s --lua-init=seqovl_pat=tls_mod(seqovl_pat,'rnd') %s %s "
                "--lua-desync=multidisorder_legacy:pos=2:seqovl=1:seqovl_pattern=seqovl_pat" % (
                    w, p),
                "%s --lua-desync=hostfakesplit:host=host.test:nofake1:tcp_md5:repeats=3" % p,
                "--blob=fake_tls:@/f/t --blob=faked_pat:@/f/p %s --lua-desync=fake:blob=fake_tls:"
                "ip_autottl=-2,3-20:repeats=3 --lua-desync=fakeddisorder:pattern=faked_pat:"
                "pos=midsld:ip_autottl=-2,3-20" % p,
                "%s --blob=fake_tls:@/f/t %s --lua-desync=fake:blob=fake_tls:tcp_md5:repeats=3 "
                "--lua-desync=hostfakesplit:host=host.test:tcp_md5:repeats=3" % (w, p)):
            check(wanted in tls, "missing: %s", wanted)
        wanted = ("--blob=fake_http:@/f/h --payload=http_req --lua-desync=fake:blob=fake_http:"
                  "tcp_md5:repeats=3 " + md5)
        check(wanted in http, "missing: %s", wanted)
        check_equal("skipped", done.text.count("\nSKIPPED\n"), 2)
        check(not any("oob" in s for s in http), "oob was not skipped")


def test_levels_and_flags(env):
    """Flags of one protocol do not reach the next one; STANDARD_FIX closes two gaps of the tables."""
    with env.lab() as lab:
        common = dict(ENABLE_HTTPS_TLS12=0, ENABLE_HTTPS_TLS13=0, ENABLE_HTTP3=0)
        fixed = simulate(env, lab, 100, STANDARD_FIX=1, **common).counts()[HTTP]
        check_equal("useless tests of script 55", fixed.get(55), None)
        forced = simulate(env, lab, 100, STANDARD_FIX=1, SCANLEVEL="force", **common).counts()[HTTP]
        check_equal("script 60 at level force", forced.get(60), 252)
        two = simulate(env, lab, 100, DOMAINS="blocked.test good.test", NOTEST_MULTI_HTTP=0,
                       **common)
        check_equal("two domains", two.counts()[HTTP], {n: 2 * c for n, c in ALL[HTTP].items()})
        marks = env.write(lab, "d/flags/10-set.sh", """
pktws_check_http() { echo "need_x is '$need_x'"; need_x=0; pktws_curl_test_update "$1" "$2" --a; }
""")
        check(marks, "")
        flags = simulate(env, lab, 0, BLOCKCHECK2D=lab.folder + "/d", TEST="flags",
                         DOMAINS="blocked.test good.test", **common)
        check_equal("flags", flags.text.count("need_x is ''"), 2)


def test_rate(env):
    with env.lab() as lab:
        done = simulate(env, lab, 30, SCANLEVEL="force", ENABLE_HTTP3=0, ENABLE_HTTPS_TLS12=0)
        lines = [line for *_, line in done.results()]
        share = lines.count("SUCCESS") / len(lines)
        check(0.25 < share < 0.35, "%.2f of %d succeeded", share, len(lines))
        check_equal("every success is in the summary", len(done.section("SUMMARY")),
                    lines.count("SUCCESS"))


def test_without_names(env):
    """Where nothing resolves: the strategies can be looked at all the same."""
    with env.lab() as lab:
        mdig = env.tool(lab, "mdig", "#!/bin/sh\nexit 0\n")
        done = simulate(env, lab, 100, MDIG=mdig, IPVS="46", DOMAINS="nowhere.test", SKIP_DNSCHECK=0,
                        ENABLE_HTTPS_TLS12=0, ENABLE_HTTPS_TLS13=0, ENABLE_HTTP3=0)
        check_equal("strategies", done.counts()[HTTP].get(10), 2 * ALL[HTTP][10])
        done.has("-- DNS is not working")
        done.lacks("test aborted")


def test_coverage(env):
    """Strategies by the number of domains they worked for, only with several domains."""
    with env.lab() as lab:
        env.write(lab, "d/some/10-some.sh", """
pktws_check_http() {
    SIM_SUCCESS_RATE=0
    [ "$2" = good.test ] && SIM_SUCCESS_RATE=100
    pktws_curl_test_update "$1" "$2" --payload=http_req --lua-desync=one
    SIM_SUCCESS_RATE=100
    pktws_curl_test_update "$1" "$2" --payload=http_req --lua-desync=both
    SIM_SUCCESS_RATE=0
    pktws_curl_test_update "$1" "$2" --payload=http_req --lua-desync=none
}
pktws_check_https_tls12() { pktws_curl_test_update "$1" "$2" --lua-desync=none; }
""")
        common = dict(BLOCKCHECK2D=lab.folder + "/d", TEST="some", ENABLE_HTTPS_TLS13=0, ENABLE_HTTP3=0)
        done = simulate(env, lab, 0, DOMAINS="blocked.test good.test", **common)
        check_equal("coverage", done.section("COVERAGE")[:2], [
            "2/2 : curl_test_http ipv4 : nfqws2 --payload=http_req --lua-desync=both",
            "1/2 : curl_test_http ipv4 : nfqws2 --payload=http_req --lua-desync=one"])
        check("none" not in "".join(done.section("COVERAGE")), done.text)
        check(done.text.index("* COMMON") < done.text.index("* COVERAGE"), "order")
        simulate(env, lab, 0, DOMAINS="blocked.test", **common).lacks("COVERAGE")


def test_lists_as_pasted(env):
    """A line that is no words of a shell is split at its blanks, and nothing of it is run."""
    lines = ["--payload=http_req --out-range=s1<d1 --lua-desync=pass",
             "--lua-init=f=function(a) return a end --lua-desync=f",
             "--lua-desync=a;touch${IFS}%s/ran", "--lua-desync=x>%s/ran", "--comment=it's --lua-desync=pass",
             "--lua-desync=a&touch %s/ran", "--lua-desync=`touch %s/ran`", "--lua-desync=[a*b]",
             "'--comment=a  b' --lua-desync=\"c<d\""]
    with env.lab() as lab:
        lines = [line.replace("%s", lab.folder) for line in lines]
        path = env.write(lab, "list.txt", "\n".join(lines) + "\n")
        for shell in ("sh",), ("busybox", "ash"):
            done = env.run(lab, shell=shell, SIMULATE=1, SIM_SUCCESS_RATE=0, TEST="custom", LIST_HTTP=path,
                           ENABLE_HTTPS_TLS12=0)
            wanted = lines[:-1] + ["--comment=a  b --lua-desync=c<d"]
            check_equal("strategies", done.strategies(), wanted)
            check(not os.path.exists(lab.folder + "/ran"), "something was run")
