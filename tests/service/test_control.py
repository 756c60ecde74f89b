"""Options in a file, control sockets, status and reload of the service."""
import os
import socket

import processes
import test_iptables
from expect import PATIENCE
from sandbox import BASE, SCRIPT, World, check, contains, equal, lacks

SHELLS = ("dash", "busybox", "bash")
COMMON = ("FWTYPE=iptables", "INIT_APPLY_FW=0", "WS_USER=nobody", "NFQWS2_ENABLE=1")
CONF = "/run/zapret2/300.conf"
SOCK = "/run/zapret2/nfqws2-300.sock"
OPT = "NFQWS2_OPT='--filter-tcp=%s'"


def pid_of(world, number=1):
    return int(world.read("/run/nfqws2_%d.pid" % number))


def control(world, answer):
    """A stand-in for nfqws2ctl that ends with this code."""
    world.tool("nfqws2ctl", '#!/bin/sh\necho "$*" >>/opt/asked\nexit %d\n' % answer)
    return "NFQWS2CTL=/opt/bin/nfqws2ctl"


def test_file_and_socket(world: World):
    world.config(*COMMON)
    world.service("start")
    equal(processes.words(pid_of(world))[1:], ["@" + CONF, "--qnum=300"])
    check(os.path.exists(SOCK), "no socket")
    equal(oct(os.stat(SOCK).st_mode & 0o777), "0o660")
    equal(oct(os.stat(CONF).st_mode & 0o777), "0o644")
    contains(world.read(CONF), "\n--control=%s\n--user=nobody\n" % SOCK)
    # A program that looks for the queue finds it where it always stood.
    equal(world.sh("grep -zx -e '--qnum=300' /proc/%d/cmdline | tr -d '\\0'" % pid_of(world)), "--qnum=300")
    world.service("restart")
    check(os.path.exists(SOCK), "no socket after a restart")
    world.service("stop")
    equal([name for name in os.listdir("/run/zapret2") if name.startswith("daemon-")], [])


def test_others_can_look(world: World):
    """Whatever the umask of the one who starts it, panels read what was started, and what `auto` has become."""
    world.config(*test_iptables.COMMON, OPT % 80, "NFQWS2_PORTS_TCP=auto")
    world.sh("umask 077; rm -rf /run/zapret2; %s start" % SCRIPT)
    equal(oct(os.stat("/run/zapret2").st_mode & 0o777), "0o755")
    for name in ("300.conf", "daemon-1", "auto-settings"):
        equal(oct(os.stat("/run/zapret2/" + name).st_mode & 0o777), "0o644", name)
    world.service("stop")


def test_words_reach_the_daemon_as_they_are(world: World):
    """Quotes, backslashes, dollars, comment signs: what a word of the config is, it is in the file."""
    words = ["--comment=a'b\"c\\d$HOME`e`(f)", "--comment='#x'", "--comment=~/*?[a-z];&|<>", "--comment=#"]
    text = " ".join(words).replace("'", "'\\''")
    world.config(*COMMON, "NFQWS2_OPT='%s'" % text)
    world.service("start")
    equal(world.daemon_words()[-len(words):], words)
    listing = world.run(BASE + "/nfq2/nfqws2", "@" + CONF, "--dry-run", check_code=0).text
    lacks(listing, "warning")
    world.service("stop")


def test_without_control(world: World):
    """As ever: the options on the command line, no socket, no file. Also for a program without it."""
    world.config(*COMMON, OPT % 80, "NFQWS2_CONTROL=0")
    world.service("start")
    words = processes.words(pid_of(world))
    equal((words[1], words[-2:]), ("--user=nobody", ["--qnum=300", "--filter-tcp=80"]))
    check(not os.path.exists(CONF) and not os.path.exists(SOCK), "there is a file or a socket")
    world.service("stop")
    world.tool("stub", "#!/bin/sh\nwhile :; do sleep 1; done\n")
    world.config(*COMMON, OPT % 80, "NFQWS2=/opt/bin/stub", "DAEMON_START_STEPS=2")
    world.service("start")
    check(not os.path.exists(CONF), "there is a file")
    world.service("stop")


def test_own_socket_and_group(world: World):
    world.config(*COMMON, "NFQWS2_OPT='--filter-tcp=80 --control=/run/own.sock'")
    world.service("start")
    check(os.path.exists("/run/own.sock") and not os.path.exists(SOCK), "not the user's socket")
    world.config(*COMMON, "NFQWS2_CONTROL_GROUP=daemon")
    world.service("restart")
    equal(os.stat(SOCK).st_gid, 1)
    world.service("stop")


