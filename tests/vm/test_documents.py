"""What the documents tell to run, above all their nftables rules, which need this kernel."""
import os
import re

from world import ROOT, Failure, cases, check

import documents
import stage

COST = 7
NAMES = ("README.md", "docs/manual.md", "docs/cookbook.md")


def live_blocks():
    """title -> (document, line); and the titles for the long list: those without nftables, and one
    whose narrow range the retransmissions of a slow machine leave."""
    found, others = {}, []
    for name in NAMES:
        for block in documents.document(os.path.join(ROOT, name)).blocks:
            if block.kind == "run" and documents.Mark(block.mark).kind == "lab":
                title = "%s:%d" % (os.path.basename(name)[:-3], block.line)
                found[title] = (name, block.line)
                if "nft " not in block.text or "thrifty" in block.text:
                    others.append(title)
    return found, others


BLOCKS, FOR_LONG = live_blocks()


@cases(BLOCKS)
def test_block(env, name, line):
    """A block behind the files and the preparations that stand before it, as its mark says."""
    with stage.Stage(env.program, env.lua) as place:
        check(place.nft_queues, "the kernel lacks the queue statement")
        for block in documents.document(os.path.join(ROOT, name)).blocks:
            if block.kind == "file":
                place.write(block.mark, block.text)
            if block.kind == "run" and stage.PREPARES.match(block.text):
                place.offline(block, documents.Mark(block.mark))
            if block.line == line:
                try:
                    place.lab(block, documents.Mark(block.mark))
                except stage.Failure as problem:
                    raise Failure(str(problem)) from problem
                return


test_block.long_cases = FOR_LONG


# What a script knows of the answers' connection.
SEE = """function see(ctx, desync)
    if not desync.outgoing then print('ANSWER OF', desync.track and desync.track.hostname) end
end"""
ROUTERS = {"manual": ("docs/manual.md", "queue.nft"), "cookbook": ("docs/cookbook.md", "router.nft")}


@cases(ROUTERS)
def test_answers_behind_translation(env, name, file):
    """On a router with NAT the rules show answers with the addresses of the requests."""
    text = "\n".join(b.text for b in documents.document(os.path.join(ROOT, name)).blocks)
    rules = re.search(r"cat >\S*/%s <<'?EOF'?\n(.*?)^EOF$" % re.escape(file), text, re.M | re.S)[1]
    with env.lab() as lab:
        lab.start_site(*stage.NAMES)
        for tables in stage.laboratory.TABLES:
            lab.run("box", tables, "-t", "nat", "-A", "POSTROUTING", "-o", "to-server", "-j", "MASQUERADE")
        lab.run("box", "nft", "-f", "-", input=rules.replace("$WAN", "to-server"))
        with env.daemon(lab, "--lua-init=" + SEE, "--filter-tcp=80", "--in-range=a", "--payload=all",
                        "--lua-desync=see", who="box") as daemon:
            for version in (4, 6):
                check(stage.opens(lab, "http://other.example/", version), "no connection")
            daemon.stop()
        answers = re.findall(r"ANSWER OF\t(\S+)", daemon.output())
        check(answers.count("other.example") >= 2, "answers belong to %s", answers)
