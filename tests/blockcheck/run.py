#!/usr/bin/env python3
"""Tests of blockcheck2: its logic in SIMULATE mode, and all of it against filtering boxes.

usage: run.py PROGRAM LUA_DIR [-v] [-j N] [NAME_PART ...]

Runs the functions test_* of the files test_*.py, each in a process and a lab of its own, N at a
time (3). Last line: "N passed, N failed, N skipped". The exit code is 1 if a test failed.
mdig is expected beside PROGRAM.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lab"), os.path.join(HERE, "..", "e2e")]
import checks  # noqa: E402
import dispositions  # noqa: E402
from runner import Runner, argument_parser, title  # noqa: E402

TOOLS = ("ip", "iptables", "ip6tables", "nginx", "curl", "openssl", "unshare", "awk", "mkfifo")
RUNNER = Runner(__file__, checks.Environment, "bc", 200, TOOLS, checks.Failure, checks.Skip)


def main():
    if sys.argv[1:2] == ["--one"]:
        return RUNNER.run_one(*sys.argv[2:7])
    args = argument_parser(__doc__, jobs=3).parse_intermixed_args()
    dispositions.restore()
    found, _ = RUNNER.discover()
    tests = [t for t in found if not args.parts or any(p in title(t) for p in args.parts)]
    reason = RUNNER.why_impossible()
    if reason:
        for test in tests:
            print("SKIPPED %s: %s" % (title(test), reason))
        print("0 passed, 0 failed, %d skipped" % len(tests))
        return 0
    count = RUNNER.run_all(args.program, args.lua, tests, args.j, args.v)
    print("%d passed, %d failed, %d skipped" % (count["ok"], count["FAILED"], count["skipped"]))
    return 1 if count["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
