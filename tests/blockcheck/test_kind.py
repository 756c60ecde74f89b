"""What kind of blocking it is: told with its evidence, and nothing without."""
import json
import os
import re
import subprocess
import sys

from checks import ROOT, cases, check, check_equal, need_tool, nothing_left
from fakes import CASE, SLEEPER, SPLIT


def kinds(result):
    """{test: [(kind, evidence)]} of the page at the end."""
    found = {}
    for line in result.section("KIND OF BLOCKING") or []:
        test, kind, evidence = line.split(" : ", 2)
        found.setdefault(test, []).append((kind, evidence))
    return found


def run(env, lab, **variables):
    done = env.run(lab, **dict(dict(SKIP_KIND=0, CURL_MAX_TIME=3, **env.custom(lab, [CASE], [SPLIT.replace(
        "http_req", "tls_client_hello")])), **variables))
    check_equal("exit code", done.code, 0)
    nothing_left(lab, "after the run")
    return done


NAME = ("by name", r"10\.77\.2\.2 answers a request for iana\.org with \d+ bytes")
# box -> what is said of HTTP, and of TLS unless the box knows HTTP only
BOXES = {
    "rst": ("RST", r"RST \d+ ms after the request, TTL 64 \(SYN,ACK of the server: 63\)"),
    "drop": ("drop", r"\d+ packets with the request sent in \d+ s, nothing came back"),
    "redirect": ("redirect", r"302 to : http://warning\.test/, TTL 64 \(SYN,ACK of the server: 63\)"),
}


@cases({box: (box,) for box in BOXES})
def test_boxes(env, box):
    with env.lab(box) as lab:
        for level in ("standard", "quick"):
            done = run(env, lab, SCANLEVEL=level, ENABLE_HTTPS_TLS12=int(box != "redirect"))
            found = kinds(done)
            check_equal("tests", len(found), 1 if box == "redirect" else 2)
            for told in found.values():
                check_equal("kinds", [kind for kind, _ in told], [BOXES[box][0], "by name"])
                for (_, evidence), (_, pattern) in zip(told, (BOXES[box], NAME)):
                    check(re.fullmatch(pattern, evidence), "%s\nis not %s", evidence, pattern)
            check("!!!!! AVAILABLE !!!!!" in done.text, "nothing found:\n%s", done.text)


def test_cut(env):
    """A page that opens, but not to its end: seen with a whole page, although its header came."""
    with env.lab("stall") as lab:
        out = os.path.join(lab.folder, "out.json")
        done = run(env, lab, DOMAINS="blocked.test/big.bin", BLOCKCHECK_JSON=out)
        found = kinds(done)
        check_equal("tests", len(found), 2)
        for told in found.values():
            check_equal("kinds", [kind for kind, _ in told], ["cut after 16 kB"])
            check(re.fullmatch(r"\d{5} bytes of the answer came in the first \d+ ms, then nothing until the end after "
                               r"\d+ s", told[0][1]), told[0][1])
        with open(out) as f:
            summary = json.loads(f.read().splitlines()[-1])
        check_equal("JSON", [(b["test"], b["ipv"], b["domain"], b["kind"], b["evidence"]) for b in summary["blocking"]],
                    [(test.split()[0], 4, "blocked.test/big.bin", kind, evidence)
                     for test, told in found.items() for kind, evidence in told])


@cases({
    "no connection": ("-j DROP", r"\d+ SYN to 10\.77\.2\.2, no answer"),
    "connection refused": ("-j REJECT --reject-with tcp-reset", r"RST from 10\.77\.2\.2 as the answer to SYN, TTL \d+"),
})
def test_address(env, rule, pattern):
    """No connection is no question of names. That it is the address alone is not said where nothing else answers."""
    with env.lab() as lab:
        lab.sh("box", "iptables -A FORWARD -p tcp --dport 80 " + rule)
        done = run(env, lab, ENABLE_HTTPS_TLS12=0)
        told = kinds(done)["curl_test_http ipv4 blocked.test"]
        check_equal("kinds", len(told), 1)
        check(re.fullmatch(pattern, told[0][1]), told[0][1])


