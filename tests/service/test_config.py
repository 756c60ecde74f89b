"""Variables of the config that no other test shows."""
import os
import re
import shutil

import test_lists
from sandbox import BASE, SBIN, World, check, contains, equal, lacks
from test_daemons import STUB
from test_lists import IPSET, addresses, gz, prepare, publish, run
from test_nftables import WRAPPER


def test_capacity_of_sets(world: World):
    prepare(world, "IPSET_OPT='hashsize 128 maxelem 300'", "SET_MAXELEM_EXCLUDE=400", dns=False)
    run(world, "create_ipset.sh")
    contains(world.sh("ipset list -t zapret"), "hashsize 128 maxelem 300")
    contains(world.sh("ipset list -t nozapret"), "hashsize 1024 maxelem 400")
    world.sh("ipset destroy")
    world.config(*test_lists.CONFIG, "IPSET_OPT_EXCLUDE='hashsize 64 maxelem 500'")
    run(world, "create_ipset.sh")
    contains(world.sh("ipset list -t zapret"), "hashsize 262144 maxelem 522288")
    contains(world.sh("ipset list -t nozapret"), "hashsize 64 maxelem 500")
    world.sh("ipset destroy")
    world.write("config", "FWTYPE=iptables\nDISABLE_IPV6=1\n")
    run(world, "create_ipset.sh")
    contains(world.sh("ipset list -t zapret"), "maxelem 262144")
    contains(world.sh("ipset list -t nozapret"), "maxelem 65536")


def test_tools_and_their_options(world: World):
    """Programs, options and folder of the list scripts."""
    prepare(world, "MDIG=/opt/bin/my-mdig", "IP2NET=/opt/bin/my-ip2net", "MDIG_THREADS=7", "MDIG_EAGAIN=2",
            "MDIG_EAGAIN_DELAY=3", "IP2NET_OPT4='--prefix-length=20-24 --v4-threshold=1/2'", "TMPDIR=/opt/my-tmp",
            "GZIP_LISTS=0", web=True)
    os.mkdir("/opt/my-tmp")
    for name in ("mdig", "ip2net"):
        world.tool("my-" + name, '#!/bin/sh\necho "%s $*" >>/opt/tools.log\nls /opt/my-tmp >>/opt/tmp.log\n'
                                 'exec %s/%s/%s "$@"\n' % (name, BASE, name, name))
    world.write(IPSET + "zapret-hosts-user.txt", "a.test\n")
    publish(world, "list/ip.lst", addresses(12000))
    run(world, "get_antifilter_ip.sh")
    log = world.read("/opt/tools.log")
    contains(log, "mdig --family=4 --threads=7 --eagain=2 --eagain-delay=3 --stats=1000\n")
    contains(log, "ip2net -4 --prefix-length=20-24 --v4-threshold=1/2\n")
    contains(world.read("/opt/tmp.log"), "zapret2.")
    equal(os.listdir("/opt/my-tmp"), [])
    equal(world.read(IPSET + "zapret-ip-user.txt"), "1.1.1.1\n")
    # Without a line in the config the defaults are used.
    world.write("config", "FWTYPE=iptables\nMDIG=/opt/bin/my-mdig\nIP2NET=/opt/bin/my-ip2net\nDISABLE_IPV6=0\n")
    world.write(IPSET + "zapret-hosts-user.txt", "9.9.9.9\n2001:db8::9\n")
    publish(world, "bol-van/rulist/main/reestr_resolved4.txt", addresses(500))
    publish(world, "bol-van/rulist/main/reestr_resolved6.txt", "".join("2001:db8:%x::1\n" % i for i in range(500)))
    os.remove("/opt/tools.log")
    run(world, "get_reestr_preresolved.sh")
    log = world.read("/opt/tools.log")
    contains(log, "mdig --family=4 --threads=30 --eagain=10 --eagain-delay=500 --stats=1000\n")
    contains(log, "mdig --family=6 --threads=30 --eagain=10 --eagain-delay=500 --stats=1000\n")
    contains(log, "ip2net -4 --prefix-length=22-30 --v4-threshold=3/4\n")
    contains(log, "ip2net -6 --prefix-length=56-64 --v6-threshold=5\n")
    equal(len(gz("zapret-ip6.txt").split()), 500)


