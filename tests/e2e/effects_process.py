"""What the general options and those of the process do."""
import os
import pwd
import re
import signal
import tempfile

from effects import effect
from harness import QUEUE, check, check_equal
from offline_world import EVERYTHING, HOST

F = "--lua-desync=f"

# --- general


@effect("debug")
def _(world):
    marker = "packet: id="
    check(marker not in world.run(F).said, "debug messages without --debug")
    check(marker not in world.run("--debug=0", F).said, "debug messages with --debug=0")
    check(marker in world.run("--debug", F).said, "no debug messages on the console")
    check(marker in world.run("--debug=1", F).said, "no debug messages on the console")
    check("hostname: " + HOST in world.run("--debug", F).said, "no detail")
    run = world.run("--debug=@" + world.file("log", "old text"), F)
    check(marker in world.read("log") and marker not in run.said, "the log is not in the file")
    check("old text" not in world.read("log"), "the file was not emptied at the start")
    said = world.syslog("--debug=syslog", F)
    check(re.search(r"^<15>.*nfqws2\[\d+\]: packet: id=", said, re.M), "no debug message in:\n%s",
          said[-2000:])
    said = world.syslog("--debug=syslog", "--lua-init=function f() error('no luck') end", F, code=3)
    check(re.search(r"^<11>.*nfqws2\[\d+\]: LUA ERROR: .*no luck", said, re.M), "no error in:\n%s",
          said[-2000:])
    check("\n\n" not in said, "empty records")


@effect("dry-run")
def _(world):
    run = world.env.run("--dry-run", "--qnum=200", "--lua-init=print('ran')")
    check(run.returncode == 0 and "command line parameters verified" in run.stdout and
          "ran" not in run.stdout, "it said: %s", run.stdout)
    check("ran\n" in world.run("--lua-init=print('ran')").said, "Lua does not run without it")


@effect("version")
def _(world):
    run = world.env.run("--version", "--no-such-option")
    check(run.stdout.splitlines()[0].endswith(" lua_compat_ver 6"), "it said: %s", run.stdout)
    check_equal("times", run.stdout.count("lua_compat_ver"), 1)
    check_equal("exit code", run.returncode, 0)


@effect("quiet")
def _(world):
    run = world.env.run("--intercept=0", "--quiet", "stray")
    check_equal("exit code", run.returncode, 0)
    check_equal("standard output", run.stdout, "")
    check("'stray' is no option" in run.stderr, "it said: %s", run.stderr)


@effect("help")
def _(world):
    run = world.env.run("--help", "--no-such-option")
    check_equal("exit code", run.returncode, 0)
    lines = run.stdout.splitlines()
    check(all(len(line) <= 100 for line in lines), "lines of more than 100 columns")
    groups = [n for n, line in enumerate(lines) if re.fullmatch(r"[A-Z ]+( \(.*\))?:", line)]
    check(len(groups) >= 10, "groups: %s", [lines[n] for n in groups])
    for n in groups:
        check(lines[n + 1].startswith(" --"), "the group %r is empty", lines[n])


@effect("comment")
def _(world):
    check_equal("called", world.called("--comment=--filter-tcp=80"), EVERYTHING)


@effect("intercept")
def _(world):
    run = world.env.run("--intercept=0", "--lua-init=print('ran')")
    check(run.returncode == 0 and run.stdout.endswith("no intercept quit\n") and
          "ran\n" in run.stdout, "it said: %s%s", run.stdout, run.stderr)


@effect("fuzz")
def _(world):
    run = world.env.run("--fuzz=500", "--in-range=a", F,
                        "--lua-init=n=0 function f() n=n+1 if n==20 then print('seen') end end")
    check("seen\n" in run.stdout and "500 random packets processed" in run.stdout, "it said: %s%s",
          run.stdout, run.stderr)


@effect("fwmark")
def _(world):
    script = "--lua-init=function mark(c,d) print('mark '..desync_fwmark..' ') end"
    for option, mark in ([], 0x40000000), (["--fwmark=0x20"], 0x20), (["--fwmark=7"], 7):
        run = world.run(*option, script, "--lua-desync=mark")
        check("mark %d \n" % mark in run.said, "%s: it said: %s", option, run.said[-500:])


@effect("workers")
def _(world):
    with world.env.lab() as lab:
        def bound():
            with lab.inside("client"), \
                    open("/proc/thread-self/net/netfilter/nfnetlink_queue") as f:
                numbers = sorted(int(line.split()[0]) for line in f)
            return [number for number in numbers if QUEUE <= number < QUEUE + 10]
        for count in 1, 3:
            process = lab.start("client", world.env.program, "--qnum=%d" % QUEUE,
                                "--workers=%d" % count)
            queues = list(range(QUEUE, QUEUE + count))
            lab.wait_for(lambda queues=queues: bound() == queues, "queues of %d" % count, process)
            check_equal("exit code", lab.stop(process), 0)


