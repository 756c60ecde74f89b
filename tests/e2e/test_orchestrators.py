"""Functions that decide which strategy runs, on real traffic: `circular` against a filtering box,
and the conditions, alone and inside of each other."""
import time

from harness import QUEUE, cases, check, check_equal, client_hello, laboratory
from wire import Sniffer, StreamServer, exchange

SITE, OTHER, OPEN = "blocked.example", "forbidden.example", "open.example"
LIBRARIES = ("lib", "antidpi", "auto")
REQUESTS = "--payload=http_req,tls_client_hello"
PORT = 8443
TTL = "ip_ttl=1:ip6_ttl=1"


# --- circular

# The first one or two do not impress the box, the last one splits the name.
TWO = ["--lua-desync=pass:strategy=1", "--lua-desync=multisplit:pos=midsld:strategy=2"]
THREE = ["--lua-desync=pass:strategy=1", "--lua-desync=multisplit:pos=1:strategy=2",
         "--lua-desync=multisplit:pos=midsld:strategy=3"]
IN_RANGE = "--in-range=-s5556"


class Client:
    """A user who opens sites again and again."""

    def __init__(self, lab):
        self.lab = lab

    def opens(self, name, version=4, scheme="https", timeout=laboratory.PATIENCE):
        result = self.lab.curl("%s://%s/" % (scheme, name), name=name, version=version,
                               timeout=timeout)
        return result.returncode == 0 and "It works" in result.stdout

    def failures(self, name, most=12, **kwargs):
        """How often a site fails before it opens."""
        kwargs.setdefault("timeout", 8)  # of those that are swallowed
        for count in range(most):
            if self.opens(name, **kwargs):
                return count
        return most

    def stays_open(self, name):
        for scheme in ("http", "https"):
            for version in (4, 6, 4):
                check(self.opens(name, version, scheme), "%s://%s failed over IPv%d after the "
                      "strategy had been found", scheme, name, version)


def reset_words(lab):
    """A box that resets connections."""
    lab.filter_words(SITE, OTHER)


def drop_words(lab):
    """A box that swallows packets instead."""
    lab.filter_words(SITE, drop=True)


def run_circular(env, arguments, strategies, behave, obstruct=reset_words):
    with env.lab() as lab:
        lab.start_site(SITE, OTHER, OPEN)
        obstruct(lab)
        lab.queue_client(QUEUE, spread=False)  # what a worker learns stays its own
        client = Client(lab)
        check(client.opens(OPEN), "the open site is closed")
        check(not client.opens(SITE, timeout=2), "the blocked site is open")
        # circular sees all packets, the strategies requests only.
        with env.daemon(lab, IN_RANGE, "--lua-desync=circular:" + arguments, REQUESTS, *strategies,
                        libraries=LIBRARIES):
            behave(client)


def test_circular(env):
    """Each strategy gets its number of failures, the working one is kept; each site has its own."""
    def behave(client):
        check(client.opens(OPEN), "the open site does not open")
        check_equal("failures of two strategies with fails=2", client.failures(SITE), 4)
        client.stays_open(SITE)
        check(client.opens(OPEN), "the open site does not open any more")
        check_equal("failures of another site", client.failures(OTHER, scheme="http", version=6), 4)
        client.stays_open(OTHER)
        client.stays_open(SITE)
    run_circular(env, "fails=2", THREE, behave)


def test_circular_one_key(env):
    """With nld=1 what one site has taught holds for the others of its top level domain."""
    def behave(client):
        check_equal("failures with fails=1", client.failures(SITE), 2)
        client.stays_open(OTHER)
    run_circular(env, "fails=1:nld=1", THREE, behave)


@cases({"round": ("", True), "final": (":final", False)})
def test_circular_end(env, final, opens):
    """After the last strategy comes the first; a final one ends the search."""
    def change_filter(lab, word):
        for tables in laboratory.TABLES:
            lab.run("box", tables, "-F", "FORWARD")
        lab.filter_words(word)

    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE, spread=False)
        client = Client(lab)
        with env.daemon(lab, IN_RANGE, "--lua-desync=circular:fails=1", REQUESTS,
                        "--lua-desync=multisplit:pos=midsld:strategy=1",
                        "--lua-desync=pass:strategy=2" + final, libraries=LIBRARIES):
            change_filter(lab, "example")  # shorter than what the first one splits
            check(not client.opens(SITE), "the first strategy opens the site")
            change_filter(lab, SITE)
            check(not client.opens(SITE), "the second strategy opens the site")
            check_equal("the site is open", client.opens(SITE), opens)


def test_circular_saves_connection(env):
    """Retransmissions are a failure; the one that counts already leaves by the next strategy."""
    def behave(client):
        check(client.opens(SITE), "the connection was not saved")
        client.stays_open(SITE)
    run_circular(env, "fails=1:retrans=2", TWO, behave, drop_words)


def test_circular_reset(env):
    """With `reset` the client learns of a swallowed connection at once."""
    def behave(client):
        begin = time.monotonic()
        check(not client.opens(SITE, timeout=60), "the first connection did not fail")
        check(time.monotonic() - begin < 30, "the client had to wait for its time-out")
        client.stays_open(SITE)
    run_circular(env, "fails=1:retrans=2:reset", TWO, behave, drop_words)


# --- conditions

