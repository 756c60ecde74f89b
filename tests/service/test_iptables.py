"""iptables rules against recorded listings, with both variants of iptables."""
import os
import threading
import urllib.request

from sandbox import BASE, Failure, World, check, contains, equal, lacks
from test_supervise import supervisors

LOOP = "-m mark ! --mark 0x40000000/0x40000000"
QUEUE = "-j NFQUEUE --queue-num 300 --queue-bypass"


def limit(n, direction):
    return "-m connbytes --connbytes 1:%s --connbytes-mode packets --connbytes-dir %s" % (n, direction)


LISTING_A = {
    "mangle": [
        "-A %s -p %s -m set --match-set zport_%s src %s -m set ! --match-set nozapret src %s"
        % (chain, proto, proto, limit(n, "reply"), QUEUE)
        for chain in ("INPUT", "FORWARD") for proto, n in (("udp", 3), ("tcp", 10))
    ] + [
        "-A POSTROUTING -m mark --mark 0x40000000/0x40000000 -j CONNMARK --set-xmark 0x40000000/0x40000000",
    ] + [
        "-A POSTROUTING -p %s %s -m set --match-set zport_%s dst %s -m set ! --match-set nozapret dst %s"
        % (proto, LOOP, proto, limit(n, "original"), QUEUE) for proto, n in (("udp", 5), ("tcp", 20))
    ],
    "filter": [
        "-A %s -p icmp -m icmp --icmp-type 11 -m connmark --mark 0x40000000/0x40000000 -j DROP" % chain
        for chain in ("INPUT", "FORWARD")
    ],
}
CONFIG_B = ("DISABLE_IPV6=0", "MODE_FILTER=ipset", "FILTER_MARK=0x10000000", "IFACE_WAN=wan0", "IFACE_WAN6=wan1",
            "NFQWS2_PORTS_TCP=443,8000-8010", "NFQWS2_PORTS_TCP_KEEPALIVE=80", "NFQWS2_UDP_PKT_IN=0",
            "FILTER_TTL_EXPIRED_ICMP=0")


def listing_b(dev, six):
    mark = "-m mark --mark 0x10000000/0x10000000 " + LOOP
    sets = "-m set --match-set zapret%s %%s -m set ! --match-set nozapret%s %%s %s" % (six, six, QUEUE)
    out = "-A POSTROUTING -o %s -p %%s %s -m set --match-set %%s dst %%s%s" % (dev, mark, sets % ("dst", "dst"))
    return {"mangle": [
        "-A %s -i %s -p tcp -m set --match-set zport_tcp src %s %s"
        % (chain, dev, limit(10, "reply"), sets % ("src", "src")) for chain in ("INPUT", "FORWARD")
    ] + [
        out % ("udp", "zport_udp", limit(5, "original") + " "),
        out % ("tcp", "zport_tcp_k", ""),
        out % ("tcp", "zport_tcp", limit(20, "original") + " "),
    ]}


COMMON = ("FWTYPE=iptables", "WS_USER=nobody", "NFQWS2_ENABLE=1")

# A custom script with a daemon and a queue of its own.
CUSTOM_DAEMON = """alloc_dnum D_X
alloc_qnum Q_X
zapret_custom_daemons() { do_nfqws $1 $D_X "--qnum=$Q_X"; }
zapret_custom_firewall() { fw_nfqws_post $1 "-p tcp --dport 99" "" $Q_X; }
"""


def start(world, *config, variant="nft", verb="start"):
    world.use_iptables(variant)
    world.config(*COMMON, *config)
    return world.service(verb)


