#!/usr/bin/env python3
"""A long run of scripts with an eye on memory. Not a part of the test suite.

usage: soak_scripts.py PROGRAM LUA_DIR [MINUTES]

A client behind nfqws2 sends datagrams from ever fresh ports, and each is answered. For every packet a function of
NFLua keeps copies, sets and destroys timers, and uses JSON and a store; the kernel's connections live two seconds,
and their events come to the same script (tests/data/soak-scripts.lua). Prints memory, the Lua heap and what was done
once a minute (10 s for runs below 10 minutes). Exit code 0: memory stayed flat, and everything went on all the time.
"""
import os
import re
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from harness import DATA, QUEUE, Environment, laboratory  # noqa: E402
from processes import resident  # noqa: E402
from soak import is_flat  # noqa: E402
from wire import DatagramServer  # noqa: E402

PORT = 5000
PAUSE = 0.002  # between datagrams
REPORT = re.compile(r"^soak packets=(\d+) fired=(\d+) new=(\d+) update=(\d+) destroy=(\d+) lua=(\d+)$", re.M)


class Load(threading.Thread):
    """Datagrams from new ports, and their answers, until `end` is set."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.lab, self.end, self.sent, self.answered = lab, threading.Event(), 0, 0

    def run(self):
        with self.lab.inside("client"):
            while not self.end.is_set():
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.settimeout(laboratory.PATIENCE)
                    for _ in range(3):
                        s.sendto(b"x" * (self.sent % 1000), (laboratory.SERVER[4], PORT))
                        s.recv(2000)
                        self.answered += 1
                self.sent += 1
                time.sleep(PAUSE)


def forget(load, server):
    """The server keeps all datagrams; nobody looks at them here."""
    while not load.end.wait(1):
        server.datagrams.clear()


def watch(daemon, load, minutes):
    """(seconds, resident bytes), and the reports of the script, each time that is due."""
    period, begin = 10 if minutes < 10 else 60, time.monotonic()
    curve, reports = [], []
    while time.monotonic() - begin < minutes * 60 and daemon.alive() and load.is_alive():
        time.sleep(period)
        curve.append((time.monotonic() - begin, resident(daemon.pid)))
        reports.append([int(n) for n in (REPORT.findall(daemon.output()) or [[0] * 6])[-1]])
        packets, fired, new, update, destroy, lua = reports[-1]
        print("%6d s %7d KB resident %6d KB Lua %8d packets %8d timers %7d new %7d update %7d destroy" % (
            curve[-1][0], curve[-1][1] >> 10, lua, packets, fired, new, update, destroy), flush=True)
    return curve, reports


def problems_of(daemon, load, reports):
    said = daemon.output()
    if not daemon.alive() or not load.is_alive():
        yield "the program or the load has ended"
    for word in ("LUA ERROR", "ENOBUFS", "not enough memory"):
        if word in said:
            yield "the program said %s:\n%s" % (word, said[-3000:])
    names = ("packets", "timers", "new", "update", "destroy")
    for before, after in zip(reports, reports[1:]):
        for name, a, b in zip(names, before, after):
            if b <= a:
                yield "%s: %d, and later %d" % (name, a, b)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    minutes = float(sys.argv[3]) if len(sys.argv) > 3 else 10
    reason = laboratory.why_unavailable()
    if reason:
        sys.exit(reason)
    env = Environment(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
    with env.lab() as lab, DatagramServer(lab, "server", PORT) as server:
        lab.run("client", "iptables", "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "ACCEPT")
        lab.sh("client", "sysctl -qw net.netfilter.nf_conntrack_udp_timeout=2 "
                         "net.netfilter.nf_conntrack_udp_timeout_stream=2")
        lab.queue_client(QUEUE, ports=str(PORT), protocol="udp")
        script = os.path.join(lab.folder, "soak.lua")
        with open(os.path.join(DATA, "soak-scripts.lua")) as source, open(script, "w") as f:
            f.write(source.read())
        os.chmod(script, 0o644)
        with env.daemon(lab, "--ct=auto", "--lua-allow=conntrack", "--lua-init=@" + script, "--in-range=a",
                        "--lua-desync=nflua:func=soak", libraries=("lib", "nflua"), troubled=True) as daemon:
            load = Load(lab)
            load.start()
            threading.Thread(target=forget, args=(load, server), daemon=True).start()
            curve, reports = watch(daemon, load, minutes)
            problems = list(problems_of(daemon, load, reports))
            load.end.set()
            load.join(30)
    print("%d ports, %d answers" % (load.sent, load.answered))
    for problem in problems:
        print("problem: " + problem)
    return 0 if is_flat(curve) and not problems else 1


if __name__ == "__main__":
    sys.exit(main())