def longest_packet(world, *options):
    """Length of the longest packet the program sees of an upload through an interface that leaves
    the cutting of segments to the last moment."""
    with world.env.lab() as lab:
        lab.start_site(HOST)
        lab.set_offloads("client", "eth0", 1)
        lab.queue_client(QUEUE)
        body = "--data-binary=@%s" % os.path.join(lab.folder, "www", "big.bin")
        with world.env.daemon(lab, *options, "--debug", F, "--lua-init=function f() end") as daemon:
            # The body goes at once: a server that refuses it must not be asked first.
            lab.curl("-o", "/dev/null", "-H", "Expect:", *body.split("=", 1), "http://%s/" % HOST, name=HOST,
                     timeout=30)
            return max(int(n) for n in re.findall(r"packet: id=\d+ len=(\d+)", daemon.output()))


@effect("gso")
def _(world):
    for option, large in ([], True), (["--gso"], True), (["--gso=0"], False):
        longest = longest_packet(world, *option)
        check((longest > 1500) == large, "longest packet with %s: %d", option, longest)


@effect("offload-mark")
def _(world):
    mark = "0x10000000"
    for option, marked in ([], False), (["--offload-mark=" + mark], True):
        with world.env.lab() as lab:
            lab.start_site(HOST)
            lab.queue_client(QUEUE)
            lab.run("client", "iptables", "-A", "INPUT", "-m", "mark", "--mark",
                    "%s/%s" % (mark, mark))
            with world.env.daemon(lab, *option, "--filter-udp=1", F,
                                  "--lua-init=function f() end"):
                check_equal("page", lab.curl("http://%s/" % HOST, name=HOST).returncode, 0)
            counted = lab.run("client", "iptables", "-L", "INPUT", "-v", "-x").stdout
            packets = int(re.search(r"^ *(\d+) .* mark match", counted, re.M).group(1))
            check((packets > 0) == marked, "%s: %d marked packets", option, packets)


# --- process


@effect("chdir")
def _(world):
    world.file("list.txt", HOST)
    words = ["--hostlist=list.txt", F]
    check_equal("called", world.run("--chdir=" + world.folder, *words,
                                    kwargs={"cwd": "/"}).called(), {"http", "tls6", "quic"})
    refused = world.env.run("--qnum=200", *words, "--chdir=" + world.folder, cwd="/")
    check("cannot access hostlist file" in refused.stderr, "it said: %s", refused.stderr)
    # Without a value: where the program is.
    home = os.path.dirname(os.path.realpath(world.env.program))
    beside = os.path.relpath(world.path("list.txt"), home)
    check_equal("called", world.run("--chdir", "--hostlist=" + beside, F,
                                    kwargs={"cwd": "/"}).called(), {"http", "tls6", "quic"})


@effect("pidfile")
def _(world):
    path = world.file("pid", "something longer than a process id")
    run = world.env.run("--intercept=0", "--pidfile=" + path,
                        "--lua-init=print('pid '..getpid())")
    check_equal("pid file", "pid " + world.read("pid"), re.search("pid .*", run.stdout).group())


@effect("user")
def _(world):
    # One with groups of its own if there is one.
    user = max(pwd.getpwall(), key=lambda u: len(os.getgrouplist(u.pw_name, u.pw_gid)))
    run = world.env.run("--intercept=0", "--user=" + user.pw_name)
    ids = re.search(r"Running as UID=(\d+) GID=([\d,]+)\n", run.stdout)
    check(ids, "it said: %s%s", run.stdout, run.stderr)
    check_equal("ids", (int(ids[1]), sorted(map(int, ids[2].split(",")))),
                (user.pw_uid, sorted(os.getgrouplist(user.pw_name, user.pw_gid))))


@effect("uid")
def _(world):
    for option, want in ([], "UID=2147483647 GID=2147483647"), \
            (["--uid=5"], "UID=5 GID=2147483647"), (["--uid=5:6,7"], "UID=5 GID=6,7"), \
            (["--user=daemon", "--uid=9:8"], "UID=9 GID=8"):
        run = world.env.run("--intercept=0", *option)
        check("Running as %s\n" % want in run.stdout, "%s: it said: %s", option, run.stdout)


@effect("writable")
def _(world):
    os.chmod(world.folder, 0o755)
    script = "--lua-init=print('to '..tostring(os.getenv('WRITABLE')))"
    check("to nil\n" in world.run(script).said, "set without the option")
    run = world.run("--writable=" + world.path("w"), script)
    check("to %s\n" % os.path.realpath(world.path("w")) in run.said, "it said: %s", run.said)
    check_equal("owner", os.stat(world.path("w")).st_uid, 2147483647)
    os.environ["TMPDIR"] = world.folder
    check("/zapret2\n" in world.run("--writable", script).said, "no default folder")


