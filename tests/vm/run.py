#!/usr/bin/env python3
"""Tests in virtual machines with a distribution's kernel.

usage: run.py PROGRAM LUA_DIR [--long] [-v] [-j N] [--list] [--shell] [--accel A] [--limit S] [NAME_PART ...]

Boots a packaged Debian kernel (fetched once, see kernel.py) with qemu on the files of this machine
and runs the tests test_*.py there: the short list, with --long all, or those whose titles have one of
the parts. They share a few boots, N machines at a time (2), each with one processor: an emulated
machine gains nothing from a second one. --shell gives a shell in a machine instead. Logs of each boot
are kept beside the program, in vm/BOOT/. What the lab needs and cannot have is a failure.
Last line: "N passed, N failed, N skipped".
"""
import argparse
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import kernel as kernels  # noqa: E402
from discovery import BOOTS, boot_of, choose, cost_of, title  # noqa: E402
from machine import Machine, Unavailable, clear, kept  # noqa: E402
from world import ROOT  # noqa: E402
import cases  # noqa: E402
import dispositions  # noqa: E402

BOOT_LIMIT = 600  # seconds until the first test begins
TEST_LIMIT, LONG_LIMIT = 600, 1500  # of one test, beside other work too


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua", type=os.path.abspath)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("-j", type=int, default=2, help="machines at a time")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--shell", action="store_true")
    parser.add_argument("--accel", default="tcg")
    parser.add_argument("--limit", type=int, default=TEST_LIMIT)
    args = parser.parse_intermixed_args()
    if args.long:
        args.limit = max(args.limit, LONG_LIMIT)
    return args


class Results(cases.Report):
    """Of several machines at a time."""

    def __init__(self, args):
        super().__init__(verbose=True)
        self.outputs, self.lock = args.v, threading.Lock()
        self.script = cases.this_script(args.program, args.lua)

    def add(self, good, name, seconds, output="", work=0, test=True):
        line = "%-66s %6.1f s, %5.1f of the processor" % (name, seconds, work)
        with self.lock:
            if good:
                self.ok(line, output if self.outputs else "")
            else:
                self.fail(line, output, [*self.script, name] if test else ())


def news(path, position):
    """Whole lines behind a position of a file, and the new position."""
    if not os.path.exists(path):
        return [], position
    with open(path, "rb") as f:
        f.seek(position)
        data = f.read()
    whole = data[:data.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()], position + len(whole)


def follow(machine, process, tests, limit, count):
    """Tells results as they come. What has none at the end has failed."""
    path = os.path.join(machine.results, "results.jsonl")
    position, waiting, running = 0, {tuple(t) for t in tests}, {}
    last, silence, done, why = time.monotonic(), BOOT_LIMIT, False, "the machine ended"
    while True:
        ended = process.poll() is not None
        lines, position = news(path, position)
        for line in lines:
            last, silence = time.monotonic(), limit + 60
            done = done or "done" in line
            if "begin" in line:
                running[tuple(line["begin"])] = machine.work()
            elif "test" in line:
                test = tuple(line["test"])
                waiting.discard(test)
                begin = running.pop(test)
                count.add(line["code"] == 0, title(test), line["seconds"], line["output"],
                          machine.work() - begin)
        if ended and not lines:
            break
        if time.monotonic() - last > silence:
            why = "the machine said nothing for %d seconds" % silence
            process.kill()
            process.wait()
            break
        time.sleep(0.2)
    for test in sorted(waiting):
        state = "while it ran" if test in running else "before it began"
        count.add(False, title(test), 0, "%s %s" % (why, state))
    if waiting or not done:
        print("    The console's end:\n      " + machine.said()[-3000:].strip().replace("\n", "\n      "))
    return done


def plan(tests, machines):
    """(boot, name of the folder, tests) of the boots, in the order of their beginning. Plain machines are
    alike: each test goes to the one with the least work; one begins late, behind those of other kinds."""
    boots = [(boot, boot, [t for t in tests if boot_of(t) == boot]) for boot in BOOTS if boot != "plain"]
    hands, work = [[] for _ in range(machines)], [0] * machines
    work[-1] = sum(cost_of(t) for *_, others in boots for t in others)
    for test in (t for t in tests if boot_of(t) == "plain"):
        least = work.index(min(work))
        hands[least].append(test)
        work[least] += cost_of(test)
    boots += [("plain", "plain" + ("-%d" % (n + 1) if n else ""), hand) for n, hand in enumerate(hands)]
    return [boot for boot in boots if boot[2]]


def run_boot(kernel, boot, name, tests, args, count):
    results = os.path.join(os.path.dirname(args.program), "vm", name)
    clear(results)
    job = {"program": args.program, "lua": args.lua, "tests": tests, "limit": args.limit}
    begin = time.monotonic()
    with Machine(kernel, boot, results, job, accelerator=args.accel) as machine:
        process = machine.start(kept([ROOT, args.program, args.lua, results, kernel.folder]))
        done = follow(machine, process, tests, args.limit, count)
        complaints = machine.complaints()
    if complaints or not done:
        count.add(False, name + ": the kernel is well", 0, "\n".join(complaints[:20]), test=False)
    print("==> %s: %d tests, %.0f s with boot, %.0f of the processor; logs in %s" % (
        name, len(tests), time.monotonic() - begin, machine.worked, os.path.relpath(results)))


def run_boots(kernel, boots, args, count):
    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        jobs = [pool.submit(run_boot, kernel, *boot, args, count) for boot in boots]
        try:
            for job in jobs:
                job.result()
        except BaseException:  # also of the keyboard
            pool.shutdown(wait=False, cancel_futures=True)
            Machine.end_all()
            raise


def shell(kernel, args):
    results = os.path.join(os.path.dirname(args.program), "vm", "shell")
    clear(results)
    print("`exit` ends the machine; so does Ctrl-A X.")
    with Machine(kernel, "shell", results, {}, accelerator=args.accel) as machine:
        process = machine.start(kept([ROOT, args.program, results, kernel.folder]), interactive=True)
        # Ctrl-C is for the machine.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return process.wait()


def interrupted(number, _):
    raise KeyboardInterrupt("signal %d" % number)


def main():
    args = arguments()
    dispositions.restore()
    signal.signal(signal.SIGTERM, interrupted)  # machines end with their keeper
    count = Results(args)
    tests = choose(args.parts, args.long)
    if args.list:
        print("\n".join("%-8s %s" % (boot_of(t), title(t)) for t in tests))
        return 0
    try:
        if os.geteuid() != 0:
            count.skip("the lab", "root is needed to offer the files of this machine to another")
            return count.finish()
        if not tests and not args.shell:
            raise Unavailable("no test has such a title")
        kernel = kernels.find()
        kernels.static_busybox()  # fetched before two machines want it at the same time
        print("==> kernel %s" % kernel.release)
        if args.shell:
            return shell(kernel, args)
        run_boots(kernel, plan(tests, args.j), args, count)
    except (Unavailable, OSError, subprocess.SubprocessError) as problem:
        count.add(False, "the lab: %s" % problem, 0, test=False)
    return count.finish()


if __name__ == "__main__":
    sys.exit(main())
