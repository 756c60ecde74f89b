"""Every action of traffic rules over a capture: what leaves, which rules were met, marks and registers."""
import json
import os
import re
import tempfile

from packets import ACK, RST, SYN, l4_checksum_ok, parse
from rule_packets import FAR, FRAMES, NEAR, PACKETS
from traffic_run import ETHERNET, Run, datagram, expect, segment

U, S, D, V6 = (PACKETS[letter] for letter in ("U", "S", "D", "V6"))
EXERCISED = set()  # actions of rules that some packet has met


def rules(*lines):
    """Each line: "MATCHES -> ACTIONS", with the name of the rule in front if there is one: "NAME: ..."."""
    text = ""
    for line in lines:
        name, colon, rest = line.partition(": ")
        match, _, action = (rest if colon and " " not in name else line).partition("-> ")
        text += "[[profile.rule]]\n"
        if colon and " " not in name:
            text += 'name = "%s"\n' % name
        text += "match = [ %s ]\naction = [ %s ]\n" % (match, action)
    return text


def note_actions(text, met):
    for number, block in enumerate(text.split("[[profile.rule]]\n")[1:], 1):
        named = re.search('^name = "(.*)"$', block, re.M)
        actions = re.search(r"^action = \[ (.*) \]$", block, re.M).group(1)
        if (named.group(1) if named else "p/main#%d" % number) in met:
            EXERCISED.update(a or b for a, b in re.findall(r'(?:^|, )(?:\{ (\w+) =|"(\w+)")', actions))


def play(program, text, stamped, *options, **kwargs):
    run = Run(program, "[[profile]]\nname = \"p\"\n" + text, stamped, *options, **dict({"local": FAR}, **kwargs))
    expect(len(run.trace), len(stamped), "packets of the trace (%s)" % run.text)
    note_actions(text, {name for line in run.trace for name in line["rules"]["hits"]})
    return run


def hits(run):
    return [line["rules"]["hits"] for line in run.trace]


def of_trace(run, key):
    return [line["rules"][key] for line in run.trace]


def accept_and_drop(program):
    text = rules('yes: { dport = 53 } -> "accept"', 'no: { dport = 443 } -> "drop"')
    run = play(program, text, [(0, U), (1, S), (2, V6)])
    expect((run.out, of_trace(run, "verdict")), ([U, V6], ["accept", "drop", "accept"]), "what leaves")


DROP_ALL = ("--lua-init=function drop_it() return VERDICT_DROP end", "--payload=all", "--in-range=a",
            "--lua-desync=drop_it")


def untouched(run):
    """The first packet of a flow that a script drops leaves with a TTL of 1."""
    return [packet for packet in run.out if packet[8] != 1]


def pass_goes_to_the_system_or_on(program):
    text = rules('os: { dport = 53 } -> { pass = { to = "os" } }',
                 'flat: { dport = 443 } -> { pass = { to = "uh", level = "L3-L4" } }',
                 'deep: -> { uh = "L3-L4" }, { pass = { to = "uh", level = "L3-L7" } }')
    run = play(program, text, [(0, U), (1, S), (2, PACKETS["L"])], *DROP_ALL)
    expect((untouched(run), of_trace(run, "verdict")), ([U, S], ["accept", "continue", "continue"]), "what leaves")
    expect(run.number("flows"), 2, "flows")


def pass_asks_for_tags_and_addresses(program):
    text = rules('tag: -> { pass = { to = "os", vid = 5 } }',
                 'mac: -> { pass = { to = "os", mac = "02:00:00:00:00:09" } }', 'rest: -> "drop"')
    run = play(program, text, [(n, frame) for n, frame in enumerate(FRAMES.values())], link_type=ETHERNET)
    last = dict(zip(FRAMES, (of_packet[-1] for of_packet in hits(run))))
    expect(last, {"plain": "rest", "tag5": "tag", "tag6": "rest", "tags": "tag", "other": "tag", "pppoe": "rest",
                  "mpls": "rest"}, "rules that end")
    text = rules('mac: -> { pass = { to = "os", mac = "02:00:00:00:00:09", vid = 5 } }', 'rest: -> "drop"')
    run = play(program, text, [(n, frame) for n, frame in enumerate(FRAMES.values())], link_type=ETHERNET)
    expect(of_trace(run, "verdict"), ["accept" if name == "other" else "drop" for name in FRAMES], "verdicts")
    run = play(program, text, [(0, U)])
    expect(run.out, [], "without a frame")


