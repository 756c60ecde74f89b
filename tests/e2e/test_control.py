"""The control socket of a running program: who may ask, what is answered, and that packets go on
whatever clients do. The examples of docs/control.md are asked here, and their fields compared."""
import contextlib
import grp
import json
import os
import pwd
import random
import re
import socket
import threading
import time

from control_client import Client, ask
from harness import HERE, QUEUE, cases, check, check_equal, client_hello, laboratory
from wire import DatagramServer

SITE = "www.example.com"
SPLIT = ("--filter-tcp=80,443", "--name=web", "--payload=http_req,tls_client_hello",
         "--lua-desync=multisplit:pos=2")
PORT = 5000
DOCUMENT = os.path.join(HERE, "..", "..", "docs", "control.md")
NOBODY = pwd.getpwnam("nobody")


@contextlib.contextmanager
def serving(env, lab, *arguments, path=None, queue=QUEUE, **kwargs):
    """A daemon with a socket, and the path of that."""
    path = path or os.path.join(lab.folder, "control.sock")
    os.chmod(lab.folder, 0o755)
    with env.daemon(lab, "--control=" + path, *arguments, queue=queue, **kwargs) as daemon:
        yield daemon, path


def browse(lab, count=1, name=SITE):
    for _ in range(count):
        check_equal("page", lab.curl("http://%s/" % name, name=name).returncode, 0)


def answers(path):
    with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
        return ask(path, "hello")
    return None


def named(lines, kind):
    return [line[kind] for line in lines if kind in line]


def as_user(path, line, uid, gid, groups=()):
    """What the socket answers to somebody else: the first line."""
    def become_and_ask():
        os.setgroups(list(groups))
        os.setgid(gid)
        os.setuid(uid)
        try:
            with Client(path) as client:
                with contextlib.suppress(BrokenPipeError):  # refused before it asked
                    client.send(line)
                return client.line()
        except PermissionError:
            return {"refused": "PermissionError"}
    return in_child(become_and_ask)


def in_child(function):
    """What the function gives in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as f:
        text = f.read()
    os.waitpid(child, 0)
    return json.loads(text)


# --- what is answered

def fields_of(value, path=""):
    """The names of all fields, those in arrays among them."""
    names = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            names |= {path + key} | fields_of(inner, path + key + ".")
    elif isinstance(value, list):
        for inner in value:
            names |= fields_of(inner, path)
    return names


def examples():
    """(request, [lines of the answer]) of each example in the document."""
    with open(DOCUMENT) as f:
        blocks = re.findall(r"```text\n(> .*?)```", f.read(), re.S)
    for block in blocks:
        for part in block.split("> ")[1:]:
            request, *answer = part.strip().splitlines()
            yield request, [json.loads(line[2:]) for line in answer]


def example(request, lab):
    """The request with names that this lab knows."""
    return request.replace("example.com\"", "%s\"" % SITE)


STREAMS = ("log", "trace")
PLACES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "rules", "places.mmdb")
RULES = """version = 1
[geoip]
file = "%s"
[set.bad]
file = "%s"
[[profile]]
name = "web"
[[profile.rule]]
action = [ { ratelimit = { id = 8, pps = { rate = 100000 } } }, { tcpauth = { id = 1 } }, { stats = "SEEN" } ]
[[profile.rule]]
name = "blocked"
match = [ { hmark = { id = 2 } } ]
action = [ "drop" ]
[[profile.rule]]
match = [ { pset = { name = "bad", value = 7 } }, { geoip = { country = "RU" } } ]
action = [ "drop" ]
"""


def write_rules(lab):
    path, bad = os.path.join(lab.folder, "rules.toml"), os.path.join(lab.folder, "bad.txt")
    with open(bad, "w") as f:
        f.write("192.0.2.0/24 7\n")
    with open(path, "w") as f:
        f.write(RULES % (PLACES, bad))
    os.chmod(path, 0o644)
    return path


def test_every_command_answers(env):
    """Each example of the document, on a daemon with flows: what is shown there comes."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        hosts = os.path.join(lab.folder, "hosts.txt")
        with open(hosts, "w") as f:
            f.write("example.com\n")
        with serving(env, lab, *SPLIT, "--hostlist=" + hosts, "--rules=" + write_rules(lab)) as (daemon, path):
            browse(lab)
            shown = set()
            for request, want in examples():
                asked = json.loads(request)
                shown.add(asked["cmd"])
                if asked["cmd"] in ("stop",) + STREAMS:
                    continue
                with Client(path) as client:
                    client.send(example(request, lab))
                    compare(request, client.answer(), want)
            commands = ask(path, "hello")[0]["commands"]
            check_equal("commands of the document", sorted(shown - {"flow"}), commands)
            check_equal("answer", ask(path, "stop"), [{"stopping": True, "end": True}])
            check_equal("exit code", daemon.ended(), 0)


