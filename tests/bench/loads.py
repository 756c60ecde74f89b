"""Captures for benches, made up packet by packet: each load is a way to make any number of packets that all
look alike, so that twice as many cost twice as much.

A capture holds what a box of ours sees of short flows, one behind the other. Its time goes by 5 ms a packet: flows
that have ended are forgotten while others begin, as on a router that has been up for a while.
"""
import itertools
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import packets  # noqa: E402
from packets import ACK, FIN, PSH, SYN, TCP, UDP  # noqa: E402

LOCAL = "192.0.2.10"
RATE = 200  # packets of a second
HOSTS = 500  # names that connections ask for
FLOW = 20  # packets of a flow
MSS = bytes([2, 4, 1400 >> 8, 1400 & 255])
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 10733\r\n\r\n"
SEGMENT = 1350


def host(n):
    return "www%d.example.com" % (n * 7 % HOSTS)


def server(n):
    return "203.0.113.%d" % (1 + n % 250)


def port(n):
    return 10000 + n % 50000


def sample(name):
    """A message of those that the detectors are tested with."""
    with open(os.path.join(HERE, "..", "data", "protocol-samples.json"), encoding="utf-8") as file:
        return next(bytes.fromhex(one["payload_hex"]) for one in json.load(file) if one["name"] == name)


class Connection:
    """Makes the packets of connection number n, both ways."""

    def __init__(self, n):
        self.peers = {True: (LOCAL, server(n), port(n), 80), False: (server(n), LOCAL, 80, port(n))}
        self.seq = {True: 1000 + n, False: 5000 + n}

    def packet(self, out, flags, payload=b"", options=b""):
        src, dst, sport, dport = self.peers[out]
        ack = self.seq[not out] if flags & ACK else 0
        raw = packets.ip4(src, dst, TCP, packets.tcp(src, dst, sport, dport, self.seq[out], ack, flags, payload,
                                                     options))
        self.seq[out] += len(payload) + bool(flags & (SYN | FIN))
        return raw


def http():
    """Short connections, a request and its answer of 8 segments, FLOW packets each."""
    segments = [REPLY.ljust(SEGMENT, b"x")] + [b"x" * SEGMENT] * 7
    for n in itertools.count():
        request = "GET /page HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n" % host(n)
        made = Connection(n)
        yield made.packet(True, SYN, options=MSS)
        yield made.packet(False, SYN | ACK, options=MSS)
        yield made.packet(True, ACK)
        yield made.packet(True, PSH | ACK, request.encode())
        yield made.packet(False, ACK)
        for k, segment in enumerate(segments):
            yield made.packet(False, PSH | ACK, segment)
            if k % 2 == 1:
                yield made.packet(True, ACK)
        yield made.packet(False, FIN | ACK)
        yield made.packet(True, FIN | ACK)
        yield made.packet(False, ACK)


def datagrams(n, messages):
    """Of flow number n; each message is (goes out, payload)."""
    for out, payload in messages:
        ends = [(LOCAL, port(n)), (server(n), 443)]
        (src, sport), (dst, dport) = ends if out else reversed(ends)
        yield packets.ip4(src, dst, UDP, packets.udp(src, dst, sport, dport, payload))


def udp():
    """Datagrams of 64 bytes that carry nothing known, out and in by turns."""
    for n in itertools.count():
        yield from datagrams(n, [(turn % 2 == 0, b"\0" * 64) for turn in range(FLOW)])


def quic():
    """An Initial with a ClientHello, and datagrams both ways that nobody can read."""
    initial = sample("quic_v1_rfc9001_A2")
    rest = [(turn % 2 == 0, b"\x40" + b"q" * 299) for turn in range(1, FLOW)]
    for n in itertools.count():
        yield from datagrams(n, [(True, initial)] + rest)


def first_packets():
    """Each opens a flow of its own, and no other comes."""
    for n in itertools.count():
        src, dst = LOCAL, "198.18.%d.%d" % (n >> 8 & 255, n & 255)
        yield packets.ip4(src, dst, UDP, packets.udp(src, dst, 10000 + (n >> 16), 443, b"\0" * 64))


def write(path, load, number, rate=RATE):
    packets.write_pcap(path, itertools.islice(load(), number), rate)
