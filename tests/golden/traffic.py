#!/usr/bin/env python3
"""Traffic rules over captures: what leaves, byte for byte, what is counted and traced, what a bad file says.

usage: traffic.py PROGRAM [-v] [NAME_PART ...]

Last line: "N passed, N failed, N skipped".
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "tools")]
import cases  # noqa: E402
import mmdb  # noqa: E402
import packets  # noqa: E402
import rule_actions  # noqa: E402
import rule_matches  # noqa: E402
import rule_presets  # noqa: E402
import rule_words  # noqa: E402
from packets import ACK, RST, SYN  # noqa: E402
from traffic_run import CLIENT, EPOCH, EXAMPLES, SERVER, Run, datagram, expect, segment  # noqa: E402


def without_rules_nothing_changes(program):
    run = Run(program, None, [(0, datagram())])
    expect(run.out, [datagram()], "what leaves")
    expect(run.number("rules dropped"), None, "rules dropped")
    expect("rules" in run.trace[0], False, "trace")


def what_is_dropped_makes_no_flow(program):
    rules = '[[profile]]\n[[profile.rule]]\nname = "dns"\nmatch = [ { dport = 53 } ]\naction = ["drop"]\n'
    other = datagram(dport=54)
    run = Run(program, rules, [(0, datagram()), (0.1, other)])
    expect(run.out, [other], "what leaves")
    expect(run.number("rules dropped"), 1, "rules dropped")
    expect(run.number("flows"), 1, "flows")
    expect(run.trace[0]["rules"], {"profile": "1", "hits": ["dns"], "verdict": "drop", "mark": 0, "register": None},
           "trace")
    expect(run.trace[0]["verdict"], "drop", "trace")
    expect(run.trace[1]["rules"]["verdict"], "continue", "trace")


def accept_skips_the_strategies(program):
    rules = '[[profile]]\n[[profile.rule]]\nmatch = [ { dport = 53 } ]\naction = ["accept"]\n'
    drop_all = ("--lua-init=function drop_it() return VERDICT_DROP end", "--lua-desync=drop_it", "--payload=all")
    run = Run(program, rules, [(0, datagram(src=SERVER, dst=CLIENT))], *drop_all)
    expect(len(run.out), 1, "what leaves")
    expect(run.number("flows"), 0, "flows")


def shallow_packets_make_a_flow_and_meet_no_script(program):
    script = ("--lua-init=function drop_it() return VERDICT_DROP end", "--payload=all", "--lua-desync=drop_it")
    packet = datagram(src=SERVER, dst=CLIENT)
    rules = '[[profile]]\n[[profile.rule]]\naction = [ { uh = "%s" } ]\n'
    run = Run(program, rules % "L3-L4", [(0, packet)], *script)
    expect(run.out, [packet], "what leaves")
    expect(run.number("flows"), 1, "flows")


def scripts_see_rules_and_mark_hosts(program):
    """What a strategy marks is met by the next packet; desync.rules tells of this one."""
    rules = '[[profile]]\nname = "all"\n[[profile.rule]]\nname = "marked"\nmatch = [ { dhmark = { id = 5 } } ]\n' \
            'action = ["drop"]\n[[profile.rule]]\nname = "seen"\n' \
            'action = [ { mark = { value = 7 } }, { sample = { n = 1 } } ]\n'
    script = "--lua-init=function mark_it(ctx, desync) local r = desync.rules " \
             "DLOG_ERR('rules ' .. r.profile .. ' ' .. r.mark .. ' ' .. r.register .. ' ' .. " \
             "table.concat(r.hits, ',')) " \
             "rule_mark_set('connmark', 1, 9, 0, ctx) DLOG_ERR('mark ' .. rule_mark('connmark', 1, ctx)) " \
             "rule_mark_set('dhmark', 5, 1, 60, desync.target.ip) DLOG_ERR('packets ' .. rules_stats().packets) end"
    out = datagram(src=SERVER, dst=CLIENT)
    other = datagram(src=SERVER, dst="198.51.100.8")
    run = Run(program, rules, [(0, out), (1, out), (2, other), (61, out)], script, "--payload=all",
              "--lua-desync=mark_it")
    expect(run.out, [out, other, out], "what leaves")
    expect([line for line in ("rules all 7 sample:match seen", "mark 9", "packets 1", "packets 3", "packets 4")
            if line not in run.text], [], "not said in\n" + run.text)


def own_packets_pass(program):
    rules = '[[profile]]\n[[profile.rule]]\naction = ["drop"]\n'
    run = Run(program, rules, [(0, datagram())], "--pcap-in-mark=0x40000000")
    expect(run.out, [datagram()], "what leaves")


def observing_drops_nothing(program):
    rules = '[[profile]]\nmode = "observe"\n[[profile.rule]]\naction = ["drop"]\n'
    run = Run(program, rules, [(0, datagram())])
    expect(run.out, [datagram()], "what leaves")
    expect(run.number("rules dropped"), 1, "rules dropped")


def addresses_are_translated(program):
    rules = '[[profile]]\n[[profile.rule]]\naction = [ { snat = "203.0.113.0/24" }, ' \
            '{ dnat = ["192.0.2.99", "2001:db8:2::/48"] } ]\n'
    before = [datagram(), segment(ACK, payload=b"x"), datagram("2001:db8::1", "2001:db8:1::10")]
    after = [datagram("203.0.113.7", "192.0.2.99"), segment(ACK, payload=b"x", src="203.0.113.7", dst="192.0.2.99"),
             datagram("2001:db8::1", "2001:db8:2::10")]
    run = Run(program, rules, [(n, p) for n, p in enumerate(before)])
    expect(run.out, after, "what leaves")


def the_udp_example_blocks_a_source_for_a_while(program):
    flood = [(n / 1000, datagram()) for n in range(501)]
    other = datagram(src="198.51.100.8")
    late = [(1, segment(SYN)), (1.1, other), (299, datagram()), (301, datagram()),
            (301.1, datagram(src=SERVER, dst=CLIENT))]
    run = Run(program, os.path.join(EXAMPLES, "udp-limit.toml"), flood + late)
    expect(run.out, [datagram()] * 500 + [other, datagram(), datagram(src=SERVER, dst=CLIENT)], "what leaves")
    expect(run.number("rules dropped"), 3, "rules dropped")
    expect(run.trace[500]["rules"]["register"], "ratelimit:exceed", "trace")


def synack_authenticates(program):
    rules = '[[profile]]\nmatch = [ { dir = "in" } ]\n[[profile.rule]]\n' \
            'action = [ { tcpauth = { id = 1, syn = "synack" } } ]\n' \
            '[[profile.rule]]\nmatch = [ { verdict = { tcpauth = "invalid" } } ]\naction = ["drop"]\n'
    first = Run(program, rules, [(0, segment(SYN))])
    answers = [packets.parse(raw) for raw in first.out]
    expect([(p.sport, p.dport, p.flags, p.l4_ok) for p in answers], [(443, 40000, SYN | ACK, True)], "answer")
    cookie = answers[0].ack
    expect(cookie == 1001, False, "a right acknowledgement")
    good = [(0, segment(SYN)), (0.02, segment(RST, cookie)), (1, segment(SYN)), (1.1, segment(ACK, payload=b"x"))]
    run = Run(program, rules, good)
    expect(run.out[1:], [segment(SYN), segment(ACK, payload=b"x")], "what leaves")
    wrong = Run(program, rules, [(0, segment(SYN)), (0.02, segment(RST, cookie + 1)), (1, segment(SYN))])
    expect([packets.parse(raw).sport for raw in wrong.out], [443, 40000, 443], "what leaves")
    late = Run(program, rules, [(0, segment(SYN)), (11, segment(RST, cookie)), (12, segment(SYN))])
    expect([packets.parse(raw).sport for raw in late.out], [443, 40000, 443], "what leaves")


def the_geo_example_drops_who_is_from_elsewhere(program):
    with tempfile.TemporaryDirectory() as work, open(os.path.join(EXAMPLES, "geo.toml"), encoding="utf-8") as f:
        database = os.path.join(work, "test.mmdb")
        with open(database, "wb") as to:
            to.write(mmdb.countries({"10.0.0.0/8": "RU/EU", "192.0.2.0/24": "US/NA"}))
        text, count = re.subn('file = ".*"', 'file = "%s"' % database, f.read())
        expect(count, 1, "lines with a file")
        ours = [datagram(src="10.0.0.1", dst="198.51.100.1"), datagram(src="198.51.100.1", dst="203.0.113.1")]
        others = [datagram(src="192.0.2.77", dst="198.51.100.1"), datagram(src="203.0.113.1", dst="198.51.100.1")]
        stats = os.path.join(work, "stats.json")
        run = Run(program, text.replace("version = 1", ""), list(enumerate(ours + others)), "--rules-stats=" + stats,
                  local="198.51.100.1")
        expect(run.out, ours, "what leaves (%s)" % run.text)
        with open(stats, encoding="utf-8") as f:
            counted = json.load(f)
        expect(counted["counters"]["GEO_NOT_RU"]["packets"], 2, "GEO_NOT_RU")
        expect([(r["name"], r["packets"], r["dropped"]) for r in counted["rules"]], [("geo", 2, 2)], "rules")
        expect(counted["end"], True, "end")


SWITCHES = '[[profile]]\n[[profile.rule]]\nname = "dns"\nmatch = [ { dport = 53 } ]\n' \
           'action = [ { capture = "on" }, { export = "on" }, { snat = "203.0.113.0/24" }, "drop" ]\n'


def packets_are_captured_and_exported(program):
    with tempfile.TemporaryDirectory() as work:
        capture, export = os.path.join(work, "c.pcapng"), os.path.join(work, "e.json")
        run = Run(program, SWITCHES, [(0, datagram()), (0.25, datagram(dport=54)), (0.5, datagram())],
                  "--rules-capture=" + capture, "--rules-export=" + export)
        expect(run.number("rules dropped"), 2, "rules dropped")
        with open(capture, "rb") as f:
            data = f.read()
        expect(data.count(datagram()), 2, "packets as they were received in the capture")
        expect(data.count(b"dns"), 2, "comments")
        with open(export, encoding="utf-8") as f:
            records = [json.loads(line) for line in f]
        expect([(r["t_ms"], r["rule"], r["action"], r["src"], r["dport"], r["length"]) for r in records],
               [(EPOCH * 1000 + ms, "dns", "drop", "203.0.113.7", 53, 33) for ms in (0, 500)], "records")
        run = Run(program, SWITCHES, [(0, datagram())], "--check")
        for text in ("'capture' writes nothing without --rules-capture", "'export' writes nothing"):
            expect(text in run.text, True, text)


def a_look_at_the_options_leaves_the_capture(program):
    with tempfile.TemporaryDirectory() as work:
        capture = os.path.join(work, "c.pcapng")
        for options in (["--check"], ["--dry-run"], []):
            with open(capture, "wb") as f:
                f.write(b"of a daemon that runs")
            Run(program, SWITCHES, [(0, datagram())], "--rules-capture=" + capture, *options)
            with open(capture, "rb") as f:
                data = f.read()
            expect(data == b"of a daemon that runs", options != [], "left alone with %s" % options)


def a_file_of_records_has_its_size(program):
    with tempfile.TemporaryDirectory() as work:
        export = os.path.join(work, "e.json")
        with open(export, "wb") as f:
            f.truncate(100 * 1024 * 1024 - 1)
        run = Run(program, SWITCHES, [(0, datagram()), (1, datagram())], "--rules-export=" + export)
        expect(os.path.getsize(export), 100 * 1024 * 1024 - 1, "size")
        expect(run.text.count("the file has its size"), 1, "lines in " + run.text)


# Runs when the Lua state is closed, behind the pipeline.
LAST = "--lua-init=local function last() %s end " \
       "if newproxy then kept = newproxy(true) getmetatable(kept).__gc = last " \
       "else kept = setmetatable({}, { __gc = last }) end"


def finalizers_ask_at_the_end(program):
    rules = '[[profile]]\n[[profile.rule]]\naction = [ "drop" ]\n'
    for workers in "1", "3":
        run = Run(program, rules, [(0, datagram())], "--workers=" + workers,
                  LAST % "print('last', rules_stats().packets, #rules_stats().rules)")
        expect((run.result.returncode, run.text.count("last\t0\t0")), (0, int(workers)), run.text)


def scripts_use_rules_while_they_are_checked(program):
    rules = '[[profile]]\nname = "p"\n[[profile.rule]]\nname = "r"\nmatch = [ { hmark = { id = 1 } } ]\n' \
            'action = [ { ratelimit = { id = 1, pps = { rate = 10 } } }, "drop" ]\n'
    script = "--lua-init=assert(rule_mark_set('hmark', 1, 9, 0, '\\1\\2\\3\\4')) " \
             "assert(rules_stats().rules[1].name == 'r')"
    run = Run(program, rules, [(0, datagram())], "--check", script)
    expect((run.result.returncode, "0 errors" in run.text), (0, True), run.text)


def rules_look_at_simulated_connections(program):
    """Nothing from outside that is not an answer."""
    rules = '[[profile]]\n[[profile.rule]]\nmatch = [ { dir = "in" }, { not = { ctstate = "established" } } ]\n' \
            'action = [ "drop" ]\n'
    asked = datagram(src=SERVER, dst=CLIENT, sport=53, dport=4000)
    stranger = datagram(src="198.51.100.9")
    run = Run(program, rules, [(0, datagram()), (1, asked), (2, datagram()), (3, stranger)], "--ct=sim")
    expect(run.out, [asked, datagram()], "what leaves")
    run = Run(program, rules, [(0, datagram()), (1, asked), (2, datagram()), (3, stranger)])
    expect(run.out, [asked, datagram()], "what leaves without --ct (%s)" % run.text)
    run = Run(program, rules, [(0, datagram())], "--check", "--ct=sim")
    expect("simulated connections do not see the packets that rules accept" in run.text, True, run.text)
    for option in "--check", "--qnum=1":
        run = Run(program, rules, [(0, datagram())], option, "--ct=off")
        expect((run.result.returncode, "what --ct=off leaves unknown" in run.text), (1, True), run.text)


def explain_tells_of_rules(program):
    rules = '[[profile]]\nname = "web"\nmatch = [ { dir = "in" } ]\n[[profile]]\nname = "rest"\n[[profile.rule]]\n' \
            'name = "marked"\nmatch = [ { dhmark = { id = 5 } } ]\naction = [ "drop" ]\n[[profile.rule]]\n' \
            'name = "dns"\nmatch = [ { dport = 53 } ]\naction = [ "accept" ]\n'
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "rules.toml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("version = 1\n" + rules)
        for words, wanted in (((), ["traffic rules, profile 'rest':", "rule 'marked' depends on dhmark: drop",
                                    "rule 'dns' matches: accept"]),
                              (("--explain-json",), ['"name":"dns"', '"depends":["dhmark"]', '"end":"accept"'])):
            text = subprocess.run([program, "--qnum=200", "--uid=0", "--rules=" + path,
                                   "--explain=udp:192.0.2.1:53", *words],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
                                  universal_newlines=True).stdout
            expect([w for w in wanted if w not in text], [], "not said in " + text)


def check_reads_sets_and_databases(program):
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "bad.txt")
        with open(path, "w", encoding="utf-8") as f:
            f.write("192.0.2.0/24\nnonsense\n")
        asks = '[[profile]]\n[[profile.rule]]\nmatch = [ { %s } ]\naction = ["drop"]\n'
        rules = '[set.bad]\nfile = "%s"\n' % path + asks % 'pset = { name = "bad" }'
        run = Run(program, rules, [(0, datagram())], "--check")
        expect((run.result.returncode, "bad.txt:2: bad network : nonsense" in run.text), (0, True), run.text)
        for what in (rules.replace("bad.txt", "none.txt"),
                     '[geoip]\nfile = "%s"\n' % path + asks % 'geoip = { country = "RU" }'):
            for option in ("--check", "--dry-run"):
                run = Run(program, what, [(0, datagram())], option)
                expect(run.result.returncode, 1, "exit code of %s: %s" % (option, run.text))


def a_bad_file_ends_the_start(program):
    run = Run(program, "policy = 1\n[[profile]]\n[[profile.rule]]\naction = [\"dorp\"]\n", [(0, datagram())])
    expect(run.result.returncode, 1, "exit code")
    for text in (r"rules\.toml:2:10: text is needed here", r"rules\.toml:5:11: in rule '1/main#1': unknown action "
                 "'dorp', did you mean 'drop'"):
        if not re.search(text, run.text):
            raise AssertionError("%s is not in\n%s" % (text, run.text))


def check_tells_what_is_odd(program):
    rules = '[[profile]]\n[[profile.rule]]\nmatch = [ { hmark = { id = 9 } } ]\naction = ["drop"]\n'
    run = Run(program, rules, [(0, datagram())], "--check")
    expect(run.result.returncode, 0, "exit code")
    if "no rule sets hmark with id 9" not in run.text:
        raise AssertionError(run.text)
    run = Run(program, 'policy = "x"\n', [(0, datagram())], "--check")
    expect(run.result.returncode, 1, "exit code")


def examples_compile(program):
    for name in sorted(os.listdir(EXAMPLES)):
        if name == "presets.toml":
            continue
        run = subprocess.run([program, "--check", "--qnum=200", "--uid=0", "--rules=" + os.path.join(EXAMPLES, name)],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
                             universal_newlines=True)
        # A database of countries does not come with the program.
        database = "GeoLite2-Country.mmdb: No such file or directory" in run.stdout
        wanted = "1 error, 0 warnings" if name == "geo.toml" and database else "0 errors, 0 warnings"
        if wanted not in run.stdout:
            raise AssertionError("%s: %s" % (name, run.stdout))


CASES = [without_rules_nothing_changes, what_is_dropped_makes_no_flow, accept_skips_the_strategies,
         shallow_packets_make_a_flow_and_meet_no_script, scripts_see_rules_and_mark_hosts, own_packets_pass,
         observing_drops_nothing,
         addresses_are_translated, the_udp_example_blocks_a_source_for_a_while, synack_authenticates,
         the_geo_example_drops_who_is_from_elsewhere, packets_are_captured_and_exported,
         rules_look_at_simulated_connections, explain_tells_of_rules, check_reads_sets_and_databases,
         a_look_at_the_options_leaves_the_capture, a_file_of_records_has_its_size, finalizers_ask_at_the_end,
         scripts_use_rules_while_they_are_checked, a_bad_file_ends_the_start, check_tells_what_is_odd, examples_compile,
         *rule_matches.CASES, *rule_actions.CASES, *rule_presets.CASES, rule_words.every_word_has_a_capture]


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("parts", nargs="*")
    parser.add_argument("-v", action="store_true")
    args = parser.parse_intermixed_args()
    report = cases.Report(args.v, cases.this_script(args.program))
    for case in cases.chosen(CASES, args.parts, lambda c: c.__name__):
        try:
            case(args.program)
        except AssertionError as e:
            report.fail(case.__name__, e)
        else:
            report.ok(case.__name__)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
