"""Each strategy works on real TCP stacks: requests arrive byte for byte, sites stay usable, and the
wire shows that the strategy did something."""
import hashlib
import os

from harness import HTTP_REQUEST, QUEUE, cases, check, check_equal, client_hello, laboratory
from packets import ACK, RST, SYN, TCP, URG
from wire import Sniffer, StreamServer, exchange

SITE = "site.example"
HELLO_PORT, HTTP_PORT = 8443, 8080
REQUESTS = "--payload=http_req,tls_client_hello"
TTL = "ip_ttl=1:ip6_ttl=1"


class Wire:
    """One connection: what left the client, what came to the server, what the client had to say."""

    def __init__(self, version, request, out, arrived):
        self.version, self.request = version, request
        self.out, self.arrived = out, arrived
        self.data = [p for p in out if p.payload]
        self.lengths = [len(p.payload) for p in self.data]


# --- what a wire must show


def untouched(wire):
    check_equal("data segments", wire.lengths, [len(wire.request)])


def split(*wanted):
    """The data leaves in segments of these lengths; one of 0 takes what the others leave."""
    def look(wire):
        rest = len(wire.request) - sum(wanted)
        check_equal("lengths of segments", wire.lengths[:len(wanted)], [n or rest for n in wanted])
    return look


def several(least):
    def look(wire):
        check(len(wire.data) >= least, "%d data segments: %s", len(wire.data), wire.lengths)
    return look


def dying(count):
    """That many packets leave with TTL 1 and none of them passes the router."""
    def look(wire):
        fakes = [p for p in wire.out if p.ttl == 1 and (p.payload or p.flags & RST)]
        check_equal("fakes that left", len(fakes), count)
        real = [p for p in wire.out if p.ttl != 1]
        check_equal("packets at the server", len(wire.arrived), len(real))
    return look


def refused(count, different=lambda p: True):
    """That many packets more than needed come to the server, whose TCP must refuse them."""
    def look(wire):
        fakes = [p for p in wire.arrived if p.payload and different(p)]
        check(len(fakes) >= count, "only %d fakes came to the server: %s", len(fakes), wire.lengths)
    return look


def bad_checksum(packet):
    return packet.l4_ok is False


def with_md5(packet):
    return b"\x13\x12" in packet.options


def any_out(condition, what):
    def look(wire):
        check(any(condition(p) for p in wire.out), "no packet left with %s", what)
    return look


def version_only(version, look):
    return lambda wire: look(wire) if wire.version == version else None


def retransmitted(wire):
    check_equal("data segments that left", wire.lengths, [len(wire.request)])
    check_equal("data segments at the server", len([p for p in wire.arrived if p.payload]), 1)


def fragmented(wire):
    check(len([p for p in wire.out if p.fragment]) >= 2, "no fragments left")


def late(wire):
    check_equal("data segments", len(wire.data), 1)


def payload_starts(*texts):
    def look(wire):
        check(wire.data[0].payload.startswith(texts), "payload %r", wire.data[0].payload[:80])
    return look


HOSTCASE = HTTP_REQUEST.replace(b"Host:", b"hoSt:")
DOMCASE = HTTP_REQUEST.replace(b"www.example.com", b"WwW.ExAmPlE.CoM")
METHODEOL = b"\r\n" + HTTP_REQUEST.replace(b"(X11)\r\n", b"(X1\r\n")
UNIXEOL = HTTP_REQUEST.replace(b"\r\n", b"\n").replace(b"(X11)", b"(X11)      ")

