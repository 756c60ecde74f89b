"""A client of the control socket: lines of JSON out and in."""
import json
import socket

PATIENCE = 30


class Client:
    def __init__(self, path, timeout=PATIENCE):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.rest = b""

    def send(self, line):
        self.socket.sendall(line if isinstance(line, bytes) else line.encode() + b"\n")

    def line(self):
        """The next line as an object, None at the end of the connection."""
        while b"\n" not in self.rest:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    def answer(self):
        """All lines up to the last one."""
        lines = []
        while not lines or "end" not in lines[-1]:
            line = self.line()
            if line is None:
                break
            lines.append(line)
        return lines

    def ask(self, command, **fields):
        self.send(json.dumps(dict(cmd=command, **fields)))
        return self.answer()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ask(path, command, **fields):
    with Client(path) as client:
        return client.ask(command, **fields)
