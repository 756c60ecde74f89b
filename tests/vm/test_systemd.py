"""The units as a real systemd runs them: the machine's first process, with a network that comes up late."""
import os
import shutil
import signal
import subprocess

import service
import world
from world import ROOT, check, check_equal, contains, laboratory, long

BOOT = "systemd"
COST = 20
NAMES = ("blocked.test", "other.test")
INSTANCE = """--qnum=777 --user=nobody --writable=/tmp/w
--lua-init=@/opt/zapret2/lua/zapret-lib.lua --lua-init=@/opt/zapret2/lua/zapret-antidpi.lua
--filter-tcp=443 --hostlist=/etc/zapret2/hosts.txt --payload=tls_client_hello
--lua-desync=multisplit:pos=2
"""


class OpenLab(laboratory.Lab):
    """The client is the machine itself."""

    def _make_namespace(self, who):
        if who != "client":
            super()._make_namespace(who)
            return
        subprocess.run(["ip", "netns", "attach", self.ns(who), "1"], check=True, env=laboratory.environment())

    def close(self):
        super().close()
        # Not its processes.
        subprocess.run(["ip", "netns", "del", self.ns("client")], check=False, capture_output=True,
                       env=laboratory.environment())


def sh(command, timeout=120):
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=timeout, check=False,
                            env=laboratory.environment())
    return result.stdout + result.stderr


def show(unit, name):
    return sh("systemctl show -p %s --value %s" % (name, unit)).strip()


def daemon():
    with open("/run/nfqws2_1.pid", encoding="ascii") as f:
        return int(f.read())


def wait_for(condition, what, timeout=120):
    world.wait_for(condition, lambda: "%s:\n%s" % (what, sh("journalctl -b --no-pager | tail -n 40")), timeout,
                   pause=0.1)


def queue_rules():
    return sh("nft list table inet zapret2").count("queue ")