def compare(request, lines, want):
    if "error" in want[0]:
        check_equal(request, lines, want)
        return
    # Nothing went wrong here; what --explain says is described elsewhere.
    optional = re.compile(r"status\.(last_error|messages)\.")
    got, shown = ({name for name in fields_of(answer) if not optional.match(name)} for answer in (lines, want))
    check(not shown - got, "%s: no fields %s in %s", request, sorted(shown - got), lines)
    more = {name for name in got - shown if not name.startswith("explain.searches.")}
    check(not more, "%s: the document lacks %s", request, sorted(more))


def test_counters_and_flows(env):
    """What traffic does is seen in them."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        with serving(env, lab, *SPLIT) as (_, path):
            browse(lab, 3)
            lines = ask(path, "counters")
            total = named(lines, "total")[0]
            check_equal("verdicts", total["accepted"] + total["modified"] + total["dropped"], total["packets"])
            check_equal("flows", total["flows_seen"], 3)
            check(total["bytes"] > 1000, "counted: %s", total)
            web, nothing = named(lines, "profile")
            check_equal("profiles", (web["n"], web["name"], nothing["n"]), (1, "web", 0))
            check_equal("flows of profiles", (web["flows"], nothing["flows"]), (3, 0))
            check_equal("packets of profiles", web["packets"], total["packets"] - total["ignored"])
            instance = web["instances"][0]
            check_equal("instance", (instance["func"], instance["called"], instance["dropped"], instance["errors"]),
                        ("multisplit", 3, 3, 0))
            check_equal("sent", instance["sent"], 6)
            flows = named(ask(path, "flows", host=SITE, proto="tcp", port=80, profile="web"), "flow")
            check_equal("flows", len(flows), 3)
            for flow in flows:
                check_equal("flow", (flow["host"], flow["l7"], flow["server"]["address"], flow["profile"]["n"]),
                            (SITE, "http", laboratory.SERVER[4], 1))
            for fields in ({"host": "other.example"}, {"proto": "udp"}, {"port": 81}, {"profile": 0},
                           {"address": "192.0.2.0/24"}, {"l7": "tls"}, {"held": True}):
                check_equal("flows of %s" % fields, ask(path, "flows", **fields)[-1]["count"], 0)
            check_equal("limited", ask(path, "flows", limit=2)[-1], {"end": True, "count": 2, "more": True})
            host = named(ask(path, "hosts"), "host")[0]
            check_equal("host", (host["name"], host["flows"], host["answered"], host["profiles"]),
                        (SITE, 3, 3, [1]))
            metrics = "".join(named(ask(path, "metrics"), "metrics"))
            check('nfqws2_profile_flows_total{profile="1",name="web"} 3\n' in metrics, "metrics:\n%s", metrics)
            check(all(re.fullmatch(r'# TYPE \w+ (counter|gauge)|\w+\{\w+="[^"]*"(,\w+="[^"]*")*\} \d+', line)
                      for line in metrics.splitlines()), "metrics:\n%s", metrics)


def test_hosts_of_the_past(env):
    """What has ended stays known by name: how often, and whether it was answered."""
    with laboratory.Lab("past") as lab:
        lab.start_site(SITE, "other.example")
        with serving(env, lab, "--ctrack-timeouts=1:1:1", *SPLIT) as (_, path):
            lab.queue_client()
            browse(lab, 3)

            def ended():
                lab.curl("http://other.example/", name="other.example")  # time passes with packets
                hosts = named(ask(path, "hosts", host=SITE), "host")
                return hosts and hosts[0]["past"] and hosts[0]["past"]["flows"] == 3 and hosts[0]["flows"] == 0
            lab.wait_for(ended, "three flows did not end")
            host = named(ask(path, "hosts", host=SITE), "host")[0]
            check_equal("host", (host["name"], host["past"]["answered"], host["idle_ms"]), (SITE, 3, None))
            check(0 <= time.time() - host["past"]["last_seen_at"] < 600, "last seen: %s", host)
            check(host["past"]["bytes"] > 0, "bytes: %s", host)


def test_rules_and_marks(env):
    """A host is blocked by a mark that somebody sets, unless rules are observed; and what was counted is told."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        with serving(env, lab, *SPLIT, "--rules=" + write_rules(lab)) as (_, path):
            browse(lab)
            before = ask(path, "rules")
            check(named(before, "counter")[0]["packets"] > 2, "counted: %s", before)
            check_equal("dropped", named(before, "rules")[0]["dropped"], 0)
            check_equal("fastest", [(t["id"], t["address"]) for t in named(before, "top")[:1]],
                        [(8, laboratory.CLIENT[4])])
            mark = {"kind": "hmark", "id": 2, "address": laboratory.CLIENT[4]}
            check_equal("set", ask(path, "marks", action="set", value=7, lifetime_s=600, **mark)[-1]["count"], 1)
            listed, = named(ask(path, "marks", **mark), "mark")
            check_equal("mark", (listed["value"], listed["valid"], listed["lifetime_ms"]), (7, True, 600000))
            check_equal("other", ask(path, "marks", kind="dhmark")[-1]["count"], 0)
            check(lab.curl("http://%s/" % SITE, name=SITE, timeout=1).returncode != 0, "it is not blocked")
            check(named(ask(path, "rules"), "rules")[0]["dropped"] > 0, "nothing was dropped")
            check_equal("observe", ask(path, "rules", observe="on"), [{"observe": True, "end": True}])
            browse(lab)
            check_equal("observe", named(ask(path, "rules"), "rules")[0]["observe"], True)
            ask(path, "rules", observe="off")
            check_equal("deleted", ask(path, "marks", action="delete", **mark)[-1]["count"], 1)
            check_equal("deleted", ask(path, "marks", action="delete", **mark)[-1]["count"], 0)
            browse(lab)
            for host in ("192.0.2.8", "192.0.2.9"):
                check_equal("set", ask(path, "marks", action="set", kind="hmark", id=9, address=host)[-1]["count"], 1)
            check_equal("limited", ask(path, "marks", limit=1)[-1], {"end": True, "count": 1, "more": True})
            host = {"id": 1, "address": "192.0.2.1"}
            for fields in ({"action": "x"}, {"kind": "mark"}, {"address": "x"}, {"protocol": "x"},
                           {"action": "set", "kind": "hmark", "id": 1},
                           {"action": "set", "kind": "sdhmark", "peer": "::1", **host},
                           {"action": "delete", "kind": "connmark", "peer": "192.0.2.2", **host}):
                check_equal("code of %s" % fields, ask(path, "marks", **fields)[0].get("code"), "bad-field")
            check_equal("code", ask(path, "rules", observe="x")[0].get("code"), "bad-field")
        with serving(env, lab, *SPLIT) as (_, path):
            check_equal("without rules", [ask(path, c)[0].get("code") for c in ("rules", "marks")], ["failed"] * 2)


