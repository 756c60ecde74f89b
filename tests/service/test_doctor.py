"""nfqws2ctl doctor: each finding provoked and found, none in a right set-up."""
import contextlib
import http.server
import json
import os
import re
import signal
import socket
import threading
import time

from queue_reader import QueueReader
from sandbox import BASE, World, check, contains, equal, lacks

SHELLS = ("dash",)
CTL = "/opt/programs/nfqws2ctl"
LUA = "--lua-init=@%s/lua/zapret-lib.lua --lua-init=@%s/lua/zapret-antidpi.lua" % (BASE, BASE)
STRATEGY = "--filter-tcp=80 --payload=http_req --out-range=-n4 --lua-desync=multisplit:pos=2"
CONF = "/run/zapret2/300.conf"
SO_SNDBUFFORCE = 32
# What a machine without Landlock has to be told in any case.
KERNEL = {"kernel-no-landlock"}


def doctor(world, *words, code=None):
    result = world.run(CTL, "doctor", "--json", *words, check_code=code, merge=False)
    lines = [json.loads(line) for line in result.text.splitlines()]
    equal(lines[-1], {"end": True, "count": len(lines) - 1}, result.errors)
    found = [line["finding"] for line in lines[:-1]]
    for one in found:
        check(one["text"] and one["advice"], "says nothing: %s" % one)
    return {one["code"]: one for one in found if one["code"] not in KERNEL}


def codes(world, *words):
    return sorted(doctor(world, *words))


def daemon(world, *more, strategy=STRATEGY, conf=CONF):
    os.makedirs("/run/zapret2", exist_ok=True)
    world.write(conf, " ".join(("--qnum=300 --user=nobody --control=/run/zapret2/nfqws2-300.sock", LUA, *more,
                                strategy)) + "\n")
    world.sh("/opt/programs/nfqws2 @%s >/opt/daemon.log 2>&1 &" % conf)
    world.wait_for(lambda: os.path.exists("/run/zapret2/nfqws2-300.sock") and
                   "  300 " in world.read("/proc/net/netfilter/nfnetlink_queue"), "no daemon")


def rules(world, text=None):
    """Those that follow from the options."""
    world.use_iptables("legacy")
    if text is None:
        text = world.sh("/opt/programs/nfqws2 @%s --print-rules=iptables" % CONF)
    world.write("/opt/rules.sh", text)
    world.run("sh", "/opt/rules.sh", check_code=0)
    world.sh("mount --bind /opt/bin /usr/local/bin")  # the doctor looks there, whatever our PATH


def right(world, *more, **kwargs):
    daemon(world, *more, **kwargs)
    rules(world)
    equal(codes(world), [])


def test_right_set_up(world: World):
    right(world)
    text = world.run(CTL, "doctor", check_code=0).text
    check("nothing found" in text or "kernel-no-landlock" in text, text)


def test_nothing_runs(world: World):
    equal(codes(world)[:1], ["no-daemon"])
    world.run(CTL, "doctor", check_code=1)
    # The rest of one that has ended is no daemon that is silent.
    os.makedirs("/run/zapret2")
    left = socket.socket(socket.AF_UNIX)
    left.bind("/run/zapret2/nfqws2-300.sock")
    left.close()
    lacks(" ".join(codes(world)), "daemon-silent")


def test_daemons(world: World):
    daemon(world, strategy="--filter-tcp=80")
    found = doctor(world)
    contains(found["no-rules"]["text"], "queue 300")
    # Another one from elsewhere, without a socket, and a program of the same kind.
    world.sh("cp /opt/programs/nfqws2 /opt/bin/nfqws2; /opt/bin/nfqws2 --qnum=301 --user=nobody >/dev/null 2>&1 &")
    world.sh("cp /bin/sleep /opt/bin/tpws; /opt/bin/tpws 1000 &")
    world.wait_for(lambda: len(world.processes("nfqws2")) == 2 and world.processes("tpws"), "not started")
    found = doctor(world)
    contains(found["two-installations"]["text"], "/opt/bin/nfqws2")
    contains(found["other-program"]["text"], "tpws")
    # One that has stopped.
    silent = socket.socket(socket.AF_UNIX)
    silent.bind("/run/zapret2/nfqws2-9.sock")
    silent.listen(1)
    threading.Thread(target=lambda: silent.accept()[0].close(), daemon=True).start()
    contains(doctor(world)["daemon-silent"]["where"], "nfqws2-9.sock")


