#!/usr/bin/env python3
"""mdig against a real DNS server, in a network namespace of its own.

    mdig_live.py [PATH-TO-MDIG]

dnsmasq answers from a generated zone and forwards one sub-domain to a responder in this script,
which fails with SERVFAIL, always or twice, or does not answer at all. The namespace, the mounts
over /etc and the processes live inside `unshare` and end with it.
"""
import collections
import os
import pty
import re
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(1, os.path.join(ROOT, "tests", "support"))
import cases  # noqa: E402
import processes  # noqa: E402
from expect import PATIENCE, Failure, comes_true, wait_for  # noqa: E402

RESOLV_CONF = "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n"
INSIDE = "NFQWS2_MDIG_LIVE_INSIDE"
RESPONDER_PORT = 5301
NEEDED = ("dnsmasq", "ip", "mount", "unshare")
PRIVATE = ["unshare", "--net", "--mount"]

REPORT = cases.Report()


def environment():
    path = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"
    return dict(os.environ, PATH=path)


def check(name, condition, detail=""):
    if condition:
        REPORT.ok(name)
    else:
        REPORT.fail(name, detail, cases.this_script(MDIG))  # the cases share a scene


def check_equal(name, got, expected):
    check(name, got == expected, "\n  got      %.600r\n  expected %.600r" % (got, expected))


# --- the scene ----------------------------------------------------------------------------------

