"""--offload-mark: the packets of a connection that needs the program no more leave the queue for
good, and no connection leaves it too early."""
import socket

import transfer
from harness import HTTP_REQUEST, QUEUE, cases, check, check_equal, client_hello, laboratory
from packets import TCP
from wire import DatagramServer, Sniffer, StreamServer

PORT = 5000
MARK = "0x10000000"
OFFLOAD = "--offload-mark=" + MARK
HOST = "www.example.com"
LATER = {"http": HTTP_REQUEST, "tls": client_hello()}


def daemon_with_rules(env, lab, *options, protocol="tcp", offload_mark=MARK):
    lab.queue_client(QUEUE, ports=str(PORT), protocol=protocol, offload_mark=offload_mark)
    return env.daemon(lab, OFFLOAD, *options)


def connect(lab, version=4):
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    s = lab.socket("client", family, socket.SOCK_STREAM)
    s.settimeout(laboratory.PATIENCE)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.connect((laboratory.SERVER[version], PORT))
    return s


def queued(lab):
    """Packets that the queue has seen."""
    return lab.queue_state("client", QUEUE)[7]


def send_and_wait(lab, server, s, data):
    before = len(server.streams[-1]) if server.streams else 0
    s.sendall(data)
    lab.wait_for(lambda: server.streams and len(server.streams[-1]) >= before + len(data),
                 "data did not arrive")


FINISHING = {
    "cut_off": ["--out-range=-d4", "--payload=all", "--lua-desync=pass"],
    "cut_by_script": ["--payload=all", "--lua-init=function once(c,d) instance_cutoff(c) end",
                      "--in-range=a", "--lua-desync=once"],
    "no_profile": ["--filter-udp=1", "--lua-desync=pass"],
    "other_port": ["--filter-tcp=443", "--hostlist-domains=" + HOST, "--lua-desync=pass"],
    "known_host": ["--filter-tcp=%d" % PORT, "--filter-l7=tls", "--hostlist-domains=" + HOST,
                   "--out-range=-d4", "--lua-desync=pass", "--new",
                   "--filter-tcp=%d" % PORT, "--out-range=-d4", "--lua-desync=pass"],
    "refused_host": ["--filter-l7=tls", "--hostlist-exclude-domains=" + HOST, "--payload=all",
                     "--lua-desync=pass"],
}


@cases({"%s-ipv%d" % (name, version): (name, version)
        for name in FINISHING for version in (4, 6)})
def test_finished_connection_leaves_the_queue(env, name, version):
    data = transfer.make_data(1_000_000)
    with env.lab() as lab, StreamServer(lab, "server", PORT) as server, \
            daemon_with_rules(env, lab, *FINISHING[name]), connect(lab, version) as s:
        for _ in range(6):
            send_and_wait(lab, server, s, client_hello())
        # Answers finish their direction only when one comes; this one does by now.
        before = queued(lab)
        send_and_wait(lab, server, s, data)
        check_equal("packets queued during the transfer", queued(lab) - before, 0)
        check(bytes(server.streams[0]) == 6 * client_hello() + data, "other data came")


WAITING = {
    "script": ["--payload=all", "--lua-desync=pass"],
    "incoming": ["--out-range=-d2", "--in-range=a", "--payload=all", "--lua-desync=pass"],
    "protocol_unknown": ["--filter-l7=tls", "--out-range=-d2", "--lua-desync=pass"],
    "host_unknown": ["--hostlist-domains=" + HOST, "--out-range=-d2", "--lua-desync=pass"],
}


@cases({name: (options,) for name, options in WAITING.items()})
def test_connection_of_interest_stays(env, options):
    with env.lab() as lab, StreamServer(lab, "server", PORT) as server, \
            daemon_with_rules(env, lab, *options), connect(lab) as s:
        for n in range(8):
            before = queued(lab)
            send_and_wait(lab, server, s, b"something %d" % n)
            check(queued(lab) > before, "data packet %d was not queued", n + 1)


@cases({name: (data,) for name, data in LATER.items()})
def test_late_host(env, data):
    """A host that is named late in a connection still gets what its profile says."""
    with env.lab() as lab, StreamServer(lab, "server", PORT) as server, \
            daemon_with_rules(env, lab, "--hostlist-domains=" + HOST,
                              "--lua-desync=multisplit:pos=7"), \
            Sniffer(lab, "client", "eth0") as sniffer, connect(lab) as s:
        for n in range(12):
            send_and_wait(lab, server, s, b"something %d" % n)
        send_and_wait(lab, server, s, data)
        check(bytes(server.streams[0]).endswith(data), "other data came")
        wire = [x.packet.payload for x in sniffer.stop() if x.outgoing and x.packet.proto == TCP]
    check(data not in wire and data[:7] in wire and data[7:] in wire, "the request is not split")


