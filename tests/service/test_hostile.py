"""Values of the config and entries of lists that look like code."""
import os

import test_lists
import test_static
from sandbox import World, check, contains, equal
from test_lists import IPSET, prepare, run
from test_nftables import WRAPPER

SHELLS = ("dash",)

# Where a value may stand that no shell should take for code.
EVIL = "$(touch /opt/evil)`touch /opt/evil`;touch /opt/evil\n\"'touch /opt/evil && touch /opt/evil | touch /opt/evil"
# These are commands by their meaning.
COMMANDS = {"IPSET_HOOK", "LISTS_RELOAD", "GETLIST"} | {
    "INIT_FW_%s_%s_HOOK" % (when, way) for when in ("PRE", "POST") for way in ("UP", "DOWN")}


def quoted(text):
    return "'%s'" % text.replace("'", "'\\''")


def hostile(world, firewall):
    """Each variable in turn; the tools take everything."""
    for name in ("nft", "iptables", "ip6tables", "iptables-restore", "ip6tables-restore", "ipset", "sysctl", "stub"):
        world.tool(name, "#!/bin/sh\n[ -t 0 ] || cat >/dev/null\nexit 0\n")
    names = sorted((set(test_static.DEFAULTS) | set(test_static.UNSET) | {"NFQWS2_OPT", "QNUM", "CUSTOM_DIR",
                    "HOSTLIST_BASE", "ZAPRET_NFT_TABLE", "SET_MAXELEM_EXCLUDE", "IPSET_OPT_EXCLUDE"}) - COMMANDS)
    world.write("ipset/zapret-hosts-user.txt", "x\n")
    for name in names:
        world.config("WS_USER=nobody", "FWTYPE=" + firewall, "NFQWS2=/opt/bin/stub", "NFQWS2_ENABLE=1",
                     "IFACE_WAN=wan0", "DAEMON_START_STEPS=1", "FSLEEP=1", "MODE_FILTER=autohostlist",
                     "FLOWOFFLOAD=software",
                     "NFQWS2_PORTS_TCP_KEEPALIVE=80", "NFQWS2_OPT='<HOSTLIST> <HOSTLIST_NOAUTO>'",
                     "%s=%s" % (name, quoted(EVIL)))
        for verb in ("start", "stop"):
            world.service(verb, check_code=None)
        check(not os.path.exists("/opt/evil"), "executed: " + name)


def test_values_are_no_code_iptables(world: World):
    hostile(world, "iptables")


def test_values_are_no_code_nftables(world: World):
    hostile(world, "nftables")


def test_values_of_list_scripts_are_no_code(world: World):
    prepare(world)
    world.write(IPSET + "zapret-hosts-user.txt", "a.test\n")
    for name in ("MDIG_THREADS", "MDIG_EAGAIN", "MDIG_EAGAIN_DELAY", "IP2NET_OPT4", "IP2NET_OPT6", "GZIP_LISTS",
                 "SET_MAXELEM", "IPSET_OPT", "TMPDIR", "GETLIST", "DISABLE_IPV6"):
        world.config(*test_lists.CONFIG, "%s=%s" % (name, quoted(EVIL)))
        run(world, "get_user.sh", code=None)
        run(world, "get_config.sh", code=None)
        check(not os.path.exists("/opt/evil"), "executed: " + name)


def test_entries_of_user_lists_are_no_commands(world: World):
    prepare(world, "DISABLE_IPV6=0")
    evil = "a.test\n$(touch /opt/evil)\n`touch /opt/evil`\n;touch /opt/evil\n'\";touch /opt/evil\n-f\n--help\n" \
           "a.test;touch /opt/evil\n| touch /opt/evil\n&& touch /opt/evil\n\\\n\x00\x01\xff\n../../etc/passwd\n*\n"
    for name in ("user", "user-exclude", "user-ipban"):
        world.write(IPSET + "zapret-hosts-%s.txt" % name, evil)
    run(world, "get_user.sh")
    equal((world.ipset("zapret"), world.ipset("nozapret"), world.ipset("ipban")), (["1.1.1.1"],) * 3)
    world.tool("nft", WRAPPER)
    world.config(*test_lists.CONFIG, "FWTYPE=nftables")
    run(world, "get_user.sh")
    contains(world.sh("nft list set inet zapret2 zapret"), "elements = { 1.1.1.1 }")
    check(not os.path.exists("/opt/evil"), "executed")
