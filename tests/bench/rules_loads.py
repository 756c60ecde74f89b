"""Rules files for the queue bench: name of a case -> what --rules reads, and the load it is measured under."""
import json
import os
import random

SETS, NETWORKS, RULES = 10, 100000, 100
SOURCES = 1000000
LIMITS = "[limits]\nmarks = %d\nbuckets = %d\nsources = %d\n" % (3 * (2 * SOURCES,))


def rule(match, action):
    return "[[profile.rule]]\nmatch = [ %s ]\naction = [ %s ]\n" % (match, action)


def profile(*rules):
    return "[[profile]]\nname = \"bench\"\n" + "".join(rules)


def header_rules():
    """Ten of what can be read from headers; none holds for a datagram of 64 bytes to port 7001."""
    match = "{ protocol = \"udp\" }, { dport = %d }, { len = { len = \"0-%d\" } }"
    return profile(*(rule(match % (8000 + i, 1000 + i), "\"drop\"") for i in range(10)))


def write_sets(folder):
    """Networks outside of those that the benches use."""
    chance = random.Random(1)
    for number in range(SETS):
        with open(os.path.join(folder, "set%d.txt" % number), "w", encoding="ascii") as file:
            for _ in range(NETWORKS):
                file.write("%d.%d.%d.0/24\n" % (chance.randrange(11, 223), chance.randrange(79, 256),
                                                chance.randrange(256)))


def set_rules(folder, *last):
    write_sets(folder)
    sets = "".join("[set.s%d]\nfile = %s\n" % (i, json.dumps(os.path.join(folder, "set%d.txt" % i)))
                   for i in range(SETS))
    rules = (rule("{ pset = { name = \"s%d\" } }, { len = { len = \"%d-2000\" } }" % (i % SETS, 30 + i), "\"drop\"")
             for i in range(RULES - len(last)))
    return sets + profile(*rules, *last)


# Case: the load, and what makes the text. A case of a name with "-drop" lets nothing pass.
FILES = {
    "rules-10": ("udp", lambda folder: header_rules()),
    "rules-100": ("udp", set_rules),
    "rules-100-drop": ("udp", lambda folder: set_rules(folder, rule("{ protocol = \"udp\" }", "\"drop\""))),
    "rules-ratelimit": ("spoofed", lambda folder: LIMITS + profile(
        rule("{ protocol = \"udp\" }", "{ ratelimit = { id = 8, pps = { rate = 500 } } }"),
        rule("{ verdict = { ratelimit = \"exceed\" } }", "\"drop\""))),
    "rules-marks": ("spoofed", lambda folder: LIMITS + profile(
        rule("{ hmark = { id = 2 } }", "\"drop\""),
        rule("{ protocol = \"udp\" }", "{ hmark = { id = 2, value = 2, lifetime = 300 } }, \"drop\""))),
    "rules-tcpauth": ("syn", lambda folder: LIMITS + profile(
        rule("{ protocol = \"tcp\" }", "{ tcpauth = { id = 1, syn = \"synack\" } }"),
        rule("{ verdict = { tcpauth = \"invalid\" } }", "\"drop\""))),
    "rules-seq": ("udp-large", lambda folder: profile(*(
        rule("{ seq = { seq = \"marker %d\" } }" % i, "\"drop\"") for i in range(20)))),
}
# Runs before the one that is measured: each source has its mark then.
WARM_UP, WARM_UP_SECONDS = ("rules-marks", "rules-ratelimit"), 8


def write(folder, case):
    """The file of a case, where a user without rights can read it."""
    path = os.path.join(folder, case + ".toml")
    text = "version = 1\n" + FILES[case][1](folder)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    for name in os.listdir(folder):
        if name.endswith((".toml", ".txt")):
            os.chmod(os.path.join(folder, name), 0o644)
    return path
