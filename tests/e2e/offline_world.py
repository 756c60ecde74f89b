"""A small capture of all that filters can tell apart, and what the program did with each packet."""
import json
import os
import struct
import subprocess
import sys

import packets
from harness import check, client_hello, golden
from packets import ACK, PSH, RST, SYN, TCP, UDP

CLIENT4, SERVER4 = "10.0.0.2", "192.0.2.1"
CLIENT6, SERVER6 = "2001:db8::2", "2001:db8::80"
LOCAL = "--pcap-local=%s,%s" % (CLIENT4, CLIENT6)
HOST = "www.example.com"
REQUEST = b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
START = 1700000000

# A folder as /dev, with what the program needs of it.
MAKE_DEV = """
mount --make-rprivate /
mkdir -p "$1/dev"
mount -t tmpfs none "$1/dev"
for node in null random urandom; do
    touch "$1/dev/$node"
    mount --bind "/dev/$node" "$1/dev/$node"
done
mount --rbind "$1/dev" /dev
shift
exec "$@"
"""

# Runs a command and prints the records it sent to /dev/log.
LISTEN = """
import os, socket, subprocess, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
log.bind("/dev/log")
os.chmod("/dev/log", 0o666)
log.settimeout(0.2)
program = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
while True:
    try:
        print(log.recv(65536).decode(errors="replace"))
    except TimeoutError:
        if program.poll() is not None:
            break
sys.exit(program.returncode)
"""


class Flow:
    """A TCP flow; each method gives one packet's bytes."""

    def __init__(self, sport, dport=80, client=CLIENT4, server=SERVER4):
        self.ports, self.ends = (sport, dport), (client, server)
        self.isn = (1000, 5000)

    def out(self, flags, payload=b"", offset=0):
        client, server = self.ends
        return packets.ip(client, server, TCP, packets.tcp(
            client, server, *self.ports, self.isn[0] + offset, self.isn[1] + 1, flags, payload))

    def back(self, flags, payload=b"", offset=0):
        client, server = self.ends
        return packets.ip(server, client, TCP, packets.tcp(
            server, client, *self.ports[::-1], self.isn[1] + offset, self.isn[0] + 1, flags,
            payload))

    def handshake(self):
        return [self.out(SYN), self.back(SYN | ACK), self.out(ACK, offset=1)]

    def send(self, data, offset=1):
        return self.out(ACK | PSH, data, offset)

    def request(self, host=HOST):
        return self.send(REQUEST % host.encode())

    def reply(self, data=REPLY, offset=1):
        return self.back(ACK | PSH, data, offset)

    def reset(self):
        return self.back(RST, offset=1)

    def visit(self, host=HOST):
        return self.handshake() + [self.request(host)]


def datagram(data, sport=5000, dport=443, back=False):
    ends, ports = (CLIENT4, SERVER4), (sport, dport)
    if back:
        ends, ports = ends[::-1], ports[::-1]
    return packets.ip(*ends, UDP, packets.udp(*ends, *ports, data))


QUIC = packets.parse(golden("077-fake-quic", 0)).payload
QUIC_HOST = "www.example.com"
DNS = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\3www\7example\3org\0\0\1\0\1"


def mixed():
    """(name, bytes) of one packet of each kind."""
    web, secure = Flow(40000), Flow(41000, 443, CLIENT6, SERVER6)
    return [
        ("syn", web.out(SYN)), ("synack", web.back(SYN | ACK)), ("ack", web.out(ACK, offset=1)),
        ("http", web.request()), ("reply", web.reply()),
        ("syn6", secure.out(SYN)), ("synack6", secure.back(SYN | ACK)),
        ("tls6", secure.send(client_hello())),
        ("quic", datagram(QUIC)), ("dns", datagram(DNS, 5001, 53)),
        ("ping", packets.ip(CLIENT4, SERVER4, packets.ICMP,
                            packets.icmp(CLIENT4, SERVER4, 8, 0, b"ping"))),
        ("gre", packets.ip(CLIENT4, SERVER4, 47, b"\0" * 8)),
    ]


EVERYTHING = {"syn", "ack", "http", "syn6", "tls6", "quic", "dns", "ping", "gre"}  # outgoing
TCP4 = {"syn", "ack", "http"}
TCP6 = {"syn6", "tls6"}


def write_capture(path, timed):
    """timed: (seconds since the start, bytes)"""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 101))
        for n, (second, raw) in enumerate(timed):
            f.write(struct.pack("<IIII", START + int(second), n, len(raw), len(raw)) + raw)


class Run:
    """What the program said and did with a capture."""

    def __init__(self, result, trace, out, names):
        self.code, self.said, self.errors = result.returncode, result.stdout, result.stderr
        self.trace, self.out, self.names = trace, out, names

    def called(self, instance=0):
        """Names of the packets for which an instance of their profile was called."""
        return {name for name, record in zip(self.names, self.trace)
                if len(record["instances"]) > instance and record["instances"][instance]["called"]}

    def profiles(self):
        return {name: record["profile"]["n"] for name, record in zip(self.names, self.trace)
                if record["profile"]}


class World:
    """Runs the program offline in a folder of its own."""

    def __init__(self, env, folder):
        self.env, self.folder = env, folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, content=""):
        with open(self.path(name), "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def read(self, name):
        with open(self.path(name), errors="replace") as f:
            return f.read()

    def run(self, *args, timed=None, code=0, local=True, kwargs=None):
        """The capture is the mixed one, or `timed`: (second, bytes)."""
        named = mixed()
        names = [name for name, _ in named] if timed is None else list(range(len(timed)))
        write_capture(self.path("in.pcap"), timed or [(n, raw) for n, (_, raw) in enumerate(named)])
        for stale in ("out.pcap", "trace"):
            if os.path.exists(self.path(stale)):
                os.unlink(self.path(stale))
        words = ["--pcap-in=" + self.path("in.pcap"), "--pcap-out=" + self.path("out.pcap"),
                 "--trace=" + self.path("trace"), *([LOCAL] if local else []),
                 "--lua-init=function f() end function g() end "
                 "function say(c,d,a) print('said '..tostring(d.arg.t)) end", *args]
        result = self.env.run(*words, **(kwargs or {}))
        check(result.returncode == code, "exit code %s of %s:\n%s%s", result.returncode, args,
              result.stdout[-1500:], result.stderr[-1500:])
        trace = [json.loads(line) for line in self.read("trace").splitlines()]
        out = [packets.parse(raw) for _, raw in packets.read_pcap(self.path("out.pcap"))]
        return Run(result, trace, out, names)

    def called(self, *args):
        return self.run(*args, "--lua-desync=f").called()

    def syslog(self, *args, code=0):
        """What a run sends to the system log: in a /dev of its own."""
        self.run()
        script = "--lua-init=function f() end"
        command = ["unshare", "-m", "sh", "-ec", MAKE_DEV, "sh", self.folder, sys.executable, "-c",
                   LISTEN, self.env.program, "--pcap-in=" + self.path("in.pcap"), script, *args]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        check(result.returncode == code, "exit code %d: %s", result.returncode, result.stderr)
        return result.stdout


def at(second, *raw):
    return [(second, one) for one in raw]


def spaced(*raw, step=1):
    return [(n * step, one) for n, one in enumerate(raw)]
