"""Automatic host lists: each detector adds a host after the threshold, the strategy then applies to
the next connection, exclusions are respected, and the file survives whatever ends the program."""
import os
import random
import re
import signal
import threading
import time

from expect import wait_for
from harness import QUEUE, cases, check, check_equal, golden, laboratory
from packets import RST, TCP, UDP, parse
from wire import DatagramServer, Sniffer, StreamServer, exchange

SITE = "blocked.example"
URL = "http://%s/" % SITE
SPLIT = ["--payload=http_req", "--lua-desync=multisplit:pos=midsld"]
QUIC = parse(golden("077-fake-quic", 0)).payload
QUIC_HOST = "www.example.com"
QUIC_PORT = 4433
REQUEST = b"GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: test\r\n\r\n"
LOG_LINE = re.compile(r"^\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d : (\S+) : profile 1 \(noname\) : "
                      r"client (\S+) : proto (\w+) : (.*)$")


class AutoList:
    """The list and its log in the folder of a lab."""

    def __init__(self, lab, content="", name="auto.txt"):
        self.path = os.path.join(lab.folder, name)
        self.log = os.path.join(lab.folder, name + ".log")
        with open(self.path, "w") as f:
            f.write(content)

    def options(self, *more, threshold=2):
        return ["--hostlist-auto=" + self.path, "--hostlist-auto-debug=" + self.log,
                "--hostlist-auto-fail-threshold=%d" % threshold, *more]

    def hosts(self):
        with open(self.path) as f:
            return f.read().splitlines()

    def events(self):
        """(host, protocol, text) of each line of the log."""
        with open(self.log) as f:
            lines = f.read().splitlines()
        found = [LOG_LINE.match(line) for line in lines]
        check(all(found), "a line of the log is not as documented: %s", lines)
        return [(m[1], m[3], m[4]) for m in found]

    def texts(self):
        return [text for _, _, text in self.events()]


def drop_words(lab, *words):
    """The box swallows every packet towards the server that shows one of the words."""
    lab.filter_words(*words, drop=True)


def fetch(lab, path="", name=SITE, timeout=20):
    """curl's exit code: 0 the page came, 28 time out, 56 reset."""
    return lab.curl("-o", "/dev/null", "http://%s/%s" % (name, path), name=name,
                    timeout=timeout).returncode


@cases({"ipv4": (4,), "ipv6": (6,)})
def test_reset(env, version):
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.filter_words(SITE)
        lab.queue_client(QUEUE)
        auto = AutoList(lab)

        def opens():
            return lab.curl(URL, name=SITE, version=version).returncode == 0
        with env.daemon(lab, *auto.options(), *SPLIT):
            check(not opens(), "the strategy applies to a host that is not listed")
            check_equal("list after one failure", auto.hosts(), [])
            check(not opens(), "the second try opens")
            check_equal("list after two failures", auto.hosts(), [SITE])
            check(opens(), "the strategy does not apply after the host was listed")
            check(opens(), "nor later")
        check_equal("log", auto.events(), [
            (SITE, "http", "rseq 1 : incoming RST"), (SITE, "http", "fail counter 1/2"),
            (SITE, "http", "rseq 1 : incoming RST"), (SITE, "http", "fail counter 2/2"),
            (SITE, "http", "adding to " + auto.path)])
        with env.daemon(lab, *auto.options(), *SPLIT):
            check(opens(), "the list is not read at the next start")


def test_retransmissions(env):
    with env.lab() as lab:
        lab.start_site(SITE)
        drop_words(lab, SITE)
        lab.queue_client(QUEUE)
        auto = AutoList(lab)
        with env.daemon(lab, *auto.options("--hostlist-auto-retrans-threshold=2"), *SPLIT):
            for _ in range(2):
                with Sniffer(lab, "client") as sniffer:
                    begin = time.monotonic()
                    check_equal("curl's exit code", fetch(lab), 56)
                    check(time.monotonic() - begin < 10, "the reset came late")
                    resets = [s.packet for s in sniffer.stop()
                              if s.packet.proto == TCP and s.packet.flags & RST]
                check(not any(p.src == laboratory.CLIENT4 for p in resets),
                      "the client's kernel did not accept the reset")
            check_equal("list", auto.hosts(), [SITE])
            check_equal("curl's exit code with the strategy", fetch(lab), 0)
        check_equal("log", auto.texts(), [
            "retrans threshold reached", "fail counter 1/2", "retrans threshold reached",
            "fail counter 2/2", "adding to " + auto.path])


def test_retransmissions_without_reset(env):
    with env.lab() as lab:
        lab.start_site(SITE)
        drop_words(lab, SITE)
        lab.queue_client(QUEUE)
        auto = AutoList(lab)
        with env.daemon(lab, *auto.options("--hostlist-auto-retrans-reset=0", threshold=1), *SPLIT):
            check_equal("curl's exit code", fetch(lab, timeout=10), 28)
            check_equal("list", auto.hosts(), [SITE])
            check_equal("curl's exit code with the strategy", fetch(lab), 0)


def split_at(name, stream):
    """The requests for `name` came in one piece or in several: how many pieces hold the name."""
    return sum(name.encode() in p.payload for p in stream)


