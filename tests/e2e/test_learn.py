"""`learn` against a filtering box: what it finds, what it keeps over restarts, and who can see it."""
import json
import os
import re
import signal
import time

from control_client import ask
from harness import QUEUE, cases, check, check_equal, laboratory

SITES = ["site%d.example" % n for n in range(1, 11)]
LIBRARIES = ("lib", "antidpi", "auto", "learn")
RANGES = ["--in-range=-s5556", "--lua-desync=learn:key=web:fails=2:in_pkts=all"]
# The first two do not impress the box, the last one splits the name.
THREE = ["--in-range=x", "--payload=http_req,tls_client_hello", "--lua-desync=pass:strategy=1",
         "--lua-desync=multisplit:pos=1:strategy=2", "--lua-desync=multisplit:pos=midsld:strategy=3"]


def named(lines, kind):
    return [line[kind] for line in lines if kind in line]


class World:
    """Ten sites behind a box that resets connections with their names."""

    def __init__(self, env, lab):
        self.env, self.lab = env, lab
        lab.start_site(*SITES)
        lab.filter_words(*SITES)
        lab.queue_client(QUEUE)
        self.state = os.path.join(lab.folder, "state")
        self.socket = os.path.join(lab.folder, "control.sock")

    def daemon(self, *more, strategies=RANGES + THREE):
        return self.env.daemon(self.lab, "--state-dir=" + self.state, "--state-interval=1",
                               "--control=" + self.socket, *more, *strategies, libraries=LIBRARIES)

    def opens(self, name):
        result = self.lab.curl("https://%s/" % name, name=name, timeout=laboratory.PATIENCE)
        return result.returncode == 0 and "It works" in result.stdout

    def failures(self, name, most=8):
        for count in range(most):
            if self.opens(name):
                return count
        return most

    def results(self, host):
        """Number, successes and failures of the strategies that were tried with it."""
        found = named(ask(self.socket, "learn", host=host), "learn")
        return [(s["n"], s["ok"], s["bad"]) for s in found[0]["strategies"]] if found else []

    def file(self):
        return os.path.join(self.state, str(QUEUE), "learn.tsv")

    def records(self):
        """Those of the file: key -> fields."""
        if not os.path.exists(self.file()):
            return {}
        with open(self.file()) as f:
            lines = f.read().splitlines()
        check_equal("first line", lines[0], "nfqws2-store 1")
        parts = [line.split("\t") for line in lines[1:]]
        return {p[0]: dict(field.split("=", 1) for field in p[3:]) for p in parts}


@cases({"one": (1,), "two": (2,)})
def test_sites_learn_from_each_other(env, workers):
    """Two strategies fail for the first site; the tenth opens at once, and so do all after a restart. Connections go to
    all workers in turn, so one opens what another has learnt."""
    laboratory.WORKERS = workers
    with env.lab() as lab:
        world = World(env, lab)
        with world.daemon() as daemon:
            check_equal("failures of the first site", world.failures(SITES[0]), 2)
            check_equal("of the others", [world.failures(site) for site in SITES[1:]], [0] * 9)
            # the end of a connection comes when the page is open already
            lab.wait_for(lambda: (3, 10, 0) in world.results("*"), "ten results")
            daemon.stop()
        records = world.records()
        check_equal("kept", (records["web/" + SITES[9]]["cur"], records["web/*/3"]["ok"]), ("3", "10"))
        with world.daemon():
            check_equal("after a restart", [world.failures(site) for site in SITES], [0] * 10)


def test_edited_and_killed(env):
    """A person's line counts at the next start; kill -9 loses no file."""
    with env.lab() as lab:
        world = World(env, lab)
        with world.daemon() as daemon:
            check_equal("failures", world.failures(SITES[0]), 2)
            lab.wait_for(lambda: "web/%s/3" % SITES[0] in world.records(), "the file")
            os.kill(daemon.pid, signal.SIGKILL)
            check_equal("exit code", daemon.ended(), -signal.SIGKILL)
        check_equal("kept", world.records()["web/" + SITES[0]]["cur"], "3")
        with open(world.file(), "a") as f:
            f.write("web/%s\t2000000000\t0\tpin=1\n" % SITES[1])
        with world.daemon():
            check(world.opens(SITES[0]), "the first site after kill -9")
            check(not world.opens(SITES[1]), "pinned to a strategy that does nothing")


def test_two_daemons_of_one_directory(env):
    """The second works in memory and says so; nothing of it gets into the file of the first."""
    with env.lab() as lab:
        world = World(env, lab)
        with world.daemon() as first:
            check_equal("failures", world.failures(SITES[0]), 2)
            with env.daemon(lab, "--state-dir=" + world.state, "--state-interval=1",
                            "--lua-init=store('learn'):set('web/second.example', {cur = 1})", who="server",
                            libraries=LIBRARIES) as second:
                second.stop()
            check("is in use by another program" in second.output(), "it said:\n%s", second.output())
            first.stop()
        records = world.records()
        check_equal("kept", (records["web/" + SITES[0]]["cur"], "web/second.example" in records), ("3", False))


