#!/usr/bin/env python3
"""Cost of the queue path among a million flows: nfqws2 against the floor, in namespaces of its own.

    flows_bench.py PROGRAM LUA_DIR [--flows N] [--reps N] [--cases A,B] [--baseline PROGRAM]

UDP datagrams to N pairs of address and port, all new to the program, then the same ones again. Shown
are run time per packet in both passes as ratio to the floor, and memory per flow; the cases are those
of queue_bench.py. Goals: docs/contracts/goals.md#flows.
"""
import argparse
import os
import signal
import sys

from queue_bench import (PROFILES, QUEUE, SERVER, Bench, cpu_seconds, median, pinned,
                         why_unavailable, words)

NETWORK, FIRST, PORTS = "10.79.0.0/16", "10.79.0.1", 10000
CASES = ("noprof", "pass")
GOALS = {"new": 1.4, "known": 1.3}


def resident_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


class FlowsBench(Bench):
    def __init__(self, options):
        super().__init__(options)
        self.net.sh("client", "ip route add %s via %s" % (NETWORK, SERVER))
        # Nobody answers there: the client's replies would only add noise.
        self.net.sh("server", "iptables -t raw -A PREROUTING -d %s -j DROP" % NETWORK)

    def pass_once(self, process):
        before, seen = cpu_seconds(process.pid)[0], self.net.queue_state("client", QUEUE)[7]
        argv = [self.load, "udp-flows", FIRST, str(max(self.options.flows // PORTS, 1)),
                str(min(self.options.flows, PORTS))]
        self.net.run("client", *pinned(self.load_cpu, argv), timeout=600)
        self.net.wait_for(lambda: self.net.queue_state("client", QUEUE)[2] == 0,
                          "packets stay in the queue", process, 60)
        packets = self.net.queue_state("client", QUEUE)[7] - seen
        return (cpu_seconds(process.pid)[0] - before) / packets * 1e6

    def measure(self, name, case):
        process = self.net.start("client", *pinned(self.queue_cpu, self.subject(name, case)),
                                 log="subject.log")
        try:
            self.net.wait_for(lambda: self.net.queue_bound("client", QUEUE),
                              "the queue was not bound", process, 60)
            self.net.queue_all("client", QUEUE, ways=("out",))
            idle = resident_kb(process.pid)
            new = self.pass_once(process)
            known = self.pass_once(process)
            used = (resident_kb(process.pid) - idle) * 1024 / self.options.flows
            lost = self.lost("client", self.net.queue_state("client", QUEUE)[1])
        finally:
            self.net.run("client", "iptables", "-t", "mangle", "-F")
            self.net.run("client", "ip6tables", "-t", "mangle", "-F")
            self.net.stop(process)
            self.net.processes.remove(process)
        return {"new": new, "known": known, "bytes": used, "lost": lost}

    def show(self, case):
        names = ["floor", "program"] + ["baseline"] * bool(self.options.baseline)
        runs = {name: [] for name in names}
        for n in range(self.options.reps):
            for name in names:
                runs[name].append(self.measure(name, case))
            print("# %s %d/%d" % (case, n + 1, self.options.reps), file=sys.stderr)
        for name in names:
            row = [case if name == "program" else "%s, %s" % (case, name)]
            for which, goal in GOALS.items():
                ratios = [a[which] / b[which] for a, b in zip(runs[name], runs["floor"])]
                row += ["%.2f" % median([run[which] for run in runs[name]]),
                        "%.2f (%.2f-%.2f)" % (median(ratios), min(ratios), max(ratios)),
                        str(goal) if case == "noprof" and name == "program" else ""]
            row += ["%.0f" % median([run["bytes"] for run in runs[name]]),
                    "%d" % sum(run["lost"] for run in runs[name])]
            print("| %s |" % " | ".join(row), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("lua_dir")
    parser.add_argument("--flows", type=int, default=1_000_000)
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--cases", type=words(PROFILES), default=list(CASES))
    parser.add_argument("--baseline", metavar="PROGRAM")
    parser.add_argument("--baseline-lua", metavar="DIR")
    parser.add_argument("--no-pin", dest="pin", action="store_false")
    options = parser.parse_args()
    reason = why_unavailable()
    if reason:
        sys.exit(reason)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bench = FlowsBench(options)
    with bench.net:
        print("%d flows, %d repetitions, medians (smallest-largest); load %.1f\n\n"
              "| case | new: CPU us/packet | ratio to the floor | goal | known: CPU us/packet | "
              "ratio to the floor | goal | bytes/flow | lost |\n|---|---|---|---|---|---|---|---|---|"
              % (options.flows, options.reps, os.getloadavg()[0]))
        for case in options.cases:
            bench.show(case)


if __name__ == "__main__":
    main()