def requests(lab, name, count):
    """Sends requests one after another; the packets with data that the client sent, for each."""
    sent = []
    for _ in range(count):
        with Sniffer(lab, "client") as sniffer:
            exchange(lab, laboratory.SERVER4, 80, REQUEST % name.encode())
            sent.append([s.packet for s in sniffer.stop()
                         if s.outgoing and s.packet.proto == TCP and s.packet.payload])
    return sent


REDIRECTS = {
    "foreign_302": (b"302 Found\r\nLocation: http://warning.provider.test/?id=1", True),
    "foreign_307": (b"307 Temporary Redirect\r\nlocation: https://warning.provider.test/", True),
    "sub_domain": (b"302 Found\r\nLocation: https://www.blocked.example/", False),
    "relative": (b"302 Found\r\nLocation: /index.html", False),
    "permanent": (b"301 Moved Permanently\r\nLocation: http://warning.provider.test/", False),
}


@cases({name: (name,) for name in REDIRECTS})
def test_redirect(env, name):
    answer, counts = REDIRECTS[name]
    with env.lab() as lab, StreamServer(lab, "server", 80, len(REQUEST % SITE.encode())) as server:
        server.REPLY = b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n"
        lab.queue_client(QUEUE)
        auto = AutoList(lab)
        with env.daemon(lab, *auto.options(), *SPLIT):
            sent = requests(lab, SITE, 3)
            check_equal("list", auto.hosts(), [SITE] if counts else [])
        check_equal("packets that show the name, for each request",
                    [split_at(SITE, packets) for packets in sent], [1, 1, 0 if counts else 1])
        check_equal("log", auto.texts(), [
            "rseq 1 : redirect to another domain", "fail counter 1/2",
            "rseq 1 : redirect to another domain", "fail counter 2/2",
            "adding to " + auto.path] if counts else [])


def quic_flow(lab, server, count=4):
    """Sends a flow of datagrams, each when the one before has arrived; how many packets with the
    strategy's TTL left beside them."""
    with Sniffer(lab, "client") as sniffer, \
            lab.socket("client", laboratory.socket.AF_INET, laboratory.socket.SOCK_DGRAM) as s:
        for _ in range(count):
            before = len(server.datagrams)
            s.sendto(QUIC, (laboratory.SERVER4, QUIC_PORT))
            wait_for(lambda n=before: len(server.datagrams) > n, "a datagram was lost", pause=0.005)
        return len([p for p in sniffer.stop() if p.packet.proto == UDP and p.packet.ttl == 1])


FAKE_QUIC = ["--payload=quic_initial", "--lua-desync=fake:blob=fake_default_quic:ip_ttl=1"]


def test_silence_on_udp(env):
    with env.lab() as lab, DatagramServer(lab, "server", QUIC_PORT, echo=False) as server:
        lab.queue_client(QUEUE, ports=str(QUIC_PORT), protocol="udp")
        auto = AutoList(lab)
        with env.daemon(lab, *auto.options(), *FAKE_QUIC):
            check_equal("fakes in the first flow", quic_flow(lab, server), 0)
            check_equal("list after one failure", auto.hosts(), [])
            check_equal("fakes in the second flow", quic_flow(lab, server, 6), 0)
            check_equal("list after two failures", auto.hosts(), [QUIC_HOST])
            check_equal("fakes in the third flow", quic_flow(lab, server), 4)
        check_equal("log", auto.events(), [
            (QUIC_HOST, "quic", "udp_in 0<=1 udp_out 4>=4"),
            (QUIC_HOST, "quic", "fail counter 1/2"),
            (QUIC_HOST, "quic", "udp_in 0<=1 udp_out 4>=4"),
            (QUIC_HOST, "quic", "fail counter 2/2"),
            (QUIC_HOST, "quic", "adding to " + auto.path)])


def test_silence_of_an_excluded_host(env):
    with env.lab() as lab, DatagramServer(lab, "server", QUIC_PORT, echo=False) as server:
        lab.queue_client(QUEUE, ports=str(QUIC_PORT), protocol="udp")
        auto = AutoList(lab)
        with env.daemon(lab, *auto.options("--hostlist-exclude-domains=" + QUIC_HOST, threshold=1),
                        *FAKE_QUIC):
            check_equal("fakes", [quic_flow(lab, server, 6) for _ in range(2)], [0, 0])
        check_equal("list", auto.hosts(), [])
        check_equal("log", auto.events(), [])


def test_answers_on_udp(env):
    """Whoever gets answers is not blocked."""
    with env.lab() as lab, DatagramServer(lab, "server", QUIC_PORT):
        lab.queue_client(QUEUE, ports=str(QUIC_PORT), protocol="udp")
        auto = AutoList(lab)
        with env.daemon(lab, *auto.options(threshold=1), "--lua-desync=pass"):
            with lab.socket("client", laboratory.socket.AF_INET,
                            laboratory.socket.SOCK_DGRAM) as s:
                s.settimeout(laboratory.PATIENCE)
                for _ in range(6):
                    s.sendto(QUIC, (laboratory.SERVER4, QUIC_PORT))
                    s.recv(65536)
            check_equal("list", auto.hosts(), [])