class Responder(threading.Thread):
    """SERVFAIL for bad*, SERVFAIL twice and then an address for flaky*, an address for good*, silence for mute*."""

    def __init__(self, address="127.0.0.1", port=RESPONDER_PORT):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((address, port))
        self.asked = collections.Counter()
        self.ports = collections.Counter()

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            self.ports[peer[1]] += 1
            answer = self.answer(query)
            if answer:
                self.socket.sendto(answer, peer)

    def answer(self, query):
        length = query[12]
        label = query[13:13 + length].decode().lower()
        end = query.index(b"\0", 12) + 5
        question = query[12:end]
        self.asked[label] += 1
        if label.startswith("mute"):
            return None
        if label.startswith("good") or label.startswith("flaky") and self.asked[label] >= 3:
            record = struct.pack(">HHHIH", 0xC00C, 1, 1, 0, 4) + address_of(label)
            return query[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + question + record
        return query[:2] + struct.pack(">HHHHH", 0x8182, 1, 0, 0, 0) + question


def address_of(label):
    return b"\x0a\x63" + struct.pack(">H", int(label.lstrip("agfkloyd")))


class Scene:
    def __init__(self, folder):
        self.folder = folder
        self.server = None
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        self.cover("/etc/resolv.conf", RESOLV_CONF)
        self.cover("/etc/nsswitch.conf", "hosts: files dns\n")
        self.cover("/etc/hosts", "127.0.0.1 localhost\n")
        self.responder = Responder()
        self.responder.start()

    def file(self, name, content=""):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(content)
        return path

    def cover(self, path, content):
        if os.path.exists(path):
            mine = self.file(os.path.basename(path), content)
            subprocess.run(["mount", "--bind", mine, os.path.realpath(path)], check=True)

    def start_dnsmasq(self, hosts):
        self.server = subprocess.Popen([
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--addn-hosts=" + self.file("zone", hosts), "--user=root", "--pid-file=",
            "--listen-address=127.0.0.1", "--bind-interfaces", "--local=/test/",
            "--server=/fail.test/127.0.0.1#%d" % RESPONDER_PORT, "--cname=alias.test,a.test",
            "--dns-forward-max=5000", "--no-negcache", "--log-facility=/dev/null"])
        wait_for(lambda: run(["--eagain=1"], "a.test\n").out, "dnsmasq does not answer", pause=0.1)

    def close(self):
        if self.server:
            self.server.kill()
            self.server.wait()


Result = collections.namedtuple("Result", "code out err seconds peak_kb")


def run(arguments, text, limits=None):
    """Runs mdig and watches its memory.

    The peak comes from /proc: what wait4 tells begins with the memory of this script before exec.
    """
    def prepare():
        for what, value in (limits or {}).items():
            resource.setrlimit(what, (value, value))
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, \
            tempfile.TemporaryFile() as err:
        given.write(text.encode())
        given.seek(0)
        start = time.monotonic()
        child = subprocess.Popen([MDIG] + arguments, stdin=given, stdout=out, stderr=err,
                                 preexec_fn=prepare)
        peak = 0
        while child.poll() is None:
            peak = max(peak, peak_memory(child.pid))
            time.sleep(0.01)
        seconds = time.monotonic() - start
        out.seek(0)
        err.seek(0)
        return Result(child.returncode, out.read().decode(), err.read().decode(), seconds,
                      peak)


def peak_memory(pid):
    """In KB; 0 if it is gone."""
    return int(next(iter(processes.status(pid, "VmHWM")), 0))


def words(text):
    return "".join(word + "\n" for word in text.split())


SMALL_ZONE = """10.0.0.1 a.test
2001:db8::1 a.test
10.0.0.2 multi.test
10.0.0.3 multi.test
10.0.0.4 v4only.test
2001:db8::6 v6only.test
"""


class Crowd:
    """Many names of all kinds, and what must become of each."""

    def __init__(self, size):
        self.hosts = []
        self.input = []
        self.addresses = collections.Counter()
        self.good = collections.Counter()
        self.bad = collections.Counter()
        for i in range(size):
            self.add(i)
        self.text = "".join(line + "\n" for line in self.input)

    def add(self, i):
        low = "%d.%d" % (i // 250, i % 250)
        kind = i % 50
        if i % 2500 == 49:
            self.line("mute%d.fail.test" % i, False)
        elif kind < 25:
            self.name("ok%d.test" % i, ["10.1." + low])
        elif kind < 29:
            self.name("two%d.test" % i, ["10.2." + low, "10.3." + low])
        elif kind < 31:
            self.hosts.append("2001:db8::%x six%d.test" % (i, i))
            self.line("six%d.test" % i, False)
        elif kind < 39:
            self.line("missing%d.test" % i, False)
        elif kind < 43:
            self.line("bad%d.fail.test" % i, False)
        elif kind < 47:
            label = "flaky%d" % i
            self.line(label + ".fail.test", True, [socket.inet_ntoa(address_of(label))])
        elif kind < 48:
            self.line("10.4.%s/32" % low, True, ["10.4." + low])
        else:
            self.line("no domain %d" % i, False)

    def name(self, name, addresses):
        self.hosts += ["%s %s" % (address, name) for address in addresses]
        self.line(name, True, addresses)

    def line(self, text, success, addresses=()):
        self.input.append(text)
        (self.good if success else self.bad)[text] += 1
        self.addresses.update(addresses)


# --- the tests ----------------------------------------------------------------------------------

def examples():
    six = words("a.test multi.test v4only.test v6only.test alias.test nx.test")
    v4 = run([], six).out.split()
    check_equal("family 4", v4[:1] + sorted(v4[1:3]) + v4[3:],
                "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.1".split())
    check_equal("family 6", run(["--family=6"], six).out,
                words("2001:db8::1 2001:db8::6 2001:db8::1"))
    check_equal("family 46", sorted(run(["--family=46"], "a.test\n").out.split()),
                ["10.0.0.1", "2001:db8::1"])
    check_equal("trailing dot", run([], "a.test.\n").out, "10.0.0.1\n")
    check_equal("hosts file", run([], "localhost\n").out, "127.0.0.1\n")

    got = run(["--verbose"], words("nx.test v6only.test"))
    check("missing name", "failed to resolve nx.test : result -2 (EAI_NONAME)\n" in got.err,
          got.err)
    check("missing type", "failed to resolve v6only.test : result -5 (EAI_NODATA)\n" in got.err,
          got.err)

    got = run(["--stats=2"], "a.test\nnx.test\n\nv4only.test\nbad!\n")
    check_equal("stats", re.sub(r"\d\d:\d\d:\d\d", "T", got.err),
                "mdig stats : T : domains=2 success=1 error=1\n"
                "mdig stats : T : domains=4 success=2 error=2\n"
                "mdig stats : T : domains=5 success=2 error=3\n")


def servfail(scene):
    got = run(["--verbose", "--eagain=3", "--eagain-delay=200"], "bad7.fail.test\n")
    check_equal("SERVFAIL: attempts", got.err.count("(EAI_AGAIN)\n"), 3)
    check_equal("SERVFAIL: exit code and output", (got.code, got.out), (0, ""))
    check("SERVFAIL: delay", 0.6 <= got.seconds < PATIENCE, got.seconds)
    check_equal("flaky name", run(["--eagain=3", "--eagain-delay=0"], "flaky9.fail.test\n").out,
                "10.99.0.9\n")
    check_equal("the server was asked as often", scene.responder.asked["flaky9"], 3)


def nobody_listens():
    # A second namespace inside this one has no server and no route.
    start = time.monotonic()
    got = subprocess.run(["unshare", "--net", MDIG, "--eagain=3", "--eagain-delay=200",
                          "--verbose"], input="a.test\n", capture_output=True, text=True)
    seconds = time.monotonic() - start
    check_equal("unreachable: exit code and output", (got.returncode, got.stdout), (0, ""))
    check_equal("unreachable: attempts", got.stderr.count("(EAI_AGAIN)\n"), 3)
    check("unreachable: delay", 0.6 <= seconds < PATIENCE, seconds)


def crowd_of(crowd, scene, threads):
    name = "%d lines, %d threads: " % (len(crowd.input), threads)
    resolved, failed = os.path.join(scene.folder, "resolved"), os.path.join(scene.folder, "failed")
    scene.responder.asked.clear()
    got = run(["--threads=%d" % threads, "--eagain=4", "--eagain-delay=5", "--stats=1000",
               "--log-resolved=" + resolved, "--log-failed=" + failed], crowd.text)
    print("%s%.1f s, peak %d KB" % (name, got.seconds, got.peak_kb))
    check_equal(name + "exit code", got.code, 0)
    check_counter(name + "addresses", got.out, crowd.addresses)
    with open(resolved, encoding="utf-8") as log:
        check_counter(name + "resolved log", log.read(), crowd.good)
    with open(failed, encoding="utf-8") as log:
        check_counter(name + "failed log", log.read(), crowd.bad)
    check_equal(name + "stats lines", got.err.count("\n"), len(crowd.input) // 1000 + 1)
    check(name + "last stats", got.err.endswith(
        "domains=%d success=%d error=%d\n"
        % (len(crowd.input), sum(crowd.good.values()), sum(crowd.bad.values()))), got.err[-100:])
    check(name + "memory", got.peak_kb < 16 * 1024, "%d KB" % got.peak_kb)
    return got


def check_counter(name, text, expected):
    got = collections.Counter(text.splitlines())
    check(name, got == expected, "lost %s, surplus %s"
          % (list((expected - got).items())[:5], list((got - expected).items())[:5]))


def crowds(crowd, part, scene):
    small = crowd_of(part, scene, 100)
    large = crowd_of(crowd, scene, 100)
    check("memory does not grow with the input", large.peak_kb < small.peak_kb + 2048,
          "%d KB, then %d KB" % (small.peak_kb, large.peak_kb))


def needs_no_threads():
    with open(MDIG, "rb") as program:
        return b"ares_getaddrinfo" in program.read()


def too_few_threads():
    mega = 1 << 20
    got = run(["--threads=20"], "a.test\n10.9.9.9\n",
              {resource.RLIMIT_STACK: 64 * mega, resource.RLIMIT_AS: 300 * mega})
    check_equal("some threads: exit code", got.code, 0)
    check_equal("some threads: output", sorted(got.out.split()), ["10.0.0.1", "10.9.9.9"])
    check("some threads: message", re.fullmatch(r"failed to create thread #\d+\n", got.err),
          got.err)
    got = run(["--threads=20"], "a.test\n",
              {resource.RLIMIT_STACK: 1024 * mega, resource.RLIMIT_AS: 300 * mega})
    check_equal("no threads", (got.code, got.out, got.err),
                (12, "", "failed to create thread #0\n"))


def read_terminal(master):
    """All that was written to a terminal whose other end is closed."""
    shown = b""
    try:
        while piece := os.read(master, 65536):
            shown += piece
    except OSError:  # EIO is the end
        pass
    return shown.decode()


def progress():
    master, slave = pty.openpty()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen([MDIG, "--eagain=6", "--eagain-delay=100"], stdin=subprocess.PIPE,
                                 stdout=out, stderr=slave)
        child.communicate(words("a.test bad1.fail.test nx.test 10.1.1.1").encode())
        os.close(slave)
        shown = read_terminal(master)
        out.seek(0)
        check_equal("progress: stdout is clean", out.read().decode(), words("10.0.0.1 10.1.1.1"))
    os.close(master)
    line = r"\r\033\[Kmdig: \d lines, 1 resolved, \d failed, \d+/s"
    check("progress: shown", re.search(line, shown), repr(shown))
    check("progress: wiped", shown.endswith("\r\033[K"), repr(shown))


def names_on_their_way_do_not_stop_others():
    """One name waits for its next attempt, others pass it; what is found is written while input waits."""
    child = subprocess.Popen([MDIG, "--threads=2", "--eagain=2", "--eagain-delay=%d" % (PATIENCE * 1000)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdin.write(words("bad2.fail.test a.test 10.7.7.7 v4only.test").encode())
    child.stdin.flush()
    got = [child.stdout.readline() for _ in range(3)]
    child.kill()
    child.communicate()
    check_equal("others pass a name that waits", got, [b"10.0.0.1\n", b"10.7.7.7\n", b"10.0.0.4\n"])


def ports_change(scene):
    """Who guesses answers has to guess a port that serves few of many questions."""
    responder = Responder("127.0.0.2", 53)
    responder.start()
    scene.file("resolv.conf", "nameserver 127.0.0.2\noptions timeout:3 attempts:1\n")
    count = 2000
    got = run(["--threads=30", "--eagain=1"], "mute1.test\n" + "".join("good%d.test\n" % i for i in range(count)))
    scene.file("resolv.conf", RESOLV_CONF)
    check_equal("ports: all are answered", sorted(got.out.split()),
                sorted(socket.inet_ntoa(address_of("good%d" % i)) for i in range(count)))
    check("ports: each serves a few questions", max(responder.ports.values()) <= 128, responder.ports.most_common(3))


def half_a_line_is_not_waited_for(scene):
    """Names on their way go on meanwhile."""
    errors = scene.file("errors")
    with open(errors, "wb") as err:
        child = subprocess.Popen([MDIG, "--threads=2", "--eagain=2", "--eagain-delay=1000", "--verbose"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err)
    child.stdin.write(words("bad4.fail.test 10.7.7.7").encode())
    child.stdin.flush()
    child.stdout.readline()  # then what is written next comes alone
    child.stdin.write(b"v4on")
    child.stdin.flush()

    def second_attempt():
        with open(errors, encoding="utf-8") as err:
            return err.read().count("(EAI_AGAIN)\n") == 2
    check("half a line does not hold up others", comes_true(second_attempt))
    check_equal("the other half", child.communicate(b"ly.test")[0], b"10.0.0.4\n")


def odd_names(scene):
    """What the two ways of asking could see differently."""
    scene.cover("/etc/hosts", "127.0.0.1 localhost\n10.8.8.8 in-hosts a.alias.of.it\n2001:db8::8 in-hosts\n")
    check_equal("hosts file: a name of ours", run([], words("in-hosts a.alias.of.it")).out,
                words("10.8.8.8 10.8.8.8"))
    check_equal("hosts file: IPv6", run(["--family=6"], "in-hosts\n").out, "2001:db8::8\n")
    check_equal("impossible names", run([], words("a" * 64 + ".test " + "a." * 126 + "test")).out, "")
    check_equal("case is no matter", run([], "A.TeSt\n").out, "10.0.0.1\n")


def doh_round_trip():
    query = subprocess.run([MDIG, "--dns-make-query=a.test", "--family=6"],
                           capture_output=True).stdout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.sendto(query, ("127.0.0.1", 53))
        reply = client.recv(65535)
    got = subprocess.run([MDIG, "--dns-parse-query"], input=reply, capture_output=True)
    check_equal("a query and its reply", (got.returncode, got.stdout), (0, b"2001:db8::1\n"))


def inside():
    folder = tempfile.mkdtemp(prefix="mdig-live-")
    scene = None
    try:
        scene = Scene(folder)
        crowd, part = Crowd(50000), Crowd(5000)
        scene.start_dnsmasq(SMALL_ZONE + "\n".join(crowd.hosts) + "\n")
        examples()
        servfail(scene)
        nobody_listens()
        doh_round_trip()
        progress()
        names_on_their_way_do_not_stop_others()
        half_a_line_is_not_waited_for(scene)
        ports_change(scene)
        odd_names(scene)
        if needs_no_threads():
            print("left out too few threads: c-ares needs none; the build without it is tested in stage small")
        else:
            too_few_threads()
        crowds(crowd, part, scene)
    except (OSError, Failure, subprocess.SubprocessError) as error:
        check("the scene", False, error)
    finally:
        if scene:
            scene.close()
        shutil.rmtree(folder, ignore_errors=True)
    return REPORT.finish()


def why_unavailable():
    missing = [tool for tool in NEEDED if not shutil.which(tool)]
    if not os.access(MDIG, os.X_OK):
        missing.append(MDIG)
    if missing:
        return "missing: " + ", ".join(missing)
    if os.geteuid() != 0:
        return "root is needed for namespaces with a DNS server"
    if subprocess.run(PRIVATE + ["true"], capture_output=True).returncode != 0:
        return "no namespaces here"
    return None


def main():
    os.environ.update(environment())
    if os.environ.get(INSIDE):
        return inside()
    reason = why_unavailable()
    if reason:
        REPORT.skip("mdig", reason)
        return REPORT.finish()
    return subprocess.run(PRIVATE + [sys.executable, os.path.abspath(__file__), MDIG],
                          env=dict(os.environ, **{INSIDE: "1"})).returncode


MDIG = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ROOT + "/build/release/mdig")

if __name__ == "__main__":
    sys.exit(main())