def levels_keep_scripts_away(program):
    text = rules('flat: { dport = 53 } -> { uh = "L3-L4" }', 'deep: { dport = 443 } -> { uh = "L3-L7" }')
    run = play(program, text, [(0, U), (1, S)], *DROP_ALL)
    expect((untouched(run), run.number("flows")), ([U], 2), "what leaves, and flows")


def goto_has_no_way_back(program):
    text = rules('there: { dport = 53 } -> { stats = "MAIN" }, { goto = "dns" }',
                 'never: { dport = 53 } -> { stats = "BEHIND" }') + \
        '[[profile.chain]]\nname = "dns"\n[[profile.chain.rule]]\nname = "v6"\n' \
        'match = [ { protocol = "ipv6" } ]\naction = [ "drop" ]\n'
    run = play(program, text, [(0, U), (1, V6), (2, S)])
    expect((run.out, hits(run)), ([U, S], [["there"], ["there", "v6"], []]), "way of the packets")


def stats_count_under_a_name(program):
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "stats.json")
        text = rules('a: { dport = 53 } -> { stats = "DNS" }, { stats = 7 }', 'b: -> { stats = 7 }')
        play(program, text, [(0, U), (1, V6), (2, S)], "--rules-stats=" + path)
        with open(path, encoding="utf-8") as f:
            counted = json.load(f)
    expect({name: (c["packets"], c["bytes"]) for name, c in counted["counters"].items()},
           {"DNS": (2, len(U) + len(V6)), "7": (5, 2 * len(U) + 2 * len(V6) + len(S))}, "counters")


M = 0xFFFFFFFF
HOWS = {  # of 6 and the value: the result
    'how = "set", value = 9': 9, 'how = "add", value = 0xFFFFFFFE': 4, 'how = "sub", value = 7': M,
    'how = "mult", value = 0x80000003': 18, 'how = "div", value = 4': 1, 'how = "inc"': 7, 'how = "dec"': 5,
    'how = "and", value = 3': 2, 'how = "or", value = 9': 15, 'how = "xor", value = 2': 4, 'how = "not"': M - 6}


def the_local_mark_changes(program):
    for how, wanted in HOWS.items():
        run = play(program, rules("a: -> { mark = { value = 6 } }, { mark = { %s } }" % how), [(0, U), (1, S)])
        expect(of_trace(run, "mark"), [wanted] * 2, how)
    run = play(program, rules("a: { dport = 53 } -> { mark = { value = 7 } }"), [(0, U), (1, S)])
    expect(of_trace(run, "mark"), [7, 0], "the mark of the next packet")
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "records.json")
        text = rules('a: -> { mark = { how = "restore" } }, { mark = { how = "inc" } }, { mark = { how = "save" } }, '
                     '{ export = "on" }')
        run = play(program, text, [(0, U)], "--pcap-in-mark=0x10", "--rules-export=" + path)
        with open(path, encoding="utf-8") as f:
            record = json.loads(f.read())
    expect((record["mark"], record["fwmark"]), (0x11, 0x11), "marks")


KINDS = ("hmark", "dhmark", "sdmark", "sdhmark", "connmark")


def stored_marks_change(program):
    """Written, changed and read back by another packet of the same source, pair, connection."""
    for kind in KINDS:
        lines, wanted = [], []
        for number, (how, result) in enumerate(HOWS.items(), 1):
            lines.append("%s%d: { %s = { id = %d } } -> { %s = { id = %d, %s } }"
                         % (kind, number, kind, number, kind, number, how))
            wanted.append(result)
        first = ", ".join("{ %s = { id = %d, value = 6 } }" % (kind, n) for n in range(1, len(HOWS) + 1))
        text = rules(*lines, "first: { not = { %s = { id = 1 } } } -> %s" % (kind, first))
        got = []
        for number in range(1, len(HOWS) + 1):
            read = rules('{ %s = { id = %d } } -> { %s = { id = %d, how = "save" } }' % (kind, number, kind, number))
            got.append(of_trace(play(program, text + read, [(0, U), (1, U)]), "mark")[1])
        expect(got, wanted, kind)
        restored = rules('a: { dport = 53 } -> { mark = { value = 5 } }, { %s = { id = 1, how = "restore" } }, '
                         '{ mark = { value = 0 } }, { %s = { id = 1, how = "save" } }' % (kind, kind))
        expect(of_trace(play(program, restored, [(0, U)]), "mark"), [5], kind + " restored")
        nothing = rules('a: -> { %s = { id = 1, how = "dec" } }, { %s = { id = 1, how = "save" } }' % (kind, kind))
        expect(of_trace(play(program, nothing, [(0, U)]), "mark"), [M], kind + " of nothing")


