"""Floods on a machine of 64 MB, with its default limits: what the program takes stays below it, however the
system holds it to that, and connections of real clients work meanwhile."""
import contextlib
import multiprocessing
import os
import signal
import socket
import struct
import time

from cases import Skipped
from harness import cases, check, check_equal, laboratory
from offline_world import Flow
from packets import ACK, RST, SYN, TCP, ip4, tcp
from processes import peak
from test_flood import SO_SNDBUFFORCE, make_lab, sanitized, waiting
from test_load import Load, pages_served

MACHINE = 64 << 20
LIMITS = ["--mem-limit=24", "--lua-mem-limit=16"]  # the defaults there
SECONDS = 4
STRATEGIES = {
    # Every flow asks for a host of its own and is reset.
    "hosts": ["--filter-tcp=80,443", "--payload=http_req,tls_client_hello", "--in-range=a",
              "--lua-desync=circular:fails=2", "--lua-desync=multisplit:pos=midsld:strategy=1",
              "--lua-desync=fake:blob=fake_default_http:tcp_md5:strategy=2"],
    # Every flow begins a hello of 16 kB.
    "hellos": ["--filter-tcp=80,443", "--payload=http_req,tls_client_hello", "--lua-desync=multisplit:pos=midsld"]}
BEGINNING = b"\x16\3\1\x3f\xf0\1\0\x3f\xec\3\3" + bytes(49)


def first_flow(kind):
    """Packets of one flow, with the namespace that sends each and where the client's address is."""
    source, server = "11.0.0.0", laboratory.SERVER4
    if kind == "hosts":
        flow = Flow(40000, client=source, server=server)
        packets = flow.visit("site%06d.example" % 0) + [flow.back(RST | ACK, offset=1)]
    else:
        packets = [ip4(source, server, TCP, tcp(source, server, 40000, 443, seq, 1, flags, data))
                   for seq, flags, data in ((0, SYN, b""), (1, ACK, BEGINNING), (16200, ACK, b"x"))]
    return [("box", raw, 16) if raw[12:16] == socket.inet_aton(server) else ("client", raw, 12)
            for raw in packets]


def flow_of(first, n):
    """The kernel puts the headers' checksums right; those of TCP may be wrong."""
    address = struct.pack(">I", 0x0B000000 + n)
    for who, raw, at in first:
        raw = raw[:at] + address + raw[at + 4:]
        yield who, raw.replace(b"site000000", b"site%06d" % n), (socket.inet_ntoa(raw[16:20]), 0)


def raw_socket(namespace):
    with open(namespace) as there:
        laboratory.switch_namespace(there.fileno())
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    s.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20)
    return s


def send_flood(namespaces, kind, sent):
    """As fast as the program takes it: what does not fit into its queue would pass it by."""
    sockets = {who: raw_socket(namespaces[who]) for who in ("box", "client")}
    first, end, n = first_flow(kind), time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        for who, raw, target in flow_of(first, n):
            with contextlib.suppress(OSError):
                sockets[who].sendto(raw, target)
        n += 1
        sent.value = n
        while n % 20 == 0 and waiting() > 300:
            time.sleep(0.001)


@contextlib.contextmanager
def memory_group():
    """A control group with the machine's memory, of either version."""
    name = "nfqws2-e2e-%d" % os.getpid()
    for folder, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = os.path.join(folder, name)
        try:
            os.mkdir(group)
        except OSError:
            continue
        try:
            with open(os.path.join(group, limit), "w") as f:
                f.write(str(MACHINE))
            yield group
            return
        except FileNotFoundError:
            pass  # the controller is not there
        finally:
            os.rmdir(group)
    raise Skipped("no control group for memory can be made here")


@contextlib.contextmanager
def started(env, lab, way, *args):
    """The program on such a machine."""
    wrapper = os.path.join(lab.folder, "limited")
    limit = "ulimit -v %d" % (MACHINE >> 10) if way == "ulimit" else ""
    with open(wrapper, "w") as f:
        f.write('#!/bin/sh\n%s\nexec %s "$@"\n' % (limit, env.program))
    os.chmod(wrapper, 0o755)
    with memory_group() if way == "cgroup" else contextlib.nullcontext("") as group:
        with type(env)(wrapper, env.lua).daemon(lab, *args, libraries=("lib", "antidpi", "auto")) as daemon:
            if group:  # only now: in the namespace of the client these folders cannot be seen
                with open(group + "/cgroup.procs", "w") as f:
                    f.write(str(daemon.pid))
            yield daemon


@cases({"%s_by_%s" % (kind, way): (kind, way) for kind in STRATEGIES for way in ("ulimit", "cgroup")})
def test_flood(env, kind, way):
    if sanitized(env.program):
        return
    laboratory.WORKERS = 1  # stack and heap of each take a large part of so small an address space
    with env.lab() as lab:
        make_lab(lab)
        lab.sh("box", "ip route add 11.0.0.0/8 via " + laboratory.CLIENT4)
        with started(env, lab, way, *LIMITS, *STRATEGIES[kind]) as daemon:
            Load(lab, 20).wait()
            before, sent = peak(daemon.pid), multiprocessing.Value("i", 0)
            flood = multiprocessing.get_context("fork").Process(
                target=send_flood, daemon=True,
                args=({who: "/run/netns/" + lab.ns(who) for who in ("box", "client")}, kind, sent))
            flood.start()
            load = Load(lab, 60)
            flood.join(60)
            check_equal("end of the flood", flood.exitcode, 0)
            load.wait()
            check(daemon.alive(), "the program ended")
            highest = peak(daemon.pid)
            print("%d flows; resident: %d KB before, %d at most; slowest connection %.2f s" %
                  (sent.value, before >> 10, highest >> 10, load.slowest))
            check(highest < MACHINE, "%d bytes resident", highest)
            check(sent.value > 2000, "only %d flows", sent.value)
        check_equal("pages served", pages_served(lab), 80)


def syns(path, flows):
    raw = ip4("11.0.0.0", laboratory.SERVER4, TCP, tcp("11.0.0.0", laboratory.SERVER4, 40000, 443, 0, 0, SYN))
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 101))
        for n in range(flows):
            f.write(struct.pack("<IIII", 1700000000, n, len(raw), len(raw)) + raw[:12] +
                    struct.pack(">I", 0x0B000000 + n) + raw[16:])


def test_defaults_know_the_group(env):
    """A container's memory is the machine's: a flood within the default limits does not end the program."""
    if sanitized(env.program):
        return
    with env.folder() as folder, memory_group() as group:
        capture = os.path.join(folder, "syns.pcap")
        syns(capture, 400000)
        os.chmod(capture, 0o644)

        def enter():
            with open(group + "/cgroup.procs", "w") as f:
                f.write("0")
        result = env.run("--pcap-in=" + capture, "--lua-init=function f() end",
                         "--payload=tls_client_hello", "--lua-desync=f", preexec_fn=enter)
        check_equal("exit code (%s)" % result.stderr[-500:], result.returncode, 0)


def test_defaults_know_the_address_space(env):
    if sanitized(env.program):
        return
    with env.lab() as lab, started(env, lab, "ulimit", "--lua-desync=pass") as daemon:
        daemon.process.send_signal(signal.SIGUSR1)
        daemon.wait_output("memory of 24 MB:")