def test_order_of_the_boot(env):
    """Started by the boot itself, after the network, before the machine counts as started."""
    check_equal("state", sh("systemctl is-active zapret2").strip(), "active")
    online = int(show("network-online.target", "ActiveEnterTimestampMonotonic"))
    begin = int(show("zapret2", "InactiveExitTimestampMonotonic"))
    ready = int(show("zapret2", "ActiveEnterTimestampMonotonic"))
    users = int(show("multi-user.target", "ActiveEnterTimestampMonotonic"))
    print("online %d ms, started %d to %d ms, multi-user %d ms" % tuple(
        t // 1000 for t in (online, begin, ready, users)))
    check(0 < online <= begin < ready <= users, "order: %d %d %d %d", online, begin, ready, users)
    check(queue_rules() >= 8, "rules:\n%s", sh("nft list table inet zapret2"))
    with open("/proc/%d/cgroup" % daemon(), encoding="ascii") as f:
        contains(f.read(), "/system.slice/zapret2.service\n")
    check("zapret2" not in sh("systemctl --failed"), "failed:\n%s", sh("systemctl --failed"))


def test_life_of_the_service(env):
    """Traffic while it runs, is stopped, started, restarted, and after a crash of the daemon."""
    with OpenLab("e2e1") as lab:
        lab.start_site(*NAMES)
        lab.filter_words(NAMES[0])

        def expect(state, what):
            result = lab.curl("https://%s/" % NAMES[0], name=NAMES[0])
            check_equal("open " + what, "It works" in result.stdout, state)
        expect(True, "after the boot")
        check_equal("stop", sh("systemctl stop zapret2"), "")
        check_equal("rules", queue_rules(), 0)
        check(not os.path.exists("/run/nfqws2_1.pid") and not sh("pgrep -x nfqws2"), "a daemon is left")
        expect(False, "when stopped")
        check_equal("start", sh("systemctl start zapret2"), "")
        expect(True, "when started")
        old = daemon()
        check_equal("restart", sh("systemctl restart zapret2"), "")
        check(daemon() != old, "the same daemon")
        expect(True, "after a restart")
        old = daemon()
        os.kill(old, signal.SIGSEGV)
        wait_for(lambda: os.path.exists("/run/nfqws2_1.pid") and daemon() != old and
                 sh("awk '$1 == 300' /proc/net/netfilter/nfnetlink_queue"), "no new daemon")
        expect(True, "after a crash")
        check_equal("state", sh("systemctl is-active zapret2").strip(), "active")
        with open("/proc/%d/cgroup" % daemon(), encoding="ascii") as f:
            contains(f.read(), "/system.slice/zapret2.service\n")


def test_instance(env):
    """nfqws2@.service: ready, reloaded, restarted after a crash, stopped; in its sandbox all the time."""
    os.makedirs("/etc/zapret2", exist_ok=True)
    for name, text in (("one.conf", INSTANCE), ("hosts.txt", "one.example\n")):
        with open("/etc/zapret2/" + name, "w", encoding="ascii") as f:
            f.write(text)
    check_equal("start", sh("systemctl start nfqws2@one"), "")
    check(sh("awk '$1 == 777' /proc/net/netfilter/nfnetlink_queue"), "ready without its queue")
    pid = int(show("nfqws2@one", "MainPID"))
    status = sh("cat /proc/%d/status" % pid)
    contains(status, "CapEff:\t0000000000003000\n", "CapBnd:\t0000000000000000\n", "NoNewPrivs:\t1\n",
             "Seccomp:\t2\n")
    with open("/etc/zapret2/hosts.txt", "a", encoding="ascii") as f:
        f.write("two.example\n")
    check_equal("reload", sh("systemctl reload nfqws2@one"), "")
    wait_for(lambda: "Loaded 2 hosts" in sh("journalctl -b --no-pager -u nfqws2@one"), "the list was not read")
    check_equal("pid after the reload", int(show("nfqws2@one", "MainPID")), pid)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: int(show("nfqws2@one", "MainPID")) not in (0, pid) and
             sh("systemctl is-active nfqws2@one").strip() == "active", "not started again")
    check_equal("stop", sh("systemctl stop nfqws2@one"), "")
    check_equal("state", sh("systemctl is-active nfqws2@one").strip(), "inactive")


@long
def test_installer(env):
    """Over the tree that is there, every question answered by its default; then away without a rest."""
    source, base = "/tmp/source", "/opt/zapret2"
    service.install(env, source)
    os.makedirs(source + "/binaries/linux-x86_64")
    for folder, name in service.PROGRAMS:
        os.rename("/".join((source, folder, name)), source + "/binaries/linux-x86_64/" + name)
    for part in ("blockcheck2.d", "tools/fake-blobs"):
        shutil.copytree(os.path.join(ROOT, part), os.path.join(source, part))
    for name in ("install_easy.sh", "install_bin.sh", "install_prereq.sh", "uninstall_easy.sh", "blockcheck2.sh"):
        shutil.copy(os.path.join(ROOT, name), source)
    service.write_config(base, "FWTYPE=", "WS_USER=labuser", "IFACE_WAN=eth0")
    contains(sh("id labuser"), "no such user")

    said = sh("sh %s/install_easy.sh </dev/null" % source, timeout=900)
    contains(said, "system is based on systemd", "installation is complete")
    with open(base + "/config", encoding="utf-8") as f:
        contains(f.read(), "\nFWTYPE=nftables\n")
    check_equal("state", sh("systemctl is-active zapret2").strip(), "active")
    check(queue_rules() >= 8, "rules:\n%s", sh("nft list table inet zapret2"))
    with open("/proc/%d/status" % daemon(), encoding="ascii") as f:
        contains(f.read(), "\nUid:\t%s\t" % sh("id -u labuser").strip())

    with open(base + "/config", "a", encoding="utf-8") as f:
        f.write("FWTYPE=iptables\n")
    check_equal("restart", sh("systemctl restart zapret2"), "")
    check_equal("rules of nftables", queue_rules(), 0)
    contains(sh("iptables-save"), "NFQUEUE")
    contains(sh("ipset -n list"), "nozapret")

    contains(sh("echo y | sh %s/uninstall_easy.sh" % base, timeout=600), "is uninstalled")
    check_equal("sets", sh("ipset -n list"), "")
    check("NFQUEUE" not in sh("iptables-save; ip6tables-save"), "rules are left")
    check("zapret2" not in sh("nft list tables"), "the table is left")
    contains(sh("id labuser"), "no such user")
    check_equal("daemons", sh("pgrep -x nfqws2"), "")
    check_equal("unit", show("zapret2", "LoadState"), "not-found")
    check(os.path.exists(base + "/config"), "the config is gone")