def marks_are_whose_they_are(program):
    """Source, destination, ordered pair, connection in both directions."""
    answer = datagram(FAR, NEAR, sport=53, dport=4000)
    other_port = datagram(NEAR, FAR, sport=4001)
    elsewhere = datagram(NEAR, "192.0.2.99")
    from_elsewhere = datagram("10.0.0.9", FAR)
    steps = [U, answer, other_port, elsewhere, from_elsewhere]
    wanted = {"hmark": [U, other_port, elsewhere], "dhmark": [U, other_port, from_elsewhere], "sdmark": [U, other_port],
              "connmark": [U, answer]}
    for kind, of in wanted.items():
        text = rules("met: { %s = { id = 1 } } -> { stats = 1 }" % kind, "set: { sport = 4000 }, { dst = \"%s\" }, "
                     "{ src = \"%s\" } -> { %s = { id = 1 } }" % (FAR, NEAR, kind))
        run = play(program, text, [(0, U)] + [(n + 1, p) for n, p in enumerate(steps)])
        met = [p for p, names in zip(steps, hits(run)[1:]) if "met" in names]
        expect(met, of, kind)


def marks_have_lifetimes_and_ages(program):
    text = rules('valid: { hmark = { id = 1 } } -> { stats = 1 }',
                 'expired: { hmark = { id = 1, status = "expired" } } -> { stats = 2 }',
                 'ten: { hmark = { id = 1, status = "expired", age_op = "eq", age_value = 10 } } -> { stats = 3 }',
                 'old: { hmark = { id = 1, status = "expired", age_op = "gt", age_value = "10s" } } -> { stats = 4 }',
                 'young: { hmark = { id = 1, age_op = "lt", age_value = 10 } } -> { stats = 5 }',
                 'middle: { hmark = { id = 1, age_op = "bw", age_value = "5s-15s" } } -> { stats = 6 }',
                 'set: { not = { hmark = { id = 1 } } }, { not = { hmark = { id = 1, status = "expired" } } } '
                 '-> { hmark = { id = 1, value = 1, lifetime = 10 } }')
    run = play(program, text, [(0, U), (9.9, U), (10, U), (12, U)])
    expect(hits(run), [["set"], ["valid", "young", "middle"], ["expired", "ten"], ["expired", "old"]],
           "rules that were met")


def ratelimit_measures_by_key(program):
    limit = 'm: -> { ratelimit = { id = 1, %s } }'
    over = 'over: { verdict = { ratelimit = "exceed" } } -> "drop"'

    def drops(how, stamped, *more):
        run = play(program, rules(limit % how, *more, over), stamped)
        return [n for n, verdict in enumerate(of_trace(run, "verdict")) if verdict == "drop"]
    steady = [(n * 0.002, U) for n in range(1000)]
    expect(drops("pps = { rate = 500 }", steady), [], "a steady stream at the rate")
    fast = [(n * 0.0016, U) for n in range(600)]
    expect(drops("pps = { rate = 500 }", fast), list(range(500, 600)), "a stream over the rate")
    expect(drops("pps = { rate = 500, burst = 100 }", fast), list(range(563, 600)), "with a burst of 100 ms")
    two = [(n * 0.0032, datagram("10.0.0.%d" % (1 + n % 2), FAR)) for n in range(600)]
    expect(drops("pps = { rate = 200 }, key = [\"l3_src\"]", two), [], "two sources, each below the rate")
    expect(drops("pps = { rate = 200 }, key = \"any\"", two) != [], True, "both together")
    ports = [(n * 0.001, p) for n, p in enumerate([U] * 20 + [PACKETS["L"]])]
    expect(drops("pps = { rate = 10 }, key = [\"l3_src\", \"l4_dst\"]", ports), list(range(10, 20)), "by port")
    run = play(program, rules(limit % "pps = { rate = 10 }, bps = { rate = \"80k\" }",
                              'both: { verdict = { ratelimit = "violate" } } -> "drop"'),
               [(n * 0.001, datagram(NEAR, FAR, b"x" * 972)) for n in range(11)])
    expect(of_trace(run, "register")[-2:], ["ratelimit:conform", "ratelimit:violate"], "both rates over")
    cooling = 'c: { verdict = { ratelimit = "cooldown" } } -> { stats = 1 }'
    run = play(program, rules(limit % "pps = { rate = 1 }, cooldown = \"5s\"", cooling),
               [(0, U), (0.1, U), (5, U), (10.2, U)])
    expect(of_trace(run, "register"), ["ratelimit:conform", "ratelimit:exceed", "ratelimit:exceed (cooldown)",
                                       "ratelimit:conform"], "cooldown")


