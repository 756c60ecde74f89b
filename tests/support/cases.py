"""What the suites written in Python share: choosing cases, running several at a time, and the count.

A suite ends with the line "N passed, N failed, N skipped", which the driver of the whole test run
reads (suite.py), and with one of three exit codes: 0, FAILED (also when nothing ran at all), or
SKIPPED when there were only skips. A failure and a skip have a line of their own with the reason; a
failure also has the command that runs this case only."""
import concurrent.futures
import os
import shlex
import sys

FAILED = 1
SKIPPED = 77  # ctest shows such an entry as skipped
TAKEN_ALONG = ("NFQWS2_EXTRA", "NFQWS2_TEST_EVERY")  # of the environment, which cases depend on


class Skipped(Exception):
    """Raised by a case that cannot run here; its text is the reason."""


class Report:
    """Tells what became of each case, and counts. `command` has the words that run a case, to which its
    title is added."""

    def __init__(self, verbose=False, command=()):
        self.verbose, self.command = verbose, command
        self.passed = self.failed = self.skipped = 0

    def ok(self, title, output=""):
        self.passed += 1
        if self.verbose:
            self._say("ok", title, output)

    def fail(self, title, why, alone=None):
        """`alone`: the words that run this case, if they are others than those of all."""
        self.failed += 1
        why = str(why).strip()
        if alone is None and self.command:
            alone = [*self.command, title]
        if alone:
            reason, _, more = why.partition("\n")  # near the reason: long logs get cut
            why = "\n".join(text for text in (reason, "alone: " + command_line(alone), more) if text)
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


def command_line(words):
    """For a shell in this folder, to be copied."""
    given = ["%s=%s" % (name, shlex.quote(os.environ[name])) for name in TAKEN_ALONG if os.environ.get(name)]
    here = os.getcwd() + "/"
    return " ".join(given + [shlex.quote(word.removeprefix(here)) for word in words])


def this_script(*words):
    """The words that start this script again, with others than it was given."""
    return ["python3", os.path.abspath(sys.argv[0]), *words]


def chosen(items, parts, title=str):
    """The items whose title has one of the parts in it; all without parts. A part that is a whole title
    means this item only."""
    titles = {title(item) for item in items}

    def means(part, name):
        return part == name if part in titles else part in name
    return [item for item in items if not parts or any(means(part, title(item)) for part in parts)]


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
