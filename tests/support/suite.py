#!/usr/bin/env python3
"""The whole test run: builds presets, lets ctest run their tests, adds up what those counted.

usage: suite.py [all | quick | long | STAGE...]

Called by `./bootstrap test`, which has installed what is needed. STAGES below is the list of what is
run. While it runs there is one line for the eye: in place on a terminal, otherwise one every 20 s.
What failed is told at once with its reason; everything that the tests said is in build/logs.
Last line: "N passed, N failed, N skipped", counting test cases (and each build as one).
"""
import collections
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

import dispositions

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

LOGS = os.path.join(ROOT, "build", "logs")
CORES = os.cpu_count() or 1
# Most tests wait for the network or a clock more than they compute.
JOBS = 3 * CORES
EVERY = 20  # seconds between lines where there is no terminal
FAULTS_SHOWN, FAULT_SHOWN = 20, 2000  # entries and characters that are told again at the end
COUNT = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)

# What a stage runs: a test preset of CMakePresets.json (built with the build preset of the same
# name, in the folder of `configure`), only the build if `tests` is False, or a script that prints the
# same last line. The next stage is built beside a script that waits more than it computes (`beside`).
# `runs` says which command includes it; `minutes` are those of two slow cores with an empty compiler
# cache.
Stage = collections.namedtuple("Stage", "name runs minutes what configure script tests beside",
                               defaults=(None, None, True, False))
STAGES = (
    Stage("quick", "quick", 8, "unit, Lua, golden, command lines, documents", "release"),
    Stage("release", "all", 20, "everything, on the program that is installed", "release"),
    Stage("vm", "all", 6, "rules, service and fence on a distribution's kernel, after `release`",
          script="python3 tests/vm/run.py build/release/nfqws2 lua", beside=True),
    Stage("asan", "all", 22, "AddressSanitizer and UBSan", "asan"),
    Stage("tsan", "all", 5, "ThreadSanitizer: what workers share", "tsan"),
    Stage("puc", "all", 1, "PUC Lua instead of LuaJIT", "puc"),
    Stage("clang", "all", 4, "the program by the second compiler, which compiles the benches, too", "clang"),
    Stage("small", "all", 2, "a program without the optional parts", "small"),
    Stage("mipsel", "long", 8, "a 32-bit processor under qemu-user", script="tests/platform/cross.sh mipsel"),
    Stage("s390x", "long", 8, "a big-endian processor under qemu-user", script="tests/platform/cross.sh s390x"),
    Stage("arm", "long", 24, "aarch64 and armhf under qemu-user, i386",
          script="tests/platform/cross.sh aarch64 armhf i386"),
    Stage("roots", "long", 40, "the demo and quick in fresh systems", script="tests/platform/roots.sh"),
    Stage("clang-all", "long", 8, "also tests and fuzz targets by the second compiler", "clang"),
    Stage("debug", "long", 8, "GCC without optimisation", "debug"),
    Stage("instructions", "long", 4, "what a packet costs in instructions, all rows, after `release`",
          script="python3 tests/bench/instructions.py build/release/nfqws2 lua --long"),
    Stage("fuzz", "long", 6, "fuzz targets with libFuzzer", "fuzz", tests=False),
    Stage("reproducible", "long", 8, "two builds that are equal", script="tests/tools/reproducible.sh"),
    Stage("walks", "long", 8, "the walks of docs/development.md in a copy", script="python3 tests/docs/follow.py"),
    Stage("tidy", "long", 50, "clang-tidy with its analyzer on everything", script="tests/tools/lint.sh tidy"),
)