def listing_a(world, variant):
    start(world, variant=variant)
    equal(world.saved_rules(), LISTING_A)
    check("6" not in "".join(world.saved_rules("ip6tables")), "IPv6 rules although disabled")
    headers = world.sh("ipset list -t")
    for name, size in (("zapret", 522288), ("ipban", 522288), ("nozapret", 65536)):
        part = headers.split("Name: %s\n" % name)[1].split("Name:")[0]
        contains(part, "hash:net")
        contains(part, "maxelem %d" % size)
    equal(world.ipset("zport_tcp"), ["443", "80"])
    equal(world.ipset("zport_udp"), ["443"])
    check(len(world.processes("nfqws2")) == 1, "the daemon does not run")

    # A second start changes nothing.
    contains(world.service("start"), "already running")
    equal(world.saved_rules(), LISTING_A)

    world.service("stop")
    equal(world.saved_rules(), {})
    equal(sorted(world.sh("ipset list -n").split()), ["ipban", "nozapret", "zapret"])
    equal(world.processes("nfqws2"), [])
    equal(set(world.sh("ls /run /tmp").split()) - {"xtables.lock", "zapret2.lock"},
          {"/run:", "lock", "zapret2", "/tmp:"})


def test_listing_a_nft(world: World):
    listing_a(world, "nft")


def test_listing_a_legacy(world: World):
    listing_a(world, "legacy")


def listing_b_variant(world, variant):
    start(world, *CONFIG_B, variant=variant)
    equal(world.saved_rules(), listing_b("wan0", ""))
    equal(world.saved_rules("ip6tables"), listing_b("wan1", "6"))
    equal(world.ipset("zport_tcp"), sorted(["443"] + [str(p) for p in range(8000, 8011)]))
    equal(world.ipset("zport_tcp_k"), ["80"])
    world.service("stop")
    equal((world.saved_rules(), world.saved_rules("ip6tables")), ({}, {}))
    equal(sorted(world.sh("ipset list -n").split()),
          sorted(["zapret", "ipban", "nozapret", "zapret6", "ipban6", "nozapret6"]))


def test_listing_b_nft(world: World):
    listing_b_variant(world, "nft")


def test_listing_b_legacy(world: World):
    listing_b_variant(world, "legacy")


def test_several_wan_devices(world: World):
    start(world, "IFACE_WAN='wan0 wan1'", "NFQWS2_PORTS_UDP=", "FILTER_TTL_EXPIRED_ICMP=0", "DISABLE_IPV6=0")
    for tool in ("iptables", "ip6tables"):
        rules = world.saved_rules(tool)["mangle"]
        for chain, option in (("POSTROUTING", "-o"), ("INPUT", "-i"), ("FORWARD", "-i")):
            devices = [r.split(" ")[3] for r in rules if r.startswith("-A %s %s " % (chain, option))]
            equal(devices, ["wan1", "wan0"], chain)


def test_icmp_filter_per_family(world: World):
    start(world, "NFQWS2_ENABLE=0", "DISABLE_IPV4=1", "DISABLE_IPV6=0")
    equal(world.saved_rules(), {})
    equal(world.saved_rules("ip6tables"), {
        "mangle": LISTING_A["mangle"][4:5],
        "filter": [rule.replace("-p icmp -m icmp --icmp-type 11", "-p ipv6-icmp -m icmp6 --icmpv6-type 3")
                   for rule in LISTING_A["filter"]]})


def test_keepalive_and_empty_counts(world: World):
    start(world, "NFQWS2_TCP_PKT_OUT=keepalive", "NFQWS2_TCP_PKT_IN=", "NFQWS2_UDP_PKT_OUT=0",
          "NFQWS2_PORTS_UDP_KEEPALIVE=50000-50002", "FILTER_TTL_EXPIRED_ICMP=0")
    rules = world.saved_rules()["mangle"]
    equal([r for r in rules if "zport_tcp" in r],
          ["-A POSTROUTING -p tcp %s -m set --match-set zport_tcp dst -m set ! --match-set nozapret dst %s"
           % (LOOP, QUEUE)])
    equal([r for r in rules if "zport_udp_k" in r],
          ["-A POSTROUTING -p udp %s -m set --match-set zport_udp_k dst -m set ! --match-set nozapret dst %s"
           % (LOOP, QUEUE)])
    equal(len([r for r in rules if "zport_udp src" in r]), 2)
    equal(world.ipset("zport_udp_k"), ["50000", "50001", "50002"])


