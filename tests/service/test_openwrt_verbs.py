"""`reload` and `status` on OpenWrt, with a stand-in for procd that starts and ends daemons as procd does."""
import os

import processes
from sandbox import BASE, World, check, contains, equal, lacks
from test_adapters import openwrt, verb
from test_control import CONF, OPT, SOCK, control, pid_of
from test_nftables import rules
from test_traffic_rules import AUTO, LACKING, RULES

SHELLS = ("dash", "busybox")
# An instance is started anew when its command, or the file that belongs to it, has changed, and ended when it is not
# named any more; all at once. Without a name it is known by its place.
PROCD = r"""
procd_state=/opt/procd
rc_procd() {
	mkdir -p $procd_state
	procd_seq=0
	"$@"
	for procd_old in $procd_state/*.key; do
		procd_i=${procd_old%.key}
		[ -f "$procd_old" ] && [ ! -f "$procd_i.seen" ] && procd_end "${procd_i##*/}"
	done
	rm -f $procd_state/*.seen
}
procd_end() { # INSTANCE
	[ -f $procd_state/$1.pid ] && kill -9 $(cat $procd_state/$1.pid) && rm -f $(cat $procd_state/$1.file)
	rm -f $procd_state/$1.*
}
procd_open_instance() {
	procd_seq=$((procd_seq + 1))
	procd_n=${1:-instance$procd_seq} procd_command='' procd_sum='' procd_pidfile=''
}
procd_set_param() {
	procd_name=$1
	shift
	case $procd_name in
	command) procd_command=$* ;;
	file) procd_sum=$(md5sum <"$1") ;;
	pidfile) procd_pidfile=$1 ;;
	esac
}
procd_close_instance() {
	if [ "$procd_command $procd_sum" != "$(cat $procd_state/$procd_n.key 2>/dev/null)" ]; then
		procd_end $procd_n
		echo "$procd_command $procd_sum" >$procd_state/$procd_n.key
		echo "start $procd_command" >>/opt/procd.log
		$procd_command >>/opt/daemons.log 2>&1 &
		echo $! | tee $procd_state/$procd_n.pid >"$procd_pidfile"
		echo "$procd_pidfile" >$procd_state/$procd_n.file
	fi
	: >$procd_state/$procd_n.seen
}
procd_kill() {
	for procd_old in $procd_state/*.key; do
		procd_old=${procd_old%.key}
		[ ! -f "$procd_old.key" ] || procd_end "${procd_old##*/}"
	done
}
"""
NOT_RULES = ("INIT_APPLY_FW=0",)
# A second daemon, with options.
CUSTOM = "init.d/openwrt/custom.d/50-x"
SECOND = "alloc_dnum D_X\nalloc_qnum Q_X\nzapret_custom_daemons() { do_nfqws $1 $D_X \"--qnum=$Q_X %s\"; }\n"
OWED = "/run/zapret2/start-owed"


def router(world, *config):
    openwrt(world, "fw4", *NOT_RULES, *config)
    world.write("/usr/lib/functions/procd.sh", PROCD)
    verb(world, "start")
    world.wait_for(lambda: os.path.exists(SOCK) or "NFQWS2_CONTROL=0" in config, "no socket")


def config(world, *lines):
    world.config("WS_USER=nobody", "NFQWS2_ENABLE=1", *NOT_RULES, *lines)


def started(world):
    """How many daemons procd has started."""
    return world.read("/opt/procd.log").count("start ")


def test_status(world: World):
    router(world, OPT % 80, control(world, 0))
    pid = pid_of(world)
    contains(verb(world, "status"), "daemon 1 (queue 300): runs, pid %d\n" % pid)
    equal(world.read("/opt/asked"), "-s %s status\n" % SOCK)
    control(world, 1)
    contains(verb(world, "status", code=1), "daemon 1 (queue 300): does not answer\n")
    os.kill(pid, 9)
    world.wait_for(lambda: not processes.runs(pid), "it lives")
    equal(verb(world, "status", code=1), "daemon 1 (queue 300): does not run\n")
    verb(world, "stop")
    equal(verb(world, "status", code=3), "no daemon was started\n")
    config(world, "NFQWS2_ENABLE=0")
    equal(verb(world, "status", code=3), "no daemon was started: NFQWS2_ENABLE=0 in %s/config\n" % BASE)


