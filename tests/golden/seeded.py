#!/usr/bin/env python3
"""One seed, one result: replays the golden captures whose output has random parts with --seed=1 and
compares everything that comes out, those parts too, with what is recorded.

usage: seeded.py PROGRAM LUA_DIR [--record] [NAME_PART ...]

The record, tests/data/golden-seeded.txt, holds for every processor and Lua engine: a line for each
scenario with a digest of its packets. --record writes it; do so only if scripts or the generator
were changed on purpose. Last line: "N passed, N failed, N skipped".
"""
import argparse
import hashlib
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
import cases  # noqa: E402
import run  # noqa: E402

RECORD = os.path.join(HERE, "..", "data", "golden-seeded.txt")


def digest(program, lua_dir, name):
    folder = os.path.join(run.DATA, name)
    _, args = run.scenario(folder)
    with tempfile.TemporaryDirectory() as work:
        result, out, _ = run.replay(program, lua_dir, folder, ["--seed=1"] + args, work)
        if result.returncode not in (0, 3):
            raise RuntimeError("%s: exit code %d: %s" % (name, result.returncode, result.stderr))
        summary = hashlib.sha256()
        for _, packet in run.read_pcap(out):
            summary.update(len(packet).to_bytes(4, "big") + packet)
        return summary.hexdigest()[:32]


def has_random_parts(name):
    meta, _ = run.scenario(os.path.join(run.DATA, name))
    return bool(meta["random"])


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua", type=os.path.abspath)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_intermixed_args()
    names = sorted(n for n in os.listdir(run.DATA) if os.path.isdir(os.path.join(run.DATA, n)))
    names = [n for n in names if n not in run.LIVE_ONLY and has_random_parts(n)]
    if args.record:
        lines = ["%s %s\n" % (n, digest(args.program, args.lua, n)) for n in names]
        with open(RECORD, "w", encoding="ascii") as f:
            f.writelines(lines)
        return 0
    with open(RECORD, encoding="ascii") as f:
        recorded = dict(line.split() for line in f)

    def judge(name):
        try:
            got = digest(args.program, args.lua, name)
        except RuntimeError as problem:
            return str(problem)
        return None if got == recorded.get(name) else "recorded %s, got %s" % (
            recorded.get(name), got)

    report = cases.Report(command=cases.this_script(args.program, args.lua))
    if not args.parts:
        report.check(set(names) == set(recorded), "the record",
                     "it does not name the scenarios with random parts: record it anew")
    cases.run_all(report, cases.chosen(names, args.parts), judge, jobs=2)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
