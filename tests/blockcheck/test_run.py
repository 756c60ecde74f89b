"""How a run goes: questions, exit codes, requests, names, scripts."""
import os
import re
import shutil

from checks import ROOT, cases, check, check_equal, laboratory, need_tool, nothing_left, rules
from fakes import CASE, FAKE, fake_curl, curl_lines


def test_requests(env):
    """Words given to curl."""
    with env.lab() as lab:
        common = dict(ENABLE_HTTPS_TLS13=1, TEST="custom", DOMAINS="blocked.test/a?b=c", IPVS=46,
                      SKIP_PKTWS=1)
        env.run(lab, **fake_curl(env, lab, "28"), **common)
        hdr = r"\S+/hdr"
        wanted = [
            r"--connect-to blocked.test::10.77.2.2:80 -SsD %s -A Mozilla --max-time 2 "
            r"http://blocked.test/a\?b=c -o /dev/null" % hdr,
            r"--connect-to blocked.test::10.77.2.2:443 -I -Ss -A Mozilla --max-time 2 --tlsv1.2 "
            r"--tls-max 1.2 https://blocked.test/a\?b=c -o /dev/null",
            r"--connect-to blocked.test::10.77.2.2:443 -I -Ss -A Mozilla --max-time 2 --tlsv1.3 "
            r"--tls-max 1.3 https://blocked.test/a\?b=c -o /dev/null",
            r"--connect-to blocked.test::10.77.2.2:443 -I -Ss -A Mozilla --max-time 2 --http3-only "
            r"https://blocked.test/a\?b=c -o /dev/null"]
        wanted += [w.replace("10.77.2.2", r"\[fd77:2::2\]") for w in wanted]
        got = curl_lines(lab)
        check_equal("number of requests", len(got), len(wanted))
        for line, pattern in zip(got, wanted):
            check(re.fullmatch(pattern, line), "%s\nis not\n%s", line, pattern)
        more = fake_curl(env, lab, "28")
        more["CURL_OPT"] = "--opt 1"
        env.run(lab, **more, **{**common, "IPVS": 4}, FAKE_TLS="other/1", CURL_HTTPS_GET=1,
                USER_AGENT="My Agent", CURL_MAX_TIME=5, HTTP_PORT=8080, HTTPS_PORT=8443,
                QUIC_PORT=4443, CURL_MAX_TIME_QUIC=7)
        got = curl_lines(lab)
        check("8080 -SsD" in got[0] and "-A My Agent --max-time 5 --opt 1 http://" in got[0], got[0])
        check(got[1].endswith("::10.77.2.2:8443 -Ss -A My Agent --max-time 5 --opt 1 --tlsv1.2 "
                              "https://blocked.test/a?b=c -o /dev/null"), got[1])
        check("10.77.2.2:4443 -Ss -A My Agent --max-time 7 --http3-only --opt 1" in got[3], got[3])


ANSWERS = {
    "foreign redirect": ("HTTP/1.1 302 Found\\r\\nLocation: https://other.test/x\\r\\n\\r\\n", 254),
    "look-alike": ("HTTP/1.1 307 X\\r\\nlocation: http://blockedxtest/\\r\\n\\r\\n", 254),
    "longer name": ("HTTP/1.1 308 X\\r\\nLocation: http://blocked.test.evil/\\r\\n\\r\\n", 254),
    "own redirect": ("HTTP/1.1 301 X\\r\\nLocation: https://blocked.test/\\r\\n\\r\\n", 0),
    "subdomain": ("HTTP/1.1 301 X\\r\\nLocation: https://WWW.Blocked.test:8/\\r\\n\\r\\n", 0),
    "relative redirect": ("HTTP/1.1 302 X\\r\\nLocation: /login\\r\\n\\r\\n", 0),
    "status 400": ("HTTP/1.1 400 Bad Request\\r\\n\\r\\n", 254),
    "status 404": ("HTTP/1.1 404 Not Found\\r\\n\\r\\n", 0),
}


