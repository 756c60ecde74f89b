"""What a running program is: its rights, its signals, its files, its end."""
import os
import re
import signal
import socket
import subprocess
import time

from harness import QUEUE, check, check_equal, laboratory
from wire import DatagramServer, exchange

NOBODY = 0x7FFFFFFF
SITE = "site.example"


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def check_rights(pid, uid, groups):
    facts = status(pid)
    check_equal("uids", facts["Uid"].split(), [str(uid)] * 4)
    check_equal("gids", facts["Gid"].split(), [str(groups[0])] * 4)
    check_equal("groups", sorted(facts["Groups"].split()), sorted(str(g) for g in groups))
    for name in ("CapPrm", "CapEff"):
        check_equal(name, facts[name], "0000000000003000")
    for name in ("CapInh", "CapBnd", "CapAmb"):
        check_equal(name, facts[name], "0000000000000000")
    check_equal("NoNewPrivs", facts["NoNewPrivs"], "1")
    check_equal("Seccomp", facts["Seccomp"], "2")


def test_rights(env):
    """Root by default becomes nobody; --uid and --user choose; Lua runs behind all that."""
    script = ("local f=io.open('/proc/self/status') for l in f:lines() do DLOG_CONDUP(l) end "
              "f:close()")
    with env.lab() as lab:
        with env.daemon(lab, "--lua-init=" + script) as daemon:
            check_rights(daemon.pid, NOBODY, [NOBODY])
            said = daemon.output()
            check_equal("first line's end", said.splitlines()[0].split()[-2:],
                        ["lua_compat_ver", "6"])
            check_equal("second line", said.splitlines()[1], "")
            for fact in ("Uid:\t%d\t" % NOBODY, "CapEff:\t0000000000003000", "Seccomp:\t2",
                         "NoNewPrivs:\t1"):
                check("LUA: " + fact in said, "the script did not see %r but:\n%s", fact, said)
        with env.daemon(lab, "--uid=1234:2001,2002,2003") as daemon:
            check_rights(daemon.pid, 1234, [2001, 2002, 2003])
            check("Running as UID=1234 GID=2001,2002,2003" in daemon.output(), "no status line")
        with env.daemon(lab, "--uid=0") as daemon:
            facts = status(daemon.pid)
            check_equal("CapEff", facts["CapEff"], "0000000000003000")
        with env.daemon(lab, "--user=daemon") as daemon:
            check_equal("uid", status(daemon.pid)["Uid"].split()[0], "1")


def test_queue_settings(env):
    with env.lab() as lab, env.daemon(lab) as daemon:
        row = lab.queue_state("client", QUEUE)
        check_equal("copy mode", row[3], 2)
        check(row[4] >= 65531, "copy range %d", row[4])
        check(daemon.alive(), "the program ended")


def test_second_program_on_a_queue(env):
    with env.lab() as lab, env.daemon(lab, queue=QUEUE):
        second = lab.run("client", env.program, "--qnum=%d" % QUEUE, check=False)
        check_equal("exit code", second.returncode, 1)
        lines = second.stderr.strip().splitlines()
        check(len(lines) <= 2 and "queue" in lines[0] and str(QUEUE) in lines[-1], "it said: %r",
              lines)
        with env.daemon(lab, queue=QUEUE + laboratory.WORKERS):
            pass


def test_signals(env):
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        hosts = os.path.join(lab.folder, "hosts")
        with open(hosts, "w") as f:
            f.write("one.example\n")
        with env.daemon(lab, "--hostlist=" + hosts, "--lua-desync=pass") as daemon:
            lab.curl("http://%s/" % SITE, name=SITE)
            daemon.process.send_signal(signal.SIGUSR1)
            daemon.wait_output("CONNTRACK DUMP")
            daemon.wait_output("hostname=" + SITE)
            daemon.wait_output("0 packets passed unprocessed because the queue was full")
            dump = next(line for line in daemon.output().splitlines() if "hostname=" in line)
            check(dump.startswith("tcp [10.77.1.2]:") and " => [10.77.2.2]:80 : " in dump and
                  " l7proto=http" in dump and " client=d1/n" in dump, "conntrack line %r", dump)
            daemon.process.send_signal(signal.SIGUSR2)
            for text in ("HOSTFAIL POOL DUMP", "DESYNC profile 0 (no_action)", "IPCACHE",
                         "10.77.2.2 iface=eth0 : ttl "):
                daemon.wait_output(text)
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_output("HUP received ! Lists will be reloaded.")
            result = lab.curl("http://%s/" % SITE, name=SITE)
            check(result.returncode == 0, "no service after the signals: %s", result.stderr)
            check_equal("alive", daemon.alive(), True)
            daemon.stop()
            check("TERM received !" in daemon.output(), "TERM was not told")
        with env.daemon(lab) as daemon:
            daemon.process.send_signal(signal.SIGINT)
            check_equal("exit code on INT", daemon.ended(), 0)
            check("INT received !" in daemon.output(), "INT was not told")


