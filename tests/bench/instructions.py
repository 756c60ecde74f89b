#!/usr/bin/env python3
"""What a packet costs in instructions, and a flow or a name of a list in bytes, against recorded limits.

    instructions.py PROGRAM LUA_DIR [--long] [--update [--why TEXT]] [--top N] [ROW...]

valgrind counts, so the load of the machine hardly matters: what it does by the clock can only add to a count, so a row
that costs too much is counted twice more, and the least is taken. A row of limits.json is the cost of one packet (flow,
name) more; more than that, and the slack for what repeats less exactly, is a failure:

    no Lua function runs         0.1 %
    one runs, compiler off       1 % (-interpreted)
    one runs, compiler on        5 %: what gets compiled hangs on trifles
    bytes                        1 %

Counts repeat to a millionth. --long adds rows that take minutes.

A change that costs more must raise the number and say why: --update writes what was measured, and wants --why if a
number goes up by more than its slack. It writes the reason beside the number.

Counts depend on the compiler, the libraries and what the processor can do, which limits.json has too. With another
compiler, Lua engine or kind of machine they are only shown, as skipped. Where libraries or the processor are others,
proportions are compared: no row may be 5 % further above its limit than the middle one of its unit.

--top N shows which N functions a packet of the rows costs most in. Last line: "N passed, N failed, N skipped".
"""
import argparse
import collections
import concurrent.futures
import json
import os
import statistics
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
import counted_run  # noqa: E402
import loads  # noqa: E402
from lab import libraries  # noqa: E402

LIMITS = os.path.join(HERE, "limits.json")
PACKETS = 20000
PROFILES, NAMES = 200, 20000
PROPORTION = 0.05
INCOMPARABLE = ("compiler", "Lua engine", "machine")

# How far a count may be above its limit, whether LuaJIT compiles.
Kind = collections.namedtuple("Kind", "of slack compiler", defaults=(False,))
EXACT, INTERPRETED, COMPILED = Kind("instructions", 0.001), Kind("instructions", 0.01), Kind("instructions", 0.05, True)
BYTES = Kind("bytes", 0.01)

# `libraries`: beside those of all rows.
Row = collections.namedtuple("Row", "name load options kind long libraries", defaults=(False, ()))

PASS = ("--payload=all", "--lua-desync=pass")
EVERY_PACKET, BEGINNING = ("--in-range=a", "--out-range=a"), ("--in-range=x", "--out-range=-n3")
ON_REQUEST = ("--filter-tcp=80", "--filter-l7=http", "--out-range=-d10", "--payload=http_req")
SPLIT = (*ON_REQUEST, "--lua-desync=fake:blob=fake_default_http:tcp_md5", "--lua-desync=multisplit:pos=method+2")
QUIC = ("--filter-udp=443", "--filter-l7=quic", "--payload=quic_initial",
        "--lua-desync=fake:blob=fake_default_quic:repeats=2")
# It sees the request and the reply.
CIRCULAR = ("--filter-tcp=80", "--filter-l7=http", "--in-range=n3-n3", "--out-range=n3-n3",
            "--payload=http_req,http_reply,empty", "--lua-desync=circular", "--in-range=x", "--payload=http_req",
            "--lua-desync=fake:blob=fake_default_http:tcp_md5:strategy=1",
            "--lua-desync=multisplit:pos=method+2:strategy=1", "--lua-desync=multidisorder:pos=midsld:strategy=2")
# Most packets of these connections go by, as they do in use; with all of them it would take minutes.
STRATEGIES = (("http-pass", loads.http, (*BEGINNING, *PASS)),
              ("http-fake-multisplit", loads.http, SPLIT),
              ("http-circular", loads.http, CIRCULAR))
# A function of NFLua that is not called: no bit of the mask is set.
MASKED = ("--payload=all", "--lua-desync=nflua:func=f:mask=1")
OF_LONG_LIST = (("udp-pass-all", loads.udp, (*EVERY_PACKET, *PASS)),
                ("quic-fake", loads.quic, QUIC))


def many_profiles(folder):
    """Options of PROFILES profiles with a list each; the hosts of loads.http are in some of them."""
    options = []
    for n in range(PROFILES):
        path = os.path.join(folder, "list-%d.txt" % n)
        with open(path, "w", encoding="ascii") as file:
            file.writelines("%s\n" % loads.host(k) for k in range(n, loads.HOSTS, 2 * PROFILES))
            file.writelines("name%d.list%d.example\n" % (k, n) for k in range(100))
        options += ["--new"] * bool(n) + ["--filter-tcp=80,443", "--hostlist=" + path, "--payload=unknown",
                                          "--in-range=x", "--out-range=x", "--lua-desync=pass"]
    return options


