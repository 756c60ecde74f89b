"""NFQWS2_OFFLOAD_MARK: the daemon's option and the rules that spare finished connections."""
import test_iptables
import test_nftables
from sandbox import World, contains, equal, lacks

MARK = "0x8000000"
MARKED = "-m mark --mark %s/%s" % (MARK, MARK)
SAVE = "%s -j CONNMARK --set-xmark %s/%s" % (MARKED, MARK, MARK)
CLEAR = "%s -j MARK --set-xmark 0x0/%s" % (MARKED, MARK)
NOT_YET = "-m connmark ! --mark %s/%s" % (MARK, MARK)


def listing(rules):
    """What the mark makes of a listing: rules in front, a further condition for each queue."""
    wanted = []
    for chain in ("INPUT", "FORWARD", "POSTROUTING"):
        own = [rule for rule in rules["mangle"] if rule.startswith("-A %s " % chain)]
        # That of the ICMP filter is inserted last.
        first = [rule for rule in own if "CONNMARK" in rule]
        queues = [rule.replace(" -m set ! --match-set nozapret", " %s -m set ! --match-set nozapret" % NOT_YET)
                  for rule in own if rule not in first]
        wanted += first + ["-A %s %s" % (chain, rule) for rule in (SAVE, CLEAR)] + queues
    return dict(rules, mangle=wanted)


def test_iptables_rules_and_daemon(world: World):
    test_iptables.start(world, "NFQWS2_OFFLOAD_MARK=0x08000000")
    equal(world.saved_rules(), listing(test_iptables.LISTING_A))
    words = world.daemon_words()
    equal(words[words.index("--qnum=300") + 1], "--offload-mark=0x08000000")
    world.service("stop")
    equal(world.saved_rules(), {})


def test_iptables_of_both_families(world: World):
    test_iptables.start(world, "DISABLE_IPV6=0", "NFQWS2_OFFLOAD_MARK=0x08000000")
    for tables in ("iptables", "ip6tables"):
        rules = world.saved_rules(tables)["mangle"]
        for chain in ("INPUT", "FORWARD", "POSTROUTING"):
            own = [rule for rule in rules if rule.startswith("-A %s " % chain)]
            at = own.index("-A %s %s" % (chain, SAVE))
            equal(own[at + 1], "-A %s %s" % (chain, CLEAR))
            queues = [n for n, rule in enumerate(own) if "NFQUEUE" in rule]
            equal([n for n in queues if n < at or NOT_YET not in own[n]], [])
            equal(len(queues), 2)
    world.service("stop")


def test_rules_go_even_when_the_mark_changed(world: World):
    test_iptables.start(world, "NFQWS2_OFFLOAD_MARK=0x08000000")
    world.config(*test_iptables.COMMON)
    world.service("stop")
    equal(world.saved_rules(), {})


def test_custom_daemons_keep_their_connections(world: World):
    world.write("init.d/sysv/custom.d/50-x", test_iptables.CUSTOM_DAEMON)
    test_iptables.start(world, "NFQWS2_OFFLOAD_MARK=0x08000000")
    rule = [rule for rule in world.saved_rules()["mangle"] if "--dport 99" in rule]
    equal(len(rule), 1)
    lacks(rule[0], "connmark")
    world.service("stop")


def test_nftables_rules(world: World):
    test_nftables.start(world, "NFQWS2_OFFLOAD_MARK=0x08000000")
    save = "meta mark & 0x08000000 != 0x00000000 ct mark set ct mark | 0x08000000 " \
           "meta mark set meta mark & 0xf7ffffff"
    want = {}
    for chain, rules in test_nftables.LISTING_C.items():
        want[chain] = [rule.replace(" meta mark set", " ct mark & 0x08000000 == 0x00000000 meta mark set")
                       if chain == "postnat" else
                       rule.replace(" ct mark set", " ct mark & 0x08000000 == 0x00000000 ct mark set")
                       if chain == "prenat" else rule for rule in rules]
        if chain in ("postnat_hook", "prenat_hook"):
            want[chain].insert(0, save)
    equal(test_nftables.rules(world), want)


def test_nftables_without_postnat(world: World):
    test_nftables.start(world, "POSTNAT=0", "FILTER_TTL_EXPIRED_ICMP=0", "NFQWS2_OFFLOAD_MARK=0x08000000")
    got = test_nftables.rules(world)
    for hook in ("postrouting_hook", "prerouting_hook"):
        contains(got[hook][0], "ct mark set ct mark | 0x08000000")
        equal(len(got[hook]), 2)


def test_a_bad_mark_is_reported(world: World):
    world.use_iptables("nft")
    for mark in ("0", "0x", "0x3", "x", "0x40000000", "0x20000000", "0x100000000", "8"):
        world.config(*test_iptables.COMMON, "NFQWS2_OFFLOAD_MARK=" + mark)
        contains(world.service("start", check_code=1), "NFQWS2_OFFLOAD_MARK must be one bit that no other mark has")
        equal(world.saved_rules(), test_iptables.LISTING_A)
        lacks(" ".join(world.daemon_words()), "--offload-mark")
        world.service("stop", check_code=None)
