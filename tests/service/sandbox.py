"""A world of its own for each test: network, mounts and processes; /opt/zapret2, /run, /etc and /tmp are
private. All of it ends with the test."""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import traceback

import expect
import processes
from expect import Failure, check, contains, equal, lacks  # noqa: F401 (for the tests)

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = "/opt/zapret2"
SCRIPT = BASE + "/init.d/sysv/zapret2"
SBIN = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STATE = "/var/lib/zapret2"
# Where each stands in an installation. The optional ones need libraries of their own.
PROGRAMS = (("nfq2", "nfqws2"), ("ip2net", "ip2net"), ("mdig", "mdig"))
OPTIONAL_PROGRAMS = (("nfq2", "nfqws2ctl"), ("probe", "blockprobe"))
PARTS = ("common", "init.d", "ipset", "lua", "config.default", "install_easy.sh", "uninstall_easy.sh",
         "install_bin.sh", "install_prereq.sh", "blockcheck2.sh", "blockcheck2.d")

# What no strategy has to be asked for: most tests are about other things.
NUMBERS = ("NFQWS2_PORTS_TCP=80,443", "NFQWS2_PORTS_UDP=443", "NFQWS2_TCP_PKT_OUT=20", "NFQWS2_TCP_PKT_IN=10",
           "NFQWS2_UDP_PKT_OUT=5", "NFQWS2_UDP_PKT_IN=3")

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x20000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
LIBC = ctypes.CDLL(None, use_errno=True)

# What busybox does not replace, even where it could: the tests need the real ones.
NOT_FROM_BUSYBOX = {"ip", "busybox", "init", "linuxrc", "mount", "umount"}


def libc_call(name, *args):
    if getattr(LIBC, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (name, os.strerror(number)))


def mount(source, target, kind=None, flags=0, data=None):
    encoded = [x.encode() if x is not None else None for x in (source, target, kind)]
    libc_call("mount", *encoded, ctypes.c_ulong(flags), data.encode() if data else None)


def tmpfs(path):
    os.makedirs(path, exist_ok=True)
    mount("tmpfs", path, "tmpfs", 0, "mode=0755")


