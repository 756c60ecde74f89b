"""Before systemd becomes the first process: what a user would have installed, and the tests as a unit."""
import os
import subprocess
import types

import service

HERE = os.path.dirname(os.path.abspath(__file__))
BASE = "/opt/zapret2"
UNITS = "/etc/systemd/system"
# Needs nothing of the machine, and takes its time.
MASKED = ("systemd-udevd", "systemd-udev-trigger", "systemd-logind", "systemd-timesyncd", "systemd-hwdb-update",
          "systemd-journal-catalog-update", "ldconfig", "getty@tty1", "serial-getty@ttyS0", "networking",
          "systemd-networkd", "systemd-resolved", "e2scrub_reap", "ssh", "cron", "apparmor", "nginx",
          "console-getty", "systemd-pcrphase", "systemd-pcrphase-sysinit")
TARGET = "[Unit]\nRequires=multi-user.target\nAfter=multi-user.target\nAllowIsolate=yes\n"
TESTS = """[Unit]
After=multi-user.target
[Service]
Type=oneshot
TimeoutStartSec=infinity
Environment=HOME=/root LANG=C.UTF-8
ExecStart=/usr/bin/python3 %s/guest.py
ExecStopPost=/bin/sh -c 'sync; exec busybox reboot -f'
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
[Install]
WantedBy=lab.target
""" % HERE
# A network that comes up late.
NETWORK = """[Unit]
Before=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'sleep 2; ip link set lo up'
[Install]
WantedBy=network-online.target
"""
# An emulated processor is slow.
PATIENT = "[Service]\nTimeoutSec=300\n"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def prepare(job):
    """The service of zapret2 enabled, as its installer would, on a machine with nothing else."""
    service.install(types.SimpleNamespace(program=job["program"]), BASE)
    service.write_config(BASE, "IFACE_WAN=eth0")
    for name in os.listdir(BASE + "/init.d/systemd"):
        with open("%s/init.d/systemd/%s" % (BASE, name), encoding="utf-8") as f:
            write("%s/%s" % (UNITS, name), f.read())
    for name, text in (("lab.target", TARGET), ("lab-tests.service", TESTS),
                       ("lab-network.service", NETWORK), ("zapret2.service.d/lab.conf", PATIENT),
                       ("nfqws2@.service.d/lab.conf", PATIENT)):
        write("%s/%s" % (UNITS, name), text)
    write("/etc/fstab", "")
    os.symlink("lab.target", UNITS + "/default.target")
    for name in MASKED:
        os.symlink("/dev/null", "%s/%s.service" % (UNITS, name))
    subprocess.run(["systemctl", "enable", "zapret2", "lab-tests", "lab-network"], check=True)