def mark(number, *more):
    """A decoy of one byte that dies on the way: what was called, in its order."""
    return "--lua-desync=fake:blob=0x%02x:%s" % (number, ":".join((TTL, *more)))


def orchestrator(text):
    return "--lua-desync=" + text


TRUE, FALSE = "iff=cond_true", "iff=cond_false"
HTTP_ONLY = "iff=cond_payload_str:pattern=GET"
# Ends every plan; circular needs the number.
SPLIT = orchestrator("multisplit:strategy=3")
# name: (instances, decoys that leave, how often the message is split)
PLANS = {
    "condition": ([orchestrator("condition:" + TRUE), mark(1), mark(2)], [1, 2], 1),
    "condition_false": ([orchestrator("condition:" + FALSE), mark(1), mark(2)], [], 0),
    "condition_neg": ([orchestrator("condition:neg:" + FALSE), mark(1)], [1], 1),
    "condition_instances": ([orchestrator("condition:instances=2:" + FALSE), mark(1), mark(2),
                             mark(3)], [3], 1),
    "condition_by_payload": ([orchestrator("condition:" + HTTP_ONLY), mark(1)], [], 0),
    "condition_lua": ([orchestrator("condition:iff=cond_lua:cond_code=return "
                                    "desync.l7payload=='tls_client_hello'"), mark(1)], [1], 1),
    "condition_timestamps": ([orchestrator("condition:iff=cond_tcp_has_ts"), mark(1)], [1], 1),
    "per_instance_condition": ([orchestrator("per_instance_condition:instances=4"),
                                mark(1, "cond=cond_true"), mark(2, "cond=cond_false"), mark(3),
                                mark(4, "cond=cond_false", "cond_neg"), mark(5)], [1, 4, 5], 1),
    "stopif_alone": ([orchestrator("stopif:" + FALSE), mark(1)], [], 0),
    "repeater": ([orchestrator("repeater:repeats=2:instances=2"), mark(1), mark(2), mark(3)],
                 [1, 2, 1, 2, 3], 1),
    "repeater_stop": ([orchestrator("repeater:repeats=3:stop"), mark(1), mark(2)], [1, 1, 1],
                      0),
    "repeater_false": ([orchestrator("repeater:repeats=3:" + FALSE), mark(1), mark(2)], [2], 1),
    "stopif_in_condition": ([orchestrator("condition:" + TRUE), mark(1),
                             orchestrator("stopif:" + TRUE), mark(2)], [1], 0),
    "stopif_lets_pass": ([orchestrator("condition:" + TRUE), mark(1),
                          orchestrator("stopif:" + FALSE), mark(2)], [1, 2], 1),
    "stopif_in_repeater": ([orchestrator("repeater:repeats=2:instances=3"), mark(1),
                            orchestrator("stopif:" + TRUE), mark(2), mark(3)], [1, 1, 3], 1),
    "repeater_in_repeater": ([orchestrator("repeater:repeats=2:instances=4"),
                              orchestrator("repeater:repeats=3:stop"), mark(1),
                              orchestrator("repeater:repeats=2:stop"), mark(2), mark(3)],
                             [1, 1, 1, 2, 2, 1, 1, 1, 2, 2, 3], 1),
    "condition_in_repeater": ([orchestrator("repeater:repeats=2:instances=3"),
                               orchestrator("condition:instances=1:" + FALSE), mark(1), mark(2),
                               mark(3)], [2, 3, 2, 3, 3], 3),
    "per_instance_in_condition": ([orchestrator("condition:" + TRUE), mark(1),
                                   orchestrator("per_instance_condition:instances=1"),
                                   mark(2, "cond=cond_false"), mark(3)], [1, 3], 1),
    "stopif_in_circular": ([orchestrator("circular"), mark(1, "strategy=1"),
                            orchestrator("stopif:strategy=1:" + TRUE), mark(2, "strategy=1"),
                            mark(3, "strategy=2")], [1], 0),
}


def run_plan(lab, name, decoys, splits):
    """One connection over IPv4 and one over IPv6: what left, and what the server got."""
    hello = client_hello()
    for version in (4, 6):
        with StreamServer(lab, "server", PORT, len(hello)) as server, \
                Sniffer(lab, "client") as near:
            answer = exchange(lab, laboratory.SERVER[version], PORT, hello)
            check_equal("%s: answer over IPv%d" % (name, version), answer, StreamServer.REPLY)
            check(server.wait(lambda s: s.finished), "%s: the connection did not end", name)
            check_equal("%s: stream" % name, server.finished, [hello])
            data = [s.packet for s in near.stop() if s.outgoing and s.packet.payload]
        check_equal("%s: decoys over IPv%d" % (name, version),
                    [p.payload[0] for p in data if p.ttl == 1 and len(p.payload) == 1], decoys)
        check_equal("%s: parts of the message over IPv%d" % (name, version),
                    [len(p.payload) for p in data if p.ttl != 1],
                    [2, len(hello) - 2] * splits or [len(hello)])


@cases({group: (group,) for group in ("condition", "per_instance", "stopif", "repeater")})
def test_plan(env, group):
    with env.lab() as lab:
        lab.queue_client(QUEUE, ports=str(PORT))
        for name, (instances, decoys, splits) in PLANS.items():
            if name.startswith(group):
                with env.daemon(lab, REQUESTS, *instances, SPLIT, libraries=LIBRARIES):
                    run_plan(lab, name, decoys, splits)
