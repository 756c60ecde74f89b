#!/usr/bin/env python3
"""End-to-end tests: the program on real traffic between network namespaces.

usage: run.py PROGRAM LUA_DIR [-v] [-j N] [--workers N] [NAME_PART ...]

Runs the functions test_* of the files test_*.py, each in a process and a lab of its own, N at a
time (2), with so many workers of the program (1). Prints a line for each test with its time; -v
also prints what passing tests wrote.
Last line: "N passed, N failed, N skipped". The exit code is 1 if a test failed.

Words in NFQWS2_EXTRA are options that every start of the program gets too, as in
NFQWS2_EXTRA=--gso=0. With --offload-mark among them the rules get their part of it.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import harness  # noqa: E402
from harness import laboratory  # noqa: E402
import dispositions  # noqa: E402
from runner import Runner, argument_parser, title  # noqa: E402

RUNNER = Runner(__file__, harness.Environment, "e2e", 150,
                ("ip", "iptables", "ip6tables", "nginx", "curl", "openssl"), harness.Failure)
# What cannot be as before when finished connections are offloaded.
TRACKED = "the rules let the kernel track connections, which changes such packets by itself"
NOT_OFFLOADED = {"broken_packets.unharmed": TRACKED, "udp.udp_in_icmp": TRACKED,
                 "queue.verdict_keeps_the_mark[unprocessed]": "its rules leave the mark as it is",
                 "merged.datagrams[finished": "the datagrams leave the queue",
                 "options.effect[offload-mark]": "shows the option itself"}


def main():
    if sys.argv[1:2] == ["--one"]:
        return RUNNER.run_one(*sys.argv[2:7])
    parser = argument_parser(__doc__, jobs=2)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_intermixed_args()
    dispositions.restore()
    os.environ["NFQWS2_TEST_WORKERS"] = str(args.workers)
    found, free = RUNNER.discover()
    tests = [t for t in found if not args.parts or any(p in title(t) for p in args.parts)]
    if laboratory.OFFLOAD_MARK:
        for name, why in NOT_OFFLOADED.items():
            for test in [t for t in tests if title(t).startswith(name)]:
                tests.remove(test)
                print("left out %-64s %s" % (title(test), why))
    reason = RUNNER.why_impossible()
    reasons = {t: reason for t in tests if reason and t not in free}
    skipped = list(reasons)
    for test in skipped:
        print("skipped %-65s %s" % (title(test), reasons[test]))
    wanted = [t for t in tests if t not in skipped]
    count = RUNNER.run_all(args.program, args.lua, wanted, args.j, args.v)
    print("%d passed, %d failed, %d skipped" % (count["ok"], count["FAILED"], len(skipped)))
    return 1 if count["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