def test_without_a_socket(world: World):
    world.sh("/opt/programs/nfqws2 --qnum=300 --user=nobody >/dev/null 2>&1 &")
    world.wait_for(lambda: world.processes("nfqws2"), "not started")
    check("no-socket" in codes(world), "not found")


def fake(world, **answers):
    """A daemon that says these things."""
    status = {"version": "1", "pid": 1, "queues": [300], "options": "--qnum=300\n", "config": None,
              "features": {"landlock": 4}, **answers.get("status", {})}
    total = {"packets": 1000, **answers.get("total", {})}
    lines = {"status": [{"status": status}], "lists": [{"list": one} for one in answers.get("lists", [])],
             "counters": [{"total": total}] + [{"profile": one} for one in answers.get("profiles", [])]}
    os.makedirs("/run/zapret2", exist_ok=True)
    path = "/run/zapret2/nfqws2-%d.sock" % answers.get("queue", 300)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(8)

    def serve():
        while True:
            client = server.accept()[0]
            with client.makefile("rw") as stream:
                for line in stream:
                    for one in lines[json.loads(line)["cmd"]] + [{"end": True}]:
                        stream.write(json.dumps(one) + "\n")
                    stream.flush()
    threading.Thread(target=serve, daemon=True).start()


def test_queues(world: World):
    fake(world)
    contains(doctor(world)["queue-unread"]["text"], "queue 300")
    # Read by somebody else.
    world.sh("/opt/programs/nfqws2 --qnum=300 --user=nobody >/dev/null 2>&1 &")
    world.wait_for(lambda: "  300 " in world.read("/proc/net/netfilter/nfnetlink_queue"), "no daemon")
    found = doctor(world)
    contains(found["queue-taken"]["text"], "'nfqws2'")
    fake(world, queue=301, status={"queues": [300]})
    contains(doctor(world)["two-instances"]["text"], "queue 300")


def to_nowhere(world):
    """A device on which datagrams to 198.51.100.2 leave, and a socket for many that wait."""
    world.sh("ip link add d0 type veth peer name d1; ip addr add 198.51.100.1/24 dev d0; ip link set d0 up; "
             "ip link set d1 up; ip neigh add 198.51.100.2 lladdr 02:00:00:00:00:02 dev d0")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 256 << 20)

    def send(size):
        with contextlib.suppress(OSError):  # what the queue has no room for
            s.sendto(bytes(size), ("198.51.100.2", 5000))
    return send


def test_losses_of_the_daemon(world: World):
    """What its socket has no room for passes, and no column of the kernel's table tells of it."""
    right(world, strategy="--filter-udp=5000 --payload=all --lua-desync=pass")
    send = to_nowhere(world)
    pid = world.processes("nfqws2")[0]
    os.kill(pid, signal.SIGSTOP)
    drops = re.compile(r"(?m)^\S+ +12 +%d +(?:\S+ +){5}([1-9]\d*) " % pid)
    for _ in range(20_000):
        send(60_000)
        told = drops.search(world.read("/proc/net/netlink"))
        if told:
            break
    os.kill(pid, signal.SIGCONT)
    equal(doctor(world)["queue-losses"]["text"], "%s packets passed untreated because the queue was full" % told[1])


def test_losses_of_another_reader(world: World):
    """Dropped because the queue is full, and because the reader's socket is."""
    send = to_nowhere(world)
    for number, column, how in (300, 5, {"length": 3}), (301, 6, {"buffer": 1}):
        world.sh("iptables -A OUTPUT -p udp --dport 5000 -j NFQUEUE --queue-num %d" % number)
        with QueueReader(number, **how):
            fake(world, queue=number, status={"queues": [number], "pid": os.getpid()})
            for _ in range(10):
                send(1000)
            row = [line.split() for line in world.read("/proc/net/netfilter/nfnetlink_queue").splitlines()
                   if line.split()[0] == str(number)][0]
            check(int(row[column]) > 0 and row[5 if column == 6 else 6] == "0", "columns: %s" % row)
            found = doctor(world, "-q", str(number))["queue-losses"]
            equal((found["where"], found["text"]), ("queue %d" % number, "%s packets were dropped because the queue "
                                                    "was full" % row[column]))
        world.sh("iptables -F OUTPUT")


