#!/usr/bin/env python3
"""Whether the sources compile where a size and a pointer have 32 bits, as on most routers.

    narrow.py BUILD_DIR

Takes the commands of a build by clang, in which a room is one unit, and lets the compiler of this machine look at
each with -m32, without making anything: a value of 64 bits that goes into a size is an error there and nowhere here.
Whether it links and runs is shown by tests/platform/cross.sh. Last line: "N passed, N failed, N skipped".
"""
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

# Of libraries whose headers stand in the folder of the 64-bit ones; what they say is the same for both.
OTHER_HEADERS = ["-idirafter", "/usr/include/x86_64-linux-gnu", "-DMMDB_UINT128_IS_BYTE_ARRAY=1"]
# Programs for people, whose libraries have no common headers.
NOT_HERE = ("/src/ctl/", "/src/probe/", "nfqws2_ctl.dir", "nfqws2_probe.dir", "/tests/")
WITH_VALUE = ("-o", "-MT", "-MF")


def narrowed(command):
    """The words of a compile command, for 32 bits and without results."""
    words = shlex.split(command)
    words = words[next(i for i, word in enumerate(words) if os.path.basename(word).startswith("clang")):]
    kept, skip = [], False
    for word in words:
        if skip or word in WITH_VALUE:
            skip = not skip
        elif word != "-MD":
            kept.append(word)
    return [*kept, "-m32", "-fsyntax-only", *OTHER_HEADERS]


def main():
    folder = sys.argv[1]
    report = cases.Report("-v" in sys.argv)
    missing = subprocess.run(["clang++", "-m32", "-fsyntax-only", "-x", "c++", "-include", "cstddef", "/dev/null"],
                             capture_output=True, check=False).returncode
    if missing:
        report.skip("narrow", "there are no headers of C++ for 32 bits (g++-multilib)")
        return report.finish()
    with open(os.path.join(folder, "compile_commands.json"), encoding="utf-8") as file:
        entries = [entry for entry in json.load(file) if not any(part in entry["file"] for part in NOT_HERE)]

    def compiled(entry):
        return subprocess.run(narrowed(entry["command"]), cwd=entry["directory"], capture_output=True, text=True,
                              check=False)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as several:
        for entry, done in zip(entries, several.map(compiled, entries)):
            name = os.path.relpath(entry["file"], folder)
            if done.returncode:
                report.fail(name, done.stderr[:3000])
            else:
                report.ok(name)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
