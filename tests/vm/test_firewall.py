"""Which firewall is taken, and what becomes of the rules of the other one; blockcheck2 with nftables."""
import os
import sys

import modules
from world import ROOT, cases, check, check_equal, contains, laboratory
from service import Service
from test_service_rules import NAMES, expect, host

sys.path.append(os.path.join(ROOT, "tests", "blockcheck"))
import checks  # noqa: E402
from fakes import SPLIT  # noqa: E402

COST = 25
COMPLAINT = "nftables can not queue packets here (kernel module nft_queue): using iptables"


def kinds(lab, who):
    """Of which firewalls rules with a queue are loaded."""
    tables = {"nftables": ("queue ", [["nft", "list", "table", "inet", "zapret2"]]),
              "iptables": ("NFQUEUE", [[name + "-save"] for name in laboratory.TABLES])}
    return [kind for kind, (word, commands) in tables.items()
            if any(word in lab.run(who, *command, check=False).stdout for command in commands)]


def test_choice(env):
    """nftables where they queue, else iptables; what an earlier choice left goes, and the site is open."""
    with env.lab() as lab:
        lab.start_site(*NAMES)
        who, interfaces = host(lab)
        few = ["DISABLE_IPV6=1", "NFQWS2_PORTS_UDP=", *interfaces]  # each rule of iptables is a process
        service = Service(env, lab, who, "FWTYPE=", *few)
        with modules.without("nft_queue"):
            check(not laboratory.nft_can_queue(), "nftables still queues")
            contains(service("start"), COMPLAINT)
            check_equal("rules", kinds(lab, who), ["iptables"])
            expect(lab, True, versions=(4,))
        said = service("restart-fw")
        check(COMPLAINT not in said, "it was not tried again:\n%s", said)
        check_equal("rules after nftables came", kinds(lab, who), ["nftables"])
        expect(lab, True, versions=(4,))
        service.configure("FWTYPE=iptables", *few)
        service("restart-fw")
        check_equal("rules of another choice", kinds(lab, who), ["iptables"])
        expect(lab, True, versions=(4,))
        service("stop")
        check_equal("rules", kinds(lab, who), [])
        tables = lab.run(who, "nft", "list", "tables").stdout
        check("probe" not in tables, "the trial is left:\n%s", tables)


@cases({engine: (engine,) for engine in ("classic", "fast")})
def test_blockcheck(env, engine):
    """The lists of a user, with rules of nftables: what opens the site is found, and nothing is left."""
    place = checks.Environment(env.program, env.lua)
    with place.lab("rst") as lab:
        done = place.run(lab, FWTYPE="", ENGINE=engine, ENABLE_HTTPS_TLS12=0, timeout=500,
                         **place.custom(lab, ["# mine", SPLIT, "--payload=http_req --lua-desync=pass"]))
        done.has("firewall type is nftables")
        check_equal("exit code", done.code, 0)
        found = [(strategy, line.split(" code")[0]) for *_, strategy, line in done.results()]
        check_equal("results", found, [(SPLIT, "!!!!! AVAILABLE !!!!!"),
                                       ("--payload=http_req --lua-desync=pass", "UNAVAILABLE")])
        rules = lab.run("client", "nft", "list", "ruleset").stdout
        check("blockcheck" not in rules and "queue" not in rules, "rules are left:\n%s", rules)


test_blockcheck.long_cases = ["fast"]
