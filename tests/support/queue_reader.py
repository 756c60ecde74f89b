"""A reader of NFQUEUE that asks for other things than the program: attributes of the connection, a short queue,
and nothing passes that does not fit."""
import socket
import struct

NETLINK_NETFILTER = 12
REQUEST, ACK = 1, 4
PACKET, VERDICT, CONFIG = 0x300, 0x301, 0x302  # messages of the subsystem "queue"
CFG_CMD, CFG_PARAMS, CFG_LENGTH, CFG_MASK, CFG_FLAGS = 1, 2, 3, 4, 5
BIND, COPY_PACKET, F_CONNTRACK, ACCEPT = 1, 2, 2, 1
A_HEADER, A_VERDICT, A_CT, A_CT_INFO = 1, 2, 11, 12
CT_NAMES = {1: "original", 2: "reply", 3: "status", 4: "protoinfo", 7: "timeout", 8: "mark", 9: "counters",
            12: "id", 22: "labels"}


def attribute(kind, data):
    return struct.pack("HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def attributes(data):
    """number -> content."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


class QueueReader:
    """Binds a queue of `length` packets, with the connection's attributes if they are wanted. `buffer`: of its
    socket, in bytes."""

    def __init__(self, number, open_socket=socket.socket, connections=False, length=None, buffer=None):
        self.number = number
        self.socket = open_socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.bind((0, 0))
        self.socket.settimeout(120)
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.ask(CONFIG, attribute(CFG_CMD, struct.pack(">BxH", BIND, 0)))
        self.ask(CONFIG, attribute(CFG_PARAMS, struct.pack(">IB", 0xFFFF, COPY_PACKET)))
        if length is not None:
            self.ask(CONFIG, attribute(CFG_LENGTH, struct.pack(">I", length)))
        if connections:
            self.ask(CONFIG, attribute(CFG_FLAGS, struct.pack(">I", F_CONNTRACK)) +
                     attribute(CFG_MASK, struct.pack(">I", F_CONNTRACK)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, kind, flags, body):
        body = struct.pack(">BBH", 0, 0, self.number) + body
        self.socket.send(struct.pack("IHHII", len(body) + 16, kind, flags, 1, 0) + body)

    def ask(self, kind, body):
        self.send(kind, REQUEST | ACK, body)
        answer = self.socket.recv(4096)
        code = struct.unpack_from("i", answer, 16)[0]
        if code:
            raise OSError(-code, "the queue was refused")

    def next(self):
        """Lets the next packet pass; names of what is told about its connection, and its state."""
        found = attributes(self.socket.recv(70000)[20:])
        self.send(VERDICT, REQUEST, attribute(A_VERDICT, struct.pack(">I", ACCEPT) + found[A_HEADER][:4]))
        told = {CT_NAMES.get(kind, str(kind)) for kind in attributes(found.get(A_CT, b""))}
        state = struct.unpack(">I", found[A_CT_INFO])[0] if A_CT_INFO in found else None
        return told, state