def test_daemon_and_pidfile(env):
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        pidfile = os.path.join(lab.folder, "pid")
        slow = "local t=os.time()+1 while os.time()<=t do end"
        begin = time.monotonic()
        result = lab.run("client", env.program, *laboratory.program_options(QUEUE), "--daemon",
                         "--pidfile=" + pidfile, "--lua-init=" + slow, check=False)
        check_equal("exit code of the parent", result.returncode, 0)
        check(time.monotonic() - begin > 0.9, "the parent did not wait for the scripts")
        row = lab.queue_state("client", QUEUE)
        check(row is not None, "the parent ended before the queue was bound")
        lab.wait_for(lambda: os.path.getsize(pidfile) > 0, "no pid file")
        with open(pidfile) as f:
            text = f.read()
        pid = int(text)
        check_equal("pid file", text, str(pid))
        check_rights(pid, NOBODY, [NOBODY])
        check_equal("session", os.getsid(pid), pid)
        for fd in (0, 1, 2):  # the parent ends a moment before the child has got so far
            lab.wait_for(lambda name="/proc/%d/fd/%d" % (pid, fd): os.path.lexists(name) and
                         os.readlink(name) == "/dev/null", "descriptor %d is not closed" % fd)
        check(lab.curl("http://%s/" % SITE, name=SITE).returncode == 0, "no service")
        os.kill(pid, signal.SIGTERM)
        lab.wait_for(lambda: not os.path.exists("/proc/%d" % pid), "the daemon does not end")

        failing = lab.run("client", env.program, *laboratory.program_options(QUEUE), "--daemon",
                          "--lua-init=error('no')", check=False)
        check_equal("exit code with a failing script", failing.returncode, 1)
        check_equal("queue after it", lab.queue_state("client", QUEUE), None)


def test_readiness_notification(env):
    with env.lab() as lab, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        path = os.path.join(lab.folder, "notify")
        s.bind(path)
        os.chmod(path, 0o777)
        s.settimeout(laboratory.PATIENCE)
        os.environ["NOTIFY_SOCKET"] = path
        with env.daemon(lab):
            check_equal("notification", s.recv(100), b"READY=1")


def test_forbidden_system_call(env):
    """A script that removes a directory ends by SIGSYS and the directory stays."""
    with env.lab() as lab:
        victim = os.path.join(lab.folder, "victim")
        os.mkdir(victim)
        os.chmod(victim, 0o777)
        os.chmod(lab.folder, 0o777)
        result = lab.run("client", env.program, "--intercept=0",
                         "--lua-init=os.remove('%s')" % victim, check=False)
        check_equal("exit code", result.returncode, -signal.SIGSYS)
        check(os.path.isdir(victim), "the directory is gone")


def test_writable_folder(env):
    with env.lab() as lab:
        os.chmod(lab.folder, 0o755)
        folder = os.path.join(lab.folder, "scripts")
        script = "local f=io.open(os.getenv('WRITABLE')..'/x','w') f:write('seen') f:close()"
        with env.daemon(lab, "--writable=" + folder, "--lua-init=" + script):
            check_equal("owner", os.stat(folder).st_uid, NOBODY)
            with open(os.path.join(folder, "x")) as f:
                check_equal("what the script wrote", f.read(), "seen")


