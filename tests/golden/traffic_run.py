"""Runs the program over a capture with a file of traffic rules; the packets of the cases."""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "tools")]
import packets  # noqa: E402
from packets import TCP, UDP, ip, ip4, tcp, udp  # noqa: E402

RAW_IP, ETHERNET = 101, 1  # link types
EXAMPLES = os.path.join(HERE, "..", "..", "docs", "rules.d")
CLIENT, SERVER = "198.51.100.7", "192.0.2.10"
EPOCH = 1700000000


def write_pcap(path, stamped, link_type=RAW_IP):
    """stamped: (seconds since the start, packet)"""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, link_type))
        for at, raw in stamped:
            us = round(at * 1000000)
            f.write(struct.pack("<IIII", EPOCH + us // 1000000, us % 1000000, len(raw), len(raw)) + raw)


def datagram(src=CLIENT, dst=SERVER, payload=b"hello", sport=4000, dport=53):
    return ip(src, dst, UDP, udp(src, dst, sport, dport, payload))


def segment(flags, seq=1000, ack=0, payload=b"", src=CLIENT, dst=SERVER, sport=40000, dport=443):
    return ip4(src, dst, TCP, tcp(src, dst, sport, dport, seq, ack, flags, payload))


class Run:
    def __init__(self, program, rules, stamped, *options, local=SERVER, link_type=RAW_IP):
        self.work = tempfile.TemporaryDirectory()
        names = [os.path.join(self.work.name, n) for n in ("in.pcap", "out.pcap", "rules.toml", "trace")]
        write_pcap(names[0], stamped, link_type)
        if rules is not None and not os.path.exists(rules):
            with open(names[2], "w", encoding="utf-8") as f:
                f.write("version = 1\n" + rules)
            rules = names[2]
        command = [program, "--pcap-in=" + names[0], "--pcap-out=" + names[1], "--seed=1", "--pcap-local=" + local,
                   "--trace=" + names[3], "--uid=0", *([] if rules is None else ["--rules=" + rules]), *options]
        self.result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
                                     check=False, universal_newlines=True)
        self.text = self.result.stdout
        self.out = [raw for _, raw in packets.read_pcap(names[1])] if os.path.exists(names[1]) else []
        self.trace = []
        if os.path.exists(names[3]):
            with open(names[3], encoding="utf-8") as f:
                self.trace = [json.loads(line) for line in f]
        self.work.cleanup()

    def number(self, what):
        found = re.search(re.escape(what) + r" (\d+)", self.text)
        return int(found.group(1)) if found else None


def expect(got, wanted, what):
    if got != wanted:
        raise AssertionError("%s: %r instead of %r" % (what, got, wanted))
