"""The supervisor of daemons: a crash starts them again, an end on purpose does not."""
import os
import re
import signal

import processes
from sandbox import BASE, SCRIPT, World, check, contains, equal, kill

SHELLS = ("dash", "busybox", "bash")
COMMON = ("FWTYPE=iptables", "INIT_APPLY_FW=0", "WS_USER=nobody", "NFQWS2_ENABLE=1")
SOON = {"SUPERVISE_PAUSE": "1"}
LATER = {"SUPERVISE_PAUSE": "500"}
PIDFILE = "/run/nfqws2_1.pid"


def supervisors():
    return processes.eldest(pid for pid in processes.pids()
                            if any(word.endswith("/common/supervise.sh") for word in processes.words(pid)[1:2]))


def daemon(world):
    """The pid of the only daemon, which is that of the pid file; or None."""
    pids = world.processes("nfqws2")
    try:
        return pids[0] if pids and world.read(PIDFILE) == "%d\n" % pids[0] else None
    except FileNotFoundError:
        return None


def start(world, *config, env=SOON):
    world.config(*COMMON, *config)
    world.service("start", env=env)
    pid = daemon(world)
    check(pid, "not started")
    return pid


def nothing_left(world):
    equal((world.processes("nfqws2"), supervisors()), ([], []))
    equal([name for name in os.listdir("/run") if name.startswith("nfqws2")], [])


def test_crash(world: World):
    pid = start(world)
    equal(len(supervisors()), 1)
    for signal_number in (signal.SIGSEGV, signal.SIGKILL):
        kill(pid, signal_number)
        world.wait_for(lambda old=pid: daemon(world) not in (None, old), "not started again")
        pid = daemon(world)
    world.wait_for(lambda: "  300 " in world.read("/proc/net/netfilter/nfnetlink_queue"), "no queue")
    contains(world.service("start"), "already running")
    equal((daemon(world), len(supervisors())), (pid, 1))
    world.service("restart", env=SOON)
    check(daemon(world) != pid, "not restarted")
    equal(len(supervisors()), 1)
    world.service("stop")
    nothing_left(world)


def test_an_end_on_purpose(world: World):
    for number in (signal.SIGTERM, signal.SIGINT):
        pid = start(world)
        kill(pid, number)
        world.wait_for(lambda: not supervisors(), "the supervisor does not end")
        equal(world.processes("nfqws2"), [])
    contains(world.service("stop"), "Stopping daemon 1")
    nothing_left(world)


def test_reload_goes_on(world: World):
    pid = start(world)
    kill(pid, signal.SIGHUP)
    kill(supervisors()[0], signal.SIGHUP)
    world.service("stop-fw")  # time passes
    equal((daemon(world), len(supervisors())), (pid, 1))


def test_questions_are_passed_on(world: World):
    """USR1 and USR2 to all processes of the service, as `pkill -f` does: nobody dies of it."""
    pid = start(world)
    supervisor = supervisors()
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        kill(supervisor[0], number)
        kill(pid, number)
    world.service("stop-fw")  # time passes
    equal((daemon(world), supervisors()), (pid, supervisor))


def test_a_failure_after_the_start_is_a_crash(world: World):
    """Exit 1 speaks of the options at the start only."""
    world.tool("stub", "#!/bin/sh\necho run >>/opt/runs\n[ -e /opt/again ] && exit 0\n: >/opt/again\n"
                       "PATH=/usr/bin:/bin sleep 4\nexit 1\n")
    text = world.sh("sh %s/common/supervise.sh /run/stub.pid /opt/bin/stub" % BASE, env=SOON)
    equal(text, "stub: ended with code 1, starts again in 1 s\n")
    equal(world.read("/opt/runs"), "run\nrun\n")


def test_wrong_options_are_not_tried_again(world: World):
    world.config(*COMMON, "NFQWS2_OPT=--no-such-option")
    for pipe in ("", " 2>&1 | cat"):
        text = world.sh("%s start%s" % (SCRIPT, pipe), check_code=None, env=SOON)
        equal(text.count("unrecognized option"), 1, text)
        contains(text, "ERROR: daemon 1 did not start")
    nothing_left(world)


def test_crash_at_start_is_reported(world: World):
    """The reader of the messages gets them all, and no supervisor goes on behind his back."""
    world.tool("stub", "#!/bin/sh\necho I crash >&2\nexit 101\n")
    world.config(*COMMON, "NFQWS2=/opt/bin/stub")
    for pipe in ("", " 2>&1 | cat"):
        text = world.sh("%s start%s" % (SCRIPT, pipe), check_code=None, env=LATER)
        contains(text, "I crash")
        contains(text, "ERROR: daemon 1 did not start")
    equal(supervisors(), [])
    equal(os.listdir("/tmp"), [])


def test_stop_and_start_during_the_pause(world: World):
    for verb in ("stop", "start"):
        pid = start(world, env=LATER)
        kill(pid, signal.SIGKILL)
        world.wait_for(lambda: not world.processes("nfqws2"), "the daemon survived")
        equal(len(supervisors()), 1)
        world.service(verb)
    check(daemon(world) not in (None, pid), "not started")
    equal((len(world.processes("nfqws2")), len(supervisors())), (1, 1))
    world.service("stop")
    nothing_left(world)


def test_without_supervisor(world: World):
    pid = start(world, "DAEMON_RESPAWN=0")
    equal((supervisors(), world.read("/proc/%d/cmdline" % pid).split("\0")[0]), ([], BASE + "/nfq2/nfqws2"))
    contains(world.service("start"), "already running")
    world.service("stop")
    nothing_left(world)


def test_pauses_grow(world: World):
    world.tool("stub", "#!/bin/sh\nexit 101\n")
    world.tool("logger", '#!/bin/sh\necho "$*" >>/opt/syslog\n')
    world.needs_program("sleep")
    world.tool("sleep", '#!/bin/sh\n[ "$1" = 8 ] && kill "$PPID"\nexit 0\n')
    text = world.sh("sh %s/common/supervise.sh /run/stub.pid /opt/bin/stub" % BASE, check_code=None)
    pauses = ["stub: ended with code 101, starts again in %d s" % n for n in (2, 4, 8)]
    equal(text.splitlines(), pauses)
    equal(world.read("/opt/syslog").splitlines(), ["-t zapret " + line for line in pauses])
    world.tool("sleep", '#!/bin/sh\n[ "$1" = 60 ] && [ -e /opt/again ] && kill "$PPID"\n'
                        '[ "$1" = 60 ] && : >/opt/again\nexit 0\n')
    text = world.sh("sh %s/common/supervise.sh /run/stub.pid /opt/bin/stub" % BASE, check_code=None)
    equal(re.findall(r"in (\d+) s", text), "2 4 8 16 32 60 60".split())


def test_arguments_are_passed_as_they_are(world: World):
    world.tool("stub", '#!/bin/sh\nprintf "<%s>" "$@" >/opt/words\nexit 1\n')
    world.run("sh", BASE + "/common/supervise.sh", "/run/stub.pid", "/opt/bin/stub", "a b", "$(touch /opt/evil)", "*",
              "", "`x`;\n", check_code=1)
    equal(world.read("/opt/words"), "<a b><$(touch /opt/evil)><*><><`x`;\n>")