def test_rules_go_even_when_the_config_changed(world: World):
    start(world)
    world.config(*COMMON, "NFQWS2_PORTS_TCP=1234", "QNUM=301", "DESYNC_MARK=0x4", "NFQWS2_UDP_PKT_OUT=0")
    world.service("stop")
    equal(world.saved_rules(), {})


def test_rules_without_a_state_file_go_too(world: World):
    start(world)
    world.sh("rm /run/zapret2_iptables.state")
    world.service("stop")
    equal(world.saved_rules(), {})


def test_a_refused_rule_leaves_nothing_of_its_family(world: World):
    world.use_iptables("nft")
    world.config(*COMMON, "QNUM=99999999", "DISABLE_IPV6=0", "FILTER_TTL_EXPIRED_ICMP=0")
    text = world.service("start-fw", check_code=1)
    contains(text, "ERROR: the iptables rules could not be set")
    contains(text, "ERROR: the ip6tables rules could not be set")
    equal((world.saved_rules(), world.saved_rules("ip6tables")), ({}, {}))
    equal(world.sh("ls /tmp"), "")


def test_bad_ports_are_refused(world: World):
    world.use_iptables("nft")
    world.config(*COMMON, "NFQWS2_PORTS_TCP='80;443'", "FILTER_TTL_EXPIRED_ICMP=0")
    contains(world.service("start-fw", check_code=1), "bad list of ports")
    equal([r for r in world.saved_rules()["mangle"] if "tcp" in r], [])


def test_missing_ipset_is_reported(world: World):
    world.use_iptables("nft")
    world.config(*COMMON)
    world.env["PATH"] = "/opt/bin:/opt/less"
    world.sh("mkdir /opt/less; for f in /usr/bin/* /usr/sbin/* /bin/busybox; do case $f in */ipset|*/nft) ;;"
             " *) ln -s $f /opt/less/ 2>/dev/null;; esac; done; true", env={"PATH": "/usr/bin:/usr/sbin"})
    contains(world.service("start-fw", check_code=1), "ERROR: ipset is not installed")
    equal(world.saved_rules(), {})


def test_fw_extra(world: World):
    start(world, "FW_EXTRA_PRE='-s 10.0.0.0/8'", "FW_EXTRA_POST='-m comment --comment post'", "NFQWS2_PORTS_UDP=",
          "NFQWS2_TCP_PKT_IN=0", "DISABLE_IPV6=0")
    rules = world.saved_rules()
    contains(rules["mangle"][1], "-A POSTROUTING -s 10.0.0.0/8 -p tcp")
    contains(rules["mangle"][1], "nozapret dst -m comment --comment post -j NFQUEUE")
    lacks("".join(rules["filter"]), "10.0.0.0/8")
    lacks("".join(world.saved_rules("ip6tables")["mangle"]), "comment")


def test_conntrack_liberal_mode_and_hooks(world: World):
    flag = "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal"
    hooks = ["INIT_FW_%s_HOOK='/opt/bin/hook %s arg'" % (name, name) for name in
             ("PRE_UP", "POST_UP", "PRE_DOWN", "POST_DOWN")]
    world.tool("hook", '#!/bin/sh\necho "$1 $2 $(iptables-save | grep -c NFQUEUE)" >>/opt/hooks\n')
    start(world, "MODE_FILTER=autohostlist", *hooks)
    equal(world.read(flag).strip(), "1")
    world.service("stop")
    equal(world.read(flag).strip(), "0")
    equal(world.read("/opt/hooks"), "PRE_UP arg 0\nPOST_UP arg 6\nPRE_DOWN arg 6\nPOST_DOWN arg 0\n")
    world.config(*COMMON, "MODE_FILTER=autohostlist", "SKIP_CONNTRACK_LIBERAL_MODE=1")
    world.service("start-fw")
    equal(world.read(flag).strip(), "0")


