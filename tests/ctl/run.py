#!/usr/bin/env python3
"""nfqws2ctl against a stand-in for the daemon (stand_in.py), and without any.

usage: run.py NFQWS2CTL [-v] [NAME_PART ...]
Last line: "N passed, N failed, N skipped".
"""
import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, "..", "support"))
import cases  # noqa: E402
from stand_in import TRACE, Daemon  # noqa: E402

LIMIT = 120


class World:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.socket = os.path.join(folder, "d.sock")

    def daemon(self, **how):
        return contextlib.closing(Daemon(self.socket, **how))

    def run(self, *words, code=0, stdin=None, env=None):
        """What it said on standard output; on standard error for another code than 0."""
        done = subprocess.run([self.program, *words], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=LIMIT, env=env and {**os.environ, **env}, check=False)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == code, "exit code %d, not %d\n%s%s" % (done.returncode, code, out, err)
        return err if code else out

    def ask(self, *words, **more):
        return self.run("-s", self.socket, *words, **more)

    @contextlib.contextmanager
    def page(self, *words):
        """A server of the page: (port, what it printed)."""
        process = subprocess.Popen([self.program, "-s", self.socket, "serve", *words], stdout=subprocess.PIPE)
        try:
            link = process.stdout.readline().decode().strip()
            yield int(re.search(r":(\d+)/", link)[1]), link
        finally:
            process.terminate()
            process.wait(LIMIT)
            process.stdout.close()


def fetch(port, path, method="GET", body=None, **headers):
    """(status, headers, text)"""
    headers = {key.replace("_", "-"): value for key, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def contains(text, *parts):
    for part in parts:
        assert part in text, "%r is not in\n%s" % (part, text)


def clean(text):
    """Nothing that steers a terminal."""
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text), repr(text)


# --- without a daemon


def test_help_names_every_word(w):
    words = "status counters flows hosts learn lists find why trace log top metrics reload rules marks stop serve " \
            "ladder"
    contains(w.run("--help"), *words.split())
    contains(w.run("--version"), "nfqws2ctl ")
    for word in ("flows", "trace", "serve", "ladder"):
        contains(w.run(word, "--help"), "--")


def test_mistakes_of_the_command_line(w):
    contains(w.run("flws", code=2), "unknown word 'flws'; did you mean 'flows'?")
    contains(w.run(code=2), "Usage")
    for words in (["flows", "--port=99999"], ["flows", "--nonsense"], ["find"], ["serve", "--listen=nowhere"],
                  ["reload", "--undo", "--dry-run"], ["-s", "/s", "-q", "200", "status"],
                  ["-s", "/s", "up", "/f"], ["down", "/f", "-q", "200"], ["-j", "ladder", "/t"], ["top", "--json"]):
        done = subprocess.run([w.program, *words], capture_output=True, timeout=LIMIT, check=False)
        assert done.returncode == 2 and done.stderr, words


def test_no_daemon(w):
    contains(w.ask("status", code=1), "there is no such socket")
    with w.daemon():
        pass
    contains(w.ask("status", code=1), "does not run any more")
    contains(w.run("-s", "/tmp/" + "x" * 200, "status", code=1), "too long")


def test_ladder_page_and_picture(w):
    page = w.run("ladder", TRACE)
    contains(page, "<!doctype html>", "www.example.com", "decoy")
    assert page == w.run("ladder", stdin=open(TRACE, "rb").read())
    contains(w.run("ladder", TRACE, "--svg"), '<?xml version="1.0"')
    file = os.path.join(w.folder, "x.svg")
    w.run("ladder", TRACE, "-o", file, "--flow", "2", "--lang", "ru")
    with open(file) as f:
        contains(f.read(), "сеть")
    contains(w.run("ladder", TRACE, "--host", "example.com"), "www.example.com")


def test_picture_of_the_manual(w):
    with open(os.path.join(HERE, "..", "..", "docs", "pictures", "ladder.svg")) as f:
        assert f.read() == w.run("ladder", TRACE, "--flow", "1", "--svg"), \
            "draw it again: nfqws2ctl ladder tests/data/ctl/trace.jsonl --flow 1 -o docs/pictures/ladder.svg"


def test_ladder_without_a_trace(w):
    contains(w.run("ladder", os.path.join(w.folder, "none"), code=1), "No such file")
    contains(w.run("ladder", stdin=b"hello\n", code=1), "this is no trace")
    contains(w.run("ladder", "--host", "other.example", TRACE, code=1), "no packet of the trace fits")
    contains(w.run("ladder", TRACE, "-o", w.folder + "/no/where", code=1), "No such file")


