"""Traffic rules on a queue: what they drop does not arrive, a changed file takes over while packets come, and what
was counted is told."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess

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


def test_without_packets(env):
    """Nothing comes, and still a changed file is read and statistics are written; SIGUSR2 shows the tables."""
    with env.folder() as folder, env.lab() as lab:
        rules, stats = os.path.join(folder, "rules.toml"), os.path.join(folder, "stats.json")
        write_rules(rules, "drop")
        with env.daemon(lab, "--rules=" + rules, "--rules-stats=" + stats + ":1") as daemon:
            daemon.wait_output("rules: at most 1000000 marks, ")

            def written():
                with contextlib.suppress(FileNotFoundError, ValueError):
                    with open(stats, encoding="utf-8") as f:
                        return json.load(f)
                return None
            lab.wait_for(written, "no statistics were written")
            first = written()["t"]
            lab.wait_for(lambda: (written() or {"t": first})["t"] > first, "they were not written again")
            write_rules(rules, "accept")
            daemon.wait_output("rules are read again")
            daemon.process.send_signal(signal.SIGUSR2)
            daemon.wait_output("sources: 0 entries")


@cases({"header": ("[%s]\n",), "key": ("%s = 1\n",), "inline": ("a = { %s = 1 }\n",)})
def test_a_file_that_nests_without_end(env, form):
    """A running program refuses it and goes on."""
    with env.folder() as folder, env.lab() as lab:
        rules = os.path.join(folder, "rules.toml")
        write_rules(rules, "drop")
        with env.daemon(lab, "--rules=" + rules) as daemon:
            with open(rules, "w", encoding="utf-8") as f:
                f.write("version = 1\n" + form % ".".join(["a"] * 50000))
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_output("rules.toml:2:")
            daemon.wait_output("rules: the old ones stay in force")
            write_rules(rules, "accept")
            daemon.wait_output("rules are read again")


def test_fastest_keys(env):
    """SIGUSR2 looks at the buckets piece by piece, and tells the fastest sources behind the tables."""
    with env.folder() as folder, env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        rules = os.path.join(folder, "rules.toml")
        with open(rules, "w", encoding="utf-8") as f:
            f.write('version = 1\n[[profile]]\n[[profile.rule]]\naction = [ { ratelimit = { id = 8, '
                    'key = ["l3_src", "l4_dst"], pps = { rate = 1000 } } }, { ratelimit = { id = 9, '
                    'pps = { rate = 1000 } } } ]\n')
        lab.queue_client(QUEUE, ports="4000:4499", protocol="udp")
        client = lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM)
        with env.daemon(lab, "--rules=" + rules) as daemon:
            for port in range(4000, 4500):
                client.sendto(b"x", (laboratory.SERVER[4], port))
            client.sendto(b"x", (laboratory.SERVER[4], PORT))
            lab.wait_for(lambda: len(server.datagrams) > 1, "the last one did not arrive")
            daemon.process.send_signal(signal.SIGUSR2)
            daemon.wait_output("buckets: 501 entries")
            daemon.wait_output("ratelimit 9 " + laboratory.CLIENT[4] + ": ")
            # It goes on as before, also when it is asked twice at once.
            for _ in range(2):
                daemon.process.send_signal(signal.SIGUSR2)
            client.sendto(b"y", (laboratory.SERVER[4], PORT))
            lab.wait_for(lambda: len(server.datagrams) > 2, "it did not arrive")


def hidden_database(folder, source):
    """A database of countries that only root may read."""
    path = os.path.join(folder, "places.mmdb")
    shutil.copy(source, path + ".new")
    os.chmod(path + ".new", 0o600)
    os.rename(path + ".new", path)
    return path


def test_a_database_of_root_alone(env):
    """It is opened before the rights are given up; a reload keeps it, says so, and takes the other changes."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "rules", "places.mmdb")
    with env.folder() as folder, env.lab() as lab:
        rules = os.path.join(folder, "rules.toml")
        text = 'version = 1\n[geoip]\nfile = "%s"\n[[profile]]\n[[profile.rule]]\n' \
               'match = [ { geoip = { country = "RU" } } ]\naction = [ "%s" ]\n'

        def write(action):
            with open(rules + ".new", "w", encoding="utf-8") as f:
                f.write(text % (os.path.join(folder, "places.mmdb"), action))
            os.chmod(rules + ".new", 0o644)
            os.rename(rules + ".new", rules)
        hidden_database(folder, source)
        write("drop")
        with env.daemon(lab, "--rules=" + rules) as daemon:
            hidden_database(folder, source)
            write("accept")
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_output("places.mmdb: Permission denied: what was read of it before stays in force; the "
                               "running daemon may not read it (--user)")
            daemon.wait_output("rules are read again")


