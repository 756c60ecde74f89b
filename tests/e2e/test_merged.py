"""Packets larger than the MTU (GSO): whatever scripts, counters and the wire show is the same as if
the kernel had cut them up before the queue."""
import re
import socket
import struct

import transfer
from harness import (QUEUE, big_client_hello, cases, check, check_equal, laboratory)
from packets import TCP
from wire import DatagramServer, Sniffer, StreamServer, exchange

PORT = 5000
UDP_SEGMENT = 103
UPLOAD = 3_000_000
ENDS = (("client", "eth0"), ("box", "to-client"), ("box", "to-server"), ("server", "eth0"))
# One line for each call: direction, packets, data packets, bytes, sequence number, payload, data
# packets and bytes of the server, packets that this one stands for.
LOG = ("--lua-init=function tell(c,d) local p,q=d.track.pos.client,d.track.pos.server "
       "DLOG_CONDUP(string.format('seen %s %d %d %d %d %d %d %d %d',d.outgoing and 'out' or 'in',"
       "p.pcounter,p.pdcounter,p.pbcounter,p.tcp and p.tcp.rseq or 0,#d.dis.payload,"
       "q.pdcounter,q.pbcounter,d.merged or 1)) end")
BOTH_WAYS = {"split": ["--gso=0"], "merged": []}


def offloads_on(lab):
    """Large packets travel from end to end."""
    for who, interface in ENDS:
        lab.set_offloads(who, interface, 1)


def lines_of(output):
    """What the script told, see LOG."""
    return [(way, *map(int, rest.split())) for way, rest in
            re.findall(r"^LUA: seen (out|in) ([\d ]+)$", output, re.M)]


def lengths(daemon):
    return [int(n) for n in re.findall(r"packet: id=\d+ len=(\d+)", daemon.output())]


def data_packets(seen, outgoing=True):
    return [x.packet for x in seen if x.outgoing == outgoing and x.packet.proto == TCP and
            x.packet.payload]


def relative(packets_seen):
    """[(offset in the stream, payload, flags, time to live)]"""
    first = packets_seen[0].seq
    return [((p.seq - first) & 0xFFFFFFFF, p.payload, p.flags, p.ttl) for p in packets_seen]


def without_retransmissions(packets_seen):
    """Those that carry something new; a slow machine makes TCP send again."""
    sent, kept = set(), []
    for packet in packets_seen:
        places = {(packet.seq + n) & 0xFFFFFFFF for n in range(len(packet.payload))}
        if not places <= sent:
            kept.append(packet)
            sent |= places
    return kept


def send_hello(env, version, hello, options):
    """What a connection that sends a hello at once puts on the wire; and the longest packet the
    program was shown."""
    with env.lab() as lab, StreamServer(lab, "server", PORT, len(hello)) as server:
        lab.queue_client(QUEUE, ports=str(PORT))
        with env.daemon(lab, "--debug", *options) as daemon, \
                Sniffer(lab, "client", "eth0") as sniffer:
            answer = exchange(lab, laboratory.SERVER[version], PORT, hello)
            check_equal("answer", answer, server.REPLY)
            check_equal("what the server got", bytes(server.streams[0]), hello)
            longest = max(lengths(daemon))
        wire = data_packets(sniffer.stop())
    check(all(p.l4_ok for p in wire), "a wrong checksum is on the wire")
    return relative(without_retransmissions(wire)), longest


STRATEGIES = {
    "multisplit": ["--payload=tls_client_hello", "--lua-desync=multisplit:pos=1,midsld"],
    "multidisorder": ["--payload=tls_client_hello", "--lua-desync=multidisorder:pos=1,midsld"],
    "modified": ["--payload=tls_client_hello", "--lua-desync=pktmod:ip_ttl=60"],
    "untouched": ["--payload=http_req", "--lua-desync=multisplit"],
}


@cases({"%s-ipv%d" % (name, version): (name, version)
        for name in STRATEGIES for version in (4, 6)})
def test_hello_of_two_segments(env, name, version):
    """A ClientHello of two segments that comes in one packet is handled as if it had come in
    two."""
    hello = big_client_hello()
    split, shown_split = send_hello(env, version, hello, ["--gso=0", *STRATEGIES[name]])
    merged, shown_merged = send_hello(env, version, hello, STRATEGIES[name])
    check(shown_split <= 1500 < len(hello) < shown_merged, "the longest packets were %d and %d",
          shown_split, shown_merged)
    check_equal("wire", merged, split)


