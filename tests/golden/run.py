#!/usr/bin/env python3
"""Replays the golden captures through the program's offline mode and compares byte by byte.

usage: run.py PROGRAM LUA_DIR [-v] [-j N] [--workers=N] [NAME_PART ...]

Each scenario is a folder of tests/data/golden (see the README there). Its `in.pcap` goes in through
--pcap-in, what comes out of --pcap-out must equal `out.pcap` in number, order, direction, cause
(the input whose processing emitted it) and bytes, outside of the ranges that meta.json calls random.
Random ranges must still be plausible: valid checksums unless the scenario asks for bad ones.

With --workers=N every run has so many workers; the answer must be the same. Words in NFQWS2_EXTRA
are further options of every run.
Scenarios listed in waiting.txt are expected to fail; one that passes must leave the list.
Last line: "N passed, N failed, N skipped".
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
import packets  # noqa: E402
from packets import read_pcap  # noqa: E402

DATA = os.path.join(HERE, "..", "data", "golden")
LOCAL = "192.0.2.10,2001:db8:1::10"
LOCAL_RAW = (bytes([192, 0, 2, 10]), bytes.fromhex("20010db8000100000000000000000010"))
EPOCH = 1700000000
# A raw send that fails by MTU cannot happen offline; tests/e2e plays these on real sockets.
LIVE_ONLY = {"240-multisplit-sendfail6": "needs a route MTU"}


def direction(packet):
    return "in" if packets.destination(packet) in LOCAL_RAW else "out"


def random_problems(packet, args):
    """Why the random parts of a packet are not plausible."""
    if not packets.ip_checksum_ok(packet):
        return "wrong IPv4 header checksum"
    if "badsum" not in args and not packets.l4_checksum_ok(packet):
        return "wrong L4 checksum"
    return None


def masked(data, ranges):
    out = bytearray(data)
    for offset, length in ranges:
        for i in range(offset, min(offset + length, len(out))):
            out[i] = 0
    return bytes(out)


def compare_packets(meta, args, want, got):
    if len(want) != len(got):
        return "%d packets expected, %d came out" % (len(want), len(got))
    for i, ((_, w), (stamp, g), info) in enumerate(zip(want, got, meta["output"])):
        ranges = [(r["offset"], r["length"]) for r in meta["random"] if r["out_index"] == i]
        if len(w) != len(g):
            return "packet %d: length %d expected, %d came out" % (i, len(w), len(g))
        if masked(w, ranges) != masked(g, ranges):
            at = next(k for k in range(len(w)) if masked(w, ranges)[k] != masked(g, ranges)[k])
            return "packet %d differs at byte %d:\n  want %s\n  got  %s" % (i, at, w.hex(), g.hex())
        if info["direction"] != direction(g):
            return "packet %d: direction %s expected" % (i, info["direction"])
        if stamp - EPOCH != info["after_input"]:
            return "packet %d: after input %d expected, came after %d" % (
                i, info["after_input"], stamp - EPOCH)
        if ranges:
            problem = random_problems(g, args)
            if problem:
                return "packet %d: %s" % (i, problem)
    return None


def compare_files(meta, folder, writable):
    for entry in meta.get("files", []):
        path = os.path.join(writable, entry["name"])
        if not os.path.exists(path):
            return "file %s was not written" % entry["name"]
        with open(os.path.join(folder, entry["name"]), "rb") as f:
            want = f.read()
        with open(path, "rb") as f:
            got = f.read()
        ranges = [(r["offset"], r["length"]) for r in entry.get("ignore", [])]
        if masked(want, ranges) != masked(got, ranges):
            return "file %s differs" % entry["name"]
    return None


def scenario(folder):
    """(description, arguments)"""
    with open(os.path.join(folder, "meta.json")) as f:
        meta = json.load(f)
    with open(os.path.join(folder, "args")) as f:
        return meta, f.read().splitlines()


def replay(program, lua_dir, folder, args, work):
    """The program's run, its capture, the folder it could write to; all within `work`."""
    os.chmod(work, 0o755)
    writable = os.path.join(work, "writable")
    os.mkdir(writable)
    # The program drops its privileges, so every user must be able to write there.
    os.chmod(writable, 0o777)
    out = os.path.join(work, "out.pcap")
    command = [program, "--pcap-in=" + os.path.join(folder, "in.pcap"), "--pcap-out=" + out,
               "--pcap-local=" + LOCAL, *(a.replace("@WRITABLE@", writable) for a in args)]
    result = subprocess.run(command, cwd=lua_dir, capture_output=True, timeout=120,
                            errors="replace", text=True)
    return result, out, writable


def run_scenario(program, lua_dir, folder, more):
    meta, args = scenario(folder)
    with tempfile.TemporaryDirectory() as work:
        result, out, writable = replay(program, lua_dir, folder, more + args, work)
        if result.returncode not in (0, 3):
            return "exit code %d: %s" % (result.returncode, result.stderr.strip()[-600:])
        want = read_pcap(os.path.join(folder, "out.pcap"))
        problem = compare_packets(meta, " ".join(args), want, read_pcap(out)) or \
            compare_files(meta, folder, writable)
        if problem and result.stderr:
            problem += "\n  stderr: " + result.stderr.strip()[-400:].replace("\n", "\n          ")
        return problem


def waiting_list():
    path = os.path.join(HERE, "waiting.txt")
    if not os.path.exists(path):
        return {}
    with open(path) as f:
        lines = [line.strip().partition(" ") for line in f if line.strip() and line[0] != "#"]
    return {name: reason.strip() for name, _, reason in lines}


def judge(program, lua_dir, name, more, waiting):
    """None or what is wrong with a scenario."""
    try:
        problem = run_scenario(program, lua_dir, os.path.join(DATA, name), more)
    except subprocess.TimeoutExpired:
        problem = "timed out"
    if name in waiting:
        if problem:
            raise cases.Skipped("waiting: " + waiting[name])
        return "passes now: take it off waiting.txt"
    return problem


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua", type=os.path.abspath)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("-j", type=int, default=2)
    parser.add_argument("--workers")
    args = parser.parse_intermixed_args()
    more_words = ["--workers=" + args.workers] if args.workers else []
    more = more_words + os.environ.get("NFQWS2_EXTRA", "").split()
    waiting = waiting_list()
    names = sorted(n for n in os.listdir(DATA) if os.path.isdir(os.path.join(DATA, n)))
    names = cases.chosen(names, args.parts)
    for name in set(names) & set(LIVE_ONLY):
        print("live only: %s (%s)" % (name, LIVE_ONLY[name]))
        names.remove(name)
    report = cases.Report(args.v, cases.this_script(args.program, args.lua, *more_words))
    cases.run_all(report, names, lambda n: judge(args.program, args.lua, n, more, waiting), args.j)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