# --- tables


def test_every_table(w):
    with w.daemon(flows=60):
        contains(w.ask("status"), "4711", "https", "gso", "cannot access hostlist")
        contains(w.ask("counters"), "fake_1_1", "multidisorder_1_2", "180")
        contains(w.ask("flows"), "www.example.com", "https", "established")
        contains(w.ask("hosts"), "video.example.net")
        contains(w.ask("learn"), "(all)", "video.example.net", "2 pinned", "2: 96 % of 40, 1: 0 % of 3")
        contains(w.ask("rules"), "/etc/rules.toml", "1 000", "observed only", "too-much", "UDP", "ratelimit 8",
                 "192.0.2.7", "key 0011223344")
        contains(w.ask("marks"), "hmark", "192.0.2.7", "for ever", "expired", "192.0.2.8:53", "(hash)")
        contains(w.ask("rules", "observe", "on"), "nothing is dropped")
        contains(w.ask("marks", "delete", "hmark", "2", "192.0.2.7"), "1 marks")
        contains(w.ask("lists"), "zapret-hosts-user.txt", "100 000", "cannot open", "line 3: no network")
        contains(w.ask("find", "www.example.com"), "example.com", "refused by --hostlist", "calls multisplit")
        contains(w.ask("find", "192.0.2.77"), "bad of web", "/etc/bad.txt", "web too-much, web web/main#2, ...",
                 "(in the rules file)", "country NL, continent EU")
        contains(w.ask("why", "example.com"), "wins", "answered", "no answer, 3 retransmissions")
        contains(w.ask("trace"), "tls_client_hello", "www.example.com", "+5")
        contains(w.ask("top", "-d", "0.1", "-n", "1"), "packets/s", "https", "www.example.com")
        assert w.ask("metrics").endswith('nfqws2_packets_total{worker="0"} 1000\n')
        contains(w.ask("reload"), "warning: option '--hostlist' (/x.conf:7): list is empty",
                 "profile 1 (https): changed", "the new options are in force")
        contains(w.ask("reload", "-n"), "profile 1 (https): changed", "nothing was done")
        contains(w.ask("stop"), "the daemon ends")


def test_the_update_of_the_lists_stands_below_them(w):
    file = os.path.join(os.path.dirname(w.socket), "list-update")
    with w.daemon():
        assert "list update" not in w.ask("lists")
        with open(file, "w", encoding="utf-8") as f:
            f.write("script=get_user.sh\nresult=failed\ntime=%d x\nfailures=2\nsuccess=\nnext=\ntext=no \x1b way\n" %
                    time.time())
        text = w.ask("lists")
        contains(text, "zapret-hosts-user.txt", "\n\nlist update get_user.sh: failed ", "(no \\x1b way)",
                 "failures in succession: 2; last good one: none\n")
        clean(text)
        assert "get_user.sh" not in w.ask("lists", "--json")
    os.remove(file)


