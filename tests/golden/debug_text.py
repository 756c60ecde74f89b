#!/usr/bin/env python3
"""Compares what --debug says during golden runs with recordings of the reference.

usage: debug_text.py PROGRAM LUA_DIR [-v] [NAME_PART ...]

tests/data/debug-log/NAME.txt has the lines of the golden run NAME. Those that match a pattern of
must.txt have to be equal and in the same order: programs read them. Those of patterns.txt besides
are counted (-v shows where they differ). Why each line is there: docs/contracts/debug-text.md.
Runs in DIFFERENT say something else on purpose; one that does not must leave the list.
Last line: "N passed, N failed, N skipped".
"""
import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

GOLDEN = os.path.join(HERE, "..", "data", "golden")
RECORDED = os.path.join(HERE, "..", "data", "debug-log")
LOCAL = "192.0.2.10,2001:db8:1::10"
# Recorded before searches knew marks.
SEARCH = re.compile(r"^(desync profile search for .*ssid='[^']*')( hostname=)")
# Seconds that really passed.
ELAPSED = re.compile(r"(last failure was )\d+( seconds ago)")
DIFFERENT = {}


def patterns(name):
    with open(os.path.join(RECORDED, name)) as f:
        return re.compile("|".join("(?:%s)" % line.rstrip("\n") for line in f))


MUST, ALL = patterns("must.txt"), patterns("patterns.txt")


def comparable(line):
    return ELAPSED.sub(r"\1N\2", line)


def recorded(name):
    with open(os.path.join(RECORDED, name + ".txt")) as f:
        lines = f.read().splitlines()
    return [comparable(SEARCH.sub(r"\1 mark=0x00000000\2", line)) for line in lines]


def said(program, lua_dir, name):
    with open(os.path.join(GOLDEN, name, "args")) as f:
        args = f.read().splitlines()
    with tempfile.TemporaryDirectory() as writable:
        os.chmod(writable, 0o777)
        result = subprocess.run(
            [program, "--debug", "--pcap-in=" + os.path.join(GOLDEN, name, "in.pcap"),
             "--pcap-local=" + LOCAL, *(a.replace("@WRITABLE@", writable) for a in args)],
            cwd=lua_dir, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
            errors="replace", text=True)
    return [comparable(line) for line in result.stdout.splitlines() if ALL.search(line)]


def difference(want, got):
    lines = difflib.unified_diff(want, got, "recorded", "said", n=1, lineterm="")
    return "\n".join("  " + line for line in lines)


def parted(lines):
    """(those that have to be equal, the others)"""
    return [x for x in lines if MUST.search(x)], [x for x in lines if not MUST.search(x)]


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua", type=os.path.abspath)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("-v", action="store_true")
    args = parser.parse_intermixed_args()
    report = cases.Report(args.v, cases.this_script(args.program, args.lua))
    others = others_equal = 0
    for name in cases.chosen(sorted(f[:-4] for f in os.listdir(RECORDED) if f[0].isdigit()), args.parts):
        (must, more), (said_must, said_more) = parted(recorded(name)), parted(said(args.program, args.lua, name))
        problem = difference(must, said_must)
        others += len(more)
        others_equal += sum(block.size for block in difflib.SequenceMatcher(
            None, more, said_more, autojunk=False).get_matching_blocks())
        if name not in DIFFERENT:
            report.check(not problem, name, "lines that programs read differ:\n" + problem)
        elif report.check(problem, name, "equal now: take it off the list"):
            print("different: %s: %s" % (name, DIFFERENT[name]))
        if args.v and more != said_more:
            print(" other lines:\n" + difference(more, said_more))
    print("%d of %d lines besides are as recorded" % (others_equal, others))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