def test_another_config_file(world: World):
    world.write("/opt/other", "NFQWS2_ENABLE=1\nWS_USER=nobody\nINIT_APPLY_FW=0\nNFQWS2=/opt/bin/stub\n"
                              "DAEMON_START_STEPS=1\nNFQWS2_OPT=--mine\nGETLIST=probe.sh\n")
    world.tool("stub", STUB)
    world.write(IPSET + "probe.sh", "touch /opt/updated\n")
    env = {"ZAPRET_CONFIG": "/opt/other"}
    contains(world.service("start", env=env), "--qnum=300 --mine\n")
    world.service("stop", env=env)
    run(world, "get_config.sh", **env)
    check(os.path.exists("/opt/updated"), "the list script of that config did not run")


def test_marks(world: World):
    world.use_iptables("nft")
    world.tool("nft", "#!/bin/sh\ncase $1 in -f) cat \"$2\" 2>/dev/null || cat ;; esac >>/opt/nft.log\n")
    world.config("WS_USER=nobody", "NFQWS2_ENABLE=1", "FWTYPE=nftables", "DESYNC_MARK=0x100",
                 "DESYNC_MARK_POSTNAT=0x200")
    world.service("start-fw")
    text = world.read("/opt/nft.log")
    contains(text, "meta mark set meta mark or 0x200 ct mark set ct mark or 0x100 queue num 300 bypass")
    contains(text, "mark and 0x200 != 0 notrack")
    contains(text, "meta mark and 0x100 == 0 ip daddr != @nozapret jump postnat")


FIREWALLS = {"iptables": ("iptables-save", "ip6tables-save"), "nftables": ("nft list ruleset",)}


def shown(world, firewall):
    """The rules, sets and daemons that the config gives."""
    world.service("start")
    rules = "".join(world.sh(command) for command in FIREWALLS[firewall])
    rules = re.sub(r"(?m)^#.*$|^:.*$|\[\d+:\d+\]", "", rules)
    sets = re.sub(r" initval \S+", "", world.sh("ipset list -t")) if firewall == "iptables" else ""
    found = rules, sets, world.daemon_words()
    world.service("stop")
    world.sh("ipset destroy 2>/dev/null; nft flush ruleset")
    return found


def test_commented_values_are_those_in_force(world: World):
    """The same world with every commented line of config.default made a setting."""
    world.use_iptables("nft")
    world.tool("nft", WRAPPER)
    default = world.read("config.default")
    said = re.sub(r"(?m)^#([A-Z0-9_]+=)", r"\1", default)
    for line in ("FWTYPE=", "POSTNAT=1", "GETLIST=get_ipban.sh"):
        equal(said.count("\n%s\n" % line), 1, line)
    for firewall in FIREWALLS:
        for more in ("", "DISABLE_IPV6=0\nMODE_FILTER=autohostlist\nIFACE_WAN=wan0\nIFACE_LAN=lan0\n"):
            worlds = []
            for text in (default, said):
                world.write("config", text + "NFQWS2_ENABLE=1\nFWTYPE=%s\n%s" % (firewall, more))
                worlds.append(shown(world, firewall))
            equal(worlds[1], worlds[0], firewall + more)
            check("NFQUEUE" in worlds[0][0] or "queue" in worlds[0][0], "no rules to compare")
    # Of the lists: which script runs, and where its files are.
    world.write(IPSET + "get_ipban.sh", "echo $TMPDIR >>/opt/ran\n")
    for text in (default, said):
        world.write("config", text)
        run(world, "get_config.sh")
    equal(world.read("/opt/ran"), "/tmp\n/tmp\n")


# --- what is wrong with a config -----------------------------------------------------------------------