def test_init_apply_fw_off(world: World):
    start(world, "INIT_APPLY_FW=0")
    equal(world.saved_rules(), {})
    check(world.processes("nfqws2"), "no daemon")
    world.service("start_fw")
    equal(world.saved_rules(), LISTING_A)
    world.service("stop")
    equal(world.saved_rules(), LISTING_A, "stop must leave the firewall alone")
    world.service("stop_fw")
    equal(world.saved_rules(), {})


def test_interface_set_verbs_need_nftables(world: World):
    world.use_iptables("nft")
    world.config(*COMMON)
    for verb in ("reload-ifsets", "list_ifsets", "list-table"):
        contains(world.service(verb), "only nftables has interface sets")
    equal(world.sh("nft list tables"), "")


# --- traffic ------------------------------------------------------------------------------------------

SITE = """
import http.server, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "200000"); self.end_headers()
        self.wfile.write(b"x" * 200000)
    def log_message(self, *args): pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 512
Server(("10.0.0.2", 80), Handler).serve_forever()
"""


def make_site(world):
    """A web server in a second network."""
    world.needs_program("ip")
    world.write("/opt/site.py", SITE)
    world.sh("ip netns add site; ip link add wan0 type veth peer name eth0 netns site;"
             "ip addr add 10.0.0.1/24 dev wan0; ip link set wan0 up;"
             "ip -n site addr add 10.0.0.2/24 dev eth0; ip -n site link set eth0 up; ip -n site link set lo up;"
             "ip netns exec site python3 /opt/site.py >/opt/site.log 2>&1 &")
    world.wait_for(lambda: fetch() is None, "the site does not answer: " + fetch().__repr__())


def fetch():
    """One request; what went wrong, or None."""
    try:
        with urllib.request.urlopen("http://10.0.0.2/", timeout=10) as reply:
            return None if len(reply.read()) == 200000 else "short answer"
    except OSError as problem:
        return str(problem)


def queue_row():
    """Number of the last packet, and packets dropped, of queue 300."""
    with open("/proc/thread-self/net/netfilter/nfnetlink_queue", encoding="utf-8") as f:
        for line in f:
            words = line.split()
            if words[0] == "300":
                return int(words[7]), int(words[5]) + int(words[6])
    raise Failure("queue 300 is not bound")


def traffic(world, variant):
    make_site(world)
    files = set(os.listdir("/run"))
    start(world, variant=variant)
    equal(queue_row(), (0, 0))
    for _ in range(5):
        equal(fetch(), None)
    count, dropped = queue_row()
    check(count >= 20 and dropped == 0, "packets in the queue: %d, dropped %d" % (count, dropped))

    # Restart under load: requests all the time, none may fail.
    done, problems, stop = [], [], threading.Event()

    def load():
        while not stop.is_set():
            problem = fetch()
            (problems if problem else done).append(problem)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            before = world.processes("nfqws2")
            world.service("restart")
            check(before != world.processes("nfqws2"), "the same daemon after restart")
            world.wait_for(lambda: queue_row()[0] > 20, "no packets after a restart")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    equal(problems, [])
    check(len(done) > 20, "only %d requests" % len(done))
    world.service("stop")
    equal(fetch(), None)
    # Nothing is left but the sets, which other rules may use.
    equal((world.processes("nfqws2"), supervisors(), world.saved_rules()), ([], [], {}))
    equal(sorted(world.sh("ipset list -n").split()), ["ipban", "nozapret", "zapret"])
    equal((os.listdir("/tmp"), set(os.listdir("/run")) - files - {"xtables.lock", "zapret2.lock"}), ([], {"zapret2"}))


def test_traffic_nft(world: World):
    traffic(world, "nft")


def test_traffic_legacy(world: World):
    traffic(world, "legacy")


def test_base_is_where_the_script_is(world: World):
    world.use_iptables("nft")
    world.config(*COMMON, "INIT_APPLY_FW=0")
    world.sh("ln -s %s/init.d/sysv/zapret2 /etc/init.d/zapret2" % BASE)
    world.run("/etc/init.d/zapret2", "start", check_code=0, env={"ZAPRET_BASE": "/nowhere"})
    equal(world.daemon_words()[0], BASE + "/nfq2/nfqws2")
