"""Floods of spoofed flows: memory stays within --ctrack-max and is given back, and connections of
real clients work meanwhile."""
import json
import multiprocessing
import os
import socket
import struct
import subprocess
import time

from harness import QUEUE, Daemon, big_client_hello, cases, check, check_equal, laboratory
from packets import ACK, PSH, SYN, TCP, ip4, tcp
from processes import resident
from test_load import Load, SITE, pages_served

LIMIT = 20000  # --ctrack-max
# The reference keeps 1126 bytes per flow; half of it has to do here, and what the queue's buffers and
# the scripts take comes on top.
FLOW_BYTES = 600
SLACK = 12 << 20
GIVEN_BACK = (2 << 20) * laboratory.WORKERS  # so near to the start it must come
UNLIMITED = 1e9  # flows per second
SO_SNDBUFFORCE = 32
FIRST_SEGMENT = big_client_hello()[:1000]


def sanitized(program):
    """The sanitizers' own memory says nothing about the program's."""
    with open(program, "rb") as f:
        return b"__asan_init" in f.read()


def waiting():
    """Packets in the queues of this namespace."""
    with open("/proc/thread-self/net/netfilter/nfnetlink_queue") as f:
        return sum(int(line.split()[2]) for line in f)


def send_flood(namespace, kind, count, rate, first, port=443):
    """The child: `count` flows from as many sources, `rate` per second at most, and then no faster
    than the program takes them: what does not fit into its queue would pass it by."""
    with open(namespace) as there:
        laboratory.switch_namespace(there.fileno())
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    s.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20)
    target = (laboratory.SERVER4, 0)
    source = "11.0.0.1"

    def segment(seq, flags, data=b""):
        return ip4(source, target[0], TCP, tcp(source, target[0], 40000, port, seq, 1, flags, data))
    shapes = [segment(1000, SYN)]
    if kind == "hello":
        shapes.append(segment(1001, PSH | ACK, FIRST_SEGMENT))
    begin = time.monotonic()
    for n in range(first, first + count):
        # The kernel puts the header's checksum right; the one of TCP may be wrong.
        address = struct.pack(">I", 0x0B000000 + n)
        for raw in shapes:
            try:
                s.sendto(raw[:12] + address + raw[16:], target)
            except OSError:
                pass
        ahead = (n - first) / rate - (time.monotonic() - begin)
        if ahead > 0.002:
            time.sleep(ahead)
        elif ahead < -0.05 and rate < UNLIMITED:
            begin -= ahead  # what was missed while others had the processor is not made up for
        while n % 50 == 0 and rate < UNLIMITED and waiting() > 500:
            time.sleep(0.002)


class PatientLoad(Load):
    """Begins a connection again that was so slow that the flood may have taken its entry."""

    def __init__(self, lab, count, rate):
        self.forgotten = LIMIT / rate / 2
        super().__init__(lab, count)

    def _fetch(self, number):
        while True:
            begin = time.monotonic()
            try:
                return super()._fetch(number)
            except OSError:
                if time.monotonic() - begin < self.forgotten:
                    raise


class Flood:
    """Spoofed SYNs ("syn") or those with the first segment of a ClientHello behind ("hello")."""

    def __init__(self, lab, kind, count, rate, first=0, port=443):
        self.process = multiprocessing.get_context("fork").Process(
            target=send_flood, daemon=True,
            args=("/run/netns/" + lab.ns("client"), kind, count, rate, first, port))
        self.process.start()

    def running(self):
        return self.process.is_alive()

    def wait(self):
        self.process.join(200)
        check_equal("end of the flood", self.process.exitcode, 0)


def make_site(lab):
    """A site behind a box that swallows the flood."""
    lab.start_site(SITE)
    lab.run("box", "iptables", "-I", "FORWARD", "-s", "11.0.0.0/8", "-j", "DROP")
    for who in ("client", "box"):
        lab.sh(who, "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0")


def make_lab(lab):
    """The box also resets what names the site in one piece."""
    make_site(lab)
    lab.filter_words(SITE)
    lab.queue_client(QUEUE)


# kind: (flows, flows per second, their own part of the strategy's memory)
@cases({"syn": ("syn", 160000, 25000, 0), "hello": ("hello", 60000, 8000, 64 << 20)})
def test_memory_is_bounded(env, kind, count, rate, held):
    with env.lab() as lab:
        make_lab(lab)
        arguments = ["--ctrack-max=%d" % LIMIT, "--ctrack-timeouts=4:4:4:4",
                     "--filter-tcp=80,443", "--payload=http_req,tls_client_hello",
                     "--lua-desync=multisplit:pos=midsld"]
        with env.daemon(lab, *arguments) as daemon:
            Load(lab, 100).wait()
            before = highest = resident(daemon.pid)
            flood = Flood(lab, kind, count, rate)
            load = PatientLoad(lab, 300, rate)
            while flood.running():
                highest = max(highest, resident(daemon.pid))
                time.sleep(0.02)
            flood.wait()
            load.wait()
            # Time passes for flows with the packets that come; the heap is looked at 10 s later.
            end = time.monotonic() + 90
            while resident(daemon.pid) > before + GIVEN_BACK and time.monotonic() < end and \
                    not sanitized(env.program):
                time.sleep(1)
                Load(lab, 4).wait()
            after = resident(daemon.pid)
            print("resident: %d KB before, %d at most, %d after; slowest connection %.2f s"
                  % (before >> 10, highest >> 10, after >> 10, load.slowest))
            check(pages_served(lab) >= 400, "pages are missing")
            check(sanitized(env.program) or after < before + GIVEN_BACK, "%d bytes after the flood, %d "
                  "before", after, before)
            bound = before + LIMIT * FLOW_BYTES + held + SLACK
            check(sanitized(env.program) or highest < bound, "%d bytes resident, the bound is %d",
                  highest, bound)


