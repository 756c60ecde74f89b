"""What the queue tells scripts and what verdicts keep: marks, interfaces, directions, held
packets."""
import os
import signal
import socket
import time

from harness import (FWMARK, QUEUE, big_client_hello, cases, check, check_equal, client_hello,
                     golden, laboratory)
from packets import ACK, PSH, SYN, TCP, UDP, ip, parse, tcp
from processes import resident
from wire import DatagramServer, Sniffer, StreamServer, exchange

PORT = 5000
TELL = ("--lua-desync=luaexec:code=DLOG_CONDUP(string.format('seen %s in=%s out=%s mark=%x %s',"
        "desync.outgoing and 'outgoing' or 'incoming',desync.ifin or '-',desync.ifout or '-',"
        "desync.fwmark,desync.dis.payload or ''))")


def send(lab, data, version=4, mark=None, who="client"):
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with lab.socket(who, family, socket.SOCK_DGRAM) as s:
        if mark is not None:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        s.sendto(data, (laboratory.SERVER[version], PORT))


def queue_chain(lab, who, chain, *match, table="mangle"):
    for tables in laboratory.TABLES:
        lab.run(who, tables, "-t", table, "-A", chain, "-p", "udp", *match, "-j", "NFQUEUE",
                *laboratory.queue_options(QUEUE), "--queue-bypass")


def seen_lines(daemon):
    return [line[len("LUA: seen "):] for line in daemon.output().splitlines()
            if line.startswith("LUA: seen ")]


@cases({"default": ([], FWMARK), "chosen": (["--fwmark=0x300"], 0x200)})
def test_marked_packets_are_not_seen(env, arguments, mark):
    """A packet with a bit of the mark passes unseen although the rule sends it to the queue."""
    with env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        queue_chain(lab, "client", "OUTPUT")
        with env.daemon(lab, *arguments, TELL) as daemon:
            for version in (4, 6):
                send(lab, b"own", version, mark | 1)
                send(lab, b"other", version, 1)
            lab.wait_for(lambda: len(server.datagrams) == 4, "a datagram is missing")
            check_equal("seen", seen_lines(daemon), ["outgoing in=- out=eth0 mark=1 other"] * 2)


@cases({"pass": (["--lua-desync=pass"],), "modify": (["--lua-desync=pktmod:ip_ttl=9"],),
        "unprocessed": (["--filter-tcp=1", "--lua-desync=pass"],)})
def test_verdict_keeps_the_mark(env, arguments):
    with env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        queue_chain(lab, "client", "OUTPUT")
        # The hook behind the queue lets through only what still has its mark.
        for tables in laboratory.TABLES:
            lab.run("client", tables, "-t", "filter", "-A", "OUTPUT", "-p", "udp", "-m", "mark",
                    "!", "--mark", "0x1234", "-j", "DROP")
        with env.daemon(lab, *arguments):
            for version in (4, 6):
                send(lab, b"unmarked", version, 0x77)
                send(lab, b"marked", version, 0x1234)
            lab.wait_for(lambda: len(server.datagrams) == 2, "a marked datagram is missing")
            time.sleep(0.1)
            check_equal("datagrams", server.datagrams, [b"marked"] * 2)


def test_generated_packets_carry_the_mark(env):
    """fwmark of a function is or-ed to the program's own mark."""
    with env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        queue_chain(lab, "client", "OUTPUT", "-m", "mark", "!", "--mark", "0x100/0x100")
        for tables in laboratory.TABLES:
            lab.run("client", tables, "-t", "filter", "-A", "OUTPUT", "-p", "udp", "-m", "mark",
                    "!", "--mark", "0x101", "-j", "DROP")
        with env.daemon(lab, "--fwmark=256", "--lua-desync=send:fwmark=1"):
            for version in (4, 6):
                send(lab, b"copy", version)
            lab.wait_for(lambda: len(server.datagrams) == 2, "a copy is missing")
            time.sleep(0.1)
            check_equal("copies", server.datagrams, [b"copy"] * 2)


