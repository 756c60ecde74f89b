#!/usr/bin/env python3
"""Does the walks of docs/development.md in a copy of the tree, and runs their commands there.

usage: follow.py [-v] [WALK ...]

All walks are done before the first is built, so that what they share is compiled once. WALK: numbers,
default all. The copy is build/walks, which stays for a look at what failed.
Last line: "N passed, N failed, N skipped".
"""
import argparse
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import cases  # noqa: E402
import walks  # noqa: E402
from documents import document  # noqa: E402

COPY = os.path.join(ROOT, "build", "walks")
LEFT_OUT = ("build", "binaries", ".git", "__pycache__")


def fresh_copy():
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(ROOT, COPY, symlinks=True,
                    ignore=lambda _, names: [name for name in names if name in LEFT_OUT])


def run(report, title, script):
    """One case: every command succeeds."""
    done = subprocess.run(["sh", "-ec", script], cwd=COPY, stdin=subprocess.DEVNULL, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return report.check(done.returncode == 0, title,
                        "exit code %d\n%s\n%s" % (done.returncode, script.strip(), done.stdout[-3000:]))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("numbers", nargs="*", type=int, metavar="WALK")
    parser.add_argument("-v", action="store_true")
    args = parser.parse_intermixed_args()
    report = cases.Report(args.v)
    chosen = [walk for walk in walks.walks_of(document(os.path.join(ROOT, walks.PAGE)))
              if not args.numbers or walk.number in args.numbers]
    fresh_copy()
    tree = walks.Tree(COPY)
    stopped = walks.problems_of(tree, chosen)
    if report.check(not stopped, "the steps of the walks", "\n".join(stopped)):
        tree.write()
        if run(report, "configuration", "cmake --preset release"):
            for walk in chosen:
                for block in walk.commands:
                    run(report, "walk %d, line %d" % (walk.number, block.line), block.text)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