def test_by_address(env):
    """Another address answers the same name."""
    with env.lab() as lab:
        lab.sh("server", "ip addr add 10.77.2.3/24 dev eth0")
        lab.sh("box", "iptables -A FORWARD -d 10.77.2.2 -p tcp --dport 80 -j DROP")
        hosts(lab, ("10.77.2.2 iana.org", "10.77.2.3 iana.org"))
        told = kinds(run(env, lab, ENABLE_HTTPS_TLS12=0))["curl_test_http ipv4 blocked.test"]
        check_equal("kinds", [kind for kind, _ in told], ["no connection", "by address"])
        check_equal("evidence", told[1][1],
                    "10.77.2.2 does not answer a request for iana.org either, 10.77.2.3 does")


def test_address_of_both_names(env):
    """The other name answers on its own address, which is one of the blocked name, too: no proof of anything."""
    with env.lab() as lab:
        lab.sh("server", "ip addr add 10.77.2.3/24 dev eth0")
        lab.sh("box", "iptables -A FORWARD -d 10.77.2.2 -p tcp --dport 80 -j DROP")
        lab.sh("box", "iptables -A FORWARD -d 10.77.2.3 -p tcp --dport 80 -m string --algo bm --from 52 "
                      "--string blocked.test -j DROP")
        own = env.write(lab, "dns/system/iana.org", "10.77.2.3\n")
        for addresses, said in (("10.77.2.2\n10.77.2.3\n", ["no connection"]),
                                ("10.77.2.2\n", ["no connection", "by address"])):
            env.write(lab, "dns/system/blocked.test", addresses)
            done = run(env, lab, ENABLE_HTTPS_TLS12=0, MDIG=env.fake_mdig(lab), FAKE_DNS=own.partition("/system")[0],
                       **env.custom(lab))
            check_equal("kinds", [kind for kind, _ in kinds(done)["curl_test_http ipv4 blocked.test"]], said)


def test_by_protocol(env):
    """Nobody answers this protocol, while the site itself answers another one."""
    with env.lab() as lab:
        lab.sh("server", "ip addr add 10.77.2.3/24 dev eth0")
        hosts(lab, ("10.77.2.2 iana.org", "10.77.2.3 iana.org"))
        lab.sh("box", "iptables -A FORWARD -p tcp --dport 443 -j DROP")
        test = "curl_test_https_tls12 ipv4 blocked.test"
        told = kinds(run(env, lab, **env.custom(lab)))[test]
        check_equal("kinds", [kind for kind, _ in told], ["no connection", "by protocol"])
        check_equal("evidence", told[1][1], "iana.org does not answer on its own address 10.77.2.3 either, while "
                                            "curl_test_http of blocked.test works")
        # Where no other protocol was tried, or none works, that is not said.
        check_equal("kinds", [kind for kind, _ in kinds(run(env, lab, ENABLE_HTTP=0, **env.custom(lab)))[test]],
                    ["no connection"])


def hosts(lab, *changes):
    """Other addresses for names."""
    with open(lab.folder + "/hosts") as f:
        text = f.read()
    for old, new in changes:
        check(old in text, "%s is not in\n%s", old, text)
        text = text.replace(old, new)
    with open(lab.folder + "/hosts", "w") as f:
        f.write(text)