def test_answers(env):
    with env.lab() as lab:
        for name, (header, code) in ANSWERS.items():
            done = env.run(lab, **fake_curl(env, lab, "0", FAKE_HEADER=header), TEST="custom",
                           SKIP_PKTWS=1, ENABLE_HTTPS_TLS12=0, ENABLE_HTTP3=0)
            check(("UNAVAILABLE" in done.text.splitlines()) == (code == 254), "%s: %s", name, done.text)
            check(("working without bypass" in done.text) == (code == 0), "%s: %s", name, done.text)


def test_without_bypass(env):
    """What works is not tested further except at level force; some codes end the test."""
    with env.lab() as lab:
        lists = env.custom(lab, [CASE])
        common = dict(lists, DOMAINS="good.test", ENABLE_HTTPS_TLS12=0, ENABLE_HTTP3=0)
        done = env.run(lab, **common)
        check_equal("summary", done.section("SUMMARY"),
                    ["curl_test_http ipv4 good.test : working without bypass"])
        check_equal("strategies", done.strategies(), [])
        forced = env.run(lab, **common, SCANLEVEL="force")
        check_equal("strategies at level force", forced.strategies(), [CASE])
        for code, text in ((1, "unsupported protocol"), (2, ""), (3, ""), (4, ""), (27, "out of")):
            done = env.run(lab, **dict(common, **fake_curl(env, lab, str(code))))
            done.has("test aborted, no reason to continue. curl code %d: %s" % (code, text))
            check_equal("strategies", done.strategies(), [])
        done = env.run(lab, **dict(common, DOMAINS="nowhere.invalid", MDIG=env.fake_mdig(lab),
                                   FAKE_DNS=lab.folder))
        done.has("test aborted, no reason to continue. curl code 6: could not resolve host")


EXIT_CODES = [
    (dict(TEST="nosuch"), 1), (dict(REPEATS=0), 1), (dict(IPVS=5), 1), (dict(SCANLEVEL="high"), 1),
    (dict(ENGINE="steam"), 1), (dict(PARALLEL_MAX=0), 1), (dict(FWTYPE="pf"), 5),
    (dict(NFQWS2="/nonexistent"), 6), (dict(NFQWS2="/bin/false"), 6), (dict(WS_UID="nobody-"), 6),
    (dict(MDIG="/nonexistent"), 6), (dict(CURL="/nonexistent"), 6),
    (dict(REPORT_FILE="/nonexistent/r"), 1), (dict(BLOCKCHECK_HTML="/nonexistent/h"), 1),
    (dict(BLOCKCHECK_JSON="/nonexistent/j"), 1), (dict(RESUME="/nonexistent/j"), 1),
    (dict(SECURE_DNS=1, DOH_SERVERS="http://127.0.0.1:9/"), 7),
    (dict(SIMULATE=1, ENABLE_HTTP=0, ENABLE_HTTPS_TLS12=0), 0),
]


def test_exit_codes(env):
    with env.lab() as lab:
        for variables, code in EXIT_CODES:
            done = env.run(lab, **variables)
            check(done.code == code, "%s: exit code %s instead of %s:\n%s", variables, done.code, code,
                  done.text)
            if "/nonexistent/" in str(variables) and code == 1:
                done.has("cannot write '/nonexistent/")
            nothing_left(lab, "after %s" % variables)


def test_questions(env):
    """Without BATCH what is not set is asked; an empty answer takes the default."""
    with env.lab() as lab:
        unset = dict(BATCH="", IPVS="", DOMAINS="", SIMULATE=1, SIM_SUCCESS_RATE=0)
        answers = "custom\ngood.test\n4\nn\ny\nn\n2\nn\nquick\n\n"
        done = env.run(lab, stdin=answers, **unset)
        check_equal("exit code", done.code, 0)
        check_equal("tested", {(t, d) for t, _, d, _, _ in done.results()},
                    {("curl_test_https_tls12", "good.test")})
        done.has("press enter to continue")
        by_number = env.run(lab, stdin="1\ngood.test\n4\ny\nn\nn\n1\n1\n", **unset)
        check_equal("tested", {t for t, *_ in by_number.results()}, {"curl_test_http"})
        check_equal("exit code without answers", env.run(lab, **dict(
            unset, DOMAINS="good.test", ENABLE_HTTP=0, ENABLE_HTTPS_TLS12=0)).code, 0)


