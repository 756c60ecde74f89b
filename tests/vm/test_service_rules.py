"""The nftables rules of the service scripts, alive: what is blocked opens, on the machine itself and
for the clients of a router, and closes when the service stops."""
import re
import socket

from world import cases, check, check_equal, contains, laboratory, long
from expect import comes_true

from service import Service, STRATEGY

COST = 20
NAMES = ("blocked.test", "other.test")
BLOCKED = NAMES[0]
URLS = ("http://%s/" % BLOCKED, "https://%s/" % BLOCKED)


def opens(lab, url, version):
    result = lab.curl(url, name=url.split("/")[2], version=version)
    return result.returncode == 0 and "It works" in result.stdout


def expect(lab, state, urls=URLS, versions=(4, 6)):
    for url in urls:
        for version in versions:
            check_equal("%s over IPv%d is open" % (url, version), opens(lab, url, version), state)


def filter_at(lab, who, interface):
    """Resets what shows the name: the box for a host, the server itself behind a router."""
    chain = "FORWARD" if who == "box" else "INPUT"
    lab.filter_words(BLOCKED, who=who, chain=chain, interface=interface)


def host(lab):
    filter_at(lab, "box", "to-client")
    return "client", ["IFACE_WAN=eth0"]


def router(lab):
    """The box translates addresses, so the kernel tracks its connections."""
    for tables in laboratory.TABLES:
        lab.run("box", tables, "-t", "nat", "-A", "POSTROUTING", "-o", "to-server", "-j", "MASQUERADE")
    filter_at(lab, "server", "eth0")
    return "box", ["IFACE_WAN=to-server", "IFACE_LAN=to-client"]


def queued(lab, who, queue=300):
    state = lab.queue_state(who, queue)
    return state[7] if state else 0


AUTO = [name + "=auto" for name in (
    "NFQWS2_PORTS_TCP", "NFQWS2_TCP_PKT_OUT", "NFQWS2_TCP_PKT_IN", "NFQWS2_PORTS_UDP", "NFQWS2_UDP_PKT_OUT",
    "NFQWS2_UDP_PKT_IN")]
# name -> (place, lines of the configuration, custom scripts)
CONFIGS = {
    "host": (host, [], ()),
    "host_before_nat": (host, ["POSTNAT=0"], ()),
    "host_no_icmp_filter": (host, ["FILTER_TTL_EXPIRED_ICMP=0"], ()),
    "host_keepalive": (host, ["NFQWS2_PORTS_TCP=", "NFQWS2_PORTS_TCP_KEEPALIVE=80,443"], ()),
    "host_offload_mark": (host, ["NFQWS2_OFFLOAD_MARK=0x08000000"], ()),
    "host_auto": (host, AUTO, ()),
    "router_auto": (router, AUTO, ()),
    "host_workers": (host, ["NFQWS2_WORKERS=2"], ()),
    "host_only_ports": (host, ["NFQWS2_PORTS_UDP=", "NFQWS2_TCP_PKT_IN=0"], ()),
    "router": (router, [], ()),
    "router_before_nat": (router, ["POSTNAT=0"], ()),
    "router_notrack_all": (router, ["POSTNAT_ALL=1"], ()),
    "router_offload_mark": (router, ["NFQWS2_OFFLOAD_MARK=0x08000000"], ()),
    "router_offload_mark_before_nat": (router, ["POSTNAT=0", "NFQWS2_OFFLOAD_MARK=0x08000000"], ()),
    "router_flow_offload": (router, ["FLOWOFFLOAD=software"], ()),
    "router_flow_offload_before_nat": (router, ["FLOWOFFLOAD=software", "POSTNAT=0"], ()),
    "router_fw_extra": (router, ["NFQWS2_ENABLE=0", "NFQWS2_ENABLE_OVERRIDE=1",
                                 "FW_EXTRA_PRE_NFQWS2_NFT='meta length 1-9999'"], ("20-fw-extra",)),
    "router_lan_filter": (router, ["FILTER_MARK=0x10000000", "FILTER_LAN_IP=10.77.1.0/24",
                                   "FILTER_LAN_IP6=fd77:1::/64"], ("99-lan-filter",)),
}