def test_watch(env):
    """The table again and again, until the client has enough."""
    with env.lab() as lab, serving(env, lab, *SPLIT) as (_, path), Client(path) as client:
        client.send('{"cmd":"flows","watch":1}')
        check_equal("first", client.line(), {"round": 1, "count": 0, "more": False})
        check_equal("second", client.line(), {"round": 2, "count": 0, "more": False})
        check_equal("after it", client.ask("hello")[0], {"end": True, "rounds": 2})
        check_equal("next", client.answer()[0]["protocol"], 1)


def test_lists(env):
    """State of lists, a reload with its result, and who has an entry."""
    with env.lab() as lab:
        hosts, nets = (os.path.join(lab.folder, name) for name in ("hosts.txt", "nets.txt"))
        with open(hosts, "w") as f:
            f.write("example.com\nexample.org\n")
        with open(nets, "w") as f:
            f.write("192.0.2.0/24\n")
        with serving(env, lab, "--filter-tcp=443", "--hostlist=" + hosts, "--ipset-exclude=" + nets) as (_, path):
            first, second = named(ask(path, "lists"), "list")
            check_equal("hosts", (first["file"], first["kind"], first["entries"], first["error"], first["uses"]),
                        (hosts, "hosts", 2, None, [{"profile": 1, "exclude": False}]))
            check_equal("nets", (second["file"], second["kind"], second["entries"], second["uses"]),
                        (nets, "nets", 1, [{"profile": 1, "exclude": True}]))
            with open(hosts, "a") as f:
                f.write("example.net\n")
            check_equal("entries", named(ask(path, "lists", reload=True), "list")[0]["entries"], 3)
            os.rename(hosts, hosts + ".away")
            lost = named(ask(path, "lists", reload=True), "list")[0]
            check_equal("of a lost file", (lost["entries"], lost["error"]), (3, "No such file or directory"))
            os.rename(hosts + ".away", hosts)
            back = named(ask(path, "lists", reload=True), "list")[0]
            check_equal("of one that is back", (back["entries"], back["error"]), (3, None))
            match, = named(ask(path, "find", host="www.example.org"), "match")
            check_equal("match", (match["file"], match["entry"]), (hosts, "example.org"))
            match, = named(ask(path, "find", address="192.0.2.77"), "match")
            check_equal("match", (match["file"], match["entry"]), (nets, "192.0.2.0/24"))
            explained = named(ask(path, "find", host="example.net", address="198.51.100.1"), "explain")[0]
            check_equal("winner", explained["searches"][-1]["winner"], 1)
            for fields in ({}, {"host": "a,l7=tls"}, {"address": "x"}, {"host": "a", "l7": "none"},
                           {"host": "a", "proto": "tcp:"}):
                check_equal("code of %s" % fields, ask(path, "find", **fields)[0].get("code"), "bad-field")