def test_config(env):
    """A config is read; the environment wins over it, and is told so."""
    with env.lab() as lab:
        env.write(lab, "rw/config", "SIM_SUCCESS_RATE=100\nREPEATS=1\nSIMULATE=1\nENABLE_HTTPS_TLS12=0\n")
        lists = env.custom(lab, [CASE])
        check_equal("config", [r[-1] for r in env.run(lab, **lists).results()], ["SUCCESS"])
        done = env.run(lab, SIM_SUCCESS_RATE=0, **lists)
        check_equal("environment", [r[-1] for r in done.results()], ["FAILED"])
        done.has("the environment overrides the config: SIM_SUCCESS_RATE")


def files(folder):
    return {os.path.join(place, name): os.stat(os.path.join(place, name)).st_mtime_ns
            for place, folders, names in os.walk(folder) for name in folders + names}


@cases({"built": ("build/release", ()), "unpacked": ("binaries/linux-x86_64", ("ip2net",))})
def test_writes_nothing(env, folder, more):
    """A run from the sources, or from a release that was not installed, leaves them as they are, and finds the
    programs there."""
    with env.lab("rst") as lab:
        base = os.path.dirname(env.script(lab))
        os.makedirs(os.path.join(base, folder))
        shutil.copy(os.path.join(ROOT, "install_bin.sh"), base)
        for name in ("nfqws2", "mdig", *more):
            shutil.copy(os.path.join(os.path.dirname(env.program), name), os.path.join(base, folder))
        before = files(base)
        done = env.run(lab, ZAPRET_RW="", NFQWS2="", MDIG="", ENABLE_HTTPS_TLS12=0,
                       **env.custom(lab, [CASE, FAKE]))
        check_equal("results", [line for *_, line in done.results()],
                    ["!!!!! AVAILABLE !!!!!", "UNAVAILABLE code=56"])
        helped = env.run(lab, arguments=["--help"], ZAPRET_RW="")
        check_equal("exit code", helped.code, 0)
        check_equal("files", files(base), before)
        check_equal("rules", rules(lab), [])


def test_help(env):
    """Help tells every setting that the manual does not leave to experts, and nothing is done."""
    with env.lab() as lab:
        for word in ("--help", "-h"):
            done = env.run(lab, arguments=[word], FWTYPE="pf", NFQWS2="/nonexistent")
            check_equal("exit code", done.code, 0)
            check(done.text.startswith("usage: "), done.text[:80])
            for name in ("BATCH", "DOMAINS", "SCANLEVEL", "ENGINE", "PARALLEL_MAX", "RESUME", "BLOCKCHECK_JSON"):
                done.has(name + "=")
            done.lacks("checking system")
        wrong = env.run(lab, arguments=["example.com"])
        check_equal("exit code", wrong.code, 1)
        wrong.has("unknown argument: example.com")


def test_root(env):
    """Without root: sudo or su if there are, else exit code 2."""
    with env.lab() as lab:
        tools = env.folder(lab, "few")
        for name in ("dirname", "uname", "id", "cat", "head", "cp", "mkdir", "awk", "sed", "nft"):
            path = shutil.which(name, path=laboratory.environment()["PATH"])
            if path and not os.path.exists(tools + "/" + name):
                os.symlink(path, tools + "/" + name)
        os.chmod(lab.folder, 0o755)
        shell = (need_tool("setpriv"), "--reuid=1", "--regid=1", "--clear-groups",
                 need_tool("env"), "PATH=" + tools, "/bin/sh")
        everyone = dict(ZAPRET_CONFIG="/nonexistent/config", FWTYPE="iptables")
        check_equal("exit code", env.run(lab, shell=shell, **everyone).code, 2)
        with open(tools + "/sudo", "w") as f:
            f.write("#!/bin/sh\necho \"sudo $*\"\n")
        os.chmod(tools + "/sudo", 0o755)
        done = env.run(lab, shell=shell, **everyone)
        check_equal("exit code", done.code, 0)
        check(re.search(r"^sudo -E sh \S+/blockcheck2.sh$", done.text, re.M), done.text)