def test_certificate(env):
    """One of an unknown authority, while that of another name is known."""
    with env.lab() as lab:
        lab.sh("server", "ip addr add 10.77.2.3/24 dev eth0")
        lab.sh("server", "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=nobody -keyout %s/n.key "
                         "-out %s/n.crt" % (lab.folder, lab.folder))
        other = lab.start("server", "openssl", "s_server", "-accept", "10.77.2.3:8443", "-www", "-cert",
                          lab.folder + "/n.crt", "-key", lab.folder + "/n.key")
        lab.wait_for(lambda: ":8443 " in lab.run("server", "ss", "-ltn").stdout, "no server", other)
        lab.sh("server", "iptables -t nat -A PREROUTING -d 10.77.2.3 -p tcp --dport 443 -j DNAT "
                         "--to-destination 10.77.2.3:8443")
        hosts(lab, ("10.77.2.2 blocked.test", "10.77.2.3 blocked.test"))
        told = kinds(run(env, lab, ENABLE_HTTP=0))["curl_test_https_tls12 ipv4 blocked.test"]
        check_equal("kinds", [kind for kind, _ in told], ["certificate changed"])
        check("issuer: " in told[0][1] and "(60)" in told[0][1], told[0][1])


def test_no_authorities(env):
    """No authority is known here: that is not the site's."""
    with env.lab() as lab:
        told = kinds(run(env, lab, ENABLE_HTTP=0, CURL_OPT=""))["curl_test_https_tls12 ipv4 blocked.test"]
        check_equal("kinds", [kind for kind, _ in told], ["certificate unknown"])
        check("that of iana.org on its own address 10.77.2.2 " in told[0][1] and "(60)" in told[0][1], told[0][1])


def test_ecn(env):
    """Who asks for ECN has more flags in his SYN."""
    with env.lab("rst") as lab:
        lab.sh("client", "echo 1 >/proc/sys/net/ipv4/tcp_ecn")
        told = kinds(run(env, lab, ENABLE_HTTPS_TLS12=0))["curl_test_http ipv4 blocked.test"]
        check_equal("kinds", [kind for kind, _ in told], ["RST", "by name"])
        check(re.fullmatch(BOXES["rst"][1], told[0][1]), told[0][1])


def test_other_answers(env):
    """The address answers the other name, too, though with a redirect: no proof that it is the address."""
    with env.lab("redirect") as lab:
        lab.sh("server", "ip addr add 10.77.2.3/24 dev eth0")
        lab.sh("box", "iptables -t mangle -I PREROUTING -d 10.77.2.3 -j ACCEPT")
        lab.sh("box", "iptables -A FORWARD -p tcp --dport 80 -m string --algo bm --from 52 --string good.test -j DROP")
        hosts(lab, ("10.77.2.2 blocked.test", "10.77.2.3 blocked.test"))
        told = kinds(run(env, lab, ENABLE_HTTPS_TLS12=0, DOMAINS="good.test", UNBLOCKED_DOM="blocked.test"))
        told = told["curl_test_http ipv4 good.test"]
        check_equal("kinds", [kind for kind, _ in told], ["drop"])


def test_slow(env):
    """The beginning comes fast, the rest does not."""
    with env.lab() as lab:
        lab.sh("box", "iptables -A FORWARD -p tcp --sport 80 -m connbytes --connbytes 24000: --connbytes-dir reply "
                      "--connbytes-mode bytes -m hashlimit --hashlimit-above 8/s --hashlimit-burst 5 "
                      "--hashlimit-name slow -j DROP")
        told = kinds(run(env, lab, DOMAINS="blocked.test/big.bin", ENABLE_HTTPS_TLS12=0, CURL_MAX_TIME=6))
        told = told["curl_test_http ipv4 blocked.test/big.bin"]
        check_equal("kind", told[0][0], "slow-down")
        check(re.fullmatch(r"the first 16 kB came with \d+ kB/s, the next \d+ kB with \d+ kB/s", told[0][1]),
              told[0][1])


# Refuses to queue all answers.
REFUSING = """#!/bin/sh
text=$(cat)
case $text in *blockcheck_input*--sport*RETURN*SYN,ACK*) ;; *blockcheck_input*--sport*) exit 1 ;; esac
printf '%%s\\n' "$text" | exec %s "$@"
"""


