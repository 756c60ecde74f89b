"""What breaks around the program: full queues, sockets that refuse, interfaces that go away, lists and
disks in a bad state, signals in masses, sudden death. It goes on, and so do the connections."""
import errno
import os
import random
import re
import shutil
import signal
import socket
import threading
import time

from harness import (QUEUE, big_client_hello, cases, check, check_equal, client_hello, laboratory,
                     without_root)
from packets import SYN, TCP, ip, read_pcap, tcp, udp
from processes import resident
from test_flood import sanitized
from test_load import Load, SITE, SO_SNDBUFFORCE, STRATEGY, pages_served
from wire import DatagramServer, Sniffer, StreamServer, exchange

PORT = 5000
FAKE = ["--payload=tls_client_hello", "--lua-desync=fake:blob=fake_default_tls:repeats=2:ip_ttl=1:"
        "ip6_ttl=1"]
SPLIT = ["--payload=tls_client_hello", "--lua-desync=multisplit:pos=1,midsld"]
MARKED = ["fwmark", "0x40000000/0x40000000"]


def check_hellos(lab, server, count=4):
    """ClientHellos of one and of two segments reach the server unchanged, over IPv4 and IPv6."""
    hellos = [client_hello(), big_client_hello()]
    for n in range(count):
        for hello in hellos:
            server.expected = len(hello)
            answer = exchange(lab, laboratory.SERVER[(4, 6)[n % 2]], 8443, hello)
            check_equal("answer", answer, StreamServer.REPLY)
    check(server.wait(lambda s: len(s.finished) == count * 2), "a connection did not end")
    for stream in server.finished:
        check(stream in hellos, "another stream arrived")
    server.finished.clear()
    server.streams.clear()


def complaints(daemon):
    return [line for line in daemon.output().splitlines() if "rawsend" in line]


# --- the queue


def test_storm_of_large_packets(env):
    """A program that stands still again and again, under datagrams that fill the socket's buffer
    before the queue: what does not fit passes, is told, and afterwards all is seen again."""
    with env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        lab.queue_client(QUEUE, ports=str(PORT), protocol="udp")
        lab.sh("client", "ip link set eth0 txqueuelen 10000")
        tell = "--lua-desync=luaexec:code=count=(count or 0)+1 if #desync.dis.payload==3 then " \
               "DLOG_CONDUP('seen '..count) end"
        with env.daemon(lab, tell) as daemon, \
                lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 64 << 20)
            sent = 0
            for _ in range(4):
                daemon.process.send_signal(signal.SIGSTOP)
                for _ in range(5000):
                    s.sendto(b"%08d" % sent + b"x" * 1400, (laboratory.SERVER4, PORT))
                    sent += 1
                    if sent % 50 == 0:
                        time.sleep(0.001)
                daemon.process.send_signal(signal.SIGCONT)
                lab.wait_for(lambda: len(server.datagrams) >= sent, "datagrams were lost: %d of %d"
                             % (len(server.datagrams), sent))
            passed = lab.queue_state("client", QUEUE)
            s.sendto(b"end", (laboratory.SERVER4, PORT))
            daemon.wait_output("seen ")
            seen = int(daemon.output().rpartition("seen ")[2].split()[0])
            print("queue after the storm: %s; seen %d of %d" % (passed, seen, sent + 1))
            check(seen < sent, "nothing passed by, the storm was too weak")
            daemon.process.send_signal(signal.SIGUSR1)
            told = r"(\d+) packets passed unprocessed because the queue was full"
            lab.wait_for(lambda: any(int(n) for n in re.findall(told, daemon.output())),
                         "SIGUSR1 tells of no loss")
            lab.wait_for(lambda: len(server.datagrams) == sent + 1, "the last datagram is missing")
        check_equal("different datagrams", len(set(server.datagrams)), sent + 1)
        check("passed unprocessed because" in daemon.output(), "what passed by was not told")


# --- raw sockets