def test_filters_reach_the_daemon(w):
    with w.daemon() as closing:
        del closing
    os.remove(w.socket)
    daemon = Daemon(w.socket)
    with contextlib.closing(daemon):
        w.ask("flows", "-a", "192.0.2.0/24", "-p", "443", "--host", "example.com", "--proto", "tcp", "--l7", "tls",
              "--profile", "2", "--state", "syn", "--held", "-n", "5")
        assert daemon.asked[-1] == {"cmd": "flows", "address": "192.0.2.0/24", "port": 443, "host": "example.com",
                                    "proto": "tcp", "l7": "tls", "profile": 2, "state": "syn", "held": True,
                                    "limit": 5}, daemon.asked[-1]
        w.ask("flows", "--profile", "https")
        assert daemon.asked[-1] == {"cmd": "flows", "profile": "https"}
        w.ask("trace", "--host", "a.example", "-n", "7", "-t", "3")
        assert daemon.asked[-1] == {"cmd": "trace", "host": "a.example", "packets": 7, "seconds": 3}
        w.ask("lists", "--reload")
        assert daemon.asked[-1] == {"cmd": "lists", "reload": True}
        w.ask("find", "2001:db8::1", "--proto", "udp", "-p", "53")
        assert daemon.asked[-1] == {"cmd": "find", "address": "2001:db8::1", "proto": "udp", "port": 53}
        for word, field in (("--dry-run", "dry_run"), ("--undo", "undo")):
            w.ask("reload", word)
            assert daemon.asked[-1] == {"cmd": "reload", field: True}
        w.ask("rules", "-n", "3")
        assert daemon.asked[-1] == {"cmd": "rules", "limit": 3}
        w.ask("rules", "observe", "off")
        assert daemon.asked[-1] == {"cmd": "rules", "observe": "off"}
        contains(w.ask("rules", "observe", code=1), "needs 'on' or 'off'")
        w.ask("marks", "list", "hmark", "2", "-n", "0")
        assert daemon.asked[-1] == {"cmd": "marks", "action": "list", "kind": "hmark", "id": 2, "limit": 0}
        w.ask("marks", "set", "dhmark", "5", "2001:db8::1", "--value", "7", "--lifetime", "60")
        assert daemon.asked[-1] == {"cmd": "marks", "action": "set", "kind": "dhmark", "id": 5,
                                    "address": "2001:db8::1", "value": 7, "lifetime_s": 60}, daemon.asked[-1]
        w.ask("marks", "delete", "connmark", "1", "10.0.0.1", "10.0.0.2", "--proto", "tcp", "-p", "80",
              "--peer-port", "4000")
        assert daemon.asked[-1] == {"cmd": "marks", "action": "delete", "kind": "connmark", "id": 1,
                                    "address": "10.0.0.1", "peer": "10.0.0.2", "protocol": "tcp", "port": 80,
                                    "peer_port": 4000}, daemon.asked[-1]
        contains(w.ask("marks", "delete", "hmark", "x", "192.0.2.7", code=1), "no number of a mark")
        w.ask("learn", "list", "a.example", "-k", "web", "-n", "3")
        assert daemon.asked[-1] == {"cmd": "learn", "action": "list", "host": "a.example", "key": "web", "limit": 3}
        contains(w.ask("learn", "pin", "a.example", "2"), "2 records")
        assert daemon.asked[-1] == {"cmd": "learn", "action": "pin", "host": "a.example", "strategy": 2}
        w.ask("learn", "pin", "a.example", "off", "--key", "web")
        assert daemon.asked[-1] == {"cmd": "learn", "action": "pin", "host": "a.example", "key": "web"}
        w.ask("learn", "forget", "a.example")
        assert daemon.asked[-1] == {"cmd": "learn", "action": "forget", "host": "a.example"}
        w.ask("learn", "forget", "--all")
        assert daemon.asked[-1] == {"cmd": "learn", "action": "forget", "all": True}
        w.ask("learn", "forget", "all")
        assert daemon.asked[-1] == {"cmd": "learn", "action": "forget", "all": True}
        w.ask("log", "debug")
        assert daemon.asked[-1] == {"cmd": "log", "level": "debug"}


def test_learned_strategies_as_a_file(w):
    """What was exported can be imported, in requests that are not too long."""
    daemon = Daemon(w.socket)
    with contextlib.closing(daemon):
        text = w.ask("learn", "export")
        assert text == "nfqws2-store 1\nweb/www.example.com\t1764457000\t2592000\tcur=2\n", text
        file = os.path.join(w.folder, "learned.tsv")
        with open(file, "w") as f:
            f.write(text * 1 + "web/x\t1\t1\tcur=2\n" * 3000)
        del daemon.asked[:]
        contains(w.ask("learn", "import", file), " records",
                 "lines cannot be understood, left out: %s:3, %s:" % (file, file),
                 "do not fit (--store-max), left out: %s:2, %s:" % (file, file))
        sent = [asked["records"] for asked in daemon.asked]
        assert len(sent) > 2 and all(len(piece) < 32768 for piece in sent), [len(piece) for piece in sent]
        assert "".join(sent).count("\n") == 3002 and "nfqws2-store" not in "".join(sent)
        with open(file, "w") as f:
            f.write(text + "web/a\t1\t1\tcur=1\nweb/*/1\t1\t1\tok=5\nweb/b\t1\t0\tcur=1\tpin=2\n")
        contains(w.ask("learn", "import", file), "2 records\n",
                 "1 lines cannot be understood, left out: %s:4\n" % file,  # in the order of what counts most
                 "1 records do not fit (--store-max), left out: %s:5\n" % file)
        first = [line.split("\t")[0] for line in daemon.asked[-1]["records"].split("\n") if line]
        assert first == ["web/b", "web/*/1", "web/www.example.com", "web/a"], first
        lines = ["web/b\t1\t0\tcur=1", "web/a\t1\t0\tcur=1", "web/a\t1\t0\tpin=2", "web/a\t1\t0\tcur=2"]
        with open(file, "w", encoding="utf-8-sig") as f:
            f.write("nfqws2-store 1\n" + "\n".join(lines) + "\n")
        w.ask("learn", "import", file)
        sent = daemon.asked[-1]["records"].split()
        assert sent == "\n".join(lines[1:] + lines[:1]).split(), sent
        with open(file, "w") as f:
            f.write("something else\n")
        contains(w.ask("learn", "import", file, code=1), "no file of a store")
        contains(w.ask("learn", "import", w.folder + "/none", code=1), "cannot open")
        contains(w.ask("learn", "pin", "a.example", code=1), "needs a host and the number")


