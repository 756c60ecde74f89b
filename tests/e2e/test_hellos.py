"""ClientHellos as real TCP stacks send and receive them: what a server reads must be what the
client has written, however scripts cut it; and how long a hello is held."""
import socket
import struct
import time

from harness import cases, check, check_equal, laboratory
from packets import SYN, TCP
from wire import Sniffer, StreamServer

PORT = 443


def hello(size, host=b"www.example.com", host_last=False):
    """A ClientHello of that many bytes; the name stands first or last."""
    name = struct.pack("!HHHBH", 0, len(host) + 5, len(host) + 3, 0, len(host)) + host
    head = b"\3\3" + bytes(range(32)) + b"\x20" + bytes(range(32)) + b"\0\2\x13\1\1\0"
    room = size - 5 - 4 - len(head) - 2 - len(name) - 4
    padding = struct.pack("!HH", 21, room) + bytes(i % 251 for i in range(room))
    extensions = padding + name if host_last else name + padding
    body = head + struct.pack("!H", len(extensions)) + extensions
    message = b"\1" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\3\1" + struct.pack("!H", len(message)) + message


def client_rules(lab, packets=None):
    lab.queue_client(ports=str(PORT), packets=packets)


OVERLAPS = {
    "default": "multidisorder:seqovl=midsld-1",
    "midsld": "multidisorder:pos=midsld:seqovl=midsld-1",
    "two": "multidisorder:pos=1,midsld:seqovl=midsld-1",
    "fixed": "multidisorder:pos=midsld:seqovl=1400",
    "fooling": "multidisorder:pos=midsld:seqovl=midsld-1:tcp_ts_up",
    "legacy": "multidisorder_legacy:pos=midsld:seqovl=midsld-1",
    "fakeddisorder": "fakeddisorder:pos=midsld:seqovl=midsld-1:badsum",
}


@cases({name: (instance,) for name, instance in OVERLAPS.items()})
def test_overlap_arrives_as_written(env, instance):
    """A stack keeps what came first; only bytes that one segment overwrites may be pattern."""
    hellos = [hello(1787), hello(1787, host_last=True), hello(3100, host_last=True), hello(700)]
    with env.lab() as lab, StreamServer(lab, "server", PORT) as server:
        client_rules(lab)
        with env.daemon(lab, "--lua-desync=" + instance):
            for version in (4, 6):
                for data in hellos:
                    server.finished.clear()
                    with lab.socket("client", socket.AF_INET if version == 4 else socket.AF_INET6,
                                    socket.SOCK_STREAM) as s:
                        s.settimeout(laboratory.PATIENCE)
                        s.connect((laboratory.SERVER[version], PORT))
                        s.sendall(data)
                        s.shutdown(socket.SHUT_WR)
                        check(server.wait(lambda x: x.finished), "the stream did not end")
                    wrong = [i for i, pair in enumerate(zip(server.finished[0], data))
                             if pair[0] != pair[1]]
                    check(server.finished[0] == data, "%s bytes over IPv%s arrived wrong at %s",
                          len(data), version, wrong[:3])


# --- how long a hello is held


@cases({"stack": (None,), "slow": (1.2,)})
def test_release_in_spite_of_retransmissions(env, pause):
    """The tail never comes; the stack repeats the head, or an application adds a byte now and
    then: the head leaves after 1.5 seconds all the same. If each of these were news to the program, the
    head would leave 1.5 seconds after the second one at the earliest; a machine that is so slow says
    nothing, so it is tried again."""
    request = hello(1800)
    with env.lab() as lab, StreamServer(lab, "server", PORT) as server:
        client_rules(lab)
        with env.daemon(lab, "--lua-desync=multisplit:pos=midsld"):
            for _ in range(4):
                took = release_of_head(lab, server, request, pause)
                check(took > 1.4, "the first byte came after %.2f s", took)
                if took < 2.3:
                    return
            check(False, "the first byte came after %.2f s again and again", took)


def release_of_head(lab, server, request, pause):
    """After how many seconds the head arrived. Then the tail is sent too."""
    server.streams.clear()
    with lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(laboratory.PATIENCE)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.connect((laboratory.SERVER[4], PORT))
        begin = time.monotonic()
        s.sendall(request[:1000])
        sent = 1000
        while not any(server.streams):
            took = time.monotonic() - begin
            check(took < laboratory.PATIENCE, "nothing left after %.2f s", took)
            if pause and took > pause * (sent - 999):
                s.sendall(request[sent:sent + 1])
                sent += 1
            time.sleep(0.01)
        took = time.monotonic() - begin
        s.sendall(request[sent:])
        check(server.wait(lambda x: len(x.streams[0]) == len(request)),
              "%d bytes arrived", len(server.streams[0]))
        check_equal("stream", bytes(server.streams[0]), request)
        return took


