#!/usr/bin/env python3
"""Tests of blockcheck2: its logic in SIMULATE mode, and all of it against filtering boxes.

usage: run.py PROGRAM LUA_DIR [-v] [-j N] [--file FILE] [NAME_PART ...]

Runs the functions test_* of the files test_*.py, each in a process and a lab of its own, N at a
time (3). Last line: "N passed, N failed, N skipped". The exit code is 1 if a test failed.
mdig is expected beside PROGRAM.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE] + [os.path.join(HERE, "..", folder) for folder in ("support", "lab", "e2e")]
import checks  # noqa: E402
from runner import Runner  # noqa: E402

TOOLS = ("ip", "iptables", "ip6tables", "nginx", "curl", "openssl", "unshare", "awk", "mkfifo")
RUNNER = Runner(__file__, checks.Environment, "bc", 200, TOOLS, checks.Failure, checks.Skip)

if __name__ == "__main__":
    sys.exit(RUNNER.main(__doc__, jobs=3))
