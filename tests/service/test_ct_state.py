"""NFQWS2_CT_STATE_MARK: the daemon's option and the rules that tell it states of connections."""
import test_iptables
import test_nftables
from sandbox import World, contains, equal, lacks

STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
RULES = ["-m conntrack --ctstate %s -j MARK --set-xmark 0x%x/0x7000000" % (state, value << 24)
         for value, state in enumerate(STATES, 1)]


def test_iptables_rules_and_daemon(world: World):
    test_iptables.start(world, "DISABLE_IPV6=0", "NFQWS2_CT_STATE_MARK=0x07000000")
    for tables in ("iptables", "ip6tables"):
        rules = world.saved_rules(tables)["mangle"]
        for chain in ("INPUT", "FORWARD", "POSTROUTING"):
            own = [rule[len("-A %s " % chain):] for rule in rules if rule.startswith("-A %s " % chain)]
            at = [own.index(rule) for rule in RULES]
            queues = [n for n, rule in enumerate(own) if "NFQUEUE" in rule]
            equal(len(queues), 2)
            equal([n for n in queues if n < max(at)], [])
    words = world.daemon_words()
    equal(words[words.index("--qnum=300") + 1], "--ct-state-mark=0x07000000")
    world.service("stop")
    equal(world.saved_rules(), {})


def test_nftables_rules(world: World):
    test_nftables.start(world, "NFQWS2_CT_STATE_MARK=0x07000000")
    got = test_nftables.rules(world)
    for chain in ("postnat_hook", "prenat_hook"):
        told = [rule for rule in got[chain] if "ct state" in rule]
        equal(len(told), len(STATES))
        for value, state in enumerate(STATES, 1):
            rule = [rule for rule in told if state.lower() in rule]
            equal(len(rule), 1)
            # nft leaves out of the mask what is set behind it.
        contains(rule[0], "meta mark set meta mark & 0x%08x | 0x%08x" % (0xf8ffffff | value << 24, value << 24))
        equal(got[chain][:len(STATES)], told)


def test_beside_the_offload_mark(world: World):
    test_iptables.start(world, "NFQWS2_CT_STATE_MARK=0x07000000", "NFQWS2_OFFLOAD_MARK=0x08000000")
    words = " ".join(world.daemon_words())
    contains(words, "--offload-mark=0x08000000 --ct-state-mark=0x07000000")
    world.service("stop")
    equal(world.saved_rules(), {})


def test_a_bad_mark_is_reported(world: World):
    world.use_iptables("nft")
    for mark in ("0", "0x", "0x3", "0xD", "0xF", "x", "0x70000000", "0x38000000", "0x700000000", "7"):
        world.config(*test_iptables.COMMON, "NFQWS2_CT_STATE_MARK=" + mark, "NFQWS2_OFFLOAD_MARK=0x08000000")
        contains(world.service("start", check_code=1), "NFQWS2_CT_STATE_MARK must be three adjacent bits")
        lacks(" ".join(world.daemon_words()), "--ct-state-mark")
        world.service("stop", check_code=None)
