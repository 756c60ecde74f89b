"""Traffic rules on a queue: what they drop does not arrive, a changed file takes over while packets come, and what
was counted is told."""
import json
import os
import signal
import socket

from harness import QUEUE, cases, check, check_equal, laboratory
from wire import DatagramServer

PORT = 4433
RULES = 'version = 1\n[[profile]]\n[[profile.rule]]\nname = "all"\nmatch = [ { dport = %d } ]\n' \
        'action = [ { stats = "SEEN" }, "%s" ]\n'


def write_rules(path, action):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(RULES % (PORT, action))
    os.chmod(path + ".new", 0o644)
    os.rename(path + ".new", path)


@cases({"sighup": (True,), "changed": (False,)})
def test_reload(env, by_signal):
    with env.folder() as folder, env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        rules, stats = os.path.join(folder, "rules.toml"), os.path.join(folder, "stats.json")
        write_rules(rules, "drop")
        lab.queue_client(QUEUE, ports=str(PORT), protocol="udp")
        client = lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM)
        client.connect((laboratory.SERVER[4], PORT))

        def one_arrives():
            client.send(b"x")
            return server.datagrams

        with env.daemon(lab, "--rules=" + rules, "--rules-stats=" + stats) as daemon:
            for _ in range(3):
                client.send(b"x")
            lab.wait_for(lambda: lab.queue_state("client", QUEUE)[7] >= 3, "the queue has not seen them")
            check_equal("what arrived", server.datagrams, [])
            write_rules(rules, "accept")
            if by_signal:
                daemon.process.send_signal(signal.SIGHUP)
            lab.wait_for(one_arrives, "the new rules did not take over")
        with open(stats, encoding="utf-8") as f:
            counted = json.load(f)
        check(counted["counters"]["SEEN"]["packets"] > 3, "counted: %s", counted)
        check(counted["rules"][0]["dropped"] >= 3, "counted: %s", counted)
