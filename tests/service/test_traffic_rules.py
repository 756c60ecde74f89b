"""NFQWS2_RULES: the standard daemon's traffic rules."""
import os

import test_iptables
from sandbox import BASE, SCRIPT, World, contains, equal, lacks
from test_control import control

CONF = "/run/zapret2/300.conf"
RULES = 'version = 1\n[[profile]]\n[[profile.rule]]\nmatch = [ { dport = 9 } ]\naction = [ "drop" ]\n'
# Its ports can be told, a start fails.
LACKING = RULES.replace("version = 1\n", 'version = 1\n[set.gone]\nfile = "/nowhere/set"\n').replace(
    "{ dport = 9 }", '{ dport = 9 }, { pset = { name = "gone" } }')
AUTO = ("NFQWS2_PORTS_TCP=auto", "NFQWS2_OPT='--filter-tcp=80 --lua-desync=pass'")


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
    reload_is_refused(world, "a restart is needed")
    world.config(*test_iptables.COMMON, "NFQWS2_RULES=%s/none.toml" % BASE)
    reload_is_refused(world, "a restart is needed")
    world.config(*test_iptables.COMMON, 'NFQWS2_RULES="/etc/a b.toml"')
    reload_is_refused(world, "NFQWS2_RULES must be a path without blanks")
    world.config(*test_iptables.COMMON, "NFQWS2_OPT='--filter-tcp=80 <HOSTLITS>'")
    reload_is_refused(world, "unknown placeholder <HOSTLITS>")
    world.write("more.toml", RULES)
    world.config(*test_iptables.COMMON, "NFQWS2_RULES=%s/more.toml" % BASE)
    reload_is_refused(world, "a restart is needed")
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


def queued(world):
    """What leads to the queue: rules and ports."""
    return world.saved_rules(), world.ipset("zport_tcp")


def test_rules_of_the_firewall_stay_with_the_options(world: World):
    """Those of a daemon that keeps its options are not for the options that it does not get."""
    settings = (*AUTO, control(world, 2))
    test_iptables.start(world, *settings)
    before = queued(world)
    equal(before[1], ["80"])
    world.write("lacking.toml", LACKING)
    world.config(*test_iptables.COMMON, *settings, "NFQWS2_RULES=%s/lacking.toml" % BASE)
    reload_is_refused(world, "/nowhere/set: No such file or directory")
    equal(queued(world), before)
    # Mended, they change together.
    world.write("lacking.toml", RULES)
    contains(world.service("reload"), "daemon 1 is started again for its new options")
    assert queued(world) != before, before
    world.service("stop")


def test_a_kept_daemon_of_a_custom_script(world: World):
    """Rules follow the standard daemon, whatever becomes of others."""
    path = "init.d/sysv/custom.d/50-x"
    world.write(path, test_iptables.CUSTOM_DAEMON)
    test_iptables.start(world, *AUTO, control(world, 2))
    world.write(path, test_iptables.CUSTOM_DAEMON.replace("$Q_X\"; }", "$Q_X --no-such-option\"; }"))
    world.config(*test_iptables.COMMON, AUTO[0], AUTO[1].replace("80", "8443"), control(world, 2))
    contains(world.service("reload", check_code=1), "daemon 2000 keeps its options")
    equal(world.ipset("zport_tcp"), ["8443"])
    world.service("stop")


def test_a_file_that_turns_bad(world: World):
    """The options are the same, the lists are read again: the daemon keeps the rules that it has."""
    world.write("rules.toml", RULES)
    world.use_iptables("nft")
    world.config(*test_iptables.COMMON, *AUTO, "NFQWS2_RULES=%s/rules.toml" % BASE)
    world.sh(SCRIPT + " start 2>/opt/log")
    pid, before = world.processes("nfqws2"), queued(world)
    said = "rules.toml:1:11: version 2: this program reads version 1"
    world.write("rules.toml", "version = 2")
    contains(world.service("reload"), said)
    world.wait_for(lambda: "rules: the old ones stay in force" in world.read("/opt/log"), "not in the log")
    contains(world.read("/opt/log"), "rules: %s/%s" % (BASE, said))
    equal((world.processes("nfqws2"), queued(world)), (pid, before))
    world.service("stop")
