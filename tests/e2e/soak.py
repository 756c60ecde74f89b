#!/usr/bin/env python3
"""Hours of mixed load with an eye on memory. Not a part of the test suite.

usage: soak.py PROGRAM LUA_DIR [MINUTES]

A client behind nfqws2 with several profiles opens HTTP and TLS connections under many names over IPv4
and IPv6 (some blocked, some reset, some with half a ClientHello that is never finished), sends QUIC
Initials and datagrams on fresh ports, and is flooded with spoofed SYNs now and then; lists are
rewritten and reloaded. Prints memory once a minute (10 s for runs below 10 minutes); after a tenth of
the time for warming up it must stay flat. Exit code 0: flat, and no connection was lost.
"""
import os
import random
import signal
import socket
import ssl
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from harness import (QUEUE, Environment, big_client_hello, client_hello, golden,  # noqa: E402
                     laboratory)
from packets import parse  # noqa: E402
from processes import resident  # noqa: E402
from test_flood import Flood  # noqa: E402
from wire import DatagramServer  # noqa: E402

NAMES = ["site%d.example" % n for n in range(200)]
BLOCKED = ["blocked%d.example" % n for n in range(40)]
WORKERS = 8
GROWTH = 3 << 20  # of the highest figure in the last third over the first one after warming up
QUIC = parse(golden("077-fake-quic", 0)).payload
PAGE = b"It works: the site is open.\n"


def strategy(folder):
    return ["--ctrack-timeouts=10:20:10:10", "--ctrack-max=50000", "--lua-gc=10",
            "--ipcache-hostname=1", "--ipcache-lifetime=30",
            "--filter-tcp=80", "--hostlist=%s/hosts.txt" % folder, "--payload=http_req",
            "--lua-desync=fake:blob=fake_default_http:tcp_md5", "--lua-desync=multisplit:pos=midsld",
            "--new", "--filter-tcp=80", "--hostlist-auto=%s/auto.txt" % folder,
            "--hostlist-auto-fail-threshold=2", "--payload=http_req", "--in-range=-s5556",
            "--lua-desync=circular:fails=2", "--lua-desync=multisplit:pos=midsld:strategy=1",
            "--lua-desync=multidisorder:pos=midsld:strategy=2",
            "--new", "--filter-tcp=443", "--payload=tls_client_hello",
            "--lua-desync=fake:blob=fake_default_tls:tcp_md5:repeats=2:tls_mod=rnd,dupsid",
            "--lua-desync=multidisorder:pos=1,midsld",
            "--new", "--filter-udp=443", "--payload=quic_initial",
            "--lua-desync=fake:blob=fake_default_quic:repeats=3",
            "--new", "--filter-udp=5000", "--lua-desync=udplen:increment=4"]


class Worker(threading.Thread):
    """One thing after another, chosen by chance, until `end` is set."""

    def __init__(self, soak, number):
        super().__init__(daemon=True)
        self.soak, self.random = soak, random.Random(number)

    def run(self):
        with self.soak.lab.inside("client"):
            while not self.soak.end.is_set():
                name, what = self.random.choice(self.KINDS)
                try:
                    what(self)
                except (OSError, ssl.SSLError) as e:
                    self.soak.count(name, "%s: %s" % (type(e).__name__, e))
                else:
                    self.soak.count(name)

    def connect(self, port):
        version = self.random.choice((4, 6))
        s = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        s.settimeout(20)
        s.connect((laboratory.SERVER[version], port))
        return s

    def get(self, s, name):
        s.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % name.encode())
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
        if not answer.endswith(PAGE):
            raise OSError("unexpected answer %r" % answer[:80])

    def http(self):
        with self.connect(80) as s:
            self.get(s, self.random.choice(NAMES))

    def tls(self):
        with self.connect(443) as s, \
                self.soak.context.wrap_socket(s, server_hostname=self.random.choice(NAMES)) as t:
            self.get(t, "x")

    def blocked(self):
        """May be reset until the strategy has been found."""
        try:
            with self.connect(80) as s:
                self.get(s, self.random.choice(BLOCKED))
        except ConnectionResetError:
            self.soak.count("blocked and reset")

    def unfinished(self):
        with self.connect(443) as s:
            s.sendall(big_client_hello()[:self.random.randrange(1, 1800)])
            time.sleep(self.random.choice((0, 0.1, 2)))

    def reset(self):
        with self.connect(443) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.sendall(client_hello())

    def datagrams(self):
        version = self.random.choice((4, 6))
        with socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6,
                           socket.SOCK_DGRAM) as s:
            for _ in range(self.random.randrange(1, 8)):
                s.sendto(self.random.randbytes(self.random.randrange(1, 1200)),
                         (laboratory.SERVER[version], 5000))
            s.sendto(QUIC, (laboratory.SERVER[version], 443))

    KINDS = ([("http", http)] * 6 + [("tls", tls)] * 4 + [("blocked", blocked)] * 3 +
             [("unfinished", unfinished), ("reset", reset)] + [("datagrams", datagrams)] * 4)


