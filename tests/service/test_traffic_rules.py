"""NFQWS2_RULES: the standard daemon's traffic rules."""
import os

import test_iptables
from sandbox import BASE, World, contains, equal, lacks

CONF = "/run/zapret2/300.conf"
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


def reload_is_refused(world, *said):
    """The daemon keeps running with what it has, also for a start after a crash."""
    pid, conf = world.processes("nfqws2"), world.read(CONF)
    text = world.service("reload", check_code=1)
    for part in said + ("daemon 1 keeps its options",):
        contains(text, part)
    equal(world.processes("nfqws2"), pid)
    equal(world.read(CONF), conf)
    equal([name for name in os.listdir("/run/zapret2") if ".before" in name or ".next" in name], [])


def test_a_bad_file_does_not_end_the_daemon(world: World):
    world.write("rules.toml", RULES)
    world.write("bad.toml", RULES.replace("drop", "dorp"))
    test_iptables.start(world, "NFQWS2_RULES=%s/rules.toml" % BASE)
    world.config(*test_iptables.COMMON, "NFQWS2_RULES=%s/bad.toml" % BASE)
    reload_is_refused(world, "bad.toml:5:12: in rule '1/main#1': unknown action 'dorp'")
    world.config(*test_iptables.COMMON, "NFQWS2_RULES=%s/none.toml" % BASE)
    reload_is_refused(world, "none.toml: No such file or directory")
    world.config(*test_iptables.COMMON, 'NFQWS2_RULES="/etc/a b.toml"')
    reload_is_refused(world, "NFQWS2_RULES must be a path without blanks")
    world.config(*test_iptables.COMMON, "NFQWS2_OPT='--filter-tcp=80 <HOSTLITS>'")
    reload_is_refused(world, "unknown placeholder <HOSTLITS>")
    # A good one needs a start, and gets it.
    world.write("more.toml", RULES)
    pid = world.processes("nfqws2")
    world.config(*test_iptables.COMMON, "NFQWS2_RULES=%s/more.toml" % BASE)
    contains(world.service("reload"), "daemon 1 is started again for its new options")
    assert world.processes("nfqws2") != pid, pid
    world.service("stop")


def test_a_bad_file_without_a_socket(world: World):
    """Its options stand on the command line: nobody can be asked."""
    world.write("bad.toml", "version = 2")
    test_iptables.start(world, "NFQWS2_CONTROL=0")
    pid = world.processes("nfqws2")
    world.config(*test_iptables.COMMON, "NFQWS2_CONTROL=0", "NFQWS2_RULES=%s/bad.toml" % BASE)
    contains(world.service("reload", check_code=1), "daemon 1 keeps its options")
    equal(world.processes("nfqws2"), pid)
    world.service("stop")


def test_a_file_that_turns_bad(world: World):
    """The options are the same, the lists are read again: the daemon keeps the rules that it has."""
    world.write("rules.toml", RULES)
    test_iptables.start(world, "NFQWS2_RULES=%s/rules.toml" % BASE)
    pid = world.processes("nfqws2")
    world.write("rules.toml", "version = 2")
    world.service("reload")
    equal(world.processes("nfqws2"), pid)
    world.service("stop")
