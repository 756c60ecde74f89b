"""The walks of docs/development.md as changes of the tree.

A walk is a section whose heading is "Walk N: ...". Its blocks of language `diff` are changes:

    @@ PATH @@              the file that the lines below are about; with `new file` behind it all are new
    +LINE, -LINE,  LINE     new, goes, is there already (as in any diff, but with few lines around)
    ...                     what comes next stands elsewhere in the file

Its commands have the mark `run: walk`: follow.py runs them in a copy of the tree where all walks are done.
"""
import collections
import os
import re

from documents import Document, document

PAGE = "docs/development.md"
HEADING = re.compile(r"## Walk (\d+): ")
FILE = re.compile(r"@@ (\S+) @@( new file)?$")
FEWEST = 6  # walks; fewer were found by mistake

Change = collections.namedtuple("Change", "path is_new hunks")
Hunk = collections.namedtuple("Hunk", "line before after")
Walk = collections.namedtuple("Walk", "number changes commands")


class Stopped(Exception):
    """Here a reader could not go on; the text says why."""


def changes_of(block):
    changes = []
    for number, text in enumerate(block.text.rstrip("\n").split("\n"), block.line + 1):
        file = FILE.match(text)
        if file:
            changes.append(Change(file.group(1), bool(file.group(2)), [Hunk(number + 1, [], [])]))
        elif not changes:
            raise Stopped("line %d: which file?" % number)
        elif text == "...":
            changes[-1].hunks.append(Hunk(number + 1, [], []))
        else:
            add_line(changes[-1].hunks[-1], number, text)
    return changes


def add_line(hunk, number, text):
    kind, rest = text[:1] or " ", text[1:]
    if kind not in " +-":
        raise Stopped("line %d: neither new nor there already: %s" % (number, text))
    if kind != "+":
        hunk.before.append(rest)
    if kind != "-":
        hunk.after.append(rest)


def walks_of(page):
    """The walks of a document in their order."""
    begins = [(line, HEADING.match(text)) for line, text in enumerate(page.prose, 1) if text.startswith("## ")]
    ends = [line for line, _ in begins[1:]] + [len(page.prose) + 1]
    walks = []
    for (begin, heading), end in zip(begins, ends):
        if heading:
            blocks = [b for b in page.blocks if begin < b.line < end]
            walks.append(Walk(int(heading.group(1)),
                              [c for b in blocks if b.language == "diff" for c in changes_of(b)],
                              [b for b in blocks if b.kind == "run" and b.mark == "walk"]))
    return walks


class Tree:
    """Files of a folder, with changes that are not written yet."""

    def __init__(self, root):
        self.root, self.changed = root, {}

    def apply(self, change):
        for hunk in change.hunks:
            lines = self._lines(change)
            places = [i for i in range(len(lines) - len(hunk.before) + 1)
                      if lines[i:i + len(hunk.before)] == hunk.before]
            if len(places) != 1:
                raise Stopped("line %d: stands at %d places of %s" % (hunk.line, len(places), change.path))
            lines[places[0]:places[0] + len(hunk.before)] = hunk.after
            self.changed[change.path] = lines

    def _lines(self, change):
        if change.path in self.changed:
            return list(self.changed[change.path])
        path = os.path.join(self.root, change.path)
        if os.path.exists(path) == change.is_new:
            raise Stopped("line %d: %s %s" % (change.hunks[0].line, change.path,
                                              "exists" if change.is_new else "does not exist"))
        if change.is_new:
            return []
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()

    def write(self):
        for name, lines in self.changed.items():
            path = os.path.join(self.root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")


def problems_of(tree, walks):
    """What stops a reader who does these walks one after the other."""
    try:
        for walk in walks:
            for change in walk.changes:
                tree.apply(change)
    except Stopped as reason:
        return [str(reason)]
    return []


# (a line of the page, what it becomes, what has to be found then)
PLANTED = (
    (' #include "nfqws2/protocol/quic.hpp"', ' #include "nfqws2/protocol/quick.hpp"',
     "stands at 0 places of include/nfqws2/protocol/table.hpp"),
    ("     utp_bt,", "+", "stands at 2 places of include/nfqws2/protocol/names.hpp"),
    ("@@ src/protocol/rdp.cpp @@ new file", "@@ src/protocol/tls.cpp @@ new file", "src/protocol/tls.cpp exists"),
    ("@@ include/nfqws2/protocol/names.hpp @@", "@@ include/nfqws2/protocol/name.hpp @@",
     "include/nfqws2/protocol/name.hpp does not exist"),
    ("@@ include/nfqws2/protocol/names.hpp @@", "     utp_bt,", "which file?"),
    ("+    rdp,", "rdp,", "neither new nor there already"),
)


def found_in(page, root):
    """What stops a reader of this page in each walk, or in all of them together."""
    try:
        walks = walks_of(page)
    except Stopped as reason:
        return [str(reason)]
    alone = [problem for walk in walks for problem in problems_of(Tree(root), [walk])]
    return alone or problems_of(Tree(root), walks)


def check_planted(tally, text, root):
    for old, new, wanted in PLANTED:
        page = Document(text.replace("\n%s\n" % old, "\n%s\n" % new, 1))
        found = "\n".join(found_in(page, root))
        tally.check(wanted in found, "planted: %s => %s" % (old, new), found or "nothing was found")


def check(tally, _program, lua):
    root = os.path.dirname(lua)
    page = document(os.path.join(root, PAGE))
    tally.problems(PAGE + ": each step of the walks has its one place", found_in(page, root))
    walks = walks_of(page)
    tally.check(len(walks) >= FEWEST, "the walks are found")
    for walk in walks:
        tally.check(walk.changes and walk.commands, "walk %d has steps and commands" % walk.number)
    check_planted(tally, "\n".join(page.lines), root)
