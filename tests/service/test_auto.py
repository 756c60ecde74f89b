"""NFQWS2_PORTS_TCP=auto and its like: ports and numbers of packets follow from the strategy."""
import test_iptables
import test_nftables
from sandbox import World, contains, equal, lacks

AUTO = tuple(name + "=auto" for name in (
    "NFQWS2_PORTS_TCP", "NFQWS2_TCP_PKT_OUT", "NFQWS2_TCP_PKT_IN", "NFQWS2_PORTS_UDP", "NFQWS2_UDP_PKT_OUT",
    "NFQWS2_UDP_PKT_IN"))
STRATEGY = ("NFQWS2_OPT='--filter-tcp=81,8000-8002 <HOSTLIST> --out-range=-n4 --lua-desync=pass "
            "--new --filter-udp=53 --in-range=-n2 --lua-desync=pass'")


def queue_rules(world, chain):
    return [rule for rule in world.saved_rules()["mangle"] if "NFQUEUE" in rule and rule.startswith("-A %s " % chain)]


def test_iptables_rules(world: World):
    text = test_iptables.start(world, *AUTO, STRATEGY)
    contains(text, "NFQWS2_PORTS_TCP=81,8000-8002 (auto)")
    udp, tcp = queue_rules(world, "POSTROUTING")
    lacks(udp, "connbytes")
    contains(tcp, "--connbytes 1:14 ")
    udp, tcp = queue_rules(world, "INPUT")
    contains(udp, "--connbytes 1:4 --connbytes-mode packets --connbytes-dir reply")
    contains(tcp, "--connbytes 1:1 ")
    equal(world.ipset("zport_tcp"), ["8000", "8001", "8002", "81"])
    equal(world.ipset("zport_udp"), ["53"])
    world.service("stop")
    equal(world.saved_rules(), {})


def test_one_of_them(world: World):
    test_iptables.start(world, "NFQWS2_TCP_PKT_OUT=auto", STRATEGY)
    _, tcp = queue_rules(world, "POSTROUTING")
    contains(tcp, "--connbytes 1:14 ")
    equal(world.ipset("zport_tcp"), ["443", "80"])
    world.service("stop")


def test_rules_go_even_when_the_strategy_changed(world: World):
    test_iptables.start(world, *AUTO, STRATEGY)
    world.config(*test_iptables.COMMON, *AUTO, "NFQWS2_OPT='--no-such-option'")
    world.service("stop")
    equal(world.saved_rules(), {})


def test_the_default_config_is_limited(world: World):
    test_iptables.start(world, *AUTO)
    for rule in queue_rules(world, "POSTROUTING") + queue_rules(world, "INPUT"):
        contains(rule, "--connbytes 1:")
    equal(world.ipset("zport_tcp"), ["443", "80"])
    equal(world.ipset("zport_udp"), ["443"])
    world.service("stop")


def test_an_automatic_list_has_answers(world: World):
    test_iptables.start(world, *AUTO, "MODE_FILTER=autohostlist")
    contains(queue_rules(world, "INPUT")[0], "--connbytes 1:7 ")
    world.service("stop")


def test_a_bad_strategy_is_reported(world: World):
    world.use_iptables("nft")
    world.config(*test_iptables.COMMON, *AUTO, "NFQWS2_OPT='--filter-tcp=http'")
    text = world.service("start-fw", check_code=1)
    contains(text, "--filter-tcp")
    contains(text, "ERROR: no rules for the standard daemon")
    equal([rule for rule in world.saved_rules().get("mangle", []) if "NFQUEUE" in rule], [])


def test_nftables_rules(world: World):
    test_nftables.start(world, *AUTO, STRATEGY)
    rules = test_nftables.rules(world)
    post = "\n".join(rules["postnat"])
    contains(post, "tcp dport { 81, 8000-8002 } ct original packets 1-14 ")
    lacks([rule for rule in rules["postnat"] if "udp dport" in rule][0], "packets")
    contains("\n".join(rules["prenat"]), "udp sport 53 ct reply packets 1-4 ")