def rate_measures_all(program):
    text = rules('m: -> { rate = { id = 1, pps = { rate = 100 } } }',
                 'over: { verdict = { rate = "exceed" } } -> "drop"')
    run = play(program, text, [(n / 1000, datagram("10.0.0.%d" % n, FAR)) for n in range(1, 121)])
    expect(len(run.out), 100, "packets that leave")


def sample_takes_some(program):
    taken = 'taken: { verdict = { sample = "match" } } -> "drop"'
    run = play(program, rules("m: -> { sample = { n = 3 } }", taken), [(n, U) for n in range(9)])
    expect([n for n, v in enumerate(of_trace(run, "verdict"), 1) if v == "drop"], [3, 6, 9], "each third")
    sources = [(n, datagram("10.0.0.%d" % (n % 50 + 1), FAR)) for n in range(100)]
    run = play(program, rules('m: -> { sample = { n = 2, key = ["l3_src"] } }', taken), sources)
    drops = [v == "drop" for v in of_trace(run, "verdict")]
    expect((drops[:50] == drops[50:], 5 < sum(drops[:50]) < 45), (True, True), "whole sources")
    run = play(program, rules('m: -> { sample = { n = 4, how = "random" } }', taken), [(n / 10, U) for n in range(400)])
    expect(50 < of_trace(run, "verdict").count("drop") < 150, True, "by chance")


INVALID = 'bad: { verdict = { tcpauth = "invalid" } } -> "drop"'


def tcpauth(how):
    return rules("auth: { dir = \"in\" } -> { tcpauth = { id = 1, %s } }" % how, INVALID)


def syn(seq=1000, src=NEAR):
    return segment(SYN, seq, src=src, dst=FAR)


def handshakes_authenticate(program):
    """A right answer, then a RST: the client has to come again."""
    run = play(program, tcpauth('syn = "hs"'), [(0, syn())])
    answer = parse(run.out[0])
    expect((answer.flags, answer.ack, answer.l4_ok), (SYN | ACK, 1001, True), "answer")
    good = segment(ACK, 1001, answer.seq + 1, src=NEAR, dst=FAR)
    run = play(program, tcpauth('syn = "hs"'), [(0, syn()), (0.1, good), (1, syn(5000))])
    expect([(parse(p).sport, parse(p).flags) for p in run.out], [(443, SYN | ACK), (443, RST), (40000, SYN)], "packets")
    wrong = segment(ACK, 1001, answer.seq + 2, src=NEAR, dst=FAR)
    run = play(program, tcpauth('syn = "hs", strict = true'), [(0, syn()), (0.1, wrong), (1, syn(5000))])
    expect([parse(p).sport for p in run.out], [443, 443], "a wrong acknowledgement")


def grey_lists_let_in_who_tries_again(program):
    other = "10.0.0.9"
    run = play(program, tcpauth('syn = "greylist"'),
               [(0, syn()), (0.1, syn(src=other)), (0.5, syn()), (1, syn()), (400, syn(src=other))])
    expect(run.out, [syn()], "what leaves")
    run = play(program, tcpauth('syn = "none", window = 10'), [(0, syn())])
    expect((run.out, of_trace(run, "register")), ([syn()], ["tcpauth:valid"]), "without a method")
    run = play(program, tcpauth('syn = "hs"'), [(0, U)])
    expect((run.out, of_trace(run, "register")), ([U], [None]), "UDP")


