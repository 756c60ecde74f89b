"""Processes as /proc tells of them. What ends while it is looked at is not there."""
import collections
import os

Stat = collections.namedtuple("Stat", "name state parent")


def pids():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def stat(pid):
    """A Stat, or None."""
    try:
        with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as f:
            name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
    except (OSError, IndexError):
        return None
    state, parent = rest.split()[:2]
    return Stat(name, state, int(parent))


def runs(pid):
    """Whether it is there, and not only its exit code."""
    found = stat(pid)
    return found is not None and found.state not in "ZX"


def words(pid):
    """Its command line; none if it is gone or of the kernel."""
    try:
        with open("/proc/%s/cmdline" % pid, encoding="utf-8", errors="replace") as f:
            return f.read().split("\0")[:-1]
    except OSError:
        return []


def named(name):
    """Those that run under this name."""
    return [pid for pid in pids() if runs(pid) and (found := stat(pid)) and found.name == name]


def eldest(of):
    """Those of the pids that are no children of others. What a shell is about to become still has the
    shell's command line, so a search for it finds such children too."""
    parents = {pid: found.parent for pid in of if (found := stat(pid))}
    return [pid for pid, parent in parents.items() if parent not in parents]


def status(pid, field):
    """The words of a line of /proc/PID/status; none if it is gone."""
    try:
        with open("/proc/%s/status" % pid, encoding="ascii", errors="replace") as f:
            return next((line.split()[1:] for line in f if line.startswith(field + ":")), [])
    except OSError:
        return []


def peak(pid):
    """The most memory that was resident, in bytes."""
    return int(status(pid, "VmHWM")[0]) << 10


def resident(pid):
    """Resident memory in bytes."""
    with open("/proc/%d/statm" % pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")
