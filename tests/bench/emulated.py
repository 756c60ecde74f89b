#!/usr/bin/env python3
"""What a packet costs on another processor, in its instructions: qemu-user says each one it carries out.

    emulated.py EMULATOR PROGRAM LUA_DIR [--packets N] [--mhz N] [--cycles N] [-j N] [ROW...]

EMULATOR is that of the processor, as qemu-mipsel-static; PROGRAM is built for it (tests/platform/cross.sh makes the
root that has both). The rows are those of instructions.py: the cost of a packet is the difference of two runs, of N
and of 2 N packets. Beside it stand the limit of x86-64, and how many packets a processor of so many megahertz that
takes so many cycles for an instruction would do in a second, were it alone: calculated, as nobody emulates its cache.

About a hundred packets are carried out in a second. Last line: "N passed, N failed, N skipped".
"""
import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
import counted_run  # noqa: E402
import instructions  # noqa: E402

ROWS = ("http-no-profile", "http-pass", "http-fake-multisplit", "http-fake-multisplit-interpreted", "quic-fake")
# One instruction at a time, and a line for each.
COUNTING = ("-singlestep", "-d", "exec,nochain", "-D")


class EmulatedRuns:
    """Runs programs under an emulator; stands where counted_run.Runs does."""

    def __init__(self, emulator):
        self.emulator = emulator

    def instructions(self, argv, _out, compiler=False):
        """Of a whole run."""
        reading, writing = os.pipe()
        command = [self.emulator, *COUNTING, "/dev/fd/%d" % writing, *counted_run.words(argv, compiler)]
        with tempfile.TemporaryFile("w+", errors="replace") as said, \
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                 pass_fds=[writing]) as running:
            os.close(writing)
            lines = count_lines(reading)
            if running.wait() != 0 or not lines:
                said.seek(0)
                raise counted_run.Failed("%s: exit code %d\n%s" % (" ".join(command), running.returncode,
                                                                   said.read()[-2000:]))
        return lines


def count_lines(descriptor):
    lines = 0
    with open(descriptor, "rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            lines += piece.count(b"\n")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("emulator")
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua_dir")
    parser.add_argument("rows", nargs="*", metavar="ROW", default=ROWS)
    parser.add_argument("--packets", type=int, default=2000)
    parser.add_argument("--mhz", type=float, default=580)
    parser.add_argument("--cycles", type=float, default=2)
    parser.add_argument("-j", dest="jobs", type=int, default=1)
    options = parser.parse_intermixed_args()
    report = cases.Report(command=cases.this_script(options.emulator, options.program, options.lua_dir))
    limits = instructions.Limits()
    with tempfile.TemporaryDirectory(prefix="nfqws2-bench-") as folder:
        bench = instructions.Bench(options.program, options.lua_dir, folder, EmulatedRuns(options.emulator),
                                   options.packets)
        counted = [row for row in instructions.rows(folder) if row.kind is not instructions.BYTES]
        chosen = cases.chosen(counted, options.rows, lambda row: row.name)
        print("| row | instructions | of x86-64's limit | packets/s |\n|---|---|---|---|")
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for row, begun in [(row, pool.submit(bench.measure, row)) for row in chosen]:
                try:
                    cost, _ = begun.result()
                except counted_run.Failed as problem:
                    report.fail(row.name, str(problem))
                    continue
                print("| %s | %.0f | %.2f | %.0f |" % (row.name, cost, cost / limits.limit(row.name),
                                                       options.mhz * 1e6 / options.cycles / cost))
                sys.stdout.flush()
                report.check(cost > 0, row.name, "a packet costs nothing")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
