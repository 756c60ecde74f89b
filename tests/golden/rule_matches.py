"""Every match of traffic rules over a capture with a packet of each kind: for which it holds, and turned round."""
import os
import tempfile

import mmdb
import packets
import rule_packets
from rule_packets import FAR, FRAMES, NEAR, PACKETS
from traffic_run import ETHERNET, Run, expect

ALL = set(PACKETS)
V6 = {"V6", "N"}
INSIDE = {"G", "P", "GE", "GA"}  # IPv4 in a tunnel
TUNNELS = INSIDE | {"T6"}
UDP = {"U", "V6", "G", "T6", "F0", "F1", "F2", "L", "O"}
TCP = {"S", "D", "P", "A", "GA"}
FRAGMENTS = {"F0", "F1", "F2"}
FROM_NEAR = ALL - V6 - {"O"}

# match, for which packets it holds
ROWS = [
    ('src = "10.0.0.0/8"', FROM_NEAR),
    ('src = ["2001:db8::/32", "192.0.2.10"]', V6 | {"O"}),
    ('dst = "192.0.2.10"', FROM_NEAR),
    ('dst = "192.0.2.11"', set()),
    ('sport = [1, "3999-4001"]', {"U", "V6", "L", "G", "P", "GA", "F0"}),
    ('dport = 53', {"U", "V6", "F0"}),
    ('dport = "6000-6001"', {"C"}),
    ('protocol = "ipv4"', ALL - V6), ('protocol = "ipv6"', V6), ('protocol = "net"', ALL),
    ('protocol = "tcp"', TCP), ('protocol = "udp"', UDP), ('protocol = "sctp"', {"C"}),
    ('protocol = "icmp"', {"I", "J"}),
    ('protocol = "icmpv6"', {"N"}),
    ('protocol = ["icmp", "icmpv6"]', {"I", "J", "N"}),
    ('protocol = "transport"', ALL - {"E", "GE"}),
    ('protocol = "ah"', {"A"}), ('protocol = "esp"', {"E"}), ('protocol = "sec"', {"A", "E"}),
    ('protocol = "gre"', {"G", "GE", "GA"}), ('protocol = "ipip"', {"P", "T6"}), ('protocol = "tun"', TUNNELS),
    ('protocol = "tun_ipv4"', INSIDE), ('protocol = "tun_ipv6"', {"T6"}), ('protocol = "tun_net"', TUNNELS),
    ('protocol = "tun_ah"', {"GA"}), ('protocol = "tun_esp"', {"GE"}), ('protocol = "tun_sec"', {"GA", "GE"}),
    ('protocol = ["eth", "vlan"]', set()),
    ('ttl = "60-64"', ALL - {"L"}), ('ttl = 65', {"L"}),
    ('len = { len = 33 }', {"U", "L", "O"}),
    ('len = { len = "0-8", level = "transport", elm = "header" }', ALL - TCP - {"C", "E", "GE", "F1", "F2"}),
    ('len = { len = 40, level = "transport", elm = "header" }', {"S"}),
    ('len = { len = 5, level = "application" }', {"U", "V6", "G", "T6", "L", "O"}),
    ('len = { len = 0, level = "tun", elm = "header" }', {"P", "T6"}),
    ('len = { len = 33, level = "tun_net" }', {"G"}),
    ('len = { len = 24, level = "sec", elm = "header" }', {"A"}),
    ('len = { len = 24, level = "tun_sec", elm = "header" }', {"GA"}),
    ('len = { len = 14, level = "mac" }', set()),
    ('frag = "any"', FRAGMENTS), ('frag = "first"', {"F0"}), ('frag = "internal"', {"F1"}), ('frag = "last"', {"F2"}),
    ('frag = "df"', {"D"}), ('frag = "unfrag"', ALL - FRAGMENTS),
    ('tcpflags = { flags = ["syn"], mask = ["syn", "ack"] }', {"S"}),
    ('tcpflags = { flags = ["psh", "ack"] }', {"D"}),
    ('tcpopts = { set = ["MSS"], mask = ["MSS", "SACK"] }', {"S"}),
    ('tcpopts = { set = ["timestamp", "noop"], mask = ["timestamp", "noop", "mss"] }', {"D"}),
    ('tcpmss = "1400-1500"', {"S"}), ('tcpws = 7', {"S"}), ('tcpws = 8', set()),
    ('icmp = { type = "echo_request" }', {"I"}), ('icmp = { type = "unreach", code = "port" }', {"J"}),
    ('icmp = { type = ["ts", 3] }', {"J"}), ('icmp = { type = "unreach", code = "net" }', set()),
    ('icmp6 = { type = "ns" }', {"N"}), ('icmp6 = { type = 136 }', set()),
    ('spi = 4096', {"E"}),
    ('spi = "4096-4097"', {"E", "A"}),
    ('tspi = 8192', {"GE"}),
    ('tspi = "0x2000-0x2001"', {"GE", "GA"}),
    ('tsrc = "172.16.0.0/12"', INSIDE), ('tsrc = "2001:db8::/32"', {"T6"}),
    ('tdst = ["172.16.0.2", "2001:db8:1::10"]', TUNNELS),
    ('pset = { name = "near" }', FROM_NEAR), ('pset = { name = "near", what = "dst" }', {"O"}),
    ('pset = { name = "near", class = "global", value = 7 }', FROM_NEAR),
    ('pset = { name = "near", value = "8-9" }', set()),
    ('pset = { name = "far", class = "local", what = "dst" }', ALL - {"O"}),
    ('tpset = { name = "far" }', INSIDE), ('tpset = { name = "far", what = "dst" }', {"T6"}),
    ('geoip = { country = "RU" }', FROM_NEAR), ('geoip = { continent = "NA", what = "dst" }', FROM_NEAR),
    ('geoip = { country = ["DE", "US"], continent = "NA" }', {"O"}),
    ('tgeoip = { country = "NL" }', INSIDE), ('tgeoip = { country = "RU" }', set()),
    # U has left these
    ('hmark = { id = 1 }', FROM_NEAR), ('hmark = { id = 1, value = "9-11" }', FROM_NEAR),
    ('hmark = { id = 1, value = 11 }', set()), ('hmark = { id = 2 }', set()),
    ('hmark = { id = 1, status = "expired" }', set()), ('hmark = { id = 1, age_op = "lt", age_value = 5 }', FROM_NEAR),
    ('hmark = { id = 1, age_op = "bw", age_value = "5s-15s" }', set()),
    ('dhmark = { id = 1 }', FROM_NEAR), ('sdhmark = { id = 1 }', FROM_NEAR), ('sdmark = { id = 1 }', FROM_NEAR),
    ('connmark = { id = 1 }', {"U", "F0"}),
    ('mark = 7', UDP), ('mark = "1-9"', UDP), ('mark = { value = 3, mask = 3 }', UDP), ('mark = 0', ALL - UDP),
    ('verdict = { sample = "match" }', TCP), ('verdict = { sample = ["skip"] }', set()),
    ('verdict = { rate = "conform" }', set()),
    ('seq = { seq = "HTTP/1.1" }', {"D"}), ('seq = { b64seq = "SFRUUA==" }', {"D"}),
    ('seq = { seq = "HTTP/1.1", range = "0-7" }', set()),
    ('seq = { seq = "hello", level = "tun_net", elm = "payload" }', {"G", "T6"}),
    ('seq = { seq = "l", repeat = 2 }', {"U", "V6", "G", "T6", "L", "O"}),
    ('seq = { seq = "l", repeat = 2, distance = 1 }', set()),
    ('dir = "in"', ALL - {"O"}), ('dir = "out"', {"O"}),
    ('ifin = "pcap*"', ALL - {"O"}), ('ifin = "pcap"', set()), ('ifout = "pcap0"', {"O"}),
    ('fwmark = "0x10/0xF0"', ALL), ('fwmark = 0x20', set()),
]

