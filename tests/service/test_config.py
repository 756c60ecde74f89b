"""Variables of the config that no other test shows."""
import os

import test_lists
from sandbox import BASE, World, check, contains, equal
from test_daemons import STUB
from test_lists import IPSET, addresses, gz, prepare, publish, run


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
