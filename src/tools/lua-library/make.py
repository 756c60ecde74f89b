#!/usr/bin/env python3
"""What is made from the comments above the functions of lua/*.lua.

usage: make.py table FILE            the arguments, for the program; the build does it
       make.py documents [--check]   argument tables and lists of functions in docs/

With --check nothing is written: the exit code tells whether the files are as they should be, and the difference is
shown. Needs nothing but Python, since it runs on the build machine, also of a cross build."""
import argparse
import difflib
import os
import sys

import descriptions
import pages
import table

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def read(path):
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    """A file that is as it should be keeps its time: nothing is compiled anew."""
    if read(path) == text:
        return
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def compare(path, text):
    name = os.path.relpath(path, ROOT)
    lines = list(difflib.unified_diff(read(path).splitlines(True), text.splitlines(True), name,
                                      name + " as it should be"))
    sys.stdout.writelines(lines)
    return not lines


def wanted(what, described):
    """(path, text) of the files."""
    for name in pages.FILES:
        path = os.path.join(ROOT, name)
        yield path, pages.text_of(read(path), described)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("what", choices=("table", "documents"))
    parser.add_argument("file", nargs="?")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    try:
        described = descriptions.Descriptions(os.path.join(ROOT, "lua"))
        if args.what == "table":
            write(args.file, table.text_of(described))
            return 0
        files = list(wanted(args.what, described))
    except descriptions.BadDescription as error:
        sys.exit("make.py: %s" % error)
    if args.check:
        good = [compare(path, text) for path, text in files]
        if not all(good):
            print("run src/tools/lua-library/make.py " + args.what)
        return 0 if all(good) else 1
    for path, text in files:
        write(path, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