FIRST = '''[geoip]
file = "%s"
[set.near]
prefixes = ["10.0.0.0/8=7"]
[[profile]]
[profile.set.far]
prefixes = ["172.16.0.1", "192.0.2.0/24", "2001:db8:1::/48"]
[[profile.rule]]
match = [ { dport = 53 }, { len = { len = 33 } } ]
action = [ { hmark = { id = 1, value = 10, lifetime = 9 } }, { dhmark = { id = 1 } }, { sdmark = { id = 1 } },
           { connmark = { id = 1 } } ]
[[profile.rule]]
match = [ { protocol = "udp" } ]
action = [ { mark = { value = 7 } } ]
[[profile.rule]]
match = [ { protocol = "tcp" } ]
action = [ { sample = { n = 1 } } ]
'''
PLACES = {"10.0.0.0/8": "RU/EU", "192.0.2.0/24": "US/NA", "172.16.0.0/12": "NL/EU"}


def rules_of(rows):
    """One for each match, and one for it turned round."""
    text = ""
    for n, row in enumerate(rows):
        for name, form in (("is%d", "{ %s }"), ("not%d", "{ not = { %s } }")):
            text += '[[profile.rule]]\nname = "%s"\nmatch = [ %s ]\naction = [ { stats = "%s" } ]\n' \
                    % (name % n, form % row[0], name % n)
    return text


