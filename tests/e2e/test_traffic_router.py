"""The examples of traffic rules on a router: what comes from outside is judged, and the own traffic of the networks
behind it survives, whether the queue sees packets when they come in or when they pass."""
import contextlib
import json
import os
import socket
import subprocess

from harness import QUEUE, cases, check, check_equal, laboratory
from wire import DatagramServer

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "..", "docs", "rules.d")
MAKER = os.path.join(HERE, "..", "tools", "mmdb.py")
PORT = 4433
HOME, ABROAD = "203.0.113.5", "198.51.100.7"  # of the server: outside of the example's `lan`
CLIENT, NEIGHBOUR, ROUTER = laboratory.CLIENT4, laboratory.SERVER4, "10.77.1.1"
HOOKS = {hook: (hook,) for hook in ("PREROUTING", "FORWARD")}


class Router:
    """A lab whose box runs the program on all packets of a hook, and whose server has addresses elsewhere."""

    def __init__(self, lab, hook):
        self.lab = lab
        for address in (HOME, ABROAD):
            lab.run("server", "ip", "addr", "add", address + "/32", "dev", "eth0")
            lab.run("box", "ip", "route", "add", address + "/32", "via", laboratory.SERVER4)
        lab.run("box", "iptables", "-t", "mangle", "-A", hook, "-p", "udp", "-j", "NFQUEUE",
                *laboratory.queue_options(QUEUE))
        self.hook = hook
        self.servers = {}

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        for who in ("client", "box", "server"):
            self.servers[who] = self.stack.enter_context(DatagramServer(self.lab, who, PORT, echo=False))
        return self

    def __exit__(self, *_):
        self.stack.close()

    def send(self, who, source, target, *datagrams):
        with self.lab.socket(who, socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((source, 0))
            for datagram in datagrams:
                s.sendto(datagram, (target, PORT))

    def arrived(self, who):
        return self.servers[who].datagrams

    def all_arrive(self, sender, source, target, receiver, *datagrams):
        before = len(self.arrived(receiver))
        self.send(sender, source, target, *datagrams)
        self.lab.wait_for(lambda: set(datagrams) <= set(self.arrived(receiver)[before:]),
                          "%s > %s did not arrive behind %s" % (source, target, self.hook))

    def own_traffic_survives(self, *datagrams):
        """Of the networks behind the router: out, among themselves, and to the router."""
        for target in (HOME, ABROAD, NEIGHBOUR):
            self.all_arrive("client", CLIENT, target, "server", *datagrams)
        self.all_arrive("server", NEIGHBOUR, CLIENT, "client", *datagrams)
        self.all_arrive("client", CLIENT, ROUTER, "box", *datagrams)


def example(folder, name, *changes):
    with open(os.path.join(EXAMPLES, name), encoding="utf-8") as f:
        text = f.read()
    for before, after in changes:
        check(before in text, "%s has no '%s'", name, before)
        text = text.replace(before, after)
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(folder, 0o755)
    return path


def read_counters(path):
    with contextlib.suppress(FileNotFoundError, ValueError):
        with open(path, encoding="utf-8") as f:
            return json.load(f)["counters"]
    return {}


@cases(HOOKS)
def test_countries(env, hook):
    """geo.toml: only who is abroad is kept out."""
    with env.folder() as folder, env.lab() as lab, Router(lab, hook) as router:
        database = os.path.join(folder, "places.mmdb")
        subprocess.run(["python3", MAKER, database, "203.0.113.0/24=RU/EU", "198.51.100.0/24=NL/EU"], check=True)
        rules = example(folder, "geo.toml", ("/usr/share/GeoIP/GeoLite2-Country.mmdb", database))
        stats = os.path.join(folder, "stats.json")
        with env.daemon(lab, "--rules=" + rules, "--rules-stats=" + stats + ":1", who="box"):
            router.own_traffic_survives(b"own")
            before = len(router.arrived("client"))
            router.send("server", ABROAD, CLIENT, b"abroad")
            # What is sent behind it arrives, so it would have.
            router.send("server", HOME, CLIENT, b"home")
            lab.wait_for(lambda: len(router.arrived("client")) > before, "nothing arrived from home")
            check_equal("what came from outside", router.arrived("client")[before:], [b"home"])
            lab.wait_for(lambda: "GEO_NOT_RU" in read_counters(stats), "nothing was counted")
        check_equal("dropped", read_counters(stats)["GEO_NOT_RU"]["packets"], 1)


@cases(HOOKS)
def test_flood(env, hook):
    """udp-limit.toml with a lower limit: the source that floods is blocked, and nobody else."""
    with env.folder() as folder, env.lab() as lab, Router(lab, hook) as router:
        rules = example(folder, "udp-limit.toml", ("rate = 500", "rate = 5"))
        stats = os.path.join(folder, "stats.json")
        with env.daemon(lab, "--rules=" + rules, "--rules-stats=" + stats + ":1", who="box"):
            many = [b"%d" % n for n in range(40)]
            router.own_traffic_survives(*many)

            def blocked():
                router.send("server", ABROAD, CLIENT, *many)
                return read_counters(stats).get("TEMP_BLOCK", {"packets": 0})["packets"] > 0
            lab.wait_for(blocked, "the flood was not noticed")
            before = len(router.arrived("client"))
            router.send("server", ABROAD, CLIENT, b"late")
            router.send("server", HOME, CLIENT, b"another")
            lab.wait_for(lambda: b"another" in router.arrived("client")[before:], "another source is blocked too")
            check(b"late" not in router.arrived("client"), "the block does not hold")
            router.own_traffic_survives(b"still")