def test_flood_from_all_sides(env):
    """Faster than the program may be: what it cannot take passes, and it is there afterwards."""
    with env.lab() as lab:
        make_lab(lab)
        with env.daemon(lab, "--ctrack-max=%d" % LIMIT, "--payload=http_req,tls_client_hello",
                        "--lua-desync=multisplit:pos=midsld") as daemon:
            floods = [Flood(lab, kind, 60000, UNLIMITED, n * 1000000)
                      for n, kind in enumerate(("syn", "hello", "syn"))]
            for flood in floods:
                flood.wait()
            # Behind a full queue a connection's packets overtake each other.
            with lab.inside("client"):
                laboratory.Lab.wait_for(lambda: waiting() == 0, "the queue is not taken", daemon.process,
                                        laboratory.PATIENCE)
            Load(lab, 200).wait()
            check(daemon.alive(), "the program ended")
        check_equal("pages served", pages_served(lab), 200)


AUTHENTICATE = '''version = 1
[[profile]]
match = [ { src = ["11.0.0.0/8", "%s"] } ]
[[profile.rule]]
action = [ { tcpauth = { id = 1, syn = "synack" } } ]
[[profile.rule]]
match = [ { verdict = { tcpauth = "invalid" } } ]
action = [ "drop" ]
'''


def test_authentication_costs_no_memory(env):
    """Spoofed SYNs in front of a server: all are answered or dropped, none is remembered, and real clients,
    which reset the odd answer and come again, get their pages."""
    count, rate = 160000, 100000
    with env.lab() as lab:
        make_site(lab)
        rules, stats = os.path.join(lab.folder, "rules.toml"), os.path.join(lab.folder, "stats.json")
        with open(rules, "w", encoding="utf-8") as f:
            f.write(AUTHENTICATE % laboratory.CLIENT4)
        lab.run("box", "ip", "route", "add", "11.0.0.0/8", "via", laboratory.CLIENT4)
        process = lab.start_nfqws2(env.program, "--rules=" + rules, "--rules-stats=" + stats, who="box", queue=QUEUE)
        with Daemon(lab, process, "box", QUEUE, False) as daemon:
            lab.run("box", "iptables", "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "80",
                    "-m", "mark", "!", "--mark", "0x40000000/0x40000000", "-j", "NFQUEUE", "--queue-num", str(QUEUE),
                    "--queue-bypass")
            Load(lab, 20).wait()
            before = highest = resident(daemon.pid)
            begin = time.monotonic()
            flood = Flood(lab, "syn", count, rate, port=80)
            load = Load(lab, 100)
            while flood.running():
                highest = max(highest, resident(daemon.pid))
                time.sleep(0.02)
            flood.wait()
            took = time.monotonic() - begin
            load.wait()
            Load(lab, 4).wait()
            check_equal("pages served", pages_served(lab), 124)
        with open(stats, encoding="utf-8") as f:
            counted = json.load(f)
        told = counted["tcpauth"]["1"]
        print("resident: %d KB before, %d at most; %.0f SYNs/s, %d challenged, %d sources; slowest connection %.2f s"
              % (before >> 10, highest >> 10, count / took, told["challenged"], told["sources"], load.slowest))
        check(told["challenged"] > 0 and told["passed"] > 0, "counted: %s", told)
        check_equal("sources", told["sources"], 1)
        check(sanitized(env.program) or highest < before + GIVEN_BACK, "%d bytes resident, before %d", highest, before)


def beginnings(path, flows):
    """A capture: each flow sends a SYN, 60 bytes of a hello that claims 16 kB, and a byte at its
    end. Nobody answers."""
    hello = b"\x16\3\1\x3f\xf0\1\0\x3f\xec\3\3" + bytes(49)
    server, stamp = laboratory.SERVER4, 0.0
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for n in range(flows):
            source = "11.%d.%d.%d" % (n >> 16, n >> 8 & 255, n & 255)
            for seq, flags, data in ((0, SYN, b""), (1, ACK, hello), (16200, ACK, b"x")):
                raw = ip4(source, server, TCP,
                          tcp(source, server, 40000, 443, seq, 1, flags, data))
                f.write(struct.pack("<IIII", 1700000000 + int(stamp), int(stamp % 1 * 1e6),
                                    len(raw), len(raw)) + raw)
            stamp += 3.7 / flows


@cases({"few": (2000,), "many": (100000,)})
def test_beginnings_of_hellos_stay_within_the_limit(env, flows):
    """100,000 flows that begin a hello take no more than --mem-limit; gaps cost nothing."""
    limit = 24
    with env.folder() as folder:
        capture = os.path.join(folder, "flood.pcap")
        beginnings(capture, flows)

        def peak(count_file):
            process = subprocess.Popen(
                [env.program, "--pcap-in=" + count_file, "--pcap-out=/dev/null",
                 "--mem-limit=%d" % limit, "--lua-init=@" + os.path.join(env.lua, "zapret-lib.lua"),
                 "--lua-init=@" + os.path.join(env.lua, "zapret-antidpi.lua"),
                 "--pcap-local=11.0.0.0/8", "--lua-desync=multisplit:pos=midsld"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            said = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
            check_equal("exit status", status, 0)
            check("packets read" in said, "%s", said[-500:])
            return usage.ru_maxrss * 1024
        nothing = os.path.join(folder, "nothing.pcap")
        beginnings(nothing, 1)
        taken = peak(capture) - peak(nothing)
        if not sanitized(env.program):
            check(taken < (limit << 20) * 5 // 4, "%.1f MB were taken", taken / 1e6)
        if flows == 2000:
            check(taken < 8 << 20, "%.1f MB for %d flows", taken / 1e6, flows)
