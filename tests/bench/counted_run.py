"""The program under valgrind, fed from a capture: what a packet, a flow or a name costs, without noise.

What makes counts differ from run to run is off: addresses and choices do not vary (setarch -R, --seed,
same_random.c), nor does the place of the stack with the length of words and environment, by which a packet would cost
up to 7 instructions more; Lua calls have no limits, whose clock ticks would be counted. The cost of one thing is the
difference of two runs, of which one has twice as many: start and end are in both.
"""
import collections
import os
import platform
import re
import shutil
import subprocess

PLAIN = ("--lua-call-limit=0", "--lua-wait-limit=0", "--lua-mem-limit=0", "--sandbox=off", "--seed=1", "--quiet")
NO_COMPILER = "--lua-init=if jit then jit.off() end"
# Processors of which valgrind shows programs one, the best that the real one can do. Libraries choose their ways of
# copying and comparing by it, whichever machine is below.
CLASSES = ("avx2", "avx", "sse4_2")
PATIENCE = 1800  # seconds
PAGE, POINTER = 4096, 8  # bytes

Cost = collections.namedtuple("Cost", "function of per_packet")


class Failed(Exception):
    """The program or valgrind did not do what it should; the text has its words."""


def environment(program):
    """What instruction counts depend on besides our own code: name -> version."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = dict(zip(("Lua engine", "mbed TLS", "pcap", "compiler"), re.search(
        r"Lua engine: (.*)\n(?:.*?mbed TLS ([\d.]+))?(?:.*?libpcap version ([\d.]+))?(?:.*\n)+built with: (.*)",
        said).groups()))
    found.update(machine=platform.machine(), libc=" ".join(platform.libc_ver()), valgrind=version_of_valgrind())
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        said = re.search(r"(?mi)^(?:flags|features)\s*: (.*)", file.read())
    flags = set(said[1].split() if said else ())
    found["processor"] = next((name for name in CLASSES if name in flags), "other")
    return found


def missing():
    """What is not there or not allowed, in words; None when counting is possible."""
    lacks = [name for name in ("valgrind", "setarch", "cc") if not shutil.which(name)]
    if lacks:
        return "not installed: " + " ".join(lacks)
    if subprocess.run(["setarch", "-R", "true"], capture_output=True, check=False).returncode != 0:
        return "setarch -R is not allowed here"
    return None


def version_of_valgrind():
    return subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True).stdout.strip()


class Runs:
    """Runs programs under valgrind. Every one gets the same random numbers (same_random.c)."""

    def __init__(self, folder):
        self.same_random = os.path.join(folder, "same_random.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "same_random.c")
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", source, "-o", self.same_random],
                       check=True)

    def instructions(self, argv, out, compiler=False):
        """Of a whole run. `out`: where callgrind leaves them function by function."""
        checks = ["--smc-check=all-non-file"] if compiler else []  # machine code comes and goes
        self._run(["--tool=callgrind", "--callgrind-out-file=" + out, *checks], argv, out, compiler)
        return max(numbers(r"(?m)^(?:summary|totals): (\d+)", out))

    def memory(self, argv, out):
        """Bytes of all pages at the moment when they were most."""
        self._run(["--tool=massif", "--massif-out-file=" + out, "--pages-as-heap=yes", "--peak-inaccuracy=0.0"], argv,
                  out)
        return max(numbers(r"(?m)^mem_heap_B=(\d+)", out))

    def _run(self, options, argv, out, compiler=False):
        program = words(argv, compiler)
        preload = "LD_PRELOAD=" + self.same_random
        command = ["setarch", "-R", "env", preload, "valgrind", *options, *program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False,
                              stdin=subprocess.DEVNULL, errors="replace",
                              env={"PATH": os.environ["PATH"], "FILL": filling([*program, program[0], preload])})
        if done.returncode != 0 or not os.path.exists(out) or not os.path.getsize(out):
            raise Failed("%s: exit code %d\n%s" % (" ".join(command), done.returncode,
                                                   (done.stdout + done.stderr)[-2000:]))


def words(argv, compiler):
    """The program and its options, with those that make counts repeat."""
    user = ["--user=root"] if os.geteuid() == 0 else []  # who may open the file for the counts
    return [argv[0], *user, *PLAIN, *argv[1:], *([] if compiler else [NO_COMPILER])]


def filling(others):
    """What fills the words that lie above a stack, which are `others` and PATH, to whole pages."""
    used = sum(len(word) + 1 + POINTER for word in others) + len(os.environ["PATH"])
    return "x" * (PAGE - used % PAGE)


def numbers(pattern, path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return [int(number) for number in re.findall(pattern, file.read())]


def functions(out):
    """(function, object) -> instructions of its own."""
    said = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", out], capture_output=True, text=True,
                          check=True).stdout
    found = {}
    for amount, place, of in re.findall(r"(?m)^ *([\d,]+) \([ \d.]+%\)  (\S.*?) \[(\S+)\]$", said):
        key = (short(place.split(":", 1)[1]), os.path.basename(of))
        found[key] = found.get(key, 0) + int(amount.replace(",", ""))
    return found


def short(function):
    """Without namespaces that all have, and without arguments."""
    name = re.sub(r"nfqws2::|\(anonymous namespace\)::", "", function)
    return re.sub(r"\(.*| const$", "", name) or name


def largest(few, many, number, how_many):
    """The functions that cost most for each of `number` packets that `many` has beyond `few`."""
    before, after = functions(few), functions(many)
    costs = [Cost(name, of, (amount - before.get((name, of), 0)) / number) for (name, of), amount in after.items()]
    return sorted(costs, key=lambda cost: -cost.per_packet)[:how_many]