def test_find_in_sets_of_rules(env):
    """Which sets of traffic rules have an address, who asks them, and where it is."""
    with env.lab() as lab:
        bad, rules = os.path.join(lab.folder, "bad.txt"), os.path.join(lab.folder, "rules.toml")
        with open(bad, "w") as f:
            f.write("192.0.2.0/24 7\n198.51.100.0/24\n")
        with open(rules, "w") as f:
            f.write('version = 1\n[geoip]\nfile = "%s"\n[set.bad]\nfile = "%s"\n[set.idle]\n'
                    'prefixes = "192.0.2.0/24"\n[[profile]]\nname = "web"\n[profile.set.own]\n'
                    'prefixes = "192.0.2.77"\n[[profile.rule]]\nname = "bad"\n'
                    'match = [ { pset = { name = "bad", value = 7 } }, { geoip = { country = "RU" } } ]\n'
                    'action = [ "drop" ]\n[[profile.rule]]\nmatch = [ { not = { pset = { name = "own" } } } ]\n'
                    'action = [ { stats = "OTHERS" } ]\n' % (PLACES, bad))
        with serving(env, lab, *SPLIT, "--rules=" + rules) as (_, path):
            answer = ask(path, "find", address="192.0.2.77")
            check_equal("sets", named(answer, "set"), [
                {"name": "bad", "file": bad, "profile": None, "value": 7, "rules": ["web bad"], "more": False},
                {"name": "own", "file": None, "profile": "web", "value": None, "rules": ["web web/main#2"],
                 "more": False}])
            check_equal("place", named(answer, "place"), [{"country": "US", "continent": "NA"}])
            check_equal("count", answer[-1]["count"], 2)
            check_equal("others", named(ask(path, "find", address="203.0.113.1"), "set"), [])
            check_equal("a name", named(ask(path, "find", host="example.com"), "set"), [])


def test_a_long_list_is_read_in_the_background(env):
    """The answer comes when it is there."""
    with env.lab() as lab:
        hosts = os.path.join(lab.folder, "hosts.txt")
        with open(hosts, "w") as f:
            f.write("example.com\n")
        with serving(env, lab, "--hostlist=" + hosts) as (_, path):
            with open(hosts, "w") as f:
                f.write("".join("name%d.example\n" % n for n in range(200000)))
            state = named(ask(path, "lists", reload=True), "list")[0]
            check_equal("state", (state["entries"], state["loading"]), (200000, False))