class Soak:
    def __init__(self, lab):
        self.lab, self.end, self.lock = lab, threading.Event(), threading.Lock()
        self.counts, self.problems = {}, []
        self.context = ssl.create_default_context(cafile=lab.folder + "/site.crt")
        self.context.check_hostname = False

    def count(self, name, problem=None):
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + 1
            if problem:
                self.problems.append("%s: %s" % (name, problem))


def rewrite_lists(lab, daemon, turn):
    with open(lab.folder + "/hosts.txt.new", "w") as f:
        f.write("".join("other%d-%d.example\n" % (turn % 5, n) for n in range(20000)) +
                "\n".join(NAMES) + "\n")
    os.chmod(lab.folder + "/hosts.txt.new", 0o644)
    os.rename(lab.folder + "/hosts.txt.new", lab.folder + "/hosts.txt")
    if daemon is not None and turn % 2:
        daemon.process.send_signal(signal.SIGHUP)


def watch(lab, daemon, soak, minutes):
    """The list of (seconds, resident bytes) while the load runs."""
    period = 10 if minutes < 10 else 60
    begin = time.monotonic()
    curve, turn, flood = [], 0, None
    while time.monotonic() - begin < minutes * 60 and daemon.alive():
        turn += 1
        rewrite_lists(lab, daemon, turn)
        if turn % 4 == 0:
            flood = Flood(lab, "syn", 5000, 1000, turn * 5000)
        time.sleep(period)
        curve.append((time.monotonic() - begin, resident(daemon.pid)))
        print("%6d s %8d KB   %d things done, %d problems" % (
            curve[-1][0], curve[-1][1] >> 10, sum(soak.counts.values()), len(soak.problems)),
            flush=True)
    if flood:
        flood.wait()
    return curve


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    minutes = float(sys.argv[3]) if len(sys.argv) > 3 else 30
    reason = laboratory.why_unavailable()
    if reason:
        sys.exit(reason)
    env = Environment(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
    with env.lab() as lab, DatagramServer(lab, "server", 5000, echo=True) as server, \
            DatagramServer(lab, "server", 443, echo=False) as quic:
        lab.start_site(*NAMES)
        lab.filter_words(*BLOCKED[:20])
        lab.run("box", "iptables", "-I", "FORWARD", "-s", "11.0.0.0/8", "-j", "DROP")
        lab.queue_client(QUEUE)
        lab.queue_client(QUEUE, ports="443,5000", protocol="udp")
        rewrite_lists(lab, None, 0)
        with env.daemon(lab, *strategy(lab.folder), libraries=("lib", "antidpi", "auto")) as daemon:
            soak = Soak(lab)
            workers = [Worker(soak, n) for n in range(WORKERS)]
            for worker in workers:
                worker.start()
            cleaner = threading.Thread(target=forget, args=(soak, server, quic), daemon=True)
            cleaner.start()
            curve = watch(lab, daemon, soak, minutes)
            soak.end.set()
            for worker in workers:
                worker.join(30)
            losses = lab.queue_state("client", QUEUE)[5:7]
    return judge(soak, curve, losses)


def forget(soak, *servers):
    """The servers keep all datagrams; nobody looks at them here."""
    while not soak.end.wait(1):
        for server in servers:
            server.datagrams.clear()


def judge(soak, curve, losses):
    print("done: %s" % ", ".join("%s %d" % item for item in sorted(soak.counts.items())))
    print("packets that passed by the queue: %s" % losses)
    for problem in soak.problems[:20]:
        print("problem: " + problem)
    return 0 if is_flat(curve) and not soak.problems else 1


def is_flat(curve):
    """Does memory, as (seconds, bytes), stay after a tenth of the time? Says so."""
    warm = [size for _, size in curve[max(1, len(curve) // 10):]]
    third = max(1, len(warm) // 3)
    first, last = max(warm[:third]), max(warm[-third:])
    print("resident: %d KB at most in the first third, %d KB in the last" % (first >> 10, last >> 10))
    flat = last <= first + GROWTH
    print("memory is flat" if flat else "MEMORY GROWS")
    return flat


if __name__ == "__main__":
    sys.exit(main())
