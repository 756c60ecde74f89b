"""ClientHellos as real TCP stacks send and receive them: what a server reads must be what the
client has written, however scripts cut it."""
import socket
import struct

from harness import cases, check, check_equal, laboratory
from packets import TCP
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
                        s.settimeout(10)
                        s.connect((laboratory.SERVER[version], PORT))
                        s.sendall(data)
                        s.shutdown(socket.SHUT_WR)
                        check(server.wait(lambda x: x.finished), "the stream did not end")
                    wrong = [i for i, pair in enumerate(zip(server.finished[0], data))
                             if pair[0] != pair[1]]
                    check(server.finished[0] == data, "%s bytes over IPv%s arrived wrong at %s",
                          len(data), version, wrong[:3])


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
                s.settimeout(10)
                s.connect((laboratory.SERVER[4], PORT))
                lab.run("client", "ip", "link", "set", "eth0", "mtu", "1400")
                s.sendall(request)
                check(server.wait(lambda x: x.streams and len(x.streams[0]) == len(request)),
                      "the hello did not arrive")
                check_equal("stream", bytes(server.streams[0]), request)
            sizes = [len(s.packet.payload) for s in sniffer.stop()
                     if s.packet.proto == TCP and s.packet.dport == PORT and s.packet.payload]
            check_equal("segments", sizes, [1348 - 8, 8, 700])