def test_log(env):
    """Debug text for a client that asks, and not in the log for that."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        with serving(env, lab, *SPLIT) as (daemon, path):
            with Client(path) as client:
                client.send('{"cmd":"log","level":"debug"}')
                check_equal("meanwhile", ask(path, "hello")[0]["protocol"], 1)
                browse(lab)
                texts = []
                while not any("hostname: " + SITE in text for text in texts):
                    texts.append(client.line()["log"]["text"])
                client.send(b"\n")
                check(client.answer()[-1]["count"] >= len(texts), "lines were lost")
            check("hostname: " not in daemon.output(), "debug text in the log")
            check_equal("on", ask(path, "log", to="log", level="debug")[0], {"level": "debug", "end": True})
            browse(lab)
            daemon.wait_output("hostname: " + SITE)
            ask(path, "log", to="log", level="normal")
            size = len(daemon.output())
            browse(lab)
            check("packet: id=" not in daemon.output()[size:], "debug text after the end")


@cases({"one": (1,), "four": (4,)})
def test_trace(env, workers):
    """Packets of the wanted flows alone, in the lines of --trace, as many as were asked for."""
    other = "www.example.org"
    laboratory.WORKERS = workers
    with env.lab() as lab:
        lab.start_site(SITE, other)
        lab.queue_client(QUEUE)
        with serving(env, lab, *SPLIT) as (_, path), Client(path) as client:
            client.send(json.dumps({"cmd": "trace", "host": "example.com", "packets": 3}))
            lab.wait_for(lambda: ask(path, "trace")[0].get("code") == "busy", "no trace began")
            ask(path, "counters")  # every worker has heard of it by then
            browse(lab, name=other)
            browse(lab)
            lines = client.answer()
            traced = named(lines, "trace")
            check_equal("end", lines[-1], {"end": True, "count": 3, "lost": 0})
            check_equal("hosts", {line["host"] for line in traced}, {SITE})
            check_equal("workers", all(("worker" in line) == (workers > 1) for line in traced), True)
            hello, = [line for line in traced if line["payload"] == "http_req"]
            check_equal("verdict", (hello["verdict"], hello["instances"][0]["verdict"], len(hello["out"])),
                        ("drop", "drop", 2))
            client.send(json.dumps({"cmd": "trace", "address": "192.0.2.1", "seconds": 1}))
            check_equal("of nothing", client.answer(), [{"end": True, "count": 0, "lost": 0}])
            client.send(json.dumps({"cmd": "trace", "port": 80, "proto": "tcp", "profile": "web"}))
            browse(lab)
            check_equal("profile", client.line()["trace"]["profile"]["name"], "web")
            client.send(b"\n")
            client.answer()
        with serving(env, lab, *SPLIT, "--trace=" + os.path.join(lab.folder, "trace")) as (_, path):
            check_equal("code beside --trace", ask(path, "trace")[0]["code"], "failed")


def test_errors_are_kept(env):
    with env.lab() as lab:
        lab.queue_client(QUEUE)
        lab.start_site(SITE)
        script = "--lua-init=function bad() error('no luck') end"
        with serving(env, lab, script, "--filter-tcp=80", "--lua-desync=bad", troubled=True) as (_, path):
            browse(lab)
            status = named(ask(path, "status"), "status")[0]
            check(status["errors"] > 0 and "ERROR" in status["last_error"]["text"], "status: %s", status)
            check(any("no luck" in message["text"] for message in status["messages"]), "status: %s", status)
            check_equal("kept", len(status["messages"]) <= 16, True)
            counted = named(ask(path, "counters"), "profile")[0]["instances"][0]
            check(counted["errors"] == counted["called"] > 0, "counted: %s", counted)


def test_options_start_again(env):
    """The options that it tells, put into a file, mean the same."""
    with env.lab() as lab:
        words = ["--comment=it's \"a\" $HOME *", "--filter-tcp=443", "--lua-init=x = 'a b'"]
        with serving(env, lab, *words) as (_, path):
            text = named(ask(path, "status"), "status")[0]["options"]
        for word in words:
            check("".join("'%s'" % word.replace("'", "'\\''")) in text or word + "\n" in text, "options:\n%s", text)
        file = os.path.join(lab.folder, "again.conf")
        with open(file, "w") as f:
            f.write(text)
        process = lab.start("client", env.program, "@" + file)
        lab.wait_for(lambda: answers(path), "no answer", process)
        status = named(ask(path, "status"), "status")[0]
        check_equal("options", (status["options"], status["config"]), (text, file))
        lab.stop(process)


# --- who may ask

def test_who_may_ask(env):
    """root and the group everything, the daemon's user reads, all others are refused."""
    group = grp.getgrnam("daemon").gr_gid
    with env.lab() as lab, serving(env, lab, "--user=nobody", "--control-group=daemon",
                                   "--rules=" + write_rules(lab)) as (_, path):
        state = os.stat(path)
        check_equal("socket", (state.st_uid, state.st_gid, state.st_mode & 0o7777), (0, group, 0o660))
        hello = '{"cmd":"hello"}'
        check_equal("root", ask(path, "hello")[0]["access"], "all")
        check_equal("member", as_user(path, hello, 12345, 12345, [group])["access"], "all")
        check_equal("primary", as_user(path, hello, 12345, group)["access"], "all")
        check_equal("stranger", as_user(path, hello, 12345, 12345), {"refused": "PermissionError"})
        check_equal("the daemon", as_user(path, hello, NOBODY.pw_uid, NOBODY.pw_gid), {"refused": "PermissionError"})
        # Whatever the rights of the file say.
        os.chmod(path, 0o666)
        check_equal("stranger", as_user(path, hello, 12345, 12345).get("code", "forbidden"), "forbidden")
        mine = as_user(path, hello, NOBODY.pw_uid, NOBODY.pw_gid, [group])
        check_equal("the daemon", mine["access"], "read")
        check("stop" not in mine["commands"] and "flows" in mine["commands"], "commands: %s", mine)
        for line in '{"cmd":"stop"}', '{"cmd":"log"}', '{"cmd":"lists","reload":true}', \
                '{"cmd":"rules","observe":"on"}', '{"cmd":"marks","action":"delete"}':
            check_equal(line, as_user(path, line, NOBODY.pw_uid, NOBODY.pw_gid)["code"], "forbidden")
        check("flows" in as_user(path, '{"cmd":"status"}', NOBODY.pw_uid, NOBODY.pw_gid)["status"], "no status")
        with contextlib.ExitStack() as stack:
            for _ in range(16):
                stack.enter_context(Client(path))
            check_equal("one more", as_user(path, hello, 12345, group).get("code", "busy"), "busy")
        check_equal("again", ask(path, "hello")[0]["access"], "all")