def dns(env, lab, **answers):
    """Answers of resolvers: system(name) and public(name)."""
    for key, ips in answers.items():
        place, name = key.split("__")
        folder = "dns/%s" % ("8.8.8.8" if place == "public" else "system")
        env.write(lab, "%s/%s" % (folder, name.replace("_", ".")), "\n".join(ips) + "\n")
    env.tool(lab, "ping", "#!/bin/sh\ncase $* in *8.8.8.8) exit 0 ;; esac\nexit 1\n")
    return dict(SKIP_DNSCHECK=0, FAKE_DNS=os.path.join(lab.folder, "dns"), MDIG=env.fake_mdig(lab),
                DNSCHECK_DOM="a.test b.test", ENABLE_HTTP=0, ENABLE_HTTPS_TLS12=0, SIMULATE=1,
                SECURE_DNS="")


@cases({
    "match": (dict(system__a_test=["1.1.1.1"], public__a_test=["1.1.1.1", "1.1.1.2"],
                   system__b_test=["2.2.2.2"], public__b_test=["2.2.2.2"]),
              ["a.test : OK", "b.test : OK", "DNS looks fine"], 0),
    "mismatch": (dict(system__a_test=["6.6.6.6"], public__a_test=["1.1.1.1"]),
                 ["a.test : MISMATCH", "* searching working DoH server", "http://127.0.0.1:9/ : FAIL"], 7),
    "repeated": (dict(system__a_test=["6.6.6.6"], public__a_test=["6.6.6.6"],
                      system__b_test=["6.6.6.6"], public__b_test=["6.6.6.6"]),
                 ["equal IPs for some domains", "6.6.6.6", "* searching working DoH server"], 7),
    "no answers": (dict(), ["DNS is not working"], 0),
})
def test_dns(env, answers, texts, code):
    with env.lab() as lab:
        setup = dns(env, lab, **answers)
        for place in ("system", "8.8.8.8"):
            env.write(lab, "dns/%s/iana.org" % place, "9.9.9.9\n")
        done = env.run(lab, DOH_SERVERS="http://127.0.0.1:9/", **setup)
        for text in texts:
            done.has(text)
        check_equal("exit code", done.code, code)
        if code == 7:
            allowed = env.run(lab, DOH_SERVERS="http://127.0.0.1:9/", **dict(setup, SECURE_DNS=0))
            check_equal("exit code with SECURE_DNS=0", allowed.code, 0)


def test_dns_evidence(env):
    """Another answer is one that is changed; that a public server has none says nothing."""
    with env.lab() as lab:
        for public, told in ((["1.1.1.1"], ["dns : DNS answers changed : a.test: the system's resolver says 6.6.6.6 - "
                                            "8.8.8.8 says 1.1.1.1 "]), (None, None)):
            shutil.rmtree(lab.folder + "/dns", ignore_errors=True)
            setup = dns(env, lab, system__a_test=["6.6.6.6"], **({"public__a_test": public} if public else {}))
            for place in ("system", "8.8.8.8"):
                env.write(lab, "dns/%s/iana.org" % place, "9.9.9.9\n")
            done = env.run(lab, **dict(setup, SECURE_DNS=0))
            done.has("a.test : MISMATCH")
            check_equal("kinds", done.section("KIND OF BLOCKING"), told)