# name: what the machine does to generated packets, and the error the program shall tell
REFUSALS = {
    "firewall": ("for t in iptables ip6tables; do $t -A OUTPUT -m mark --mark 0x40000000/0x40000000 "
                 "-j DROP; done", "Operation not permitted"),
    "unreachable": ("for v in 4 6; do ip -$v rule add fwmark 0x40000000/0x40000000 unreachable; "
                    "done", "unreachable"),
    "prohibited": ("for v in 4 6; do ip -$v rule add fwmark 0x40000000/0x40000000 prohibit; done",
                   "Permission denied"),
    "blackhole": ("for v in 4 6; do ip -$v rule add fwmark 0x40000000/0x40000000 blackhole; done",
                  "Invalid argument"),
}


@cases({"%s-%s" % (refusal, name): (refusal, strategy) for refusal in REFUSALS
        for name, strategy in (("fake", FAKE), ("split", SPLIT))})
def test_refused_packets(env, refusal, strategy):
    """Packets that cannot be sent are told, not too often, and the connection goes on."""
    script, error = REFUSALS[refusal]
    with env.lab() as lab, StreamServer(lab, "server", 8443) as server:
        lab.queue_client(QUEUE, ports="8443")
        with env.daemon(lab, *strategy, troubled=True) as daemon:
            check_hellos(lab, server)
            check_equal("complaints while all is well", complaints(daemon), [])
            lab.sh("client", script)
            check_hellos(lab, server, 10)
            said = complaints(daemon)
            check(any(error in line for line in said), "%r was not told but %s", error, said)
            check(len(said) <= 8, "too many complaints: %s", said)
            undo = script.replace(" -A ", " -D ").replace(" add ", " del ")
            lab.sh("client", undo)
            with Sniffer(lab, "client", "eth0") as sniffer:
                check_hellos(lab, server)
                sent = [x.packet for x in sniffer.stop() if x.outgoing and x.packet.payload]
            check(len(sent) > 16, "the strategy does not work again: %d packets", len(sent))
            check(daemon.alive(), "the program ended")


def test_too_large_packets(env):
    """A route whose device takes smaller packets only (EMSGSIZE)."""
    blob = "--blob=large:0x" + "16030104" + "55" * 1396
    strategy = ["--payload=tls_client_hello", "--lua-desync=fake:blob=large"]
    with env.lab() as lab, StreamServer(lab, "server", 8443) as server:
        lab.queue_client(QUEUE, ports="8443")
        lab.sh("client", "ip link add small mtu 1300 type veth peer name other; ip link set "
                         "other up; ip link set small up; for v in 4 6; do "
                         "ip -$v route add default dev small table 100; ip -$v rule add fwmark "
                         "0x40000000/0x40000000 lookup 100; done")
        with env.daemon(lab, blob, *strategy, troubled=True) as daemon:
            check_hellos(lab, server)
            daemon.wait_output("Message too long")
            check(len(complaints(daemon)) <= 8, "too many complaints")


@cases({"plain": ([],), "bound": (["--bind-fix4", "--bind-fix6"],)})
def test_interface_goes_and_comes(env, binding):
    """Down, renamed and up again amid the load; TCP carries the connections through."""
    with env.lab() as lab:
        lab.start_site(SITE)
        for tables in laboratory.TABLES:
            for chain, ports in (("POSTROUTING", "--dports"), ("PREROUTING", "--sports")):
                lab.run("client", tables, "-t", "mangle", "-A", chain, "-p", "tcp", "-m", "multiport",
                        ports, "80,443", "-m", "mark", "!", "--mark", "0x40000000/0x40000000", "-j",
                        "NFQUEUE", *laboratory.queue_options(QUEUE), "--queue-bypass")
        with env.daemon(lab, *binding, *STRATEGY, troubled=True) as daemon:
            load = PatientLoad(lab)
            name = "eth0"
            for n in range(4):
                done = load.done
                lab.wait_for(lambda: load.done > done + 100, "the load does not get on")
                fresh = "wan%d" % n
                lab.sh("client", rename_script(name, fresh))
                name = fresh
            load.enough()
            load.wait()
            check(daemon.alive(), "the program ended")
            with Sniffer(lab, "client") as sniffer:
                check_equal("curl", lab.curl("http://%s/" % SITE, name=SITE).returncode, 0)
                names = {x.interface for x in sniffer.stop() if x.outgoing}
            check_equal("interface", names, {name})
        check(pages_served(lab) >= load.count + 1, "pages are missing")