@cases(BOTH_WAYS)
def test_checksum_of_small_packets(env, *options):
    """A packet that the kernel has left without its checksum shows scripts the whole one, and a
    copy that is kept back and sent later carries it."""
    half = big_client_hello()[:700]
    with env.lab() as lab, StreamServer(lab, "server", PORT, len(half)) as server:
        lab.queue_client(QUEUE, ports=str(PORT))
        with env.daemon(lab, *options, "--payload=all", "--lua-init=function sum(c,d) "
                        "DLOG_CONDUP('raw '..string2hex(raw_packet(c))) end",
                        "--lua-desync=sum") as daemon, Sniffer(lab, "client", "eth0") as sniffer:
            # Released after a while, as the rest of the hello does not come.
            check_equal("answer", exchange(lab, laboratory.SERVER4, PORT, half), server.REPLY)
            shown = [bytes.fromhex(text) for text in
                     re.findall("LUA: raw ([0-9A-Fa-f ]+)", daemon.output())]
        wire = [x.packet.raw for x in sniffer.stop() if x.outgoing and x.packet.proto == TCP]
    bad = [x for x in sniffer.seen if x.packet.proto == TCP and not x.packet.l4_ok]
    check(not bad, "wrong checksums on the wire: %s", bad)
    check(len(shown) >= 2, "the script saw %d packets", len(shown))
    check(all(raw in wire for raw in shown), "scripts were shown other packets than the wire")


def upload(env, size, *options, version=4):
    """Sends so many bytes; gives what the program said and the data packets on the wire."""
    with env.lab() as lab, StreamServer(lab, "server", PORT, size) as server:
        lab.queue_client(QUEUE, ports=str(PORT))
        with env.daemon(lab, LOG, *options) as daemon, \
                Sniffer(lab, "client", "eth0") as sniffer:
            data = transfer.make_data(size)
            check_equal("answer", exchange(lab, laboratory.SERVER[version], PORT, data, timeout=60),
                        server.REPLY)
            check(bytes(server.streams[0]) == data, "the server got something else")
            output = daemon.output()
        wire = data_packets(sniffer.stop())
    return output, wire


