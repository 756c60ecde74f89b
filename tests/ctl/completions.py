#!/usr/bin/env python3
"""Completions are those that the programs' own descriptions give, and bash completes with them.

usage: completions.py NFQWS2 NFQWS2CTL
Last line: "N passed, N failed, N skipped".
"""
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(1, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

KEPT = os.path.join(ROOT, "completions")
MAKE = os.path.join(ROOT, "src", "tools", "completions", "make.py")
# The line, and what has to be among the answers.
LINES = (("nfqws2 --qn", ["--qnum="]), ("nfqws2 --sandbox=", ["off", "report", "enforce", "require"]),
         ("nfqws2 --sandbox=en", ["enforce"]), ("nfqws2 --hostlist=/etc/host", ["/etc/hostname"]),
         ("nfqws2 @/etc/host", ["/etc/hostname"]), ("nfqws2 --lua-init=@/etc/host", ["/etc/hostname"]),
         ("nfqws2ctl st", ["status", "stop"]), ("nfqws2ctl flows --pro", ["--proto", "--profile"]),
         ("nfqws2ctl flows --proto ", ["tcp", "udp"]), ("nfqws2ctl log ", ["debug", "normal"]),
         ("nfqws2ctl -s /etc/host", ["/etc/hostname"]), ("nfqws2ctl ladder /etc/host", ["/etc/hostname"]),
         ("nfqws2ctl -q 200 hosts --li", ["--limit"]))
# Splits the line as readline does, sets what it sets, and calls the function.
BASH = r"""
. "$1"
COMP_LINE=$2 COMP_POINT=${#2}
read -r name _ <<<"$2"
words=$(printf '%s' "$2" | sed 's/\([=:@]\)/ \1 /g')
read -ra COMP_WORDS <<<"$words"
[[ $2 != *[[:space:]=@] ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
"_$name"
printf '%s\n' "${COMPREPLY[@]}"
"""


def files(folder):
    return sorted(os.path.relpath(os.path.join(top, name), folder)
                  for top, _, names in os.walk(folder) for name in names)


def main():
    report = cases.Report()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-B", MAKE, *sys.argv[1:3], folder], check=True)
        report.check(files(folder) == files(KEPT), "the files of completions/", files(folder))
        for name in files(folder):
            same = filecmp.cmp(os.path.join(folder, name), os.path.join(KEPT, name), False)
            report.check(same, name, "out of date: run src/tools/completions/make.py NFQWS2 NFQWS2CTL completions")
    for shell in ("bash", "zsh", "fish"):
        for name in files(os.path.join(KEPT, shell)):
            if shutil.which(shell) is None:
                report.skip("grammar of " + name, "there is no " + shell)
                continue
            done = subprocess.run([shell, "-n", os.path.join(KEPT, shell, name)], stderr=subprocess.PIPE, check=False)
            report.check(done.returncode == 0, "grammar of " + name, done.stderr.decode())
    for line, wanted in LINES:
        program = line.split()[0]
        done = subprocess.run(["bash", "-c", BASH, "bash", os.path.join(KEPT, "bash", program), line],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        found = done.stdout.decode().split()
        report.check(all(word in found for word in wanted), "completing %r" % line,
                     "%s\n%s" % (found[:20], done.stderr.decode()))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