def test_daemons_of_custom_scripts(world: World):
    world.write("init.d/sysv/custom.d/50-x", "alloc_dnum D_X\nalloc_qnum Q_X\n"
                'zapret_custom_daemons() { do_nfqws $1 $D_X "--qnum=$Q_X --filter-udp=53"; }\n')
    world.config(*COMMON)
    world.service("start")
    check(os.path.exists("/run/zapret2/nfqws2-65300.sock"), "no socket")
    contains(" ".join(world.daemon_words(2000)), "--qnum=65300 --filter-udp=53")
    text = world.service("status")
    contains(text, "daemon 1 (queue 300): runs, pid %d\n" % pid_of(world))
    contains(text, "daemon 2000 (queue 65300): runs, pid %d\n" % pid_of(world, 2000))
    world.service("stop")


def test_status(world: World):
    world.config(*COMMON, "DAEMON_RESPAWN=0")
    equal(world.service("status", check_code=3), "no daemon was started\n")
    world.config(*COMMON, "NFQWS2_ENABLE=0")
    equal(world.service("status", check_code=3), "no daemon was started: NFQWS2_ENABLE=0 in %s/config\n" % BASE)
    world.config(*COMMON, "DAEMON_RESPAWN=0")
    world.service("start")
    world.service("status")
    if os.path.exists("/opt/programs/nfqws2ctl"):
        contains(world.service("status"), "queue")
    processes_before = pid_of(world)
    os.kill(processes_before, 9)
    world.wait_for(lambda: not processes.runs(processes_before), "it lives")
    equal(world.service("status", check_code=1), "daemon 1 (queue 300): does not run\n")
    world.service("stop")
    world.service("status", check_code=3)
    world.config(*COMMON, control(world, 1))
    world.service("start")
    contains(world.service("status", check_code=1), "daemon 1 (queue 300): does not answer\n")
    equal(world.read("/opt/asked"), "-s %s status\n" % SOCK)


def test_reload_of_what_has_not_changed(world: World):
    """Only the lists are read again."""
    world.config(*COMMON, OPT % 80, control(world, 0))
    world.service("start")
    pid, text = pid_of(world), world.read(CONF)
    world.service("reload")
    equal((pid_of(world), world.read(CONF), processes.runs(pid)), (pid, text, True))
    check(not os.path.exists("/opt/asked"), "asked for nothing")
    world.config(*COMMON, OPT % 80, "NFQWS2_CONTROL=0")
    world.service("restart")
    pid = pid_of(world)
    world.service("reload")
    equal(pid_of(world), pid)


def test_reload_without_a_gap(world: World):
    world.config(*COMMON, OPT % 80, control(world, 0))
    world.service("start")
    pid = pid_of(world)
    world.config(*COMMON, OPT % 443, control(world, 0))
    world.service("reload")
    equal((pid_of(world), world.read("/opt/asked")), (pid, "-s %s reload\n" % SOCK))
    contains(world.read(CONF), "\n--filter-tcp=443\n")
    # Refused: it keeps what it has, also for the next start after a crash.
    world.config(*COMMON, OPT % 8443, control(world, 1))
    contains(world.service("reload", check_code=1), "daemon 1 keeps its options")
    equal(pid_of(world), pid)
    contains(world.read(CONF), "\n--filter-tcp=443\n")
    equal([name for name in os.listdir("/run/zapret2") if ".before" in name or ".next" in name], [])


def test_reload_by_a_restart(world: World):
    """Where the daemon, or the lack of nfqws2ctl, leaves no other way."""
    world.config(*COMMON, OPT % 80, control(world, 2))
    world.service("start")
    pid = pid_of(world)
    world.config(*COMMON, OPT % 443, control(world, 2))
    contains(world.service("reload"), "daemon 1 is started again for its new options")
    check(pid_of(world) != pid and not processes.runs(pid), "not started again")
    equal(world.daemon_words()[-1], "--filter-tcp=443")
    pid = pid_of(world)
    world.config(*COMMON, OPT % 443, "NFQWS2_CONTROL=0")
    world.service("reload")
    check(pid_of(world) != pid, "not started again without its socket")
    check(not os.path.exists(CONF), "its file is still there")
    pid = pid_of(world)
    world.config(*COMMON, OPT % 443, control(world, 2))
    world.service("reload")
    check(pid_of(world) != pid and os.path.exists(SOCK), "not started again with its socket")
    equal(len(processes.named("nfqws2")), 1)
    # What the config does not want any more ends, what it wants anew begins.
    world.config(*COMMON, OPT % 443, "NFQWS2_ENABLE=0")
    world.service("reload")
    equal(processes.named("nfqws2"), [])
    world.config(*COMMON, OPT % 443)
    world.service("reload")
    equal(len(processes.named("nfqws2")), 1)
    world.service("stop")


