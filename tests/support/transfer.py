"""Bulk transfers between two namespaces, judged by their hash: TCP, and UDP with a small protocol
that repeats what was lost."""
import hashlib
import os
import socket
import struct
import threading
import time

import lab as laboratory
from expect import PATIENCE, check, check_equal
from wire import SO_RCVBUFFORCE

PORT = 5201
CHUNK = 1200  # fits with all headers into any MTU
WINDOW = 64   # datagrams on their way
ACK_EVERY = 8
RESEND = 0.1
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}


def megabytes(default=2):
    """Size of a transfer; NFQWS2_TRANSFER_MB makes it larger than an everyday run can afford,
    or smaller for a slow machine."""
    return int(float(os.environ.get("NFQWS2_TRANSFER_MB", default)) * 1000000)


def make_data(size):
    """Bytes that do not repeat within a packet or a window."""
    block = os.urandom(1 << 20)
    return (block * (size // len(block) + 1))[:size]


def in_background(function, *args):
    """Starts a thread; join() of what is returned gives its result or raises its error."""
    box = {}

    def run():
        try:
            box["result"] = function(*args)
        except Exception as e:  # reported by join()
            box["error"] = e

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join(timeout=140):
        thread.join(timeout)
        check(not thread.is_alive(), "the transfer did not end")
        if "error" in box:
            raise box["error"]
        return box["result"]
    return join


def bulk(lab, transfer, addresses, size):
    """Both directions at a time over each address; gives the bytes per second."""
    begin = time.monotonic()
    for version, address in addresses.items():
        up, down = make_data(size), make_data(size)[::-1]
        got_up, got_down = transfer(lab, version, address, up, down)
        for way, sent, got in (("to the server", up, got_up), ("to the client", down, got_down)):
            check_equal("bytes %s over IPv%d" % (way, version), got[0], len(sent))
            check(got[1] == hashlib.sha256(sent).digest(), "the bytes %s differ", way)
    return 2 * len(addresses) * size / (time.monotonic() - begin)


# --- TCP


def receive_stream(connection):
    digest, length = hashlib.sha256(), 0
    while True:
        piece = connection.recv(1 << 16)
        if not piece:
            return length, digest.digest()
        digest.update(piece)
        length += len(piece)


def send_stream(connection, data):
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def both_ways(connection, data):
    sending = in_background(send_stream, connection, data)
    got = receive_stream(connection)
    sending()
    return got


def serve_stream(listener, data):
    listener.settimeout(PATIENCE)
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(PATIENCE)
        return both_ways(connection, data)


def tcp_transfer(lab, version, address, up, down):
    with lab.socket("server", FAMILY[version], socket.SOCK_STREAM) as listener, \
            lab.socket("client", FAMILY[version], socket.SOCK_STREAM) as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, PORT))
        listener.listen(1)
        serving = in_background(serve_stream, listener, down)
        client.settimeout(PATIENCE)
        client.connect((address, PORT))
        got_down = both_ways(client, up)
        return serving(), got_down


# --- UDP

PLAIN = b""
# The header of a WireGuard data packet: type, receiver; the number follows.
WIREGUARD = struct.pack("<II", 4, 0x01020304)


class Datagrams:
    """One end of a connection of datagrams: header, number, acknowledged number, data."""

    def __init__(self, s, data, header):
        self.socket, self.header, self.numbers = s, header, struct.Struct("<II")
        self.pieces = [data[at:at + CHUNK] for at in range(0, len(data), CHUNK)] + [b""]
        self.digest, self.length, self.expected, self.ended = hashlib.sha256(), 0, 0, False
        self.base = self.next = 0  # first not acknowledged, first not sent
        self.unanswered = 0
        self.peer = None

    def send(self, number, piece):
        self.unanswered = 0
        self.socket.sendto(self.header + self.numbers.pack(number, self.expected) + piece,
                           self.peer)

    def fill_window(self):
        while self.next < min(self.base + WINDOW, len(self.pieces)):
            self.send(self.next, self.pieces[self.next])
            self.next += 1

    def take(self, datagram):
        """The pieces come in order; an empty one is the last. Anything else is only an answer."""
        at = len(self.header)
        number, acknowledged = self.numbers.unpack_from(datagram, at)
        piece = datagram[at + self.numbers.size:]
        if acknowledged > self.base:
            self.base = acknowledged
            self.next = max(self.next, acknowledged)
        if number == 0xFFFFFFFF:
            return
        self.unanswered += 1
        if number == self.expected and not self.ended:
            self.digest.update(piece)
            self.length += len(piece)
            self.expected += 1
            self.ended = not piece
        else:
            self.unanswered = ACK_EVERY

    def run(self, peer=None, patience=PATIENCE):
        """Until both sides have everything, and the peer had time to learn that."""
        self.peer = peer
        last = time.monotonic()
        while True:
            if self.peer:
                self.fill_window()
            done = self.ended and self.base == len(self.pieces)
            self.socket.settimeout(5 * RESEND if done else RESEND)
            try:
                datagram, self.peer = self.socket.recvfrom(2048)
                self.take(datagram)
                last = time.monotonic()
                if self.unanswered >= ACK_EVERY or self.unanswered and self.ended:
                    self.send(0xFFFFFFFF, b"")
            except TimeoutError:
                if done:
                    return self.length, self.digest.digest()
                check(time.monotonic() - last < patience, "the datagrams ceased: sent %d of %d, "
                      "got %d", self.base, len(self.pieces), self.expected)
                self.next = self.base
                if self.peer and self.unanswered:
                    self.send(0xFFFFFFFF, b"")


def udp_transfer(lab, version, address, up, down, header=PLAIN):
    with lab.socket("server", FAMILY[version], socket.SOCK_DGRAM) as server, \
            lab.socket("client", FAMILY[version], socket.SOCK_DGRAM) as client:
        for s in (server, client):
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        server.bind((address, PORT))
        serving = in_background(Datagrams(server, down, header).run)
        got_down = Datagrams(client, up, header).run((address, PORT))
        return serving(), got_down


def answers(lab, version, datagram, reply, timeout=0.4):
    """Whether a datagram of the client reaches the server and the reply comes back, both intact."""
    with lab.socket("server", FAMILY[version], socket.SOCK_DGRAM) as server, \
            lab.socket("client", FAMILY[version], socket.SOCK_DGRAM) as client:
        address = (laboratory.SERVER[version], PORT)
        server.bind(address)
        for s in (server, client):
            s.settimeout(timeout)
        client.sendto(datagram, address)
        try:
            data, peer = server.recvfrom(2048)
            server.sendto(reply, peer)
            return data == datagram and client.recv(2048) == reply
        except TimeoutError:
            return False


def connects(lab, version, address, timeout=0.4):
    """Whether a TCP connection from client to server comes about."""
    with lab.socket("server", FAMILY[version], socket.SOCK_STREAM) as listener, \
            lab.socket("client", FAMILY[version], socket.SOCK_STREAM) as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, PORT))
        listener.listen(1)
        client.settimeout(timeout)
        try:
            client.connect((address, PORT))
            return True
        except OSError:
            return False