def test_reload_without_a_gap(world: World):
    router(world, OPT % 80, control(world, 0))
    pid = pid_of(world)
    verb(world, "reload")
    equal((pid_of(world), started(world)), (pid, 1))
    check(not os.path.exists("/opt/asked"), "asked for nothing")
    config(world, OPT % 443, control(world, 0))
    verb(world, "reload")
    equal((pid_of(world), started(world), world.read("/opt/asked")), (pid, 1, "-s %s reload\n" % SOCK))
    contains(world.read(CONF), "\n--filter-tcp=443\n")
    # Refused: it keeps what it has.
    config(world, OPT % 8443, control(world, 1))
    contains(verb(world, "reload", code=None), "daemon 1 keeps its options")
    contains(world.read(CONF), "\n--filter-tcp=443\n")
    equal((pid_of(world), started(world)), (pid, 1))
    verb(world, "stop")
    equal(processes.named("nfqws2"), [])


def test_reload_by_procd(world: World):
    """What cannot be done while it runs: procd starts it again."""
    router(world, OPT % 80, control(world, 2))
    pid = pid_of(world)
    config(world, OPT % 443, control(world, 2))
    verb(world, "reload")
    check(pid_of(world) != pid and not processes.runs(pid), "not started again")
    equal(started(world), 2)
    world.wait_for(lambda: world.daemon_words()[-1:] == ["--filter-tcp=443"], "not with its options")
    # A daemon more, then the first one is not wanted any more, then none.
    world.write(CUSTOM, SECOND % "--filter-udp=53")
    verb(world, "reload")
    equal((started(world), len(processes.named("nfqws2"))), (3, 2))
    config(world, OPT % 443, "NFQWS2_ENABLE=0")
    verb(world, "reload")
    equal([processes.words(pid)[-1] for pid in processes.named("nfqws2")], ["--qnum=65300"])
    equal(started(world), 3, "the other one was not left alone")
    text = verb(world, "status", code=None)
    lacks(text, "daemon 1 ")
    contains(text, "daemon 2000 (queue 65300): runs")
    os.remove("%s/%s" % (BASE, CUSTOM))
    verb(world, "reload")
    equal(processes.named("nfqws2"), [])
    equal(verb(world, "status", code=3), "no daemon was started: NFQWS2_ENABLE=0 in %s/config\n" % BASE)


def test_a_socket_that_comes_and_goes(world: World):
    """What was written for a daemon with a socket is nothing for one without, nor for the one after that."""
    router(world, OPT % 80)
    config(world, OPT % 80, "NFQWS2_CONTROL=0")
    verb(world, "restart")
    check(not os.path.exists(CONF), "the file of the daemon before")
    pid = pid_of(world)
    # However it got there.
    config(world, OPT % 80)
    world.functions("write_daemon_file %s 300 %s" % (CONF, " ".join(processes.words(pid)[1:])))
    verb(world, "reload")
    check(pid_of(world) != pid and not processes.runs(pid), "it has no socket yet")
    world.wait_for(lambda: os.path.exists(SOCK), "no socket")
    equal(processes.words(pid_of(world))[1:], ["@" + CONF, "--qnum=300"])
    verb(world, "stop")


def test_reload_of_lists(world: World):
    """Nothing has changed but lists: the daemon is told, with and without its socket."""
    for more in ((), ("NFQWS2_CONTROL=0",)):
        world.write("/opt/lists/hosts", "one.test\n")
        settings = ("NFQWS2_OPT='--filter-tcp=80 --hostlist=/opt/lists/hosts'", "DAEMON_RESPAWN=0", *more)
        if more:
            config(world, *settings)
            verb(world, "restart")
        else:
            router(world, *settings)
        pid, count = pid_of(world), started(world)
        world.write("/opt/killed", "")
        text = world.sh("kill() { echo \"$*\" >>/opt/killed; }; action=reload initscript=/etc/init.d/zapret2;"
                        ". /etc/init.d/zapret2; reload_service")
        equal((world.read("/opt/killed"), pid_of(world), started(world)), ("-HUP %d\n" % pid, pid, count), text)
        verb(world, "stop")


