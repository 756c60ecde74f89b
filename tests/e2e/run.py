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
import argparse
import concurrent.futures
import glob
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import harness  # noqa: E402
import dispositions  # noqa: E402
from harness import laboratory  # noqa: E402

LIMIT = 150  # seconds for one test
# What cannot be as before when finished connections are offloaded.
TRACKED = "the rules let the kernel track connections, which changes such packets by itself"
NOT_OFFLOADED = {"broken_packets.unharmed": TRACKED, "udp.udp_in_icmp": TRACKED,
                 "queue.verdict_keeps_the_mark[unprocessed]": "its rules leave the mark as it is",
                 "merged.datagrams[finished": "the datagrams leave the queue",
                 "options.effect[offload-mark]": "shows the option itself"}
TOOLS = ("ip", "iptables", "ip6tables", "nginx", "curl", "openssl")


def discover():
    """(file, function, case or "") of all tests, in order, and those of them that need no root."""
    found, free = [], set()
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        name = os.path.basename(path)[:-3]
        module = importlib.import_module(name)
        functions = [f for n, f in vars(module).items()
                     if n.startswith("test_") and f.__module__ == name]
        for function in sorted(functions, key=lambda f: f.__code__.co_firstlineno):
            for case in getattr(function, "cases", {"": ()}):
                found.append((name, function.__name__, case))
                if getattr(function, "without_root", False):
                    free.add(found[-1])
    return found, free


def title(test):
    name, function, case = test
    return "%s.%s%s" % (name[5:], function[5:], "[%s]" % case if case else "")


def run_one(program, lua, name, function, case):
    """The child: runs one test in this process."""
    test = getattr(importlib.import_module(name), function)
    try:
        test(harness.Environment(program, lua), *(test.cases[case] if case else ()))
    except harness.Failure as failure:
        print(failure)
        place = traceback.extract_tb(failure.__traceback__)
        print("at " + " < ".join("%s:%d" % (os.path.basename(f.filename), f.lineno)
                                 for f in reversed(place[1:])))
        return 1
    except Exception:
        traceback.print_exc(file=sys.stdout)
        return 1
    return 0


def clean_up(pid):
    """Removes what a test that was killed left behind."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False,
                            env=laboratory.environment()).stdout
    ours = re.compile(r"nfqws2-e2e\d*-%d-" % pid)
    left = [line.split()[0] for line in listed.splitlines() if ours.match(line)]
    for namespace in left:
        laboratory.remove_namespace(namespace)
    for name in os.listdir(tempfile.gettempdir()):
        if ours.match(name):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)
            left.append(name)
    return left


def run_child(program, lua, test):
    """(passed, seconds, output) of one test in a process of its own."""
    begin = time.monotonic()
    command = [sys.executable, os.path.abspath(__file__), "--one", program, lua, *test]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors="replace", start_new_session=True)
    try:
        output, _ = child.communicate(timeout=LIMIT)
        passed = child.returncode == 0
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        output, passed = child.communicate()[0] + "\nended after %d seconds" % LIMIT, False
    left = clean_up(child.pid)
    if left and passed:
        output, passed = output + "\nleft behind: " + " ".join(left), False
    return passed, time.monotonic() - begin, output


def why_impossible():
    path = laboratory.environment()["PATH"]
    for tool in TOOLS:
        if shutil.which(tool, path=path) is None:
            return "the tool `%s` is not installed" % tool
    return laboratory.why_unavailable()


def run_all(program, lua, tests, jobs, verbose):
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(run_child, program, lua, test): test for test in tests}
        for future in concurrent.futures.as_completed(futures):
            good, seconds, output = future.result()
            passed, failed = passed + good, failed + (not good)
            print("%-6s %-66s %6.1f s" % ("ok" if good else "FAILED", title(futures[future]),
                                          seconds))
            if output.strip() and (verbose or not good):
                print("    " + output.strip().replace("\n", "\n    "))
            sys.stdout.flush()
    return passed, failed


def main():
    if sys.argv[1:2] == ["--one"]:
        return run_one(*sys.argv[2:7])
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua", type=os.path.abspath)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("-j", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_intermixed_args()
    dispositions.restore()
    os.environ["NFQWS2_TEST_WORKERS"] = str(args.workers)
    found, free = discover()
    tests = [t for t in found if not args.parts or any(p in title(t) for p in args.parts)]
    if laboratory.OFFLOAD_MARK:
        for name, why in NOT_OFFLOADED.items():
            for test in [t for t in tests if title(t).startswith(name)]:
                tests.remove(test)
                print("left out %-64s %s" % (title(test), why))
    reason = why_impossible()
    reasons = {t: reason for t in tests if reason and t not in free}
    skipped = list(reasons)
    for test in skipped:
        print("skipped %-65s %s" % (title(test), reasons[test]))
    wanted = [t for t in tests if t not in skipped]
    passed, failed = run_all(args.program, args.lua, wanted, args.j, args.v)
    print("%d passed, %d failed, %d skipped" % (passed, failed, len(skipped)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