def test_kernel(world: World):
    fake(world, status={"features": {"landlock": 0}})
    text = world.run(CTL, "doctor", check_code=1).text
    contains(text, "note kernel-no-landlock")


def test_rules_of_another_queue(world: World):
    right(world)
    world.sh("iptables -t mangle -A OUTPUT -p tcp --dport 9 -j NFQUEUE --queue-num 77 --queue-bypass")
    found = doctor(world)
    contains(found["rules-other-queue"]["text"], "queue 77")
    equal(found["rules-other-queue"]["level"], "warning")
    world.sh("iptables -t mangle -F OUTPUT; iptables -t mangle -A OUTPUT -p tcp --dport 9 -j NFQUEUE --queue-num 77")
    equal(doctor(world)["rules-other-queue"]["level"], "problem")


def test_rules_that_send_nothing(world: World):
    daemon(world)
    rules(world)
    # An open connection that no packet of has come by; to an address that is not the loopback's.
    world.sh("ip link add d0 type veth peer name d1; ip addr add 198.51.100.1/24 dev d0; ip link set d0 up; "
             "ip link set d1 up")
    server = socket.create_server(("198.51.100.1", 9999))
    client = socket.create_connection(("198.51.100.1", 9999))
    equal(codes(world), ["rules-send-nothing"])
    client.close()
    server.close()


def test_rules_that_do_not_fit(world: World):
    daemon(world)
    rules(world)
    text = world.read("/opt/rules.sh")
    rules(world, re.sub(r"(?m)^(-A .* --connbytes) 1:\d+", r"\1 1:1", text)
          .replace("--dport 80", "--dport 80:81"))
    found = doctor(world)
    contains(found["rules-lack"]["text"], "outgoing TCP")
    contains(found["rules-surplus"]["text"], "port 81")


def test_offload(world: World):
    right(world)
    for line, found in (("option flow_offloading '1'", True), ("option flow_offloading_hw \"yes\"", True),
                        ("option flow_offloading 0", False), ("# option flow_offloading '1'", False)):
        world.write("/etc/config/firewall", "config defaults\n\t%s\n" % line)
        equal("flow-offload" in codes(world), found, line)
    world.write("/etc/config/firewall", "config defaults\n\toption flow_offloading 1\n")
    contains(doctor(world)["flow-offload"]["text"], "/etc/config/firewall")
    os.remove("/etc/config/firewall")
    world.tool("nft", "#!/bin/sh\ncat /opt/ruleset\n")
    world.write("/opt/ruleset", "table inet zapret2 {\n\tchain forward {\n\t\tflow add @ft\n\t}\n}\n")
    equal(codes(world), [])
    world.write("/opt/ruleset", "table inet fw4 {\n\tchain forward {\n\t\tmeta l4proto tcp flow add @ft\n\t}\n}\n")
    contains(doctor(world)["flow-offload"]["text"], "flowtable")


def test_conntrack(world: World):
    daemon(world, strategy="--filter-tcp=80 --hostlist-auto=/opt/auto.txt --out-range=-n4 --payload=http_req "
                           "--lua-desync=multisplit:pos=2")
    rules(world)
    world.sh("sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1")
    equal(codes(world), [])
    world.sh("sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=0 net.netfilter.nf_conntrack_acct=0")
    equal(codes(world), ["conntrack-not-counting", "conntrack-not-liberal"])


def test_traffic_of_scripts(world: World):
    """Scripts of NFLua that may ask the kernel for counters which it does not keep."""
    daemon(world, "--lua-allow=conntrack", "--lua-init=@%s/lua/zapret-nflua.lua" % BASE,
           strategy="--filter-udp=5000 --payload=all --lua-desync=nflua:func=f")
    rules(world)
    world.sh("sysctl -qw net.netfilter.nf_conntrack_acct=1")
    equal(codes(world), [])
    world.sh("sysctl -qw net.netfilter.nf_conntrack_acct=0")
    equal(codes(world), ["traffic-not-counted"])