class World:
    """The place a test works in."""

    def __init__(self, programs, shell):
        self.programs = pathlib.Path(programs)
        self.shell = shell
        self.env = {"PATH": "/opt/bin:" + SBIN, "HOME": "/root", "LANG": "C"}
        self._make()

    # --- making

    def _make(self):
        etc = "/opt/etc-copy"
        mount(None, "/", None, MS_REC | MS_PRIVATE)
        programs = "/dev/shm"
        tmpfs(programs)
        for _, name in PROGRAMS:
            shutil.copy(self.programs / name, programs)
        for _, name in OPTIONAL_PROGRAMS:
            if (self.programs / name).exists():
                shutil.copy(self.programs / name, programs)
        tmpfs("/opt")
        os.mkdir("/opt/bin")
        mount(programs, self._folder("/opt/programs"), None, MS_BIND)
        # The program's folder may stand on a path that other users may not enter, or below /tmp.
        shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
        mount(etc, "/etc", None, MS_BIND)
        os.makedirs(BASE)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, BASE + "/" + part, symlinks=True)
            elif source.exists():
                shutil.copy2(source, BASE)
        tmpfs("/tmp")
        os.chmod("/tmp", 0o1777)
        tmpfs(self._folder(STATE))  # of each world its own, as everything that daemons write
        tmpfs("/run")
        os.mkdir("/run/lock")
        mount("proc", "/proc", "proc")
        mount("sysfs", "/sys", "sysfs")
        self._link_programs()
        self.sh("ip link set lo up")
        if self.shell == "busybox":
            self._busybox()
        elif self.shell == "bash":
            mount(shutil.which("bash", path=SBIN), os.path.realpath("/bin/sh"), None, MS_BIND)

    @staticmethod
    def _folder(path):
        os.makedirs(path, exist_ok=True)
        return path

    def _link_programs(self):
        for folder, name in PROGRAMS + OPTIONAL_PROGRAMS:
            if os.path.exists("/opt/programs/" + name):
                os.makedirs("%s/%s" % (BASE, folder), exist_ok=True)
                os.symlink("/opt/programs/" + name, "%s/%s/%s" % (BASE, folder, name))

    def _busybox(self):
        """/bin/sh is ash, and every tool that busybox has is busybox's."""
        busybox = shutil.which("busybox", path=SBIN)
        mount(busybox, os.path.realpath("/bin/sh"), None, MS_BIND)
        os.mkdir("/opt/bb")
        names = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
        for name in names.split():
            if name not in NOT_FROM_BUSYBOX:
                os.symlink(busybox, "/opt/bb/" + name)
        self.env["PATH"] = "/opt/bin:/opt/bb:" + SBIN

    def needs_program(self, name):
        """The program of this name in PATH shall be run. The ash of a static busybox runs its own applets before
        it looks there, so then the shell of this world is dash, with the tools of busybox."""
        if self.shell != "busybox" or not self._runs_applets("/opt/bb/sh"):
            return
        os.remove("/opt/bb/sh")
        if self._runs_applets("/bin/sh"):
            libc_call("umount2", os.path.realpath("/bin/sh").encode(), 2)  # MNT_DETACH
        check(not self._runs_applets("/bin/sh"), "%s: the shell is still that of busybox" % name)

    @staticmethod
    def _runs_applets(shell):
        return subprocess.run([shell, "-c", "PATH=/nonexistent; true | cat"], capture_output=True,
                              check=False).returncode == 0

    def private_usr(self):
        """/usr may be written to, for this test only."""
        for name in ("upper", "work"):
            self._folder("/opt/usr-" + name)
        mount("overlay", "/usr", "overlay", 0, "lowerdir=/usr,upperdir=/opt/usr-upper,workdir=/opt/usr-work")

    @staticmethod
    def become(name):
        """The first process of this world gets the name of an init system."""
        with open("/proc/1/comm", "w", encoding="utf-8") as f:
            f.write(name)

    # --- running

    def run(self, *argv, check_code=None, timeout=240, env=None, stdin=None, merge=True):
        """Runs a command; its output (both streams) and code. Output goes through a file, so a daemon
        that keeps it open is no reason to wait."""
        with open("/dev/shm/output", "w+b") as out, open("/dev/shm/errors", "w+b") as err:
            result = subprocess.run(argv, stdout=out, stderr=out if merge else err, timeout=timeout,
                                    env={**self.env, **(env or {})}, check=False,
                                    **({"input": stdin.encode()} if stdin is not None else
                                       {"stdin": subprocess.DEVNULL}))
            out.seek(0)
            err.seek(0)
            result.text = out.read().decode(errors="replace")
            result.errors = err.read().decode(errors="replace")
        if check_code is not None and result.returncode != check_code:
            raise Failure("%s: code %d\n%s%s" % (" ".join(argv), result.returncode, result.text, result.errors))
        return result

    def sh(self, script, check_code=0, **kwargs):
        return self.run("sh", "-c", script, check_code=check_code, **kwargs).text

    def service(self, *verb, check_code=0, **kwargs):
        return self.run(SCRIPT, *verb, check_code=check_code, **kwargs).text

    def functions(self, script, check_code=0, **kwargs):
        """Runs a piece of shell as a custom script would run."""
        return self.sh("ZAPRET_BASE=%s; . %s/init.d/sysv/functions\n%s" % (BASE, BASE, script),
                       check_code=check_code, **kwargs)

    # --- files

    @staticmethod
    def write(path, text, mode=0o644):
        if not path.startswith("/"):
            path = BASE + "/" + path
        expect.write(path, text, mode)

    @staticmethod
    def read(path):
        if not path.startswith("/"):
            path = BASE + "/" + path
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def config(self, *lines, default=True):
        """config.default, its numbers fixed, with lines behind it that win."""
        text = self.read("config.default") if default else ""
        for line in (NUMBERS if default else ()) + lines:
            text += "\n" + line
        self.write("config", text + "\n")

    def tool(self, name, script):
        """A program that is found before all others."""
        self.write("/opt/bin/" + name, script, 0o755)

    def use_iptables(self, variant):
        for tool in ("iptables", "ip6tables"):
            for suffix in ("", "-save", "-restore"):
                real = shutil.which("%s-%s%s" % (tool, variant, suffix), path=SBIN)
                link = "/opt/bin/%s%s" % (tool, suffix)
                if os.path.lexists(link):
                    os.remove(link)
                os.symlink(real, link)

    # --- looking

    def saved_rules(self, tool="iptables"):
        """-A lines by table."""
        result = {}
        table = None
        for line in self.run(tool + "-save", check_code=0).text.splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith("-A "):
                result.setdefault(table, []).append(line.strip())
        return result

    def ipset(self, name):
        text = self.run("ipset", "list", name, check_code=0).text
        return sorted(text.split("Members:\n", 1)[1].split("\n"))[1:] if "Members:" in text else None

    def daemon_words(self, number=1):
        """The options of a daemon, also those of its file. What the service adds for its socket is left out."""
        pid = self.read("/run/nfqws2_%d.pid" % number).strip()
        words = processes.words(pid)
        files = [word[1:] for word in words if word.startswith("@")]
        if not files:
            return words
        text = self.sh("eval \"set -- $(grep -v '^#' %s | tr '\\n' ' ')\"; printf '%%s\\n' \"$@\""
                       % files[0])
        return words[:1] + [word for word in text.splitlines() if not word.startswith("--control")]

    processes = staticmethod(processes.named)
    wait_for = staticmethod(expect.wait_for)


def in_world(programs, shell, function):
    """Runs a test in a world, prints what failed. For a process of its own, which ends with it."""
    libc_call("unshare", CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function(World(programs, shell))
            code = 0
        except Failure as problem:
            line = traceback.extract_tb(problem.__traceback__)
            where = [x for x in line if not x.filename.endswith(("sandbox.py", "expect.py"))] or line
            print("%s:%d: %s" % (os.path.basename(where[-1].filename), where[-1].lineno, problem))
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    os._exit(0 if status == 0 else 1)


def kill(pid, sig=signal.SIGTERM):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass
