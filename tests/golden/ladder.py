#!/usr/bin/env python3
"""Draws golden captures as packet ladders, and keeps those of docs/strategies.md up to date.

usage: ladder.py NAME_PART ...   prints ladders
       ladder.py --write         draws those of docs/strategies.md anew
       ladder.py --check         demands that they are up to date, and that every public function of
                                 the script libraries has its place in the document

In the document a line `<!-- ladder: NAME -->` stands in front of each ladder.
"""
import glob
import json
import os
import re
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path.insert(1, os.path.join(HERE, "..", "support"))
import packets  # noqa: E402
from packets import ACK, ICMP, ICMP6, PSH, SYN, TCP, UDP, URG  # noqa: E402

DATA = os.path.join(HERE, "..", "data", "golden")
DOCUMENT = os.path.join(ROOT, "docs", "strategies.md")
LIBRARIES = ("antidpi", "auto", "obfs", "pcap")
HOSTS = ("192.0.2.10", "2001:db8:1::10")
LEFT, RIGHT = 36, 52
FLAGS = ((1, "FIN"), (2, "SYN"), (4, "RST"), (8, "PSH"), (16, "ACK"), (32, "URG"))
OPTIONS = {2: "MSS", 3: "scale", 4: "SACK", 8: "timestamp", 19: "MD5"}
EXTENSIONS = {0: "hop-by-hop", 43: "routing", 44: "fragment", 51: "AH", 60: "dest. options"}
NAME = b"www.example.com"


# --- reading


class Scenario:
    def __init__(self, name):
        folder = os.path.join(DATA, name)
        with open(os.path.join(folder, "meta.json")) as f:
            meta = json.load(f)
        with open(os.path.join(folder, "args")) as f:
            args = f.read().splitlines()
        self.name = name
        self.args = [a.replace("@WRITABLE@", "/tmp") for a in args if not a.startswith("--lua-init=@zapret-")]
        self.inputs = [packets.parse(raw) for _, raw in
                       packets.read_pcap(os.path.join(folder, "in.pcap"))]
        outputs = [packets.parse(raw) for _, raw in
                   packets.read_pcap(os.path.join(folder, "out.pcap"))]
        self.after = [[] for _ in self.inputs]
        for index, (packet, info) in enumerate(zip(outputs, meta["output"])):
            random = [(r["offset"], r["length"]) for r in meta["random"]
                      if r["out_index"] == index]
            self.after[info["after_input"]].append((packet, info["direction"], random))
        self.flows = sorted({flow(p) for p in self.inputs if p.sport is not None},
                            key=[flow(p) for p in self.inputs].index)
        self.base, self.streams = {}, {}
        for p in self.inputs:
            self._learn(p)

    def _learn(self, p):
        """Initial sequence numbers, and the genuine bytes of each direction."""
        if p.proto != TCP or p.seq is None:
            return
        self.base.setdefault(way(p), p.seq if p.flags & SYN else p.seq - 1)
        if p.ack and p.flags & ACK:
            self.base.setdefault((way(p)[1], way(p)[0]), p.ack - 1)
        stream = self.streams.setdefault(way(p), {})
        for at, byte in enumerate(p.payload):
            stream.setdefault((self.relative(p) + at), byte)

    def relative(self, p):
        """The sequence number as Wireshark shows it: SYN 0, first byte of data 1."""
        offset = (p.seq - self.base.get(way(p), p.seq)) & 0xFFFFFFFF
        return offset - (1 << 32 if offset >= 1 << 31 else 0)


def way(p):
    return (p.src, p.sport), (p.dst, p.dport)


def flow(p):
    return tuple(sorted(way(p))) + (p.proto,)


def outgoing(p):
    return p.src in HOSTS


# --- words


def flag_text(p):
    if p.payload and p.flags == PSH | ACK:
        return "data"
    return ",".join(name for bit, name in FLAGS if p.flags & bit) or "no flags"


def preview(payload, whole=None):
    """The beginning of some bytes, in short, and whether the packet's data show the name."""
    named = ", with name" if NAME in (whole or payload) else ""
    if payload[:2] == b"\x16\x03" and payload[5:6] == b"\1":
        return "ClientHello" + named
    text = re.match(rb"[\x20-\x7e\r\n]{4,}", payload)
    if text and len(text[0]) >= min(len(payload), 12):
        line = text[0][:13].decode().replace("\r", "\\r").replace("\n", "\\n")
        return '"%s"%s' % (line if len(payload) <= 13 else line[:12] + "..", named)
    return payload[:4].hex(" ") + (" .." if len(payload) > 4 else "") + named