def test_script_errors_harm_one_packet(env):
    """A failing function: its packet passes, the program goes on, the message names the place."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        with env.daemon(lab, "--lua-init=function bad(ctx, desync) error('no luck') end",
                        "--name=mine", "--lua-desync=bad", "--lua-desync=drop",
                        troubled=True) as daemon:
            for version in (4, 6):
                result = lab.curl("https://%s/" % SITE, name=SITE, version=version)
                check(result.returncode == 0, "the packets did not pass: %s", result.stderr)
            said = daemon.output()
            check("no luck" in said and "mine" in said and
                  "desync ERROR. passing packet unmodified." in said, "it said:\n%s", said)


def test_endless_script_can_be_ended(env):
    """TERM ends a script that loops; a compiled loop at the latest at the second TERM."""
    with env.lab() as lab:
        lab.queue_client(QUEUE, ports="5000", protocol="udp")
        for body in ("while true do local s=tostring({}) end", "while true do end"):
            script = "function spin(ctx, desync) %s end" % body
            with env.daemon(lab, "--lua-init=" + script, "--lua-desync=spin",
                            troubled=True) as daemon:
                with lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.sendto(b"x", (laboratory.SERVER4, 5000))
                time.sleep(0.3)
                for _ in range(2):
                    if daemon.alive():
                        daemon.process.send_signal(signal.SIGTERM)
                        try:
                            daemon.ended(1)
                        except subprocess.TimeoutExpired:
                            pass
                check(daemon.ended() is not None, "two TERM do not end: %s", body)


def test_timers(env):
    """Lua timers fire without traffic and between packets."""
    script = ("n=0 function tick() n=n+1 DLOG_CONDUP('tick '..n) if n==5 then timer_del('t') end "
              "end timer_set('t','tick',50)")
    with env.lab() as lab:
        lab.queue_client(QUEUE, ports="5000", protocol="udp")
        with env.daemon(lab, "--lua-init=" + script, "--lua-desync=pass") as daemon, \
                DatagramServer(lab, "server", 5000) as server:
            with lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(laboratory.PATIENCE)
                s.sendto(b"x", (laboratory.SERVER4, 5000))
                check_equal("echo", s.recv(10), b"x")
            check_equal("datagrams", server.datagrams, [b"x"])
            daemon.wait_output("tick 5")
            time.sleep(0.15)
            check("tick 6" not in daemon.output(), "a deleted timer fired")


def test_nothing_is_left(env):
    """After the end rules, sockets, queue and processes are as before."""
    def state(lab):
        rules = [lab.run("client", tables + "-save").stdout for tables in laboratory.TABLES]
        # Comments hold the time, brackets the counters.
        kept = [re.sub(r"\[\d+:\d+\]", "", line) for text in rules for line in text.splitlines()
                if not line.startswith("#")]
        with lab.inside("client"):
            tables = []
            for name in ("raw", "raw6", "udp", "packet", "netfilter/nfnetlink_queue"):
                with open("/proc/thread-self/net/" + name) as f:
                    tables.append(f.read())
        pids = subprocess.run(["ip", "netns", "pids", lab.ns("client")], capture_output=True,
                              text=True, check=True, env=laboratory.environment()).stdout
        return kept, tables, pids

    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        before = state(lab)
        with env.daemon(lab, "--lua-desync=fake:blob=fake_default_tls:ip_ttl=1") as daemon:
            check(lab.curl("https://%s/" % SITE, name=SITE).returncode == 0, "no service")
            check(state(lab) != before, "the test does not see the program %d", daemon.pid)
        check_equal("state after the end", state(lab), before)


def test_unused_queue_is_bypassed(env):
    """Without the program, before it and after it, the traffic passes."""
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        for _ in range(2):
            check(exchange(lab, laboratory.SERVER4, 80, b"GET / HTTP/1.0\r\n\r\n"), "no service")
            with env.daemon(lab, "--lua-desync=pass"):
                check(exchange(lab, laboratory.SERVER4, 80, b"GET / HTTP/1.0\r\n\r\n"),
                      "no service with the program")
        check(exchange(lab, laboratory.SERVER4, 80, b"GET / HTTP/1.0\r\n\r\n"), "no service after")


def test_writable_directory_of_another_user(env):
    """The message says what to do."""
    with env.folder() as folder:
        path = os.path.join(folder, "w")
        os.mkdir(path)
        os.chown(path, 1234, 1234)
        result = subprocess.run([env.program, "--intercept=0", "--writable=" + path],
                                user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True,
                                text=True, timeout=60, check=False)
        check_equal("exit code", result.returncode, 1)
        real = os.path.realpath(path)
        check("it belongs to uid 1234; give it to the user of the daemon (chown %d %s), remove it, "
              "or name another one (--writable=<dir>)" % (NOBODY, real) in result.stderr,
              "it said: %s", result.stderr)
        check_equal("owner", os.stat(path).st_uid, 1234)