def compare(run, rows, letters):
    expect(len(run.trace), len(letters), "packets of the trace (%s)" % run.text)
    hits = {letter: set(line["rules"]["hits"]) for letter, line in zip(letters, run.trace)}
    for n, (match, of) in enumerate(rows):
        for name, wanted in (("is%d" % n, of), ("not%d" % n, set(letters) - of)):
            got = {letter for letter in letters if name in hits[letter]}
            expect(sorted(got), sorted(wanted), "packets of '%s' (%s)" % (match, name))


def every_match_holds_for_its_packets(program):
    with tempfile.TemporaryDirectory() as work:
        database = os.path.join(work, "places.mmdb")
        with open(database, "wb") as f:
            f.write(mmdb.countries(PLACES))
        run = Run(program, FIRST % database + rules_of(ROWS),
                  [(n / 100, p) for n, p in enumerate(PACKETS.values())], "--pcap-in-mark=0x10", local=FAR)
    compare(run, ROWS, list(PACKETS))
    expect(run.out, list(PACKETS.values()), "what leaves")


LINK_ROWS = [
    ('protocol = "eth"', set(FRAMES)),
    ('protocol = "vlan"', {"tag5", "tag6", "tags", "other"}),
    ('len = { len = 14, level = "mac", elm = "header" }', set(FRAMES)),
    ('len = { len = 47, level = "mac" }', {"plain"}),
    ('len = { len = 4, level = "vlan", elm = "header" }', {"tag5", "tag6", "other"}),
    ('len = { len = 8, level = "vlan", elm = "header" }', {"tags"}),
    ('len = { len = 8, level = "encap", elm = "header" }', {"pppoe", "mpls"}),
    ('seq = { b64seq = "AgAAAAAJ", level = "mac", elm = "header" }', {"other"}),
    ('seq = { seq = "hello", level = "encap" }', {"pppoe", "mpls"}),
]


def frames_have_a_link_layer(program):
    run = Run(program, "[[profile]]\n" + rules_of(LINK_ROWS), list(enumerate(FRAMES.values())), local=FAR,
              link_type=ETHERNET)
    compare(run, LINK_ROWS, list(FRAMES))
    expect(run.out, [PACKETS["U"]] * len(FRAMES), "what leaves")


CT_ROWS = [('ctstate = "new"', {"U", "L"}), ('ctstate = ["established", "related"]', {"answer"}),
           ('ctstate = "invalid"', set()), ('ctmark = "0/0xFF"', {"answer"}), ('ctmark = 1', set())]


def connections_have_states_and_marks(program):
    """Simulated ones. A packet that makes its connection finds no mark yet."""
    answer = rule_packets.v4(packets.UDP, packets.udp(FAR, NEAR, 53, 4000, b"hello"), src=FAR, dst=NEAR)
    shown = {"U": PACKETS["U"], "L": PACKETS["L"], "answer": answer}
    run = Run(program, "[[profile]]\n" + rules_of(CT_ROWS), list(enumerate(shown.values())), "--ct=sim", local=FAR)
    compare(run, CT_ROWS, list(shown))


CASES = [every_match_holds_for_its_packets, frames_have_a_link_layer, connections_have_states_and_marks]
EXERCISED = [row for rows in (ROWS, LINK_ROWS, CT_ROWS) for row in rows]
