#!/usr/bin/env python3
"""How soon blockcheck2 knows something that works: seconds and tries, for each kind of box.

usage: first_answer.py PROGRAM LUA_DIR [LEVEL] [TREE]

Runs the scripts of TREE (this one) at LEVEL (quick) against each box until the first strategy is found, and
prints a row of a table for each: seconds from the line "preparing", and strategies that were tried by then.
"""
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE] + [os.path.join(HERE, "..", folder) for folder in ("support", "lab", "e2e")]
import checks  # noqa: E402

BOXES = ("rst", "drop", "stall", "redirect", "first", "stream", "far", "careful", "careful-strict", "careful-far")
PATIENCE = 300


def run(env, lab, box, level):
    """(seconds, tries) or (None, tries)."""
    settings = {"SCANLEVEL": level, "ENABLE_HTTP": int(box == "redirect"),
                "ENABLE_HTTPS_TLS12": int(box != "redirect")}
    if box == "stall":
        settings.update(DOMAINS="blocked.test/big.bin", CURL_HTTPS_GET=1)
    environment = checks.laboratory.environment()
    environment.update(env.settings(lab, **settings))
    process = subprocess.Popen(lab.hosted("sh", env.script(lab)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, env=environment, stdin=subprocess.DEVNULL)
    begin, tries = None, 0
    try:
        for line in process.stdout:
            tries += bool(checks.STRATEGY.match(line))
            if line.startswith("preparing"):
                begin = time.monotonic()
            elif begin and line.startswith(("!!!!! AVAILABLE", "found so far")):
                return time.monotonic() - begin, tries
            elif begin and time.monotonic() - begin > PATIENCE:
                return None, tries
        return None, tries
    finally:
        process.terminate()
        process.stdout.read()
        process.wait()


def main():
    program, lua = (os.path.abspath(a) for a in sys.argv[1:3])
    level = sys.argv[3] if len(sys.argv) > 3 else "quick"
    checks.ROOT = os.path.abspath(sys.argv[4]) if len(sys.argv) > 4 else checks.ROOT
    env = checks.Environment(program, lua)
    print("| box | seconds | tries |\n|---|---|---|", flush=True)
    for box in BOXES:
        with env.lab(box) as lab:
            seconds, tries = run(env, lab, box, level)
        told = "%.1f" % seconds if seconds is not None else "none in %d" % PATIENCE
        print("| %s | %s | %d |" % (box, told, tries), flush=True)


if __name__ == "__main__":
    main()