def rows(folder):
    yield Row("udp-no-profile", loads.udp, ("--filter-tcp=1", *PASS), EXACT)
    yield Row("http-no-profile", loads.http, ("--filter-tcp=1", *PASS), EXACT)
    yield Row("quic-no-profile", loads.quic, ("--filter-tcp=1", *PASS), EXACT)
    yield Row("http-200-lists", loads.http, tuple(many_profiles(folder)), EXACT)
    yield Row("udp-nflua-mask", loads.udp, (*EVERY_PACKET, *MASKED), EXACT, libraries=("nflua",))
    for name, load, options in STRATEGIES:
        yield Row(name, load, options, COMPILED)
    yield Row("http-fake-multisplit-interpreted", loads.http, SPLIT, INTERPRETED)
    for name, load, options in OF_LONG_LIST:
        yield Row(name, load, options, COMPILED, True)
    yield Row("bytes-flow", loads.first_packets, ("--filter-tcp=1", *PASS), BYTES)
    yield Row("bytes-name", None, ("--filter-tcp=1",), BYTES)


class Bench:
    """Runs rows. Everything is in a folder of its own."""

    def __init__(self, program, lua, folder, runs, packets=PACKETS):
        self.program, self.folder, self.lua = program, folder, lua
        self.libraries = libraries(folder, lua, "lib", "antidpi", "auto")
        self.runs, self.packets = runs, packets
        self.captures = {}

    def capture(self, load, number):
        # Flows that are counted must not be forgotten meanwhile.
        rate = 100000 if load is loads.first_packets else loads.RATE
        key = (load.__name__, number)
        if key not in self.captures:
            self.captures[key] = os.path.join(self.folder, "%s-%d.pcap" % key)
            loads.write(self.captures[key], load, number, rate)
        return self.captures[key]

    def names(self, number):
        path = os.path.join(self.folder, "names-%d.txt" % number)
        with open(path, "w", encoding="ascii") as file:
            file.writelines("name%d.example\n" % n for n in range(number))
        return ["--hostlist=" + path]

    def run(self, row, number, out):
        options = libraries(self.folder, self.lua, *row.libraries) + list(row.options)
        if row.load is None:
            options += self.names(number)
        capture = self.capture(row.load or loads.udp, number if row.load else 1)
        argv = [self.program, "--pcap-in=" + capture, "--pcap-local=" + loads.LOCAL, *self.libraries, *options]
        if row.kind is BYTES:
            return self.runs.memory(argv, out)
        return self.runs.instructions(argv, out, row.kind.compiler)

    def measure(self, row, top=0):
        """Cost of one thing more, and the functions that cost most of it."""
        number = NAMES if row.load is None else self.packets
        out = [os.path.join(self.folder, "%s-%d.out" % (row.name, k)) for k in (1, 2)]
        few, many = (self.run(row, k * number, path) for k, path in zip((1, 2), out))
        functions = counted_run.largest(*out, number, top) if top and row.kind is not BYTES else []
        return (many - few) / number, functions

    def least(self, row, top, most):
        """The same; again while it is more than `most` (None: whatever it is), three times at last."""
        found = self.measure(row, top)
        for _ in range(2):
            if most is None or found[0] <= most:
                break
            found = min(found, self.measure(row, top), key=lambda one: one[0])
        return found