# name: (arguments, what the wire shows, what the server gets instead of HTTP_REQUEST)
STRATEGIES = {
    "none": ([], untouched),
    "pass": (["--lua-desync=pass"], untouched),
    "drop": ([REQUESTS, "--out-range=-n3", "--lua-desync=drop"], retransmitted),
    "drop_incoming": (["--in-range=-n1", "--out-range=x", "--lua-desync=drop:dir=in"],
                      any_out(lambda p: p.flags == SYN, "SYN")),
    "send": ([REQUESTS, "--lua-desync=send:repeats=2"], several(3)),
    "send_ttl": ([REQUESTS, "--lua-desync=send:repeats=2:" + TTL], dying(2)),
    "send_badsum": ([REQUESTS, "--lua-desync=send:badsum"], refused(1, bad_checksum)),
    "send_ipfrag": ([REQUESTS, "--out-range=-n3", "--lua-desync=send:ipfrag:ipfrag_pos_tcp=32",
                     "--lua-desync=drop"], fragmented),
    "send_ipfrag_disorder": ([REQUESTS, "--out-range=-n3",
                              "--lua-desync=send:ipfrag:ipfrag_disorder:ipfrag_pos_tcp=64",
                              "--lua-desync=drop"], fragmented),
    "send_delay_drop": ([REQUESTS, "--out-range=-n3", "--lua-desync=send:delay=40",
                         "--lua-desync=drop"], late),
    "pktmod_ttl": (["--lua-desync=pktmod:ip_ttl=9:ip6_ttl=9"],
                   any_out(lambda p: p.ttl == 9 and p.payload, "TTL 9")),
    "pktmod_options": (["--lua-desync=pktmod:tcp_ts_up:tcp_nop_del"],
                       any_out(lambda p: p.payload and p.options[:2] == b"\x08\x0a",
                               "a timestamp in front")),
    "pktmod_ip6_destopt": ([REQUESTS, "--lua-desync=pktmod:ip6_destopt"],
                           version_only(6, any_out(lambda p: p.raw[6] == 60, "a header more"))),
    "http_hostcase": ([REQUESTS, "--lua-desync=http_hostcase:spell=hoSt"], untouched, HOSTCASE),
    "http_domcase": ([REQUESTS, "--lua-desync=http_domcase"], untouched, DOMCASE),
    "http_methodeol": ([REQUESTS, "--lua-desync=http_methodeol"], untouched, METHODEOL),
    "http_unixeol": ([REQUESTS, "--lua-desync=http_unixeol"], untouched, UNIXEOL),
    "http_chain": ([REQUESTS, "--lua-desync=http_hostcase:spell=hoSt", "--lua-desync=http_domcase",
                    "--lua-desync=fake:blob=fake_default_http:tcp_md5"], refused(1, with_md5),
                   DOMCASE.replace(b"Host:", b"hoSt:")),
    "wssize": (["--lua-desync=wssize:wsize=64:scale=6"],
               any_out(lambda p: p.flags == ACK and p.window == 64, "window 64")),
    "syndata": (["--lua-desync=syndata:blob=0x1603010203"],
                any_out(lambda p: p.flags == SYN and p.payload == b"\x16\3\1\2\3", "data in SYN")),
    "syndata_tls": (["--lua-desync=syndata:blob=fake_default_tls:tls_mod=rnd,sni=a.example"],
                    any_out(lambda p: p.flags == SYN and b"a.example" in p.payload, "the name")),
    "synack": (["--lua-desync=synack"], any_out(lambda p: p.flags == SYN | ACK, "SYN,ACK")),
    "rst_ttl": ([REQUESTS, "--lua-desync=rst:" + TTL], dying(1)),
    "rst_md5": ([REQUESTS, "--lua-desync=rst:rstack:tcp_md5"],
                any_out(lambda p: p.flags == RST | ACK and with_md5(p), "RST,ACK with MD5")),
    "rst_badsum": ([REQUESTS, "--lua-desync=rst:badsum"],
                   any_out(lambda p: p.flags == RST and bad_checksum(p), "bad RST")),
    "fake_ttl": ([REQUESTS, "--lua-desync=fake:blob=fake_default_tls:repeats=3:" + TTL], dying(3)),
    "fake_badsum": ([REQUESTS, "--lua-desync=fake:blob=fake_default_tls:badsum"],
                    refused(1, bad_checksum)),
    "fake_md5": ([REQUESTS, "--lua-desync=fake:blob=fake_default_http:tcp_md5"],
                 refused(1, with_md5)),
    "fake_seq": ([REQUESTS, "--lua-desync=fake:blob=fake_default_http:tcp_seq=-10000"], refused(2)),
    "fake_ack": ([REQUESTS, "--lua-desync=fake:blob=fake_default_http:tcp_ack=-66000:tcp_ts_up"],
                 refused(2)),
    "fake_ts": ([REQUESTS, "--lua-desync=fake:blob=fake_default_tls:tcp_ts=-600000"], refused(2)),
    "fake_noack": ([REQUESTS, "--lua-desync=fake:blob=fake_default_tls:tcp_flags_unset=ack"],
                   refused(1, lambda p: not p.flags & ACK)),
    "fake_ip6_headers": ([REQUESTS, "--lua-desync=fake:blob=fake_default_tls:ip_ttl=1:"
                                    "ip6_hopbyhop:ip6_hopbyhop2"],
                         any_out(lambda p: p.ttl == 1 or p.raw[6] == 0, "fooling")),
    "fake_autottl": (["--in-range=-s1", REQUESTS,
                      "--lua-desync=fake:blob=fake_default_tls:ip_autottl=0,1-64:"
                      "ip6_autottl=0,1-64"],
                     any_out(lambda p: p.payload and p.ttl <= 2, "an automatic TTL")),
    "fake_tls_mod": ([REQUESTS, "--lua-desync=fake:blob=fake_default_tls:"
                                "tls_mod=rnd,dupsid,rndsni,padencap:" + TTL], dying(1)),
    "fake_clone": ([REQUESTS, "--lua-desync=tls_client_hello_clone:blob=c:fallback="
                              "fake_default_tls:sni_del:sni_first=a.example",
                    "--lua-desync=fake:blob=c:" + TTL], dying(1)),
    "multisplit": ([REQUESTS, "--lua-desync=multisplit"], split(2, 0)),
    "multisplit_many": ([REQUESTS, "--lua-desync=multisplit:pos=1,host,midsld,endhost-1,-10"],
                        several(5)),
    "multisplit_seqovl": ([REQUESTS, "--lua-desync=multisplit:pos=10:seqovl=5:"
                                     "seqovl_pattern=fake_default_tls"], several(2)),
    "multisplit_seqovl_big": ([REQUESTS, "--lua-desync=multisplit:pos=3:seqovl=1500"], several(3)),
    "multisplit_repeats": ([REQUESTS, "--lua-desync=multisplit:repeats=2"], split(2, 2)),
    "multisplit_nodrop": ([REQUESTS, "--lua-desync=multisplit:nodrop"], several(3)),
    "multisplit_ipfrag": ([REQUESTS, "--lua-desync=multisplit:pos=60:ipfrag"], fragmented),
    "multisplit_noctrack": (["--ctrack-disable", REQUESTS, "--lua-desync=multisplit"], split(2, 0)),
    "multidisorder": ([REQUESTS, "--lua-desync=multidisorder"], split(0, 2)),
    "multidisorder_seqovl": ([REQUESTS, "--lua-desync=multidisorder:pos=host,endhost:"
                                        "seqovl=host-3"], several(3)),
    "multidisorder_legacy": ([REQUESTS, "--lua-desync=multidisorder_legacy:pos=2,midsld"],
                             several(3)),
    "fakedsplit": ([REQUESTS, "--lua-desync=fakedsplit:" + TTL], dying(4)),
    "fakedsplit_md5": ([REQUESTS, "--lua-desync=fakedsplit:pos=midsld:tcp_md5"],
                       refused(4, with_md5)),
    "fakeddisorder": ([REQUESTS, "--lua-desync=fakeddisorder:pos=midsld:" + TTL], dying(4)),
    "fakeddisorder_seqovl": ([REQUESTS, "--lua-desync=fakeddisorder:pos=host:seqovl=3:badsum"],
                             refused(4, bad_checksum)),
    "hostfakesplit": ([REQUESTS, "--lua-desync=hostfakesplit:host=a.example:" + TTL], dying(2)),
    "hostfakesplit_full": ([REQUESTS, "--lua-desync=hostfakesplit:midhost=midsld:disorder_after:"
                                      "tcp_md5"], refused(2, with_md5)),
    "tcpseg_drop": ([REQUESTS, "--out-range=-n3", "--lua-desync=tcpseg:pos=0,-1:seqovl=1",
                     "--lua-desync=drop"],
                    lambda wire: check_equal("lengths", wire.lengths, [len(wire.request) + 1])),
    "tcpseg_host": ([REQUESTS, "--lua-desync=tcpseg:pos=host,endhost:ip_id=rnd:" + TTL], dying(1)),
    "oob": (["--in-range=-s1", "--lua-desync=oob"],
            any_out(lambda p: p.flags & URG and p.payload, "URG")),
    "oob_end": (["--in-range=-s1", "--lua-desync=oob:urp=e:char=x"],
                any_out(lambda p: p.flags & URG and p.payload[-1:] == b"x", "URG")),
    "oob_middle": (["--in-range=-s1", "--lua-desync=oob:urp=midsld:byte=85"],
                   any_out(lambda p: p.flags & URG and p.urgent > 1, "URG")),
    "luaexec": ([REQUESTS, "--lua-desync=luaexec:code=if desync.dis.ip then "
                           "desync.dis.ip.ip_tos=0x20 else desync.dis.ip6.ip6_hlim=33 end",
                 "--lua-desync=pktmod"],
                any_out(lambda p: p.tos == 0x20 or p.ttl == 33, "what the script set")),
    "combination": ([REQUESTS, "--lua-desync=fake:blob=fake_default_tls:tcp_md5:tcp_seq=-10000:"
                               "repeats=6", "--lua-desync=multidisorder:pos=1,midsld"],
                    refused(6, with_md5)),
    "two_profiles": (["--filter-tcp=80,8080", "--payload=http_req", "--lua-desync=http_domcase",
                      "--new", "--filter-tcp=443,8443", "--payload=tls_client_hello",
                      "--lua-desync=multisplit"], lambda wire: None, DOMCASE),
}
# nginx does not read on behind an urgent mark amid a request until more data come.
STREAMS_ONLY = ("oob_middle",)
AUTO_STRATEGIES = {
    "repeater": ([REQUESTS, "--lua-desync=repeater:repeats=3",
                  "--lua-desync=fake:blob=fake_default_tls:" + TTL,
                  "--lua-desync=multisplit"], dying(3)),
    "condition": ([REQUESTS, "--lua-desync=condition:iff=cond_tcp_has_ts",
                   "--lua-desync=multisplit"], split(2, 0)),
    "per_instance_condition": ([REQUESTS, "--lua-desync=per_instance_condition",
                                "--lua-desync=multisplit:cond=cond_false",
                                "--lua-desync=multidisorder:cond=cond_true"], split(0, 2)),
    "stopif": ([REQUESTS, "--lua-desync=stopif:iff=cond_true", "--lua-desync=multisplit"],
               untouched),
}