def windows_end(program):
    """Of a grey list of 10 seconds: each SYN lets it begin anew."""
    run = play(program, tcpauth('syn = "greylist", timeout = 1, window = 10'),
               [(0, syn()), (2, syn()), (11, syn()), (20, syn()), (31, syn())])
    expect(of_trace(run, "verdict"), ["drop", "continue", "continue", "continue", "drop"], "verdicts")


def answers_of_servers_are_asked_for(program):
    rule = rules('auth: -> { tcpauth = { id = 1, syn_ack = "hs" } }', INVALID)
    ours = segment(SYN, 7000, src=FAR, dst=NEAR, sport=50000, dport=80)
    right = segment(SYN | ACK, 1, 7001, src=NEAR, dst=FAR, sport=80, dport=50000)
    run = play(program, rule, [(0, ours), (0.1, right)])
    expect((run.out, of_trace(run, "register")[1]), ([ours, right], "tcpauth:valid"), "ours")
    run = play(program, rule, [(0, right)])
    made = [parse(p) for p in run.out]
    expect([(p.sport, p.dport, p.flags) for p in made], [(50000, 80, ACK)], "an answer that nobody has asked for")
    reset = segment(RST, made[0].ack, src=NEAR, dst=FAR, sport=80, dport=50000)
    run = play(program, rule, [(0, right), (0.1, reset), (1, right)])
    expect(run.out[1:], [right], "a server that is real")


def verdicts_are_set_and_cleared(program):
    text = rules('set: -> { verdict = { op = "set", ratelimit = "exceed" } }',
                 'is: { verdict = { ratelimit = "exceed" } } -> { stats = 1 }',
                 'clear: { dport = 53 } -> { verdict = "clear" }',
                 'other: { dport = 443 } -> { verdict = { op = "clear" } }',
                 'left: { verdict = { ratelimit = ["conform", "exceed", "violate", "cooldown"] } } -> "drop"')
    run = play(program, text, [(0, U), (1, S), (2, PACKETS["I"])])
    expect(hits(run), [["set", "is", "clear"], ["set", "is", "other"], ["set", "is", "left"]], "rules")
    expect(of_trace(run, "register"), [None, None, "ratelimit:exceed"], "registers")


def switches_go_on_and_off(program):
    with tempfile.TemporaryDirectory() as work:
        capture, export = os.path.join(work, "c.pcapng"), os.path.join(work, "e.json")
        text = rules('on: -> { capture = "on" }, { export = "on" }',
                     'off: { dport = 53 } -> { capture = "off" }, { export = "off" }', 'drop: -> "drop"')
        play(program, text, [(0, U), (1, S)], "--rules-capture=" + capture, "--rules-export=" + export)
        with open(capture, "rb") as f:
            data = f.read()
        expect((data.count(U), data.count(S)), (0, 1), "packets in the capture")
        with open(export, encoding="utf-8") as f:
            expect([json.loads(line)["dport"] for line in f], [443], "records")


def addresses_keep_their_host_part(program):
    text = rules('s: -> { snat = "198.51.100.0/24" }', 'd: -> { dnat = ["203.0.113.5", "2001:db8:2::/48"] }')
    no_checksum = U[:26] + b"\0\0" + U[28:]
    run = play(program, text, [(0, U), (1, V6), (2, no_checksum), (3, D)])
    wanted = datagram("198.51.100.1", "203.0.113.5"), datagram("2001:db8::1", "2001:db8:2::10")
    got = [parse(p) for p in run.out]
    expect([(p.src, p.dst, p.payload) for p in got[:2]],
           [(parse(p).src, parse(p).dst, b"hello") for p in wanted], "addresses")
    expect([l4_checksum_ok(p) for p in run.out], [True] * 4, "checksums")
    expect(run.out[2][26:28], b"\0\0", "a checksum that was not there")


CASES = [accept_and_drop, pass_goes_to_the_system_or_on, pass_asks_for_tags_and_addresses, levels_keep_scripts_away,
         goto_has_no_way_back, stats_count_under_a_name, the_local_mark_changes, stored_marks_change,
         marks_are_whose_they_are, marks_have_lifetimes_and_ages, ratelimit_measures_by_key, rate_measures_all,
         sample_takes_some, handshakes_authenticate, grey_lists_let_in_who_tries_again, windows_end,
         answers_of_servers_are_asked_for, verdicts_are_set_and_cleared, switches_go_on_and_off,
         addresses_keep_their_host_part]
