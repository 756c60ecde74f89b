"""What the suites written in Python share: choosing cases, running several at a time, and the count.

A suite ends with the line "N passed, N failed, N skipped", which the driver of the whole test run
reads (suite.py), and with one of three exit codes: 0, FAILED (also when nothing ran at all), or
SKIPPED when there were only skips. A failure and a skip have a line of their own with the reason."""
import concurrent.futures
import sys

FAILED = 1
SKIPPED = 77  # ctest shows such an entry as skipped


class Skipped(Exception):
    """Raised by a case that cannot run here; its text is the reason."""


class Report:
    """Tells what became of each case, and counts."""

    def __init__(self, verbose=False):
        self.verbose = verbose
        self.passed = self.failed = self.skipped = 0

    def ok(self, title, output=""):
        self.passed += 1
        if self.verbose:
            self._say("ok", title, output)

    def fail(self, title, why):
        self.failed += 1
        self._say("FAILED", title, why)

    def skip(self, title, why):
        self.skipped += 1
        self._say("SKIPPED", "%s: %s" % (title, why))

    def check(self, good, title, why=""):
        """A case that is good or not; whether it is."""
        if good:
            self.ok(title)
        else:
            self.fail(title, why)
        return good

    def finish(self):
        """Prints the last line; the exit code."""
        if not self.passed + self.failed + self.skipped:
            print("FAILED: no test was found")
        print("%d passed, %d failed, %d skipped" % (self.passed, self.failed, self.skipped))
        if self.failed or not self.passed + self.skipped:
            return FAILED
        return 0 if self.passed else SKIPPED

    @staticmethod
    def _say(word, title, more=""):
        more = str(more).strip()
        print("%-7s %s" % (word, title) + ("\n    " + more.replace("\n", "\n    ") if more else ""))
        sys.stdout.flush()


def chosen(items, parts, title=str):
    """The items whose title has one of the parts in it; all without parts."""
    return [item for item in items if not parts or any(p in title(item) for p in parts)]


def run_all(report, items, judge, jobs=1, title=str):
    """Lets `judge` look at each item, `jobs` at a time; it returns None or what is wrong."""
    def judged(item):
        try:
            return judge(item), None
        except Skipped as reason:
            return None, str(reason)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for item, (problem, skipped) in zip(items, pool.map(judged, items)):
            if skipped is not None:
                report.skip(title(item), skipped)
            else:
                report.check(problem is None, title(item), problem)
