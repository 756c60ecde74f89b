"""Packets as bytes: building, reading, changing, and capture files. No I/O but the files."""
import collections
import socket
import struct

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
EXTENSIONS = (0, 43, 44, 51, 60, 135)

Packet = collections.namedtuple(
    "Packet", "raw version src dst ttl tos proto sport dport flags seq ack window urgent options "
              "payload fragment l4_ok")


def checksum(data):
    """One's complement sum of 16-bit words; 0xFFFF over data that holds its right checksum."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo_header(src, dst, proto, length):
    if len(src) == 4:
        return src + dst + struct.pack(">BBH", 0, proto, length)
    return src + dst + struct.pack(">IHBB", length, 0, 0, proto)


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


# --- reading


def header_end(raw):
    """(version, last protocol, offset of the L4 header, is fragment); None if it is not IP."""
    if len(raw) >= 20 and raw[0] >> 4 == 4:
        fragment = struct.unpack_from(">H", raw, 6)[0] & 0x3FFF
        return 4, raw[9], (raw[0] & 15) * 4, bool(fragment)
    if len(raw) < 40 or raw[0] >> 4 != 6:
        return None
    proto, at, fragment = raw[6], 40, False
    while proto in EXTENSIONS and at + 8 <= len(raw):
        size = 8 if proto == 44 else (raw[at + 1] + 2) * 4 if proto == 51 else \
            (raw[at + 1] + 1) * 8
        fragment = fragment or proto == 44
        proto, at = raw[at], at + size
    return 6, proto, at, fragment


def addresses(raw):
    """(source, destination) as bytes."""
    return (raw[12:16], raw[16:20]) if raw[0] >> 4 == 4 else (raw[8:24], raw[24:40])


def destination(raw):
    return addresses(raw)[1]


def ip_checksum_ok(raw):
    """Of the header of IPv4; that of IPv6 has none."""
    return raw[0] >> 4 == 6 or checksum(raw[:(raw[0] & 15) * 4]) == 0xFFFF


def l4_checksum_ok(raw):
    """Of TCP and UDP, over all that is there."""
    version, proto, at, fragment = header_end(raw)
    if fragment or proto not in (TCP, UDP):
        return True
    body = raw[at:]
    if proto == UDP and body[6:8] == b"\0\0" and version == 4:
        return True
    return checksum(pseudo_header(*addresses(raw), proto, len(body)) + body) == 0xFFFF


def parse(raw):
    """A Packet, with None where a field does not exist; None if it is not IP."""
    end = header_end(raw)
    if end is None:
        return None
    version, proto, at, fragment = end
    if version == 4:
        src, dst, ttl, tos = raw[12:16], raw[16:20], raw[8], raw[1]
        body = raw[at:struct.unpack_from(">H", raw, 2)[0]]
    else:
        src, dst, ttl = raw[8:24], raw[24:40], raw[7]
        tos = struct.unpack_from(">H", raw)[0] >> 4 & 0xFF
        body = raw[at:40 + struct.unpack_from(">H", raw, 4)[0]]
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    p = Packet(raw, version, socket.inet_ntop(family, src), socket.inet_ntop(family, dst), ttl, tos,
               proto, None, None, None, None, None, None, None, None, body, fragment, None)
    if fragment:
        return p
    good = checksum(pseudo_header(src, dst, proto, len(body)) + body) == 0xFFFF
    if proto == TCP and len(body) >= 20:
        sport, dport, seq, ack, off, flags, window, _, urgent = struct.unpack_from(">HHIIBBHHH",
                                                                                   body)
        size = (off >> 4) * 4
        return p._replace(sport=sport, dport=dport, seq=seq, ack=ack, flags=flags, window=window,
                          urgent=urgent, options=body[20:size], payload=body[size:], l4_ok=good)
    if proto == UDP and len(body) >= 8:
        sport, dport = struct.unpack_from(">HH", body)
        return p._replace(sport=sport, dport=dport, payload=body[8:], l4_ok=good)
    return p


# --- building


def ip4(src, dst, proto, body, ttl=64, ident=0x1234, offset=0x4000, options=b""):
    size = 20 + len(options)
    head = struct.pack(">BBHHHBBH4s4s", 0x40 | size // 4, 0, size + len(body), ident, offset, ttl,
                       proto, 0, address(src), address(dst)) + options
    return fix_ip4(head + body)


def fix_ip4(raw):
    """The packet with a right IPv4 header checksum, as far as its header is there."""
    size = min((raw[0] & 15) * 4, len(raw))
    head = raw[:10] + b"\0\0" + raw[12:size]
    return head[:10] + struct.pack(">H", 0xFFFF - checksum(head)) + head[12:] + raw[size:]


def ip6(src, dst, proto, body, ttl=64, extensions=()):
    """extensions: (type, bytes behind the next-header byte)"""
    chain = b""
    kinds = [kind for kind, _ in extensions] + [proto]
    for (_, data), following in zip(extensions, kinds[1:]):
        chain += bytes([following]) + data
    return struct.pack(">IHBB", 0x60000000, len(chain) + len(body), kinds[0], ttl) + \
        address(src) + address(dst) + chain + body


def ip(src, dst, proto, body, **kwargs):
    return (ip6 if ":" in src else ip4)(src, dst, proto, body, **kwargs)


def tcp(src, dst, sport, dport, seq, ack, flags, payload=b"", options=b"", window=64240):
    options += b"\x01" * (-len(options) % 4)
    body = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF,
                       (20 + len(options)) // 4 << 4, flags, window, 0, 0) + options + payload
    total = checksum(pseudo_header(address(src), address(dst), TCP, len(body)) + body)
    return body[:16] + struct.pack(">H", 0xFFFF - total) + body[18:]


def udp(src, dst, sport, dport, payload):
    body = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    total = checksum(pseudo_header(address(src), address(dst), UDP, len(body)) + body)
    return body[:6] + struct.pack(">H", 0xFFFF - total or 0xFFFF) + body[8:]


def icmp(src, dst, kind, code, payload):
    body = struct.pack(">BBHI", kind, code, 0, 0x00010002) + payload
    covered = body if ":" not in src else \
        pseudo_header(address(src), address(dst), ICMP6, len(body)) + body
    return body[:2] + struct.pack(">H", 0xFFFF - checksum(covered)) + body[4:]


def with_ttl(raw, ttl):
    if raw[0] >> 4 == 6:
        return raw[:7] + bytes([ttl]) + raw[8:]
    return fix_ip4(raw[:8] + bytes([ttl]) + raw[9:])


# --- capture files


def read_pcap(path):
    """The packets of a classic raw-IP capture: list of (second, bytes). Numbers are in the byte order of
    its writer."""
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    packets, at = [], 24
    while at + 16 <= len(data):
        second, _, captured, _ = struct.unpack_from(order + "IIII", data, at)
        packets.append((second, data[at + 16:at + 16 + captured]))
        at += 16 + captured
    return packets


def write_pcap(path, packets, rate=1000):
    """`rate`: packets of a second of the capture's time."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000, 101))
        for n, raw in enumerate(packets):
            f.write(struct.pack("<IIII", 1700000000 + n // rate, n % rate * 1000000 // rate, len(raw),
                                len(raw)) + raw)