class PatientLoad(Load):
    """Begins a connection again that the client's own kernel gave up since there was no route."""

    def _fetch(self, number):
        while True:
            try:
                return super()._fetch(number)
            except OSError as e:
                if e.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH):
                    raise
                time.sleep(0.02)


def rename_script(old, new):
    """An interface under another name, down for a moment. Its addresses are kept by a second one."""
    return """
        ip addr add 10.77.1.2/32 dev lo 2>/dev/null || true
        ip -6 addr add fd77:1::2/128 dev lo 2>/dev/null || true
        ip link set {old} down
        sleep 0.3
        ip link set {old} name {new}
        ip addr flush dev {new}
        ip link set {new} up
        ip addr add 10.77.1.2/24 dev {new}
        ip addr add fd77:1::2/64 dev {new} nodad
        for a in 10.77.1.1 fd77:1::1; do
            ip neigh replace $a lladdr 02:00:00:00:01:01 dev {new}
        done
        ip route replace default via 10.77.1.1
        ip -6 route replace default via fd77:1::1
        """.format(old=old, new=new)


# --- lists


def break_list(path, how):
    """Does something bad to a list file; "device" never comes to an end, "fifo" to no beginning."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
    if how == "directory":
        os.mkdir(path)
    elif how == "truncated":
        open(path, "w").close()
    elif how == "half":
        with open(path, "w") as f:
            f.write("site.exam")
    elif how == "binary":
        with open(path, "wb") as f:
            f.write(random.Random(1).randbytes(100000))
    elif how == "gzip":
        with open(path, "wb") as f:
            f.write(b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"\x55" * 100)
    elif how == "fifo":
        os.mkfifo(path)
        os.chmod(path, 0o666)
    elif how == "device":
        os.symlink("/dev/zero", path)
    elif how == "loop":
        os.symlink(path, path)
    elif how == "secret":
        open(path, "w").close()
        os.chmod(path, 0)


def write_list(path, text):
    break_list(path, "missing")
    with open(path, "w") as f:
        f.write(text)


BROKEN = ("missing", "directory", "truncated", "half", "binary", "gzip", "fifo", "device", "loop",
          "secret")
# What is no readable list leaves the old one in force.
UNREADABLE = ("missing", "directory", "gzip", "fifo", "device", "loop", "secret")


@cases({how: (how,) for how in BROKEN})
def test_broken_list(env, how):
    """A list that breaks while the program runs, with and without a HUP, then comes back."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.filter_words(SITE)
        lab.queue_client(QUEUE)
        hosts, nets = lab.folder + "/hosts.txt", lab.folder + "/nets.txt"

        def opens():
            return lab.curl("http://%s/" % SITE, name=SITE).returncode == 0
        write_list(hosts, SITE + "\n")
        write_list(nets, laboratory.SERVER4 + "/24\n")
        with env.daemon(lab, "--hostlist=" + hosts, "--ipset=" + nets, "--payload=http_req",
                        "--lua-desync=multisplit:pos=midsld") as daemon:
            check(opens(), "the lists do not work")
            for path, good in ((hosts, SITE + "\n"), (nets, laboratory.SERVER4 + "/24\n")):
                break_list(path, how)
                opens()
                daemon.process.send_signal(signal.SIGHUP)
                for _ in range(3):
                    opened = opens()
                    time.sleep(0.05)
                check(daemon.alive(), "the program ended")
                if how in UNREADABLE:
                    check(opened, "%s: what was loaded is forgotten", os.path.basename(path))
                write_list(path, good)
                daemon.process.send_signal(signal.SIGHUP)
                lab.wait_for(opens, "the list is not loaded when it is back")


# --- disks


