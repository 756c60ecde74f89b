"""Programs around the daemon, told again in own words: the start script of a router's package, and a launcher
that gives each user a profile of his own by marks. They ask the daemon what it can do before they use it."""
import os
import signal
import time

from sandbox import BASE, World, check, contains, equal

# Knows nothing of this installation's service: own rules, own pid file, the daemon in the background.
PACKAGE = r"""#!/bin/sh
NFQWS=/opt/pkg/nfqws2
PIDFILE=/var/run/pkg.pid
QUEUE=200
. /opt/etc/pkg/pkg.conf

running() {
	[ -f "$PIDFILE" ] && grep -q '^State:[[:space:]]*[RSD]' "/proc/$(cat "$PIDFILE")/status" 2>/dev/null
}

rules() { # -I|-D
	for proto in tcp udp; do
		rule="POSTROUTING -t mangle -p $proto --dport 443 -m connbytes --connbytes 1:8 --connbytes-dir original
			--connbytes-mode packets -m mark ! --mark 0x40000000/0x40000000 -j NFQUEUE --queue-num $QUEUE --queue-bypass"
		iptables -C $rule 2>/dev/null && { [ "$1" = -I ] && continue; iptables -D $rule; continue; }
		[ "$1" = -I ] && iptables -I $rule
	done
}

start() {
	running && { echo "already running"; return 0; }
	args="--user=nobody --qnum=$QUEUE --fwmark=0x40000000"
	"$NFQWS" --help | grep -q fastpath-workaround && args="$args --fastpath-workaround=${FASTPATH:-auto}"
	"$NFQWS" --dry-run $args $NFQWS_BASE $NFQWS_ARGS >/dev/null || { echo "bad options"; return 1; }
	"$NFQWS" --daemon --pidfile="$PIDFILE" $args $NFQWS_BASE $NFQWS_ARGS >/dev/null || { echo "failed"; return 1; }
	rules -I
	echo "started"
}

stop() {
	rules -D
	running || { echo "not running"; return 0; }
	kill "$(cat "$PIDFILE")"
	n=0
	while running && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done
	rm -f "$PIDFILE"
	echo "stopped"
}

case $1 in
start | stop) "$1" ;;
restart) stop && start ;;
reload) running && kill -HUP "$(cat "$PIDFILE")" && echo "reloaded" ;;
status) if running; then echo "running"; else echo "stopped"; exit 1; fi ;;
esac
"""
CONFIG = """NFQWS_BASE="--lua-init=@%s/lua/zapret-lib.lua --lua-init=@%s/lua/zapret-antidpi.lua"
NFQWS_ARGS="--filter-tcp=443 --hostlist=/opt/etc/pkg/user.list --payload=tls_client_hello
    --lua-desync=multidisorder:pos=1,midsld
    --new --filter-udp=443 --payload=quic_initial --lua-desync=fake:blob=fake_default_quic"
""" % (BASE, BASE)


def queue_owner(world, queue):
    """What a panel looks at to find out whose the queue is."""
    rows = [line.split() for line in world.read("/proc/net/netfilter/nfnetlink_queue").splitlines()]
    return {row[0]: row[1] for row in rows}.get(str(queue))


def package(world, verb, code=0):
    return world.run("/opt/etc/init.d/S51pkg", verb, check_code=code).text.strip().splitlines()[-1]


def test_start_script_of_a_package(world: World):
    world.use_iptables("nft")
    world.write("/opt/etc/init.d/S51pkg", PACKAGE, 0o755)
    world.write("/opt/etc/pkg/pkg.conf", CONFIG)
    world.write("/opt/etc/pkg/user.list", "example.com\n")
    os.makedirs("/opt/pkg")
    os.symlink("/opt/programs/nfqws2", "/opt/pkg/nfqws2")
    equal(package(world, "start"), "started")
    pid = world.read("/run/pkg.pid").strip()
    equal(queue_owner(world, 200), pid)
    with open("/proc/%s/cmdline" % pid, encoding="utf-8") as f:
        contains(f.read(), "--fastpath-workaround=auto")
    with open("/proc/%s/status" % pid, encoding="utf-8") as f:
        contains(f.read(), "Uid:\t65534\t65534")
    equal(package(world, "start"), "already running")
    equal(package(world, "status"), "running")
    equal(package(world, "reload"), "reloaded")
    time.sleep(0.3)
    equal(world.read("/run/pkg.pid").strip(), pid)
    check(os.path.exists("/proc/" + pid), "it did not survive the reload")
    equal(package(world, "restart"), "started")
    equal(queue_owner(world, 200), world.read("/run/pkg.pid").strip())
    equal(len([rule for rule in world.saved_rules()["mangle"] if "NFQUEUE" in rule]), 2)
    equal(package(world, "stop"), "stopped")
    equal((world.saved_rules(), world.processes("nfqws2"), queue_owner(world, 200)), ({}, [], None))
    world.run("/opt/etc/init.d/S51pkg", "status", check_code=1)
    # Bad options, and a queue that somebody has: said, no rules, no process left.
    world.write("/opt/etc/pkg/pkg.conf", CONFIG.replace("--payload=", "--paylod="))
    equal(package(world, "start", code=1), "bad options")
    world.write("/opt/etc/pkg/pkg.conf", CONFIG)
    world.sh("/opt/programs/nfqws2 --qnum=200 --user=nobody >/dev/null 2>&1 &")
    world.wait_for(lambda: queue_owner(world, 200), "the other daemon does not start")
    equal(package(world, "start", code=1), "failed")
    equal(len(world.processes("nfqws2")), 1)
    equal(world.saved_rules(), {})


# Refuses to work with a daemon whose help does not name the option it needs.
LAUNCHER = r"""#!/bin/sh
NFQWS=/opt/programs/nfqws2
"$NFQWS" --help | grep -q -e ' --filter-mark' || { echo "this nfqws2 is too old"; exit 1; }
n=0
{
	echo "--qnum=300 --user=nobody"
	echo "--lua-init=@$1/lua/zapret-lib.lua --lua-init=@$1/lua/zapret-antidpi.lua"
	while [ $n -lt 40 ]; do
		n=$((n + 1))
		[ $n = 1 ] || echo --new
		echo "--name=user$n --filter-mark=$n/0xFF --filter-tcp=443 --payload=tls_client_hello"
		echo "--lua-desync=multisplit:pos=$n"
	done
} >/opt/users.conf
exec "$NFQWS" @/opt/users.conf
"""


def test_launcher_with_a_profile_for_each_mark(world: World):
    world.write("/opt/launcher", LAUNCHER, 0o755)
    world.sh("/opt/launcher %s >/opt/launcher.log 2>&1 &" % BASE)
    world.wait_for(lambda: queue_owner(world, 300), "the daemon does not start")
    contains(world.read("/opt/launcher.log"), "40 user defined desync profile(s)")
    for pid in world.processes("nfqws2"):
        os.kill(pid, signal.SIGTERM)
    world.wait_for(lambda: not world.processes("nfqws2"), "it does not end")
