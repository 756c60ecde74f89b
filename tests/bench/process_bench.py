#!/usr/bin/env python3
"""The process itself: memory when idle, time from start to ready, size of the program.

    process_bench.py PROGRAM LUA_DIR [--reps N]

"Ready" is the message to NOTIFY_SOCKET: the queue is bound and all scripts have run. Needs root.
Goals: docs/contracts/goals.md#process (6 MB, 25 ms, 900 kB).
"""
import argparse
import os
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import stripped  # noqa: E402
from lab import Lab, environment, why_unavailable  # noqa: E402

QUEUE = 200
LIBRARIES = {
    "none": [],
    "lib, antidpi": ["lib", "antidpi"],
    "all": ["lib", "antidpi", "auto", "obfs", "pcap"],
}


class Host(Lab):
    """One namespace without any network."""

    def _make_network(self):
        subprocess.run(["ip", "netns", "add", self.ns("host")], check=True, env=environment(),
                       capture_output=True)
        self.namespaces.append(self.ns("host"))


def status_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        pairs = [line.split(":") for line in f]
    return {key: int(value.split()[0]) for key, value in pairs if key in ("VmRSS", "RssAnon")}


def run_once(host, program, arguments):
    """Milliseconds until ready, memory a moment later."""
    path = os.path.join(host.folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(path)
        os.chmod(path, 0o777)
        ready.settimeout(10)
        os.environ["NOTIFY_SOCKET"] = path
        try:
            with host.inside("host"):
                start = time.monotonic()
                process = subprocess.Popen([program, "--qnum=%d" % QUEUE, *arguments],
                                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                try:
                    ready.recv(100)
                    elapsed = (time.monotonic() - start) * 1000
                    time.sleep(0.1)
                    memory = status_kb(process.pid)
                except socket.timeout:
                    process.kill()
                    sys.exit("the program did not become ready: " +
                             process.stderr.read().decode(errors="replace"))
                finally:
                    process.terminate()
                    process.wait()
                    process.stderr.close()
        finally:
            del os.environ["NOTIFY_SOCKET"]
            os.unlink(path)
    return elapsed, memory["VmRSS"], memory["RssAnon"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("lua_dir")
    parser.add_argument("--reps", type=int, default=10)
    options = parser.parse_args()
    reason = why_unavailable()
    if reason:
        sys.exit(reason)
    program = os.path.abspath(options.program)
    with Host("process") as host:
        print("| script libraries | ready after ms, median (largest) | resident kB | "
              "of which anonymous |\n|---|---|---|---|")
        for label, names in LIBRARIES.items():
            arguments = host.libraries(os.path.abspath(options.lua_dir), *names)
            runs = [run_once(host, program, arguments) for _ in range(options.reps)]
            times, resident, anonymous = zip(*runs)
            print("| %s | %.1f (%.1f) | %d | %d |" % (
                label, statistics.median(times), max(times), statistics.median(resident),
                statistics.median(anonymous)))
        print("\nstripped program: %d bytes" % stripped.size_of(program))


if __name__ == "__main__":
    main()