def packets_of(seen, port, outgoing):
    return [s.packet for s in seen if s.packet.proto in (TCP, 44) and s.outgoing == outgoing and
            (s.packet.fragment or s.packet.dport == port)]


def connection(lab, version, port, request, expected):
    """One recorded connection; what the server's application got must be `expected`."""
    with StreamServer(lab, "server", port, len(expected)) as server, \
            Sniffer(lab, "client") as near, Sniffer(lab, "server") as far:
        answer = exchange(lab, laboratory.SERVER[version], port, request)
        check_equal("answer over IPv%d" % version, answer, StreamServer.REPLY)
        check(server.wait(lambda s: s.finished), "the server saw no end of the connection")
        check_equal("what came to the server over IPv%d" % version, server.finished, [expected])
        return Wire(version, request, packets_of(near.stop(), port, True),
                    packets_of(far.stop(), port, False))


def site_works(lab):
    """curl and nginx, which must see these requests and nothing else."""
    with open(os.path.join(lab.folder, "www", "big.bin"), "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    log = os.path.join(lab.folder, "access.log")
    wanted = 0
    for version in (4, 6):
        for url in ("http://%s/" % SITE, "https://%s/" % SITE):
            result = lab.curl(url, name=SITE, version=version)
            check(result.returncode == 0 and "It works" in result.stdout, "curl -%d %s: %s %s",
                  version, url, result.stderr.strip(), result.stdout[:200])
        url = ("https" if version == 4 else "http") + "://%s/big.bin" % SITE
        target = os.path.join(lab.folder, "download")
        result = lab.curl("-o", target, url, name=SITE, version=version)
        check(result.returncode == 0, "curl -%d %s: %s", version, url, result.stderr.strip())
        with open(target, "rb") as f:
            check_equal("1 MiB over IPv%d" % version, hashlib.sha256(f.read()).hexdigest(), digest)
        wanted += 3
    with open(log) as f:
        lines = [line for line in f if "127.0.0.1" not in line]
    check_equal("requests that nginx saw", len(lines), wanted)
    check(all('" 200 ' in line for line in lines), "nginx refused a request: %s", lines)


def run_strategy(env, libraries, arguments, look, http=HTTP_REQUEST, site=True):
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE, ports="80,443,%d,%d" % (HTTP_PORT, HELLO_PORT))
        with env.daemon(lab, *arguments, libraries=libraries):
            for version in (4, 6):
                for port, request, want in ((HTTP_PORT, HTTP_REQUEST, http),
                                            (HELLO_PORT, client_hello(), client_hello())):
                    look(connection(lab, version, port, request, want))
            if site:
                site_works(lab)


@cases({name: (name,) for name in STRATEGIES})
def test_strategy(env, name):
    run_strategy(env, ("lib", "antidpi"), *STRATEGIES[name], site=name not in STREAMS_ONLY)


@cases({name: (name,) for name in AUTO_STRATEGIES})
def test_orchestrated(env, name):
    run_strategy(env, ("lib", "antidpi", "auto"), *AUTO_STRATEGIES[name])
