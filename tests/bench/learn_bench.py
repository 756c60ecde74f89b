#!/usr/bin/env python3
"""What learning costs (learn_bench.lua): a store's get and set, a packet through `learn` against `circular`.

usage: learn_bench.py PROGRAM LUA_DIR"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    program, lua = sys.argv[1:]
    scripts = ["--lua-init=@%s/zapret-%s.lua" % (os.path.abspath(lua), name) for name in ("lib", "auto", "learn")]
    done = subprocess.run([program, "--intercept=0", *scripts, "--lua-init=@" + os.path.join(HERE, "learn_bench.lua")],
                          capture_output=True, text=True, timeout=600, check=True, stdin=subprocess.DEVNULL)
    us = {name: float(value) for name, value in re.findall(r"^(\w+)=([\d.]+)$", done.stdout, re.M)}
    print("get %.2f us, set %.2f us (4 fields)" % (us["get"], us["set"]))
    times = us["learn"] / us["circular"]
    print("a packet: circular %.2f us, learn %.2f us: %.2f times" % (us["circular"], us["learn"], times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