def test_why_explains_such_a_connection_as_there_are(w):
    flow = {"proto": "tcp", "l7": "http", "host": "a.example", "client": {"address": "10.0.0.1", "port": 5},
            "server": {"address": "10.0.0.2", "port": 8080, "bytes": 0, "pos": 2649}, "state": "fin"}
    daemon = Daemon(w.socket, answers={"flows": [{"flow": flow}, {"end": True}]})
    with contextlib.closing(daemon):
        contains(w.ask("why", "a.example"), "answered, 2.6 kB")
        assert daemon.asked[-1] == {"cmd": "find", "host": "a.example", "port": 8080, "proto": "tcp", "l7": "http"}


def test_json_is_what_the_daemon_says(w):
    with w.daemon():
        lines = [json.loads(line) for line in w.ask("--json", "flows", "-n", "3").splitlines()]
        assert [list(line)[0] for line in lines[:-1]] == ["flow"] * 3 and lines[-1]["end"], lines
        assert w.ask("-j", "stop") == '{"stopping":true,"end":true}\n', "in the order of the daemon"
        trace = w.ask("trace", "--json").encode()
        contains(w.run("ladder", stdin=trace), "www.example.com")


# --- answers that nobody should send


def test_control_characters_never_reach_the_terminal(w):
    evil = "x\x1b[31m\x07\x9b2J\u202e\r\n"
    flow = {"worker": 0, "id": 1, "proto": evil, "client": {"address": evil, "port": 1, "bytes": 1},
            "server": {"address": evil, "port": 2, "bytes": 2}, "state": evil, "l7": evil, "host": evil,
            "profile": {"n": 1, "name": evil}, "age_ms": 1, "idle_ms": 1, "held": 0}
    answers = {"flows": [{"flow": flow}, {"end": True}],
               "status": [{"status": {"version": evil, "features": {evil: True}, "messages": [{"text": evil}],
                                      "profiles": [{"name": evil}]}}, {"end": True}],
               "lists": [{"list": {"file": evil, "kind": evil, "error": evil, "warnings": [evil, {evil: evil}]}},
                         {"end": True}],
               "find": [{"match": {"file": evil, "entry": evil}},
                        {"explain": {"searches": [{"profiles": [{"name": evil, "refused_by": evil, "list": evil}],
                                                   "instances": [{"call": evil}]}]}}, {"end": True}],
               "trace": [{"trace": {"t": 1, "out": [], "src": evil, "dst": evil, "host": evil, "verdict": evil,
                                    "profile": {"name": evil}, "payload": evil, "l4": evil, "instances":
                                    [{"called": True, "func": evil, "verdict": evil, "error": evil}]}},
                         {"end": True}],
               "counters": [{"profile": {"name": evil, "instances": [{"name": evil}]}}, {"end": True}],
               "stop": [{"error": evil, "code": evil, "end": True}]}
    with w.daemon(answers=answers):
        for words in (["flows"], ["status"], ["lists"], ["find", "x"], ["why", "x"], ["trace"], ["counters"],
                      ["hosts"], ["log"], ["top", "-d", "0.1", "-n", "1"]):
            clean(w.ask(*words))
        clean(w.ask("stop", code=1))


def test_messages_of_several_lines(w):
    text = "one\ntwo \x1b[2J"
    answers = {"log": [{"log": {"level": "error", "text": text}}, {"end": True}],
               "status": [{"status": {"messages": [{"at": 1, "text": text}]}}, {"end": True}]}
    with w.daemon(answers=answers):
        contains(w.ask("log"), "one\n  two \\x1b[2J\n")
        contains(w.ask("status"), "  one\n    two \\x1b[2J  ")