def test_refused(env):
    """Where the rules for it are refused the kind is left out, and nothing else."""
    with env.lab("rst") as lab:
        env.tool(lab, "iptables-restore", REFUSING % need_tool("iptables-restore"))
        done = run(env, lab, DOMAINS="good.test blocked.test", ENABLE_HTTPS_TLS12=0)
        check_equal("kinds", kinds(done), {})
        done.has("the kind of blocking cannot be looked for: the iptables rules were refused")
        check_equal("summary", done.section("SUMMARY"), [
            "curl_test_http ipv4 good.test : working without bypass",
            "curl_test_http ipv4 blocked.test : nfqws2 " + CASE])


def test_nothing_sent(env):
    """Who sends nothing says nothing of the way."""
    with env.lab() as lab:
        done = run(env, lab, ENABLE_HTTPS_TLS12=0, CURL=env.tool(lab, "sleeper", SLEEPER), CURL_OPT="")
        check_equal("kinds", kinds(done), {})


FACTS = """
. "$1/common/blockcheck/kind.sh"
awk -v first_port="$2" -v last_port="$3" "$KIND_AWK"
"""


def facts(lines, first=0, last=0):
    """What is made of a trace: (seconds, direction, client's port, flags, bytes)."""
    client, server = ("2001:0db8:1111:2222:3333:4444:5555:666%d" % n for n in (1, 2))
    text = ""
    for t, direction, port, flags, size in lines:
        ends = ("[%s]:%d" % (client, port), "[%s]:443" % server)
        src, dst = ends if direction == "out" else ends[::-1]
        text += '{"t":%s,"dir":"%s","l4":"tcp","src":"%s","dst":"%s","dlen":%d,"tcp":{"flags":"%s"},"x":" ttl=9"}\n' % (
            t, direction, src, dst, size, flags)
    outputs = set()
    for shell in (("sh",), ("busybox", "sh")):
        tool = FACTS.replace("awk", "busybox awk") if shell[0] == "busybox" else FACTS
        outputs.add(subprocess.run([*shell, "-c", tool, "x", ROOT, str(first), str(last)], input=text,
                                   capture_output=True, text=True, check=True).stdout)
    check_equal("tools that agree", len(outputs), 1)
    return dict(word.split("=") for word in outputs.pop().split())


def test_facts(env):
    """Of the trace only the connection whose local ports are known counts; RST is before or after the request."""
    need_tool("busybox")
    shake = [(1.0, "out", 4003, "SEC", 0), (1.1, "in", 4003, "SAE", 0), (1.11, "out", 4003, "A", 0)]
    other = [(0.5, "out", 4016, "S", 0), (0.6, "in", 4016, "R", 0), (1.05, "in", 4016, "R", 0)]
    early = facts(other + shake + [(1.25, "in", 4003, "RA", 0), (1.3, "out", 4003, "PA", 99)], 4000, 4015)
    check_equal("early", [early[k] for k in ("K_SYNS", "K_SYNACK_TTL", "K_RESETS", "K_RST_EARLY", "K_RST_AFTER")],
                ["1", "9", "1", "1", "250"])
    late = facts(other + shake + [(1.2, "out", 4003, "PA", 99), (1.25, "in", 4003, "R", 0)], 4000, 4015)
    check_equal("late", [late[k] for k in ("K_REQUESTS", "K_RESETS", "K_RST_EARLY", "K_RST_AFTER")],
                ["1", "1", "0", "50"])
    check_equal("of another", facts(other, 4000, 4015)["K_SYNS"], "0")
    check_equal("without ports", facts(other)["K_RESETS"], "2")


