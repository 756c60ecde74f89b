#!/usr/bin/env python3
"""How soon `learn` finds what works, against `circular`, in a world without a network (world.lua).

usage: world.py PROGRAM LUA_DIR [--seeds=N] [-v]

Boxes of 4 kinds, each falls for 3 of 20 strategies, 300 hosts in 3 groups, pages of 6 connections at once, of which
2 % are lost. Sums and means of all seeds are held against what is asked for. Last line: "N passed, N failed, N
skipped".
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402

GROUPS = "# suffix [name]\n.group1.example\ngroup2.example two\ngroup3.example\n"
DAY = 86400


class World:
    def __init__(self, program, lua, folder):
        self.program, self.lua, self.folder = program, lua, folder
        self.groups = os.path.join(folder, "groups.txt")
        with open(self.groups, "w", encoding="ascii") as file:
            file.write(GROUPS)
        os.chmod(folder, 0o755)

    def run(self, orchestrator, arguments, seed, *options, phase="", begin=1800000000):
        """What the world has measured: name -> number."""
        scripts = ["--lua-init=@%s/zapret-%s.lua" % (self.lua, name) for name in ("lib", "auto", "learn")]
        arguments = ",".join("%s='%s'" % item for item in arguments.items())
        world = "WORLD={orchestrator='%s',arguments={%s},seed=%d,phase='%s',begin=%d}" % (
            orchestrator, arguments, seed, phase, begin)
        result = subprocess.run(
            [self.program, "--intercept=0", *options, *scripts, "--lua-init=" + world,
             "--lua-init=@" + os.path.join(HERE, "world.lua")],
            capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL)
        if result.returncode != 0:
            raise RuntimeError("exit code %d: %s%s" % (result.returncode, result.stdout[-1000:], result.stderr[-1000:]))
        return {name: float(value) for name, value in re.findall(r"^(\w+)=([-+.\de]+)$", result.stdout, re.M)}


def measure(world, orchestrator, arguments, seed, keeps):
    state = ["--state-dir=" + os.path.join(world.folder, "state-%s-%d" % (orchestrator, seed))] if keeps else []
    found = world.run(orchestrator, arguments, seed, *state)
    later = world.run(orchestrator, arguments, seed, *state, phase="restarted", begin=1800000000 + 10 * DAY)
    return {**found, **later}


def measure_all(world, orchestrator, arguments, seeds, keeps=False):
    """name -> values of all seeds."""
    found = [measure(world, orchestrator, arguments, seed, keeps) for seed in seeds]
    return {name: [one[name] for one in found] for name in found[0]}


def mean(values):
    return sum(values) / len(values)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua", type=os.path.abspath)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("-v", "--verbose", action="store_true")
    args = parser.parse_args()
    report = cases.Report(args.verbose)
    seeds = range(1, args.seeds + 1)
    with tempfile.TemporaryDirectory(prefix="nfqws2-world-") as folder:
        world = World(args.program, args.lua, folder)
        learn = measure_all(world, "learn", {"key": "world", "groups": world.groups}, seeds, keeps=True)
        alone = measure_all(world, "learn", {"key": "alone"}, seeds)
        circular = measure_all(world, "circular", {"key": "world"}, seeds)
    for title, found in (("learn", learn), ("learn, no groups", alone), ("circular", circular)):
        print("%-17s" % title, "  ".join("%s %.2f" % (name, mean(found[name])) for name in sorted(found)))

    def at_most(title, value, limit):
        report.check(value <= limit, "%s: at most %g" % (title, limit), "it is %g" % value)

    at_most("failed pages of a new host", mean(learn["new"]), 0.5)
    at_most("changes of a host that works, all seeds", sum(learn["changes"]), 2)
    at_most("failed pages of known hosts after a restart", max(learn["restarted"]), 0)
    at_most("failed pages after the box has changed", mean(learn["changed"]), 4)
    report.check(mean(circular["new"]) > mean(learn["new"]) and mean(circular["first"]) > mean(learn["first"]),
                 "circular needs more pages for a new host", str(circular))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
