"""Packets of every kind of brokenness pass through a running program unharmed and unharming: what
came through without it comes through with it, byte for byte, and it serves on."""
import collections
import os
import socket
import time

from broken import all_broken
from harness import CRASH, QUEUE, cases, check, check_equal, laboratory, without_root
from packets import read_pcap, write_pcap
from wire import Sniffer

SITE = "site.example"
BOX = bytes.fromhex("020000000101")

PASSING = {
    "pass": ["--in-range=a", "--lua-desync=pass"],
    "hands_off": ["--filter-tcp=1", "--filter-udp=1"],
    "looking": ["--in-range=a", "--lua-desync=luaexec:code=local d=desync.dis; "
                                "local r=reconstruct_dissect(d); dissect(r or '')"],
}
ACTING = {
    "segments": ["--in-range=a", "--lua-desync=multisplit:payload=all:pos=1,midsld,-1",
                 "--lua-desync=fakedsplit:payload=all:ip_ttl=1:ip6_ttl=1"],
    "fakes": ["--in-range=a", "--lua-desync=fake:payload=all:blob=fake_default_tls:tcp_md5:"
                              "tcp_ts_up:ip6_hopbyhop:ip_ttl=1:ip6_ttl=1:"
                              "tls_mod=rnd,dupsid,padencap,rndsni",
              "--lua-desync=hostfakesplit:ip_ttl=1:ip6_ttl=1",
              "--lua-desync=multidisorder:payload=all:pos=host,-3:seqovl=2"],
    "modify": ["--in-range=a", "--lua-desync=pktmod:tcp_ts_up:tcp_nop_del:ip6_destopt",
               "--lua-desync=http_domcase", "--lua-desync=udplen:payload=all:increment=7",
               "--lua-desync=dht_dn", "--lua-desync=rst:ip_ttl=1:ip6_ttl=1"],
    "fragments": ["--in-range=a", "--lua-desync=send:ipfrag:ipfrag_pos_udp=8:ipfrag_pos_tcp=8",
                  "--lua-desync=drop"],
}
DIRECTIONS = ((laboratory.CLIENT4, laboratory.SERVER4), (laboratory.CLIENT6, laboratory.SERVER6))


def every_packet():
    return [raw for src, dst in DIRECTIONS for raw in all_broken(src, dst)]


def inject(lab, who, interface, gateway, raws):
    """Ethernet frames with these packets, at a pace the other end can follow."""
    link = lab.socket(who, socket.AF_PACKET, socket.SOCK_RAW, 0)
    with link:
        link.bind((interface, 0))
        mac = link.getsockname()[4]
        for n, raw in enumerate(raws):
            version = raw[0] >> 4 if raw else 4
            kind = b"\x86\xdd" if version == 6 else b"\x08\x00"
            frame = gateway + mac + kind + raw
            if len(frame) <= 1514:
                link.send(frame)
            if n % 50 == 49:
                time.sleep(0.002)


def marked_end(lab, sniffer, number):
    """Sends a recognisable datagram behind all others and waits until it has passed."""
    text = b"the end %d" % number
    with lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(text, (laboratory.SERVER4, 9))
    check(sniffer.wait(lambda seen: any(text == x.packet.payload for x in seen[-300:]), 10),
          "the packets do not come through any more")


def forwarded(lab, raws, number, wanted=0):
    """What of the packets comes to the server through the box, as a multiset."""
    def ours(seen):
        return [s.packet.raw for s in seen if not s.outgoing and
                s.packet.src in laboratory.CLIENT.values() and
                not (s.packet.payload or b"").startswith(b"the end") and
                # what stands for a first packet that is held back
                not (s.packet.proto == 255 and s.packet.ttl == 1)]

    with Sniffer(lab, "server", "eth0") as sniffer:
        inject(lab, "client", "eth0", BOX, raws)
        marked_end(lab, sniffer, number)
        sniffer.wait(lambda seen: len(seen) >= wanted and len(ours(seen)) >= wanted, 5)
        return collections.Counter(ours(sniffer.stop()))


def served(lab):
    for version in (4, 6):
        result = lab.curl("https://%s/" % SITE, name=SITE, version=version)
        check(result.returncode == 0, "no service: %s", result.stderr)


def beginning_of_hello(raw):
    """What may be held of a packet: from the first byte of a TLS record to the end."""
    at = raw.find(b"\x16", 40)
    return raw[at:] if at != -1 else None


def without_copies(lost, came):
    """Of packets that carry again what is held, other headers or not, the first is kept."""
    held = {beginning_of_hello(raw) for raw in came} - {None}

    def is_copy(raw):
        again = beginning_of_hello(raw)
        return raw in came or again is not None and any(one.startswith(again) for one in held)
    return collections.Counter({raw: n for raw, n in lost.items() if not is_copy(raw)})


