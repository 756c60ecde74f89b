#!/usr/bin/env python3
"""What the control socket costs, in instructions of the program, in namespaces of its own.

    control_bench.py PROGRAM LUA_DIR [--packets N]

valgrind counts the instructions of a program that reads a real queue; time would tell nothing, because
these costs are far below the noise of any machine. Each case gets the same packets, N of them in 10,000
flows, which no profile wants: where a packet costs least the rest shows most, and no engine of Lua with
its collector varies.

closed   no --control
open     --control, and nobody asks
polled   a client asks for `counters` 100 times; the cost of one answer is set against the packets of a
         second at RATE packets/s
traced   a client traces one address that no packet has

Last column: the share of the program's own instructions; those of the kernel, which are several times as
many (queue_bench.py: share of user time), are not counted.
"""
import argparse
import json
import os
import re
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "e2e")]
from control_client import Client  # noqa: E402
from lab import libraries, why_unavailable  # noqa: E402
from queue_bench import Net, QUEUE, SERVER  # noqa: E402

FLOWS, POLLS, RATE = 10000, 100, 100000
PATIENCE = 600  # valgrind is slow
OPTIONS = ("--qnum=%d" % QUEUE, "--filter-tcp=1", "--payload=all", "--lua-desync=pass")


class Counted:
    """The program under valgrind; `instructions` is there after it has ended."""

    def __init__(self, net, program, lua, control):
        self.net, self.instructions = net, 0
        self.path = os.path.join(net.folder, "control.sock")
        self.counts = os.path.join(net.folder, "callgrind.out")
        argv = ["setarch", "-R", "valgrind", "--tool=callgrind", "--callgrind-out-file=" + self.counts, program]
        # What makes counts differ from run to run is off.
        self.process = net.start("client", *argv, *OPTIONS, *lua, "--lua-init=if jit then jit.off() end",
                                 "--lua-call-limit=0", "--user=root", "--sandbox=off",
                                 *(["--control=" + self.path] if control else []), log="counted.log")

    def __enter__(self):
        self.net.wait_for(lambda: self.net.queue_bound("client", QUEUE), "the queue was not bound", self.process,
                          PATIENCE)
        self.net.queue_all("client", QUEUE, ways=("out",))
        return self

    def __exit__(self, *_):
        self.net.run("client", "iptables", "-t", "mangle", "-F")
        self.net.run("client", "ip6tables", "-t", "mangle", "-F")
        self.net.stop(self.process, timeout=PATIENCE)
        self.net.processes.remove(self.process)
        with open(self.counts, encoding="ascii") as f:
            self.instructions = int(re.search(r"(?m)^(?:summary|totals): (\d+)", f.read())[1])

    def send(self, packets):
        """The queue holds the sender back. Returns when all have been judged."""
        before = self.net.queue_state("client", QUEUE)[7]
        with self.net.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as out:
            for n in range(packets):
                out.sendto(b"x" * 64, (SERVER, 10000 + n % FLOWS))
        self.net.wait_for(lambda: self.net.queue_state("client", QUEUE)[2] == 0 and
                          self.net.queue_state("client", QUEUE)[7] >= before + packets,
                          "not all packets were judged", self.process, PATIENCE)


def measure(net, options, packets, case="closed"):
    with Counted(net, options.program, options.libraries, case != "closed") as counted:
        if case == "polled":
            with Client(counted.path, PATIENCE) as client:
                for _ in range(POLLS):
                    assert "end" in client.ask("counters")[-1]
        if case == "traced":
            with Client(counted.path, PATIENCE) as client:
                client.send(json.dumps({"cmd": "trace", "address": "192.0.2.1"}))
                counted.send(packets)
        else:
            counted.send(packets)
    return counted.instructions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua_dir")
    parser.add_argument("--packets", type=int, default=40000)
    options = parser.parse_args()
    reason = why_unavailable()
    if reason:
        sys.exit(reason)
    subprocess.run(["valgrind", "--version"], check=True, capture_output=True)
    with Net("control") as net:
        options.libraries = libraries(net.folder, options.lua_dir, "lib")
        table(net, options)


def table(net, options):
    few, many = FLOWS, FLOWS + options.packets
    print("| case | instructions/packet | against closed |\n|---|---|---|")
    costs = {}
    for case in ("closed", "open", "traced"):
        # The difference of two runs: start, end and the making of flows are in both.
        costs[case] = (measure(net, options, many, case) - measure(net, options, few, case)) / options.packets
        print("| %s | %.1f | %+.2f %% |" % (case, costs[case], 100 * (costs[case] / costs["closed"] - 1)), flush=True)
    answer = (measure(net, options, few, "polled") - measure(net, options, few, "open")) / POLLS
    print("| polled | %.0f instructions an answer, one a second | %+.3f %% |"
          % (answer, 100 * answer / RATE / costs["closed"]))


if __name__ == "__main__":
    main()