def test_doh(env):
    """Names are asked for over HTTPS when SECURE_DNS=1."""
    with env.lab() as lab:
        curl = env.tool(lab, "dohcurl", """#!/bin/sh
case $* in
*--version*) echo 'curl 8 OpenSSL' ;;
*127.0.0.1:*) exit 7 ;;
*good.doh/dns-query*) read -r name; case $name in iana.org) echo 9.9.9.9 ;; blocked.test) echo 10.77.2.2 ;; esac ;;
*http://blocked.test*) echo "$*" >>"$CURL_LOG"; exit 28 ;;
*) exit 7 ;;
esac
""")
        log = os.path.join(lab.folder, "curl.log")
        done = env.run(lab, CURL=curl, CURL_LOG=log, MDIG=env.fake_mdig(lab), FAKE_DNS=lab.folder,
                       SECURE_DNS=1, DOH_SERVERS="https://bad.doh/dns-query https://good.doh/dns-query",
                       ENABLE_HTTPS_TLS12=0, SKIP_PKTWS=1, TEST="custom")
        done.has("https://bad.doh/dns-query : FAIL\nhttps://good.doh/dns-query : OK")
        check("blocked.test::10.77.2.2:80" in curl_lines(lab)[0], curl_lines(lab))


def test_ip_block(env):
    with env.lab("rst") as lab:
        env.tool(lab, "ncat", "#!/bin/sh\n[ \"$4 $5\" = \"10.77.2.2 80\" ]\n")
        done = env.run(lab, SKIP_IPBLOCK=0, **env.custom(lab, [CASE], [CASE]))
        for text in ("* port block tests ipv4 blocked.test:80\n10.77.2.2 connects\n",
                     "* port block tests ipv4 blocked.test:443\n10.77.2.2 does not connect. netcat code 1\n",
                     "> testing iana.org on it's original ip\nHTTP/1.1 200 OK\n",
                     "> testing blocked.test on 10.77.2.2 (iana.org)\ncurl: (56)",
                     "> testing iana.org on 10.77.2.2 (blocked.test)\nHTTP/1.1 200 OK\n"):
            done.has(text)
        done = env.run(lab, SKIP_IPBLOCK=1, **env.custom(lab, [CASE], [CASE]))
        done.lacks("port block")
        done.lacks("> testing")


SCRIPT_A = """
pktws_check_http() { echo "a has $# $1 $2 IPV=$IPV IPVV=$IPVV LEVEL=$SCANLEVEL TEST=$TEST"; kept=7
	contains abc b && pktws_curl_test "$1" "$2" '--payload=http_req' '--lua-desync=http_hostcase'
	echo "code $?"; }
"""
SCRIPT_B = """
pktws_check_https_tls12() { :; }
"""
SCRIPT_C = """
pktws_check_http() { echo "kept=$kept dir=$(basename "$TESTDIR") repeats=$REPEATS $PKTWSD $UNAME"
	pktws_curl_test_update "$1" "$2" --payload=http_req "--lua-desync=http_hostcase:spell=hoSt"; }
"""


def test_scripts(env):
    """Order, unset functions, arguments, kept variables."""
    with env.lab("rst") as lab:
        for name, text in (("10-a.sh", SCRIPT_A), ("20-b.sh", SCRIPT_B), ("30-c.sh", SCRIPT_C),
                           ("40.inc", "exit 9\n")):
            env.write(lab, "d/mine/" + name, text)
        for engine in ("classic", "fast"):
            done = env.run(lab, ENGINE=engine, BLOCKCHECK2D=lab.folder + "/d", TEST="mine",
                           ENABLE_HTTPS_TLS12=0)
            check_equal("scripts", re.findall(r"\* script : (\S+)", done.text),
                        ["mine/10-a.sh", "mine/30-c.sh"])
            done.has("a has 2 curl_test_http blocked.test IPV=4 IPVV= LEVEL=standard TEST=mine\n")
            done.has("code 0\n")
            done.has("kept=7 dir=mine repeats=1 nfqws2 Linux\n")
            # pktws_curl_test does not count as found
            done.has("strategy found for ipv4 blocked.test : nfqws2 --payload=http_req "
                     "--lua-desync=http_hostcase:spell=hoSt")
            check_equal("summary", len(done.section("SUMMARY")), 2)


