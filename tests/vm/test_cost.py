"""What a connection told by the queue costs, where the kernel tells it."""
import os
import re
import subprocess
import sys

from world import ROOT, check, long

COST = 60
MOST_MORE = 0.5  # of the floor's cost of a packet; the goal is 0.10, on a machine that is quiet


@long
def test_filter_by_state(env):
    """A filter by the state of the connection on every packet, beside no filter; both with their own floor."""
    words = [sys.executable, os.path.join(ROOT, "tests/bench/queue_bench.py"), env.program, env.lua, "--loads=udp",
             "--cases=noprof,ct-queue", "--reps=5", "--secs=2"]
    text = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(text)
    ratios = {case: float(ratio) for case, ratio in re.findall(r"^\| (noprof|ct-queue) \|.*?\| .*?\| ([\d.]+) \(", text,
                                                               re.M)}
    more = ratios["ct-queue"] - ratios["noprof"]
    check(more < MOST_MORE, "%.2f of the floor's cost more, %.2f is the limit", more, MOST_MORE)
