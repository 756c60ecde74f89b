"""Several workers: the daemon's option and the rules that spread packets over its queues."""
import json

import test_iptables
import test_nftables
from sandbox import World, contains, equal, lacks

ONE = "--queue-num 300 --queue-bypass"


def bound(world):
    """The bound queues with numbers that the configuration can lead to."""
    rows = world.read("/proc/net/netfilter/nfnetlink_queue").splitlines()
    numbers = [int(row.split()[0]) for row in rows]
    return sorted(n for n in numbers if 290 <= n < 400 or 65300 <= n < 65400)


def with_queues(listing, one, several):
    return json.loads(json.dumps(listing).replace(one, several))


def test_iptables_rules_and_daemon(world: World):
    test_iptables.start(world, "NFQWS2_WORKERS=3")
    equal(world.saved_rules(),
          with_queues(test_iptables.LISTING_A, ONE, "--queue-balance 300:302 --queue-bypass"))
    words = world.daemon_words()
    equal(words[words.index("--qnum=300") + 1], "--workers=3")
    equal(bound(world), [300, 301, 302])
    world.service("stop")
    equal(world.saved_rules(), {})
    equal(bound(world), [])


def test_rules_go_even_when_the_number_changed(world: World):
    test_iptables.start(world, "NFQWS2_WORKERS=3")
    world.config(*test_iptables.COMMON, "NFQWS2_WORKERS=2")
    world.service("stop")
    equal(world.saved_rules(), {})


def test_custom_daemons_keep_one_queue(world: World):
    world.write("init.d/sysv/custom.d/50-x", test_iptables.CUSTOM_DAEMON)
    test_iptables.start(world, "NFQWS2_WORKERS=2")
    equal(bound(world), [300, 301, 65300])
    contains("\n".join(world.saved_rules()["mangle"]), "-j NFQUEUE --queue-num 65300 --queue-bypass")
    world.service("stop")


def test_nftables_rules(world: World):
    test_nftables.start(world, "NFQWS2_WORKERS=4")
    want = with_queues(test_nftables.LISTING_C, test_nftables.Q, "queue flags bypass to 300-303")
    equal(test_nftables.rules(world), want)


def test_one_worker_is_no_option(world: World):
    test_iptables.start(world, "NFQWS2_WORKERS=1")
    equal(world.saved_rules(), test_iptables.LISTING_A)
    lacks(" ".join(world.daemon_words()), "--workers")


def test_a_bad_number_is_reported(world: World):
    world.use_iptables("nft")
    for number in ("0", "65", "x"):
        world.config(*test_iptables.COMMON, "NFQWS2_WORKERS=" + number)
        contains(world.service("start", check_code=1), "NFQWS2_WORKERS must be 1 to 64: " + number)
        equal(world.saved_rules(), test_iptables.LISTING_A)
        equal(bound(world), [300])
        world.service("stop", check_code=None)
