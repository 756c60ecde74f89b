"""The program's purpose: a box resets connections that show a name, and the site opens all the
same."""
import os
import signal
import socket
import ssl
import subprocess
import sys

from harness import HERE, QUEUE, big_client_hello, cases, check, check_equal, laboratory
from packets import RST, TCP
from wire import Sniffer, StreamServer, exchange

SITE = "blocked.example"
OTHER = "open.example"
SPLIT = ["--payload=http_req,tls_client_hello", "--lua-desync=multisplit:pos=midsld"]


def opens(lab, url, version=4):
    name = url.split("/")[2]
    result = lab.curl(url, name=name, version=version)
    return result.returncode == 0 and "It works" in result.stdout


def all_urls(name=SITE):
    return [(version, "%s://%s/" % (scheme, name)) for version in (4, 6)
            for scheme in ("http", "https")]


def test_demo(env):
    """The demonstration: blocked before, open after."""
    result = subprocess.run([sys.executable, os.path.join(HERE, "..", "lab", "demo.py"),
                             env.program, env.lua], capture_output=True, text=True, timeout=200)
    check_equal("exit code", result.returncode, 0)
    before, _, after = result.stdout.partition("With nfqws2")
    check_equal("blocked before", before.count("BLOCKED"), 4)
    check_equal("open after", after.count("OPEN"), 4)
    check("Something is wrong" not in result.stdout, "it said: %s", result.stdout)


OPENING = {
    "multisplit": SPLIT,
    "multidisorder": ["--payload=http_req,tls_client_hello",
                      "--lua-desync=multidisorder:pos=midsld"],
    "hostfakesplit": ["--payload=http_req,tls_client_hello",
                      "--lua-desync=hostfakesplit:midhost=midsld:ip_ttl=1:ip6_ttl=1"],
    "tcpseg": ["--payload=http_req,tls_client_hello", "--out-range=-n3",
               "--lua-desync=tcpseg:pos=0,midsld-1", "--lua-desync=tcpseg:pos=midsld,-1",
               "--lua-desync=drop"],
}


@cases({name: (args,) for name, args in OPENING.items()})
def test_opens(env, arguments):
    with env.lab() as lab:
        lab.start_site(SITE, OTHER)
        lab.filter_words(SITE)
        lab.queue_client(QUEUE)
        for version, url in all_urls():
            check(not opens(lab, url, version), "the box does not block %s", url)
        with env.daemon(lab, *arguments):
            for version, url in all_urls() + all_urls(OTHER):
                check(opens(lab, url, version), "%s stays closed over IPv%d", url, version)
        check(not opens(lab, all_urls()[0][1]), "the box does not block any more")


def test_server_side_window(env):
    """wsize on the server makes the client itself send its request in small pieces."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.filter_words(SITE)
        lab.queue_all("server", QUEUE)
        with env.daemon(lab, "--server", "--lua-desync=wsize:wsize=30:scale=0", who="server"):
            for version in (4, 6):
                check(opens(lab, "http://%s/" % SITE, version), "closed over IPv%d", version)


@cases({mode: (mode,) for mode in ("syn", "synack", "acksyn")})
def test_split_handshake(env, mode):
    """synack_split on the server: the client's TCP takes part in an unusual handshake."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_all("server", QUEUE)
        with env.daemon(lab, "--server", "--lua-desync=synack_split:mode=" + mode, who="server"):
            for version, url in all_urls():
                check(opens(lab, url, version), "%s does not open over IPv%d", url, version)


def big_request(lab, name, version):
    """A TLS connection whose ClientHello has several segments; the page, or None."""
    context = ssl.create_default_context(cafile=lab.folder + "/site.crt")
    # Names of protocols nobody speaks make it long: about 3500 bytes.
    context.set_alpn_protocols(["protocol-number-%04d" % n for n in range(160)] + ["http/1.1"])
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with lab.socket("client", family, socket.SOCK_STREAM) as s:
        s.settimeout(laboratory.PATIENCE)
        try:
            s.connect((laboratory.SERVER[version], 443))
            with context.wrap_socket(s, server_hostname=name) as t:
                t.sendall(b"GET / HTTP/1.0\r\nHost: %s\r\n\r\n" % name.encode())
                return t.recv(65536)
        except OSError:
            return None


def test_big_client_hello_opens(env):
    with env.lab() as lab:
        lab.start_site(SITE, OTHER)
        lab.filter_words(SITE)
        lab.queue_client(QUEUE)
        for version in (4, 6):
            check(big_request(lab, OTHER, version), "the big ClientHello does not work at all")
            check(big_request(lab, SITE, version) is None, "the box does not block")
        with env.daemon(lab, *SPLIT):
            for version in (4, 6):
                with Sniffer(lab, "client") as sniffer:
                    page = big_request(lab, SITE, version)
                    seen = sniffer.stop()
                check(page is not None and page.startswith(b"HTTP/1.1 200"), "IPv%d: %r", version,
                      page)
                sizes = [len(s.packet.payload) for s in seen if s.outgoing and s.packet.proto == TCP
                         and s.packet.payload]
                check(sum(sizes[:4]) > 3000, "the ClientHello was not big: %s", sizes)


BIG = {
    "multisplit": ["--lua-desync=multisplit:pos=1,midsld"],
    "multidisorder": ["--lua-desync=multidisorder:pos=1,midsld"],
    "legacy": ["--lua-desync=multidisorder_legacy:pos=1,host,1300,1500,-5"],
    "fake": ["--lua-desync=fake:blob=fake_default_tls:ip_ttl=1:ip6_ttl=1"],
    "fakedsplit": ["--lua-desync=fakedsplit:pos=midsld:ip_ttl=1:ip6_ttl=1"],
    "hostfakesplit": ["--lua-desync=hostfakesplit:ip_ttl=1:ip6_ttl=1"],
    "modified_pieces": ["--lua-desync=pktmod:tcp_ts_up"],
    "oob": None,
    "unjoined": ["--reasm-disable", "--lua-desync=multisplit"],
}


