#!/usr/bin/env python3
"""The whole standard TLS 1.2 scan by the fast engine, and a sample of it by the classic engine.

usage: full_scan.py PROGRAM LUA_DIR [BOX] [SAMPLE] [PARALLEL_MAX]

Scans against a filtering box (drop) at level force, so that all strategies but those of the last
script are tested whatever works (box `wall`, where nothing does: all 18,612), then tests SAMPLE
(500) of them one after another with ENGINE=classic and compares. Takes some ten minutes with the
defaults, most of it for the sample. Prints the times and every difference.
"""
import os
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE] + [os.path.join(HERE, "..", folder) for folder in ("support", "lab", "e2e")]
import checks  # noqa: E402


def verdicts(result):
    """strategy -> works, of the first time it was tested."""
    found = {}
    for _, _, _, strategy, line in result.results():
        found.setdefault(strategy, line == "!!!!! AVAILABLE !!!!!")
    return found


def quoted(strategy):
    return " ".join("'%s'" % w.replace("'", "'\\''") for w in strategy.split(" "))


def scan(env, lab, **variables):
    begin = time.monotonic()
    result = env.run(lab, ENABLE_HTTP=0, timeout=86400, **variables)
    return result, time.monotonic() - begin


def main():
    program, lua = (os.path.abspath(a) for a in sys.argv[1:3])
    box, sample, *parallel = sys.argv[3:] + ["drop", "500"][len(sys.argv) - 3:]
    level = "standard" if box == "wall" else "force"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    env = checks.Environment(program, lua)
    with env.lab(box) as lab:
        more = {"PARALLEL_MAX": parallel[0]} if parallel else {}  # without: as many as the scan itself thinks fit
        whole, seconds = scan(env, lab, SCANLEVEL=level, **more)
        fast = verdicts(whole)
        tested = whole.strategies()
        print("fast engine: %d strategies, %d different ones, %d work, %d errors, %.0f s" % (
            len(tested), len(fast), sum(fast.values()), whole.text.count("\nERROR "), seconds),
            flush=True)
        with open(os.path.join(lab.folder, "whole.txt"), "w") as f:
            f.write(whole.text)
        if int(sample) == 0:
            return 0
        different = list(fast)
        chosen = different[::max(1, len(different) // int(sample))][:int(sample)]
        one, seconds = scan(env, lab, ENGINE="classic", **env.custom(
            lab, tls=[quoted(s) for s in chosen]))
        classic = verdicts(one)
        print("classic engine: %d strategies, %d work, %d errors, %.0f s" % (
            len(classic), sum(classic.values()), one.text.count("\nERROR "), seconds))
        wrong = [s for s in chosen if classic.get(s) != fast[s]]
        for strategy in wrong:
            print("classic %s, fast %s: %s" % (classic.get(strategy), fast[strategy], strategy))
        print("%d of %d different" % (len(wrong), len(chosen)))
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
