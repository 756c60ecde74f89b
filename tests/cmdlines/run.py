#!/usr/bin/env python3
"""Gives a corpus of command lines to --check.

usage: run.py PROGRAM LUA_DIR [-v] [-j N] [PART ...]

tests/data/cmdlines/good.txt: each line must be accepted, without error and without warning.
tests/data/cmdlines/bad.txt: each line must be refused with exit code 1, naming the word marked with
^ as the culprit (its option and its position), and with the text behind ## in the message. A line
without a mark has no single culprit. The title of a case is FILE:LINE; PARTs choose.
Last line: "N passed, N failed, N skipped".
"""
import argparse
import gzip
import os
import re
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

DATA = os.path.join(HERE, "..", "data")
LIBRARIES = ("lib", "antidpi", "auto", "learn", "obfs", "pcap")
FILES = {
    "hosts.txt": b"example.com\nexample.net\n^www.example.org\n",
    "youtube.txt": b"googlevideo.com\nyoutube.com\n",
    "exclude.txt": b"bank.example\n# nothing else\n",
    "hosts.txt.gz": gzip.compress(b"zipped.example.com\n"),
    "ipset.txt": b"192.0.2.0/24\n198.51.100.7\n",
    "ipset6.txt": b"2001:db8::/32\n",
    "empty.txt": b"",
    "broken.txt.gz": gzip.compress(b"zipped.example.com\n" * 100)[:40],
    "groups.txt": b".googlevideo.com youtube\nyoutube.com\n",
    "quic.bin": bytes(range(200)),
    "tls.bin": bytes(range(100)),
    "own.lua": b"function own_split() end function own_drop() return VERDICT_DROP end\n",
    "bad.lua": b"this is no Lua\n",
    "throws.lua": b"error('does not want to')\n",
}


def read_cases(name):
    """(line number, text) of each command line."""
    with open(os.path.join(DATA, "cmdlines", name)) as f:
        lines = [line.strip() for line in f]
    return [(n, line) for n, line in enumerate(lines, 1) if line and line[0] != "#"]


def make_files(folder):
    os.chmod(folder, 0o755)
    for name, content in FILES.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(content)
    os.symlink(os.path.join(os.path.realpath(DATA), "golden", "001-pass-tls4", "in.pcap"),
               os.path.join(folder, "in.pcap"))


class Corpus:
    def __init__(self, program, lua, folder):
        self.program, self.folder = program, folder
        self.libraries = ["--lua-init=@%s/zapret-%s.lua" % (lua, name) for name in LIBRARIES]

    def words(self, text):
        return [word.replace("$F", self.folder) for word in shlex.split(text)]

    def check(self, words):
        """(exit code, output)"""
        result = subprocess.run([self.program, "--check", *self.libraries, *words], timeout=60,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace",
                                cwd=self.folder)
        return result.returncode, result.stdout

    def good(self, text):
        """None, or why the line was not accepted."""
        code, said = self.check(self.words(text))
        if code != 0 or not said.endswith("check: 0 errors, 0 warnings, 0 notices\n"):
            # A blob that an earlier instance makes is worth a notice, no more.
            if code != 0 or "check: 0 errors, 0 warnings, " not in said:
                return "exit code %d:\n    %s" % (code, complaints(said))
        return None

    def bad(self, text):
        """None, or why the line was not refused as it should be."""
        command, _, message = text.partition(" ## ")
        words = self.words(command)
        marked = [i for i, word in enumerate(words) if word.startswith("^")]
        if len(marked) > 1 or not message:
            return "the case itself is wrong"
        for i in marked:
            words[i] = words[i][1:]
        code, said = self.check(words)
        if code != 1:
            return "exit code %d instead of 1:\n    %s" % (code, complaints(said))
        wanted = [message.strip()]
        if marked:
            option = re.sub(r"^--?([^=]*).*", r"\1", words[marked[0]])
            place = "(argument %d)" % (marked[0] + 2 + len(self.libraries))
            if not any(option in line and place in line for line in said.splitlines()):
                return "%s at %s is not named:\n    %s" % (option, place, complaints(said))
        missing = [part for part in wanted if part not in said]
        return "%r is missing in:\n    %s" % (missing[0], complaints(said)) if missing else None


def complaints(said):
    skip = ("we have", "LUA v", "JIT:", "Running as", "Loading", "loading", "Loaded", "self-built")
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith(skip)]
    return "\n    ".join(lines[:12])


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua", type=os.path.abspath)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("-j", type=int, default=3)
    args = parser.parse_intermixed_args()
    report = cases.Report(args.v, cases.this_script(args.program, args.lua))
    with tempfile.TemporaryDirectory() as folder:
        make_files(folder)
        corpus = Corpus(args.program, args.lua, folder)
        for name, judge in (("good.txt", corpus.good), ("bad.txt", corpus.bad)):
            found = read_cases(name)
            if not found:
                report.fail(name, "no command line in it")

            def title(case, name=name):
                return "%s:%d %s" % (name, *case)
            cases.run_all(report, cases.chosen(found, args.parts, title), lambda case: judge(case[1]), args.j, title)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
