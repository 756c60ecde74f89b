"""Scripts that were written for NFLua: frame and packet, verdicts, and what `nf` and its like can do."""
import collections
import json
import os
import re
import socket
import struct
import subprocess
import sys

import packets
from control_client import ask
from harness import HERE, QUEUE, cases, check, check_equal, laboratory, without_root
from offline_world import CLIENT4, CLIENT6, LOCAL, SERVER4, SERVER6, START, Flow
from packets import ACK, FIN, PSH, RST, SYN, UDP

NOBODYS = 255  # protocol
RAW, ETHERNET, COOKED, COOKED2 = 101, 1, 113, 276
TTL = "function f(frame, packet) packet:layout{ttl = {64, 8}} %s end"

Result = collections.namedtuple("Result", "code out said errors")


def datagram(ttl=64, data=b"0123456789", back=False, sport=5000, dport=9999):
    ends, ports = (CLIENT4, SERVER4), (sport, dport)
    if back:
        ends, ports = ends[::-1], ports[::-1]
    return packets.ip(*ends, UDP, packets.udp(*ends, *ports, data), ttl=ttl)


def run(env, script, *options, given=None, link=RAW, code=0):
    """The program's run of a script as file; `given`: frames, a second after each other."""
    with env.folder() as folder:
        source, out = (os.path.join(folder, name) for name in ("in.pcap", "out.pcap"))
        file = os.path.join(folder, "script.lua")
        with open(file, "w") as f:
            f.write(script)
        with open(source, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0x40000,
                                link))
            for n, raw in enumerate(given if given is not None else [datagram()]):
                f.write(struct.pack("<IIII", START + n, 250000, len(raw), len(raw)) + raw)
        result = env.run("--pcap-in=" + source, "--pcap-out=" + out, LOCAL, "--in-range=a",
                         "--lua-init=@%s/zapret-nflua.lua" % env.lua, "--lua-init=@" + file, *options)
        check(result.returncode == code, "exit code %s:\n%s%s", result.returncode,
              result.stdout[-1500:], result.stderr[-1500:])
        # A first packet that is dropped leaves as one that no machine takes.
        passed = [raw for _, raw in packets.read_pcap(out) if raw[9] != NOBODYS or raw[8] != 1]
        return Result(result.returncode, passed, result.stdout, result.stderr)


def asserts(env, body, *options, given=None, head="", link=RAW, times=1):
    """Runs a body of assertions within f(frame, packet), for each packet that is given."""
    script = head + "\nfunction f(frame, packet)\n%s\nprint('reached')\nreturn false end" % body
    result = run(env, script, "--lua-desync=nflua:func=f", *options, given=given, link=link)
    check_equal("ends of the function", result.said.count("reached"), times)
    return result


# --- matches and targets


@without_root
def test_match(env):
    result = run(env, TTL % "return packet.ttl == 64", "--lua-desync=nflua:func=f",
                 given=[datagram(64), datagram(63)])
    check_equal("what passes", result.out, [datagram(63)])


@without_root
def test_match_of_no_boolean(env):
    result = run(env, "function f() return 1 end", "--lua-desync=nflua:func=f",
                 given=[datagram(), datagram()])
    check_equal("what passes", len(result.out), 2)
    check_equal("warnings", result.errors.count("invalid match return: f"), 1)


# j: does a later `drop` see the packets that match, those that do not?
@without_root
@cases({"next": ("next", [63]), "accept": ("accept", [64]), "continue": ("continue", []),
        "drop": ("drop", [])})
def test_what_a_match_does(env, action, passing):
    result = run(env, TTL % "return packet.ttl == 64" + " function zap() return VERDICT_DROP end",
                 "--lua-desync=nflua_match:func=f:j=" + action, "--lua-desync=zap",
                 given=[datagram(64), datagram(63)])
    check_equal("what passes", [raw[8] for raw in result.out], passing)


@without_root
@cases({"drop": ("'drop'", 0), "accept": ("'accept'", 1), "stolen": ("'stolen'", 0),
        "stop": ("'stop'", 1), "queue": ("'queue'", 1), "word": ("'x'", 0), "nil": ("nil", 0),
        "number": ("5", 0), "boolean": ("true", 0), "continue": ("'continue'", 0)})
def test_target(env, value, passing):
    result = run(env, "function f() return %s end function zap() return VERDICT_DROP end" % value,
                 "--lua-desync=nflua:func=f:mode=target", "--lua-desync=zap")
    check_equal("packets that pass", len(result.out), passing)


@without_root
@cases({"match": ("match", 0), "target": ("target", 0)})
def test_an_error_is_no_answer(env, mode, passing):
    result = run(env, "function f() error('broken') end function zap() return VERDICT_DROP end",
                 "--lua-desync=nflua:func=f:mode=" + mode, "--lua-desync=zap", code=3)
    check_equal("packets that pass", len(result.out), passing)
    check("broken" in result.errors and "traceback" in result.errors, "not told: %s", result.errors)


@without_root
def test_a_function_that_is_missing(env):
    result = run(env, "", "--lua-desync=nflua:func=f", code=3)
    check_equal("packets that pass", len(result.out), 1)
    check("couldn't find function: f" in result.errors, "not told: %s", result.errors)


