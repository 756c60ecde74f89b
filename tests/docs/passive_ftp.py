"""As much of FTP as a firewall's helper reads: a control connection that announces a data connection."""
import contextlib
import socket
import threading

import lab as laboratory
from expect import PATIENCE, Failure

CONTROL, DATA = 21, 50100
ANSWERS = {b"": b"220 ready\r\n",
           b"PASV": b"227 Entering Passive Mode (%s,%d,%d)\r\n" % (
               laboratory.SERVER4.replace(".", ",").encode(), DATA >> 8, DATA & 255)}
# How long a connection that the firewall drops is waited for; one that it lets in needs no such time.
SHUT = 2


class PassiveServer:
    """Listens on the lab's server, from now on to the end of the lab."""

    def __init__(self, lab):
        self.lab = lab
        self._serve(CONTROL, self._talk)
        self._serve(DATA, lambda connection: connection.sendall(b"a file"))

    def _serve(self, port, talk):
        listener = self.lab.socket("server", socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
        listener.listen(8)

        def accept():
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(PATIENCE)
                    talk(connection)

        threading.Thread(target=accept, daemon=True).start()

    @staticmethod
    def _talk(connection):
        connection.sendall(ANSWERS[b""])
        for line in connection.makefile("rb"):
            connection.sendall(ANSWERS.get(line.strip(), b"502 no\r\n"))

    def _connect(self, port, timeout=PATIENCE):
        client = self.lab.socket("client", socket.AF_INET, socket.SOCK_STREAM)
        client.settimeout(timeout)
        try:
            client.connect((laboratory.SERVER4, port))
        except OSError:
            client.close()
            raise
        return client

    def judge(self):
        """Failure unless the data connection opens, and only as announced."""
        try:
            self._connect(DATA, SHUT).close()
        except OSError:
            pass
        else:
            raise Failure("port %d is open to everybody" % DATA)
        try:
            with self._connect(CONTROL) as control:
                answers = control.makefile("rb")
                answers.readline()
                control.sendall(b"PASV\r\n")
                answers.readline()
                with self._connect(DATA) as data:
                    if data.makefile("rb").read() != b"a file":
                        raise Failure("the data connection carries nothing")
        except OSError as e:
            raise Failure("passive FTP does not work: %s" % e) from e
