"""OpenRC, runit, s6 and OpenWrt adapters with stand-ins of their systems; the readiness message."""
import os
import re
import shutil
import socket

from expect import PATIENCE
from sandbox import BASE, World, check, contains, equal, lacks
from test_iptables import LISTING_A
from test_nftables import WRAPPER, rules

COMMON = ("WS_USER=nobody", "NFQWS2_ENABLE=1")
LOGGING = '#!/bin/sh\necho "$*" >>/opt/verbs.log\nexit ${FAIL:-0}\n'
EXTRA = """start_fw stop_fw restart_fw start_daemons stop_daemons restart_daemons reload_ifsets list_ifsets
list_table""".split()


def test_openrc(world: World):
    """openrc-run sources the service script and calls its functions."""
    world.write("init.d/sysv/zapret2", LOGGING, 0o755)
    os.symlink(BASE + "/init.d/openrc/zapret2", "/etc/init.d/zapret2")
    runner = """ebegin() { :; }; eend() { return $1; }; ewarn() { echo "warn $*"; }; need() { echo "need $*"; }
rc() { RC_SERVICE=/etc/init.d/zapret2; . $RC_SERVICE; "$1"; }
"""
    for verb in ["start", "stop", "reload", "status"] + EXTRA:
        world.sh(runner + "rc " + verb)
    equal(world.read("/opt/verbs.log").split(),
          ["start", "stop", "reload", "status"] + [v.replace("_", "-") for v in EXTRA])
    equal(world.sh(runner + "rc start; echo $extra_commands").split(), EXTRA)
    contains(world.sh(runner + "rc start", env={"FAIL": "1"}), "warn")
    world.tool("rc-service", '#!/bin/sh\n[ "$*" = "-e networking" ]\n')
    equal(world.sh(runner + "rc depend"), "need networking\n")


def test_runit(world: World):
    world.write("init.d/sysv/zapret2", LOGGING, 0o755)
    world.tool("chpst", '#!/bin/sh\necho "chpst $*" >>/opt/verbs.log\n')
    world.run(BASE + "/init.d/runit/zapret2/run", check_code=0)
    world.run(BASE + "/init.d/runit/zapret2/finish", check_code=0)
    equal(world.read("/opt/verbs.log"), "start\nchpst -b zapret2 sleep infinity\nstop\n")
    # Linked from elsewhere the script beside is meant, copied the usual place.
    world.sh("cp -r %s /opt/elsewhere; mkdir /opt/sv; ln -s /opt/elsewhere/init.d/runit/zapret2 /opt/sv/linked;"
             "cp -r %s/init.d/runit/zapret2 /opt/sv/copied" % (BASE, BASE))
    world.write("/opt/elsewhere/init.d/sysv/zapret2", LOGGING.replace("$*", "elsewhere $*"), 0o755)
    os.remove("/opt/verbs.log")
    for name in ("linked", "copied"):
        world.sh("cd /opt/sv/%s && ./run && ./finish" % name)
    equal([line for line in world.read("/opt/verbs.log").splitlines() if "chpst" not in line],
          ["elsewhere start", "elsewhere stop", "start", "stop"])


def test_s6(world: World):
    equal(world.read("init.d/s6/zapret2/type"), "oneshot\n")
    equal(world.read("init.d/s6/zapret2/up"), BASE + "/init.d/sysv/zapret2 start\n")
    equal(world.read("init.d/s6/zapret2/down"), BASE + "/init.d/sysv/zapret2 stop\n")