def test_early_reset(env):
    """That a RST came before the request is told."""
    with env.lab() as lab:
        script = env.write(lab, "early.sh", """
for part in base blockcheck/words blockcheck/kind; do . "$1/common/$part.sh"; done
kind_add() { echo "$1: $2"; }
K_SYNACK_TTL=60 K_RESETS=1 K_RST_EARLY=1 K_RST_AFTER=7 K_RST_TTL=9 K_ANSWERS=0 K_REQUESTS=1
kind_of_packets 10.0.0.1 tcp
""")
        done = subprocess.run(["sh", script, ROOT], capture_output=True, text=True, check=True)
        check_equal("told", done.stdout, "RST: RST 7 ms after the SYN, before the request, TTL 9 "
                                         "(SYN,ACK of the server: 60)\n")


STEADY = """
import http.server, time
class Steady(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "100000000")
        self.end_headers()
        while True:
            self.wfile.write(bytes(100000))
            time.sleep(PAUSE)
http.server.ThreadingHTTPServer(("10.77.2.3", 8080), Steady).serve_forever()
"""


@cases({"steady": (0.1, []), "silent": (60, ["stall"])})
def test_steady(env, pause, told):
    """A download that is not done in time is a stall if it paused, else not."""
    with env.lab() as lab:
        lab.sh("server", "ip addr add 10.77.2.3/24 dev eth0")
        lab.sh("server", "iptables -t nat -A PREROUTING -d 10.77.2.3 -p tcp --dport 80 -j DNAT "
                         "--to-destination 10.77.2.3:8080")
        server = lab.start("server", sys.executable, env.write(lab, "steady.py", STEADY.replace("PAUSE", str(pause))))
        lab.wait_for(lambda: ":8080 " in lab.run("server", "ss", "-ltn").stdout, "no server", server)
        hosts(lab, ("10.77.2.2 good.test", "10.77.2.3 good.test"))
        done = run(env, lab, DOMAINS="good.test/x", ENABLE_HTTPS_TLS12=0, **env.custom(lab))
        done.has("UNAVAILABLE code=28")
        check_equal("kinds", [kind for kind, _ in kinds(done).get("curl_test_http ipv4 good.test/x", ())], told)


SPY = """#!/bin/sh
for last; do :; done
case $last in */kind.trace) wc -l <"$last" >>%s/lines ;; esac
exec %s "$@"
"""


def test_large_page(env):
    """Of a large page's trace only the beginning is kept, and nothing waits for the rest."""
    with env.lab() as lab:
        path = os.path.dirname(env.script(lab)) + "/common/blockcheck/kind.sh"
        with open(path) as f:
            text = f.read()
        check("KIND_MOST=1000 " in text, "no limit")
        with open(path, "w") as f:
            f.write(text.replace("KIND_MOST=1000 ", "KIND_MOST=5 "))
        env.tool(lab, "awk", SPY % (lab.folder, need_tool("awk")))
        check_equal("kinds", kinds(run(env, lab, DOMAINS="good.test/big.bin")), {})
        with open(lab.folder + "/lines") as f:
            check_equal("lines of the traces", f.read().split(), ["5", "5"])


def test_others_at_it(env):
    """What others ask of the same address meanwhile is not taken for the blocked request."""
    with env.lab("rst") as lab:
        lab.start("client", "sh", "-c", "while :; do curl -s -o /dev/null --max-time 1 http://10.77.2.2/; done")
        done = env.run(lab, SKIP_KIND=0, CURL_MAX_TIME=3, ENABLE_HTTPS_TLS12=0, **env.custom(lab, [CASE]))
        told = kinds(done)["curl_test_http ipv4 blocked.test"]
        check_equal("kinds", [kind for kind, _ in told], ["RST", "by name"])


def test_works(env):
    """Where nothing is blocked nothing is said, nor where these tests are not wanted."""
    with env.lab("rst") as lab:
        check_equal("kinds", kinds(run(env, lab, DOMAINS="good.test")), {})
        check_equal("fractions", kinds(run(env, lab, DOMAINS="good.test", CURL_MAX_TIME="3.5")), {})
        check_equal("kinds", kinds(run(env, lab, SKIP_KIND=1)), {})
