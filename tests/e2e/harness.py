"""What tests share: the program under test, its life, and the judgement of what it printed."""
import contextlib
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, "..", "support"))
import lab as laboratory  # noqa: E402
import packets  # noqa: E402
from expect import Failure, check, check_equal, wait_for_text  # noqa: E402,F401 (for the tests)

DATA = os.path.join(HERE, "..", "data")
QUEUE = 200
FWMARK = 0x40000000
# A daemon built with sanitizers has no right to look at itself at its end.
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")
os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")

CRASH = re.compile(r"AddressSanitizer|ThreadSanitizer|runtime error:|UndefinedBehavior|terminate called|what\(\)|"
                   r"PANIC|Segmentation|stack smashing|Assertion.*failed|Traceback \(most")
TROUBLE = re.compile(r"LUA ERROR|desync ERROR|rawsend: (sendto|setsockopt)")

WORKER = re.compile(r"^worker \d+: ", re.M)  # whose line it is does not matter
INTERRUPTED = re.compile(r"LUA ERROR: .*INTERRUPT")


def cases(table):
    """Makes one test of each entry: name -> tuple of arguments behind `env`."""
    def mark(function):
        function.cases = table
        return function
    return mark


def without_root(function):
    """Marks a test that makes no lab."""
    function.without_root = True
    return function


class Daemon:
    """A running nfqws2. stop() demands a clean end; a context manager does so for the test."""

    def __init__(self, lab, process, who, queue, troubled):
        self.lab, self.process, self.who, self.queue = lab, process, who, queue
        self.troubled = troubled
        self.pid = process.pid
        self.stopped = False  # by the test

    def output(self):
        with open(self.process.log, errors="replace") as f:
            return WORKER.sub("", f.read())

    def alive(self):
        return self.process.poll() is None

    def wait_output(self, text, timeout=laboratory.PATIENCE):
        wait_for_text(self.output, text, "the program", self.alive, timeout)

    def judge(self):
        said = self.output()
        check(not CRASH.search(said), "the program said:\n%s", said[-6000:])
        # A script that runs when the program is told to end may fail with INTERRUPT.
        if INTERRUPTED.search(said):
            said = said.partition(" received !")[0]
        if not self.troubled:
            check(not TROUBLE.search(said), "the program complained:\n%s", said[-2000:])

    def stop(self, code=0):
        self.stopped = True
        check(self.alive(), "the program ended by itself with code %s:\n%s", self.process.poll(),
              self.output()[-6000:])
        got = self.lab.stop(self.process)
        self.judge()
        check(got == code, "exit code %s instead of %s:\n%s", got, code, self.output()[-600:])

    def ended(self, timeout=laboratory.PATIENCE):
        """Waits for the end that the test brought about; the exit code."""
        self.stopped = True
        code = self.process.wait(timeout)
        self.judge()
        return code

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print("The program's output:\n" + self.output()[-4000:])
            self.lab.stop(self.process)
        elif not self.stopped:
            self.stop()


class Environment:
    def __init__(self, program, lua):
        self.program, self.lua = program, lua
        self.count = 0

    def lab(self):
        self.count += 1
        return laboratory.Lab("e2e%d" % self.count)

    @contextlib.contextmanager
    def folder(self):
        """A temporary folder that a program without rights can read."""
        with tempfile.TemporaryDirectory(prefix="nfqws2-e2e-%d-" % os.getpid()) as folder:
            os.chmod(folder, 0o755)
            yield folder

    def daemon(self, lab, *args, who="client", queue=QUEUE, libraries=("lib", "antidpi"),
               troubled=False):
        """Starts the program; `troubled`: complaints of scripts are part of the test."""
        loaded = lab.libraries(self.lua, *libraries)
        process = lab.start_nfqws2(self.program, *loaded, *args, who=who, queue=queue)
        return Daemon(lab, process, who, queue, troubled)

    def run(self, *args, timeout=60, **kwargs):
        """Runs the program to its end outside of any lab."""
        return subprocess.run([self.program, *args], capture_output=True, text=True,
                              errors="replace", timeout=timeout, stdin=subprocess.DEVNULL,
                              **kwargs)


def golden(name, number):
    """A packet of a recorded run's input."""
    return packets.read_pcap(os.path.join(DATA, "golden", name, "in.pcap"))[number][1]


def client_hello():
    """A recorded ClientHello of one segment; its name is www.example.com."""
    return packets.parse(golden("085-multisplit-default", 3)).payload


def big_client_hello():
    """A recorded ClientHello of 1815 bytes with a post-quantum key share."""
    return b"".join(packets.parse(golden("107-multidisorder-replay", n)).payload for n in (3, 4))


HTTP_REQUEST = (b"GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 "
                b"(X11)\r\nAccept: */*\r\nConnection: close\r\n\r\n")