@effect("writeable")
def _(world):
    os.chmod(world.folder, 0o755)
    script = "--lua-init=print(os.getenv('WRITABLE')..' '..os.getenv('WRITEABLE'))"
    folder = os.path.realpath(world.folder) + "/w"
    for option in "--writeable=", "--writable=":
        run = world.run(option + world.path("w"), script)
        check("%s %s\n" % (folder, folder) in run.said, "it said: %s", run.said)


RUNS = "--lua-init=local s = store('a') print('run', s:add('runs', 'n', 1)) "


@effect("state-dir")
def _(world):
    os.chmod(world.folder, 0o755)
    folder = world.path("state")

    def number(said):
        return re.search(r"^run\t(\d+)$", said, re.M).group(1)

    def runs(*words):
        return number(world.env.run("--intercept=0", RUNS, *words).stdout)
    check_equal("runs without it", [runs(), runs()], ["1", "1"])
    check_equal("runs with it", [runs("--state-dir=" + folder), runs("--state-dir=" + folder)], ["1", "2"])
    check_equal("another queue", runs("--state-dir=" + folder, "--qnum=7"), "1")
    info = os.stat(folder + "/0")
    check_equal("owner and mode", (info.st_uid, info.st_mode & 0o777), (2147483647, 0o700))
    runs("--check", "--state-dir=" + folder)
    check_equal("behind --check", runs("--state-dir=" + folder), "3")
    check_equal("of captures", [number(world.run(RUNS, *words).said) for words in ([], [], ["--state-dir=" + folder])],
                ["1", "1", "4"])
    check("state" not in world.env.run("--dry-run", "--qnum=1", "--state-dir=" + world.path("x")).stderr and
          not os.path.exists(world.path("x")), "--dry-run has made a folder")
    os.symlink("/", world.path("link"))
    run = world.env.run("--intercept=0", RUNS, "--state-dir=" + world.path("link/no/such"))
    check("bad file" in run.stderr, "it said: %s", run.stderr)


@effect("state-interval")
def _(world):
    os.chmod(world.folder, 0o755)
    # Looks for the file until it is there, or for two seconds.
    script = RUNS + """
        function look()
            turns = (turns or 0) + 1
            local file = io.open('%s/0/a.tsv')
            if file or turns == %d then print(file and 'written' or 'not yet') timer_del('look') end
        end
        timer_set('look', 'look', 100)"""

    def said(name, interval, turns):
        folder = world.path(name)
        return world.env.run("--intercept=0", "--state-dir=" + folder, "--state-interval=%d" % interval,
                             script % (folder, turns)).stdout
    check("written\n" in said("a", 1, 600), "nothing was written in a minute")
    check("not yet\n" in said("b", 3600, 20), "it was written in two seconds")
    check(os.path.exists(world.path("b/0/a.tsv")), "it was not written at the end")


@effect("store-max")
def _(world):
    script = "--lua-init=local s = store('a') for i = 1, 100 do s:set(i, {}) end print('kept', s:count())"
    check("kept\t100\n" in world.run(script).said, "not all without the option")
    check("kept\t64\n" in world.run("--store-max=64", script).said, "not 64 with it")


@effect("sandbox")
def _(world):
    # Removing a folder is what no script may, even where everybody may.
    victim = world.path("victim")
    os.chmod(world.folder, 0o777)
    script = "--lua-init=print('tried', os.remove('%s'))" % victim
    for option, code in ([], -signal.SIGSYS), (["--sandbox=enforce"], -signal.SIGSYS), \
            (["--sandbox=report"], 0), (["--sandbox=off"], 0):
        os.makedirs(victim, exist_ok=True)
        os.chmod(victim, 0o777)
        run = world.env.run("--intercept=0", *option, script)
        check_equal("exit code with %s (it said %s)" % (option, run.stderr), run.returncode, code)
        check(code == 0 or os.path.isdir(victim), "the folder is gone")
        check(("tried" in run.stdout) == (code == 0), "it said: %s", run.stdout)


@effect("lua-run")
def _(world):
    run = world.env.run("--lua-init=x = 'init'", "--lua-run=print('ran behind ' .. x, ...) os.exit(9)", "--", "word")
    check_equal("exit code (%s)" % run.stderr, run.returncode, 9)
    check("ran behind init\tword\n" in run.stdout, "it said: %s", run.stdout)


@effect("lua-allow")
def _(world):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as elsewhere:
        os.chmod(elsewhere, 0o755)
        path = os.path.join(elsewhere, "notes")
        with open(path, "w") as f:
            f.write("seen")
        script = "--lua-init=local f=io.open('%s') print('read '..tostring(f and f:read()))" % path
        for option, text in ([], "nil"), (["--lua-allow=" + elsewhere], "seen"), \
                (["--lua-allow=" + path], "seen"):
            run = world.env.run("--intercept=0", *option, script)
            check("read %s\n" % text in run.stdout, "%s: it said: %s%s", option, run.stdout,
                  run.stderr)