@without_root
def test_conditions(env):
    flow = Flow(40000)
    given = [*flow.handshake(), flow.send(b"hello")]
    result = run(env, "function f() return true end", "--lua-desync=nflua:func=f:tcp_payload",
                 given=given)
    check_equal("what passes", result.out, given[:3])
    result = run(env, "", "--lua-desync=nflua:tcp_payload", given=given)
    check_equal("what passes without a function", result.out, given[:3])
    script = "function set() nf.set_match_bit(%d, true) return false end function f() return true end"
    for bit, passing in ((1, 0), (2, 1)):
        result = run(env, script % bit, "--lua-desync=nflua:func=set",
                     "--lua-desync=nflua:func=f:mask=0x2")
        check_equal("packets that pass", len(result.out), passing)


@without_root
def test_hotdrop(env):
    for body, passing in (("nf.hotdrop(true) return false", 0), ("nf.hotdrop(true) nf.hotdrop(false) "
                                                                 "return false", 1)):
        result = run(env, "function f() %s end" % body, "--lua-desync=nflua:func=f")
        check_equal("packets that pass", len(result.out), passing)
    asserts(env, "assert(not pcall(nf.hotdrop, 1))")


# Functions that stand before those of the library: what the program knows of its own does not hold for them.
IN_FRONT = """
for _, name in ipairs{"nflua", "nflua_match", "nflua_target"} do
    local f = _G[name]
    _G[name] = function(ctx, desync) return f(ctx, desync) end
end"""
WITH_BITS = """
word, none, many = "0x1", 0, "12345678"
local packets = 0
function bits() packets = packets + 1 nf.reset_match_mask() nf.set_match_bit(packets % 3, true) end
function f(frame, packet) packet:layout{ttl = {64, 8}} packet.ttl = 9 return packets % 2 == 0 end
function t() return ({"accept", "drop", "stop", 5, "x"})[packets % 5 + 1] end
function see(ctx, desync) print("seen", desync.func_instance, #raw_packet(ctx)) end
"""
MASKS = ("0", "1", "0x1", "2", "0x3", "6", "1.0", "1e0", " 4", "1.5", "0x1p1", "0xffffffff", "4294967295",
         "4294967296", "-1", "", "x", "nan", "inf", "%word", "%none", "#many", "%nothing", "\\%1")
TO_BE_READ = {
    "masks": ["nflua:func=f:mask=" + mask for mask in MASKS],
    "words": [function + words for words in ("", ":mask=2", ":tcp_payload", ":mask=0x6:tcp_payload")
              for function in ("nflua:func=f", "nflua:j=next", "nflua:func=f:j=next", "nflua:func=f:j=accept",
                               "nflua_match:func=f:j=continue", "nflua:func=t:mode=target", "nflua_target:func=t")],
    "garbage": ["nflua:func=f:mask=1" + words for words in (":mask=2", ":j=what", ":mode=what", ":j=", ":tcp_payload=0",
                                                            ":tcp_payload=%nothing", ":unknown=%none")] +
               ["nflua:mode=target:mask=1", "nflua_target:mask=x", "nflua:func=missing:mask=1",
                "nflua:func=%none:mask=1"],
}


def everything(env, script, options, given):
    """All that a run says and does, but for its folder, its time, its garbage and tracebacks."""
    with env.folder() as folder:
        def inside(name):
            return os.path.join(folder, name)
        with open(inside("script.lua"), "w") as f:
            f.write(script)
        packets.write_pcap(inside("in.pcap"), given)
        result = env.run("--pcap-in=" + inside("in.pcap"), "--pcap-out=" + inside("out.pcap"), LOCAL, "--debug",
                         "--trace=" + inside("trace"), "--lua-init=@%s/zapret-nflua.lua" % env.lua,
                         "--lua-init=@" + inside("script.lua"), *options)
        said = re.sub(r"[\d.]+ s, \d+ packets/s", "", (result.stdout + result.stderr).replace(folder, ""))
        said = [line for line in said.splitlines()
                if not line.startswith(("\t", "stack traceback", "LUA GARBAGE COLLECT"))]
        with open(inside("trace")) as f:
            trace = re.sub(r'"us":[\d.]+', "", f.read())
        return result.returncode, said, trace.splitlines(), packets.read_pcap(inside("out.pcap"))


@without_root
@cases({name: (instances,) for name, instances in TO_BE_READ.items()})
def test_conditions_without_a_call(env, instances):
    """What the program decides by itself is what the function would: to the last line of the debug text."""
    for front, back in (((), ("bits", "see")), (("bits",), ("see",))):
        options, given = [], []
        for n, instance in enumerate(instances):
            port, flow = 1000 + n, Flow(40000, 1000 + n)
            options += ["--new"] * bool(n) + ["--filter-tcp=%d" % port, "--filter-udp=%d" % port, "--in-range=a",
                                              "--payload=all"]
            options += ["--lua-desync=" + name for name in (*front, instance, instance, *back)]
            given += [*flow.handshake(), flow.send(b"hello"), flow.reply(b"hi"), datagram(dport=port),
                      datagram(dport=port, back=True)]
        own, called = (everything(env, WITH_BITS + more, options, given * 2) for more in ("", IN_FRONT))
        for what, x, y in zip(("exit code", "text", "trace", "packets"), own, called):
            check_equal(what, x, y)


# --- frame and packet


@without_root
def test_writing(env):
    """Exactly these bytes go on: nothing is computed anew."""
    result = run(env, TTL % "packet.ttl = 3 return false", "--lua-desync=nflua:func=f")
    raw = datagram()
    check_equal("what passes", result.out, [raw[:8] + b"\3" + raw[9:]])
    check("modified 1" in result.errors, "not counted: %s", result.errors)


