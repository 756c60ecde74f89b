#!/usr/bin/env python3
"""Plays the golden captures as the derived firewall rules would show them to the program.

usage: rules.py PROGRAM LUA_DIR [-v] [-j N] [NAME_PART ...]

For each scenario the rules of --print-rules=json decide which input packets are queued, by a model of the
kernel's connection tracking: the way of a connection, its packets counted with those that the program makes.
Only the queued ones are given to --pcap-in; the others pass as they are. What leaves has to be the same as
with everything queued. Scenarios that begin in the middle are skipped if they differ.

For the strategies of tests/data/strategies.txt the rules may queue nothing but the port in question, and of the
answers no more than the first ones.
Last line: "N passed, N failed, N skipped".
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, "..", "support"))
sys.path.insert(1, os.path.join(HERE, "..", "e2e"))
import cases  # noqa: E402
import packets  # noqa: E402
import run as golden  # noqa: E402

SYN, ACK, RST = packets.SYN, packets.ACK, packets.RST
ICMP_ERRORS = {packets.ICMP: (3, 4, 5, 11, 12), packets.ICMP6: (1, 2, 3, 4)}
BEGINS_LATE = "the first packet answers one that was never there: no connection for the kernel"


def derived(program, lua_dir, arguments):
    """The rules as data."""
    result = subprocess.run([program, "--qnum=200", *arguments, "--print-rules=json"], cwd=lua_dir,
                            capture_output=True, text=True, timeout=60, check=False)
    if result.returncode != 0:
        raise AssertionError("--print-rules: " + result.stderr.strip()[-400:])
    return json.loads(result.stdout)


class Connections:
    """What the kernel knows of connections."""

    def __init__(self):
        self.known = {}  # ends of the initiator's packets -> packets of (initiator, responder)

    def find(self, p, make):
        """(connection, is it the initiator's packet); None if the kernel knows none."""
        ends = (p.proto, p.src, p.sport, p.dst, p.dport)
        back = (p.proto, p.dst, p.dport, p.src, p.sport)
        if ends not in self.known and back in self.known:
            return back, False
        if ends not in self.known:
            begins = p.proto == packets.UDP or not (p.flags & RST or p.flags & (SYN | ACK) == SYN | ACK)
            if not make or not begins:
                return None
            self.known[ends] = [0, 0]
        return ends, True

    def count(self, p, make=True):
        """Counts a packet; (is it the initiator's, how many that way has), or None."""
        if p.proto not in (packets.TCP, packets.UDP) or p.fragment or p.sport is None:
            return None
        found = self.find(p, make)
        if found is None:
            return None
        key, initiator = found
        self.known[key][0 if initiator else 1] += 1
        return initiator, self.known[key][0 if initiator else 1]


def within(number, spans):
    if not spans:
        return True
    ends = [s.partition("-") for s in spans]
    return any(int(a) <= number <= int(b or a) for a, _, b in ends)


def protocol_name(p):
    names = {packets.TCP: "tcp", packets.UDP: "udp", packets.ICMP: "icmp", packets.ICMP6: "icmp"}
    return names.get(p.proto, "other")


def matches(rule, p, way, counted):
    if rule["way"] != way or p.version not in rule["families"] or rule["protocol"] != protocol_name(p):
        return False
    if rule["protocol"] == "other":
        return within(p.proto, rule["protocols"])
    if rule["protocol"] == "icmp":
        kind, code = p.payload[0], p.payload[1]
        if rule["related"]:
            return kind in ICMP_ERRORS[p.proto]
        return not rule["icmp"] or str(kind) in rule["icmp"] or "%d:%d" % (kind, code) in rule["icmp"]
    initiator = rule["sender"] == "initiator"
    if rule["ports"] or rule["initiator_ports"]:
        if p.sport is None:
            return False
        server, near = (p.dport, p.sport) if initiator else (p.sport, p.dport)
        if not (within(server, rule["ports"]) and within(near, rule["initiator_ports"])):
            return False
    elif counted and counted[0] != initiator and rule["sender"] != "any":
        return False
    if rule["packets"] is None:
        return True
    if counted is None:
        return rule["invalid"]
    return counted[0] == initiator and counted[1] <= rule["packets"] + rule["own_packets"]


def queued_inputs(rules, meta, inputs, outputs):
    """Indices of the inputs that reach the program, if it answers each as recorded."""
    connections, queued = Connections(), []
    for i, (_, raw) in enumerate(inputs):
        p = packets.parse(raw)
        if p is None:
            queued.append(i)
            continue
        counted = connections.count(p)
        if any(matches(r, p, meta["input"][i]["direction"], counted) for r in rules["rules"]):
            queued.append(i)
        for info, (_, made) in zip(meta["output"], outputs):
            if info["after_input"] != i or info["unchanged"]:
                continue
            own = packets.parse(made)
            if own is not None:
                connections.count(own, make=False)
    return queued


def write_pcap(path, stamped):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for second, raw in stamped:
            f.write(struct.pack("<IIII", second, 0, len(raw), len(raw)) + raw)


def play(program, lua_dir, folder, args, inputs, queued):
    """What leaves: (second, bytes)."""
    with tempfile.TemporaryDirectory() as work:
        source = os.path.join(work, "shown")
        os.mkdir(source)
        os.chmod(work, 0o755)
        write_pcap(os.path.join(source, "in.pcap"), [inputs[i] for i in queued])
        result, out, _ = golden.replay(program, lua_dir, source, args, work)
        if result.returncode not in (0, 3):
            raise AssertionError("exit code %d: %s" % (result.returncode, result.stderr[-400:]))
        left = golden.read_pcap(out)
    shown = set(queued)
    passed = [inputs[i] for i in range(len(inputs)) if i not in shown]
    return sorted(left + passed, key=lambda stamped: stamped[0])  # stable: one source a second


def judge(program, lua_dir, name):
    folder = os.path.join(golden.DATA, name)
    meta, args = golden.scenario(folder)
    inputs = golden.read_pcap(os.path.join(folder, "in.pcap"))
    outputs = golden.read_pcap(os.path.join(folder, "out.pcap"))
    first = packets.parse(inputs[0][1]) if inputs else None
    with tempfile.TemporaryDirectory() as writable:
        rules = derived(program, lua_dir, [a.replace("@WRITABLE@", writable) for a in args])
    queued = queued_inputs(rules, meta, inputs, outputs)
    if len(queued) == len(inputs):
        return None  # everything is queued: golden/run.py has it
    got = play(program, lua_dir, folder, args, inputs, queued)
    problem = golden.compare_packets(meta, " ".join(args), outputs, got)
    if problem and first and first.proto == packets.TCP and first.flags & SYN == 0:
        raise cases.Skipped(BEGINS_LATE)
    if problem:
        left_out = [i for i in range(len(inputs)) if i not in queued]
        return "%s\n  not queued: %s\n  rules: %s" % (problem, left_out, json.dumps(rules["rules"]))
    return None


def strategies():
    """(name, arguments, protocol, port)"""
    words = {80: {"{P}": "--payload=http_req", "{F}": "fake_default_http", "{S}": "method+2,midsld", "{1}": "method+2"},
             443: {"{P}": "--payload=tls_client_hello", "{F}": "fake_default_tls", "{S}": "1,midsld", "{1}": "1"}}
    protocol = "tcp"
    with open(os.path.join(HERE, "..", "data", "strategies.txt"), encoding="utf-8") as f:
        for line in f:
            if line.startswith("@udp"):
                protocol = "udp"
            name, bar, text = line.partition("|")
            if not bar or line[0] in "#@":
                continue
            for port in (80, 443) if protocol == "tcp" else (443,):
                filled = text.replace("{T}", "3")
                for word, value in words[port].items():
                    filled = filled.replace(word, value)
                yield ("strategy %s %s/%d" % (name.strip(), protocol, port),
                       ["--filter-%s=%d" % (protocol, port), *filled.split()], protocol, port)


def judge_strategy(program, lua_dir, arguments, protocol, port):
    rules = derived(program, lua_dir, arguments)["rules"]
    if not any(a.startswith("--lua-desync") for a in arguments):
        return "rules for nobody" if rules else None
    looks_at_answers = any(a.startswith("--in-range") for a in arguments)
    for rule in rules:
        if rule["related"] and looks_at_answers:
            continue
        if (rule["protocol"], rule["ports"]) != (protocol, [str(port)]):
            return "more than the port: %s" % rule
        most = 8 if looks_at_answers else 3
        if rule["way"] == "in" and (rule["packets"] is None or rule["packets"] > most):
            return "too many answers: %s" % rule
    if not any(rule["way"] == "out" for rule in rules):
        return "nothing outgoing: %s" % rules
    return None


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua", type=os.path.abspath)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("-j", type=int, default=2)
    args = parser.parse_intermixed_args()
    names = sorted(n for n in os.listdir(golden.DATA) if os.path.isdir(os.path.join(golden.DATA, n)))
    names = [n for n in cases.chosen(names, args.parts) if n not in golden.LIVE_ONLY]
    tried = {name: rest for name, *rest in strategies()}
    report = cases.Report(args.v)
    cases.run_all(report, names, lambda n: judge(args.program, args.lua, n), args.j)
    cases.run_all(report, cases.chosen(sorted(tried), args.parts),
                  lambda n: judge_strategy(args.program, args.lua, *tried[n]), args.j)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