# chain: (where, what a script sees without conntrack)
HOOKS = {
    "OUTPUT": ("client", "outgoing in=- out=eth0 mark=0 x"),
    "POSTROUTING": ("client", "outgoing in=- out=eth0 mark=0 x"),
    "PREROUTING": ("box", "incoming in=to-client out=- mark=0 x"),
    "FORWARD": ("box", "outgoing in=to-client out=to-server mark=0 x"),
    "INPUT": ("server", "incoming in=eth0 out=- mark=0 x"),
}


@cases({chain: (chain,) for chain in HOOKS})
def test_interfaces_and_directions(env, chain):
    who, want = HOOKS[chain]
    with env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        queue_chain(lab, who, chain)
        with env.daemon(lab, "--ctrack-disable", "--in-range=a", TELL, who=who) as daemon:
            for version in (4, 6):
                send(lab, b"x", version)
            lab.wait_for(lambda: len(server.datagrams) == 2, "a datagram is missing")
            check_equal("seen", seen_lines(daemon), [want] * 2)


def test_directions_by_flow(env):
    """With conntrack the flow decides, and --server turns the answer around."""
    for arguments, words in (([], ("outgoing", "incoming")),
                             (["--server"], ("incoming", "outgoing"))):
        with env.lab() as lab, DatagramServer(lab, "server", PORT):
            queue_chain(lab, "box", "FORWARD")
            with env.daemon(lab, *arguments, "--in-range=a", TELL, who="box") as daemon, \
                    lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(laboratory.PATIENCE)
                s.sendto(b"x", (laboratory.SERVER4, PORT))
                check_equal("echo", s.recv(10), b"x")
                check_equal("seen", seen_lines(daemon), [
                    words[0] + " in=to-client out=to-server mark=0 x",
                    words[1] + " in=to-server out=to-client mark=0 x"])


def test_renamed_interface(env):
    """A name that changes while the program runs is told right, a moment later."""
    with env.lab() as lab:
        up = ("ip link set %s up; ip addr replace 10.99.0.1/24 dev %s; ip neigh replace 10.99.0.2 "
              "lladdr 02:00:00:00:00:01 dev %s")
        lab.sh("client", "ip link add extra type veth peer name other; ip link set other up")
        lab.sh("client", up % (("extra",) * 3))
        queue_chain(lab, "client", "OUTPUT")
        with env.daemon(lab, TELL) as daemon, \
                lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"x", ("10.99.0.2", PORT))
            daemon.wait_output("out=extra ")
            lab.sh("client", "ip link set extra down; ip link set extra name renamed")
            lab.sh("client", up % (("renamed",) * 3))

            def told():
                s.sendto(b"x", ("10.99.0.2", PORT))
                return "out=renamed " in daemon.output()
            lab.wait_for(told, "the new name is not told")


# --- held packets

HELD = ["--payload=tls_client_hello,quic_initial", "--lua-desync=fake:blob=0x00:ip_ttl=1:ip6_ttl=1"]
QUIC_HALF = parse(golden("079-fake-quic-replay", 0)).payload


def test_missing_tail_is_released(env):
    """The first half of a ClientHello whose rest never comes reaches the server in the end."""
    half = big_client_hello()[:1000]
    with env.lab() as lab, StreamServer(lab, "server", 8443) as server:
        lab.queue_client(QUEUE, ports="8443")
        with env.daemon(lab, *HELD):
            for version in (4, 6):
                family = socket.AF_INET if version == 4 else socket.AF_INET6
                with lab.socket("client", family, socket.SOCK_STREAM) as s:
                    s.connect((laboratory.SERVER[version], 8443))
                    s.sendall(half)
                    check(not server.wait(lambda w: any(w.streams), 0.15),
                          "the half was not held back")
                    check(server.wait(lambda w: any(w.streams)), "the half never came")
                    # What follows the release passes as well.
                    s.sendall(b"more")
                    check(server.wait(lambda w: any(x.endswith(b"more") for x in w.streams)),
                          "what followed never came")
                check(server.wait(lambda w: w.finished), "no end of the connection")
                check_equal("stream", server.finished, [half + b"more"])
                server.finished.clear()
                server.streams.clear()