def test_lists(env):
    with env.lab() as lab:
        text = "# comment\r\n\r\n--payload=http_req '--out-range=<s1'\t--lua-desync=pass\r\n"
        path = env.write(lab, "list.txt", text)
        common = dict(SIMULATE=1, SIM_SUCCESS_RATE=0, TEST="custom", LIST_HTTP=path)
        done = env.run(lab, LIST_HTTPS_TLS12="/nonexistent/l", **common)
        check_equal("strategies", done.strategies(),
                    ["--payload=http_req --out-range=<s1 --lua-desync=pass"])
        done.has("no strategy file '/nonexistent/l'")


def test_pad(env):
    """Junk headers: about as many bytes as asked for, no header too long, for every kind of test."""
    with env.lab() as lab:
        fake = fake_curl(env, lab, "28 28 28 28 28 28 28 28")
        keep = env.tool(lab, "keepcurl", """#!/bin/sh
for word; do case $word in @*) cat "${word#@}" >"$CURL_LOG.pad" ;; esac; done
exec %s "$@"
""" % fake["CURL"])
        settings = dict(fake, CURL=keep, ENABLE_HTTPS_TLS13=1, ENABLE_HTTP3=1, SKIP_PKTWS=1, TEST="custom")
        env.run(lab, CURL_PAD=9001, **settings)
        lines = curl_lines(lab)
        check_equal("tests", len(lines), 4)
        check(all(" -H @" in line for line in lines), lines)
        with open(os.path.join(lab.folder, "curl.log.pad")) as f:
            headers = f.read().splitlines()
        check(9001 <= sum(map(len, headers)) <= 9020, [len(h) for h in headers])
        check(all(re.fullmatch(r"X-Pad-%04d: A+" % n, h) and len(h) <= 4000 for n, h in enumerate(headers)), headers)
        os.unlink(os.path.join(lab.folder, "curl.log"))
        env.run(lab, **settings)
        check(not any("-H @" in line for line in curl_lines(lab)), "headers although not asked for")
        for name, value in (("CURL_PAD", "x"), ("PAD_MAX_HEADER", "3")):
            done = env.run(lab, **dict(settings, **{name: value}))
            check_equal("exit code", done.code, 1)
            done.has("invalid %s '%s'" % (name, value))
        check_equal("files left", os.listdir(os.path.join(lab.folder, "tmp")), [])


def test_pad_reaches_the_server(env):
    with env.lab("rst") as lab:
        done = env.run(lab, CURL_PAD=2000, PAD_MAX_HEADER=500, ENABLE_HTTPS_TLS12=0, **env.custom(lab, [CASE]))
        done.has("!!!!! AVAILABLE !!!!!")


def test_without_lookup_programs(env):
    """Neither nslookup nor host: mdig asks, and what only they can do is left out and named."""
    with env.lab() as lab:
        setup = dns(env, lab, system__a_test=["1.1.1.1"], system__b_test=["2.2.2.2"])
        env.write(lab, "dns/system/iana.org", "9.9.9.9\n")
        folder = env.folder(lab, "few")
        for place in ("/usr/sbin", "/usr/bin"):
            for name in os.listdir(place):
                if name not in ("nslookup", "host") and not os.path.lexists(folder + "/" + name):
                    os.symlink(place + "/" + name, folder + "/" + name)
        few = env.folder(lab, "tools")
        env.tool(lab, "../tools/ping", "#!/bin/sh\nexit 0\n")
        done = env.run(lab, PATH=few + ":" + folder, **setup)
        check_equal("exit code", done.code, 0)
        done.has("neither nslookup nor host is installed")
        done.has("all resolved IPs are unique")


def test_nftables_that_cannot_queue(env):
    with env.lab() as lab:
        env.tool(lab, "nft", '#!/bin/sh\ntext=$(cat)\ncase "$text" in *queue*) exit 1 ;; esac\n')
        done = env.run(lab, FWTYPE="", SIMULATE=1, SIM_SUCCESS_RATE=0, **env.custom(lab, [CASE]))
        done.has("nftables can not queue packets here (kernel module nft_queue): using iptables")
        done.has("firewall type is iptables")
        check_equal("exit code", done.code, 0)
        done = env.run(lab, FWTYPE="unsupported", SIMULATE=1)
        done.has("no firewall here can queue packets. install iptables")
        check_equal("exit code", done.code, 5)
