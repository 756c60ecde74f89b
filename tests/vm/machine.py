"""A virtual machine with the files of this one and a distribution's kernel: no network, no disk."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import kernel as kernels
from kernel import Unavailable

HERE = os.path.dirname(os.path.abspath(__file__))
MEMORY = "2048M"
# What a kernel says that has found itself at fault.
ILL = re.compile(r"^.*(?:Kernel panic|BUG: |Oops|WARNING: CPU|general protection fault|unable to handle"
                 r"|hung task|rcu: INFO: .*stall).*$", re.M)
# The machine's processor may wait for the host's.
PATIENCE = re.compile(r"soft lockup|rcu: INFO|clocksource|watchdog")
VIRTIOFSD = ("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd")


def virtiofsd(share, socket, cache):
    """The command that offers a folder; the program was written anew in Rust."""
    found = [path for path in (shutil.which("virtiofsd"), *VIRTIOFSD) if path and os.path.exists(path)]
    if not found:
        raise Unavailable("virtiofsd is not installed (Debian 12: qemu-system-common, later: "
                          "virtiofsd)")
    said = subprocess.run([found[0], "--help"], capture_output=True, text=True, check=False)
    if "--shared-dir" in said.stdout + said.stderr:
        return [found[0], "--socket-path=" + socket, "--shared-dir=" + share, "--sandbox=chroot",
                "--cache=" + cache]
    return [found[0], "--socket-path=" + socket, "-o", "source=" + share, "-o", "sandbox=chroot", "-o",
            "cache=" + cache]


def kept(paths):
    """Folders where the machine has an empty one of its own."""
    return [path for path in paths if path.startswith(("/tmp/", "/run/", "/var/tmp/"))]


class Machine:
    """One boot. `results` is a folder that both sides write to; the console is kept there."""

    running = []

    def __init__(self, kernel, boot, results, job, processors=1, accelerator="tcg"):
        self.kernel, self.boot, self.results = kernel, boot, results
        self.processors, self.accelerator = processors, accelerator
        self.console = os.path.join(results, "console.txt")
        self.folder = tempfile.mkdtemp(prefix="nfqws2-vm-")
        self.processes = []
        self.process, self.worked = None, 0.0
        with open(os.path.join(results, "job.json"), "w", encoding="utf-8") as f:
            json.dump(job, f)

    def __enter__(self):
        self.running.append(self)
        return self

    @classmethod
    def end_all(cls):
        for machine in cls.running:
            machine.end()

    def __exit__(self, *_):
        self.end()

    def end(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def share(self, tag, path, cache):
        """Starts the server of a folder; what qemu needs to know of it. What does not change while
        the machine runs may be cached always, which saves most of the traffic."""
        socket = os.path.join(self.folder, tag)
        with open(os.path.join(self.results, "virtiofsd-%s.txt" % tag), "wb") as log:
            process = subprocess.Popen(virtiofsd(path, socket, cache), stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, start_new_session=True)
        self.processes.append(process)
        end = time.monotonic() + 20
        while not os.path.exists(socket):
            if process.poll() is not None or time.monotonic() > end:
                with open(log.name, encoding="utf-8", errors="replace") as f:
                    raise Unavailable("virtiofsd does not run: " + f.read()[-600:].strip())
            time.sleep(0.05)
        return ["-chardev", "socket,id=%s,path=%s" % (tag, socket), "-device",
                "vhost-user-fs-pci,chardev=%s,tag=%s" % (tag, tag)]

    def start(self, keep, interactive=False):
        """Boots; the process of qemu."""
        qemu = kernels.tool("qemu-system-x86_64", "qemu-system-x86")
        initramfs = os.path.join(self.folder, "initramfs")
        kernels.make_initramfs(self.kernel, initramfs)
        words = ["console=ttyS0", "quiet", "panic=-1", "mitigations=off", "lab.boot=" + self.boot,
                 "lab.modules=" + self.kernel.modules, "lab.guest=" + HERE]
        if keep:
            words.append("lab.keep=" + ",".join(keep))
        command = [qemu, "-accel", self.accelerator, "-cpu", "max", "-smp", str(self.processors), "-m",
                   MEMORY, "-object", "memory-backend-memfd,id=memory,size=%s,share=on" % MEMORY,
                   "-numa", "node,memdev=memory", *self.share("host", "/", "always"),
                   *self.share("results", self.results, "auto"), "-nic", "none", "-nographic", "-no-reboot",
                   "-kernel", self.kernel.image, "-initrd", initramfs, "-append", " ".join(words)]
        if interactive:
            return subprocess.Popen(command)
        with open(self.console, "wb") as console:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console,
                                       stderr=console, start_new_session=True)
        self.processes.append(process)
        self.process = process
        return process

    def work(self):
        """Seconds of the host's processor so far. Unlike those on the clock they hardly grow when the host has
        other work, so they tell what a test costs."""
        try:
            with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as f:
                fields = f.read().rpartition(")")[2].split()
            self.worked = max(self.worked, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
        except OSError:
            pass
        return self.worked

    def said(self):
        """What came over the console, without the control sequences of the firmware."""
        with open(self.console, encoding="utf-8", errors="replace") as f:
            return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1bc|\r", "", f.read())

    def complaints(self):
        """Lines in which the kernel tells of a fault of its own."""
        return [line.strip() for line in ILL.findall(self.said()) if not PATIENCE.search(line)]


def clear(results):
    """An empty folder for one boot; what the last one left goes, if it was one."""
    os.makedirs(results, exist_ok=True)
    for path in glob.glob(results + "/*.txt") + glob.glob(results + "/*.json*"):
        os.remove(path)