@cases({name: (args,) for name, args in BIG.items()})
def test_recorded_big_hello(env, arguments):
    """A browser's ClientHello with a post-quantum key share (1815 bytes) arrives byte for byte."""
    hello = big_client_hello()
    if arguments is None:
        arguments = ["--in-range=-s1", "--lua-desync=oob"]
    else:
        arguments = ["--payload=tls_client_hello", *arguments]
    with env.lab() as lab, StreamServer(lab, "server", 8443, len(hello)) as server:
        lab.queue_client(QUEUE, ports="8443")
        with env.daemon(lab, *arguments):
            for version in (4, 6):
                answer = exchange(lab, laboratory.SERVER[version], 8443, hello)
                check_equal("answer", answer, StreamServer.REPLY)
        check(server.wait(lambda s: len(s.finished) == 2), "a connection did not end")
        check_equal("streams", server.finished, [hello, hello])


def test_hostlist_selects(env):
    """Only the listed site is treated, and a reload by HUP changes which."""
    with env.lab() as lab:
        lab.start_site(SITE, OTHER, "www." + SITE)
        lab.filter_words("example")
        lab.queue_client(QUEUE)
        path = os.path.join(lab.folder, "hosts.txt")
        with open(path, "w") as f:
            f.write("# sites\n%s\n" % SITE)
        os.chmod(path, 0o644)
        split = ["--payload=http_req,tls_client_hello",
                 "--lua-desync=multisplit:pos=host+1,host+3,midsld,midsld+2,endhost-5,endhost-2"]
        with env.daemon(lab, "--hostlist=" + path, *split) as daemon:
            for scheme in ("http", "https"):
                check(opens(lab, "%s://%s/" % (scheme, SITE)), "the listed site is closed")
                check(opens(lab, "%s://www.%s/" % (scheme, SITE)), "its subdomain is closed")
                check(not opens(lab, "%s://%s/" % (scheme, OTHER)), "another site is open")
            with open(path, "w") as f:
                f.write(OTHER + "\n")
            os.utime(path, (1, 2000000000))
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_output("HUP received")
            lab.wait_for(lambda: opens(lab, "http://%s/" % OTHER), "the reload had no effect")
            check(not opens(lab, "http://%s/" % SITE), "the old list is still in force")
            os.unlink(path)
            daemon.process.send_signal(signal.SIGHUP)
            lab.wait_for(lambda: daemon.output().count("HUP received") == 2, "no second reload")
            check(opens(lab, "http://%s/" % OTHER), "a list that is gone lost its content")


def test_ipset_selects(env):
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.filter_words(SITE)
        lab.queue_client(QUEUE)
        with env.daemon(lab, "--ipset-ip=10.77.2.0/24", *SPLIT):
            check(opens(lab, "http://%s/" % SITE, 4), "a listed address is not treated")
            check(not opens(lab, "http://%s/" % SITE, 6), "an unlisted address is treated")


def test_automatic_hostlist(env):
    """Blocked once, the name is on the list and opens."""
    with env.lab() as lab:
        lab.start_site(SITE, OTHER)
        lab.filter_words(SITE)
        lab.queue_client(QUEUE)
        path, log = (os.path.join(lab.folder, n) for n in ("auto.txt", "auto.log"))
        with env.daemon(lab, "--hostlist-auto=" + path, "--hostlist-auto-debug=" + log,
                        "--hostlist-auto-fail-threshold=2", *SPLIT):
            check(opens(lab, "https://%s/" % OTHER), "the other site is closed")
            for _ in range(2):
                check(not opens(lab, "https://%s/" % SITE), "the site opened too early")
            check(opens(lab, "https://%s/" % SITE), "the site stays closed")
        with open(path) as f:
            check_equal("automatic list", f.read().split(), [SITE])
        with open(log) as f:
            check(SITE in f.read(), "the debug log does not name the site")


def test_circular_finds_a_strategy(env):
    """The first strategy does not help; resets by the box turn the wheel to the second."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.filter_words(SITE)
        lab.queue_client(QUEUE)
        with env.daemon(lab, "--in-range=-s5000", "--out-range=-s34228",
                        "--lua-desync=circular:fails=2", "--payload=http_req,tls_client_hello",
                        "--lua-desync=pass:strategy=1",
                        "--lua-desync=multisplit:pos=midsld:strategy=2:final",
                        libraries=("lib", "antidpi", "auto")):
            for _ in range(2):
                check(not opens(lab, "https://%s/" % SITE), "the site opened too early")
            for _ in range(3):
                check(opens(lab, "https://%s/" % SITE), "the site stays closed")


def test_router(env):
    """The program on a router between client and box: what it forwards is treated too."""
    with env.lab() as lab:
        lab.start_site(SITE)
        # The server resets what shows the name before its own TCP sees it.
        lab.filter_words(SITE, who="server", chain="INPUT", interface=None)
        lab.queue_all("box", QUEUE, interface="to-server")
        for version, url in all_urls():
            check(not opens(lab, url, version), "%s is not blocked", url)
        with env.daemon(lab, *SPLIT, who="box"), Sniffer(lab, "client") as sniffer:
            for version, url in all_urls():
                check(opens(lab, url, version), "%s stays closed over IPv%d", url, version)
            check(not any(s.packet.proto == TCP and s.packet.flags & RST and not s.outgoing
                          for s in sniffer.stop()), "a reset came to the client")
