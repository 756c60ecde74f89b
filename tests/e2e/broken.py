"""Broken packets: every base packet cut at every byte, with every header field that can lie lying,
and with random bytes turned over."""
import random
import struct

from harness import HTTP_REQUEST, big_client_hello, client_hello, golden
from packets import (ACK, ICMP, ICMP6, PSH, SYN, TCP, UDP, checksum, fix_ip4, header_end,
                     icmp, ip, ip4, ip6, parse, pseudo_header, tcp, udp)

SYN_OPTIONS = bytes.fromhex("020405b40402080a0000000100000000010303070101")
TS_OPTIONS = bytes.fromhex("0101080a0000000200000001")
# Each 8 or 16 bytes without the next-header byte: hop-by-hop, destination, routing, AH, fragment.
EXTENSIONS = {
    "hop": (0, bytes.fromhex("00010400000000")),
    "dst": (60, bytes.fromhex("01010c000000000000000000000000")),
    "route": (43, bytes.fromhex("00fd0000000000")),
    "ah": (51, bytes.fromhex("04000000000001000000020000000000000000000000000000000000")[:23]),
    "frag": (44, bytes.fromhex("00000100001234")),
}


def bases(src, dst):
    """name -> whole packet between two addresses of one version."""
    def segment(flags, data=b"", options=TS_OPTIONS, port=443):
        return tcp(src, dst, 40000, port, 1000, 2000, flags, data, options)

    quic = parse(golden("077-fake-quic", 0)).payload
    protocol = ICMP6 if ":" in src else ICMP
    unreachable, ping = ((1, 4), 128) if ":" in src else ((3, 3), 8)
    quoted = ip(dst, src, TCP, tcp(dst, src, 443, 40000, 5, 6, ACK, b"quoted"))
    made = {
        "syn": ip(src, dst, TCP, segment(SYN, b"", SYN_OPTIONS)),
        "ack": ip(src, dst, TCP, segment(ACK)),
        "hello": ip(src, dst, TCP, segment(ACK | PSH, client_hello())),
        "half": ip(src, dst, TCP, segment(ACK, big_client_hello()[:700])),
        "http": ip(src, dst, TCP, segment(ACK | PSH, HTTP_REQUEST, port=80)),
        "quic": ip(src, dst, UDP, udp(src, dst, 40001, 443, quic)),
        "dns": ip(src, dst, UDP, udp(src, dst, 40002, 53, dns_query())),
        "ping": ip(src, dst, protocol, icmp(src, dst, ping, 0, b"ping of the broken")),
        "error": ip(src, dst, protocol, icmp(src, dst, *unreachable, quoted)),
        "other": ip(src, dst, 253, b"a protocol nobody knows"),
    }
    if ":" in src:
        for name, extension in EXTENSIONS.items():
            made["tcp-" + name] = ip6(src, dst, TCP, segment(ACK | PSH, b"data"),
                                      extensions=[extension])
        made["all-headers"] = ip6(src, dst, UDP, udp(src, dst, 1, 2, b"data"), extensions=[
            EXTENSIONS[n] for n in ("hop", "dst", "route", "ah")])
    else:
        made["options"] = ip4(src, dst, TCP, segment(ACK | PSH, b"data"),
                              options=bytes.fromhex("94040000010101010101010000000000"))
        made["fragment"] = ip4(src, dst, UDP, b"F" * 24, offset=0x20B9)
    return made


def dns_query():
    return bytes.fromhex("abcd01000001000000000000") + b"\3www\7example\3com\0\0\1\0\1"


def cuts(raw):
    """The packet cut at every byte of its headers and at some of the payload: once as a capture
    would cut it, once with lengths that fit what is left."""
    for size in [n for n in range(len(raw)) if n < 140 or n % 97 == 0]:
        yield raw[:size]
        yield fitting(raw[:size])


def fitting(raw):
    """With a total length and header checksum that agree with the bytes that are there."""
    if len(raw) >= 20 and raw[0] >> 4 == 4:
        return fix_ip4(raw[:2] + struct.pack(">H", len(raw)) + raw[4:])
    if len(raw) >= 40:
        return raw[:4] + struct.pack(">H", len(raw) - 40) + raw[6:]
    return raw