def test_windows_line_ends(world: World):
    """Said, exit 1, and nothing half started; what runs can be stopped."""
    world.use_iptables("nft")
    world.config("FWTYPE=iptables", "NFQWS2_ENABLE=1", "WS_USER=nobody")
    world.service("start")
    text = world.read("config")
    world.write("config", text.replace("\n", "\r\n"))
    for verb in ("start", "restart", "start-fw", "start-daemons"):
        out = world.service(verb, check_code=1)
        contains(out, BASE + "/config has Windows line ends (CR LF). Nothing was done.")
        equal(len(out.splitlines()), 2, out)
    equal(len(world.processes("nfqws2")), 1)
    contains(world.service("stop"), "WARNING: " + BASE + "/config has Windows line ends")
    equal(world.processes("nfqws2"), [])
    equal(world.saved_rules(), {})
    for script in ("ipset/get_config.sh", "ipset/create_ipset.sh", "install_prereq.sh"):
        contains(world.run("sh", "%s/%s" % (BASE, script), check_code=1).text, "has Windows line ends")
    contains(world.run("sh", BASE + "/blockcheck2.sh", check_code=1).text, "has Windows line ends")
    # What the message advises mends it.
    world.sh("sed -i 's/\\r$//' %s/config" % BASE)
    equal(world.read("config"), text)
    # A custom script saved so is left out and named, the rest starts.
    world.write("init.d/sysv/custom.d/50-dos", "zapret_custom_daemons() {\r\n\ttouch /opt/ran\r\n}\r\n")
    contains(world.service("start", check_code=1), "custom.d/50-dos has Windows line ends (CR LF) and is left out")
    equal(len(world.processes("nfqws2")), 1)
    check(not os.path.exists("/opt/ran"), "it was run")
    world.service("stop", check_code=1)


def test_unknown_placeholders_are_named(world: World):
    world.use_iptables("nft")
    world.config("FWTYPE=iptables", "NFQWS2_ENABLE=1", "WS_USER=nobody",
                 "NFQWS2_OPT='--filter-tcp=443 <HOSTLIST> --out-range=<d10 --new <HOSTLIST_NOATUO>'")
    contains(world.service("start", check_code=1), "NFQWS2_OPT: unknown placeholder <HOSTLIST_NOATUO>. There are ")
    equal(world.processes("nfqws2"), [])
    world.config("FWTYPE=iptables", "NFQWS2_ENABLE=1", "WS_USER=nobody",
                 "NFQWS2_OPT='--filter-tcp=443 <HOSTLIST-AUTO>'")
    contains(world.service("start", check_code=1), "NFQWS2_OPT: unknown placeholder <HOSTLIST-AUTO>. There are ")
    world.service("stop")


def test_rules_of_the_other_kind_go(world: World):
    """After a change of FWTYPE: at the next start, and at the next stop."""
    world.use_iptables("legacy")
    kinds = {"iptables": lambda: "NFQUEUE" in world.run("iptables-save").text,
             "nftables": lambda: "zapret2" in world.run("nft", "list", "tables").text and
             "postnat" in world.run("nft", "list", "table", "inet", "zapret2").text}
    lines = ("NFQWS2_ENABLE=1", "WS_USER=nobody")
    world.tool("nft", WRAPPER)
    for verb in ("start-fw", "stop-fw"):
        for old, new in (("iptables", "nftables"), ("nftables", "iptables")):
            world.config("FWTYPE=" + old, *lines)
            world.service("start-fw")
            equal({kind: there() for kind, there in kinds.items()}, {old: True, new: False})
            world.config("FWTYPE=" + new, *lines)
            world.service(verb)
            equal({kind: there() for kind, there in kinds.items()}, {old: False, new: verb == "start-fw"})
            world.service("stop-fw")


def test_nftables_only_where_it_queues(world: World):
    world.use_iptables("nft")
    world.config("NFQWS2_ENABLE=1", "WS_USER=nobody")
    real = shutil.which("nft", path=SBIN)
    refuse = ('#!/bin/sh\ntext=$(cat)\ncase "$text" in *queue*) exit 1 ;; esac\n'
              'printf "%%s\\n" "$text" | exec %s "$@"\n')
    world.tool("nft", refuse % real)
    said = "nftables can not queue packets here (kernel module nft_queue)"
    text = world.service("start-fw")
    contains(text, said + ": using iptables")
    contains(text, "Applying iptables")
    equal(text.count(said), 1, text)
    world.service("stop-fw")
    os.remove("/opt/bin/nft")
    world.tool("nft", WRAPPER)
    contains(world.service("start-fw"), "Applying nftables")
    lacks(world.run("nft", "list", "tables").text, "probe")
    world.service("stop-fw")
    # Neither: said, and an error.
    world.tool("nft", refuse % real)
    text = world.functions("linux_ipt_avail() { return 1; }; zapret_apply_firewall; exit $ZAPRET_FAILED", check_code=1)
    contains(text, said + ", and there is no iptables")