@cases(CONFIGS)
def test_rules(env, place, config, custom):
    with env.lab() as lab:
        lab.start_site(*NAMES)
        who, interfaces = place(lab)
        with Service(env, lab, who, *interfaces, *config, custom=custom) as service:
            check("queue " in service.rules(), "no queue in\n%s", service.rules())
            expect(lab, True)
            if not config:  # what the verbs do does not depend on it
                service("restart-fw")
                expect(lab, True, versions=(4,))
                service("reload-ifsets")
                expect(lab, True, versions=(6,))
        contains("\n" + service.rules(), "set nozapret")
        check("queue" not in service.rules(), "rules are left:\n%s", service.rules())
        expect(lab, False)


test_rules.long_cases = [name for name in CONFIGS if name not in (
    "host", "host_before_nat", "router", "router_offload_mark", "router_flow_offload")]


def test_address_sets(env):
    """MODE_FILTER=ipset: only addresses of the set are queued, exceptions are not."""
    with env.lab() as lab:
        lab.start_site(*NAMES)
        who, interfaces = host(lab)
        with Service(env, lab, who, "MODE_FILTER=ipset", *interfaces):
            expect(lab, False)
            for element, name in ((laboratory.SERVER4, "zapret"), (laboratory.SERVER6, "zapret6")):
                lab.run(who, "nft", "add", "element", "inet", "zapret2", name, "{ %s }" % element)
            expect(lab, True)
            for element, name in ((laboratory.SERVER4, "nozapret"), (laboratory.SERVER6, "nozapret6")):
                lab.run(who, "nft", "add", "element", "inet", "zapret2", name, "{ %s }" % element)
            expect(lab, False)


def download(lab, name, timeout=100):
    """A megabyte behind some requests of the same connection, which bring it beyond the ranges of its
    profile; the slow machine sends again, so they must be wide."""
    pages = ["https://%s/" % name] * 10 + ["https://%s/big.bin" % name]
    words = [word for url in pages for word in ("-o", "/dev/null", url)]
    return lab.curl(*words, name=name, timeout=timeout)


@cases({"host": (host,), "router": (router,)})
def test_finished_connections_leave(env, place):
    """NFQWS2_OFFLOAD_MARK: of a megabyte little is queued, even with all packets queued."""
    with env.lab() as lab:
        lab.start_site(*NAMES)
        who, interfaces = place(lab)
        with Service(env, lab, who, "NFQWS2_PORTS_TCP=", "NFQWS2_PORTS_TCP_KEEPALIVE=80,443",
                     "NFQWS2_TCP_PKT_IN=keepalive", "NFQWS2_OFFLOAD_MARK=0x08000000",
                     'NFQWS2_OPT="%s"' % STRATEGY.replace("--payload", "--out-range=-d6 --payload"),
                     *interfaces):
            before = queued(lab, who)
            check_equal("curl's exit code", download(lab, BLOCKED).returncode, 0)
            count = queued(lab, who) - before
            print("%d packets queued" % count)
            check(0 < count < 300, "%d packets were queued", count)


FLOWS = {"with_offload": (["FLOWOFFLOAD=software"], True), "without": ([], False)}


@cases(FLOWS)
def test_flow_offload(env, config, fast):
    """FLOWOFFLOAD=software: the first packets pass the queue, the rest the kernel's fast path."""
    with env.lab() as lab:
        lab.start_site(*NAMES)
        who, interfaces = router(lab)
        lab.run(who, "iptables", "-A", "FORWARD", "-p", "tcp")  # counts what is forwarded slowly
        with Service(env, lab, who, *interfaces, *config) as service:
            check(("flow add @ft" in service.rules()) == fast, "rules:\n%s", service.rules())
            check_equal("curl's exit code", download(lab, BLOCKED).returncode, 0)
        counted = lab.run(who, "iptables", "-S", "FORWARD", "-v").stdout
        slow = int(re.search(r"-A FORWARD -p tcp -c (\d+)", counted)[1])
        print("%d packets forwarded slowly" % slow)
        check((slow < 350) == fast, "%d packets took the slow way", slow)


