"""Strategies for UDP and other protocols, and the transports that both ends disguise."""
import socket

from harness import (QUEUE, big_client_hello, cases, check, check_equal, client_hello, golden,
                     laboratory)
from packets import ACK, SYN, UDP, parse
from wire import DatagramServer, Sniffer, StreamServer, exchange

PORT = 4433
TTL = "ip_ttl=1:ip6_ttl=1"
QUIC = parse(golden("077-fake-quic", 0)).payload
QUIC_HALVES = [parse(golden("079-fake-quic-replay", n)).payload for n in (0, 1)]
DHT = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"


def talk(lab, version, datagrams):
    """Sends datagrams from one client socket; the echoes."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    echoes = []
    with lab.socket("client", family, socket.SOCK_DGRAM) as s:
        s.settimeout(laboratory.PATIENCE)
        s.connect((laboratory.SERVER[version], PORT))
        for data in datagrams:
            s.send(data)
        try:
            while len(echoes) < len(datagrams):
                echoes.append(s.recv(65536))
        except TimeoutError:
            pass
    return echoes


# name: (arguments, datagrams, what the server gets instead of them, TTL 1 packets that leave)
FAKE = "--lua-desync=fake:blob=fake_default_quic:repeats=2:" + TTL
DATAGRAMS = {
    "quic_fake": (["--payload=quic_initial", FAKE], [QUIC], None, 2),
    "quic_fake_unknown": (["--payload=quic_initial", FAKE], [b"not quic"], None, 0),
    "quic_halves_fake": (["--payload=quic_initial", FAKE], QUIC_HALVES, None, 3),
    "quic_halves_pass": (["--payload=quic_initial", "--lua-desync=pass"], QUIC_HALVES, None, 1),
    "quic_unjoined": (["--reasm-disable=quic_initial", "--payload=quic_initial", FAKE],
                      QUIC_HALVES, None, 4),
    "quic_ipfrag": (["--payload=quic_initial", "--lua-desync=send:ipfrag:ipfrag_pos_udp=64",
                     "--lua-desync=drop"], [QUIC], None, 1),
    "any_fake": (["--out-range=-n1", "--lua-desync=fake:payload=all:blob=0x0102030405:" + TTL],
                 [b"one", b"two"], None, 1),
    "udplen": (["--lua-desync=udplen:payload=all:increment=5:pattern=0xaabb"], [b"eight..."],
               [b"eight...\xaa\xbb\xaa\xbb\xaa"], 0),
    "udplen_shrink": (["--payload=quic_initial", "--lua-desync=udplen:increment=-20"], [QUIC],
                      [QUIC[:-20]], 0),
    "dht_dn": (["--payload=dht", "--lua-desync=dht_dn"], [DHT],
               [DHT.replace(b"d1:a", b"d3:0001:x1:a", 1)], 0),
}


@cases({name: (name,) for name in DATAGRAMS})
def test_datagrams(env, name):
    arguments, sent, arriving, dying = DATAGRAMS[name]
    with env.lab() as lab, DatagramServer(lab, "server", PORT) as server:
        lab.queue_client(QUEUE, ports=str(PORT), protocol="udp")
        with env.daemon(lab, *arguments):
            for version in (4, 6):
                server.datagrams.clear()
                with Sniffer(lab, "client") as near, Sniffer(lab, "server") as far:
                    echoes = talk(lab, version, sent)
                    near_seen, far_seen = near.stop(), far.stop()
                check_equal("datagrams at the server", server.datagrams, arriving or sent)
                check_equal("echoes", echoes, arriving or sent)
                fakes = [s for s in near_seen if s.outgoing and s.packet.ttl == 1 and
                         s.packet.proto in (UDP, 255)]
                check_equal("packets with TTL 1 over IPv%d" % version, len(fakes), dying)
                check(not any(s.packet.proto == 255 for s in far_seen),
                      "a substitute of a dropped packet came to the server")


def test_hostname_of_quic(env):
    """The name inside an encrypted Initial selects the profile."""
    with env.lab() as lab, DatagramServer(lab, "server", PORT) as server:
        lab.queue_client(QUEUE, ports=str(PORT), protocol="udp")
        # What the recorded Initial asks for, the program itself tells.
        with env.daemon(lab, "--lua-desync=luaexec:code=if desync.track.hostname then "
                             "DLOG_CONDUP('host is '..desync.track.hostname) end") as daemon:
            talk(lab, 4, [QUIC])
            daemon.wait_output("host is ")
            host = daemon.output().partition("host is ")[2].split()[0]
        for listed, fakes in ((host, 1), ("other.example", 0)):
            with env.daemon(lab, "--hostlist-domains=" + listed, "--payload=quic_initial",
                            "--lua-desync=fake:blob=fake_default_quic:" + TTL), \
                    Sniffer(lab, "client") as near:
                check_equal("echoes", talk(lab, 4, [QUIC]), [QUIC])
                seen = [s for s in near.stop() if s.outgoing and s.packet.ttl == 1 and
                        s.packet.proto == UDP]
                check_equal("fakes with the list '%s'" % listed, len(seen), fakes)
        check_equal("datagrams at the server", server.datagrams, [QUIC] * 3)


# --- both ends

BOTH = ["--in-range=a", "--out-range=a"]


def test_protocol_number_exchange(env):
    """TCP whose packets carry another protocol number and other bytes between the two ends."""
    hello = client_hello()
    # Without conntrack: what the wire shows is no TCP for the program either.
    arguments = ["--ctrack-disable", "--payload-disable", *BOTH,
                 "--lua-desync=ippxor:ippxor=192:dataxor=0xabcdef"]
    with env.lab() as lab, StreamServer(lab, "server", 8443, len(hello)) as server:
        for who in ("client", "server"):
            lab.queue_all(who, QUEUE)
        libraries = ("lib", "antidpi", "obfs")
        with env.daemon(lab, *arguments, libraries=libraries), \
                env.daemon(lab, *arguments, who="server", libraries=libraries), \
                Sniffer(lab, "box") as sniffer:
            for version in (4, 6):
                answer = exchange(lab, laboratory.SERVER[version], 8443, hello)
                check_equal("answer over IPv%d" % version, answer, StreamServer.REPLY)
            check(server.wait(lambda s: len(s.finished) == 2), "a connection did not end")
            seen = [s.packet for s in sniffer.stop() if s.packet.dst in (
                *laboratory.SERVER.values(), *laboratory.CLIENT.values())]
        check_equal("streams", server.finished, [hello, hello])
        check(not any(p.proto == 6 for p in seen), "TCP was to be seen on the wire")
        check(len([p for p in seen if p.proto == 6 ^ 192]) > 20, "nothing else was to be seen")
        check(not any(b"www.example.com" in p.raw for p in seen), "the name was to be seen")


def test_udp_in_icmp(env):
    """UDP that travels as echo requests and replies."""
    with env.lab() as lab, DatagramServer(lab, "server", PORT):
        # An echo request must not be answered by the server's kernel before it is UDP again.
        for who in ("client", "server"):
            lab.queue_all(who, QUEUE)
        common = [*BOTH, "--payload-disable"]
        libraries = ("lib", "antidpi", "obfs")
        with env.daemon(lab, *common, "--lua-desync=udp2icmp:dataxor=0x5a", libraries=libraries), \
                env.daemon(lab, *common, "--server", "--lua-desync=udp2icmp:dataxor=0x5a:server=1",
                           who="server", libraries=libraries), \
                Sniffer(lab, "box") as sniffer:
            for version in (4, 6):
                check_equal("echoes over IPv%d" % version, talk(lab, version, [b"a", b"bb" * 300]),
                            [b"a", b"bb" * 300])
            seen = [s.packet for s in sniffer.stop()]
        check(not any(p.proto == UDP for p in seen), "UDP was to be seen on the wire")
        check(len([p for p in seen if p.proto in (1, 58)]) >= 16, "no ICMP was to be seen")


# With tsecr the answer stays as it is: a time stamp echo without its low half is refused by TCP.
@cases({"x2": ("x2:synack", SYN), "urp": ("urp:synack", SYN), "opt": ("opt:opt=0102:synack", SYN),
        "xorseq": ("x2:xorseq=12345678:synack", SYN), "tsecr": ("tsecr", SYN | ACK)})
def test_hidden_handshake(env, magic, hidden):
    """TCP without a SYN on the wire, restored by the server's side."""
    hello = big_client_hello()
    arguments = [*BOTH, "--lua-desync=synhide:magic=" + magic]
    with env.lab() as lab, StreamServer(lab, "server", 8443, len(hello)) as server:
        for who in ("client", "server"):
            lab.queue_all(who, QUEUE)
        libraries = ("lib", "antidpi", "obfs")
        with env.daemon(lab, *arguments, libraries=libraries), \
                env.daemon(lab, *arguments, "--server", who="server", libraries=libraries), \
                Sniffer(lab, "box") as sniffer:
            for version in (4, 6):
                answer = exchange(lab, laboratory.SERVER[version], 8443, hello)
                check_equal("answer over IPv%d" % version, answer, StreamServer.REPLY)
            seen = [s.packet for s in sniffer.stop() if s.packet.proto == 6]
        check(server.wait(lambda s: len(s.finished) == 2), "a connection did not end")
        check_equal("streams", server.finished, [hello, hello])
        check(len(seen) > 20, "no TCP was to be seen")
        check(not any(p.flags & hidden == SYN for p in seen), "a SYN was to be seen")


def test_wireguard_handshake(env):
    """WireGuard handshakes are encrypted between the two ends, data are not."""
    start = b"\1\0\0\0" + bytes(range(144))
    answer = b"\2\0\0\0" + bytes(range(88))
    data = b"\4\0\0\0" + bytes(range(124))
    arguments = [*BOTH, "--lua-desync=wgobfs:secret=mycoolpassword"]
    libraries = ("lib", "antidpi", "obfs")
    with env.lab() as lab, DatagramServer(lab, "server", PORT) as server:
        for who in ("client", "server"):
            lab.queue_all(who, QUEUE)
        with env.daemon(lab, *arguments, libraries=libraries), \
                env.daemon(lab, *arguments, who="server", libraries=libraries), \
                Sniffer(lab, "box") as sniffer:
            for version in (4, 6):
                echoes = talk(lab, version, [start, answer, data])
                check_equal("echoes over IPv%d" % version, echoes, [start, answer, data])
            seen = [s.packet.payload for s in sniffer.stop() if s.packet.proto == UDP]
        check_equal("datagrams at the server", server.datagrams, [start, answer, data] * 2)
        check(start not in seen and answer not in seen, "a handshake was readable on the wire")
        check(data in seen, "data were changed")