@cases(BOTH_WAYS)
def test_counters_with_scripts(env, *options):
    """A script on every packet: each is counted once and has its own place in the stream."""
    output, wire = upload(env, UPLOAD // 10, *options, "--payload=all", "--lua-desync=tell")
    out = [line for line in lines_of(output) if line[5] > 0]
    check_equal("bytes", sum(line[5] for line in out), sum(len(p.payload) for p in wire))
    check_equal("calls", len(out), len(wire))
    check_equal("places", [(line[4] - 1, line[5]) for line in out],
                [(offset, len(payload)) for offset, payload, *_ in relative(wire)])
    for number, line in enumerate(out, 1):
        check_equal("data packets", line[2], number)
        check_equal("bytes so far", line[3], sum(other[5] for other in out[:number]))


@cases(BOTH_WAYS)
def test_counters_without_scripts(env, *options):
    """A script that looks at the answers only: packets that passed whole count as what they stand
    for."""
    output, wire = upload(env, UPLOAD, *options, "--out-range=-d3", "--payload=all",
                          "--lua-desync=pass", "--in-range=a", "--out-range=x",
                          "--lua-desync=tell", "--filter-tcp=%d" % PORT)
    last = lines_of(output)[-1]
    check_equal("bytes", last[3], sum(len(p.payload) for p in wire))
    check_equal("data packets", last[2], len(wire))


@cases(BOTH_WAYS)
def test_script_that_only_looks(env, *options):
    """Its calls stand for all packets, and its counters are those of the last one."""
    output, wire = upload(env, UPLOAD, *options, "--lua-init=takes_merged(tell)", "--payload=all",
                          "--lua-desync=tell")
    out = [line for line in lines_of(output) if line[5] > 0]
    check_equal("packets", sum(line[8] for line in out), len(wire))
    check_equal("bytes", sum(line[5] for line in out), sum(len(p.payload) for p in wire))
    for number, line in enumerate(out, 1):
        check_equal("data packets", line[2], sum(other[8] for other in out[:number]))
        check_equal("bytes so far", line[3], sum(other[5] for other in out[:number]))
    if options:
        check_equal("calls", len(out), len(wire))
    else:
        check(len(out) < len(wire) / 3, "%d calls for %d packets", len(out), len(wire))


@cases({"ipv%d" % version: (version,) for version in (4, 6)})
def test_script_that_breaks_its_word(env, version):
    """What it does is done to every packet though it said that it only looks; that is an error, said
    once."""
    output, wire = upload(
        env, UPLOAD // 10, "--payload=all", "--out-range=d2-", "--lua-desync=change",
        "--lua-init=function change(c,d) if d.dis.ip then d.dis.ip.ip_ttl=60 else "
        "d.dis.ip6.ip6_hlim=60 end return VERDICT_MODIFY end takes_merged(change)",
        version=version)
    check_equal("time to live", {ttl for *_, ttl in relative(wire)[1:]}, {60})
    check_equal("errors", output.count("takes merged packets"), 1)


def test_most_packets_pass_whole(env):
    """What no script wants is not cut up."""
    with env.lab() as lab, StreamServer(lab, "server", PORT, UPLOAD) as server:
        lab.queue_client(QUEUE, ports=str(PORT))
        with env.daemon(lab, "--debug", "--out-range=-d5", "--payload=all",
                        "--lua-desync=pass") as daemon:
            data = transfer.make_data(UPLOAD)
            check_equal("answer", exchange(lab, laboratory.SERVER4, PORT, data, timeout=60),
                        server.REPLY)
            shown = lengths(daemon)
        check(bytes(server.streams[0]) == data, "the server got something else")
    cut_up = sum(n for n in shown if 1000 < n <= 1500)
    check(cut_up < UPLOAD // 4, "%d of %d bytes came in small packets", cut_up, UPLOAD)


EVERY_PACKET = {
    "pass": ["--in-range=a", "--payload=all", "--lua-desync=pass"],
    "finished": ["--out-range=-d10", "--payload=all", "--lua-desync=pass"],
    "no_profile": ["--filter-udp=1", "--lua-desync=pass"],
    "modify": ["--in-range=a", "--payload=all", "--lua-desync=pktmod:ip_ttl=60"],
    "split": ["--payload=all", "--lua-desync=multisplit:pos=100"],
    "second_half": ["--payload=all", "--out-range=b1000000-b1500000",
                    "--lua-desync=multidisorder:pos=200"],
}


@cases({name: (options,) for name, options in EVERY_PACKET.items()})
def test_bulk_is_whole(env, options):
    """Megabytes in both directions, with large packets in both."""
    with env.lab() as lab:
        offloads_on(lab)
        lab.queue_all("client", QUEUE)
        with env.daemon(lab, *options):
            transfer.bulk(lab, transfer.tcp_transfer, laboratory.SERVER,
                          transfer.megabytes())


def test_router(env):
    """The same where the packets only pass through, joined by the receiving interface."""
    with env.lab() as lab:
        offloads_on(lab)
        for tables in laboratory.TABLES:
            lab.run("box", tables, "-t", "mangle", "-A", "FORWARD", "-m", "mark", "!", "--mark",
                    "0x40000000/0x40000000", "-j", "NFQUEUE", *laboratory.queue_options(QUEUE))
        with env.daemon(lab, "--payload=all", "--out-range=-d400",
                        "--lua-desync=multisplit:pos=100", who="box"):
            transfer.bulk(lab, transfer.tcp_transfer, laboratory.SERVER,
                          transfer.megabytes())


@cases({"%s-ipv%d" % (name, version): (name, version)
        for name in ("changed", "finished") for version in (4, 6)})
def test_datagrams(env, name, version):
    """Merged datagrams, whose borders only the kernel knows: scripts get each of them; those of a
    finished flow pass whole."""
    datagrams = [b"%04d" % n + bytes(996) for n in range(6)] + [b"last"]
    changed = name == "changed"
    options = ["--payload=all", "--lua-desync=udplen:increment=2:payload=all"] if changed else \
        ["--filter-tcp=1", "--lua-desync=pass"]
    with env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        lab.queue_client(QUEUE, ports=str(PORT), protocol="udp")
        with env.daemon(lab, "--debug", *options) as daemon:
            # The kernel queues no second piece of a flow it does not know yet.
            with lab.socket("client", (socket.AF_INET, socket.AF_INET6)[version == 6],
                            socket.SOCK_DGRAM) as s:
                s.connect((laboratory.SERVER[version], PORT))
                s.send(b"first")
                lab.wait_for(lambda: len(server.datagrams) == 1, "the first datagram is missing")
                s.sendmsg([b"".join(datagrams)],
                          [(socket.SOL_UDP, UDP_SEGMENT, struct.pack("H", 1000))])
            lab.wait_for(lambda: len(server.datagrams) == 1 + len(datagrams),
                         "datagrams are missing: %d" % len(server.datagrams))
            shown = lengths(daemon)
        got = server.datagrams[1:]
    if changed:
        check_equal("lengths", [len(d) for d in got], [len(d) + 2 for d in datagrams])
        check_equal("datagrams", [d[:len(want)] for d, want in zip(got, datagrams)], datagrams)
        check_equal("packets shown", len(shown), 2 + len(datagrams))
    else:
        check_equal("datagrams", got, datagrams)
        check_equal("packets shown", len(shown), 2)
    check(max(shown) > 6000, "no merged packet came: %s", shown)