def genuine(scenario, p, start, payload):
    """For each byte: is it the one that belongs to this place of the stream?"""
    stream = scenario.streams.get(way(p), {})
    return [stream.get(start + at) == byte for at, byte in enumerate(payload)]


def content(scenario, p, replaced):
    """What a segment carries, compared with the genuine bytes at its place in the stream.
    `replaced`: the original if this segment alone takes its place."""
    start = scenario.relative(p) + (1 if p.flags & SYN else 0)
    if p.flags & URG:
        at = max(p.urgent - 1, 0)
        rest = p.payload[:at] + p.payload[at + 1:]
        if all(genuine(scenario, p, start + 1, rest)):
            return "urgent byte %02x at %d + %s" % (p.payload[at], at + 1,
                                                    preview(rest, p.payload))
    same = genuine(scenario, p, start, p.payload)
    if all(same) or replaced and replaced.payload == p.payload:
        return preview(p.payload)
    false = len(same) - same[::-1].index(False)
    if "seqovl=" in " ".join(scenario.args) and len(same) - false > 1:
        return "%d overlap + %s" % (false, preview(p.payload[false:]))
    if replaced:
        return changed(p.payload, same.index(False))
    return "DECOY " + preview(p.payload)


def changed(payload, at):
    return "changed at %d: %s" % (at, preview(payload[at:]))


def datagram(payload, before):
    """The payload of a datagram that has replaced another one."""
    if payload == before:
        return preview(payload)
    if payload.startswith(before):
        return "%d bytes more: %s" % (len(payload) - len(before), preview(payload[len(before):]))
    if before.startswith(payload):
        return "%d bytes less" % (len(before) - len(payload))
    return changed(payload, next(n for n, pair in enumerate(zip(payload, before))
                                 if pair[0] != pair[1]))


def tcp_options(raw):
    """List of (kind, data) as far as they are well formed."""
    found, at = [], 0
    while at < len(raw) and raw[at] != 0:
        if raw[at] == 1:
            at += 1
            continue
        if at + 1 >= len(raw) or raw[at + 1] < 2:
            break
        found.append((raw[at], raw[at + 2:at + raw[at + 1]]))
        at += raw[at + 1]
    return found


def option_changes(p, cause):
    before, now = tcp_options(cause.options), tcp_options(p.options)
    kinds = [k for k, _ in before], [k for k, _ in now]
    changes = ["+" + OPTIONS.get(k, "option %d" % k) for k in kinds[1] if k not in kinds[0]]
    changes += ["no " + OPTIONS.get(k, "option %d" % k) for k in kinds[0] if k not in kinds[1]]
    changes += ["other " + OPTIONS.get(k, "option %d" % k) for k, data in now
                if k in kinds[0] and (k, data) not in before]
    return changes or (["options moved"] if p.options != cause.options else [])


def extension_names(p):
    """IPv6 extension headers in their order."""
    if p.version != 6:
        return []
    found, kind, at = [], p.raw[6], 40
    while kind in EXTENSIONS and at + 8 <= len(p.raw):
        found.append(EXTENSIONS[kind])
        size = 8 if kind == 44 else (p.raw[at + 1] + 2) * 4 if kind == 51 else \
            (p.raw[at + 1] + 1) * 8
        kind, at = p.raw[at], at + size
    return found


def ip_id(p):
    return struct.unpack_from(">H", p.raw, 4)[0] if p.version == 4 else None


def header_changes(scenario, p, cause, random):
    """How the headers differ from those of the packet that caused this one."""
    changes = []
    if p.ttl != cause.ttl and outgoing(p) == outgoing(cause):
        changes.append("TTL %d" % p.ttl)
    if p.tos != cause.tos:
        changes.append("TOS 0x%02x" % p.tos)
    added = [n for n in extension_names(p) if n not in extension_names(cause)]
    changes += ["+" + n for n in added if n != "fragment"]
    if "ip_id" in " ".join(scenario.args) and p.version == 4:
        changes.append("id random" if (4, 2) in random else "id 0x%04x" % ip_id(p))
    if p.proto == TCP == cause.proto and p.seq is not None and cause.seq is not None:
        if p.window != cause.window:
            changes.append("window %d" % p.window)
        if p.ack != cause.ack and outgoing(p) == outgoing(cause):
            changes.append("ack %+d" % (p.ack - cause.ack))
        if p.urgent and not p.flags & URG:
            changes.append("urgent %d" % p.urgent)
        if (p.raw[transport(p) + 12] & 15) != (cause.raw[transport(cause) + 12] & 15):
            changes.append("reserved bits %d" % (p.raw[transport(p) + 12] & 15))
        changes += option_changes(p, cause)
    if p.l4_ok is False and p.proto in (TCP, UDP):
        changes.append("bad checksum")
    return changes


