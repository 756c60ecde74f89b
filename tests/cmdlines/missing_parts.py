#!/usr/bin/env python3
"""A program without the optional parts: what it says of an option or module that it lacks, and that the rest works.

    missing_parts.py PROGRAM LUA_DIR

Last line: "N passed, N failed, N skipped".
"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

# Words of the command line ({} stands for the folder), the exit code, and text that is said.
CASES = {
    "rules": (["--intercept=0", "--rules={}/rules.toml"], 1, "option '--rules' (argument 2): not part of this build"),
    "rules_to_check": (["--check", "--rules={}/rules.toml"], 1,
                       "option '--rules' (argument 2): not part of this build"),
    "captures": (["--pcap-in={}/in.pcap"], 2, "--pcap-in is not available"),
    "module": (["--lua-run=require 'nfct'"], 1, "module 'nfct' is not part of this build"),
    "names": (["--intercept=0", "--hostlist={}/names.txt"], 0, "it is not ASCII, write its xn-- form"),
    "rules_of_scripts": (["--intercept=0", "--lua-init=print(rules_check('version = 1'))"], 0, "nil"),
    "features": (["--version"], 0, "features: static-libstdc++\n"),
    "libraries_work": (["--intercept=0", "--lua-init=@{lua}/zapret-lib.lua", "--lua-init=@{lua}/zapret-antidpi.lua",
                        "--lua-init=@{lua}/zapret-learn.lua"], 0, "no intercept quit"),
}


def main():
    program, lua = (os.path.abspath(word) for word in sys.argv[1:3])
    report = cases.Report("-v" in sys.argv)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for name, text in (("rules.toml", "version = 1\n"), ("names.txt", "пример.рф\n"), ("in.pcap", "")):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        for title, (words, code, text) in CASES.items():
            words = [word.replace("{lua}", lua).replace("{}", folder) for word in words]
            done = subprocess.run([program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                                  check=False, text=True)
            if done.returncode == code and text in done.stdout:
                report.ok(title)
            else:
                report.fail(title, "exit code %d, wanted %d and %r\n%s" % (done.returncode, code, text, done.stdout))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
