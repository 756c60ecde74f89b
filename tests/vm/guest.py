#!/usr/bin/env python3
"""Inside the machine: runs the tests of the job, one line of results.jsonl for each.

usage: guest.py [--prepare]

--prepare, before an init system takes over: makes the test runner a unit of it, and the service under
test with it.
"""
import json
import os
import sys

import world  # noqa: F401
from discovery import make_runner

RESULTS = "/run/results"


def read_job():
    with open(RESULTS + "/job.json", encoding="utf-8") as f:
        return json.load(f)


def main():
    if sys.argv[1:2] == ["--one"]:
        return make_runner(0).run_one(*sys.argv[2:])
    job = read_job()
    if sys.argv[1:] == ["--prepare"]:
        import booted
        booted.prepare(job)
        return 0
    runner = make_runner(job["limit"])
    with open(RESULTS + "/results.jsonl", "w", encoding="utf-8") as results:
        def tell(**what):
            results.write(json.dumps(what) + "\n")
            results.flush()

        tell(booted=True)
        for test in job["tests"]:
            tell(begin=test)
            code, seconds, output = runner.run_child([job["program"], job["lua"]], tuple(test))
            tell(test=test, code=code, seconds=seconds, output=output)
        tell(done=True)
        os.fsync(results.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