def test_further_requests(env):
    """Requests of one connection may name other hosts: it stays until nothing depends on them."""
    first, second = (HTTP_REQUEST.replace(b"www.example.com", name)
                     for name in (b"first.test", b"second.test"))
    with env.lab() as lab, StreamServer(lab, "server", PORT) as server, \
            daemon_with_rules(env, lab, "--payload=http_req", "--out-range=-d9",
                              "--hostlist-domains=first.test", "--lua-desync=multisplit:pos=7"), \
            Sniffer(lab, "client", "eth0") as sniffer, connect(lab) as s:
        for request in (first, second, first, second):
            send_and_wait(lab, server, s, request)
        wire = [x.packet.payload for x in sniffer.stop() if x.outgoing and x.packet.proto == TCP]
    check_equal("wire", [payload for payload in wire if payload],
                2 * [first[:7], first[7:], second])


def test_automatic_list(env):
    """A host whose connections fail is found although connections to others are offloaded; those
    whose success is certain leave the queue."""
    with env.lab() as lab:
        lab.start_site(HOST, "good.test")
        lab.filter_words(HOST)
        lab.queue_client(QUEUE, offload_mark=MARK)
        path = lab.folder + "/auto.txt"
        with open(path, "w", encoding="ascii"):
            pass
        lab.sh("client", "chmod 666 %s" % path)
        with env.daemon(lab, OFFLOAD, "--hostlist-auto=" + path,
                        "--hostlist-auto-fail-threshold=2", "--filter-tcp=80,443",
                        "--payload=tls_client_hello,http_req", "--out-range=-d10",
                        "--lua-desync=multisplit:pos=1,midsld"):
            def fetch(name):
                return lab.curl("-o", "/dev/null", "https://%s/big.bin" % name, name=name).returncode
            for _ in range(2):
                check(fetch(HOST) != 0, "the box lets the host through")
            with open(path, encoding="ascii") as f:
                check_equal("list", f.read().split(), [HOST])
            check_equal("curl's exit code", fetch(HOST), 0)
            before = queued(lab)
            check_equal("curl's exit code", fetch("good.test"), 0)
            check(queued(lab) - before < 200, "%d packets of a megabyte were queued",
                  queued(lab) - before)


def test_datagrams(env):
    with env.lab() as lab, DatagramServer(lab, "server", PORT) as server, \
            daemon_with_rules(env, lab, "--out-range=-n3", "--payload=all", "--lua-desync=pass",
                              protocol="udp"), \
            lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(laboratory.PATIENCE)
        s.connect((laboratory.SERVER4, PORT))
        for n in range(10):
            s.send(b"%d" % n)
            check_equal("echo", s.recv(100), b"%d" % n)
            if n == 5:
                before = queued(lab)
        check_equal("packets queued after the fifth", queued(lab) - before, 0)
        check_equal("datagrams", len(server.datagrams), 10)


def test_without_the_rules(env):
    """Rules that do not know the mark: packets come round once and pass."""
    data = transfer.make_data(300_000)
    with env.lab() as lab, StreamServer(lab, "server", PORT, len(data)) as server, \
            daemon_with_rules(env, lab, "--filter-udp=1", "--lua-desync=pass",
                              offload_mark=None), connect(lab) as s:
        send_and_wait(lab, server, s, data)
        check(bytes(server.streams[0]) == data, "other data came")


def test_rules_that_lose_the_mark(env):
    """Nothing goes round for ever."""
    data = transfer.make_data(300_000)
    with env.lab() as lab, StreamServer(lab, "server", PORT, len(data)) as server:
        for chain in ("POSTROUTING", "PREROUTING"):
            lab.run("client", "iptables", "-t", "mangle", "-A", chain, "-j", "MARK",
                    "--set-xmark", "0x0/" + MARK)
        with daemon_with_rules(env, lab, "--filter-udp=1", "--lua-desync=pass",
                               offload_mark=None), connect(lab) as s:
            send_and_wait(lab, server, s, data)
            check(queued(lab) < 2000, "%d packets were queued", queued(lab))
        check(bytes(server.streams[0]) == data, "other data came")


def test_new_connection_with_the_same_ports(env):
    """The mark ends with its connection."""
    with env.lab() as lab, StreamServer(lab, "server", PORT) as server, \
            daemon_with_rules(env, lab, "--out-range=-d2", "--payload=all",
                              "--lua-desync=pass"):
        for _ in range(2):
            s = lab.socket("client", socket.AF_INET, socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.settimeout(laboratory.PATIENCE)
            s.bind((laboratory.CLIENT4, 45678))
            before, streams = queued(lab), len(server.streams)
            s.connect((laboratory.SERVER4, PORT))
            lab.wait_for(lambda n=streams: len(server.streams) > n, "no connection")
            for n in range(5):
                send_and_wait(lab, server, s, b"something %d" % n)
            check(queued(lab) - before >= 4, "only %d packets were queued", queued(lab) - before)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()  # with a reset, which ends the kernel's entry
            lab.wait_for(lambda n=streams: len(server.finished) > n, "the reset did not arrive")
