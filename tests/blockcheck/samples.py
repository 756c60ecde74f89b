#!/usr/bin/env python3
"""Whether the fast engine says what the classic one says: a sample of all standard strategies for TLS 1.2.

usage: samples.py PROGRAM LUA_DIR [BOX] [COUNT] [FIRST]

Takes COUNT (500) of the 18,612 strategies, from everywhere, beginning with number FIRST (0), and tests each of them
against BOX (first) with both engines. Prints every difference, then a line with the counts; differences are looked at
again, by both engines three times each, since a machine that does not keep up makes some.
"""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE] + [os.path.join(HERE, "..", folder) for folder in ("support", "lab", "e2e")]
import checks  # noqa: E402

TIMES = 3


def quoted(strategy):
    """As a line of a list: printed words have blanks between them only."""
    return " ".join("'%s'" % word.replace("'", "'\\''") for word in strategy.split(" "))


def verdicts(env, lab, strategies, **variables):
    """strategy -> the line of its result, and the seconds that it took."""
    begin = time.monotonic()
    done = env.run(lab, ENABLE_HTTP=0, SCANLEVEL="force", CURL_MAX_TIME=5, timeout=86400,
                   **env.custom(lab, tls=[quoted(s) for s in strategies]), **variables)
    return {strategy: line for *_, strategy, line in done.results()}, time.monotonic() - begin


def works(line):
    return line == "!!!!! AVAILABLE !!!!!"


def main():
    program, lua = (os.path.abspath(word) for word in sys.argv[1:3])
    box, count, first = (sys.argv[3:] + ["first", "500", "0"][len(sys.argv) - 3:])[:3]
    env = checks.Environment(program, lua)
    with env.lab(box) as lab:
        simulated = env.run(lab, SIMULATE=1, SIM_SUCCESS_RATE=0, ENABLE_HTTP=0, timeout=3600)
        every = list(dict.fromkeys(simulated.strategies()))
        chosen = every[int(first)::max(1, len(every) // int(count))][:int(count)]
        fast, fast_seconds = verdicts(env, lab, chosen, PARALLEL_MAX=64)
        classic, classic_seconds = verdicts(env, lab, chosen, ENGINE="classic")
        different = [s for s in chosen if works(fast.get(s, "")) != works(classic.get(s, ""))]
        for strategy in different:
            print("fast %s, classic %s: %s" % (fast.get(strategy), classic.get(strategy), strategy))
        print("%d strategies of %d: %d work, %d different; fast %.0f s, classic %.0f s" % (
            len(chosen), len(every), sum(map(works, classic.values())), len(different), fast_seconds,
            classic_seconds), flush=True)
        remaining = 0
        for strategy in different:
            seen = {engine: [works(verdicts(env, lab, [strategy], ENGINE=engine)[0].get(strategy, ""))
                             for _ in range(TIMES)] for engine in ("fast", "classic")}
            print("again: %s: %s" % (seen, strategy))
            remaining += seen["fast"] != seen["classic"]
        return 1 if remaining else 0


if __name__ == "__main__":
    sys.exit(main())
