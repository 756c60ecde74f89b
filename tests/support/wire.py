"""What runs on a wire: a listener on a namespace's interfaces, and servers that keep every byte."""
import collections
import errno
import socket
import threading

import packets
from expect import PATIENCE, comes_true

ETH_P_ALL = 3
OUTGOING = 4
SO_RCVBUFFORCE = 33

Seen = collections.namedtuple("Seen", "interface outgoing packet")


def end_socket(s):
    """Closes a socket that another thread may wait in."""
    try:
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    s.close()


class Sniffer:
    """Keeps the IP packets of a namespace's interfaces from its creation to stop()."""

    def __init__(self, lab, who, interface=None):
        self.seen = []
        self.socket = lab.socket(who, socket.AF_PACKET, socket.SOCK_DGRAM,
                                 socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.socket.settimeout(0.05)
        self.interface = interface
        self.running = True
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while True:
            try:
                raw, (interface, _, kind, *_) = self.socket.recvfrom(70000)
            except TimeoutError:
                if not self.running:
                    return
                continue
            except OSError as e:
                if e.errno == errno.ENETDOWN:
                    continue
                return
            if interface != "lo" and self.interface in (None, interface):
                packet = packets.parse(raw)
                if packet is not None:
                    self.seen.append(Seen(interface, kind == OUTGOING, packet))

    def wait(self, condition, timeout=PATIENCE):
        """Until condition(list of Seen) is true; whether it became so."""
        return comes_true(lambda: condition(self.seen), timeout, pause=0.005)

    def stop(self):
        """All packets until now, also those still in the socket."""
        self.running = False
        self.thread.join(5)
        self.socket.close()
        return self.seen

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.running:
            self.stop()


class StreamServer:
    """Accepts connections on a port of a namespace, IPv4 and IPv6, and keeps what each sends, to
    its end. It answers with REPLY as soon as `expected` bytes are there."""

    REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone"

    def __init__(self, lab, who, port, expected=1 << 30):
        self.expected = expected
        self.streams = []   # of all connections, growing
        self.finished = []  # of those that ended
        self.listeners = []
        for family, name in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            listener = lab.socket(who, family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((name, port))
            listener.listen(128)
            self.listeners.append(listener)
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            data = bytearray()
            self.streams.append(data)
            threading.Thread(target=self._serve, args=(connection, data), daemon=True).start()

    def _serve(self, connection, data):
        answered = False
        with connection:
            connection.settimeout(2 * PATIENCE)  # longer than a client waits
            try:
                while True:
                    chunk = connection.recv(65536)
                    if not chunk:
                        break
                    data += chunk
                    if len(data) >= self.expected and not answered:
                        answered = True
                        connection.sendall(self.REPLY)
                        connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        self.finished.append(bytes(data))

    def wait(self, condition, timeout=PATIENCE):
        """Until condition(self) is true; whether it became so."""
        return comes_true(lambda: condition(self), timeout, pause=0.005)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for listener in self.listeners:
            end_socket(listener)


class DatagramServer:
    """Keeps the datagrams that reach a UDP port of a namespace, and sends each back if told to."""

    def __init__(self, lab, who, port, echo=True):
        self.datagrams = []
        self.sockets = []
        for family, name in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            s = lab.socket(who, family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
            s.bind((name, port))
            self.sockets.append(s)
            threading.Thread(target=self._serve, args=(s, echo), daemon=True).start()

    def _serve(self, s, echo):
        while True:
            try:
                data, peer = s.recvfrom(70000)
                if peer is None:
                    return
                self.datagrams.append(data)
                if echo:
                    s.sendto(data, peer)
            except OSError:
                return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in self.sockets:
            end_socket(s)


def exchange(lab, server, port, data, who="client", timeout=PATIENCE, mark=None):
    """Sends data over a fresh TCP connection and gives back all that is answered."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with lab.socket(who, family, socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if mark is not None:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        s.connect((server, port))
        s.sendall(data)
        answer = b""
        while True:
            chunk = s.recv(65536)
            if not chunk:
                return answer
            answer += chunk
