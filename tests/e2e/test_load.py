"""Many connections at once: none may be lost, not even when the program ends in the middle."""
import signal
import socket
import ssl
import threading
import time

from harness import QUEUE, check, check_equal, laboratory
from packets import UDP
from wire import DatagramServer, Sniffer

SITE = "site.example"
SO_SNDBUFFORCE = 32
WORKERS = 32
PAGE = b"It works: the site is open.\n"
STRATEGY = ["--filter-tcp=80,443", "--payload=http_req,tls_client_hello",
            "--lua-desync=fake:blob=fake_default_tls:tcp_md5:repeats=2",
            "--lua-desync=multidisorder:pos=1,midsld"]


class Load:
    """`count` connections from the client's namespace, alternately IPv4 and IPv6, every fourth
    with TLS; without a number until enough(). `failures` lists what went wrong."""

    def __init__(self, lab, count=None):
        self.lab, self.count = lab, count
        self.next, self.done, self.slowest = 0, 0, 0.0
        self.failures = []
        self.lock = threading.Lock()
        self.context = ssl.create_default_context(cafile=lab.folder + "/site.crt")
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]
        for thread in self.threads:
            thread.start()

    def _work(self):
        with self.lab.inside("client"):
            while True:
                with self.lock:
                    number = self.next
                    if number == self.count:
                        return
                    self.next += 1
                begin = time.monotonic()
                try:
                    body = self._fetch(number)
                    problem = None if body == PAGE else "unexpected page %r" % body[:100]
                except (OSError, ssl.SSLError) as e:
                    problem = "%s: %s" % (type(e).__name__, e)
                with self.lock:
                    self.done += 1
                    self.slowest = max(self.slowest, time.monotonic() - begin)
                    if problem:
                        self.failures.append("connection %d: %s" % (number, problem))

    def _fetch(self, number):
        version, secure = (4, 6)[number % 2], number % 4 == 3
        s = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        with s:
            s.settimeout(laboratory.PATIENCE)
            s.connect((laboratory.SERVER[version], 443 if secure else 80))
            if secure:
                s = self.context.wrap_socket(s, server_hostname=SITE)
            s.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % SITE.encode())
            answer = b""
            while True:
                chunk = s.recv(65536)
                if not chunk:
                    break
                answer += chunk
            s.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return body if head.startswith(b"HTTP/1.1 200 ") else head

    def enough(self):
        """Begins no more connections."""
        with self.lock:
            self.count = self.next

    def wait(self):
        for thread in self.threads:
            thread.join(200)
        if self.done != self.count or self.failures:
            print(self.lab.counters(QUEUE))
        check_equal("connections done", self.done, self.count)
        check(not self.failures, "%d connections lost:\n%s", len(self.failures),
              "\n".join(self.failures[:20]))


def pages_served(lab):
    with open(lab.folder + "/access.log") as f:
        return sum('"GET / HTTP/1.1" 200' in line and "127.0.0.1" not in line for line in f)


def test_two_thousand_connections(env):
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        with env.daemon(lab, *STRATEGY):
            load = Load(lab, 2000)
            load.wait()
            state = lab.queue_state("client", QUEUE)
            check_equal("packets dropped by the kernel and for the program", state[5:7], [0, 0])
        check_equal("pages served", pages_served(lab), 2000)
        print("slowest connection: %.2f s" % load.slowest)


def test_end_under_load(env):
    """TERM amid the connections, then a second program, then TERM again: the queue's bypass and
    TCP carry all of them through."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        load = Load(lab)
        for _ in range(2):
            with env.daemon(lab, *STRATEGY):
                end = load.done + 400
                lab.wait_for(lambda: load.done >= end, "the connections do not get on")
        end = load.done + 400
        lab.wait_for(lambda: load.done >= end, "the connections do not get on without the program")
        load.enough()
        load.wait()
        check_equal("pages served", pages_served(lab), load.count)


def test_stalled_program_loses_nothing(env):
    """What does not fit the queue of a program that stands still passes by (fail-open)."""
    with env.lab() as lab, DatagramServer(lab, "server", 5000, echo=False) as server:
        lab.queue_client(QUEUE, ports="5000", protocol="udp")
        with env.daemon(lab, "--lua-desync=pass") as daemon, \
                lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s, \
                Sniffer(lab, "client") as sniffer:
            s.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 64 << 20)
            daemon.process.send_signal(signal.SIGSTOP)
            for n in range(4500):
                s.sendto(b"%08d" % n, (laboratory.SERVER4, 5000))
                if n % 100 == 99:
                    time.sleep(0.002)
            lab.wait_for(lambda: len(server.datagrams) + lab.queue_state("client", QUEUE)[2] >= 4500,
                         "datagrams neither wait nor pass")
            passed_by = len(server.datagrams)
            waiting = lab.queue_state("client", QUEUE)[2]
            daemon.process.send_signal(signal.SIGCONT)
            sniffer.wait(lambda seen: len(server.datagrams) >= 4500)
            left = [x for x in sniffer.stop() if x.outgoing and x.packet.proto == UDP]
        check(0 < passed_by < 4500, "%d datagrams passed by the queue", passed_by)
        check(waiting <= 4096, "%d packets waited, the queue shall hold 4096", waiting)
        check_equal("waiting and passed by", waiting + passed_by, 4500)
        check_equal("datagrams that left", len(left), 4500)
        check_equal("different datagrams at the server", len(set(server.datagrams)), 4500)


def test_flood_of_flows(env):
    """Twenty thousand flows in a second or two neither end the program nor are they harmed."""
    count = 20000
    with env.lab() as lab, DatagramServer(lab, "server", 5000, echo=False) as server:
        lab.queue_client(QUEUE, ports="5000", protocol="udp")
        with env.daemon(lab, "--lua-desync=udplen:increment=0") as daemon:
            with lab.inside("client"):
                for n in range(count):
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                        s.sendto(b"%08d" % n, (laboratory.SERVER4, 5000))
            lab.wait_for(lambda: len(server.datagrams) >= count, "datagrams were lost")
            check(daemon.alive(), "the program ended")
        check_equal("different datagrams", len(set(server.datagrams)), count)