def test_answers_of_other_kinds(w):
    for wrong in (5, None, "text", [], {"n": []}, [[]], True):
        line = {key: wrong for key in ("status", "flow", "host", "list", "match", "explain", "profile", "total", "log",
                                       "trace", "metrics")}
        answers = {command: [line, {"end": True}] for command in
                   ("status", "flows", "hosts", "lists", "find", "counters", "trace", "log", "metrics")}
        again = Daemon(w.socket, answers=answers)
        with contextlib.closing(again):
            for words in (["flows"], ["status"], ["lists"], ["find", "x"], ["why", "x"], ["trace"], ["counters"],
                          ["hosts"], ["log"], ["metrics"], ["top", "-d", "0.1", "-n", "1"]):
                w.ask(*words)
        os.remove(w.socket)


def test_garbage_and_broken_answers(w):
    for raw in (b"hello\n", b"\xff\xfe\n", b"[]\n", b'{"flow":{}}\n', b"", b'{"a":' + b"[" * 5000 + b"\n",
                b"x" * (9 << 20) + b"\n"):
        with w.daemon(raw={"flows": raw}):
            said = w.ask("flows", code=1)
            clean(said)
            contains(said, "nfqws2ctl: ")
        os.remove(w.socket)


def test_errors_of_the_daemon(w):
    with w.daemon(answers={"stop": [{"error": "not for this user", "code": "forbidden", "end": True}]}):
        contains(w.ask("stop", code=1), "not for this user")


def test_reload_that_is_refused(w):
    with w.daemon(answers={"reload": [{"error": "--qnum has changed", "code": "failed", "end": True}]}):
        contains(w.ask("reload", code=1), "--qnum has changed")
    os.remove(w.socket)
    # Several messages, and one of several lines; nothing steers the terminal.
    error = "option '--ipset' (a:1): no \x1b file\n  set in\ntoo\rbad"
    finding = {"level": "warning", "option": None, "where": None, "text": "empty\nlist"}
    with w.daemon(answers={"reload": [{"finding": finding}, {"error": error, "code": "failed", "end": True}]}):
        done = subprocess.run([w.program, "-s", w.socket, "reload"], capture_output=True, text=True, timeout=LIMIT,
                              check=False)
        assert done.returncode == 1 and done.stdout == "warning: empty\n  list\n", done
        assert done.stderr == ("nfqws2ctl: option '--ipset' (a:1): no \\x1b file\n  set in\n"
                               "nfqws2ctl: too\\x0dbad\n"), done
    os.remove(w.socket)
    with w.daemon(answers={"reload": [{"end": True, "count": 0, "reloaded": False}]}):
        contains(w.ask("reload"), "nothing has changed")


def test_output_that_cannot_be_written(w):
    with w.daemon(), open("/dev/full", "w") as full:
        done = subprocess.run([w.program, "-s", w.socket, "status"], stdout=full, stderr=subprocess.PIPE,
                              timeout=LIMIT, check=False)
        assert done.returncode == 1 and b"No space" in done.stderr, done


# --- the page's server


def test_page_and_data(w):
    with w.daemon(flows=50), w.page("--listen=127.0.0.1:0") as (port, link):
        assert "token" not in link
        for path, part in (("/", "<!doctype html>"), ("/app.js", "import"), ("/style.css", "--ground"),
                           ("/ladder.css", ".ladder"), ("/icon.svg", "<svg")):
            status, headers, text = fetch(port, path)
            assert status == 200, (path, status)
            contains(text, part)
            contains(headers["Content-Security-Policy"], "default-src 'none'")
            assert headers["X-Content-Type-Options"] == "nosniff"
        hello = json.loads(fetch(port, "/api/hello")[2])
        assert hello["readonly"] is False and hello["pid"] == 4711
        for what, count in (("flows?limit=7", 7), ("status", 1), ("counters", 3), ("lists", 2), ("hosts", 7),
                            ("find?host=x", 2)):
            assert len(json.loads(fetch(port, "/api/" + what)[2])["lines"]) == count, what
        assert fetch(port, "/metrics")[2].startswith("# TYPE nfqws2_packets_total")
        assert fetch(port, "/api/flows?evil=1")[0] == 400
        assert fetch(port, "/api/flows?limit=x")[0] == 400
        assert fetch(port, "/api/stop")[0] == 404
        assert fetch(port, "/../../etc/passwd")[0] == 404


