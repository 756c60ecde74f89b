#!/usr/bin/env python3
"""The ladders of docs/strategies.md and its translation: golden captures, replayed with a trace that nfqws2ctl draws.

usage: ladders.py PROGRAM CTL          demands that they are up to date, and that every public function of
                                       the script libraries has its place in the document
       ladders.py PROGRAM CTL --write  draws them anew, in docs/ladders
       ladders.py PROGRAM CTL NAME     prints the picture of any capture of tests/data/golden

In a document a line `<!-- ladder: NAME -->` stands in front of each; what is below it is written here.
Last line: "N passed, N failed, N skipped".
"""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path.insert(1, os.path.join(HERE, "..", "support"))
sys.path.insert(1, os.path.join(HERE, "..", "golden"))
import cases  # noqa: E402
import run as golden  # noqa: E402

LUA = os.path.join(ROOT, "lua")
# With the word for a picture that is not shown.
DOCUMENTS = {os.path.join(ROOT, "docs", "strategies.md"): "Ladder of ",
             os.path.join(ROOT, "docs", "strategies.ru.md"): "Лестница "}
PICTURES = os.path.join(ROOT, "docs", "ladders")
LIBRARIES = ("antidpi", "auto", "learn", "obfs", "pcap")
WIDTH = 88
BLOCK = re.compile(r"^<!-- ladder: (\S+) -->\n(?:```text\n.*?\n```\n)?(?:\n!\[[^]]*]\(ladders/[^)]*\)\n)?",
                   re.M | re.S)


def quoted(argument):
    return "'%s'" % argument if re.search(r"[ $'\"<>|;()]", argument) else argument


def command(name):
    """The command line of a capture without its script libraries."""
    _, args = golden.scenario(os.path.join(golden.DATA, name))
    lines = ["$ nfqws2"]
    for argument in args:
        argument = quoted(argument.replace("@WRITABLE@", "/tmp"))
        if argument.startswith("--lua-init=@zapret-"):
            continue
        if len(lines[-1]) + len(argument) + 3 > WIDTH:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += " " + argument
    return "\n".join(lines)


def block(name, word):
    picture = "![%s%s](ladders/%s.svg)" % (word, name, name)
    return "<!-- ladder: %s -->\n```text\n%s\n```\n\n%s\n" % (name, command(name), picture)


def draw(program, ctl, name):
    """The picture of a capture."""
    folder = os.path.join(golden.DATA, name)
    _, args = golden.scenario(folder)
    with tempfile.TemporaryDirectory() as work:
        trace = os.path.join(work, "trace")
        golden.replay(program, LUA, folder, [*args, "--seed=1", "--trace=" + trace], work)
        return subprocess.run([ctl, "ladder", "--svg", trace], stdout=subprocess.PIPE, text=True, check=True).stdout


def missing_functions(text):
    """Public functions of the libraries that have neither a heading nor a row."""
    told = set(re.findall(r"^#+ (?:`?(\w+)`?)", text, re.M)) | set(re.findall(r"`(\w+)`", text))
    public = []
    for library in LIBRARIES:
        with open(os.path.join(ROOT, "lua", "zapret-%s.lua" % library)) as f:
            public += re.findall(r"^function (\w+)\(", f.read(), re.M)
    return [name for name in public if name not in told]


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def write(pictures):
    for path, word in DOCUMENTS.items():
        text = BLOCK.sub(lambda m, word=word: block(m[1], word), read(path))
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    os.makedirs(PICTURES, exist_ok=True)
    for name, picture in pictures.items():
        with open(os.path.join(PICTURES, name + ".svg"), "w") as f:
            f.write(picture)


def kept(name):
    path = os.path.join(PICTURES, name + ".svg")
    if not os.path.exists(path):
        return None
    with open(path) as f:
        return f.read()


def main():
    if len(sys.argv) not in (3, 4):
        print(__doc__.strip())
        return 1
    program, ctl = map(os.path.abspath, sys.argv[1:3])
    if sys.argv[3:] and sys.argv[3] != "--write":
        print(draw(program, ctl, sys.argv[3]), end="")
        return 0
    original, translation = ([match[1] for match in BLOCK.finditer(read(path))] for path in DOCUMENTS)
    pictures = {name: draw(program, ctl, name) for name in original}
    if sys.argv[3:]:
        write(pictures)
        return 0
    report = cases.Report()
    for path, word in DOCUMENTS.items():
        blocks = {match[1]: match[0] for match in BLOCK.finditer(read(path))}
        old = [name for name, text in blocks.items() if text != block(name, word)]
        report.check(not old, os.path.basename(path), "out of date: %s; run tests/docs/ladders.py PROGRAM CTL --write" %
                     ", ".join(old))
        missing = missing_functions(read(path))
        report.check(not missing, "functions of " + os.path.basename(path), "not mentioned: " + ", ".join(missing))
    report.check(original == translation, "the translation has the ladders of the original",
                 str(set(original) ^ set(translation)))
    for name, picture in pictures.items():
        report.check(kept(name) == picture, name, "out of date; run tests/docs/ladders.py PROGRAM CTL --write")
    shown = {name + ".svg" for name in original}
    report.check(set(os.listdir(PICTURES)) == shown, "pictures", "not those of the document")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