@without_root
def test_later_instances_see_what_was_written(env):
    script = TTL % "packet.ttl = packet.ttl - 1 return false" + """
        function see(ctx, desync) print("ttl", desync.dis.ip.ip_ttl, raw_packet(ctx):byte(9)) end
        function rebuild(ctx, desync) return VERDICT_MODIFY end"""
    twice = ("--lua-desync=nflua:func=f", "--lua-desync=see", "--lua-desync=nflua:func=f")
    result = run(env, script, *twice)
    check("ttl\t63\t63" in result.said, "not seen: %s", result.said)
    check_equal("TTL in the end", result.out[0][8], 62)
    check(not packets.ip_checksum_ok(result.out[0]), "a checksum was computed")
    result = run(env, script, *twice, "--lua-desync=rebuild")
    check_equal("TTL in the end", result.out[0][8], 62)
    check(packets.ip_checksum_ok(result.out[0]), "the packet was not rebuilt")


@without_root
def test_what_is_no_packet_any_more(env):
    script = "function f(frame, packet) packet:layout{v = {0, 8}} packet.v = 0 return false end"
    result = run(env, script, "--lua-desync=nflua:func=f", code=3)
    check_equal("what passes", result.out, [datagram()])
    check("bad ip4/ip6 header" in result.errors, "not told: %s", result.errors)


@without_root
def test_replacing(env):
    script = """function f(ctx, desync)
        for _, bad in ipairs{"", ("E"):rep(19), ("x"):rep(20), ("E"):rep(65536), {}, 5} do
            assert(not pcall(packet_replace, ctx, bad))
        end
        local raw = raw_packet(ctx)
        packet_replace(ctx, raw .. "more")
        packet_replace(ctx, raw:sub(1, 8) .. "\\9" .. raw:sub(10))
    end"""
    raw = datagram()
    result = run(env, script, "--lua-desync=f")
    check_equal("what passes", result.out, [raw[:8] + b"\t" + raw[9:]])
    result = run(env, script + " function zap() return VERDICT_DROP end", "--lua-desync=f",
                 "--lua-desync=zap")
    check_equal("what passes", result.out, [])


MACS = bytes.fromhex("0200000000020200000000010800")


@without_root
@cases({
    "raw": (RAW, b"", b""),
    "ethernet": (ETHERNET, MACS, MACS),
    "cooked": (COOKED, struct.pack(">HHH8sH", 0, 1, 6, MACS[6:12] + b"\0\0", 0x800),
               b"\0" * 6 + MACS[6:]),
    "cooked2": (COOKED2, struct.pack(">HHIHBB8s", 0x800, 0, 2, 1, 0, 6, MACS[6:12] + b"\0\0"),
                b"\0" * 6 + MACS[6:]),
})
def test_frame(env, link, head, expected):
    asserts(env, """assert(#frame == %d)
        local hex = tostring(frame):gsub(".", function(c) return ("%%02x"):format(c:byte()) end)
        assert(hex == "%s", hex)
        frame:layout{source = {6, 6, "string"}, kind = {96, 16}}
        assert(#frame == 0 or frame.kind == 0x800 and #frame.source == 6)""" %
            (len(expected), expected.hex()), given=[head + datagram()], link=link)


@without_root
def test_objects_after_the_call(env):
    asserts(env, """
        if kept then
            assert(#kept == 0 and kept.ttl == nil and tostring(kept) == "" and not kept:segment())
            assert(#part == 0 and part.x == nil)
            kept.ttl, part.x = 5, 6
            kept:layout{ttl = {64, 8}}
            assert(kept.ttl == nil and #kept_frame == 0)
        end
        packet:layout{ttl = {64, 8}}
        assert(packet.ttl == 64)
        kept, part, kept_frame = packet, packet:segment(20, 8), frame
        part:layout{x = {0, 16}}
        assert(part.x == 5000)""", given=[datagram(), datagram()], times=2)


# --- nf


@without_root
def test_connection_numbers(env):
    flow, other = Flow(40000), Flow(40001)
    result = run(env, "function f() print('id', nf.connid()) return false end",
                 "--lua-desync=nflua:func=f",
                 given=[flow.out(SYN), flow.back(SYN | ACK), other.out(SYN),
                        packets.ip(CLIENT4, SERVER4, 47, b"\0" * 8)])
    ids = [int(float(line.split()[1])) for line in result.said.splitlines() if line.startswith("id")]
    check_equal("ids", len(ids), 4)
    check(ids[0] == ids[1] != ids[2] and 0 not in ids[:3] and ids[3] == 0, "ids %s", ids)


@without_root
def test_traffic_of_a_capture(env):
    """Of either tuple; there is no translation, so no other finds it."""
    flow = Flow(40000)
    given = [flow.out(SYN), flow.back(SYN | ACK)]
    result = run(env, """
        local c, s = {"%s", 40000}, {"%s", 80}
        function f()
            print("both", nf.traffic(4, "tcp", c[1], c[2], s[1], s[2], "both"))
            print("by reply", nf.traffic(4, "tcp", s[1], s[2], c[1], c[2] + 65536, "original"))
            print("reply", nf.traffic(4, "tcp", s[1], s[2], c[1], c[2], "reply"))
            print("other", nf.traffic(4, "udp", c[1], c[2], s[1], s[2], "both"))
            return false
        end""" % (CLIENT4, SERVER4), "--lua-desync=nflua:func=f", given=given)
    lines = result.said.splitlines()
    size = "%d" % len(given[0])
    for line in ("both\t1\t%s\t0\t0" % size, "both\t1\t%s\t1\t%s" % (size, size), "by reply\t1\t" + size,
                 "reply\t1\t" + size, "other\tnil\tconnid entry not found"):
        check(line in lines, "no %r: %s", line, result.said)