def test_changes_need_the_page(w):
    with w.daemon(), w.page("--listen=127.0.0.1:0") as (port, _):
        assert fetch(port, "/api/lists/reload", "POST")[0] == 403, "another site can send this"
        assert fetch(port, "/api/lists/reload", "POST", X_Nfqws2="1")[0] == 200
        wanted = json.dumps({"action": "pin", "host": "a.example", "key": "web", "strategy": 2})
        assert fetch(port, "/api/learn/change", "POST", wanted)[0] == 403, "another site can send this"
        assert fetch(port, "/api/learn/change", "POST", wanted, X_Nfqws2="1")[0] == 200
        assert fetch(port, "/api/doctor", "POST")[0] == 403, "another site can send this"
        found = json.loads(fetch(port, "/api/doctor", "POST", X_Nfqws2="1")[2])["findings"]
        assert any(one["code"] == "queue-unread" and one["level"] == "problem" and one["advice"] for one in found)
        for wrong in ("", "[]", '{"action":"import"}', '{"action":"forget"}', '{"action":"pin","host":5,"key":"k"}'):
            assert fetch(port, "/api/learn/change", "POST", wrong, X_Nfqws2="1")[0] == 400, wrong
        assert '"learn"' in fetch(port, "/api/learn?limit=5")[2]
        assert fetch(port, "/api/learn?action=forget")[0] == 400
    os.remove(w.socket)
    with w.daemon(), w.page("--listen=127.0.0.1:0", "--read-only") as (port, _):
        assert fetch(port, "/api/lists/reload", "POST", X_Nfqws2="1")[0] == 403
        assert fetch(port, "/api/learn/change", "POST", wanted, X_Nfqws2="1")[0] == 403
        assert json.loads(fetch(port, "/api/hello")[2])["readonly"] is True


def test_names_are_no_hosts(w):
    with w.daemon(), w.page("--listen=127.0.0.1:0") as (port, _):
        for host, status in (("localhost:%d" % port, 200), ("127.0.0.1", 200), ("[::1]:1", 200),
                             ("evil.example:%d" % port, 403), ("", 403), ("127.0.0.1.evil.example", 403)):
            assert fetch(port, "/", Host=host)[0] == status, host


def test_token_beyond_loopback(w):
    with w.daemon(), w.page("--listen=0.0.0.0:0") as (port, link):
        token = link.partition("?token=")[2]
        assert len(token) == 32, link
        for path in ("/", "/api/flows", "/metrics", "/app.js", "/?token=" + "0" * 32):
            assert fetch(port, path)[0] == 401, path
        status, headers, _ = fetch(port, "/?token=" + token)
        assert status == 302 and headers["Location"] == "/"
        contains(headers["Set-Cookie"], "HttpOnly", "SameSite=Strict")
        assert fetch(port, "/", Cookie=headers["Set-Cookie"].partition(";")[0])[0] == 200
        assert fetch(port, "/metrics", Authorization="Bearer " + token)[0] == 200
        assert fetch(port, "/metrics", Authorization="Bearer x")[0] == 401


def test_streams(w):
    with w.daemon(), w.page("--listen=127.0.0.1:0") as (port, _):
        contains(fetch(port, "/api/trace?host=example.com")[2], "event: trace\ndata: {", "event: done")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
        connection.request("GET", "/api/live")
        answer, text = connection.getresponse(), b""
        while b"event: sample" not in text:
            text += answer.read1(4096)
        connection.close()


def test_drawing(w):
    with w.daemon(), w.page("--listen=127.0.0.1:0") as (port, _):
        with open(TRACE, "rb") as f:
            answer = fetch(port, "/api/ladder?width=340&lang=ru", "POST", f.read(), X_Nfqws2="1")
        pictures = json.loads(answer[2])["pictures"]
        assert len(pictures) == 8 and 'viewBox="0 0 340' in pictures[0], pictures[:1]
        assert fetch(port, "/api/ladder", "POST", b"x" * (6 << 20), X_Nfqws2="1")[0] == 413


def test_daemon_that_goes_and_comes_back(w):
    with w.page("--listen=127.0.0.1:0") as (port, _):
        status, _, text = fetch(port, "/api/status")
        assert status == 502, status
        contains(text, "no such socket")
        with w.daemon():
            assert fetch(port, "/api/status")[0] == 200


def main():
    words = sys.argv[1:]
    verbose = "-v" in words
    program, *parts = [word for word in words if word != "-v"]
    program = os.path.abspath(program)
    report = cases.Report(verbose)
    for name, test in sorted(globals().items()):
        if not name.startswith("test_") or parts and not any(part in name for part in parts):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                test(World(program, folder))
                report.ok(name)
            except (AssertionError, OSError, ValueError, subprocess.TimeoutExpired) as error:
                report.fail(name, error)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
