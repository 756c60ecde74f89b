#!/usr/bin/env python3
"""The stripped program is not larger than tests/data/size-limit.txt allows.

usage: size.py PROGRAM GCC_VERSION

Last line: "N passed, N failed, N skipped".
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(1, os.path.join(ROOT, "tests", "support"))
import cases  # noqa: E402
import stripped  # noqa: E402

LIMITS = os.path.join(ROOT, "tests", "data", "size-limit.txt")
ROOM = 0.02  # a limit that is farther away than this notices nothing
GROWN = """%(size)d bytes, %(more)d more than %(limits)s allows for GCC %(version)s: routers have little room.
What grew: `nm -CS --size-sort %(program)s` of this build and of the one before. Code that no packet meets
belongs to those rooms that are built for size (CMakeLists.txt). If the growth is worth it, write
%(size)d there, in the same commit, whose message says what users get for it."""


def limit_for(version):
    with open(LIMITS, encoding="utf-8") as file:
        rows = [line.split() for line in file if not line.startswith("#")]
    return next((int(row[1]) for row in rows if row and row[0] == version), None)


def main():
    program, version = sys.argv[1], sys.argv[2].split(".")[0]
    report = cases.Report()
    limit, size = limit_for(version), stripped.size_of(program)
    if limit is None:
        report.skip("size", "%d bytes; there is no limit for GCC %s in %s" % (size, version, LIMITS))
        return report.finish()
    report.check(size <= limit, "size", GROWN % {
        "size": size, "more": size - limit, "limits": os.path.relpath(LIMITS, ROOT), "version": version,
        "program": program})
    report.check(size > limit * (1 - ROOM), "the limit is near", "%d bytes: lower the limit from %d, so that "
                 "it notices the next growth" % (size, limit))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