def test_files_without_proc(env):
    with env.folder() as folder:
        os.chmod(folder, 0o755)
        rules, networks = os.path.join(folder, "rules.toml"), os.path.join(folder, "networks")
        with open(networks, "w", encoding="utf-8") as f:
            f.write("192.0.2.0/24\n")
        with open(rules, "w", encoding="utf-8") as f:
            f.write('version = 1\n[set.a]\nfile = "%s"\n[[profile]]\n[[profile.rule]]\n'
                    'match = [ { pset = { name = "a" } } ]\naction = [ "drop" ]\n' % networks)
        hidden = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
        result = subprocess.run([*hidden, env.program, "--dry-run", "--qnum=1", "--uid=0", "--rules=" + rules],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=laboratory.PATIENCE,
                                check=False, universal_newlines=True)
        check_equal("exit code (%s)" % result.stdout, result.returncode, 0)


def test_rules_that_ask_for_connections(env):
    """They turn --ct on by themselves; where it is off a reload does not bring them in."""
    asks = 'version = 1\n[[profile]]\n[[profile.rule]]\nmatch = [ { dir = "in" }, ' \
           '{ not = { ctstate = [ "established", "related" ] } } ]\naction = [ "drop" ]\n'

    def write(text):
        with open(rules + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(rules + ".new", 0o644)
        os.rename(rules + ".new", rules)
    with env.folder() as folder, env.lab() as lab:
        rules = os.path.join(folder, "rules.toml")
        write(asks)
        with env.daemon(lab, "--rules=" + rules) as daemon:
            daemon.wait_output("conntrack facts: ")
        write_rules(rules, "drop")
        with env.daemon(lab, "--rules=" + rules) as daemon:
            write(asks)
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_output("'ctstate' or 'ctmark' is new: a restart is needed")
            daemon.wait_output("rules: the old ones stay in force")


def test_records_for_a_program(env):
    """A datagram for each packet reaches who listens, also somebody who comes later."""
    with env.folder() as folder, env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False) as server:
        os.chmod(folder, 0o755)
        rules, path = os.path.join(folder, "rules.toml"), os.path.join(folder, "records.sock")
        with open(rules, "w", encoding="utf-8") as f:
            f.write(RULES.replace('"%s" ]', '{ export = "on" } ]') % PORT)
        lab.queue_client(QUEUE, ports=str(PORT), protocol="udp")
        client = lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM)
        client.connect((laboratory.SERVER[4], PORT))
        with env.daemon(lab, "--rules=" + rules, "--rules-export=unix:" + path):
            client.send(b"lost")
            lab.wait_for(lambda: server.datagrams, "it did not arrive")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
                listener.bind(path)
                os.chmod(path, 0o666)
                listener.settimeout(laboratory.PATIENCE)
                client.send(b"told")
                record = json.loads(listener.recv(65536))
            check_equal("record", (record["rule"], record["action"], record["dport"], record["dst"]),
                        ("all", "continue", PORT, laboratory.SERVER[4]))
