#!/usr/bin/env python3
"""Throughput of several workers against one, side by side, in namespaces of its own.

    scale_bench.py PROGRAM LUA_DIR [--reps N] [--secs S] [--workers A,B] [--cases A,B]

Floods of UDP packets go to many addresses of the server, as many clients would, so that the kernel
spreads them over the queues; a flood is held back by its queue, so every worker with traffic is busy.
Each round runs all numbers of workers one after the other; shown are the medians of the rounds'
packets per second, their ratios to one worker of the same round, and the processor time per packet.
Floods, workers and the receiving side share the machine's processors: the ratio is bounded by
cores / (time of all per packet / time of the worker per packet).

cases  noprof  no profile matches
       pass    one `pass` instance for every packet
       script  an instance that computes for some twenty microseconds
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import lab as laboratory  # noqa: E402
from queue_bench import Net, QUEUE, cpu_seconds  # noqa: E402

FLOODS = 16
FLOWS = 4  # of each flood; together they must not fill a queue
PORT = "7001"
SCRIPT = ("function work(ctx, desync) local s = 0 for i = 1, 20000 do s = bitxor(s, i) end end "
          "function bitxor(a, b) return (a + b * 7) % 65536 end")
CASES = {
    "noprof": [],
    "pass": ["--in-range=a", "--payload=all", "--lua-desync=pass"],
    "script": ["--lua-init=" + SCRIPT, "--in-range=a", "--payload=all", "--lua-desync=work"],
}


class Scale:
    def __init__(self, options):
        self.options = options
        self.net = Net("scale")
        self.targets = ["10.78.0.%d" % (100 + n) for n in range(FLOODS)]
        self.net.sh("server", "for a in %s; do ip addr add $a/24 dev eth0; done"
                    % " ".join(self.targets))
        self.load = os.path.join(self.net.folder, "queue_load")
        subprocess.run([os.environ.get("CC", "cc"), "-O2", os.path.join(HERE, "queue_load.c"), "-o",
                        self.load], check=True)
        self.net.start("server", self.load, "udp-sink", PORT)
        self.libraries = laboratory.libraries(self.net.folder, options.lua_dir, "lib", "antidpi")

    def measure(self, workers, case):
        laboratory.WORKERS = workers
        net = self.net
        process = net.start("client", self.options.program, *laboratory.program_options(QUEUE),
                            *self.libraries, *CASES[case], log="subject.log")
        try:
            net.wait_for(lambda: net.queue_bound("client", QUEUE), "the queues were not bound",
                         process, 60)
            net.queue_all("client", QUEUE, ways=("out",))
            before = cpu_seconds(process.pid)[0]
            floods = [subprocess.Popen(
                net.command("client", self.load, "udp-flood", target, PORT, str(self.options.secs),
                            str(FLOWS), "64"), stdout=subprocess.PIPE, text=True,
                env=laboratory.environment()) for target in self.targets]
            said = [json.loads(flood.communicate()[0]) for flood in floods]
            after = cpu_seconds(process.pid)[0]
            packets = max(net.queue_state("client", QUEUE)[7], 1)
        finally:
            for tables in laboratory.TABLES:
                net.run("client", tables, "-t", "mangle", "-F")
            net.stop(process)
            net.processes.remove(process)
        with open(process.log) as f:
            lost = re.search(r"^(\d+) packets passed unprocessed", f.read(), re.M)
        packets = max(packets - int(lost[1] if lost else 0), 1)
        seconds = max(s["seconds"] for s in said)
        return {"rate": packets / seconds, "us": (after - before) / packets * 1e6,
                "busy": (after - before) / seconds}

    def table(self, case):
        print("\n### %s\n\n| workers | packets/s | ratio to 1 | CPU us/packet | processors used |\n"
              "|---|---|---|---|---|" % case, flush=True)
        rounds = []
        for n in range(self.options.reps):
            rounds.append({w: self.measure(w, case) for w in self.options.workers})
            print("# %s %d/%d" % (case, n + 1, self.options.reps), file=sys.stderr)
        base = self.options.workers[0]
        for w in self.options.workers:
            ratios = [r[w]["rate"] / r[base]["rate"] for r in rounds]
            print("| %d | %.0f | %.2f (%.2f-%.2f) | %.2f | %.2f |" % (
                w, statistics.median(r[w]["rate"] for r in rounds), statistics.median(ratios),
                min(ratios), max(ratios), statistics.median(r[w]["us"] for r in rounds),
                statistics.median(r[w]["busy"] for r in rounds)), flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].strip())
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua_dir", type=os.path.abspath)
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--secs", type=float, default=3)
    parser.add_argument("--workers", type=lambda t: [int(n) for n in t.split(",")],
                        default=[1, 2, 4])
    parser.add_argument("--cases", type=lambda t: t.split(","), default=list(CASES))
    options = parser.parse_args()
    reason = laboratory.why_unavailable()
    if reason:
        sys.exit(reason)
    print("%d processors, load %.1f" % (len(os.sched_getaffinity(0)), os.getloadavg()[0]))
    scale = Scale(options)
    try:
        for case in options.cases:
            scale.table(case)
    finally:
        scale.net.close()


if __name__ == "__main__":
    main()
