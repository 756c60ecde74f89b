#!/usr/bin/env python3
"""Makes seed inputs for the fuzz targets from the test data.

usage: seeds.py [FOLDER [TARGET ...]]

Writes FOLDER/<target>/<name> for every target, without FOLDER below build/fuzz/seeds (see the first
lines of each target's source for what its inputs mean). The same data give the same files, except
that files are never removed.
"""
import glob
import gzip
import json
import os
import random
import re
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
DEFAULT_FOLDER = os.path.join(HERE, "..", "..", "build", "fuzz", "seeds")
MARKERS = ("0", "-1", "host", "endhost-1", "sld+1", "midsld", "endsld", "method+2", "extlen",
           "sniext+1", "1,midsld,-5", "host+32767,host-32768", "")
RANGES = ("x", "a", "-n3", "n1-d5", "s1<p3000", "b100-", "<s1", "d1<", "a-a", "n4294967295-x")
FILTERS = ("*", "80,443", "~80", "1-1023,~53", "0", "0-65535", "1,2,3,4,5,6,7,8,9,10", "8:0,3", "-")


def samples():
    with open(os.path.join(DATA, "protocol-samples.json")) as f:
        return [(s["name"], s["l4"], bytes.fromhex(s["payload_hex"])) for s in json.load(f)]


def read_pcap(path):
    with open(path, "rb") as f:
        data = f.read()
    at, found = 24, []
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        found.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return found


def goldens():
    """(name, arguments, [(incoming, packet)]) of all recorded runs."""
    for folder in sorted(glob.glob(os.path.join(DATA, "golden", "*", ""))):
        with open(folder + "args") as f:
            arguments = f.read().splitlines()
        with open(folder + "meta.json") as f:
            ways = [x["direction"] == "in" for x in json.load(f)["input"]]
        yield os.path.basename(folder[:-1]), arguments, list(zip(ways, read_pcap(folder +
                                                                                 "in.pcap")))


def unique_packets():
    seen = {}
    for name, _, flow in goldens():
        for n, (_, raw) in enumerate(flow):
            seen.setdefault(raw, "%s-%d" % (name, n))
    return [(name, raw) for raw, name in seen.items()]


def protocol(kind):
    return ((name, payload) for name, l4, payload in samples()
            if kind in name or (kind == "dns" and b"\0\1\0\1" in payload))


def packet():
    for n, (name, raw) in enumerate(unique_packets()):
        yield name, bytes([n % 64]) + raw


def frames():
    for n, (name, raw) in enumerate(unique_packets()[::7]):
        ether = b"\2" * 12 + (b"\x08\x00" if raw[0] >> 4 == 4 else b"\x86\xdd")
        for link in range(8):
            yield "%s-%d" % (name, link), bytes([link]) + (raw if link == 0 else ether + raw)
        yield name + "-vlan", b"\1" + ether[:12] + b"\x81\0\0\1" + ether[12:] + raw


def scripts():
    for name, arguments, flow in goldens():
        lines = [a.partition("=")[2] for a in arguments if a.startswith("--lua-desync=")]
        if lines:
            yield name, "\n".join(lines).encode() + b"\n\n" + b"".join(
                struct.pack(">HB", len(raw), incoming) + raw for incoming, raw in flow)


def engine():
    """Steps: known payloads whole and in two segments, in both directions, with every action."""
    for n in range(128):
        body = bytes([n])
        for part in range(4):
            who = (n & 1) | (2 if part == 3 else 0) | (n >> 1 & 1) << 2
            body += bytes([n * 7 + part & 0xFF, who, 0xC0 | n % 4])
            if who >> 2 & 3 != 1:
                body += struct.pack(">HB", 1 + part * 200, 0x18 if part else 2)
            body += bytes([part * 50 & 0xFF, 50, n])
        yield "steps-%d" % n, body
    for n, (name, raw) in enumerate(unique_packets()[::11]):
        yield name, bytes([n % 128, 1, 0xFF, min(len(raw), 255)]) + raw[:255]


