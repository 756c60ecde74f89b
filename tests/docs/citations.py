"""What comments and messages cite: pages of docs/contracts with a section that exists, or an RFC."""
import os
import re

# Between two words of a comment may be the end of a line and the next line's comment mark.
GAP = r"(?:\s+(?://+|--|#)?\s*)"
PAGE = re.compile(r"\bdocs/contracts/([\w-]+\.md)(?:#([\w-]+))?")
# A document that readers of this repository do not have.
ELSEWHERE = re.compile(r"\bspec(?:ification)?%s(?:parts?|section)\b|\b(?:parts?%s\d|weakness(?:es)?%s)\d+\b" %
                       (GAP, GAP, GAP), re.I)
SECTION = re.compile(r"\bsections?%s\d[\d.]*" % GAP, re.I)
RFC_BEFORE = re.compile(r"\bRFC%s\d+,?%s(?:sections?%s[\d., and]+)?$" % (GAP, GAP, GAP), re.I)
# Folders of code, where a number of a section means that of some other document.
CODE = ("include", "src", "lua", "tests", "common", "init.d", "ipset", "blockcheck2.d")
NOT_OURS = ("build", "binaries", "tests/data")


def problems_of(text, anchors_of, is_code):
    """(line, text) of what leads nowhere. `anchors_of` gives the anchors of a page, None if there is no such page."""
    found = []

    def add(match, what):
        found.append((text.count("\n", 0, match.start()) + 1, what))
    for match in PAGE.finditer(text):
        page, anchor = match.groups()
        anchors = anchors_of(page)
        if anchors is None:
            add(match, "%s does not exist" % match.group())
        elif anchor and anchor not in anchors:
            add(match, "%s has no section #%s" % (page, anchor))
    for match in ELSEWHERE.finditer(text):
        add(match, "'%s' is of no document here" % " ".join(match.group().split()))
    if is_code:
        for match in SECTION.finditer(text):
            if not RFC_BEFORE.search(text[max(0, match.start() - 80):match.start()]):
                add(match, "'%s' of which document?" % " ".join(match.group().split()))
    return found


def text_files(root):
    """(name, text) of every text file of the tree that is not built or recorded."""
    for folder, folders, files in os.walk(root):
        inside = "" if folder == root else os.path.relpath(folder, root)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__pycache__" and
                            os.path.join(inside, f) not in NOT_OURS)
        for file in sorted(files):
            try:
                with open(os.path.join(folder, file), encoding="utf-8") as f:
                    yield os.path.join(inside, file), f.read()
            except (UnicodeDecodeError, OSError):
                continue


# What the check has to find, and what it may not: (text, number of problems), with @ for "part" and
# $ for "section", or this file would cite them itself.
PLANTED = tuple((text.replace("@", "part").replace("$", "section"), problems) for text, problems in (
    ("// see docs/contracts/@.md", 1),
    ("// see docs/contracts/flows.md#@", 1),
    ("// see docs/contracts/flows.md#ranges and docs/contracts/flows.md.", 0),
    ("// (spec @ 03)", 1),
    ("// told elsewhere (spec\n    // @ 03 $ 2).", 2),
    ("-- (@ 08 has the details):", 1),
    ("# the order of $ 4.8", 1),
    ("// weaknesses" " 6 and 7", 1),
    ("// as in RFC 9001 $ 5, RFC 9369 $ 3, and RFC\n// 8446 $ 5.1", 0),
))