class Limits:
    """What limits.json says."""

    def __init__(self):
        with open(LIMITS, encoding="utf-8") as file:
            self.said = json.load(file)

    def strangers(self, environment):
        """What differs from the machine of the numbers: name -> text."""
        of = self.said["environment"]
        return {name: "%s: %s, the limits are of %s" % (name, environment.get(name), of.get(name))
                for name in sorted({*of, *environment}) if of.get(name) != environment.get(name)}

    def limit(self, name):
        row = self.said["rows"].get(name)
        return row and row["limit"]

    def most(self, row):
        """With its slack; None if it is not known."""
        limit = self.limit(row.name)
        return limit * (1 + row.kind.slack) if limit else None

    def update(self, environment, measured, why):
        """Writes what was measured; None, or what it lacks."""
        others = set(self.said["rows"]) - {row.name for row in measured}
        if others and self.strangers(environment):
            return "on another machine all rows are wanted: --long, without names"
        risen = [row.name for row, value in measured.items()
                 if self.limit(row.name) and value > self.limit(row.name) * (1 + row.kind.slack)]
        if risen and not why:
            return "--why is wanted: what do these get for it? " + ", ".join(risen)
        for row, value in measured.items():
            entry = self.said["rows"].setdefault(row.name, {})
            if row.name in risen or "why" not in entry:
                entry["why"] = why or "as it was first measured"
            # What is within the slack does not raise it: ten such steps would.
            entry["limit"] = round(value if row.name in risen else min(value, entry.get("limit", value)), 1)
        self.said["environment"] = environment
        with open(LIMITS, "w", encoding="utf-8") as file:
            json.dump(self.said, file, indent=4)
            file.write("\n")
        return None


def middles(known, strangers):
    """unit -> what the middle row of it is of its limit, where proportions are compared."""
    units = {row.kind.of for row in known}
    return {unit: statistics.median(part for row, part in known.items() if row.kind.of == unit) if strangers else 1
            for unit in units}


def judge(report, measured, limits, environment):
    """Holds what was measured against the limits, or only its proportions where they are of another machine."""
    strangers = limits.strangers(environment)
    for name in INCOMPARABLE:
        if name in strangers:
            report.skip("all", strangers[name])
            return
    known = {row: value / limits.limit(row.name) for row, value in measured.items() if limits.limit(row.name)}
    middle = middles(known, strangers)
    if strangers:
        print("only proportions are compared:\n  %s" % "\n  ".join(strangers.values()))
    for row, value in measured.items():
        if row not in known:
            report.fail(row.name, "limits.json does not know it: --update")
            continue
        slack = max(row.kind.slack, PROPORTION) if strangers else row.kind.slack
        usual = middle[row.kind.of]
        report.check(known[row] <= usual * (1 + slack), row.name,
                     "%.1f, the limit is %.1f and %g %%%s.\nMake it cheaper, or raise the limit with its reason: "
                     "--update --why TEXT" % (value, limits.limit(row.name) * usual, 100 * slack,
                                              ", in proportion" if strangers else ""))
        if known[row] < usual * (1 - 2 * slack):
            print("    %s costs less than its limit says: --update keeps it so" % row.name)


def show(row, value, functions, limits):
    limit = limits.limit(row.name)
    print("| %s | %.1f | %s |" % (row.name, value, "%+.2f %%" % (100 * (value / limit - 1)) if limit else "new"))
    for cost in functions:
        print("|   %s (%s) | %.1f | %.1f %% |" % (*cost, 100 * cost.per_packet / value))
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("lua_dir")
    parser.add_argument("rows", nargs="*", metavar="ROW")
    parser.add_argument("--long", action="store_true", help="also the rows that take minutes")
    parser.add_argument("--update", action="store_true", help="write limits.json")
    parser.add_argument("--why", help="the reason of numbers that go up")
    parser.add_argument("--top", type=int, default=0, metavar="N")
    parser.add_argument("-j", dest="jobs", type=int, default=1)
    options = parser.parse_intermixed_args()
    report = cases.Report(command=cases.this_script(options.program, options.lua_dir))
    if counted_run.missing():
        report.skip("all", counted_run.missing())
        return report.finish()
    limits, environment = Limits(), counted_run.environment(options.program)
    with tempfile.TemporaryDirectory(prefix="nfqws2-bench-") as folder:
        bench = Bench(options.program, options.lua_dir, folder, counted_run.Runs(folder))
        chosen = [row for row in cases.chosen(list(rows(folder)), options.rows, lambda row: row.name)
                  if options.long or options.rows or not row.long]
        print("| row | instructions or bytes | to the limit |\n|---|---|---|")
        measured = {}
        known = not options.update and not limits.strangers(environment)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for row, begun in [(row, pool.submit(bench.least, row, options.top, limits.most(row) if known else None))
                               for row in chosen]:
                try:
                    value, functions = begun.result()
                except counted_run.Failed as problem:
                    report.fail(row.name, str(problem))
                    continue
                measured[row] = value
                show(row, value, functions, limits)
    if options.update:
        lacks = limits.update(environment, measured, options.why)
        report.check(lacks is None, "update", lacks)
    else:
        judge(report, measured, limits, environment)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