def raw_half_hello(lab, version, port):
    """A connection made by hand up to half a ClientHello, so that no TCP repeats what is held."""
    src, dst = laboratory.CLIENT[version], laboratory.SERVER[version]
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with Sniffer(lab, "client", "eth0") as sniffer, \
            lab.socket("client", family, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        def emit(seq, ack, flags, data=b""):
            s.sendto(ip(src, dst, TCP, tcp(src, dst, 40000, port, seq, ack, flags, data)), (dst, 0))
        # No reset by our own kernel, which knows nothing of this connection.
        lab.run("client", laboratory.TABLES[version == 6], "-A", "OUTPUT", "-p", "tcp", "--sport",
                "40000", "--tcp-flags", "RST", "RST", "-j", "DROP")
        emit(1000, 0, SYN)
        answer = []
        sniffer.wait(lambda seen: answer.extend(
            x.packet for x in seen if x.packet.proto == TCP and x.packet.flags == SYN | ACK)
            or answer)
        check(answer, "no answer to the SYN")
        ack = answer[0].seq + 1
        emit(1001, ack, ACK)
        emit(1001, ack, ACK | PSH, big_client_hello()[:1000])


@cases({"end": (True,), "time-out": (False,)})
def test_held_segment_without_retransmission(env, by_end):
    with env.lab() as lab, StreamServer(lab, "server", 8443) as server:
        lab.queue_client(QUEUE, ports="8443")
        for version in (4, 6):
            with env.daemon(lab, *HELD):
                raw_half_hello(lab, version, 8443)
                check(not server.wait(lambda w: any(w.streams), 0.3), "the half was not held back")
                if not by_end:
                    check(server.wait(lambda w: any(w.streams)), "the half was never released")
            check(server.wait(lambda w: any(w.streams)), "the half was lost")
            check_equal("stream", [bytes(x) for x in server.streams], [big_client_hello()[:1000]])
            server.streams.clear()


@cases({"end": (signal.SIGTERM,), "interrupt": (signal.SIGINT,), "time-out": (None,)})
def test_held_datagram(env, number):
    """Half a QUIC hello: nobody sends it again, so the program must let it go."""
    with env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        lab.queue_client(QUEUE, ports=str(PORT), protocol="udp")
        for version in (4, 6):
            with env.daemon(lab, *HELD) as daemon:
                send(lab, QUIC_HALF, version)
                time.sleep(0.3)
                check_equal("datagrams while it is held", server.datagrams, [])
                if number is not None:
                    daemon.process.send_signal(number)
                    check_equal("exit code", daemon.ended(), 0)
                lab.wait_for(lambda: server.datagrams, "the datagram was lost")
            check_equal("datagrams", server.datagrams, [QUIC_HALF])
            server.datagrams.clear()


def stopped(pid):
    """All threads: each takes its own time."""
    states = set()
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/stat" % (pid, task)) as f:
            states.add(f.read().rsplit(")", 1)[1].split()[0])
    return states == {"T"}


COPY_PACKET = 2  # the mode of a queue whose worker is ready
EXIT = "--lua-desync=luaexec:code=if desync.dis.payload == '%s' then %s end"


@cases({"one": (1, "os.exit(7)", 7), "four": (4, "os.exit(7)", 7),
        "caught": (1, "while true do pcall(os.exit, false) end", 1),
        "caught twice": (1, "pcall(function() pcall(os.exit, 7) end) while true do end", 7)})
def test_a_script_ends_the_program(env, workers, code, wanted):
    """os.exit() within a packet: that one and those that wait behind it pass, and what was remembered is kept."""
    laboratory.WORKERS = workers
    with env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        lab.queue_client(QUEUE, ports=str(PORT), protocol="udp")
        state = lab.folder + "/state"
        with env.daemon(lab, "--state-dir=" + state, "--lua-init=store('mine'):set('key', {n = 5})",
                        EXIT % ("3", code), troubled=True) as daemon:
            lab.wait_for(lambda: (lab.queue_state("client", QUEUE) or [0] * 4)[3] == COPY_PACKET, "a queue is missing")
            daemon.process.send_signal(signal.SIGSTOP)
            lab.wait_for(lambda: stopped(daemon.pid), "a thread goes on")
            for n in range(500):
                send(lab, b"%d" % n)
            lab.wait_for(lambda: lab.queue_state("client", QUEUE)[2] == 500, "the datagrams do not wait")
            daemon.process.send_signal(signal.SIGCONT)
            check_equal("exit code", daemon.ended(), wanted)
            lab.wait_for(lambda: len(server.datagrams) == 500, "datagrams were lost")
            check("INTERRUPT by os.exit(%d)" % wanted in daemon.output(), "it does not say who ended it: %s",
                  daemon.output()[-1000:])
        with open("%s/%d/mine.tsv" % (state, QUEUE)) as f:
            check("\tn=5\n" in f.read(), "what was remembered is lost")


def test_many_half_hellos(env):
    """Five hundred connections that send half a ClientHello and wait: others are served, memory
    stays, and in the end all halves arrive."""
    half = big_client_hello()[:1000]
    with env.lab() as lab, StreamServer(lab, "server", 8443) as server:
        lab.queue_client(QUEUE, ports="8443,8444")
        with env.daemon(lab, *HELD) as daemon, \
                StreamServer(lab, "server", 8444, len(client_hello())):
            waiting = []
            for _ in range(500):
                s = lab.socket("client", socket.AF_INET, socket.SOCK_STREAM)
                s.connect((laboratory.SERVER4, 8443))
                s.sendall(half)
                waiting.append(s)
            check_equal("another connection", exchange(lab, laboratory.SERVER4, 8444,
                                                       client_hello()), StreamServer.REPLY)
            check(server.wait(lambda w: sum(len(x) == len(half) for x in w.streams) == 500),
                  "only %d halves arrived", sum(len(x) == len(half) for x in server.streams))
            print("resident: %.1f MB" % (resident(daemon.pid) / 1e6))
            for s in waiting:
                s.close()


def test_fragments_pass(env):
    """Datagrams in IP fragments arrive whole, with the program at every hook of the way."""
    data = bytes(range(256)) * 20
    with env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        lab.queue_all("box", QUEUE, interface="to-server")
        lab.queue_all("box", QUEUE, interface="to-client")
        with env.daemon(lab, "--in-range=a", "--lua-desync=pass", who="box"), \
                Sniffer(lab, "server") as sniffer:
            for version in (4, 6):
                send(lab, data, version)
            lab.wait_for(lambda: len(server.datagrams) == 2, "a datagram is missing")
            check_equal("datagrams", server.datagrams, [data, data])
            check(sum(s.packet.fragment for s in sniffer.stop()) >= 8, "there were no fragments")


def test_wire_side_of_dropped_first_packet(env):
    """A dropped first datagram leaves as protocol 255 with TTL 1 and dies at the next hop."""
    with env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        lab.queue_client(QUEUE, ports=str(PORT), protocol="udp")
        with env.daemon(lab, "--lua-desync=drop"):
            for version in (4, 6):
                with Sniffer(lab, "client") as near, Sniffer(lab, "server") as far:
                    send(lab, b"dropped", version)
                    near.wait(lambda seen: any(s.packet.proto == 255 for s in seen))
                    time.sleep(0.1)
                    left = [s.packet for s in near.stop() if s.outgoing]
                    came = [s.packet for s in far.stop() if s.packet.proto in (UDP, 255)]
                check_equal("left", [(p.proto, p.ttl) for p in left if p.proto in (UDP, 255)],
                            [(255, 1)])
                check_equal("came", came, [])
        check_equal("datagrams", server.datagrams, [])