# --- the socket

def test_socket_left_behind(env):
    """It stays at the end, and the next start replaces it."""
    with env.lab() as lab:
        for _ in range(2):
            with serving(env, lab) as (_, path):
                check_equal("protocol", ask(path, "hello")[0]["protocol"], 1)
            check(os.path.exists(path), "the socket is gone")


def test_live_socket_refuses_the_start(env):
    with env.lab() as lab, serving(env, lab) as (daemon, path):
        run = env.run("--qnum=%d" % (QUEUE + 1), "--control=" + path)
        check_equal("exit code", run.returncode, 1)
        check("another process answers there" in run.stderr and path in run.stderr, "it said: %s", run.stderr)
        check_equal("process", ask(path, "hello")[0]["pid"], daemon.pid)
        file = os.path.join(lab.folder, "file")
        with open(file, "w"):
            pass
        run = env.run("--qnum=%d" % (QUEUE + 1), "--control=" + file)
        check("no socket" in run.stderr and os.path.exists(file), "it said: %s", run.stderr)


def test_two_daemons(env):
    with env.lab() as lab, serving(env, lab) as (first, one):
        two = os.path.join(lab.folder, "second.sock")
        with serving(env, lab, path=two, queue=QUEUE + 70) as (second, _):
            check_equal("processes", [ask(path, "hello")[0]["pid"] for path in (one, two)], [first.pid, second.pid])


def test_in_the_background(env):
    """With --daemon the child serves."""
    with env.lab() as lab:
        path = os.path.join(lab.folder, "control.sock")
        lab.run("client", env.program, "--daemon", "--qnum=%d" % QUEUE, "--control=" + path)
        pid = ask(path, "hello")[0]["pid"]
        ask(path, "stop")
        lab.wait_for(lambda: not os.path.exists("/proc/%d" % pid), "the program goes on")


def test_without_a_queue(env):
    with env.lab() as lab:
        path = os.path.join(lab.folder, "control.sock")
        timer = "--lua-init=timer_set('t', function() end, 50)"
        process = lab.start("client", env.program, "--intercept=0", timer, "--control=" + path)
        lab.wait_for(lambda: os.path.exists(path), "no socket", process)
        check_equal("queues", named(ask(path, "status"), "status")[0]["queues"], [])
        ask(path, "stop")
        check_equal("exit code", process.wait(laboratory.PATIENCE), 0)


# --- packets go on