@without_root
def test_traffic_without_a_table(env):
    """--ct=off stays what it is: no table of the packet, no ct_lookup."""
    with env.folder() as folder:
        trace = os.path.join(folder, "trace")
        asserts(env, "assert(nf.traffic(4, 'udp', '%s', 5000, '%s', 9999, 'original') == 1)" % (CLIENT4, SERVER4),
                "--trace=" + trace, "--lua-desync=see",
                head="function see(ctx, d) assert(d.ct == nil and not pcall(ct_lookup, {})) print('seen') end")
        with open(trace) as f:
            check('"ct"' not in f.read(), "a trace without --ct tells of connections")


@without_root
def test_connections_are_deleted(env):
    """That of the packet or of a tuple; what comes then begins anew. Nothing is said if there is none."""
    tuple_ = "4, 'udp', '%s', 5000, '%s', 9999" % (CLIENT4, SERVER4)
    asserts(env, """
        n = (n or 0) + 1
        assert(nf.traffic(%(t)s, 'original') == ({1, 2, 1, 1})[n], n)
        if n == 2 then
            assert(select('#', nf.delete_conntrack()) == 0)
            assert(nf.traffic(%(t)s, 'original') == nil)
            nf.delete_conntrack()
        elseif n == 3 then
            nf.delete_conntrack(%(t)s)
            nf.delete_conntrack(4, 'tcp', '1.2.3.4', 1, '1.2.3.5', 2)
        end""" % {"t": tuple_}, given=[datagram()] * 4, times=4)


@without_root
def test_wrong_tuples(env):
    run(env, """
        local good = {4, "tcp", "1.2.3.4", 1, "1.2.3.5", 2, "both"}
        local function fails(n, value, why)
            local words = {(unpack or table.unpack)(good)}
            words[n] = value
            for _, f in ipairs(n == 7 and {"traffic"} or {"traffic", "delete_conntrack"}) do
                local done, text = pcall(nf[f], (unpack or table.unpack)(words, 1, 7))
                assert(not done and tostring(text):find(why, 1, true), f .. n .. ": " .. tostring(text))
            end
        end
        fails(1, 5, "unknown family") fails(1, {}, "number expected") fails(2, "sctp", "invalid option 'sctp'")
        fails(3, "1.2.3", "failed to convert address to binary") fails(5, "::1", "failed to convert address")
        fails(4, {}, "number expected") fails(6, nil, "number expected") fails(7, "all", "invalid option 'all'")
        fails(3, nil, "string expected")
        assert(not pcall(nf.delete_conntrack))
        function f() return false end""", "--lua-desync=nflua:func=f")


@without_root
def test_traffic_is_not_allowed(env):
    library = "--lua-init=@%s/zapret-nflua.lua" % env.lua
    script = ("--lua-init=print('got', nf.traffic(4, 'tcp', '1.2.3.4', 1, '1.2.3.5', 2, 'both')) "
              "print('got', nf.delete_conntrack(4, 'tcp', '1.2.3.4', 1, '1.2.3.5', 2))")
    result = env.run("--intercept=0", library, script)
    check_equal("refusals", result.stdout.count("got\tnil\tnot allowed: --lua-allow=conntrack\t1\n"), 2)
    result = env.run("--intercept=0", "--lua-allow=conntrack", library, script)
    check("not allowed" not in result.stdout and "got\tnil\tconnid entry not found" in result.stdout,
          "it said: %s", result.stdout)


