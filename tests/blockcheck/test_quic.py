"""HTTP/3 against filtering boxes. A stand-in for curl sends a recorded Initial and waits for an answer,
since few curls can do HTTP/3 and no server here can.

  quic         looks at each datagram for itself; not at fragments and IPv6 extension headers
  quic-first   puts fragments together, and judges a flow by its first datagram
"""
import json
import os
import re
import sys

from checks import ROOT, cases, check, check_equal, nothing_left
from boxes import QUIC_BLOCKED

CURL = """#!%s
import os, socket, sys
words = sys.argv[1:]
if "--version" in words:
    print("curl 8.9.0 OpenSSL/3.0\\nFeatures: HTTP3 SSL")
    sys.exit(0)
if "--http3-only" not in words:
    sys.exit(7)
address, _, port = words[words.index("--connect-to") + 1].split("::", 1)[1].rpartition(":")
address = address.strip("[]")
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
# Never a port that a box has seen before.
s.bind(("", 10000 + os.getpid() %% 50000))
s.settimeout(float(words[words.index("--max-time") + 1]))
s.connect((address, int(port)))
with open("%s", "rb") as f:
    s.send(f.read())
try:
    s.recv(100)
except OSError:
    print("curl: (28) no answer", file=sys.stderr)
    sys.exit(28)
"""
SERVER = """
import socket, sys
with open(sys.argv[1], "rb") as f:
    wanted = f.read()
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 443))
print("ready", flush=True)
while True:
    data, source = s.recvfrom(65536)
    if data == wanted:
        s.sendto(b"welcome", source)
"""

FAKE = "--payload=quic_initial --lua-desync=fake:blob=fake_default_quic:repeats=%d"
HEADER = "--payload=quic_initial --lua-desync=send:%s --lua-desync=drop"
PIECES = "--payload=quic_initial --lua-desync=send:ipfrag:ipfrag_pos_udp=%d --lua-desync=drop"
BOTH = FAKE % 1 + " --lua-desync=send:ipfrag:ipfrag_pos_udp=%d --lua-desync=drop"
HEADERS = ("ip6_hopbyhop", "ip6_destopt", "ip6_hopbyhop:ip6_destopt")

# box -> [(strategy, works, IP versions, why)] in the order of the standard script, which stops a row of
# fakes or of fragments at the first success.
TABLES = {
    "quic": [(FAKE % n, False, "46", "a fake changes nothing for the datagram behind it")
             for n in (1, 2, 5, 10, 20)] +
            [(HEADER % h, True, "6", "behind an extension header it is not looked for")
             for h in HEADERS] +
            [(PIECES % 8, True, "4", "the first fragment ends before the Initial begins"),
             (PIECES % 8, False, "6", "the client's kernel puts IPv6 fragments together for conntrack, "
              "and apart again only if none was as long as the whole; here the second is"),
             (PIECES % 16, True, "6", "as 8 for IPv4"),
             (BOTH % 8, True, "4", "as without the fake"),
             (BOTH % 8, False, "6", "as without the fake"),
             (BOTH % 16, True, "6", "as without the fake")],
    "quic-first": [(FAKE % 1, True, "46", "the fake has no name, and is the first")] +
                  [(HEADER % h, False, "6", "the name is found behind extension headers")
                   for h in HEADERS] +
                  [(PIECES % n, False, "46", "fragments are put together") for n in (8, 16, 32, 64)] +
                  [(BOTH % 8, True, "46", "the fake is the first")],
}


def initial():
    with open(os.path.join(ROOT, "tests", "data", "protocol-samples.json")) as f:
        samples = {s["name"]: s for s in json.load(f)}
    sample = samples["quic_v1_rfc9001_A2"]
    check_equal("name in the sample", sample["expect_hostname"], QUIC_BLOCKED)
    return bytes.fromhex(sample["payload_hex"])


def quic_run(env, lab, **variables):
    packet = os.path.join(lab.folder, "initial")
    with open(packet, "wb") as f:
        f.write(initial())
    server = lab.start("server", sys.executable, env.write(lab, "server.py", SERVER), packet)
    lab.wait_for(lambda: os.path.getsize(server.log) > 0, "no server", server)
    return env.run(lab, CURL=env.tool(lab, "curl-h3", CURL % (sys.executable, packet)), DOMAINS=QUIC_BLOCKED,
                   ENABLE_HTTP=0, ENABLE_HTTPS_TLS12=0, ENABLE_HTTP3=1, CURL_MAX_TIME_QUIC=1, CURL_OPT="",
                   **variables)


def test_quick(env):
    """The first that works three times ends it; the datagrams that nobody answers are told."""
    with env.lab("quic-first") as lab:
        done = quic_run(env, lab, SCANLEVEL="quick", SKIP_KIND=0)
        good = [s for _, _, _, s, line in done.results() if line == "!!!!! AVAILABLE !!!!!"]
        check_equal("found", good, [FAKE % 1])
        check_equal("tried", done.results()[-1][3], FAKE % 1)
        told = done.section("KIND OF BLOCKING")
        check(told and re.fullmatch(r"curl_test_http3 ipv4 example\.com : drop : 1 datagrams with the request sent in "
                                    r"\d+ s, nothing came back: blocked, or no QUIC there", told[0]), told)
        nothing_left(lab, "quick")


@cases({box: (box,) for box in TABLES})
def test_opens_exactly(env, box):
    with env.lab(box) as lab:
        done = quic_run(env, lab, IPVS="46")
        for version in (4, 6):
            got = [(s, line == "!!!!! AVAILABLE !!!!!") for _, v, _, s, line in done.results()
                   if v == version]
            check_equal("ipv%d" % version, got, [
                (s, works) for s, works, versions, _ in TABLES[box] if str(version) in versions])
        nothing_left(lab, box)
