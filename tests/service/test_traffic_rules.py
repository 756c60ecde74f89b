"""NFQWS2_RULES: the standard daemon's traffic rules."""
import test_iptables
from sandbox import BASE, World, contains, equal, lacks

RULES = 'version = 1\n[[profile]]\n[[profile.rule]]\nmatch = [ { dport = 9 } ]\naction = [ "drop" ]\n'


def test_the_daemon_gets_the_file(world: World):
    world.write("rules.toml", RULES)
    path = BASE + "/rules.toml"
    test_iptables.start(world, "NFQWS2_RULES=" + path)
    assert "--rules=" + path in world.daemon_words(), world.daemon_words()
    world.service("stop")


def test_without_it_there_is_no_option(world: World):
    test_iptables.start(world)
    lacks(" ".join(world.daemon_words()), "--rules")
    world.service("stop")


def test_a_path_with_blanks_is_refused(world: World):
    world.use_iptables("nft")
    world.config(*test_iptables.COMMON, 'NFQWS2_RULES="/etc/a b.toml"')
    contains(world.service("start", check_code=None), "NFQWS2_RULES must be a path without blanks: /etc/a b.toml")
    world.service("stop")


def test_a_bad_path_does_not_keep_the_daemon(world: World):
    test_iptables.start(world)
    world.config(*test_iptables.COMMON, 'NFQWS2_RULES="/etc/a b.toml"')
    world.service("stop")
    equal(world.processes("nfqws2"), [])