def kept(world, pids, number=2000):
    """A reload that keeps one of the daemons starts and ends none."""
    text = verb(world, "reload", code=None)
    contains(text, "daemon %d keeps its options" % number)
    equal((sorted(processes.named("nfqws2")), started(world)), (sorted(pids), len(pids)))
    return text


def test_a_start_that_was_put_off(world: World):
    """A daemon that would not start delays the start of the others, until it is mended."""
    world.write(CUSTOM, SECOND % "--filter-udp=53")
    router(world, OPT % 80, control(world, 2))
    first, second = pid_of(world), pid_of(world, 2000)
    config(world, OPT % 443, control(world, 2))
    world.write(CUSTOM, SECOND % "--no-such-option")
    for _ in range(2):
        contains(kept(world, [first, second]), "no daemon is started again before that is mended")
    world.write(CUSTOM, SECOND % "--filter-udp=53")
    verb(world, "reload")
    check(pid_of(world) != first and not processes.runs(first), "the first one has its old options")
    equal((pid_of(world, 2000), started(world)), (second, 3))
    check(not os.path.exists(OWED), "still owed")
    # Any start is that start.
    config(world, OPT % 80, control(world, 2))
    world.write(CUSTOM, SECOND % "--no-such-option")
    verb(world, "reload", code=None)
    check(os.path.exists(OWED), "not owed")
    world.write(CUSTOM, SECOND % "--filter-udp=53")
    verb(world, "restart")
    check(not os.path.exists(OWED), "owed after a restart")
    verb(world, "stop")


def test_an_end_that_was_put_off(world: World):
    world.write(CUSTOM, SECOND % "--filter-udp=53")
    router(world, OPT % 80, control(world, 2))
    first, second = pid_of(world), pid_of(world, 2000)
    config(world, "NFQWS2_ENABLE=0", control(world, 2))
    world.write(CUSTOM, SECOND % "--no-such-option")
    kept(world, [first, second])
    world.write(CUSTOM, SECOND % "--filter-udp=53")
    verb(world, "reload")
    world.wait_for(lambda: processes.named("nfqws2") == [second], "the first one goes on")
    equal(started(world), 2)
    verb(world, "stop")


def test_bad_options_on_the_command_line(world: World):
    """procd would end the daemon for one that does not start."""
    world.write("bad.toml", "version = 2")
    router(world, OPT % 80, "NFQWS2_CONTROL=0")
    pid = pid_of(world)
    for line in ("NFQWS2_RULES=%s/bad.toml" % BASE, OPT % "80 --no-such-option"):
        config(world, OPT % 80, "NFQWS2_CONTROL=0", line)
        kept(world, [pid], 1)
    config(world, OPT % 443, "NFQWS2_CONTROL=0")
    verb(world, "reload")
    check(pid_of(world) != pid and not processes.runs(pid), "not started again")
    verb(world, "stop")


def test_rules_of_the_firewall_stay_with_the_options(world: World):
    settings = ("INIT_APPLY_FW=1", *AUTO, control(world, 2))
    router(world, *settings)
    before, pid = rules(world), pid_of(world)
    contains("\n".join(before["postnat"]), "tcp dport 80 ")
    world.write("lacking.toml", LACKING)
    config(world, *settings, "NFQWS2_RULES=%s/lacking.toml" % BASE)
    kept(world, [pid], 1)
    equal(rules(world), before)
    # So they do while the start of the daemon is put off.
    world.write(CUSTOM, SECOND % "--filter-udp=53")
    config(world, *settings)
    verb(world, "reload")
    pids = processes.named("nfqws2")
    world.write("good.toml", RULES)
    config(world, *settings, "NFQWS2_RULES=%s/good.toml" % BASE)
    world.write(CUSTOM, SECOND % "--no-such-option")
    kept(world, pids)
    equal(rules(world), before)
    world.write(CUSTOM, SECOND % "--filter-udp=53")
    verb(world, "reload")
    check(rules(world) != before and pid_of(world) != pid, "nothing has changed")
    verb(world, "stop")