def unharmed(env, hooks, arguments, copies_go=False):
    raws = every_packet()
    with env.lab() as lab:
        lab.start_site(SITE)
        # No answers, so that only the packets in question are on the wire.
        for tables in laboratory.TABLES:
            lab.run("server", tables, "-t", "raw", "-A", "PREROUTING", "-i", "eth0", "-p", "tcp",
                    "--sport", "40000", "-j", "DROP")
        plain = forwarded(lab, raws, 0)
        check(sum(plain.values()) > 2000, "only %d packets are forwarded", sum(plain.values()))
        for interface, way in hooks:
            lab.queue_all("box", QUEUE, interface=interface, ways=(way,))
        with env.daemon(lab, *arguments, who="box") as daemon:
            treated = forwarded(lab, raws, 1, sum(plain.values()))
            lost, added = plain - treated, treated - plain
            if copies_go:
                lost = without_copies(lost, treated)
            check(not lost and not added, "%d packets lost, %d new, such as\nlost %s\nnew  %s",
                  sum(lost.values()), sum(added.values()), next(iter(lost), b"").hex(),
                  next(iter(added), b"").hex())
            served(lab)
            state = lab.queue_state("box", QUEUE)
            check_equal("packets dropped", state[5:7], [0, 0])
            check(state[7] >= sum(plain.values()), "the queue saw only %d packets", state[7])
            check(daemon.alive(), "the program ended")
        print("%d packets, %d forwarded" % (len(raws), sum(plain.values())))


@cases({name: (args,) for name, args in PASSING.items()})
def test_unharmed(env, arguments):
    """On a router, at both hooks of the way: nothing is lost, changed or added."""
    unharmed(env, (("to-client", "in"), ("to-server", "out")), ["--reasm-disable", *arguments])


def test_unharmed_when_held(env):
    """Halves of ClientHellos among them are held back, and in the end leave as they came; of exact
    copies one is held."""
    unharmed(env, (("to-server", "out"),), PASSING["pass"], copies_go=True)


@cases({name: (args,) for name, args in ACTING.items()})
def test_unharming(env, arguments):
    """Strategies that act on everything: the program lives on and serves."""
    raws = every_packet()
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_all("box", QUEUE, interface="to-client", ways=("in",))
        lab.queue_all("box", QUEUE, interface="to-server", ways=("out",))
        with env.daemon(lab, "--lua-desync=pass", "--filter-tcp=443", "--new", *arguments,
                        who="box", troubled=True) as daemon:
            with Sniffer(lab, "box") as sniffer:
                inject(lab, "client", "eth0", BOX, raws)
                lab.wait_for(lambda: lab.queue_state("box", QUEUE)[2] == 0, "the queue hangs")
                sniffer.stop()
            served(lab)
            check(daemon.alive(), "the program ended")


def test_raw_sockets(env):
    """Sent by the protected machine itself, as far as its kernel takes them."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_all("client", QUEUE)
        with env.daemon(lab, "--in-range=a", "--lua-desync=multisplit:payload=known",
                        "--lua-desync=rst:ip_ttl=1:ip6_ttl=1", troubled=True) as daemon:
            taken = 0
            for (src, dst), family in zip(DIRECTIONS, (socket.AF_INET, socket.AF_INET6)):
                with lab.socket("client", family, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
                    for n, raw in enumerate(all_broken(src, dst, 10)):
                        try:
                            s.sendto(raw, (dst, 0))
                            taken += 1
                        except OSError:
                            pass
                        if n % 50 == 49:
                            time.sleep(0.001)
            lab.wait_for(lambda: lab.queue_state("client", QUEUE)[2] == 0, "the queue hangs")
            served(lab)
            check(daemon.alive(), "the program ended")
        check(taken > 3000, "the kernel took only %d packets", taken)


@without_root
@cases({name: (args,) for name, args in {**PASSING, **ACTING}.items()})
def test_capture(env, arguments):
    """All of them, also those no kernel would forward, from a capture file."""
    raws = every_packet()
    with env.folder() as folder:
        source, out = (os.path.join(folder, n) for n in ("in.pcap", "out.pcap"))
        write_pcap(source, raws)
        result = env.run("--pcap-in=" + source, "--pcap-out=" + out,
                         "--pcap-local=10.77.1.2,fd77:1::2",
                         *laboratory.libraries(folder, env.lua, "lib", "antidpi"), *arguments,
                         timeout=140)
        judge_capture(result, arguments)
        came = [raw for _, raw in read_pcap(out)]
    if arguments in PASSING.values():
        wanted = [raw for raw in raws if raw and raw[0] >> 4 in (4, 6)]
        came = [raw for raw in came if raw and raw[0] >> 4 in (4, 6)]
        came, wanted = collections.Counter(came), collections.Counter(wanted)
        check(not came - wanted, "packets were changed")
        check(not without_copies(wanted - came, came), "packets were lost")
        check(sum((wanted - came).values()) < len(wanted) / 100, "too many are taken for copies")


def judge_capture(result, arguments):
    both = result.stdout + result.stderr
    check(not CRASH.search(both), "the program crashed:\n%s", both[-4000:])
    allowed = (0,) if arguments in PASSING.values() else (0, 3)
    check(result.returncode in allowed, "exit code %d: %s", result.returncode,
          result.stderr[-2000:])
