#!/usr/bin/env python3
"""Runs a test program that is not a script of ours and ends with the line "N passed, N failed, N skipped".

usage: counted.py COMMAND...

Understands what GoogleTest prints, and a last line "N passed, N failed" of a Lua suite. A program that
ends without a count, or with an exit code though nothing failed, has failed.
"""
import os
import re
import subprocess
import sys

sys.path.insert(1, os.path.dirname(os.path.abspath(__file__)))
import cases  # noqa: E402


def google_test(text):
    """(passed, failed, skipped) or None; prints why tests were skipped."""
    if not re.search(r"^\[==========\] \d+ tests? from \d+ test suites? ran", text, re.M):
        return None

    def number(word):
        found = re.search(r"^\[ +%s +\] (\d+) tests?[.,]" % word, text, re.M)
        return int(found.group(1)) if found else 0

    for reason, name in re.findall(r"Skipped\n(.+)\n(?:.*\n)?\[  SKIPPED \] (\S+)", text):
        print("SKIPPED %s: %s" % (name, reason))
    failed = re.findall(r"^\[  FAILED  \] (\S+)(?:, where .*)? \(\d+ ms\)$", text, re.M)
    for name in failed:
        print("FAILED %s\n    alone: %s" % (name, cases.command_line([*sys.argv[1:], "--gtest_filter=" + name])))
    return number("PASSED"), len(failed), number("SKIPPED")


def lua_suite(text):
    found = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", text, re.M)
    if not found:
        return None
    count = tuple(int(n or 0) for n in found[-1])
    if count[1]:  # its cases cannot be had one by one, and take no time
        print("    the suite alone: " + cases.command_line(sys.argv[1:]))
    return count


def main():
    child = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    sys.stdout.write(child.stdout)
    count = google_test(child.stdout) or lua_suite(child.stdout)
    report = cases.Report()
    if count:
        report.passed, report.failed, report.skipped = count
    else:
        report.fail("no result", "the program ended before it counted")
    if child.returncode and not report.failed:
        report.fail("exit code %d" % child.returncode, "")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