def test_import_pushes_nothing_out(env):
    """What does not fit is told; a pin and the sums that are there stay."""
    now = int(time.time())
    lines = ["web/new%d.example\t%d\t0\tcur=1" % (n, now) for n in range(100)]
    with env.lab() as lab:
        world = World(env, lab)
        init = "--lua-init=s = store('learn') s:set('web/kept.example', {pin = 2}, 0) s:set('web/*/1', {ok = 5})"
        with world.daemon("--store-max=64", init):
            lines += ["web/kept.example\t1000\t0\tcur=1", "what is this", "web/*/1\t%d\t0\tok=6" % (now + 5)]
            end = ask(world.socket, "learn", action="import", records="\r\n".join(lines))[-1]
            check_equal("told", end, {"end": True, "count": 63, "older": 1, "damaged": 1, "damaged_lines": [102],
                                      "no_room": 38, "no_room_lines": list(range(63, 73))})
            kept = named(ask(world.socket, "learn", host="kept.example"), "learn")[0]
            check_equal("pin", kept["pin"], 2)
            check_equal("sums", world.results("*"), [(1, 6, 0)])


def test_orders_of_people(env):
    """A pin must be a strategy there is; names may end with the root; what has expired is not taken."""
    with env.lab() as lab:
        world = World(env, lab)
        with world.daemon():
            refused = ask(world.socket, "learn", action="pin", key="web", host=SITES[0], strategy=4)
            check("the strategies of 'web' are 1 to 3" in str(refused), "told: %s", refused)
            check_equal("nothing is kept", ask(world.socket, "learn")[-1]["count"], 0)
            ask(world.socket, "learn", action="pin", key="web", host=SITES[0] + ".", strategy=3)
            pins = [(record["host"], record["pin"]) for record in named(ask(world.socket, "learn"), "learn")]
            check_equal("pins", pins, [(SITES[0], 3)])
            check_equal("of another key", ask(world.socket, "learn", action="pin", key="no", host="a", strategy=9)[-1],
                        {"end": True, "count": 1})
            end = ask(world.socket, "learn", action="import", records="web/old.example\t1000\t60\tcur=1")[-1]
            check_equal("expired", (end["count"], end["older"]), (0, 1))


def test_groups_of_a_file(env):
    """Read by who has no rights and within the fence; without it there is no start."""
    with env.lab() as lab:
        world = World(env, lab)
        folder = os.path.join(lab.folder, "groups")
        os.mkdir(folder, 0o755)
        file = os.path.join(folder, "groups.txt")
        with open(file, "w") as f:
            f.write("\ufeff.example all\n")
        strategies = RANGES[:-1] + [RANGES[-1] + ":groups=" + file] + THREE
        with world.daemon(strategies=strategies):
            check_equal("failures", world.failures(SITES[0]), 2)
            lab.wait_for(lambda: (3, 1, 0) in world.results("all"), "the result of the group")
        os.chmod(file, 0o600)
        result = env.run("--intercept=0", *lab.libraries(env.lua, *LIBRARIES), *strategies)
        check_equal("exit code", result.returncode, 1)
        check("groups=%s of instance learn_1_1: Permission denied" % file in result.stderr, "said: %s", result.stderr)


def test_seen_by_people(env):
    """The control socket, the trace and SIGUSR1 tell the strategy; a pin holds from the next connection on."""
    with env.lab() as lab:
        world = World(env, lab)
        trace = os.path.join(lab.folder, "trace.jsonl")
        with world.daemon("--trace=" + trace) as daemon:
            check_equal("failures", world.failures(SITES[0]), 2)
            lab.wait_for(lambda: world.results(SITES[0]) == [(1, 0, 1), (2, 0, 1), (3, 1, 0)], "the results")
            learned = named(ask(world.socket, "learn", host=SITES[0]), "learn")[0]
            check_equal("strategy", (learned["key"], learned["strategy"], learned["pin"]), ("web", 3, None))
            flows = [f["learn"] for f in named(ask(world.socket, "flows", host=SITES[0]), "flow") if f["learn"]]
            check({"host": SITES[0], "strategy": 3, "why": "best", "result": "success"} in flows, "flows: %s", flows)
            host = named(ask(world.socket, "hosts", host=SITES[0]), "host")[0]
            check_equal("results of the host", host["learn"], {"strategy": 3, "ok": 1, "bad": 2})
            instances = named(ask(world.socket, "counters"), "profile")[0]["instances"]
            learnt = [[s["n"], s["ok"], s["bad"]] for s in instances[0]["strategies"]]
            check_equal("sums", learnt, [[1, 0, 1], [2, 0, 1], [3, 1, 0]])
            check(all("strategies" not in i for i in instances[1:]), "instances: %s", instances)
            check(instances[0]["called"] < 16 or 0 < instances[0]["us"] < 1e6, "instances: %s", instances)
            os.kill(daemon.pid, signal.SIGUSR1)
            dumped = "learn=%s strategy=3 why=best result=success" % SITES[0]
            lab.wait_for(lambda: dumped in daemon.output(), "the dump")
            check_equal("pinned", ask(world.socket, "learn", action="pin", host=SITES[0], strategy=1),
                        [{"end": True, "count": 1}])
            check(not world.opens(SITES[0]), "pinned to a strategy that does nothing")
            ask(world.socket, "learn", action="pin", host=SITES[0])
            check(world.opens(SITES[0]), "not pinned any more")
            for strategy in ({"strategy": 2}, {}):
                ask(world.socket, "learn", action="pin", host="new.example", **strategy)
            check_equal("a pin and nothing else", ask(world.socket, "learn", host="new.example")[-1]["count"], 0)
            daemon.stop()
        with open(trace) as f:
            whys = [json.loads(line).get("learn", {}).get("why") for line in f]
        check({"best", "current", "pinned"} <= set(whys), "trace: %s", set(whys))
        check(re.search(r"^web/%s\t" % re.escape(SITES[0]), open(world.file()).read(), re.M), "file")
