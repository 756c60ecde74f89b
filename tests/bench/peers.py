#!/usr/bin/env python3
"""What handling a queue costs, beside the programs that somebody would take instead. In namespaces of its own.

    peers.py PROGRAM LUA_DIR [--reps N] [--secs S] [--loads A,B] [--no-pin]

REF_NFQWS2      the nfqws2 of zapret2; its script libraries are in REF_NFQWS2_LUA, by default those of LUA_DIR
YOUTUBEUNBLOCK  youtubeUnblock; it knows no profiles, so it takes part where nothing is to be done, with
                YOUTUBEUNBLOCK_OPTIONS ({queue} is the number of the queue)

Those that are not set are left out; nothing is downloaded. Loads and cases are those of queue_bench.py. Runs alternate,
ours and the others', and what is shown is the median of the ratios of neighbours: above 1 is worse than ours.
"""
import argparse
import os
import shlex
import signal
import sys

import queue_bench
from queue_bench import QUEUE, Bench, median, words

# Load -> its cases, what is compared, and how a run tells it.
FIGURES = {
    "udp": (("noprof", "pass"), "CPU us per packet", queue_bench.cost_per_packet),
    "http": (("noprof", "pass", "typical"), "CPU us per connection", queue_bench.cost_per_connection),
    "tcp": (("noprof", "pass"), "CPU seconds per gigabyte", lambda run: run["cpu"] / run["bytes"] * 1e9),
    "latency": (("noprof", "pass"), "median of a round trip, us", lambda run: run["median_us"]),
}
UNBLOCK = "--queue-num={queue} --silent --sni-domains=nothing.invalid"


def absolute(name):
    """The program that a variable of the environment names, if it is set."""
    path = os.environ.get(name)
    if path and not os.access(path, os.X_OK):
        sys.exit("%s=%s cannot be run" % (name, path))
    return path and os.path.abspath(path)


class Peers(Bench):
    def __init__(self, options):
        self.programs = {"ours": options.program}
        self.programs.update({name: path for name, path in (("nfqws2 of zapret2", absolute("REF_NFQWS2")),
                                                            ("youtubeUnblock", absolute("YOUTUBEUNBLOCK"))) if path})
        if len(self.programs) == 1:
            sys.exit("nobody to compare with: set REF_NFQWS2 or YOUTUBEUNBLOCK")
        super().__init__(options)

    def takes_part(self, name, case):
        return name != "youtubeUnblock" or case == "noprof"

    def subject(self, name, case):
        if name == "youtubeUnblock":
            text = os.environ.get("YOUTUBEUNBLOCK_OPTIONS", UNBLOCK)
            return [self.programs[name], *shlex.split(text.format(queue=QUEUE))]
        folder = self.options.lua_dir if name == "ours" else os.environ.get("REF_NFQWS2_LUA", self.options.lua_dir)
        return self.command(self.programs[name], folder, case)

    def row(self, load, case):
        _, what, figure = FIGURES[load]
        names = [name for name in self.programs if self.takes_part(name, case)]
        runs = {name: [] for name in names}
        for n in range(self.options.reps):
            for name in names if n % 2 == 0 else reversed(names):
                runs[name].append(figure(self.measure(load, name, case)))
        cells = []
        for name in list(self.programs)[1:]:
            ratios = [theirs / ours for theirs, ours in zip(runs.get(name, []), runs["ours"])]
            cells.append("%.2f (%.2f-%.2f)" % (median(ratios), min(ratios), max(ratios)) if ratios else "")
        return "| %s, %s | %s | %.2f | %s |" % (load, case, what, median(runs["ours"]), " | ".join(cells))

    def table(self):
        others = list(self.programs)[1:]
        print("| load, case | measured | ours | %s |" % " | ".join(others))
        print("|---" * (3 + len(others)) + "|", flush=True)
        for load in self.options.loads:
            for case in FIGURES[load][0]:
                print(self.row(load, case), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua_dir")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--secs", type=float, default=2)
    parser.add_argument("--loads", type=words(FIGURES), default=list(FIGURES))
    parser.add_argument("--no-pin", dest="pin", action="store_false")
    options = parser.parse_args()
    reason = queue_bench.why_unavailable()
    if reason:
        sys.exit(reason)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the namespaces are removed at exit
    peers = Peers(options)
    with peers.net:
        print("%d repetitions of %g s, medians (smallest-largest); load %.1f\n" % (
            options.reps, options.secs, os.getloadavg()[0]))
        peers.table()


if __name__ == "__main__":
    main()