def test_marks(world: World):
    right(world)
    world.sh("iptables -t mangle -A PREROUTING -j MARK --set-xmark 0x100/0x3f00")
    equal(codes(world), [])
    world.sh("ip rule add fwmark 0x40000000/0x40000000 lookup 100")
    contains(doctor(world)["mark-collision"]["text"], "lookup 100")
    world.sh("ip rule del fwmark 0x40000000/0x40000000; iptables -t mangle -A OUTPUT -j CONNMARK --restore-mark")
    contains(doctor(world)["mark-collision"]["text"], "--restore-mark")


def test_network(world: World):
    right(world)
    world.sh("ip link add w0 type veth peer name w1; "
             "for d in w0 w1; do ip link set $d up; sysctl -qw net.ipv4.conf.$d.rp_filter=1; "
             "done; sysctl -qw net.ipv4.conf.all.rp_filter=0; ip route add default dev w0")
    equal(codes(world), [])
    world.sh("ip route add default dev w1 metric 5")
    contains(doctor(world)["rp-filter"]["text"], "several devices")
    world.sh("ip route del default dev w1; ip link set w0 mtu 1400; sysctl -qw net.ipv4.ip_forward=1")
    equal(codes(world), ["mtu-below-mss"])
    world.sh("iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu")
    equal(codes(world), [])


def test_lists_and_profiles(world: World):
    now = int(time.time())
    fresh = {"file": "/l/fresh", "automatic": False, "entries": 5, "modified_at": now, "loaded": True, "error": None}
    fake(world, lists=[fresh, dict(fresh, file="/l/auto", automatic=True, entries=0, modified_at=1),
                       dict(fresh, file="/l/gone", loaded=False, error="no such file"),
                       dict(fresh, file="/l/empty", entries=0),
                       dict(fresh, file="/l/old", modified_at=now - 40 * 86400)],
         profiles=[{"n": 1, "name": "seen", "packets": 9}, {"n": 2, "name": "never", "packets": 0},
                   {"n": 0, "name": "no_action", "packets": 0}],
         status={"last_error": {"at": 1, "text": "boom"}})
    found = doctor(world)
    equal({code: found[code]["where"] for code in ("list-missing", "list-empty", "list-old")},
          {"list-missing": "/l/gone", "list-empty": "/l/empty", "list-old": "/l/old"})
    contains(found["list-old"]["text"], "40 days")
    contains(found["profile-unreached"]["text"], "2 (never)")
    contains(found["daemon-errors"]["text"], "boom")


class Names(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        name = self.path.split("name=")[1]
        body = json.dumps({"Answer": [{"name": name, "type": 1, "data": "192.0.2.7"}]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


def test_names(world: World):
    server = http.server.HTTPServer(("127.0.0.1", 8053), Names)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    world.write("/etc/hosts", "127.0.0.1 localhost\n192.0.2.7 honest.example\n10.1.1.1 false.example\n"
                "198.51.100.9 one.example two.example\n203.0.113.5 other.example\n")
    world.sh("sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf")
    url = ("--doh", "http://127.0.0.1:8053/q", "--names")
    names = ("honest.example", "other.example", "false.example", "one.example", "two.example")
    result = world.run(CTL, "doctor", "--json", *url, *names, merge=False).text
    wrong = [json.loads(line)["finding"]["where"] for line in result.splitlines() if "names-differ" in line]
    equal(sorted(wrong), ["false.example", "one.example", "two.example"])
    check("names-unchecked" in codes(world, "--doh", "http://127.0.0.1:1/", "--names", "a.example"), "not told")


def test_lists_that_could_not_be_updated(world: World):
    right(world)
    world.write("/run/zapret2/list-update", "script=get_user.sh\nresult=failed\nfailures=2\ntext=no answer\n")
    equal(codes(world), ["list-update"])


def test_rules_that_cannot_be_listed(world: World):
    right(world)
    for folder in ("/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"):
        for tool in ("nft", "iptables-save", "ip6tables-save"):
            if os.path.exists(os.path.join(folder, tool)):
                world.sh("mount --bind /bin/false %s" % os.path.realpath(os.path.join(folder, tool)))
    equal(codes(world), ["rules-unknown"])