def arguments():
    lines = set()
    for _, words, _ in goldens():
        lines.update(words)
    with open(os.path.join(DATA, "..", "..", "src", "app", "options", "option_table.cpp")) as f:
        lines.update("--%s=1" % name for name in re.findall(r'(?:common|ours)\("([^"]+)"', f.read()))
    return sorted(lines)


def config():
    lines = arguments()
    for n, line in enumerate(lines):
        yield "line-%d" % n, line.encode()
        yield "value-%d" % n, line.partition("=")[2].encode()
    yield "file", "\n".join(lines).encode()
    yield "quotes", b"--comment='a b' # no\n--name=\"x\\\"y\" \\\n --lua-desync=a:b\\:c\n"
    for n, text in enumerate(RANGES + FILTERS):
        yield "grammar-%d" % n, text.encode()


def ranges():
    for kind in range(4):
        for n, text in enumerate(RANGES + FILTERS):
            yield "%d-%d" % (kind, n), bytes([kind]) + text.encode()


def control():
    with open(os.path.join(HERE, "..", "..", "docs", "control.md")) as f:
        for n, line in enumerate(re.findall("^> (.*)$", f.read(), re.M)):
            yield "example-%d" % n, line.encode()
    for n, text in enumerate((r'{"cmd":"a\"\\\/\b\u0041\ud83d\ude00","b":null,"c":-12,"d":true}', "[1]",
                              '{"cmd":"flows","port":65536,"host":{}}', '{"cmd":"stop","who":9, "held" : false } ')):
        yield "grammar-%d" % n, text.encode()


def lists():
    texts = (b"example.com\n^exact.org\n.dot.net\n# comment\n\nUPPER.case\n", b"10.0.0.0/8\n1.2.3.4\n"
             b"10.1.0.0-10.2.0.0\nfe80::/10\n::1\n0.0.0.0/0\n", b"fake:blob=x:repeats=2", b"80,~443",
             b"\xef\xbb\xbfbom.example\r\nlast", b"a" * 5000)
    for n, text in enumerate(texts):
        for piece in (0, 3, 255):
            yield "%d-%d" % (n, piece), bytes([piece]) + text


def tools():
    lines = (b"1.2.3.4", b"10.0.0.0/8", b"1.2.3.4-1.2.3.9", b"fe80::1%eth0", b"2001:db8::/32",
             b"::ffff:1.2.3.4", b"www.example.com", b"1::2-1::9", b"# x", b"https://a.b/c")
    for n, text in enumerate(lines):
        for kind in range(4):
            yield "%d-%d" % (kind, n), bytes([kind]) + text
    for name, payload in protocol("dns"):
        yield name, b"\4" + payload


def store():
    fields = ("", "\tok=1\tbad=2.5", "\tcur=%312\tt=a%20b", "\tn=nan\ti=-inf", "\tx=", "\ta=1\ta=2", "\tbad")
    lines = ["tls/host.example\t1750000000\t2592000" + text for text in fields] + ["k%09ey/пример\t1\t0\tt=%"]
    for n, line in enumerate(lines):
        yield "%d" % n, line.encode()


def gzipped():
    for n, text in enumerate((b"", b"example.com\n" * 500, bytes(range(256)), b"\0" * 70000)):
        yield "%d" % n, gzip.compress(text, mtime=0)
        yield "twice-%d" % n, gzip.compress(text, mtime=0) + gzip.compress(b"x", mtime=0)


def attribute(kind, body):
    return struct.pack("=HH", 4 + len(body), kind) + body + b"\0" * (-len(body) % 4)


def wlan():
    bss = attribute(47, attribute(1, b"\2" * 6) + attribute(9, struct.pack("=I", 1)) +
                    attribute(6, b"\0\7network\1\2ab"))
    for name, command, body in (
            ("family", 1, attribute(1, struct.pack("=H", 28)) + attribute(2, b"nl80211\0")),
            ("interface", 7, attribute(3, struct.pack("=I", 3)) + attribute(4, b"wlan0\0") +
             attribute(52, b"network")), ("scan", 34, bss)):
        generic = struct.pack("=BBH", command, 1, 0) + body
        yield name, struct.pack("=IHHII", 16 + len(generic), 28, 2, 1, 0) + generic


