#!/usr/bin/env python3
"""Reload under as many short connections as this machine makes, in namespaces of its own.

    reload_bench.py PROGRAM LUA_DIR [--secs S] [--pause S]

The options change between two sets again and again while connections come and go; instances of one packet
that belong to two sets say so. Printed: connections/s without and with reloads, reloads and their longest
time, failed connections, mixed packets. Exit code 1 if one failed or was mixed.
"""
import argparse
import json
import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "e2e")]
from control_client import ask  # noqa: E402
from lab import libraries, why_unavailable  # noqa: E402
from queue_bench import Net, PORTS, QUEUE, SERVER  # noqa: E402

SCRIPT = """
function first(ctx, desync) desync.met = desync.arg.set end
function second(ctx, desync) if desync.met ~= desync.arg.set then DLOG_ERR("MIXTURE") end end
"""
PORT = str(PORTS["http-server"])


class Reloads:
    """A daemon whose options are written anew and read again, until stopped."""

    def __init__(self, net, program, lua, pause):
        self.net, self.pause = net, pause
        self.options, self.socket = (os.path.join(net.folder, name) for name in ("options.conf", "control.sock"))
        with open(os.path.join(net.folder, "two.lua"), "w", encoding="ascii") as f:
            f.write(SCRIPT)
        os.chmod(net.folder, 0o755)
        self.fixed = ["--qnum=%d" % QUEUE, "--control=" + self.socket, *lua, "--lua-init=@%s/two.lua" % net.folder]
        self.write("a")
        self.daemon = net.start("client", program, "@" + self.options, log="reload.log")
        net.wait_for(lambda: net.queue_bound("client", QUEUE), "the queue was not bound", self.daemon)
        net.queue_all("client", QUEUE)
        self.times, self.refused, self.over = [], [], threading.Event()
        self.thread = threading.Thread(target=self.work)

    def write(self, name):
        words = self.fixed + ["--filter-tcp=" + PORT, "--in-range=a", "--payload=all",
                              *("--lua-desync=%s:set=%s" % (function, name) for function in ("first", "second"))]
        with open(self.options + ".new", "w", encoding="ascii") as f:
            f.writelines("'%s'\n" % word for word in words)
        os.rename(self.options + ".new", self.options)

    def work(self):
        while not self.over.wait(self.pause):
            self.write("ab"[len(self.times) % 2 == 0])
            begin = time.monotonic()
            last = ask(self.socket, "reload")[-1]
            self.times.append(time.monotonic() - begin)
            if last.get("reloaded") is not True:
                self.refused.append(last)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def mixed(self):
        with open(os.path.join(self.net.folder, "reload.log"), encoding="utf-8", errors="replace") as f:
            return f.read().count("MIXTURE")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua_dir")
    parser.add_argument("--secs", type=float, default=10)
    parser.add_argument("--pause", type=float, default=0.2)
    options = parser.parse_args()
    reason = why_unavailable()
    if reason:
        sys.exit(reason)
    with Net("reload") as net:
        load = os.path.join(net.folder, "queue_load")
        subprocess.run([os.environ.get("CC", "cc"), "-O2", os.path.join(HERE, "queue_load.c"), "-o", load], check=True)
        net.start("server", load, "http-server", PORT)
        daemon = Reloads(net, options.program, libraries(net.folder, options.lua_dir, "lib", "antidpi"), options.pause)

        def connections():
            return json.loads(net.run("client", load, "http", SERVER, PORT, str(options.secs), "64",
                                      timeout=options.secs * 10 + 60).stdout)
        alone = connections()
        with daemon:
            beside = connections()
        net.stop(daemon.daemon)
        failed, mixed = alone["failed"] + beside["failed"], daemon.mixed()
        print("%.0f connections/s, with reloads %.0f; %d reloads, longest %.0f ms, refused %s; failed %d, mixed %d" % (
            alone["count"] / alone["seconds"], beside["count"] / beside["seconds"], len(daemon.times),
            1000 * max(daemon.times), daemon.refused, failed, mixed))
    sys.exit(1 if failed or mixed or daemon.refused else 0)


if __name__ == "__main__":
    main()