def small_disk(env, lab, size="64k"):
    """A program that sees a small file system of its own at <lab>/disk; gone with the process.
    The file system's folder is below /proc/<pid>/root."""
    disk = lab.folder + "/disk"
    os.mkdir(disk)
    path = lab.folder + "/on-small-disk"
    with open(path, "w") as f:
        f.write('#!/bin/sh\nset -e\nmount -t tmpfs -o size=%s,mode=777 tmpfs "%s"\nexec "%s" "$@"\n'
                % (size, disk, env.program))
    os.chmod(path, 0o755)
    full = type(env)(path, env.lua)
    return full, disk


def fill(folder, name="filler"):
    with open(os.path.join(folder, name), "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"\0" * 1024)
        except OSError:
            pass


def test_disk_full_at_automatic_list(env):
    """A host that cannot be written down is in force all the same, and is written when there is
    room again."""
    with env.lab() as lab:
        lab.start_site(SITE, "second.example")
        lab.filter_words(SITE, "second.example")
        lab.queue_client(QUEUE)
        full, disk = small_disk(env, lab)

        def opens(name=SITE):
            return lab.curl("http://%s/" % name, name=name).returncode == 0
        with full.daemon(lab, "--hostlist-auto=%s/auto.txt" % disk, "--hostlist-auto-debug=%s/auto.log"
                         % disk, "--hostlist-auto-fail-threshold=1", "--payload=http_req",
                         "--lua-desync=multisplit:pos=midsld") as daemon:
            seen = "/proc/%d/root%s" % (daemon.pid, disk)
            fill(seen)
            check(not opens(), "the first connection opens")
            for _ in range(5):
                check(opens(), "a host that is not on the disk is not in force")
            check_equal("list on the full disk", open(seen + "/auto.txt").read(), "")
            check("cannot write hostlist file" in daemon.output(), "the full disk is not told")
            check(daemon.output().count("cannot write") < 10, "it is told too often")
            os.unlink(seen + "/filler")
            opens("second.example")
            check(opens("second.example"), "the second host is not in force")
            lab.wait_for(lambda: set(open(seen + "/auto.txt").read().split()) ==
                         {SITE, "second.example"}, "the list is not written: %r" %
                         open(seen + "/auto.txt").read(), timeout=75)


def test_disk_full_at_debug_log(env):
    """The log stops, the program does not; with room again the log goes on."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        full, disk = small_disk(env, lab, "256k")
        with full.daemon(lab, "--debug=@%s/debug.log" % disk, *STRATEGY) as daemon:
            seen = "/proc/%d/root%s" % (daemon.pid, disk)
            Load(lab, 300).wait()
            check(os.path.getsize(seen + "/debug.log") > 150000, "the disk is not full")
            before = resident(daemon.pid)
            Load(lab, 300).wait()
            check(sanitized(env.program) or resident(daemon.pid) < before + (1 << 20),
                  "memory grows with a log that cannot be written")
            os.truncate(seen + "/debug.log", 0)
            Load(lab, 10).wait()
            check(os.path.getsize(seen + "/debug.log") > 1000, "the log does not go on")
        check_equal("pages served", pages_served(lab), 610)


# --- time


@without_root
def test_clock_jumps(env):
    """Packets that come years later, earlier, and at the ends of what a clock can tell: all go out."""
    hello = client_hello()
    local, server = "192.0.2.10", "198.51.100.20"
    years = [1700000000, 1700000001, 4000000000, 1, 0xFFFFFFFF, 0, 1700000000, 0x80000000, 5]
    with env.folder() as folder:
        with open(folder + "/in.pcap", "wb") as f:
            f.write(bytes.fromhex("d4c3b2a1020004000000000000000000000004006500000 0".replace(" ", "")))
            count = 0
            for n, second in enumerate(years * 20):
                source = 40000 + n % 7
                for raw in (tcp(local, server, source, 443, 1, 0, SYN),
                            tcp(local, server, source, 443, 2, 1, 0x18, hello[:100 + n % 200])):
                    raw = ip(local, server, TCP, raw)
                    f.write(b"".join(x.to_bytes(4, "little")
                                     for x in (second, n % 1000000, len(raw), len(raw))) + raw)
                    count += 1
                raw = ip(local, server, 17, udp(local, server, source, 443, b"x" * 50))
                f.write(b"".join(x.to_bytes(4, "little")
                                 for x in (second, n % 1000000, len(raw), len(raw))) + raw)
                count += 1
        result = env.run("--pcap-in=%s/in.pcap" % folder, "--pcap-out=%s/out.pcap" % folder,
                         "--lua-init=@%s/zapret-lib.lua" % env.lua, "--ipcache-hostname=1",
                         "--hostlist-auto=%s/auto.txt" % folder,
                         "--lua-init=timer_set('t', function() end, 1000)", "--lua-desync=pass")
        check_equal("exit code", result.returncode, 0)
        check_equal("packets", len(read_pcap(folder + "/out.pcap")), count)


def test_long_sleep(env):
    """A machine that slept: flows are too old at once, held packets are overdue."""
    with env.lab() as lab, StreamServer(lab, "server", 8443, 1815) as server:
        lab.queue_client(QUEUE, ports="8443")
        with env.daemon(lab, "--ctrack-timeouts=1:1:1:1", *SPLIT) as daemon, \
                lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
            s.connect((laboratory.SERVER4, 8443))
            s.sendall(big_client_hello()[:1000])
            time.sleep(0.1)
            daemon.process.send_signal(signal.SIGSTOP)
            time.sleep(4)
            daemon.process.send_signal(signal.SIGCONT)
            s.sendall(big_client_hello()[1000:])
            check(server.wait(lambda x: any(len(d) == 1815 for d in x.streams)),
                  "the stream did not arrive")
            check_equal("stream", bytes(server.streams[0]), big_client_hello())


# --- signals and death


def test_signal_storm(env):
    """Thousands of requests amid the load: nothing lost, memory flat."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        path = lab.folder + "/hosts.txt"
        write_list(path, "".join("host%d.example\n" % n for n in range(20000)) + SITE + "\n")
        with env.daemon(lab, "--hostlist=" + path, *STRATEGY) as daemon:
            Load(lab, 200).wait()
            resident_after = []
            for _ in range(3):
                storm = threading.Event()
                thread = threading.Thread(target=send_signals, args=(daemon, path, storm))
                thread.start()
                Load(lab, 700).wait()
                storm.set()
                thread.join()
                resident_after.append(settled(daemon))
            print("resident after each storm: %s KB" % [n >> 10 for n in resident_after])
            check(sanitized(env.program) or resident_after[2] < resident_after[0] + (2 << 20),
                  "memory grows: %s", resident_after)
            check(daemon.output().count("HUP received") > 10, "there were few reloads")
        check_equal("pages served", pages_served(lab), 2300)


def settled(daemon):
    """Resident memory when the last reload is over: the least of a while."""
    least = []
    for _ in range(20):
        least.append(resident(daemon.pid))
        time.sleep(0.05)
    return min(least)


def send_signals(daemon, path, end):
    n = 0
    while not end.is_set():
        n += 1
        if n % 100 == 0:
            os.utime(path)  # a reload has something to do
        daemon.process.send_signal((signal.SIGHUP, signal.SIGHUP, signal.SIGUSR2,
                                    signal.SIGHUP)[n % 4] if n % 50 else signal.SIGUSR1)
        time.sleep(0.0005)


def test_killed_and_restarted_under_load(env):
    """KILL gives no time to say farewell: packets in the queue are gone, TCP repeats them."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        load = Load(lab)
        for _ in range(4):
            daemon = env.daemon(lab, *STRATEGY)
            end = load.done + 500
            lab.wait_for(lambda: load.done >= end, "the connections do not get on")
            check(daemon.alive(), "the program ended")
            daemon.process.kill()
            daemon.process.wait()
            daemon.judge()
        with env.daemon(lab, *STRATEGY):
            load.enough()
            load.wait()
        check_equal("pages served", pages_served(lab), load.count)
        print("slowest connection: %.2f s" % load.slowest)
