"""The presets that come with the program, each in a file of rules that includes them."""
import os
import tempfile

import mmdb
from packets import SYN, UDP, udp
from rule_packets import FAR, PACKETS, v4
from traffic_run import EXAMPLES, Run, datagram, expect, segment

OUTSIDE = "198.18.0.1"


def play(program, name, stamped, params="", more=""):
    text = 'include = ["%s"]\n%s[[profile]]\nmatch = [ { dir = "in" } ]\n' \
           '[[profile.rule]]\npreset = "%s"\nparams = { %s }\n' \
           % (os.path.join(EXAMPLES, "presets.toml"), more, name, params)
    run = Run(program, text, stamped, local=FAR)
    expect(len(run.trace), len(stamped), "packets of the trace (%s)" % run.text)
    return run


def udp_limit(program):
    flood = [(n / 1000, PACKETS["U"]) for n in range(12)]
    run = play(program, "udp-limit", flood + [(40, PACKETS["S"]), (75, PACKETS["S"])],
               'rate = 10, block = "1m"')
    expect(run.out, [PACKETS["U"]] * 10 + [PACKETS["S"]], "what leaves")


def udp_limit_twice(program):
    """Each use with a meter and a mark of its own."""
    second = 'rate = 10, block = "1m" }\n[[profile.rule]]\npreset = "udp-limit"\n' \
             'params = { rate = 4, block = "2m", id = 20, mark = 20 '
    flood = [(n / 1000, PACKETS["U"]) for n in range(12)]
    run = play(program, "udp-limit", flood + [(75, PACKETS["S"]), (130, PACKETS["S"])], second)
    expect(run.out, [PACKETS["U"]] * 4 + [PACKETS["S"]], "what leaves")


def geo_only(program):
    with tempfile.TemporaryDirectory() as work:
        database = os.path.join(work, "places.mmdb")
        with open(database, "wb") as f:
            f.write(mmdb.countries({"10.0.0.0/8": "RU/EU", "198.18.0.0/16": "NL/EU"}))
        packets = [PACKETS["U"], datagram(OUTSIDE, FAR)]
        run = play(program, "geo-only", list(enumerate(packets)), 'country = "NL"', '[geoip]\nfile = "%s"\n' % database)
    expect(run.out, packets[1:], "what leaves")


def syn_auth(program):
    run = play(program, "syn-auth", [(0, segment(SYN, dst=FAR)), (1, PACKETS["U"])], 'method = "greylist"')
    expect(run.out, [PACKETS["U"]], "what leaves")
    run = play(program, "syn-auth", [(0, segment(SYN, dst=FAR))])
    expect([packet != segment(SYN, dst=FAR) for packet in run.out], [True], "an answer")


def dns_amplification(program):
    large = datagram(OUTSIDE, FAR, b"x" * 600, sport=53)
    small = datagram(OUTSIDE, FAR, b"x" * 60, sport=53)
    run = play(program, "dns-amplification",
               [(n / 1000, large) for n in range(6)] + [(0.5, small), (0.6, PACKETS["U"])], "rate = 4")
    expect(run.out, [large] * 4 + [small, PACKETS["U"]], "what leaves")


def fragments(program):
    run = play(program, "fragments", [(n / 1000, PACKETS["F1"]) for n in range(6)] + [(0.5, PACKETS["U"])], "rate = 4")
    expect(run.out, [PACKETS["F1"]] * 4 + [PACKETS["U"]], "what leaves")


def bogons(program):
    real = v4(UDP, udp("9.9.9.9", FAR, 1, 2, b"hello"), src="9.9.9.9")
    others = [datagram(source, FAR) for source in ("10.1.2.3", "192.0.2.1", "255.255.255.255", "198.19.255.1")]
    v6 = [datagram(source, "2620:fe::9") for source in ("fd00::1", "2001:db8::1", "2001:db9::1", "fe80::1")]
    run = play(program, "bogons", list(enumerate([real, *others, *v6])))
    expect(run.out, [real, *v6[2:]], "what leaves")
    run = play(program, "bogons", [(0, others[0]), (1, real)], 'sources = ["9.0.0.0/8"]')
    expect(run.out, others[:1], "what leaves with other sources")


CASES = [udp_limit, udp_limit_twice, geo_only, syn_auth, dns_amplification, fragments, bogons]