def markers():
    payloads = [p for n, _, p in samples() if "http_req" in n or "client_hello" in n][:12]
    for n, text in enumerate(MARKERS):
        for k, payload in enumerate(payloads):
            yield "%d-%d" % (n, k), text.encode() + b"\n" + payload


def record(kind, message=0, begin=0, size=0, flow=0, flags=0x18, chain=0, detail=0, wait=0):
    return bytes([kind, flow, message, begin, size, flags, chain, detail, 0, wait])


HANDSHAKE, SEGMENT, FRAGMENT, ICMP_ERROR, MERGED, DATAGRAM = range(6)


def structure():
    """What tests/fuzz/structure.hpp describes: the relations between packets, for both versions."""
    for v6 in 0, 1:
        opening = record(HANDSHAKE, flow=v6, flags=2) + record(HANDSHAKE, flow=v6 | 2, flags=0x12)
        parts = [record(SEGMENT, 3, begin, 64, v6) for begin in (0, 64, 128)]
        every = {
            "in-order": parts, "backwards": parts[::-1], "with-a-gap": parts[::2],
            "twice": parts * 2, "without-a-beginning": parts[1:],
            "overlapping": [record(SEGMENT, 3, begin, 64, v6) for begin in (0, 32, 16, 96)],
            "byte-by-byte": [record(SEGMENT, 0, begin, 1, v6, detail=1) for begin in range(40)],
            "near-the-wrap": [record(SEGMENT, 0, begin, 20, v6, detail=0xFC) for begin in (0, 20, 40)],
            "reset-in-between": [parts[0], record(HANDSHAKE, flow=v6, flags=4), *parts[1:]],
            "late": [parts[0], record(SEGMENT, 3, 64, 64, v6, wait=200), parts[2]],
            "fragments": [record(FRAGMENT, 3, begin, 64, v6, flags=begin < 128)
                          for begin in (0, 64, 128)],
            "fragments-overlap": [record(FRAGMENT, 2, begin, 20, v6, flags=1)
                                  for begin in (0, 10, 5, 20)],
            "error-about-it": [parts[0], record(ICMP_ERROR, 3, 0, 64, v6, flags=1), parts[1]],
            "error-cut-short": [parts[0], record(ICMP_ERROR, 3, 0, 5, v6)],
            "merged": [record(MERGED, 3, 0, 180, v6), record(SEGMENT, 3, 0, 10, v6 | 2)],
            "datagrams": [record(DATAGRAM, 2, begin, 200, v6) for begin in (0, 50)],
        }
        if v6:
            every["chains"] = [record(SEGMENT, 3, n, 64, v6, chain=n) for n in range(0, 256, 7)]
        for name, records in every.items():
            yield "%s-v%d" % (name, 6 if v6 else 4), bytes([16]) + opening + b"".join(records)


def noise(count, longest):
    source = random.Random(1)
    for n in range(count):
        yield "noise-%d" % n, source.randbytes(source.randrange(1, longest))


TARGETS = {
    "packet": packet, "frames": frames, "scripts": scripts, "engine": engine, "config": config,
    "range": ranges, "lists": lists, "tools": tools, "store": store, "gzip": gzipped, "wlan": wlan,
    "marker": markers, "structure": structure, "flow": lambda: noise(60, 400), "lua": lambda: noise(150, 400),
    "control": control, "tls": lambda: protocol("tls"), "quic": lambda: protocol("quic"),
    "http": lambda: protocol("http"), "dns": lambda: protocol("dns"),
}


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_FOLDER
    wanted = sys.argv[2:] or sorted(TARGETS)
    for target in wanted:
        os.makedirs(os.path.join(folder, target), exist_ok=True)
        count = 0
        for name, data in TARGETS[target]():
            with open(os.path.join(folder, target, name), "wb") as f:
                f.write(data)
            count += 1
        if count == 0:
            sys.exit("no seeds for " + target)


if __name__ == "__main__":
    main()
