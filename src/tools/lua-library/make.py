#!/usr/bin/env python3
"""What is made from the script libraries.

usage: make.py update [--check]   lua/zapret-lib.lua from its chapters; argument tables and lists of functions in docs/
       make.py table FILE         the arguments, for the program; the build does it

With --check nothing is written: the exit code tells whether the files are as they should be, and the difference is
shown. Needs nothing but Python, since it runs on the build machine, also of a cross build."""
import argparse
import difflib
import os
import sys

import descriptions
import join
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


def files():
    """(path, text) of what is made here. The documents follow the library, so it has to be written before them."""
    yield os.path.join(ROOT, join.LIBRARY), join.joined(ROOT)
    described = descriptions.Descriptions(os.path.join(ROOT, "lua"))
    for name in pages.FILES:
        path = os.path.join(ROOT, name)
        yield path, pages.text_of(read(path), described)


def update(check):
    good = True
    for path, text in files():
        if check:
            good = compare(path, text) and good
        else:
            write(path, text)
    if not good:
        print("run src/tools/lua-library/make.py update")
    return good


def make_table(path):
    if read(os.path.join(ROOT, join.LIBRARY)) != join.joined(ROOT):
        print("make.py: %s is not its chapters in %s: run make.py update" % (join.LIBRARY, join.CHAPTERS),
              file=sys.stderr)
    write(path, table.text_of(descriptions.Descriptions(os.path.join(ROOT, "lua"))))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n\n")[0])
    parser.add_argument("what", choices=("update", "table"))
    parser.add_argument("file", nargs="?")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if (args.what == "table") != (args.file is not None):
        parser.error("a file is named for the table, and for it only")
    try:
        if args.what == "update":
            return 0 if update(args.check) else 1
        make_table(args.file)
    except descriptions.BadDescription as error:
        sys.exit("make.py: %s" % error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
