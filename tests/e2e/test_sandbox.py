"""What hostile scripts cannot do, and what the fence lets through (manual, security model)."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile

import poor_kernel
from expect import wait_for
from harness import DATA, HERE, cases, check, check_equal, without_root
from processes import status

SOURCE = os.path.join(DATA, "golden", "085-multisplit-default", "in.pcap")
ORDINARY_USER = 65534
WAYS = {"root": (True,), "ordinary_user": (False,)}


@contextlib.contextmanager
def places(env):
    """A directory below /tmp, where scripts may write, and one where they may not."""
    with env.folder() as inside:
        outside = tempfile.mkdtemp(prefix=os.path.basename(inside) + "-", dir="/var/tmp")
        try:
            for folder in (inside, outside):
                os.chmod(folder, 0o777)
            with open(os.path.join(outside, "secret"), "w") as f:
                f.write("return 'secret'")
            os.chmod(f.name, 0o666)
            yield inside, outside
        finally:
            shutil.rmtree(outside)


def start(env, inside, *args, as_root=True):
    """Runs the program on a capture; a copy of it, because its folder may be closed to others."""
    program, source = os.path.join(inside, "nfqws2"), os.path.join(inside, "in.pcap")
    shutil.copy(env.program, program)
    shutil.copy(SOURCE, source)
    os.chmod(program, 0o755)
    os.chmod(source, 0o644)
    identity = {}
    if not as_root and os.geteuid() == 0:
        identity = {"user": ORDINARY_USER, "group": ORDINARY_USER, "extra_groups": []}
    plain = type(env)(program, env.lua)
    result = plain.run("--pcap-in=" + source, *args, cwd="/", **identity)
    return result.returncode, result.stdout + result.stderr


def run_script(env, inside, script, *args, as_root=True):
    path = os.path.join(inside, "script.lua")
    with open(path, "w") as f:
        f.write(script)
    return start(env, inside, "--lua-init=@" + path, *args, as_root=as_root)


@without_root
@cases(WAYS)
def test_hostile_script(env, as_root):
    with places(env) as (inside, outside):
        link = os.path.join(inside, "link")
        os.symlink(outside, link)
        names = "INSIDE, OUTSIDE, LINK = %r, %r, %r\n" % (inside, outside, link)
        with open(os.path.join(HERE, "hostile.lua")) as f:
            code, said = run_script(env, inside, names + f.read(), "--lua-mem-limit=64",
                                    as_root=as_root)
        check_equal("breaches", re.findall(r"^BREACH.*", said, re.M), [])
        tried = re.search(r"^tried (\d+)$", said, re.M)
        check(tried and int(tried[1]) >= 250, "it did not get to its end:\n%s", said[-2000:])
        check_equal("lines", len(re.findall(r"^refused ", said, re.M)), int(tried[1]))
        check_equal("exit code", code, 0)
        check_equal("files outside", sorted(os.listdir(outside)), ["secret"])


# What can be tried once only: the process ends.
@without_root
@cases(WAYS)
def test_forbidden_call(env, as_root):
    with places(env) as (inside, _):
        victim = os.path.join(inside, "victim")
        os.mkdir(victim)
        script = "print(pcall(os.remove, %r)) print('alive')" % victim
        code, said = run_script(env, inside, script, as_root=as_root)
        check_equal("exit code", code, -signal.SIGSYS)
        check(re.search(r"^sandbox: forbidden system call (rmdir|unlinkat) \(\d+\)$", said, re.M),
              "no message but:\n%s", said)
        check("alive" not in said and os.path.isdir(victim), "it went on:\n%s", said)


@without_root
def test_report(env):
    """Nothing is refused but the call itself, everything is named, once."""
    with places(env) as (inside, outside):
        victim = os.path.join(inside, "victim")
        os.mkdir(victim)
        script = ("for i = 1, 3 do print(os.remove(%r)) end "
                  "for i = 1, 3 do print(io.open(%r):read()) end "
                  "print(io.open(%r, 'w') ~= nil)" %
                  (victim, outside + "/secret", outside + "/new"))
        code, said = run_script(env, inside, script, "--sandbox=report")
        check_equal("exit code", code, 0)
        for text, count in (("sandbox: forbidden system call", 1), (", answered by EPERM\n", 1),
                            ("Operation not permitted\t1\n", 3), ("return 'secret'\n", 3),
                            ("sandbox: reading '%s/secret' would be forbidden" % outside, 1),
                            ("sandbox: writing '%s/new' would be forbidden" % outside, 1)):
            check_equal(text, said.count(text), count)
        check(os.path.exists(outside + "/new"), "the file was not written")


@without_root
def test_off(env):
    with places(env) as (inside, outside):
        victim = os.path.join(inside, "victim")
        os.mkdir(victim)
        os.chmod(inside, 0o777)
        script = ("print(os.remove(%r)) print(io.open(%r):read()) "
                  "for l in io.lines('/proc/self/status') do print(l) end "
                  "print(os.execute, package.loaded.ffi)" % (victim, outside + "/secret"))
        code, said = run_script(env, inside, script, "--sandbox=off")
        check_equal("exit code", code, 0)
        for text in ("return 'secret'", "Seccomp:\t0\n", "NoNewPrivs:\t1\n", "nil\tnil\n"):
            check(text in said, "%r is not in:\n%s", text, said[-2000:])
        check(not os.path.exists(victim) and "sandbox:" not in said, "it said:\n%s", said)


@without_root
@cases({"Landlock": ("Landlock",), "seccomp": ("seccomp",), "both": ("Landlock", "seccomp")})
def test_poor_kernel(env, *missing):
    """What the kernel lacks is named; the program goes on without it unless it is required."""
    for option, code in ((), 0), (("--sandbox=enforce",), 0), (("--sandbox=require",), 1):
        result = env.run("--intercept=0", "--lua-init=print('ran')", *option,
                         preexec_fn=poor_kernel.without(*missing))
        check_equal("exit code with %s" % (option,), result.returncode, code)
        check_equal("the script ran", "ran\n" in result.stdout, code == 0)
        for part, text in (("Landlock", "sandbox: this kernel has no Landlock"),
                           ("seccomp", "sandbox: system calls are not limited")):
            check_equal("%s in %s" % (text, result.stderr), text in result.stderr, part in missing)
            check_equal("%s is missing" % part, "%s is missing" % part in result.stderr,
                        code == 1 and part in missing)


@without_root
def test_required(env):
    """A kernel that has all of it starts, where it is required too."""
    result = env.run("--intercept=0", "--sandbox=require", "--lua-init=print('ran')")
    check_equal("exit code", result.returncode, 0)
    check("ran\n" in result.stdout and "sandbox" not in result.stderr, "%s", result.stderr)


def test_status_tells(env):
    """SIGUSR1 tells what holds."""
    with env.lab() as lab, env.daemon(lab, "--lua-desync=pass") as daemon:
        daemon.process.send_signal(signal.SIGUSR1)
        daemon.wait_output("sandbox: enforce, seccomp, Landlock ")
        check(re.search(r"send queues [1-9]\d* KB, lists 0 KB, blobs \d+ KB$", daemon.output(), re.M),
              "no shares of memory: %s", daemon.output()[-1000:])


READ_AT_START = {
    "hostlist": ("--hostlist=%s", "--intercept=0"), "ipset": ("--ipset=%s", "--intercept=0"),
    "blob": ("--blob=x:@%s", "--intercept=0"), "capture": ("--pcap-in=%s",),
    "check": ("--hostlist=%s", "--intercept=0", "--check"),
    "dry-run": ("--hostlist=%s", "--intercept=0", "--dry-run"),
    "explain": ("--hostlist=%s", "--explain=tcp:192.0.2.1:443"),
}


@cases({name: options for name, options in READ_AT_START.items()})
def test_contents_are_read_inside(env, *options):
    """Files are opened by root; whoever reads what is in them has no rights left."""
    with env.folder() as folder:
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe, 0o600)
        process = subprocess.Popen([env.program] + [o.replace("%s", pipe) for o in options],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        writer = os.open(pipe, os.O_WRONLY)  # waits until it was opened
        try:
            os.write(writer, b"on")

            def waits_in_its_filter():
                check(process.poll() is None, "it ended by itself")
                return status(process.pid, "State")[:1] == ["S"] and status(process.pid, "Seccomp") == ["2"]
            wait_for(waits_in_its_filter, "it does not read within its filter")
            check_equal("user", status(process.pid, "Uid")[0], "2147483647")
        finally:
            os.close(writer)
            process.kill()
            process.communicate()


@without_root
def test_wrong_values(env):
    for option, text in (("--sandbox=on", "should be off, report, enforce or require"),
                         ("--lua-allow=/no/such/place", "cannot access /no/such/place"),
                         ("--lua-allow=", "cannot access")):
        result = env.run("--intercept=0", option)
        check_equal("exit code of " + option, result.returncode, 1)
        check(text in result.stderr, "%s: %s", option, result.stderr)


@without_root
@cases(WAYS)
def test_allowed_path(env, as_root):
    """--lua-allow gives a directory with everything below, or a single file."""
    with places(env) as (inside, outside):
        for name in ("/given", "/more"):
            os.mkdir(outside + name)
            os.chmod(outside + name, 0o777)
        with open(outside + "/file", "w") as f:
            f.write("old")
        os.chmod(outside + "/file", 0o666)
        script = ("local o=%r print('dir', io.open(o..'/given/new','w')~=nil, "
                  "os.rename(o..'/given/new', o..'/more/newer'), os.remove(o..'/more/newer')) "
                  "local f=io.open(o..'/file','r+') print('file', f:read()) f:seek('set') "
                  "f:write('new') f:close() print('other', io.open(o..'/secret'))" % outside)
        allowed = ["--lua-allow=" + outside + name for name in ("/given", "/more", "/file")]
        code, said = run_script(env, inside, script, *allowed, as_root=as_root)
        check_equal("exit code", code, 0)
        for text in ("dir\ttrue\ttrue\ttrue\n", "file\told\n", "other\tnil\t"):
            check(text in said, "%r is not in:\n%s", text, said[-2000:])
        check("sandbox: reading '%s/secret' is forbidden to scripts" % outside in said,
              "no hint:\n%s", said)
        with open(outside + "/file") as f:
            check_equal("file", f.read(), "new")


# What compatible scripts do, none of it with an option.
PERMITTED = {
    "temporary name": "local n=os.tmpname() io.open(n,'w'):close() return os.remove(n)",
    "temporary file": "local f=io.tmpfile() f:write('x') f:seek('set') return f:read()=='x'",
    "time and zone": "return os.date('%c') and os.time() and os.clock() and localtime(0).zone",
    "environment": "return os.getenv('PATH')",
    "system facts": "return io.open('/proc/self/status') and io.open('/etc/passwd') and "
                    "io.open('/proc/meminfo'):read() and io.open('/sys/class/net/lo/mtu'):read()",
    "nowhere": "return io.open('/dev/null','w'):write('x') and io.open('/dev/urandom'):read(1)",
    "randomness": "return #bcryptorandom(16) == 16",
    "process": "return getpid() > 0 and gettid() > 0 and uname().sysname",
    "neighbour": "return dofile(FOLDER..'/neighbour.lua') == 42",
    "module": "package.path=FOLDER..'/?.lua' return require('neighbour') == 42",
    "interfaces": "return get_ifaddrs()",
    "writable": "local n=os.getenv('WRITABLE')..'/x' local f=io.open(n,'w') f:write('1') f:close() "
                "return os.rename(n,n..'y') and stat(n..'y').size==1 and os.remove(n..'y')",
    "between places": "local n=os.getenv('WRITABLE')..'/x' io.open(n,'w'):close() "
                      "return os.rename(n,'/tmp/'..n:gsub('/','_')) and "
                      "os.remove('/tmp/'..n:gsub('/','_'))",
    "compiler": "local n=0 for i=1,1e6 do n=n+i%7 end return n>0",
    "garbage": "collectgarbage() return collectgarbage('count')>0",
}


@without_root
@cases(WAYS)
def test_compatible_scripts(env, as_root):
    with places(env) as (inside, outside):
        permitted = dict(PERMITTED)
        if os.stat("/tmp").st_dev != os.stat(outside).st_dev:
            del permitted["between places"]  # nobody can rename from one file system to another
        os.mkdir(outside + "/scripts")
        os.chmod(outside + "/scripts", 0o755)
        with open(outside + "/scripts/neighbour.lua", "w") as f:
            f.write("return 42")
        with open(outside + "/scripts/main.lua", "w") as f:
            f.write("FOLDER='%s/scripts'\n" % outside)
            for name, text in permitted.items():
                f.write("do local ok,r=pcall(function() %s end) "
                        "print('%s', ok and r and 'works' or 'FAILS '..tostring(r)) end\n" %
                        (text, name))
        writable = outside + "/writable"
        code, said = start(env, inside, "--writable=" + writable,
                           "--lua-init=@%s/scripts/main.lua" % outside, as_root=as_root)
        check_equal("exit code", code, 0)
        for name in permitted:
            check("\n%s\tworks\n" % name in said, "%s does not work:\n%s", name, said[-3000:])
        check("sandbox:" not in said, "it complained:\n%s", said)


def test_lists_and_logs(env):
    """Files of the program outside of /tmp: lists are replaced, logs are moved away."""
    with env.lab() as lab, places(env) as (_, outside):
        log, hosts, auto = (os.path.join(outside, n) for n in ("log", "hosts", "auto"))
        with open(hosts, "w") as f:
            f.write("one.example\n")
        with env.daemon(lab, "--debug=@" + log, "--hostlist=" + hosts, "--hostlist-auto=" + auto,
                        "--lua-desync=pass") as daemon:
            check("Loaded 1 hosts from " + hosts in daemon.output(), "the list was not read")
            with open(hosts + ".new", "w") as f:
                f.write("one.example\ntwo.example\n")
            os.rename(hosts + ".new", hosts)
            os.rename(log, log + ".old")
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_output("Loaded 2 hosts from " + hosts)
            lab.wait_for(lambda: os.path.exists(log), "the log was not made again", daemon.process)
            check_equal("sandbox in output", "sandbox: reading" in daemon.output(), False)


@without_root
@cases({"loop": ("while true do end", (3, 101)),  # 101 where it is compiled, or slow
        "caught": ("while true do pcall(error) end", (3, 101)),
        "garbage": ("collectgarbage('stop') local t={} while true do t[#t+1]={} end", (3, 101)),
        "pattern": ("local p=('a*'):rep(30)..'b' (('a'):rep(100)):find(p)", (101,)),
        "finaliser": ("local p=newproxy and newproxy(true) or setmetatable({},{}) "
                      "getmetatable(p).__gc=function() while true do end end p=nil "
                      "while true do collectgarbage() end", (3, 101))})
def test_endless(env, body, codes):
    """A call that never ends is ended by an error (3, of offline mode) or with the process."""
    with places(env) as (inside, _):
        got, said = run_script(env, inside, "function evil() %s end" % body,
                               "--lua-call-limit=100", "--lua-mem-limit=64", "--lua-desync=evil")
        check(got in codes, "exit code %s:\n%s", got, said[-1000:])


def test_default_writable_folder(env):
    """What others have put in its place beforehand is refused and left alone."""
    with places(env) as (inside, outside):
        os.chmod(inside, 0o1777)
        target = os.path.join(inside, "zapret2")
        before = dict(os.environ, TMPDIR=inside)

        def refused(text):
            result = env.run("--intercept=0", "--writable", env=before)
            check_equal("exit code", result.returncode, 1)
            check(text in result.stderr, "%r is not in %s", text, result.stderr)

        os.symlink(outside, target)
        refused("is not a directory")
        check_equal("owner of the link's target", os.stat(outside).st_uid, 0)
        os.remove(target)
        with open(target, "w"):
            pass
        refused("is not a directory")
        os.remove(target)
        os.mkdir(target)
        os.chown(target, 12345, 12345)
        refused("belongs to another user")
        check_equal("owner of the stranger's folder", os.stat(target).st_uid, 12345)
        os.rmdir(target)
        result = env.run("--intercept=0", "--writable", env=before)
        check_equal("exit code", result.returncode, 0)
        made = os.lstat(target)
        check_equal("owner", made.st_uid, 0x7FFFFFFF)
        check_equal("mode", made.st_mode & 0o777, 0o700)