class Echo:
    """Sends datagrams through the queue and back; what is lost, and the longest way."""

    def __init__(self, lab):
        self.lab, self.stopped = lab, threading.Event()
        self.lost, self.times = 0, []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        with self.lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(laboratory.PATIENCE)
            while not self.stopped.is_set():
                begin = time.monotonic()
                s.sendto(b"ping", (laboratory.SERVER[4], PORT))
                try:
                    s.recv(100)
                    self.times.append(time.monotonic() - begin)
                except TimeoutError:
                    self.lost += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


@contextlib.contextmanager
def traffic(env, *arguments):
    with env.lab() as lab, DatagramServer(lab, "server", PORT):
        for tables in laboratory.TABLES[:1]:
            lab.run("client", tables, "-t", "mangle", "-A", "OUTPUT", "-p", "udp", "-j", "NFQUEUE",
                    *laboratory.queue_options(QUEUE))
        with serving(env, lab, "--filter-udp=%d" % PORT, "--lua-desync=pass", *arguments) as (daemon, path):
            with Echo(lab) as echo:
                yield daemon, path
                lab.wait_for(lambda: len(echo.times) > 10, "no packets went there and back")
            check_equal("lost packets", echo.lost, 0)


def test_clients_come_and_go(env):
    """A hundred of them, with good requests, halves and garbage; packets go on, nothing is left."""
    source = random.Random(1)

    def sockets():
        folder, count = "/proc/%d/fd" % daemon.pid, 0
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                count += os.readlink(os.path.join(folder, name)).startswith("socket:")
        return count

    with traffic(env) as (daemon, path):
        before = sockets()
        for n in range(100):
            with Client(path) as client:
                kind = n % 5
                if kind == 0:
                    check_equal("protocol", client.ask("hello")[0].get("protocol"), 1)
                elif kind == 1:
                    client.send(b'{"cmd":"flo')
                elif kind == 2:
                    client.send(source.randbytes(source.randrange(1, 3000)) + b"\n")
                    client.line()
                elif kind == 3:
                    client.send(b'{"cmd":"flows"}\n{"cmd":"status"}\n{"cmd":"metrics"}\n')
        check_equal("code", ask(path, "x" * 1000)[0]["code"], "unknown-command")
        with Client(path) as client:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.send(b"x" * 70000)
            check_equal("of a long line", client.answer()[-1]["code"], "bad-request")
        laboratory.Lab.wait_for(lambda: sockets() <= before, "descriptors are left")


def test_one_that_never_reads(env):
    """It is dropped; the memory does not grow, and others are answered meanwhile."""
    with traffic(env) as (daemon, path):
        with Client(path) as deaf:
            deaf.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                while True:
                    deaf.send(b'{"cmd":"metrics"}\n' * 100)
            check_equal("another one", ask(path, "hello")[0]["pid"], daemon.pid)
            resident = named(ask(path, "status"), "status")[0]["memory"]["rss"]
            check(resident < 100 * 1024 * 1024, "%d bytes resident", resident)

            def dropped():
                with contextlib.suppress(BlockingIOError):
                    try:
                        deaf.send(b"\n")
                    except (BrokenPipeError, ConnectionResetError):
                        return True
                return False
            laboratory.Lab.wait_for(dropped, "it is still there")


@cases({"one": (1,), "four": (4,)})
def test_many_flows(env, workers):
    """A table of some size comes whole, each flow once."""
    count = 3000
    laboratory.WORKERS = workers
    with env.lab() as lab, DatagramServer(lab, "server", PORT, echo=False):
        lab.run("client", "iptables", "-t", "mangle", "-A", "OUTPUT", "-p", "udp", "-j", "NFQUEUE",
                *laboratory.queue_options(QUEUE))
        with serving(env, lab, "--filter-udp=%d" % PORT) as (_, path):
            for n in range(count):
                with lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.bind(("", 20000 + n))
                    s.sendto(client_hello()[:20], (laboratory.SERVER[4], PORT))
            lab.wait_for(lambda: named(ask(path, "status"), "status")[0]["flows"] == count, "flows are missing")
            lines = ask(path, "flows", limit=0)
            flows = named(lines, "flow")
            check_equal("last line", lines[-1], {"end": True, "count": count, "more": False})
            check_equal("ports", sorted(flow["client"]["port"] for flow in flows),
                        list(range(20000, 20000 + count)))
            check_equal("workers", len(named(ask(path, "counters"), "worker")), workers)
            check_equal("limited", ask(path, "flows", limit=10)[-1]["count"], 10)
