"""Recorded runs of tests/data/golden through a real NFQUEUE and real raw sockets.

    wire --- rc [box: router with nfqws2] rs --- wire

The box forwards between the protected side (192.0.2.10) and the peer (198.51.100.20); both are one
namespace without addresses, so no TCP stack answers. A packet is put on the wire with the TTL that
makes the queue see the recorded one.

The same behind the rules of --print-rules=iptables: what leaves has to be the same as with everything queued.
NFQWS2_GOLDEN_ALL=1 in the environment plays all runs that way; tests/golden/rules.py does so in a model.
"""
import json
import os
import re
import socket
import subprocess
import time

from harness import DATA, QUEUE, Daemon, Failure, cases, check, check_equal, laboratory
from packets import parse, read_pcap, with_ttl, write_pcap
from wire import Sniffer

PEER = {4: ("192.0.2.10", "198.51.100.20"), 6: ("2001:db8:1::10", "2001:db8:2::20")}
HOSTS = [host for pair in PEER.values() for host in pair]
QUIET = 0.25  # seconds without a packet after which an input counts as done

RUNS = """
    001-pass-tls4 002-pass-tls6 004-drop-any 007-send-ttl-repeats 012-send-ipid-zero 013-send-delay
    014-send-drop-delay 015-send-ipfrag4 018-send-ipfrag6 020-send-ipfrag-udp4 023-send-ip6-hdrs
    035-http-domcase 047-syndata-default 063-fake-tls 064-fake-tls6-md5 076-fake-replay
    077-fake-quic 078-fake-quic6 079-fake-quic-replay 082-rst 085-multisplit-default
    087-multisplit6-http 098-multisplit-replay6 100-multisplit-ipfrag 101-multisplit-replay3
    107-multidisorder-replay 110-mdlegacy-replay 117-fakedsplit-replay 125-hostfakesplit-tls
    140-oob-replay 142-udplen-default 148-luaexec-mod 154-circular-retrans 166-repeater
    195-server-fake-reply 240-multisplit-sendfail6
""".split()


# Ranges, replies, orchestrators, ICMP, raw protocols, --server.
BEHIND_RULES = """
    002-pass-tls6 063-fake-tls 079-fake-quic-replay 085-multisplit-default
    098-multisplit-replay6 101-multisplit-replay3 140-oob-replay 142-udplen-default
    154-circular-retrans 166-repeater 176-udp2icmp-server 188-multisplit-mss-small
    195-server-fake-reply
""".split()
if os.environ.get("NFQWS2_GOLDEN_ALL"):
    BEHIND_RULES = sorted(n for n in os.listdir(os.path.join(DATA, "golden"))
                          if os.path.isdir(os.path.join(DATA, "golden", n)))


class Bench(laboratory.Lab):
    """The namespaces of a recorded run."""

    behind_rules = False

    def _make_network(self):
        for who in ("box", "wire"):
            subprocess.run(["ip", "netns", "add", self.ns(who)], check=True, capture_output=True,
                           env=laboratory.environment())
            self.namespaces.append(self.ns(who))
        # Nothing may speak unasked: no neighbour discovery, no router solicitation.
        self.sh("wire", "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
                        "net.ipv6.conf.default.disable_ipv6=1")
        self.sh("box", "ip link set lo up; sysctl -qw net.ipv6.conf.default.accept_dad=0 "
                       "net.ipv6.conf.default.router_solicitations=0 net.ipv4.ip_forward=1 "
                       "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0")
        for side, name in enumerate(("rc", "rs")):
            self.sh("box", "ip link add %s address 02:00:00:00:00:%d0 type veth peer name w%s "
                           "address 02:00:00:00:00:%d1 netns %s; ip link set %s up" % (
                               name, side, name, side, self.ns("wire"), name))
            self.sh("wire", "ip link set w%s up" % name)
            for peers in PEER.values():
                self.sh("box", "ip route add %s dev %s; ip neigh add %s lladdr 02:00:00:00:00:%d1 "
                               "dev %s" % (peers[side], name, peers[side], side, name))
            self.offloads_off("box", name)
            self.offloads_off("wire", "w" + name)
        self.sh("box", "sysctl -qw net.ipv6.conf.all.forwarding=1")
        self.wait_for(self.links_are_up, "the wire is not up")
        if self.behind_rules:
            return
        for tables in laboratory.TABLES:
            mark = ["-m", "mark", "!", "--mark", "0x40000000/0x40000000", "-j", "NFQUEUE",
                    *laboratory.queue_options(QUEUE)]
            self.run("box", tables, "-t", "mangle", "-A", "POSTROUTING", "-o", "rs", *mark)
            self.run("box", tables, "-t", "mangle", "-A", "PREROUTING", "-i", "rs", *mark)

    def links_are_up(self):
        """The kernel needs a moment to see it, and refuses packets until then."""
        return all(self.run(who, "ip", "-o", "link", "show").stdout.count(" state UP ") >= 2 for who in ("box", "wire"))

    def inject(self, link, side, raw):
        """Puts a packet on the wire of side 0 (protected) or 1 (peer)."""
        kind = 0x0800 if raw[0] >> 4 == 4 else 0x86DD
        head = bytes([2, 0, 0, 0, 0, side << 4, 2, 0, 0, 0, 0, side << 4 | 1])
        link[side].send(head + kind.to_bytes(2, "big") + raw)

    def links(self):
        made = []
        for name in ("wrc", "wrs"):
            link = self.socket("wire", socket.AF_PACKET, socket.SOCK_RAW, 0)
            link.bind((name, 0))
            made.append(link)
        return made