# --- custom scripts: a packet each, and the queue that must see it

QUIC = bytes.fromhex("c000000001") + bytes(1195)
PAYLOADS = {
    "50-dht4all": (6881, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"),
    "50-discord-media": (50010, b"\0\1\0\x46\0\0\0\1" + bytes(66)),
    "50-quic4all": (8443, QUIC),
    "50-stun4all": (3478, b"\0\1\0\0\x21\x12\xa4\x42" + bytes(range(12))),
    "50-wg4all": (51820, b"\1\0\0\0" + bytes(144)),
}


@cases({name: (name, port, data) for name, (port, data) in PAYLOADS.items()})
def test_custom_script(env, script, port, data):
    """Its own packets are queued, over both families, and no others."""
    with env.lab() as lab:
        with Service(env, lab, "client", "NFQWS2_ENABLE=0", "IFACE_WAN=eth0", custom=(script,)):
            def send(payload, version, wanted):
                family = socket.AF_INET6 if version == 6 else socket.AF_INET
                before = queued(lab, "client", 65300)
                with lab.socket("client", family, socket.SOCK_DGRAM) as s:
                    s.sendto(payload, (laboratory.SERVER[version], port))
                # What is not to come can only be waited for a while.
                comes_true(lambda: queued(lab, "client", 65300) - before > wanted, 0.5)
                comes_true(lambda: queued(lab, "client", 65300) - before >= wanted)
                check_equal("packets queued over IPv%d" % version, queued(lab, "client", 65300) - before, wanted)
            for version in (4, 6):
                send(data, version, 1)
                send(b"x" * len(data), version, 0)


test_custom_script.long_cases = ["50-dht4all", "50-quic4all", "50-wg4all"]


@long
def test_web_server(env):
    """40-webserver: the answers of this machine's own server are queued."""
    with env.lab() as lab:
        lab.start_site(*NAMES)
        with Service(env, lab, "server", "NFQWS2_ENABLE=0", "IFACE_WAN=eth0", custom=("40-webserver",)):
            expect(lab, True)
            check(queued(lab, "server", 65300) >= 8, "only %d packets", queued(lab, "server", 65300))


@long
def test_names_of_dns(env):
    """80-dns-intercept: answers on their way to clients are seen, and arrive."""
    with env.lab() as lab:
        _, interfaces = router(lab)
        with Service(env, lab, "box", *interfaces, custom=("80-dns-intercept",)), \
                lab.socket("server", socket.AF_INET, socket.SOCK_DGRAM) as server, \
                lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as client:
            server.bind((laboratory.SERVER4, 53))
            before = queued(lab, "box")
            client.sendto(b"question", (laboratory.SERVER4, 53))
            server.settimeout(laboratory.PATIENCE)
            client.settimeout(laboratory.PATIENCE)
            server.sendto(b"answer", server.recvfrom(100)[1])
            check_equal("answer", client.recv(100), b"answer")
            check(queued(lab, "box") > before, "the answer was not queued")


@long
def test_addresses_of_a_script(env):
    """50-nfqws-ipset: sets of its own."""
    with env.lab() as lab:
        lab.start_site(*NAMES)
        host(lab)
        with Service(env, lab, "client", "NFQWS2_ENABLE=0", "IFACE_WAN=eth0",
                     "NFQWS2_MY1_SUBNETS4=10.77.2.0/24", "NFQWS2_MY1_SUBNETS6=fd77:2::/64",
                     'NFQWS2_MY1_OPT="%s"' % STRATEGY, custom=("50-nfqws-ipset",)):
            expect(lab, True)


@long
def test_all_scripts_together(env):
    with env.lab() as lab:
        lab.start_site(*NAMES)
        _, interfaces = router(lab)
        scripts = ("20-fw-extra", "40-webserver", *PAYLOADS, "50-nfqws-ipset", "80-dns-intercept")
        with Service(env, lab, "box", *interfaces, "NFQWS2_ENABLE=0", "NFQWS2_ENABLE_OVERRIDE=1",
                     custom=scripts) as service:
            expect(lab, True)
            service("restart")
            expect(lab, True)