def transport(p):
    return packets.header_end(p.raw)[2]


def title(scenario, p):
    """The packet in one line, without what distinguishes it from its cause."""
    number = ""
    if len(scenario.flows) > 1 and p.sport is not None and flow(p) in scenario.flows:
        number = "#%d " % (scenario.flows.index(flow(p)) + 1)
    if p.fragment:
        at = struct.unpack_from(">H", p.raw, 6)[0] & 0x1FFF if p.version == 4 else \
            struct.unpack_from(">H", p.raw, transport(p) - 6)[0] >> 3
        return "%sIP fragment, bytes %d-%d" % (number, at * 8, at * 8 + len(p.payload) - 1)
    if p.proto == TCP and p.seq is not None:
        text = "%s%s seq %d" % (number, flag_text(p), scenario.relative(p))
        return text + (" len %d" % len(p.payload) if p.payload else "")
    if p.proto == UDP and p.sport is not None:
        return "%sUDP len %d" % (number, len(p.payload))
    if p.proto in (ICMP, ICMP6) and len(p.payload) >= 8:
        return "ICMP type %d code %d len %d" % (p.payload[0], p.payload[1], len(p.payload) - 8)
    if p.proto == 255:
        return "protocol 255, TTL %d: stands for the drop" % p.ttl
    return "IP protocol %d len %d" % (p.proto, len(p.payload))


def words(scenario, p, cause=None, random=(), alone=False):
    """Label and notes of a packet. `alone`: it takes the place of its cause."""
    notes = []
    if any(length > 4 and offset >= transport(p) for offset, length in random):
        notes.append("random bytes")
    elif p.payload and not p.fragment and p.proto == TCP:
        notes.append(content(scenario, p, cause if alone and cause.proto == TCP else None))
    elif p.payload and not p.fragment and p.proto == UDP:
        if cause is None or cause.proto != UDP:
            notes.append(preview(p.payload))
        elif alone:
            notes.append(datagram(p.payload, cause.payload))
        else:
            notes.append(("" if p.payload == cause.payload else "DECOY ") + preview(p.payload))
    elif p.proto in (ICMP, ICMP6) and len(p.payload) > 8 and not p.fragment:
        notes.append(preview(p.payload[8:]))
    if cause is not None and p.proto != 255:
        notes += header_changes(scenario, p, cause, random)
    return title(scenario, p), notes


# --- drawing


def arrow(label, width, right):
    shaft = "-" * max(0, width - len(label) - 5)
    return "-- %s %s>" % (label, shaft) if right else "<%s %s --" % (shaft, label)


def wrapped(label, notes, width):
    """The label with as many notes as fit, and further lines with the others."""
    lines, current, rest = [], label, list(notes)
    if rest and len(current) + 2 + len(rest[0]) <= width - 6:
        current += ": " + rest.pop(0)
    while rest and len(current) + 2 + len(rest[0]) <= width - 6:
        current += ", " + rest.pop(0)
    line = ""
    for note in rest:
        if line and len(line) + 2 + len(note) > width - 6:
            lines.append(line + ",")
            line = ""
        line += (", " if line else "") + note
    return current, lines + ([line] if line else [])


def rows(left, right):
    return " |%s|%s|" % (left.ljust(LEFT), right.ljust(RIGHT))


def draw_side(label, notes, to_right, on_left):
    width = LEFT if on_left else RIGHT
    head, more = wrapped(label, notes, width)
    drawn = [arrow(head, width, to_right)] + ["     " + line for line in more]
    return [rows(d, "") if on_left else rows("", d) for d in drawn]


def draw_through(label, notes, to_right):
    width = LEFT + RIGHT + 1
    head, more = wrapped(label, notes, width)
    return [" |%s|" % arrow(head, width, to_right)] + \
        [" |     %s|" % line.ljust(width - 5) for line in more]


def draw_input(scenario, index):
    """The lines of one input packet and of all that it causes."""
    p, caused = scenario.inputs[index], scenario.after[index]
    label, notes = words(scenario, p)
    if len(caused) == 1 and caused[0][0].raw == p.raw:
        return draw_through(label, notes, outgoing(p))
    lines = draw_side(label, notes, outgoing(p), outgoing(p))
    for q, direction, random in caused:
        original = next((i for i in scenario.inputs[:index + 1] if i.raw == q.raw), None)
        if original is not None:
            drawn = title(scenario, q), ["as it was"]
        else:
            drawn = words(scenario, q, cause_of(scenario, q, index), random, len(caused) == 1)
        to_peer = direction == "out"
        lines += draw_side(*drawn, to_peer, not to_peer)
    if not caused:
        lines.append(rows("", "  (held back)" if is_held(scenario, index) else "  (dropped)"))
    return lines


