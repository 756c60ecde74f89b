#!/usr/bin/env python3
"""A daemon's control socket that answers by a script (docs/control.md), for tests of nfqws2ctl and for a look at
its page without a daemon.

usage: stand_in.py SOCKET [FLOWS]
"""
import json
import math
import os
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TRACE = os.path.join(HERE, "..", "data", "ctl", "trace.jsonl")
NAMES = ("www.example.com", "video.example.net", "static.cdn.example.org", "a-rather-long-host-name-of-a-shop.example",
         "chat.example.com", "xn--e1afmkfd.example")
HOSTILE = "evil\x1b[31m\x07<script>alert(1)</script>\u202eexample"


def flow(n):
    quic, answered = n % 5 == 4, n % 7 != 3
    return {"worker": 0, "id": n, "proto": "udp" if quic else "tcp",
            "client": {"address": "192.168.1.%d" % (2 + n % 200), "port": 40000 + n % 20000, "packets": 5 + n % 9,
                       "data_packets": 2, "bytes": 517 + n, "pos": 518},
            "server": {"address": "2001:db8::%x" % n if n % 11 == 0 else "198.51.100.%d" % (n % 250), "port": 443,
                       "packets": 4, "data_packets": 2, "bytes": (n * 7919) % 900000 + 1 if answered else 0,
                       "pos": 5000 if answered else 1},
            "state": ("answered" if answered else "new") if quic else "established" if answered else "syn",
            "l7": "quic" if quic else "tls", "host": NAMES[n % len(NAMES)] if n % 13 else None,
            "profile": {"n": 1, "name": "https"} if n % 3 else None, "age_ms": n * 37 % 900000,
            "idle_ms": n * 11 % 60000, "held": 1 if n % 97 == 5 else 0, "retransmissions": 0 if answered else 3,
            "cutoff_in": True, "cutoff_out": n % 2 == 0}


