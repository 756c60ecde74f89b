"""The packets that the manual of rules speaks of, by letter, and more of their kinds."""
import struct

from packets import ACK, ICMP, ICMP6, PSH, SYN, TCP, UDP, icmp, ip4, ip6, tcp, udp

SCTP, IPIP, IP6_IN_IP, GRE, ESP, AH = 132, 4, 41, 47, 50, 51
NEAR, FAR = "10.0.0.1", "192.0.2.10"
NEAR6, FAR6 = "2001:db8::1", "2001:db8:1::10"
IN, OUT = "172.16.0.1", "172.16.0.2"  # of tunnels

SYN_OPTIONS = bytes((2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7))
DATA_OPTIONS = bytes((1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 1))
SUFFICIENT = bytes(28)  # of a chunk behind the ports of SCTP


def v4(proto, body, src=NEAR, dst=FAR, ttl=64, offset=0):
    return ip4(src, dst, proto, body, ttl=ttl, offset=offset)


def inside(proto, body):
    return v4(proto, body, src=IN, dst=OUT)


def gre(packet):
    return struct.pack(">HH", 0, 0x0800) + packet


def esp(spi):
    return struct.pack(">II", spi, 1) + bytes(32)


def ah(spi, body):
    return struct.pack(">BBHII", TCP, 4, 0, spi, 1) + bytes(12) + body


def inner_tcp():
    return tcp(IN, OUT, 1, 2, 1000, 2000, ACK)


def inner_udp():
    return udp(IN, OUT, 1, 2, b"hello")


LARGE = udp(NEAR, FAR, 4000, 53, b"x" * 3052)

PACKETS = {
    "U": v4(UDP, udp(NEAR, FAR, 4000, 53, b"hello")),
    "S": v4(TCP, tcp(NEAR, FAR, 40000, 443, 1000, 0, SYN, b"", SYN_OPTIONS)),
    "D": v4(TCP, tcp(NEAR, FAR, 40000, 443, 1001, 2000, PSH | ACK, b"GET / HTTP/1.1\r\n\r\n", DATA_OPTIONS),
            offset=0x4000),
    "V6": ip6(NEAR6, FAR6, UDP, udp(NEAR6, FAR6, 4000, 53, b"hello")),
    "G": v4(GRE, gre(inside(UDP, inner_udp()))),
    "P": v4(IPIP, inside(TCP, inner_tcp())),
    "T6": v4(IP6_IN_IP, ip6(NEAR6, FAR6, UDP, udp(NEAR6, FAR6, 5, 6, b"hello"))),
    "E": v4(ESP, esp(4096)),
    "A": v4(AH, ah(4097, tcp(NEAR, FAR, 40000, 443, 1000, 2000, ACK))),
    "GE": v4(GRE, gre(inside(ESP, esp(8192)))),
    "GA": v4(GRE, gre(inside(AH, ah(8193, inner_tcp())))),
    "F0": v4(UDP, LARGE[:1480], offset=0x2000),
    "F1": v4(UDP, LARGE[1480:2960], offset=0x2000 | 1480 // 8),
    "F2": v4(UDP, LARGE[2960:], offset=2960 // 8),
    "C": v4(SCTP, struct.pack(">HHII", 5000, 6000, 1, 0) + SUFFICIENT),
    "I": v4(ICMP, icmp(NEAR, FAR, 8, 0, b"ping")),
    "J": v4(ICMP, icmp(NEAR, FAR, 3, 3, b"ping")),
    "N": ip6(NEAR6, FAR6, ICMP6, icmp(NEAR6, FAR6, 135, 0, b"ping")),
    "L": v4(UDP, udp(NEAR, FAR, 4000, 54, b"hello"), ttl=65),
    "O": v4(UDP, udp(FAR, NEAR, 7, 8, b"hallo"), src=FAR, dst=NEAR),  # goes out
}

ADDRESSES = bytes.fromhex("020000000001020000000002")
FRAMES = {  # of U, behind an Ethernet header
    "plain": ADDRESSES + bytes.fromhex("0800") + PACKETS["U"],
    "tag5": ADDRESSES + bytes.fromhex("810020050800") + PACKETS["U"],
    "tag6": ADDRESSES + bytes.fromhex("810000060800") + PACKETS["U"],
    "tags": ADDRESSES + bytes.fromhex("88a80006810000050800") + PACKETS["U"],
    "other": bytes.fromhex("020000000009020000000002810000050800") + PACKETS["U"],
    "pppoe": ADDRESSES + bytes.fromhex("88641100000100230021") + PACKETS["U"],
    "mpls": ADDRESSES + bytes.fromhex("88470000a0400000b140") + PACKETS["U"],
}
