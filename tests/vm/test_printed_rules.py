"""The table of --print-rules=nft alive, on the machine itself and on a router that translates addresses."""
from world import cases, laboratory

from service import STRATEGY
from test_service_rules import NAMES, expect, host, router

COST = 20
QUEUE = 200


@cases({"host": (host,), "router": (router,)})
def test_printed_table(env, place):
    with env.lab() as lab:
        lab.start_site(*NAMES)
        who, _ = place(lab)
        options = [*lab.libraries(env.lua, "lib", "antidpi"), *STRATEGY.split(), "--offload-mark=0x08000000"]
        rules = lab.run(who, env.program, *laboratory.program_options(QUEUE), *options, "--print-rules=nft").stdout
        lab.start_nfqws2(env.program, *options, who=who, queue=QUEUE, ready_timeout=120)
        for _ in range(2):
            lab.run(who, "nft", "-f", "-", input=rules)
        expect(lab, True)
        lab.run(who, "nft", "delete", "table", "inet", "nfqws2_%d" % QUEUE)
        expect(lab, False)


test_printed_table.long_cases = ["host"]