def is_held(scenario, index):
    """Later output of the same direction carries these bytes, and the input was not the last."""
    p = scenario.inputs[index]
    return any(q.payload and way(q) == way(p) and q.proto == p.proto and scenario.after[later]
               and p.payload for later, q in enumerate(scenario.inputs[index + 1:], index + 1))


def cause_of(scenario, p, index):
    """The input whose headers this packet has: a piece that was held back, or the present one."""
    present = scenario.inputs[index]
    pieces = [q for n, q in enumerate(scenario.inputs[:index])
              if not scenario.after[n] and way(q) == way(present) and q.proto == p.proto == TCP]
    return min([present] + pieces, key=lambda q: len(header_changes(scenario, p, q, ())))


def handshake(scenario, index):
    """Whether here an untouched handshake of one connection begins."""
    three = scenario.inputs[index:index + 3]
    if len(three) < 3 or any(p.proto != TCP or p.payload or p.flags is None for p in three) or \
            len({flow(p) for p in three}) != 1:
        return False
    untouched = all([q.raw for q, _, _ in scenario.after[index + n]] == [p.raw]
                    for n, p in enumerate(three))
    return untouched and [p.flags for p in three] == [SYN, SYN | ACK, ACK]


def command(args):
    """The command line, in lines of the ladder's width."""
    lines = ["$ nfqws2"]
    for argument in map(quoted, args):
        if len(lines[-1]) + len(argument) + 3 > LEFT + RIGHT:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += " " + argument
    return lines


def draw(name):
    scenario = Scenario(name)
    lines = command(scenario.args) + [""]
    ends = ("server", "client") if "--server" in scenario.args else ("client", "server")
    lines.append(" %s%s%s" % (ends[0].ljust(LEFT - 2), "nfqws2".ljust(RIGHT - 1), ends[1].rjust(6)))
    index = 0
    while index < len(scenario.inputs):
        if handshake(scenario, index):
            number = title(scenario, scenario.inputs[index]).partition("SYN")[0]
            label = " %shandshake passes: SYN, SYN,ACK, ACK " % number
            lines.append(" |<%s>|" % label.center(LEFT + RIGHT - 1, "-"))
            index += 3
            continue
        lines += draw_input(scenario, index)
        index += 1
    return "\n".join(line.rstrip() for line in lines)


def quoted(argument):
    return "'%s'" % argument if re.search(r"[ $'\"<>|;()]", argument) else argument


# --- the document

BLOCK = re.compile(r"^<!-- ladder: (\S+) -->\n(?:```text\n.*?\n```\n)?", re.M | re.S)


def renewed(text):
    return BLOCK.sub(lambda m: "<!-- ladder: %s -->\n```text\n%s\n```\n" % (m[1], draw(m[1])), text)


def missing_functions(text):
    """Public functions of the libraries that have neither a heading nor a row."""
    told = set(re.findall(r"^#+ (?:`?(\w+)`?)", text, re.M)) | set(re.findall(r"`(\w+)`", text))
    public = []
    for library in LIBRARIES:
        with open(os.path.join(ROOT, "lua", "zapret-%s.lua" % library)) as f:
            public += re.findall(r"^function (\w+)\(", f.read(), re.M)
    return [name for name in public if name not in told]


def main():
    arguments = sys.argv[1:]
    if not arguments:
        print(__doc__.strip())
        return 1
    if arguments[0] not in ("--check", "--write"):
        for path in sorted(glob.glob(os.path.join(DATA, "*", ""))):
            name = os.path.basename(os.path.dirname(path))
            if any(part in name for part in arguments):
                print("%s\n%s\n" % (name, draw(name)))
        return 0
    with open(DOCUMENT) as f:
        text = f.read()
    now = renewed(text)
    if arguments[0] == "--write":
        with open(DOCUMENT, "w") as f:
            f.write(now)
        return 0
    blocks, wanted = BLOCK.finditer(text), [m[0] for m in BLOCK.finditer(now)]
    stale = [m[1] for m, new in zip(blocks, wanted) if m[0] != new]
    missing = missing_functions(text)
    for name in stale:
        print("FAILED %s: the ladder is out of date; run tests/golden/ladder.py --write" % name)
    for name in missing:
        print("FAILED %s: not mentioned in docs/strategies.md" % name)
    print("%d passed, %d failed" % (len(wanted) - len(stale), len(stale) + len(missing)))
    return 1 if stale or missing or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
