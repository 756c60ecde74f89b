#!/usr/bin/env python3
"""Runs a fuzz target over its seeds and over the findings that were kept (tests/data/fuzz).

usage: replay.py [--mutate=SECONDS | --only=NAME] TARGET PROGRAM...

--mutate: goes on for so long with what the target's mutator makes of them. --only: the input of this name.
PROGRAM is the target built without libFuzzer (driver.cpp), perhaps behind an emulator.
Last line: "N passed, N failed, N skipped", counting input files.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

LIMIT = 300  # seconds; the target may hang


def problem_of(command, files):
    """None, or what went wrong with these inputs."""
    try:
        done = subprocess.run([*command, *files], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return "no end after %d seconds" % LIMIT
    said = done.stdout.decode(errors="replace")
    if done.returncode == 0 and said.endswith("%d files run\n" % len(files)):
        return None
    found = re.search(r".*(?:SUMMARY|runtime error).*", said)
    return "exit code %d %s" % (done.returncode, found.group() if found else said[-300:])


def mutated(command, files, option):
    """None, or what went wrong; the input is kept then."""
    kept = os.path.abspath("mutated-input")
    problem = problem_of([*command, option, "-keep=" + kept], files)
    if problem is None:
        os.remove(kept)
    return problem and "%s, kept in %s" % (problem, kept)


def main():
    words = sys.argv[1:]
    option = words.pop(0) if words[0].startswith("--") else ""
    mutate = option[1:] if option.startswith("--mutate=") else None
    only = option[7:] if option.startswith("--only=") else None
    target, command = words[0], words[1:]
    report = cases.Report()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, os.path.join(HERE, "seeds.py"), folder, target], check=True)
        inputs = sorted(glob.glob(os.path.join(folder, target, "*")) +
                        glob.glob(os.path.join(HERE, "..", "data", "fuzz", target, "*")))
        inputs = [path for path in inputs if only in (None, os.path.basename(path))]
        if mutate:
            cases.run_all(report, [target], lambda _: mutated(command, inputs, mutate))
        elif inputs and problem_of(command, inputs) is None:
            report.passed = len(inputs)
        else:  # one by one, to name the culprit
            for file in inputs:
                problem, name = problem_of(command, [file]), os.path.basename(file)
                if problem:
                    report.fail(name, problem, cases.this_script("--only=" + name, target, *command))
                else:
                    report.ok(name)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
