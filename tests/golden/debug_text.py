#!/usr/bin/env python3
"""Compares what --debug says during golden runs with recordings of the reference.

usage: debug_text.py PROGRAM LUA_DIR [-v] [NAME_PART ...]

tests/data/debug-log/NAME.txt has the lines of the golden run NAME. Those that match a pattern of
must.txt have to be equal and in the same order: programs read them. Those of patterns.txt besides
are counted (-v shows where they differ). Why each line is there: docs/contracts/debug-text.md.
Runs in DIFFERENT say something else on purpose; one that does not must leave the list.
Last line: "N passed, N failed, N skipped".
"""
import difflib
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
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


def main():
    args = [a for a in sys.argv[1:] if a != "-v"]
    verbose = len(args) != len(sys.argv) - 1
    program, lua_dir, wanted = os.path.abspath(args[0]), os.path.abspath(args[1]), args[2:]
    passed, failed, others, other_equal = 0, 0, 0, 0
    for name in sorted(f[:-4] for f in os.listdir(RECORDED) if f[0].isdigit()):
        if wanted and not any(w in name for w in wanted):
            continue
        want, got = recorded(name), said(program, lua_dir, name)
        must = difference([x for x in want if MUST.search(x)], [x for x in got if MUST.search(x)])
        rest = [[x for x in lines if not MUST.search(x)] for lines in (want, got)]
        others += len(rest[0])
        other_equal += sum(block.size for block in difflib.SequenceMatcher(
            None, *rest, autojunk=False).get_matching_blocks())
        if bool(must) == (name in DIFFERENT):
            passed += 1
            if must:
                print("different: %s: %s" % (name, DIFFERENT[name]))
            elif verbose:
                print("ok %s" % name)
        else:
            failed += 1
            print("FAILED %s:\n%s" % (name, must or "  equal now: take it off the list"))
        if verbose and rest[0] != rest[1]:
            print(" other lines:\n" + difference(*rest))
    print("%d of %d lines besides are as recorded" % (other_equal, others))
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