def with_bytes(raw, at, data):
    return raw[:at] + data + raw[at + len(data):]


def lies(raw):
    """One field a time says what is not so."""
    version, proto, at, fragment = header_end(raw)
    fields = [(0, 1, (0x00, 0x30, 0x40, 0x45, 0x4F, 0x50, 0x60, 0xF0))]
    if version == 4:
        fields += [(0, 1, (0x41, 0x44, 0x46, 0x4F)), (2, 2, (0, 1, 19, 20, 21, 39, 40, 0xFFFF)),
                   (6, 2, (0x2000, 0x1FFF, 0x3FFF, 0x8000, 1)), (9, 1, (0, 1, 6, 17, 58, 255)),
                   (10, 2, (0, 0xFFFF))]
    else:
        fields += [(4, 2, (0, 1, 7, 8, 19, 20, 0xFFFF)),
                   (6, 1, (0, 6, 17, 43, 44, 50, 51, 58, 59, 60, 135, 255))]
        if at > 40:
            fields += [(40, 1, (0, 6, 43, 44, 51, 59, 60)), (41, 1, (0, 1, 2, 7, 31, 255))]
    if not fragment and proto == TCP:
        fields += [(at + 12, 1, (0x00, 0x10, 0x40, 0x50, 0x60, 0xF0)),
                   (at + 13, 1, range(0, 256, 7)), (at + 18, 2, (1, 0xFFFF)),
                   (at + 4, 4, (0, 0xFFFFFFFF))]
        # TCP options that run over, of length 0 and 1, of each kind
        fields += [(at + 20, 2, (0x0200, 0x0201, 0x02FF, 0x0303, 0x0328, 0x0800, 0x08FF, 0x0502,
                                 0xFD00, 0x1301))]
    if not fragment and proto == UDP:
        fields += [(at + 4, 2, (0, 1, 7, 8, 9, 0xFFFF)), (at + 6, 2, (0, 1))]
    if proto in (ICMP, ICMP6):
        fields += [(at, 1, range(0, 256, 5))]
    # Lengths inside of the payload: TLS record, handshake and extension lengths, QUIC varints
    start = at + (raw[at + 12] >> 4) * 4 if proto == TCP and not fragment else at + 8
    fields += [(start + n, 1, (0x00, 0x3F, 0x7F, 0xC0, 0xFF)) for n in range(0, 120)]
    for position, size, values in fields:
        for value in values:
            if position + size <= len(raw):
                changed = with_bytes(raw, position, value.to_bytes(size, "big"))
                yield changed
                yield refresh(changed)


def refresh(raw):
    """With right checksums as far as there are headers, so that less is refused on the way."""
    end = header_end(raw)
    if end is None:
        return raw
    version, proto, at, fragment = end
    raw = fix_ip4(raw) if version == 4 else raw
    spot = {TCP: 16, UDP: 6, ICMP: 2, ICMP6: 2}.get(proto)
    if fragment or spot is None or at + spot + 2 > len(raw):
        return raw
    body = raw[at:at + spot] + b"\0\0" + raw[at + spot + 2:]
    addresses = (raw[12:16], raw[16:20]) if version == 4 else (raw[8:24], raw[24:40])
    head = b"" if proto == ICMP else pseudo_header(*addresses, proto, len(body))
    return with_bytes(raw, at + spot, struct.pack(">H", 0xFFFF - checksum(head + body)))


def noise(raw, generator, count):
    """Random bytes turned over anywhere, addresses spared."""
    end = 20 if raw[0] >> 4 == 4 else 40
    spared = range(12, 20) if end == 20 else range(8, 40)
    places = [n for n in range(len(raw)) if n not in spared]
    for _ in range(count):
        changed = bytearray(raw)
        for _ in range(generator.choice((1, 1, 2, 4, 16))):
            changed[generator.choice(places)] = generator.randrange(256)
        yield refresh(bytes(changed)) if generator.random() < 0.6 else bytes(changed)


def all_broken(src, dst, noisy=40):
    """All broken packets between two addresses, in an order that is always the same."""
    generator = random.Random(42)
    for raw in bases(src, dst).values():
        yield raw
        yield from cuts(raw)
        yield from lies(raw)
        yield from noise(raw, generator, noisy)
