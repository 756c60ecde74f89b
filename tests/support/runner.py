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

import cases
import dispositions
import lab as laboratory

REASON = "\N{BALLOT X} "  # what a child prints before the reason of a failure


def title(test):
    name, function, case = test
    return "%s.%s%s" % (name[5:], function[5:], "[%s]" % case if case else "")


class Runner:
    """`script` is the runner that was started; started with `--one` it is the child of a test.
    `environment` is what makes a test's argument from the paths of the command line, `prefix` the
    start of its labs' names, and `limit` the seconds for one test. Of the exceptions, `failure` is
    told without a traceback."""

    paths = ("program", "lua")

    def __init__(self, script, environment, prefix, limit, tools, failure, skip=()):
        self.script = os.path.abspath(script)
        self.folder = os.path.dirname(self.script)
        self.environment, self.prefix, self.limit = environment, prefix, limit
        self.tools, self.failure, self.skip = tools, failure, skip
        self.more_words = []  # options of the command line that tests depend on

    def argument_parser(self, text, jobs):
        """What all runners take; `text` has a line "usage: ..."."""
        parser = argparse.ArgumentParser(usage=text.split("usage: ")[1].split("\n")[0])
        for path in self.paths:
            parser.add_argument(path, type=os.path.abspath)
        parser.add_argument("parts", nargs="*")
        parser.add_argument("--file", action="append", help="only test_FILE.py")
        parser.add_argument("-v", action="store_true")
        parser.add_argument("-j", type=int, default=jobs)
        return parser

    # --- finding

    def files(self, wanted=None):
        """Names of the files, test_* without the ending."""
        names = [os.path.basename(path)[:-3] for path in glob.glob(self.folder + "/test_*.py")]
        return sorted(n for n in names if not wanted or n[5:] in wanted)

    def cases_of(self, module, function):
        """The names of a function's cases; one without a name if it has none."""
        return getattr(function, "cases", {"": ()})

    def discover(self, wanted=None):
        """(file, function, case) of all tests, in order, and those that need no root."""
        found, free = [], set()
        for name in self.files(wanted):
            module = importlib.import_module(name)
            functions = [f for n, f in vars(module).items()
                         if n.startswith("test_") and callable(f) and f.__module__ == name]
            for function in sorted(functions, key=lambda f: f.__code__.co_firstlineno):
                for case in self.cases_of(module, function):
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

    # --- the child

    def call(self, paths, test, case):
        """Runs one test in this process."""
        test(self.environment(*paths), *(test.cases[case] if case else ()))

    def run_one(self, *words):
        """The child: runs one test in this process; the exit code."""
        *paths, name, function, case = words
        test = getattr(importlib.import_module(name), function)
        try:
            self.call(paths, test, case)
        except self.skip as reason:
            print(reason)
            return cases.SKIPPED
        except self.failure as failure:
            print(REASON + str(failure))
            place = traceback.extract_tb(failure.__traceback__)
            print("at " + " < ".join("%s:%d" % (os.path.basename(f.filename), f.lineno)
                                     for f in reversed(place[1:])))
            return cases.FAILED
        except Exception as problem:
            print("%s%s: %s" % (REASON, type(problem).__name__, problem))
            traceback.print_exc(file=sys.stdout)
            return cases.FAILED
        return 0

    # --- the parent

    def leavings(self, pid=r"\d+"):
        """Names of namespaces and of folders that tests of this process, or of any, have made."""
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True,
                                check=False, env=laboratory.environment()).stdout
        ours = re.compile(r"nfqws2-%s\d*-%s-" % (self.prefix, pid))
        return ([line.split()[0] for line in listed.splitlines() if ours.match(line)],
                [name for name in os.listdir(tempfile.gettempdir()) if ours.match(name)])

    def clean_up(self, pid):
        """Removes what a test that was killed left behind; the names."""
        namespaces, folders = self.leavings(pid)
        for namespace in namespaces:
            laboratory.remove_namespace(namespace)
        for name in folders:
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)
        return namespaces + folders

    def run_child(self, paths, test):
        """(exit code, seconds, output) of one test in a process of its own."""
        begin, earlier = time.monotonic(), sum(self.leavings(), [])
        command = [sys.executable, self.script, "--one", *paths, *test]
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, errors="replace",
                                 start_new_session=True)
        try:
            output, _ = child.communicate(timeout=self.limit)
            code = child.returncode
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            output, code = child.communicate()[0] + "\nended after %d seconds" % self.limit, 1
        # Numbers of processes come again: what a run that was killed left is not the fault of this one.
        left = set(self.clean_up(child.pid)) - set(earlier)
        if left and code == 0:
            output, code = output + "\nleft behind: " + " ".join(sorted(left)), 1
        return code, time.monotonic() - begin, output

    def alone(self, paths, test):
        """The command that runs this test only."""
        return ["python3", self.script, *paths, *self.more_words, title(test)]

    def run_all(self, report, paths, tests, jobs):
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            futures = {pool.submit(self.run_child, paths, test): test for test in tests}
            for future in concurrent.futures.as_completed(futures):
                code, seconds, output = future.result()
                line = "%-66s %6.1f s" % (title(futures[future]), seconds)
                if code == 0:
                    report.ok(line, output)
                elif code == cases.SKIPPED:
                    report.skip(title(futures[future]), output.strip())
                else:
                    said, _, why = output.rpartition(REASON)  # the reason first: logs get cut
                    report.fail(line, "%s\n%s" % (why.rstrip(), said), self.alone(paths, futures[future]))

    def prepare(self, args):
        """Called with the command line before the tests are looked at."""

    def left_out(self, name):
        """Why a test is not meant to run with these options, or None."""

    def main(self, text, jobs):
        """The whole of a runner's script; its exit code."""
        if sys.argv[1:2] == ["--one"]:
            return self.run_one(*sys.argv[2:])
        args = self.argument_parser(text, jobs).parse_intermixed_args()
        dispositions.restore()
        self.prepare(args)
        report = cases.Report(verbose=True)
        found, free = self.discover(args.file)
        reason = self.why_impossible()
        wanted = []
        for test in cases.chosen(found, args.parts, title):
            why = self.left_out(title(test))
            if why:
                print("left out %s: %s" % (title(test), why))
            elif reason and test not in free:
                report.skip(title(test), reason)
            else:
                wanted.append(test)
        self.run_all(report, [getattr(args, p) for p in self.paths], wanted, args.j)
        return report.finish()
