#!/usr/bin/env python3
"""Tests of blockcheck2: its logic in SIMULATE mode, and all of it against filtering boxes.

usage: run.py PROGRAM LUA_DIR [-v] [-j N] [NAME_PART ...]

Runs the functions test_* of the files test_*.py, each in a process and a lab of its own, N at a
time (3). Last line: "N passed, N failed, N skipped". The exit code is 1 if a test failed.
mdig is expected beside PROGRAM.
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
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lab"), os.path.join(HERE, "..", "e2e")]
import checks  # noqa: E402
import dispositions  # noqa: E402
import lab as laboratory  # noqa: E402

LIMIT = 200  # seconds for one test
TOOLS = ("ip", "iptables", "ip6tables", "nginx", "curl", "openssl", "unshare", "awk", "mkfifo")


def discover():
    """(file, function, case or "") of all tests, the slow ones first."""
    found = []
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        name = os.path.basename(path)[:-3]
        module = importlib.import_module(name)
        for function in [f for n, f in vars(module).items() if n.startswith("test_")]:
            for case in getattr(function, "cases", {"": ()}):
                found.append((name, function.__name__, case))
    return found


def title(test):
    name, function, case = test
    return "%s.%s%s" % (name[5:], function[5:], "[%s]" % case if case else "")


def run_one(program, lua, name, function, case):
    """The child: runs one test in this process."""
    test = getattr(importlib.import_module(name), function)
    try:
        test(checks.Environment(program, lua), *(test.cases[case] if case else ()))
    except checks.Skip as skip:
        print(skip)
        return 77
    except checks.Failure as failure:
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
    ours = re.compile(r"nfqws2-bc\d*-%d-" % pid)
    left = [line.split()[0] for line in listed.splitlines() if ours.match(line)]
    for namespace in left:
        laboratory.remove_namespace(namespace)
    for name in os.listdir(tempfile.gettempdir()):
        if ours.match(name):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)
            left.append(name)
    return left


def run_child(program, lua, test):
    """(exit code, seconds, output) of one test in a process of its own."""
    begin = time.monotonic()
    command = [sys.executable, os.path.abspath(__file__), "--one", program, lua, *test]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors="replace", start_new_session=True)
    try:
        output, _ = child.communicate(timeout=LIMIT)
        code = child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        output, code = child.communicate()[0] + "\nended after %d seconds" % LIMIT, 1
    left = clean_up(child.pid)
    if left and code == 0:
        output, code = output + "\nleft behind: " + " ".join(left), 1
    return code, time.monotonic() - begin, output


def why_impossible():
    path = laboratory.environment()["PATH"]
    for tool in TOOLS:
        if shutil.which(tool, path=path) is None:
            return "the tool `%s` is not installed" % tool
    return laboratory.why_unavailable()


def run_all(program, lua, tests, jobs, verbose):
    count = {"ok": 0, "FAILED": 0, "skipped": 0}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(run_child, program, lua, test): test for test in tests}
        for future in concurrent.futures.as_completed(futures):
            code, seconds, output = future.result()
            word = {0: "ok", 77: "skipped"}.get(code, "FAILED")
            count[word] += 1
            print("%-7s %-50s %6.1f s" % (word, title(futures[future]), seconds))
            if output.strip() and (verbose or code != 0):
                print("    " + output.strip().replace("\n", "\n    "))
            sys.stdout.flush()
    return count


def main():
    if sys.argv[1:2] == ["--one"]:
        return run_one(*sys.argv[2:7])
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua", type=os.path.abspath)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("-j", type=int, default=3)
    args = parser.parse_intermixed_args()
    dispositions.restore()
    tests = [t for t in discover() if not args.parts or any(p in title(t) for p in args.parts)]
    reason = why_impossible()
    if reason:
        for test in tests:
            print("SKIPPED %s: %s" % (title(test), reason))
        print("0 passed, 0 failed, %d skipped" % len(tests))
        return 0
    count = run_all(args.program, args.lua, tests, args.j, args.v)
    print("%d passed, %d failed, %d skipped" % (count["ok"], count["FAILED"], count["skipped"]))
    return 1 if count["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