# --- hellos that are recognised now


def in_records(message, *cuts):
    """The hello's message cut into several TLS records."""
    edges = [0, *cuts, len(message)]
    return b"".join(b"\x16\3\1" + struct.pack("!H", b - a) + message[a:b]
                    for a, b in zip(edges, edges[1:]))


SAY = ("--lua-desync=luaexec:code=DLOG_CONDUP(string.format('seen %s %s',desync.l7payload,"
       "desync.track and desync.track.hostname or '-'))")
KINDS = {
    "records": lambda: [in_records(hello(900)[5:], 1, 90)],
    "one_byte": lambda: [hello(900)[:1], hello(900)[1:]],
    "five_bytes": lambda: [hello(900)[:5], hello(900)[5:]],
    "ten_bytes": lambda: [hello(900)[:10], hello(900)[10:]],
}


@cases({name: (make,) for name, make in KINDS.items()})
def test_recognised(env, make):
    pieces = make()
    with env.lab() as lab, StreamServer(lab, "server", PORT) as server:
        client_rules(lab)
        with env.daemon(lab, "--payload=tls_client_hello", SAY,
                        "--lua-desync=multidisorder:pos=2") as daemon:
            with lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
                s.settimeout(laboratory.PATIENCE)
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.connect((laboratory.SERVER[4], PORT))
                for piece in pieces:
                    s.sendall(piece)
                    time.sleep(0.02)
                check(server.wait(lambda x: x.streams and len(x.streams[0]) ==
                                  sum(map(len, pieces))), "the hello did not arrive")
                check_equal("stream", bytes(server.streams[0]), b"".join(pieces))
            daemon.wait_output("seen tls_client_hello www.example.com")


def test_fast_open_is_treated(env):
    """The hello in a SYN is taken off it, and comes through scripts behind the handshake."""
    request = hello(700)
    with env.lab() as lab:
        for who in ("client", "server"):
            lab.run(who, "sysctl", "-qw", "net.ipv4.tcp_fastopen=0x607")
        with StreamServer(lab, "server", PORT, len(request)) as server, \
                Sniffer(lab, "server", "eth0") as sniffer:
            client_rules(lab)
            with env.daemon(lab, SAY, "--lua-desync=multisplit:pos=midsld") as daemon:
                with lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
                    s.sendto(request, 0x20000000, (laboratory.SERVER[4], PORT))  # MSG_FASTOPEN
                    check(server.wait(lambda x: x.streams and len(x.streams[0]) == len(request)),
                          "the hello did not arrive")
                daemon.wait_output("seen tls_client_hello www.example.com")
            to_server = [s.packet for s in sniffer.stop()
                         if s.packet.proto == TCP and s.packet.dport == PORT]
            check_equal("data in a SYN", [len(p.payload) for p in to_server if p.flags & SYN], [0])
            check(sum(1 for p in to_server if p.payload) >= 2, "the hello was not cut")
            check_equal("stream", bytes(server.streams[0]), request)


def test_segment_longer_than_the_path(env):
    """What fooling makes too long for the device leaves in two segments, not untreated."""
    request = hello(1348 + 700)
    with env.lab() as lab, StreamServer(lab, "server", PORT) as server:
        client_rules(lab)
        padding = ("--lua-init=function padding(dis) for i = 1, 8 do "
                   "table.insert(dis.tcp.options, {kind = 1}) end end")
        with Sniffer(lab, "server", "eth0") as sniffer, \
                env.daemon(lab, padding, "--lua-desync=multisplit:pos=1348:fool=padding",
                           troubled=True):
            with lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
                s.settimeout(laboratory.PATIENCE)
                s.connect((laboratory.SERVER[4], PORT))
                lab.run("client", "ip", "link", "set", "eth0", "mtu", "1400")
                s.sendall(request)
                check(server.wait(lambda x: x.streams and len(x.streams[0]) == len(request)),
                      "the hello did not arrive")
                check_equal("stream", bytes(server.streams[0]), request)
            sizes = [len(s.packet.payload) for s in sniffer.stop()
                     if s.packet.proto == TCP and s.packet.dport == PORT and s.packet.payload]
            check_equal("segments", sizes, [1348 - 8, 8, 700])