def test_traffic_through_a_translation(env):
    """The kernel counts; the tuple is that of either direction as it is seen on its side."""
    server, client, outside = laboratory.SERVER4, laboratory.CLIENT4, "10.77.2.1"
    script = """
        local function show(name, ...) print(name, nf.traffic(4, "udp", ...)) end
        show("there", "%(c)s", 8080, "%(s)s", 2222, "original")
        show("back", "%(s)s", 2222, "%(o)s", 8080, "reply")
        show("no side", "%(o)s", 8080, "%(s)s", 2222, "original")
        show("nor this", "%(s)s", 2222, "%(c)s", 8080, "reply")
        nf.delete_conntrack(4, "udp", "%(s)s", 2222, "%(o)s", 8080)
        show("gone", "%(c)s", 8080, "%(s)s", 2222, "both")""" % {
            "c": client, "s": server, "o": outside}
    with env.lab() as lab:
        lab.run("box", "iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "to-server", "-j", "MASQUERADE")
        with lab.inside("box"):
            laboratory.set_sysctl("net/netfilter/nf_conntrack_acct", 1)
        with lab.socket("server", socket.AF_INET, socket.SOCK_DGRAM) as there, \
                lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as here:
            there.bind((server, 2222))
            here.bind((client, 8080))
            for s in (there, here):
                s.settimeout(laboratory.PATIENCE)
            here.sendto(b"x" * 48, (server, 2222))
            _, address = there.recvfrom(100)
            check_equal("who asked", address, (outside, 8080))
            there.sendto(b"y" * 48, address)
            here.recv(100)
        result = lab.run("box", env.program, "--intercept=0", "--lua-allow=conntrack",
                         "--lua-init=@%s/zapret-nflua.lua" % env.lua, "--lua-init=" + script)
    missing = "\tnil\tconnid entry not found"
    for line in ("there\t1\t76", "back\t1\t76", "no side" + missing, "nor this" + missing, "gone" + missing):
        check(line in result.stdout.splitlines(), "no %r: %s", line, result.stdout)


@without_root
def test_copies_are_sent(env):
    flow = Flow(40000)
    ends = (CLIENT4, SERVER4)
    data = packets.ip(*ends, packets.TCP, packets.tcp(*ends, 40000, 80, 100, 200, ACK | PSH, b"data",
                                                      options=b"\1\1\1\1"))
    result = asserts(env, """
        local p = nf.getpacket()
        assert(rawequal(p, nf.getpacket()))
        assert(tostring(p) == "packet: { len:48 }", tostring(p))
        p:send("X")
        assert(tostring(p) == "packet closed")
        local ok, why = pcall(p.send, p)
        assert(not ok and why:find("closed packet"), why)
        assert(rawequal(p, nf.getpacket()))
        p:close() p:close()""", given=[data])
    check_equal("packets", len(result.out), 2)
    sent = packets.parse(result.out[0])
    check_equal("the copy", (len(sent.raw), sent.seq, sent.ack, sent.flags, sent.payload, sent.l4_ok),
                (41, 100, 200, ACK | PSH, b"X", True))
    check(sent.raw[6] == 0x40 and packets.ip_checksum_ok(sent.raw), "header %s", sent.raw.hex())
    result = asserts(env, "nf.getpacket():send()", given=[flow.out(SYN)])
    check_equal("the same twice", result.out, [flow.out(SYN)] * 2)


@without_root
def test_copies_of_other_kinds(env):
    six = packets.ip6(CLIENT6, SERVER6, UDP, packets.udp(CLIENT6, SERVER6, 5000, 53, b"data"),
                      extensions=[(60, b"\0\1\4\0\0\0\0")])
    result = asserts(env, "nf.getpacket():send('longer data', 6)", given=[datagram(), six], times=2)
    for raw, size in zip(result.out[::2], (20, 40)):
        sent = packets.parse(raw)
        check_equal("the copy", (len(raw), sent.payload, sent.l4_ok), (size + 8 + 11, b"longer data", True))
    asserts(env, """
        for _, n in ipairs{65508, 1e6} do
            local ok, why = pcall(function() nf.getpacket():send(("x"):rep(n)) end)
            assert(not ok and why:find("unable to set udp payload"), why)
        end
        local ok, why = pcall(function() nf.getpacket():send({}) end)
        assert(not ok and why:find("string expected"), why)""")
    asserts(env, """local ok, why = pcall(function() nf.getpacket():send("x") end)
        assert(not ok and why:find("unable to set udp payload"), why)""",
            given=[packets.ip(CLIENT4, SERVER4, 47, b"\0" * 8)])


@without_root
def test_copies_are_counted(env):
    asserts(env, """
        all = all or {}
        all[#all + 1] = nf.getpacket()
        if #all == 1 then
            -- what nobody has any more is no obstacle
            for _ = 1, 30 do collectgarbage() end
        end""", given=[datagram(data=bytes([n])) for n in range(50)], times=50)


@without_root
def test_sent_from_a_timer(env):
    result = asserts(env, """
        local p = nf.getpacket()
        timer.create(50, function(...) assert(select("#", ...) == 0) p:send() p = nil end)""",
                     given=[datagram()])
    check_equal("packets", result.out, [datagram()] * 2)


def answer(raw):
    p = packets.parse(raw)
    return (p.src, p.dst, p.sport, p.dport, p.seq, p.ack, p.flags, p.window, p.ttl, p.payload, p.l4_ok,
            packets.ip_checksum_ok(raw))


@without_root
@cases({"data": (1000, 500, ACK | PSH, b"0123456789", 1010), "syn": (7, 0, SYN, b"", 8),
        "fin": (7, 9, ACK | FIN, b"ab", 10), "wrap": (0xFFFFFFFF, 9, ACK, b"ab", 1)})
def test_replies(env, seq, ack, flags, data, expected):
    for ends in ((CLIENT4, SERVER4), (CLIENT6, SERVER6)):
        raw = packets.ip(*ends, packets.TCP, packets.tcp(*ends, 40000, 80, seq, ack, flags, data))
        result = asserts(env, "nf.reply('tcp', 'hi')", given=[raw])
        check_equal("the reply", answer(result.out[0]), (
            *ends[::-1], 80, 40000, ack, expected, ACK | PSH, 0, 64, b"hi", True, True))


@without_root
def test_replies_that_cannot_be(env):
    ends, many = (CLIENT4, SERVER4), (CLIENT4, "224.0.0.5")
    tcp = packets.tcp(*ends, 40000, 80, 1, 2, ACK | PSH, b"data")
    given = [
        packets.ip(*ends, packets.TCP, packets.tcp(*ends, 40000, 80, 1, 2, RST | ACK, b"")),
        packets.ip(*ends, packets.TCP, tcp, offset=0x2000), datagram(),
        packets.ip(*ends, packets.TCP, tcp[:-1] + b"x"),
        packets.ip(*many, packets.TCP, packets.tcp(*many, 40000, 80, 1, 2, ACK, b"data")),
    ]
    refused = """local ok, why = pcall(nf.reply, "%s", "hi")
        assert(not ok and why:find("couldn't reply a packet"), why)"""
    result = asserts(env, refused % "tcp", given=given, times=len(given))
    check_equal("packets", result.out, given)
    good = packets.ip(*ends, packets.TCP, tcp)
    asserts(env, refused % "x" + refused % "udp" +
            " assert(not pcall(nf.reply, 't', ('x'):rep(65496)))", given=[good])
    result = asserts(env, "nf.reply('udp', 'hi')")
    p = packets.parse(result.out[0])
    check_equal("the datagram", (p.src, p.dst, p.sport, p.dport, p.payload, p.l4_ok),
                (SERVER4, CLIENT4, 9999, 5000, b"hi", True))


@without_root
def test_outside_of_a_call(env):
    run(env, """
        for _, name in ipairs{"getpacket", "connid", "hotdrop"} do
            local ok, why = pcall(nf[name], true)
            assert(not ok and why:find("couldn't get packet context"), name .. ": " .. tostring(why))
        end
        local ok, why = pcall(nf.reply, "tcp", "x")
        assert(not ok and why:find("couldn't reply a packet"), why)
        function later()
            local ok, why = pcall(nflua_enable)
            assert(not ok and why:find("only while Lua starts"), why)
            return false
        end""", "--lua-desync=nflua:func=later")


@without_root
def test_time_and_memory(env):
    asserts(env, """
        local s, ms = nf.time()
        assert(s == %d and ms == 250, s .. " " .. ms)
        local bytes, us = nf.get_mem_info()
        assert(bytes > 10000 and us >= 0)
        assert(nf.get_cpu_mem_info() > 10000)""" % START)


# --- messages

LISTEN = """
import socket, struct, subprocess, sys
s = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 2)
s.bind((1234, 0))
s.settimeout(30)
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
for _ in range(2):
    print(s.recv(65536).hex())
sys.exit(code)
"""


@without_root
def test_messages(env):
    """Each in a header, by both orders of arguments."""
    script = """
        assert(nf.netlink(1234, 0, "hello") == 5)
        assert(nf.genetlink("hello", 1234) == 5)
        local ok, why = pcall(nf.netlink, "hello", 4321)
        assert(not ok and why:find("connection refused: agent shut down?", 1, true), why)
        assert(nf.netlink(0, 4, "to nobody") == 9)
        ok, why = pcall(nf.netlink, 1234, 0, ("x"):rep(65536))
        assert(not ok and why:find("message too long"), why)
        for _, bad in ipairs{{}, {{}, 1}, {1, 2}, {1, 2, {}}, {"x"}, {"x", {}}, {nil, 1, "x"}} do
            assert(not pcall(nf.netlink, (unpack or table.unpack)(bad, 1, 3)))
        end"""
    result = subprocess.run(
        [sys.executable, "-c", LISTEN, env.program, "--intercept=0", "--lua-allow=netlink",
         "--lua-init=@%s/zapret-nflua.lua" % env.lua, "--lua-init=" + script],
        capture_output=True, text=True, timeout=60, check=False)
    check(result.returncode == 0, "exit code %d: %s", result.returncode, result.stderr[-900:])
    check_equal("messages", result.stdout.split(),
                ["1500000003000000" + "0100000000000000" + b"hello".hex()] * 2)


@without_root
def test_no_messages(env):
    result = env.run("--intercept=0", "--lua-allow=netlink", "--nflua-netlink=off",
                     "--lua-init=@%s/zapret-nflua.lua" % env.lua,
                     "--lua-init=local ok, why = pcall(nf.netlink, 1, 0, 'x') assert(not ok and "
                     "why:find('invalid netlink socket'), why)")
    check_equal("exit code", result.returncode, 0)


@without_root
@cases({"library": (), "named": ("--nflua-netlink=2",), "another": ("--lua-allow=queue,conntrack",)})
def test_messages_not_allowed(env, *words):
    result = env.run("--intercept=0", *words, "--lua-init=@%s/zapret-nflua.lua" % env.lua,
                     "--lua-init=print('got', nf.netlink(1, 0, 'x')) print(nf.genetlink('x', 1))")
    check_equal("exit code", result.returncode, 0)
    failure = "nil\tnot allowed: --lua-allow=netlink\t1\n"
    check("got\t" + failure + failure in result.stdout, "it said: %s", result.stdout)


@without_root
def test_messages_are_traced_offline(env):
    with env.folder() as folder:
        trace = os.path.join(folder, "trace")
        asserts(env, "assert(nf.netlink(1234, 1, 'hello') == 5)", "--trace=" + trace)
        with open(trace) as f:
            lines = [json.loads(line) for line in f]
    check_equal("lines", [line.get("netlink") for line in lines],
                [None, {"port": 1234, "groups": 1, "len": 5}])


# --- misuse

STORM = """
local unpack = unpack or table.unpack
local function object(m, name) return function(...) return m[name](...) end end
-- What is called: all functions of the modules, and the methods of their objects.
local called = {}
for _, m in ipairs{nf, data, json, timer} do
    for name, f in pairs(m) do
        if type(f) == "function" then called[#called + 1] = f end
    end
end
for _, name in ipairs{"layout", "segment", "tostring", "send", "close", "anything"} do
    called[#called + 1] = function(x, ...) return x[name](x, ...) end
end
called[#called + 1] = function(x, k, v) x[k] = v return x[k], #x, tostring(x) end
local function storm(...)
    local values = {n = 26 + select("#", ...), false, true, 0, 1, -1, 1.5, 33, 70000, 0/0, 1/0, -2^63, 2^70, "", "x",
        "tcp", "udp", "original", "both", "1.2.3.4", "::1", {}, {a = {0, 8}}, {[1] = 300}, function() end,
        coroutine.create(print),
        io.stdout, ...}
    local total = values.n + 1 -- the last is nil
    for _, f in ipairs(called) do
        pcall(f)
        for a = 1, total do
            pcall(f, values[a])
            for b = 1, total do
                local r = (a * 7 + b * 13) % total + 1
                pcall(f, values[a], values[b])
                pcall(f, values[a], values[b], values[r])
                pcall(f, values[r], values[a], values[b], values[a], values[b], values[r], values[a])
                pcall(f, 4, "udp", "1.2.3.4", values[a], "1.2.3.5", values[b], values[r])
            end
        end
    end
end
local kept = {}
function f(frame, packet)
    local part, copy = packet:segment(20, 8), nf.getpacket()
    local layout = data.layout{x = {0, 16}, s = {0, 4, "s"}}
    storm(frame, packet, part, copy, layout, data.new(64), json.null, kept[1], kept[2], kept[3], kept[4])
    kept = {frame, packet, part, copy}
    copy:close()
    collectgarbage()
    if last then print("done") end
    last = true
    nf.hotdrop(false)
    return false
end
storm(data.new(64), timer.create(10, function() end))
print("outside")
"""


@without_root
def test_no_arguments_crash(env):
    """Every function with values of every kind, objects whose time is over among them."""
    with env.folder() as folder:
        result = run(env, STORM, "--lua-desync=nflua:func=f", "--lua-call-limit=0", "--lua-mem-limit=256",
                     "--trace=" + os.path.join(folder, "trace"), given=[datagram(), datagram()])
    check("outside" in result.said and "done" in result.said, "it ended early: %s", result.said[-500:])


# --- timers and modules


@without_root
def test_timers(env):
    result = run(env, """
        local fired = 0
        timer.create(100, function() fired = fired + 1 local s, ms = nf.time() print("at", s, ms) end)
        local gone = timer.create(100, function() print("must not fire") end)
        assert(#timer_enum() == 2 and timer_enum()[1]:find("^nflua:%d+$"))
        timer.destroy(gone) timer.destroy(gone)
        timer.create(0, function() error("in a timer") end)
        for _, bad in ipairs{{}, {"x", print}, {1}, {-1, print}, {2 ^ 31, print}, {0 / 0, print}} do
            assert(not pcall(timer.create, bad[1], bad[2]))
        end
        assert(not pcall(timer.destroy) and not pcall(timer.destroy, {}))
        function f() return false end""", "--lua-desync=nflua:func=f", given=[datagram(), datagram()],
                 code=3)
    check_equal("fired", [line for line in result.said.splitlines() if line.startswith("at")],
                ["at\t%d\t350" % START])
    check("must not" not in result.said and "in a timer" in result.errors, "%s", result.said)


@without_root
def test_modules(env):
    run(env, """
        assert(require "nf" == nf and require "timer" == timer and require "data" == data)
        assert(require "json" == json)
        local ok, why = pcall(require, "crypto")
        assert(not ok and why:find("part of its kernel"), why)
        function f() return false end""", "--lua-desync=nflua:func=f")


@without_root
def test_nothing_without_the_library(env):
    with env.folder() as folder:
        result = env.run("--intercept=0", "--lua-init=assert(not nf and not data and not json and "
                         "not timer and not nflua) print('none')", cwd=folder)
        check_equal("exit code", result.returncode, 0)
        check("none" in result.stdout, "%s", result.stdout)


# --- code from outside


def send(env, lab, path, code):
    """From the namespace of the program: abstract addresses do not lead out of it."""
    return lab.run("client", env.program, "--lua-send=" + path, code, check=False)


def send_as_nobody(path, data):
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(data, path)
        os._exit(0)
    check_equal("exit code of nobody", os.waitpid(child, 0)[1], 0)


@cases({"datagrams": (False,), "control": (True,)})
def test_code_from_outside(env, control):
    with env.lab() as lab, env.folder() as folder:
        path = os.path.join(folder, "socket")
        option = "--control=" if control else "--lua-control="
        # A timer that tells what it finds, so that the program is seen to go on.
        script = "x = 0 timer_set('see', function() if x ~= 0 then print('x is', x) end end, 10)"
        with env.daemon(lab, option + path, "--lua-init=" + script, libraries=(),
                        troubled=True) as daemon:
            if control:
                answer = ask(path, "lua", name="test", code="x = 1")
                check(answer[-1].get("end"), "%s", answer)
                daemon.wait_output("x is\t1")
                check("near" in str(ask(path, "lua", code="x =")), "a syntax error was not told")
                check("lua" in ask(path, "hello")[0]["commands"], "the command is not told")
                check_equal("without an end", ask(path, "lua", code="while true do end")[-1]["code"], "failed")
                check_equal("afterwards", ask(path, "hello")[0]["pid"], daemon.pid)
                return
            check_equal("mode", os.stat(path).st_mode & 0o777, 0o600)
            answer = send(env, lab, path, "x = 1")
            check_equal("answer", (answer.returncode, answer.stdout), (0, "ok\n"))
            daemon.wait_output("x is\t1")
            file = os.path.join(folder, "code.lua")
            with open(file, "w") as f:
                f.write("x = 2")
            check_equal("answer", send(env, lab, path, "@" + file).stdout, "ok\n")
            endless = send(env, lab, path, "while true do end")
            check("takes longer than" in endless.stdout + endless.stderr, "%s", endless)
            check_equal("afterwards", send(env, lab, path, "y = 3").stdout, "ok\n")
            daemon.wait_output("x is\t2")
            for bad in ("x =", "error('broken')", "\033Lua"):
                answer = send(env, lab, path, bad)
                check(answer.returncode == 1 and answer.stdout.startswith("error: "), "%s", answer)
            os.chmod(path, 0o666)
            send_as_nobody(path, b"n\0x = 666")
            check_equal("answer", send(env, lab, path, "assert(x == 2)").stdout, "ok\n")
            daemon.wait_output("somebody else than root")


def test_code_that_cannot_be_sent(env):
    """A file that is not there is named once; a program that ends is not waited for."""
    with env.lab() as lab, env.folder() as folder:
        path = os.path.join(folder, "socket")
        with env.daemon(lab, "--lua-control=" + path, "--lua-call-limit=0", libraries=()) as daemon:
            answer = send(env, lab, path, "@/no/such.lua")
            check_equal("answer", (answer.returncode, answer.stderr),
                        (1, "--lua-send: /no/such.lua: No such file or directory\n"))
            sender = lab.start("client", env.program, "--lua-send=" + path, "print('runs') while true do end")
            daemon.wait_output("runs")
            daemon.process.kill()
            daemon.ended()
            check_equal("exit code", sender.wait(laboratory.PATIENCE), 1)
            with open(sender.log) as f:
                check_equal("what it says", f.read(), path + ": the program has ended without an answer\n")


# --- the example of the document

DOCUMENT = os.path.join(HERE, "..", "..", "docs", "nflua.md")


def example():
    with open(DOCUMENT, encoding="utf-8") as f:
        return f.read().partition("```lua\n")[2].partition("```")[0]


@without_root
def test_example_offline(env):
    flow, other = Flow(40000), Flow(40001)
    given = [*flow.visit("blocked.example"), *other.visit("open.example")]
    result = run(env, example(), "--lua-desync=nflua:func=sites:tcp_payload", given=given)
    reply = [raw for raw in result.out if raw not in given]
    check_equal("packets", len(result.out), len(given))
    check(len(reply) == 1 and packets.parse(reply[0]).payload.startswith(b"HTTP/1.1 403"), "%s", reply)
    check(given[3] not in result.out, "the request went on")


def test_example_live(env):
    """From a queue, with packets of this machine."""
    with env.lab() as lab, env.folder() as folder:
        file = os.path.join(folder, "sites.lua")
        with open(file, "w") as f:
            f.write(example())
        lab.start_site("blocked.example", "open.example")
        lab.queue_client(QUEUE)
        with env.daemon(lab, "--lua-init=@" + file, "--lua-desync=nflua:func=sites:tcp_payload",
                        libraries=("nflua",)):
            for name, code in (("open.example", "200"), ("blocked.example", "403")):
                result = lab.curl("-o", "/dev/null", "-w", "%{http_code}", "http://%s/" % name,
                                  name=name)
                check_equal(name, result.stdout, code)


def test_frame_from_a_queue(env):
    script = """function f(frame, packet)
        frame:layout{to = {0, 6, "s"}, kind = {96, 16}}
        local to = frame.to and frame.to:gsub(".", function(c) return ("%02x:"):format(c:byte()) end)
        print("frame", #frame, to, frame.kind)
        return false
    end"""
    with env.lab() as lab, env.folder() as folder:
        file = os.path.join(folder, "frames.lua")
        with open(file, "w") as f:
            f.write(script)
        lab.start_site("open.example")
        lab.queue_all("server", QUEUE)
        own = lab.run("server", "cat", "/sys/class/net/eth0/address").stdout.strip()
        with env.daemon(lab, "--server", "--lua-init=@" + file, "--in-range=a", "--out-range=a",
                        "--lua-desync=nflua:func=f", libraries=("nflua",), who="server") as daemon:
            lab.curl("http://open.example/", name="open.example")
            daemon.wait_output("frame\t14\t%s:\t2048" % own)
            daemon.wait_output("frame\t0\tnil\tnil")  # of what this machine makes


@without_root
def test_newer_syntax(env):
    """LuaJIT says what such a script needs; PUC Lua runs it."""
    for code in ("x = 7 // 2", "x = 7 & 2", "x = 7 >> 2", "x = ~7"):
        result = env.run("--intercept=0", "--lua-init=" + code)
        hint = "(written for Lua 5.3? use the PUC Lua build)" in result.stderr
        check(hint == ("LuaJIT" in result.stdout) == (result.returncode != 0), "%s: %s", code,
              result.stderr)
    result = env.run("--intercept=0", "--lua-init=x = = 7")
    check(result.returncode != 0 and "written for" not in result.stderr, "%s", result.stderr)


@without_root
def test_what_drops_everything_is_told(env):
    for options, told in (("nflua", True), ("nflua:tcp_payload", False)):
        result = run(env, "", "--lua-desync=" + options)
        check(("instance nflua_1_1: without func= every packet matches and is dropped" in result.said + result.errors)
              == told, "%s: %s%s", options, result.said, result.errors)


@without_root
def test_several_states_are_told(env):
    words = ("--check", "--qnum=200", "--lua-init=@%s/zapret-nflua.lua" % env.lua,
             "--lua-desync=nflua:func=f")
    for workers, told in (("1", False), ("2", True)):
        result = env.run(*words, "--workers=" + workers)
        check(("a Lua state of its own" in result.stdout + result.stderr) == told, "%s workers: %s%s",
              workers, result.stdout, result.stderr)