def test_reload_sets_rules_that_follow_from_the_strategy(world: World):
    strategy = "NFQWS2_OPT='--filter-tcp=%s --payload=http_req --lua-desync=multisplit:pos=2'"
    auto = ("NFQWS2_PORTS_TCP=auto", "NFQWS2_PORTS_UDP=", control(world, 0))
    contains(test_iptables.start(world, *auto, strategy % 80), "NFQWS2_PORTS_TCP=80 (auto)")
    pid = pid_of(world)
    lacks(world.service("reload"), "NFQWS2_PORTS_TCP")
    world.config(*test_iptables.COMMON, *auto, strategy % 8443)
    contains(world.service("reload"), "NFQWS2_PORTS_TCP=8443 (auto)")
    equal((world.ipset("zport_tcp"), pid_of(world)), (["8443"], pid))
    world.service("stop")


def test_rules_follow_strategies_that_learn(world: World):
    """Detectors are told what is queued. That question is no reason to take the rules for those of the new strategy,
    and neither is one of a custom script."""
    world.write("init.d/sysv/custom.d/50-x", "zapret_custom_daemons() { (fill_auto_settings); }\n")
    strategy = "NFQWS2_OPT='--filter-tcp=%s --lua-desync=circular --lua-desync=pass:strategy=1'"
    auto = ("NFQWS2_PORTS_TCP=auto", "NFQWS2_TCP_PKT_IN=auto", "NFQWS2_PORTS_UDP=", control(world, 0))
    test_iptables.start(world, *auto, strategy % 80)
    equal(world.ipset("zport_tcp"), ["80"])
    lacks(world.service("reload"), "Clearing")
    world.config(*test_iptables.COMMON, *auto, strategy % 8443)
    world.service("reload")
    equal(world.ipset("zport_tcp"), ["8443"])
    world.service("stop")


def test_main_process(world: World):
    """It says that it is ready, and ends as a failure when the last daemon is gone."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind("/run/notify")
    receiver.settimeout(PATIENCE)
    world.tool("systemd-notify", '#!/bin/sh\nexec python3 -c "\nimport socket, sys\n'
                                 "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
                                 's.sendto(chr(10).join(sys.argv[1:]).encode(), \'/run/notify\')" "$@"\n')
    world.config(*COMMON, "MAIN_PAUSE=1", "DAEMON_RESPAWN=0")
    world.sh("(%s main >/opt/log 2>&1; echo $? >/opt/code) &" % SCRIPT, env={"NOTIFY_SOCKET": "/run/notify"})
    equal(receiver.recv(1000).decode(), "--ready\n--status=1 daemon(s) run")
    # Restarted behind its back.
    world.service("restart-daemons")
    os.kill(pid_of(world), 9)
    world.wait_for(lambda: os.path.exists("/opt/code"), "the main process goes on")
    equal(world.read("/opt/code"), "1\n")
    contains(world.read("/opt/log"), "ERROR: no daemon runs any more")
    world.service("stop")


def test_main_process_of_nothing_that_runs(world: World):
    world.config(*COMMON, "NFQWS2_OPT=--no-such-option")
    contains(world.run(SCRIPT, "main", check_code=1).text, "ERROR: daemon 1 did not start")
    # Stopped by others: an end, and no failure.
    world.config(*COMMON, "MAIN_PAUSE=1", "MAIN_PATIENCE=1")
    world.sh("(%s main >/opt/log 2>&1; echo $? >/opt/code) &" % SCRIPT)
    world.wait_for(lambda: os.path.exists("/run/nfqws2_1.pid") and processes.named("nfqws2"), "no daemon")
    world.wait_for(lambda: "300" in world.read("/proc/net/netfilter/nfnetlink_queue"), "no queue")
    world.service("stop")
    world.wait_for(lambda: os.path.exists("/opt/code"), "the main process goes on")
    equal(world.read("/opt/code"), "0\n")


def test_errors_in_the_journal_have_a_priority(world: World):
    world.config(*COMMON, "NFQWS2=/nowhere/nfqws2")
    text = world.sh("exec 2>/opt/journal; JOURNAL_STREAM=$(stat -L -c %%d:%%i /opt/journal) %s start" % SCRIPT,
                    check_code=1)
    lacks(text, "ERROR")
    contains(world.read("/opt/journal"), "<3>ERROR: daemon 1: /nowhere/nfqws2 is missing")
    lacks(world.sh("JOURNAL_STREAM=1:2 %s start 2>&1" % SCRIPT, check_code=1), "<3>")
