#!/usr/bin/env python3
"""End-to-end tests: the program on real traffic between network namespaces.

usage: run.py PROGRAM LUA_DIR [-v] [-j N] [--workers N] [--file FILE] [NAME_PART ...]

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
from runner import Runner  # noqa: E402
import cases  # noqa: E402

# What cannot be as before when finished connections are offloaded.
TRACKED = "the rules let the kernel track connections, which changes such packets by itself"
NOT_OFFLOADED = {"broken_packets.unharmed": TRACKED, "udp.udp_in_icmp": TRACKED,
                 "queue.verdict_keeps_the_mark[unprocessed]": "its rules leave the mark as it is",
                 "merged.datagrams[finished": "the datagrams leave the queue",
                 "options.effect[offload-mark]": "shows the option itself"}


class EndToEnd(Runner):
    def argument_parser(self, text, jobs):
        parser = super().argument_parser(text, jobs)
        parser.add_argument("--workers", type=int, default=1)
        return parser

    def prepare(self, args):
        os.environ["NFQWS2_TEST_WORKERS"] = str(args.workers)  # for the labs of the children
        if args.workers != 1:
            self.more_words = ["--workers=%d" % args.workers]

    def left_out(self, name):
        if laboratory.OFFLOAD_MARK:
            return next((why for start, why in NOT_OFFLOADED.items() if name.startswith(start)), None)
        return None


RUNNER = EndToEnd(__file__, harness.Environment, "e2e", 300,
                  ("ip", "iptables", "ip6tables", "nginx", "curl", "openssl"), harness.Failure, cases.Skipped)

if __name__ == "__main__":
    sys.exit(RUNNER.main(__doc__, jobs=2))
