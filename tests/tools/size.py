#!/usr/bin/env python3
"""The stripped program is not larger than tests/data/size-limit.txt allows.

usage: size.py PROGRAM

Last line: "N passed, N failed, N skipped".
"""
import os
import platform
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(1, os.path.join(ROOT, "tests", "support"))
import cases  # noqa: E402
import stripped  # noqa: E402

LIMITS = os.path.join(ROOT, "tests", "data", "size-limit.txt")
ROOM = 0.02  # a limit that is farther away than this notices nothing
GROWN = """%(size)d bytes, %(more)d more than %(limits)s allows on %(system)s: routers have little room.
What grew: `nm -CS --size-sort %(program)s` of this build and of the one before. Code that no packet meets
is built for size (cmake/fast.cmake). If the growth is worth it, write
%(size)d there, in the same commit, whose message says what users get for it."""


def this_system():
    """Such as debian-12: its compiler and libraries make the size."""
    system = platform.freedesktop_os_release()
    return "%s-%s" % (system.get("ID"), system.get("VERSION_ID"))


def limit_for(system):
    with open(LIMITS, encoding="utf-8") as file:
        rows = [line.split() for line in file if not line.startswith("#")]
    return next((int(row[1]) for row in rows if row and row[0] == system), None)


def main():
    program, system = sys.argv[1], this_system()
    report = cases.Report()
    limit, size = limit_for(system), stripped.size_of(program)
    if limit is None:
        report.skip("size", "%d bytes; there is no limit for %s in %s" % (size, system, LIMITS))
        return report.finish()
    report.check(size <= limit, "size", GROWN % {
        "size": size, "more": size - limit, "limits": os.path.relpath(LIMITS, ROOT), "system": system,
        "program": program})
    report.check(size > limit * (1 - ROOM), "the limit is near", "%d bytes: lower the limit from %d, so that "
                 "it notices the next growth" % (size, limit))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
