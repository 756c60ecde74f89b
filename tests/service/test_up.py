"""nfqws2ctl up and down: a daemon with the rules that its options need, by one file."""
import os

from sandbox import World, check, contains, equal, kill, lacks

SHELLS = ("dash",)
CTL = "/opt/programs/nfqws2ctl"
FILE = "/etc/zapret2/desktop.conf"
PID = "/run/zapret2/up-desktop.pid"


def options(world, text="--qnum=300 --user=nobody --filter-tcp=80 --out-range=-n4 --payload=http_req"):
    world.use_iptables("legacy")
    world.sh("mount --bind /opt/bin /usr/local/bin")
    os.makedirs("/etc/zapret2", exist_ok=True)
    world.write(FILE, text + " --lua-init=@/opt/zapret2/lua/zapret-lib.lua "
                "--lua-init=@/opt/zapret2/lua/zapret-antidpi.lua --lua-desync=multisplit:pos=2\n")


def queue_rules(world):
    return [rule for rule in world.saved_rules().get("mangle", []) if "NFQUEUE" in rule]


def nothing_left(world):
    equal((world.saved_rules(), world.processes("nfqws2")), ({}, []))
    equal([name for name in os.listdir("/run/zapret2") if name.startswith("up-")], [])


def test_up_and_down(world: World):
    options(world)
    contains(world.run(CTL, "up", FILE, check_code=0).text, "up: /run/zapret2/nfqws2-desktop.sock\n")
    contains(world.read("/proc/net/netfilter/nfnetlink_queue"), "  300 ")
    check(queue_rules(world), "no rules")
    for rule in queue_rules(world):
        contains(rule, "--queue-bypass")
    contains(world.run(CTL, "-q", "desktop", "status", check_code=0).text, "300")
    # Again, with other options: the old ones go, whatever their queue was.
    options(world, "--qnum=301 --user=nobody --filter-tcp=8080 --out-range=-n4")
    world.run(CTL, "up", FILE, check_code=0)
    equal(len(world.processes("nfqws2")), 1)
    text = " ".join(queue_rules(world))
    contains(text, "8080")
    lacks(text, "--queue-num 300")
    os.remove(FILE)
    world.run(CTL, "down", FILE, check_code=0)
    nothing_left(world)
    contains(world.run(CTL, "down", FILE, check_code=1).text, "nothing of %s is up, and there is no such file" % FILE)
    options(world)
    contains(world.run(CTL, "down", FILE, check_code=0).text, "nothing of %s is up\n" % FILE)


def test_files_that_cannot_be_read(world: World):
    """What the program says of them is told, and nothing is blamed on the program."""
    for text in (None, '--qnum=300 "unclosed\n'):
        if text is not None:
            os.makedirs("/etc/zapret2", exist_ok=True)
            world.write(FILE, text)
        said = world.run(CTL, "up", FILE, check_code=1).text
        contains(said, FILE)
        contains(said, "the options of %s cannot be used" % FILE)
        lacks(said, "cannot be run")
        equal((world.saved_rules(), world.processes("nfqws2")), ({}, []))


def test_after_a_crash(world: World):
    """Its rules let packets pass, and the next up or down cleans up."""
    options(world)
    for word, rules in (("up", True), ("down", False)):
        world.run(CTL, "up", FILE, check_code=0)
        kill(int(world.read(PID)), 9)
        world.wait_for(lambda: not world.processes("nfqws2"), "it lives")
        check(all("--queue-bypass" in rule for rule in queue_rules(world)), "blocks")
        world.run(CTL, word, FILE, check_code=0)
        equal((bool(queue_rules(world)), len(world.processes("nfqws2"))), (rules, int(rules)))
    nothing_left(world)


def test_wrong_options_change_nothing(world: World):
    options(world, "--qnum=300 --no-such-option")
    text = world.run(CTL, "up", FILE, check_code=1).text
    contains(text, "\n  (%s:1): unrecognized option" % FILE)
    equal((world.saved_rules(), world.processes("nfqws2")), ({}, []))


def test_empty_and_hostile_files(world: World):
    """What belongs to no place names none; nothing of the file steers the terminal."""
    options(world)
    world.write(FILE, "# nothing yet\n")
    equal(world.run(CTL, "up", FILE, check_code=1).text,
          "nfqws2ctl: the options of %s are not right:\n  Need queue number (--qnum), e.g. --qnum=200\n" % FILE)
    world.write(FILE, "--qnum=300 '--no-such\x1b[2J'\n")
    contains(world.run(CTL, "up", FILE, check_code=1).text, "\\x1b[2J")


def test_rules_of_others_stay(world: World):
    options(world)
    rule = "POSTROUTING -t mangle -p tcp --dport 80 -j NFQUEUE --queue-num 300 --queue-bypass"
    world.sh("iptables -A " + rule)
    contains(world.run(CTL, "up", FILE, check_code=0).text, "are there already")
    equal(len(queue_rules(world)), 1)
    world.run(CTL, "down", FILE, check_code=0)
    equal(len(queue_rules(world)), 1)
    world.sh("iptables -D " + rule)
    # Another process may be in charge of the daemon.
    world.run(CTL, "up", "--rules-only", FILE, check_code=0)
    check(queue_rules(world) and not world.processes("nfqws2"), "not the rules alone")
    world.run(CTL, "down", "--rules-only", FILE, check_code=0)
    nothing_left(world)


# Refuses rules with these matches, as a program without them does.
WITHOUT = """#!/bin/sh
case " $* " in *" -m %(match)s "*) echo "no match %(match)s" >&2; exit 2 ;; esac
case $0 in
*-restore)
	rules=$(cat)
	case $rules in *" -m %(match)s "*) echo "no match %(match)s" >&2; exit 2 ;; esac
	printf '%%s\\n' "$rules" | exec %(real)s "$@" ;;
*) exec %(real)s "$@" ;;
esac
"""


def test_cut_down_iptables(world: World):
    """A router's iptables without a match: the rules do without, and it is told what that costs."""
    ports = "--qnum=300 --user=nobody --filter-tcp=80,443,8000-8010 --out-range=-n4"
    for match, cost, left in (("multiport", "a rule for each port", "--dport 8000:8010"),
                              ("connbytes", "all packets of the connections", "--dports 80,443,8000:8010"),
                              ("mark", "come by it again", "connbytes"),
                              ("conntrack", "both directions", "connbytes")):
        options(world, ports)
        for tool in ("iptables", "iptables-restore", "ip6tables", "ip6tables-restore"):
            wrapper = "/opt/bin/" + tool
            real = os.path.realpath(wrapper)
            os.remove(wrapper)
            world.write(wrapper, WITHOUT % {"match": match, "real": "%s %s" % (real, tool)})
            os.chmod(wrapper, 0o755)
        text = world.run(CTL, "up", "--rules-only", FILE, check_code=0).text
        contains(text, "has no match '%s': " % match)
        contains(text, cost)
        rules = " ".join(queue_rules(world))
        contains(rules, left)
        lacks(rules, "-m %s " % match)
        world.run(CTL, "down", "--rules-only", FILE, check_code=0)
        nothing_left(world)