def test_readiness_message(world: World):
    """Type=notify: READY=1 arrives when the queue is bound."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind("/run/notify")
    os.chmod("/run/notify", 0o777)
    receiver.settimeout(PATIENCE)
    world.write("/etc/zapret2/one.conf", "--qnum=300\n--user=nobody\n")
    world.sh("%s/nfq2/nfqws2 @/etc/zapret2/one.conf >/dev/null &" % BASE, env={"NOTIFY_SOCKET": "/run/notify"})
    contains(receiver.recv(1000).decode(), "READY=1")
    contains(world.read("/proc/net/netfilter/nfnetlink_queue"), "  300 ")


# --- OpenWrt ------------------------------------------------------------------------------------------

RC_COMMON = r"""#!/bin/sh
# The part of OpenWrt's rc.common that matters: sources the script, runs the verb.
initscript=$1
action=$2
enable() { :; }
enabled() { [ -e /opt/enabled ]; }
. "$initscript"
start() { rc_procd start_service; }
stop() { stop_service; procd_kill "$(basename "$initscript")"; service_stopped; }
restart() { stop; start; }
reload() { reload_service; }
status() { status_service; }
case " start stop restart reload status enable enabled $EXTRA_COMMANDS " in
*" $action "*) $action ;;
*) echo "no such verb: $action"; exit 1 ;;
esac
"""
PROCD = r"""
rc_procd() { echo "open zapret2" >>/opt/procd.log; "$@"; echo "close" >>/opt/procd.log; }
procd_open_instance() { echo "instance" >>/opt/procd.log; }
procd_set_param() { echo "set $*" >>/opt/procd.log; }
procd_close_instance() { echo "end" >>/opt/procd.log; }
procd_kill() { echo "kill $*" >>/opt/procd.log; }
"""
NETWORK = r"""
network_flush_cache() { :; }
network_get_device() { eval "$1=dev_$2"; }
network_get_physdev() { eval "$1=phys_$2"; }
network_find_wan() { eval "$1=wan"; }
network_find_wan6() { eval "$1=wan6"; }
"""


def openwrt(world, firewall, *config):
    """An OpenWrt around the scripts."""
    world.private_usr()
    world.become("procd")
    os.makedirs("/usr/lib/functions", exist_ok=True)
    world.write("/etc/openwrt_release", "")
    world.write("/etc/rc.common", RC_COMMON, 0o755)
    world.write("/usr/lib/functions/procd.sh", PROCD)
    world.write("/usr/lib/functions/network.sh", NETWORK)
    world.write("/usr/sbin/" + firewall, '#!/bin/sh\necho "%s $*" >>/opt/fw.log\n' % firewall, 0o755)
    world.tool("ubus", "#!/bin/sh\nexit 1\n")
    world.tool("jsonfilter", "#!/bin/sh\ncat >/dev/null\ncat /opt/json 2>/dev/null\n")
    world.tool("logger", '#!/bin/sh\necho "$*" >>/opt/syslog\n')
    world.use_iptables("nft")
    world.tool("nft", WRAPPER)
    world.config(*COMMON, *config)
    os.symlink(BASE + "/init.d/openwrt/zapret2", "/etc/init.d/zapret2")
    world.write("/opt/enabled", "")


def verb(world, name, code=0):
    return world.run("/etc/init.d/zapret2", name, check_code=code).text


def test_openwrt_keeps_what_was_learned(world: World):
    """In memory while it runs; a copy on flash at the stop and on demand, which a start after a boot brings back."""
    openwrt(world, "fw4", "STATE_DIR=/opt/memory", "STATE_COPY=/opt/flash/state")
    verb(world, "start")
    world.write("/opt/memory/300/learn.tsv", "one\n")
    verb(world, "stop")
    equal(world.read("/opt/flash/state/300/learn.tsv"), "one\n")
    world.write("/opt/memory/300/learn.tsv", "two\n")
    verb(world, "save_state")
    equal(world.read("/opt/flash/state/300/learn.tsv"), "two\n")
    shutil.rmtree("/opt/memory")
    verb(world, "start")
    equal(world.read("/opt/memory/300/learn.tsv"), "two\n")


def test_openwrt_copies_that_are_cut_short(world: World):
    """A full flash keeps the copy that is there and nothing half; of a power cut the whole copy remains."""
    openwrt(world, "fw4", "STATE_DIR=/opt/memory", "STATE_COPY=/opt/flash/state")
    world.write("/opt/flash/state/300/learn.tsv", "one\n")
    world.write("/opt/memory/300/learn.tsv", "two\n")
    world.tool("cp", '#!/bin/sh\nfor to; do :; done\nmkdir -p "$to" && echo half >"$to/half"\nexit 1\n')
    contains(verb(world, "save_state"), "cannot copy /opt/memory to /opt/flash/state")
    equal((os.listdir("/opt/flash"), world.read("/opt/flash/state/300/learn.tsv")), (["state"], "one\n"))
    os.remove("/opt/bin/cp")
    # The copy was whole, and the power failed before it had its place.
    shutil.rmtree("/opt/flash/state")
    world.write("/opt/flash/state.new/300/learn.tsv", "three\n")
    world.write("/opt/flash/state.part/300/learn.tsv", "half\n")
    shutil.rmtree("/opt/memory")
    verb(world, "start")
    equal(world.read("/opt/memory/300/learn.tsv"), "three\n")
    equal((os.listdir("/opt/flash"), world.read("/opt/flash/state/300/learn.tsv")), (["state"], "three\n"))


def test_openwrt_verbs_and_daemons(world: World):
    openwrt(world, "fw4", "WS_USER=")
    world.write("init.d/openwrt/custom.d/50-x", "alloc_dnum D_X\nalloc_qnum Q_X\n"
                'zapret_custom_daemons() { echo "custom $1"; do_nfqws $1 $D_X "--qnum=$Q_X --x"; }\n')
    text = verb(world, "start")
    contains(text, "custom 1")
    log = world.read("/opt/procd.log").splitlines()
    equal(log[0], "open zapret2")
    equal(log.count("instance"), 2)
    command = "set command %s/nfq2/nfqws2 @/run/zapret2/" % BASE
    equal(log[2:6], [command + "300.conf --qnum=300", "set file /run/zapret2/300.conf", "set stderr 1",
                     "set pidfile /var/run/nfqws2_1.pid"])
    equal(log[8:12], [command + "65300.conf --qnum=65300", "set file /run/zapret2/65300.conf", "set stderr 1",
                      "set pidfile /var/run/nfqws2_2000.pid"])
    contains(text, "--user=daemon --fwmark=0x40000000 --lua-init=@%s/lua/zapret-lib.lua" % BASE)
    lines = world.read("/run/zapret2/65300.conf").splitlines()
    equal((lines[1:3], lines[-2:]), (["--control=/run/zapret2/nfqws2-65300.sock", "--user=daemon"],
                                     ["--qnum=65300", "--x"]))
    os.remove("/opt/procd.log")
    # Nothing of it runs here, so everything has to be started.
    verb(world, "reload")
    equal(world.read("/opt/procd.log").count("set command"), 2)
    verb(world, "stop")
    world.config(*COMMON, "WS_USER=", "NFQWS2_CONTROL=0")
    os.remove("/opt/procd.log")
    verb(world, "start")
    log = world.read("/opt/procd.log").splitlines()
    base = "set command {0}/nfq2/nfqws2 --user=daemon --fwmark=0x40000000 --lua-init=@{0}/lua/zapret-lib.lua " \
           "--lua-init=@{0}/lua/zapret-antidpi.lua --lua-init=@{0}/lua/zapret-auto.lua " \
           "--lua-init=@{0}/lua/zapret-learn.lua --state-dir=/tmp/zapret2-state ".format(BASE)
    contains(log[2], base + "--qnum=300 --filter-tcp=80 ")
    equal(log[3:5], ["set stderr 1", "set pidfile /var/run/nfqws2_1.pid"])
    lacks("\n".join(log), "respawn")
    verb(world, "stop")
    os.remove("/opt/procd.log")
    world.config(*COMMON, "WS_USER=", "DAEMON_RESPAWN=1")
    verb(world, "start")
    equal(world.read("/opt/procd.log").count("set respawn 3600 5 5\nend\n"), 2)
    check(rules(world)["postnat"], "no rules")
    os.remove("/opt/procd.log")
    text = verb(world, "stop")
    lacks(text, "custom 0")
    equal(world.read("/opt/procd.log"), "kill zapret2\n")
    equal(rules(world), {})
    for name in EXTRA:
        verb(world, name)
    verb(world, "nonsense", code=1)


def test_openwrt_script_as_panels_read_it(world: World):
    """Panels look into the init script before they call it; newer versions of rc.common have extra_command."""
    text = world.read("init.d/openwrt/zapret2")
    check(re.search(r"(?m)^extra_command", text), "no line with extra_command")
    for name in EXTRA:
        check(re.search(r"(?m)^%s\(\)" % name, text), name + " is no function")
        check(re.search(r'(?m)^extra_command %s "' % name, text), name + " is not announced")
    openwrt(world, "fw4")
    newer = RC_COMMON.replace('. "$initscript"', """extra_command() {
    EXTRA_HELP="$EXTRA_HELP
$(printf '%-16s%s' "$1" "$2")"
    EXTRA_COMMANDS="$EXTRA_COMMANDS $1"
}
. "$initscript"
[ "$action" = help ] && echo "$EXTRA_HELP" && exit""")
    world.write("/etc/rc.common", newer, 0o755)
    for name in EXTRA:
        verb(world, name)
    contains(verb(world, "help"), "start_fw        Apply the firewall rules")


def test_openwrt_devices(world: World):
    openwrt(world, "fw4")
    verb(world, "start_fw")
    text = verb(world, "list_ifsets")
    equal(re.findall(r'"(\w+)"', text), ["dev_wan", "phys_wan", "dev_wan6", "phys_wan6", "dev_lan", "phys_lan"])
    contains(rules(world)["postnat_hook"][0], "oifname @wanif ip daddr")
    # Every interface with a default route, as netifd reports it.
    world.write("/opt/json", "wan\nvpn\nwan\n")
    verb(world, "reload_ifsets")
    names = re.findall(r'"(\w+)"', verb(world, "list_ifsets"))
    equal(sorted(set(names)), ["dev_lan", "dev_vpn", "dev_wan", "phys_lan", "phys_vpn", "phys_wan"])
    # Names of the config win.
    world.config(*COMMON, "OPENWRT_WAN4='a b'", "OPENWRT_WAN6=c", "OPENWRT_LAN='l'")
    verb(world, "reload_ifsets")
    equal(sorted(set(re.findall(r'"(\w+)"', verb(world, "list_ifsets")))),
          ["dev_a", "dev_b", "dev_c", "dev_l", "phys_a", "phys_b", "phys_c", "phys_l"])


def test_openwrt_iptables_without_wan_has_no_rules(world: World):
    openwrt(world, "fw3", "FWTYPE=iptables")
    world.write("/usr/lib/functions/network.sh", NETWORK.replace('eval "$1=wan"', "return 1"))
    text = verb(world, "start_fw")
    contains(text, "no WAN device for IPv4: no rule")
    equal([r for r in world.saved_rules()["mangle"] if "NFQUEUE" in r], [])


def test_openwrt_fw3_include(world: World):
    """With fw3 and iptables start and stop leave the rules to the include."""
    openwrt(world, "fw3", "FWTYPE=iptables")
    verb(world, "start")
    equal(world.saved_rules(), {})
    os.symlink(BASE + "/init.d/openwrt/firewall.zapret2", "/etc/firewall.zapret2")
    world.run("sh", "/etc/firewall.zapret2", check_code=0)
    found = world.saved_rules()
    equal(len(found["mangle"]), len(LISTING_A["mangle"]))
    contains(found["mangle"][-1], "-A POSTROUTING -o dev_wan -p tcp")
    verb(world, "stop")
    equal(world.saved_rules(), found)
    verb(world, "stop_fw")
    equal(world.saved_rules(), {})
    os.remove("/opt/enabled")
    world.run("sh", "/etc/firewall.zapret2")
    equal(world.saved_rules(), {})


def hotplug(world, action, interface="wan"):
    world.run(BASE + "/init.d/openwrt/90-zapret2", check_code=None,
              env={"ACTION": action, "INTERFACE": interface, "DEVICE": "eth1"})


def test_openwrt_hotplug(world: World):
    openwrt(world, "fw4")
    verb(world, "start_fw")
    for action in ("ifup", "ifdown"):
        world.write("/opt/json", "hot%s\n" % action)
        hotplug(world, action)
        contains(verb(world, "list_ifsets"), "dev_hot" + action)
    equal(world.read("/opt/syslog").count("-t zapret"), 2)
    hotplug(world, "ifupdate")
    os.remove("/opt/enabled")
    hotplug(world, "ifup")
    equal(world.read("/opt/syslog").count("\n"), 2)


def test_openwrt_hotplug_iptables(world: World):
    openwrt(world, "fw4", "FWTYPE=iptables")
    hotplug(world, "ifup")
    contains("".join(world.saved_rules()["mangle"]), "dev_wan")
    verb(world, "stop_fw")
    os.remove("/usr/sbin/fw4")
    world.write("/usr/sbin/fw3", "#!/bin/sh\n", 0o755)
    hotplug(world, "ifup")
    equal(world.saved_rules(), {})


def test_openwrt_flow_offload_iptables(world: World):
    """The target FLOWOFFLOAD exists on OpenWrt only: what iptables is asked for is compared."""
    openwrt(world, "fw3", "FWTYPE=iptables", "FLOWOFFLOAD=hardware", "NFQWS2_PORTS_UDP=", "OPENWRT_WAN4='wan wanb'")
    world.needs_program("grep")
    world.tool("grep", '#!/bin/sh\ncase "$*" in "-qx FLOWOFFLOAD /proc/net/ip"*_tables_targets) exit 0 ;; esac\n'
                       'exec /usr/bin/grep "$@"\n')
    real = os.readlink("/opt/bin/iptables")
    os.remove("/opt/bin/iptables")
    world.tool("iptables", '#!/bin/sh\ncase "$*" in *FLOWOFFLOAD*) echo "$*" >>/opt/offload.log; exit 0 ;; esac\n'
                           'exec %s "$@"\n' % real)
    verb(world, "start_fw")
    found = world.saved_rules()["filter"]
    match = "-p tcp -m set --match-set zport_tcp dst -m connbytes --connbytes 1:20 --connbytes-mode packets " \
            "--connbytes-dir original -m set ! --match-set nozapret dst"
    exempt = "-A forwarding_rule_zapret %s -m comment --comment zapret_traffic_offloading_exemption -j RETURN" % match
    equal([r for r in found if "forwarding_rule_zapret" in r],
          ["-A FORWARD -o dev_wanb -j forwarding_rule_zapret", "-A FORWARD -o dev_wan -j forwarding_rule_zapret",
           exempt])
    contains(world.read("/opt/offload.log"), "-A forwarding_rule_zapret -m comment --comment "
             "zapret_traffic_offloading_enable -m conntrack --ctstate RELATED,ESTABLISHED -j FLOWOFFLOAD --hw\n")
    verb(world, "stop_fw")
    equal(world.saved_rules(), {})
    lacks(world.sh("iptables-save"), "forwarding_rule_zapret")