EXCLUSIONS = {"inline": ["--hostlist-exclude-domains=" + SITE], "parent": ["@example"],
              "file": ["@%s" % SITE]}


@cases({name: (name,) for name in EXCLUSIONS})
def test_exclusions(env, name):
    """An excluded host is neither treated nor watched."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.filter_words(SITE)
        lab.queue_client(QUEUE)
        auto, excluded = AutoList(lab), []
        for option in EXCLUSIONS[name]:
            if option[0] == "@":
                path = AutoList(lab, option[1:] + "\n", "exclude.txt").path
                option = "--hostlist-exclude=" + path
            excluded.append(option)
        with env.daemon(lab, *auto.options(*excluded, threshold=1), *SPLIT):
            for _ in range(3):
                check(fetch(lab) != 0, "the strategy applies to an excluded host")
        check_equal("list", auto.hosts(), [])
        check_equal("log", auto.events(), [])


def test_success_forgets_failures(env):
    with env.lab() as lab:
        lab.start_site(SITE)
        # Only one page is blocked; a large one from the same site goes through.
        lab.filter_words("secret")
        lab.queue_client(QUEUE)
        auto = AutoList(lab)
        with env.daemon(lab, *auto.options(), *SPLIT):
            check(fetch(lab, "secret") != 0, "not blocked")
            check_equal("exit code of the large page", fetch(lab, "big.bin"), 0)
            check(fetch(lab, "secret") != 0, "not blocked")
            check_equal("list", auto.hosts(), [])
            check(fetch(lab, "secret") != 0, "not blocked")
            check_equal("list", auto.hosts(), [SITE])
        check("fail counter reset. website is working." in auto.texts(), "no success in the log")


def test_window_of_failures(env):
    """Failures that lie too far apart do not add up."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.filter_words(SITE)
        lab.queue_client(QUEUE)
        auto = AutoList(lab)
        with env.daemon(lab, *auto.options("--hostlist-auto-fail-time=1"), *SPLIT):
            for _ in range(2):
                check(fetch(lab) != 0, "not blocked")
                time.sleep(1.3)
            check_equal("list", auto.hosts(), [])
        counters = [t for t in auto.texts() if t.startswith("fail counter")]
        check_equal("counters", counters, ["fail counter 1/2"] * 2)


def is_whole(text, first):
    """Only lines that were there before or were added, each once and at its full length."""
    if text == first:
        return True
    lines = text.split("\n")
    added = lines[1:-1]
    return lines[0] == first and lines[-1] == "" and len(set(added)) == len(added) and \
        all(re.fullmatch(r"host\d{5}-%s\.blocked\.test" % ("x" * 40), line) for line in added)


def test_kill(env):
    """The program is killed while it adds hosts as fast as they come: no line is ever broken, glued
    to another or lost once it was there; the list ends without a newline at the start."""
    first = "preexisting.example"
    with env.lab() as lab, StreamServer(lab, "server", 80):
        lab.filter_words("blocked.test")
        lab.queue_client(QUEUE)
        auto = AutoList(lab, first)
        running, counter, lock = True, 0, threading.Lock()

        def visit():
            nonlocal counter
            while running:
                with lock:
                    counter += 1
                    name = "host%05d-%s.blocked.test" % (counter, "x" * 40)
                try:
                    exchange(lab, laboratory.SERVER4, 80, REQUEST % name.encode(), timeout=2)
                except OSError:
                    pass
        visitors = [threading.Thread(target=visit) for _ in range(4)]
        for visitor in visitors:
            visitor.start()
        try:
            before = first
            for _ in range(10):
                daemon = env.daemon(lab, *auto.options(threshold=1), "--lua-desync=pass")
                time.sleep(random.uniform(0.02, 0.5))
                laboratory.Lab.stop(daemon.process, signal.SIGKILL)
                with open(auto.path) as f:
                    text = f.read()
                check(is_whole(text, first), "the list is broken: %s", text[-300:])
                check(text.startswith(before), "a line that was there is gone")
                before = text
            added = len(before.splitlines()) - 1
            check(added >= 20, "only %d hosts were added, the test says nothing", added)
        finally:
            running = False
            for visitor in visitors:
                visitor.join()
        print("%d hosts added in 10 lives" % added)


def test_kept_rights_and_owner(env):
    """What was added belongs to the same file: owner, mode and a hard link stay."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.filter_words(SITE)
        lab.queue_client(QUEUE)
        auto = AutoList(lab, "one.example\n")
        os.chmod(auto.path, 0o640)
        before = os.stat(auto.path)
        with env.daemon(lab, *auto.options(threshold=1), "--uid=1234:1234", *SPLIT):
            check(fetch(lab) != 0, "not blocked")
            check_equal("exit code", fetch(lab), 0)
        after = os.stat(auto.path)
        check_equal("list", auto.hosts(), ["one.example", SITE])
        check_equal("mode and file", (after.st_mode, after.st_ino),
                    (before.st_mode, before.st_ino))
        check_equal("owner", after.st_uid, 1234)