def masked(raw, ranges):
    out = bytearray(raw)
    for offset, length in ranges:
        out[offset:offset + length] = bytes(len(out[offset:offset + length]))
    return bytes(out)


def same(want, got, ranges, incoming):
    """Accepted incoming packets are forwarded behind the queue, so their TTL is one less."""
    variants = [got, with_ttl(got, got[7 if got[0] >> 4 == 6 else 8] + 1)] if incoming else [got]
    return any(masked(want, ranges) == masked(v, ranges) for v in variants)


def run_inputs(lab, folder, meta, enough):
    """Feeds the inputs one by one: list of (after input, direction, packet). `enough` tells whether what
    came after an input, given its number and the packets, is all of it."""
    links, came = lab.links(), []
    with Sniffer(lab, "wire") as sniffer:
        for i, (_, raw) in enumerate(read_pcap(os.path.join(folder, "in.pcap"))):
            before = len(sniffer.seen)
            outgoing = meta["input"][i]["direction"] == "out"
            # Only what is forwarded before the queue loses one hop.
            ttl = raw[8] if raw[0] >> 4 == 4 else raw[7]
            forwarded = outgoing or (lab.behind_rules and raw[9 if raw[0] >> 4 == 4 else 6] in (6, 17))
            lab.inject(links, 0 if outgoing else 1, with_ttl(raw, ttl + 1) if forwarded else raw)

            def arrived():
                return [s for s in sniffer.seen[before:] if not s.outgoing and
                        s.packet.dst in HOSTS]
            sniffer.wait(lambda _: enough(i, [s.packet for s in arrived()]))
            if enough(i, []) or i + 1 == len(meta["input"]):
                time.sleep(QUIET)
            came += [(i, "out" if s.interface == "wrs" else "in", s.packet.raw) for s in arrived()]
    for link in links:
        link.close()
    return came


def play_flow(lab, flow):
    """The same for packets that were never recorded: list of (direction, packet). All bytes of each are waited for."""
    folder = os.path.join(lab.folder, "flow")
    os.mkdir(folder)
    write_pcap(os.path.join(folder, "in.pcap"), [raw for _, raw in flow])
    sizes = [len(parse(raw).payload) for _, raw in flow]
    return run_inputs(lab, folder, {"input": [{"direction": way} for way, _ in flow]},
                      lambda i, came: came and sum(len(p.payload) for p in came) >= sizes[i])


def compare(folder, meta, came):
    want = [raw for _, raw in read_pcap(os.path.join(folder, "out.pcap"))]
    summary = [(i, d, len(raw)) for i, d, raw in came]
    check_equal("packets (after input, direction, length)", summary,
                [(o["after_input"], o["direction"], len(w)) for o, w in zip(meta["output"], want)])
    for n, (info, w, (_, _, got)) in enumerate(zip(meta["output"], want, came)):
        ranges = [(r["offset"], r["length"]) for r in meta["random"] if r["out_index"] == n]
        check(same(w, got, ranges, info["direction"] == "in"), "packet %d:\nwant %s\ngot  %s", n,
              w.hex(), got.hex())


class RulesBench(Bench):
    """Nothing is queued but what rules say."""

    behind_rules = True


def recorded(name):
    """(folder, what is known of the run, its arguments)"""
    folder = os.path.join(DATA, "golden", name)
    with open(os.path.join(folder, "meta.json")) as f:
        meta = json.load(f)
    with open(os.path.join(folder, "args")) as f:
        return folder, meta, f.read().splitlines()


def play(env, name, bench, prepare):
    """What came out: list of (after input, direction, packet)."""
    folder, meta, arguments = recorded(name)
    with bench("e2e1") as lab:
        names = [re.fullmatch(r"--lua-init=@zapret-(\w+)\.lua", a) for a in arguments]
        libraries = lab.libraries(env.lua, *[m.group(1) for m in names if m])
        rest = [a.replace("@WRITABLE@", os.path.join(lab.folder, "writable"))
                for a, m in zip(arguments, names) if not m]
        prepare(lab, [*libraries, *rest])
        process = lab.start_nfqws2(env.program, *libraries, *rest, who="box", queue=QUEUE)
        with Daemon(lab, process, "box", QUEUE, meta["lua_error"]):
            outputs = [sum(o["after_input"] == i for o in meta["output"]) for i in range(len(meta["input"]))]
            return run_inputs(lab, folder, meta, lambda i, came: len(came) >= outputs[i])


@cases({name: (name,) for name in RUNS})
def test_golden(env, name):
    folder, meta, _ = recorded(name)
    compare(folder, meta, play(env, name, Bench, lambda lab, options: None))


def load_rules(env):
    def load(lab, options):
        printed = lab.run("box", env.program, *laboratory.program_options(QUEUE), *options,
                          "--print-rules=iptables")
        lab.run("box", "env", "WAN=rs", "sh", "-c", printed.stdout)
    return load


def track_connections(lab, _):
    """As rules that count make the kernel do. It then drops a SYN of which a copy left before it."""
    for tables in laboratory.TABLES:
        lab.run("box", tables, "-t", "mangle", "-A", "INPUT", "-m", "conntrack", "--ctstate", "INVALID")


@cases({name: (name,) for name in BEHIND_RULES})
def test_golden_behind_rules(env, name):
    folder, meta, _ = recorded(name)
    came = play(env, name, RulesBench, load_rules(env))
    try:
        compare(folder, meta, came)
    except Failure:
        everything = play(env, name, Bench, track_connections)
        check_equal("packets (after input, direction, length), against everything queued",
                    [(i, d, len(raw)) for i, d, raw in came],
                    [(i, d, len(raw)) for i, d, raw in everything])