class Daemon:
    """`answers`: by command what to say instead; `raw`: by command bytes."""

    def __init__(self, path, flows=20, answers=None, raw=None):
        self.path, self.flows = path, flows
        self.answers, self.raw = answers or {}, raw or {}
        self.asked, self.begin = [], time.time()
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen(16)
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def close(self):
        """Nobody is accepted any more: the thread must not wait at a number that the next socket gets."""
        self.server.shutdown(socket.SHUT_RDWR)
        self.acceptor.join()
        self.server.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            with client, client.makefile("rb") as lines:
                for line in lines:
                    if line.strip():
                        self._answer(client, json.loads(line))
        except OSError:
            return  # the other side is gone

    def _answer(self, client, request):
        self.asked.append(request)
        command = request.get("cmd")
        if command in self.raw:
            client.sendall(self.raw[command])
            client.shutdown(socket.SHUT_RDWR)
            return
        lines = self.answers[command] if command in self.answers else \
            getattr(self, "on_" + command, self._unknown)(request)
        for line in lines:
            client.sendall(json.dumps(line).encode() + b"\n")

    @staticmethod
    def _unknown(request):
        yield {"error": "unknown command '%s'" % request.get("cmd"), "code": "unknown-command", "end": True}

    @staticmethod
    def on_hello(_):
        yield {"protocol": 1, "version": "1.0.6 (0123456789ab)", "pid": 4711, "access": "all",
               "commands": ["counters", "flows", "hello"], "end": True}

    def on_status(self, _):
        yield {"status": {
            "version": "1.0.6 (0123456789ab)", "pid": 4711, "uptime_s": int(time.time() - self.begin) + 11700,
            "control": self.path, "config": "/run/zapret2/200.conf",
            "options": "--qnum=200\n--filter-tcp=443\n--hostlist=/opt/zapret2/ipset/zapret-hosts-user.txt\n"
                       "--lua-desync=fake:blob=fake_default_tls:tcp_md5\n--lua-desync=multidisorder:pos=1,midsld\n",
            "workers": 1, "queues": [200], "features": {"gso": True, "conntrack": True, "landlock": 4, "seccomp": True},
            "profiles": [{"n": 1, "name": "https", "instances": 2}, {"n": 0, "name": "no_action", "instances": 0}],
            "memory": {"rss": 7340032 + self.flows * 100, "limit": 536870912, "flows": 40960, "held": 0, "lua": 524288},
            "flows": self.flows, "held": 1, "lists": 2, "errors": 1,
            "messages": [{"at": int(time.time()) - 500, "text": "cannot access hostlist file '/etc/hosts.txt'"}]}}
        yield {"end": True}

    def on_counters(self, _):
        span = time.time() - self.begin
        packets = int(100000 + span * 420 + 700 * math.sin(span / 7))
        total = {"uptime_s": int(span), "packets": packets, "bytes": packets * 800, "accepted": packets - 60,
                 "modified": 40 + int(span), "dropped": 20 + int(span * 2), "ignored": 0, "lua_errors": 0,
                 "flows": self.flows, "flows_seen": self.flows * 3, "flows_evicted": 0, "held": 1, "held_seen": 30,
                 "queue_lost": 0}
        yield {"total": total}
        yield {"profile": {"n": 1, "name": "https", "flows": 200, "packets": packets // 2, "instances": [
            {"name": "fake_1_1", "func": "fake", "called": 180, "sent": 180, "modified": 0, "dropped": 0, "errors": 0},
            {"name": "multidisorder_1_2", "func": "multidisorder", "called": 180, "sent": 540, "modified": 0,
             "dropped": 180, "errors": 0}]}}
        yield {"profile": {"n": 0, "name": "no_action", "flows": 40, "packets": packets // 3, "instances": []}}
        yield {"end": True, "count": 2}

    def on_flows(self, request):
        count = 0
        for n in range(1, self.flows + 1):
            one = flow(n)
            if "host" in request and not (one["host"] or "").endswith(request["host"]):
                continue
            if request.get("limit", 1000) and count == request.get("limit", 1000):
                break
            count += 1
            yield {"flow": one}
        yield {"end": True, "count": count, "more": False}

    def on_hosts(self, _):
        for n, name in enumerate(NAMES + (HOSTILE,)):
            yield {"host": {"name": name, "flows": 9 - n, "answered": 0 if n == 3 else 8 - n, "tcp": 2, "udp": 1,
                            "packets": 60, "bytes": 40000 * (9 - n) ** 3, "profiles": [1], "held": 0,
                            "retransmissions": n, "idle_ms": 20 * n, "past": None}}
        yield {"end": True, "count": len(NAMES) + 1, "more": False}

    @staticmethod
    def on_learn(request):
        if request.get("action") in ("pin", "forget", "import"):
            yield {"end": True, "count": 2, "older": 0, "damaged": 1, "damaged_lines": [2], "no_room": 1,
                   "no_room_lines": [1]}
            return
        if request.get("action") == "export":
            yield {"record": "web/www.example.com\t1764457000\t2592000\tcur=2"}
            yield {"end": True, "count": 1, "more": False}
            return
        now = int(time.time())
        tried = [{"n": 1, "ok": 0, "bad": 3, "last_ok_at": None, "last_bad_at": now - 7000},
                 {"n": 2, "ok": 38.5, "bad": 1.5, "last_ok_at": now - 60, "last_bad_at": now - 9000}]
        for n, name in enumerate(("*",) + NAMES + (HOSTILE,)):
            yield {"learn": {"key": "web", "host": name, "strategy": None if n == 0 else 1 + n % 2,
                             "pin": 2 if n == 3 else None, "strategies": tried}}
        yield {"end": True, "count": len(NAMES) + 2, "more": False}

    @staticmethod
    def on_rules(request):
        if "observe" in request:
            yield {"observe": request["observe"] == "on", "end": True}
            return
        table = {"entries": 1000, "evicted": 3, "memory": 48000}
        yield {"rules": {"file": "/etc/rules.toml", "observe": True, "packets": 5000, "dropped": 12, "marks": table,
                         "buckets": table, "sources": table, "answers_limited": 0}}
        yield {"counter": {"name": "UDP", "packets": 12, "bytes": 4000, "idle_ms": 1500}}
        yield {"counter": {"name": HOSTILE, "packets": 0, "bytes": 0, "idle_ms": None}}
        yield {"meter": {"kind": "ratelimit", "id": 8, "buckets": 31, "exceed": 12, "violate": 0,
                         "buckets_full": 0}}
        yield {"tcpauth": {"id": 1, "sources": 4, "challenged": 9, "passed": 4}}
        for name in ("measure", "too-much"):
            yield {"rule": {"name": name, "profile": "web", "chain": "main", "packets": 12, "bytes": 4000,
                            "dropped": 12}}
        yield {"top": {"id": 8, "address": "192.0.2.7", "key": None, "pps": 900, "bps": 9000000}}
        yield {"top": {"id": 8, "address": None, "key": "00112233445566778899aabbccddeeff", "pps": 3, "bps": 900}}
        yield {"end": True, "count": 2}

    @staticmethod
    def on_marks(request):
        if request.get("action") in ("set", "delete"):
            yield {"end": True, "count": 1}
            return
        times = {"value": 2, "age_ms": 4000, "lifetime_ms": 300000, "valid": True}
        yield {"mark": {"kind": "hmark", "id": 2, "address": "192.0.2.7", "peer": None, **times}}
        yield {"mark": {"kind": "connmark", "id": 2, "address": "192.0.2.7", "peer": "192.0.2.8", "protocol": 17,
                        "port": 4000, "peer_port": 53, **times, "lifetime_ms": 0}}
        yield {"mark": {"kind": "sdhmark", "id": 2, "address": None, "peer": None, **times, "valid": False}}
        yield {"end": True, "count": 3, "more": False}

    @staticmethod
    def on_lists(_):
        now = int(time.time())
        yield {"list": {"file": "/opt/zapret2/ipset/zapret-hosts-user.txt", "kind": "hosts", "automatic": False,
                        "entries": 100000, "size": 1800000, "modified_at": now - 86400 * 3, "loaded": True,
                        "loading": False, "error": None, "warnings": [], "memory": 2400000,
                        "uses": [{"profile": 1, "exclude": False}]}}
        yield {"list": {"file": "/opt/zapret2/ipset/zapret-ip-exclude.txt", "kind": "nets", "automatic": False,
                        "entries": 0, "size": 0, "modified_at": None, "loaded": False, "loading": False,
                        "error": "cannot open: No such file or directory", "warnings": ["line 3: no network"],
                        "memory": 0, "uses": [{"profile": 1, "exclude": True}]}}
        yield {"end": True, "count": 2}

    @staticmethod
    def on_find(request):
        yield {"match": {"file": "/opt/zapret2/ipset/zapret-hosts-user.txt", "kind": "hosts", "entry": "example.com",
                         "uses": [{"profile": 1, "exclude": False}]}}
        if "address" in request:
            yield {"set": {"name": "bad", "file": "/etc/bad.txt", "profile": "web", "value": 7,
                           "rules": ["web too-much", "web web/main#2"], "more": True}}
            yield {"set": {"name": "few", "file": None, "profile": None, "value": None, "rules": ["web"],
                           "more": False}}
            yield {"place": {"country": "NL", "continent": "EU"}}
        yield {"explain": {"query": "tcp:192.0.2.1:443,host=%s,l7=tls" % request.get("host"), "searches": [
            {"informed": False, "profiles": [{"n": 1, "name": "https", "refused_by": "hostlist"},
                                             {"n": 0, "name": "no_action", "refused_by": None}], "instances": []},
            {"informed": True, "profiles": [{"n": 1, "name": "https", "refused_by": None}],
             "hostlist": {"list": "/opt/zapret2/ipset/zapret-hosts-user.txt", "entry": "example.com"},
             "instances": [{"func": "multisplit_1_1", "call": "multisplit:pos=midsld", "called": True}]}]}}
        yield {"end": True, "count": 1}

    @staticmethod
    def on_trace(_):
        with open(TRACE) as f:
            lines = [json.loads(line) for line in f]
        for line in lines:
            yield {"trace": line}
        yield {"end": True, "count": len(lines), "lost": 0}

    @staticmethod
    def on_log(_):
        yield {"log": {"level": "error", "worker": 0, "text": "bad\x1b]0;title\x07 name"}}
        yield {"end": True, "count": 1, "lost": 0}

    @staticmethod
    def on_metrics(_):
        yield {"metrics": "# TYPE nfqws2_packets_total counter\n"}
        yield {"metrics": 'nfqws2_packets_total{worker="0"} 1000\n'}
        yield {"end": True}

    @staticmethod
    def on_reload(request):
        yield {"finding": {"level": "warning", "option": "hostlist", "where": "/x.conf:7", "text": "list is empty"}}
        yield {"change": {"what": "profile", "n": 1, "name": "https", "how": "changed"}}
        yield {"end": True, "count": 1, "reloaded": "dry_run" not in request}

    @staticmethod
    def on_stop(_):
        yield {"stopping": True, "end": True}


if __name__ == "__main__":
    Daemon(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20)
    threading.Event().wait()