class Progress:
    """One line for the eye."""

    def __init__(self):
        self.terminal = sys.stdout.isatty()
        self.begin = time.monotonic()
        self.stage = self.text = ""  # the text, or what tells it
        self.shown = self.begin
        self.lock = threading.Lock()
        threading.Thread(target=self._tick, daemon=True).start()

    def _line(self):
        seconds = int(time.monotonic() - self.begin)
        text = self.text() if callable(self.text) else self.text
        return "[%d:%02d] %s: %s" % (seconds // 60, seconds % 60, self.stage, text)

    def _tick(self):
        while True:
            time.sleep(1)
            with self.lock:
                if self.text and self.terminal:
                    self._write("\r\033[K" + self._line()[:shutil.get_terminal_size().columns - 1])
                elif self.text and time.monotonic() - self.shown >= EVERY:
                    self._write("    " + self._line() + "\n")

    def _write(self, text):
        self.shown = time.monotonic()
        sys.stdout.write(text)
        sys.stdout.flush()

    def say(self, text):
        """A line that stays."""
        with self.lock:
            self._write(("\r\033[K" if self.terminal else "") + text + "\n")


class Totals:
    def __init__(self, progress):
        self.progress = progress
        self.passed = self.failed = self.skipped = 0
        self.faults = []  # what failed, with the reasons

    def add(self, title, output, good=True):
        """Counts what an entry said; an entry that ran nothing has failed. (passed, failed)"""
        found = COUNT.findall(output)
        passed, failed, skipped = map(int, found[-1]) if found else (0, 0, 0)
        problem = None
        if not found:
            problem = "no result"
        elif not passed + failed and (os.geteuid() == 0 or not skipped):
            problem = "ran nothing"
        elif not good and not failed:
            problem = "failed without a failed case: exit code, signal or time limit"
        failed += problem is not None
        if failed:
            what = problem or "%d of %d cases" % (failed, passed + failed)
            self.fault("FAILED %s: %s\n%s" % (title, what, failures_of(output)))
        for line in re.findall(r"^SKIPPED .*", output, re.M):
            self.progress.say("%s: %s" % (title, line))
        self.passed, self.failed = self.passed + passed, self.failed + failed
        self.skipped += skipped
        return passed, failed

    def fault(self, text):
        self.faults.append(text[:FAULT_SHOWN])
        self.progress.say(text)

    def repeat_faults(self):
        """Again at the end, which is what is kept of a long log."""
        if self.faults:
            self.progress.say("==> what failed:\n" + "\n".join(self.faults[:FAULTS_SHOWN]))

    def __str__(self):
        return "%d passed, %d failed, %d skipped" % (self.passed, self.failed, self.skipped)


def failures_of(output):
    """The lines FAILED with what is indented below each, or the end of an output without."""
    found = re.findall(r"^FAILED .*(?:\n[ \t].*)*", output, re.M)
    google = re.findall(r"^\S+:\d+: Failure\n(?:(?!\[).*\n)*\[  FAILED  \].*", output, re.M)
    text = "\n".join(google + found) or output[-3000:]
    return "    " + text[:12000].rstrip().replace("\n", "\n    ")


def build(stage, totals):
    """Whether the preset of a stage could be built; counts as one case."""
    totals.progress.say("==> %s: building in build/%s" % (stage.name, stage.configure))
    done = subprocess.run([os.path.join(ROOT, "cmake", "build.sh"), stage.configure, stage.name],
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        totals.failed += 1
        totals.fault("FAILED build/{0}, see build/logs/{0}.build.log".format(stage.configure))
        return False
    totals.passed += 1
    return True


def run_ctest(stage, totals):
    """Runs the test preset of a stage; the path of the report."""
    report = os.path.join(LOGS, stage.name + ".junit.xml")
    if os.path.exists(report):
        os.unlink(report)
    everything = str(1 << 30)
    command = ["ctest", "--preset", stage.name, "-j", str(JOBS), "--no-tests=error",
               "--output-junit", report, "--test-output-size-passed", everything,
               "--test-output-size-failed", everything]
    entry = re.compile(r"^ *(\d+)/(\d+) Test +#\d+: (\S+) \.*\**(.*?) +([\d.]+) sec")
    failed, slowest, progress = 0, [], totals.progress
    progress.text = "tests begin"
    with open(os.path.join(LOGS, stage.name + ".ctest.log"), "w", buffering=1, encoding="utf-8") as log:
        child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, text=True,
                                 errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in child.stdout:
            log.write(line)
            match = entry.match(line)
            if match:
                done, total, name, word, seconds = match.groups()
                if "Passed" not in word and "Skipped" not in word:
                    failed += 1
                    progress.say("FAILED %s (%s, %s s)" % (name, word.strip("* "), seconds))
                slowest.append((float(seconds), name))
                progress.text = "%s of %s done, %d failed" % (done, total, failed)
        child.wait()
    progress.text = ""
    progress.say("    slowest: " + ", ".join("%s %.0f s" % (n, s)
                                             for s, n in sorted(slowest)[:-6:-1]))
    return report


def run_preset(stage, totals, beside):
    """The tests begin when the script `beside` the build, if there is one, has ended."""
    good = build(stage, totals)
    if beside:
        beside.join()
    if not good or not stage.tests:
        return
    totals.progress.say("==> %s: %s" % (stage.name, stage.what))
    report = run_ctest(stage, totals)
    try:
        entries = xml.etree.ElementTree.parse(report).getroot().findall("testcase")
    except (OSError, xml.etree.ElementTree.ParseError) as problem:
        totals.add(stage.name, "FAILED no report of ctest: %s" % problem)
        return
    if not entries:
        totals.add(stage.name, "0 passed, 0 failed, 0 skipped")
    labels = collections.Counter()
    for entry in entries:
        name = entry.get("name")
        output = entry.findtext("system-out") or ""
        passed, failed = totals.add("%s %s" % (stage.name, name), output,
                                    entry.get("status") in ("run", "notrun")
                                    and entry.find("failure") is None)
        labels[name.partition("/")[0]] += passed + failed
    totals.progress.say("    cases: " + ", ".join("%s %d" % pair for pair in labels.items()))


def last_line(path):
    with open(path, "rb") as f:
        lines = f.read()[-400:].decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "begins")


class Script:
    """A stage with a runner of its own, which has begun. Its log is what it says."""

    def __init__(self, stage, totals):
        self.stage, self.totals = stage, totals
        totals.progress.say("==> %s: %s" % (stage.name, stage.what))
        self.log = os.path.join(LOGS, stage.name + ".log")
        with open(self.log, "w", encoding="utf-8") as out:
            self.child = subprocess.Popen(stage.script.split(), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=subprocess.STDOUT)

    def join(self):
        """Waits for its end and counts it."""
        progress, before = self.totals.progress, self.totals.progress.stage
        progress.stage, progress.text = self.stage.name, lambda: last_line(self.log)
        self.child.wait()
        progress.stage, progress.text = before, ""
        with open(self.log, encoding="utf-8", errors="replace") as said:
            self.totals.add(self.stage.name, said.read(), self.child.returncode == 0)


def chosen(words):
    names = {stage.name for stage in STAGES}
    for word in words:
        if word not in names | {"all", "quick", "long"}:
            sys.exit("no such stage: %s; there are: %s" % (word, " ".join(sorted(names))))
    words = words or ["all"]
    return [s for s in STAGES if s.name in words or any(word in s.runs.split() for word in words)]


def main():
    dispositions.restore()
    stages = chosen(sys.argv[1:])
    os.makedirs(LOGS, exist_ok=True)
    progress = Progress()
    totals = Totals(progress)
    progress.say("==> %s: about %d minutes on two cores, less once ccache has seen the sources" % (
        ", ".join(stage.name for stage in stages), sum(stage.minutes for stage in stages)))
    spent, beside = [], None
    for stage, after in zip(stages, [*stages[1:], None]):
        begin = time.monotonic()
        progress.stage = stage.name
        if not stage.script:
            run_preset(stage, totals, beside)
            beside = None
        else:
            script = Script(stage, totals)
            if stage.beside and after and not after.script:
                beside = script
            else:
                script.join()
        spent.append("%s %.1f" % (stage.name, (time.monotonic() - begin) / 60))
        progress.say("    so far: %s" % totals)
    totals.repeat_faults()
    progress.say("==> minutes: " + ", ".join(spent))
    print(totals)
    return 1 if totals.failed else 0


if __name__ == "__main__":
    sys.exit(main())
