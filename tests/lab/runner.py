"""Runs the functions test_* of the files test_*.py of a folder, each in a process and a lab of its
own, several at a time, with a limit of time; finds and removes what a test left behind."""
import argparse
import concurrent.futures
import glob
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import lab as laboratory

SKIPPED = 77  # exit code of a child


def title(test):
    name, function, case = test
    return "%s.%s%s" % (name[5:], function[5:], "[%s]" % case if case else "")


def argument_parser(text, jobs):
    """What all runners take; `text` has a line "usage: ..."."""
    parser = argparse.ArgumentParser(usage=text.split("usage: ")[1].split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua", type=os.path.abspath)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("-j", type=int, default=jobs)
    return parser


class Runner:
    """`script` is the runner that was started; started with `--one` it is the child of a test.
    `environment` is what makes a test's argument, `prefix` the start of its labs' names, and
    `limit` the seconds for one test. Of the exceptions, `failure` is told without a traceback."""

    def __init__(self, script, environment, prefix, limit, tools, failure, skip=()):
        self.script = os.path.abspath(script)
        self.folder = os.path.dirname(self.script)
        self.environment, self.prefix, self.limit = environment, prefix, limit
        self.tools, self.failure, self.skip = tools, failure, skip

    def discover(self):
        """(file, function, case or "") of all tests, in order, and those that need no root."""
        found, free = [], set()
        for path in sorted(glob.glob(os.path.join(self.folder, "test_*.py"))):
            name = os.path.basename(path)[:-3]
            module = importlib.import_module(name)
            functions = [f for n, f in vars(module).items()
                         if n.startswith("test_") and f.__module__ == name]
            for function in sorted(functions, key=lambda f: f.__code__.co_firstlineno):
                for case in getattr(function, "cases", {"": ()}):
                    found.append((name, function.__name__, case))
                    if getattr(function, "without_root", False):
                        free.add(found[-1])
        return found, free

    def why_impossible(self):
        path = laboratory.environment()["PATH"]
        for tool in self.tools:
            if shutil.which(tool, path=path) is None:
                return "the tool `%s` is not installed" % tool
        return laboratory.why_unavailable()

    def run_one(self, program, lua, name, function, case):
        """The child: runs one test in this process; the exit code."""
        test = getattr(importlib.import_module(name), function)
        try:
            test(self.environment(program, lua), *(test.cases[case] if case else ()))
        except self.skip as reason:
            print(reason)
            return SKIPPED
        except self.failure as failure:
            print(failure)
            place = traceback.extract_tb(failure.__traceback__)
            print("at " + " < ".join("%s:%d" % (os.path.basename(f.filename), f.lineno)
                                     for f in reversed(place[1:])))
            return 1
        except Exception:
            traceback.print_exc(file=sys.stdout)
            return 1
        return 0

    def clean_up(self, pid):
        """Removes what a test that was killed left behind; the names."""
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True,
                                check=False, env=laboratory.environment()).stdout
        ours = re.compile(r"nfqws2-%s\d*-%d-" % (self.prefix, pid))
        left = [line.split()[0] for line in listed.splitlines() if ours.match(line)]
        for namespace in left:
            laboratory.remove_namespace(namespace)
        for name in os.listdir(tempfile.gettempdir()):
            if ours.match(name):
                shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)
                left.append(name)
        return left

    def run_child(self, program, lua, test):
        """(exit code, seconds, output) of one test in a process of its own."""
        begin = time.monotonic()
        command = [sys.executable, self.script, "--one", program, lua, *test]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 text=True, errors="replace", start_new_session=True)
        try:
            output, _ = child.communicate(timeout=self.limit)
            code = child.returncode
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            output, code = child.communicate()[0] + "\nended after %d seconds" % self.limit, 1
        left = self.clean_up(child.pid)
        if left and code == 0:
            output, code = output + "\nleft behind: " + " ".join(left), 1
        return code, time.monotonic() - begin, output

    def run_all(self, program, lua, tests, jobs, verbose):
        """How many were "ok", "FAILED" and "skipped"."""
        count = {"ok": 0, "FAILED": 0, "skipped": 0}
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            futures = {pool.submit(self.run_child, program, lua, test): test for test in tests}
            for future in concurrent.futures.as_completed(futures):
                code, seconds, output = future.result()
                word = {0: "ok", SKIPPED: "skipped"}.get(code, "FAILED")
                count[word] += 1
                print("%-7s %-66s %6.1f s" % (word, title(futures[future]), seconds))
                if output.strip() and (verbose or code != 0):
                    print("    " + output.strip().replace("\n", "\n    "))
                sys.stdout.flush()
        return count
