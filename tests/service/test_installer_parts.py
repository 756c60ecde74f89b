"""Parts of the installer that a whole installation does not show: rights, package managers, small machines,
failures in the middle."""
import os
import shutil

from sandbox import BASE, World, check, contains, equal, lacks, mount
from test_install import IPTABLES, SOURCE, config_value, install, make_source, openwrt

LOGGING = '#!/bin/sh\necho "%s $*" >>/opt/tool.log\n'
MANAGERS = {
    "apt-get": ["apt-get update", "apt-get install -y --no-install-recommends curl nftables"],
    "dnf": ["dnf -y install curl nftables"],
    "yum": ["yum -y install curl nftables"],
    "pacman": ["pacman -Sy --noconfirm --needed curl nftables"],
    "zypper": ["zypper --non-interactive install curl nftables"],
    "eopkg": ["eopkg -y install curl nftables"],
    "apk": ["apk update", "apk add curl nftables"],
}


def library(world, script, check_code=0, **kwargs):
    return world.sh("ZAPRET_BASE=%s; . $ZAPRET_BASE/common/installer.sh\n%s" % (BASE, script), check_code=check_code,
                    **kwargs)


def test_package_managers(world: World):
    for manager, wanted in MANAGERS.items():
        world.write("/opt/tool.log", "")
        world.write("/opt/managers/" + manager, LOGGING % manager, 0o755)
        library(world, "PATH=/opt/managers; install_packages curl nftables")
        equal(world.read("/opt/tool.log").splitlines(), wanted)
        os.remove("/opt/managers/" + manager)
    contains(library(world, "PATH=/opt/managers; install_packages curl", check_code=1), "no known package manager")


def test_packages_of_firewalls(world: World):
    script = "exists() { return 1; }; FWTYPE=%s; echo $(missing_programs), $(packages_of_programs $(missing_programs))"
    equal(library(world, script % "iptables"), "curl iptables ip6tables ipset, curl iptables ipset\n")
    equal(library(world, script % "nftables"), "curl nft, curl nftables\n")


def test_firewall_where_none_works(world: World):
    """What is there and cannot queue is not what gets installed."""
    script = "ask_list() { FWTYPE=$3; }; write_config_vars() { :; }; linux_ipt_avail() { return 1; }\n" \
             "nft_queue_works() { return 1; }; exists() { [ $1 = %s ]; }; select_fwtype 2>&1 >/dev/null; echo $FWTYPE"
    equal(library(world, script % "nft").splitlines()[-1], "iptables")
    equal(library(world, script % "other").splitlines()[-1], "nftables")


def test_prerequisites_alone(world: World):
    make_source(world, "systemd")
    os.remove("/usr/sbin/ipset")
    world.tool("apt-get", LOGGING % "apt-get" + 'case $1 in install) cp /usr/bin/true /usr/sbin/ipset ;; esac\n')
    world.run("sh", SOURCE + "/install_prereq.sh", stdin="1\n", check_code=0)
    contains(world.read(SOURCE + "/config"), "\nFWTYPE=iptables\n")
    contains(world.read("/opt/tool.log"), "--no-install-recommends ipset\n")
    contains(world.run("sh", SOURCE + "/install_prereq.sh", stdin="1\n", check_code=0).text, "everything is present")
    os.remove(SOURCE + "/config")
    contains(world.run("sh", SOURCE + "/install_prereq.sh", "--help", check_code=1).text, "Usage: ")
    check(not os.path.exists(SOURCE + "/config"), "asking for help changes nothing")
    world.become("init")
    contains(world.run("sh", SOURCE + "/install_prereq.sh", "--yes", check_code=0).text, "everything is present")


def test_becoming_root(world: World):
    """By sudo, else by su; the words arrive as they are."""
    script = ('. %s/common/elevate.sh; . %s/common/base.sh; require_root "/opt/it\'s \\$(x)/i.sh" make "a b"' %
              (BASE, BASE))
    world.needs_program("id")
    world.tool("id", "#!/bin/sh\necho 1000\n")
    world.tool("sudo", '#!/bin/sh\nprintf "<%s>" "$@"\n')
    equal(world.sh(script, env={"ZAPRET_TARGET": "/opt/x y"}),
          "root is required\n<ZAPRET_TARGET=/opt/x y><sh></opt/it's $(x)/i.sh><make><a b>")
    world.write("/opt/it's $(x)/i.sh", 'printf "<%s>" "$0" "$@"\n')
    world.write("/opt/few/su", '#!/bin/sh\n[ "$1 $3" = "-c root" ] || exit 1\ncode=$2\nshift 3\n'
                               'exec /bin/sh -c "$code" "$@"\n', 0o755)
    world.write("/opt/few/id", "#!/bin/sh\necho 1000\n", 0o755)
    os.symlink("/bin/sh", "/opt/few/sh")
    equal(world.run("/bin/sh", "-c", script, env={"PATH": "/opt/few"}).text,
          "root is required\n</opt/it's $(x)/i.sh><make><a b>")


def test_virtual_machines(world: World):
    script = ". %s/common/base.sh; . %s/common/virt.sh; check_virt" % (BASE, BASE)
    world.tool("systemd-detect-virt", "#!/bin/sh\necho vmware\n")
    contains(world.sh(script), "this is a virtual machine (vmware)")
    world.tool("systemd-detect-virt", "#!/bin/sh\necho none\nexit 1\n")
    equal(world.sh(script), "")


def test_temporary_folder_of_small_routers(world: World):
    openwrt(world, "fw4")
    world.write("/opt/meminfo", "MemTotal:       60000 kB\n")
    mount("/opt/meminfo", "/proc/meminfo", None, 0x1000)
    # copy, firewall, ipv6, [busybox: GNU tools three times], temporary folder
    gnu = "\n\n\n" if world.shell == "busybox" else ""
    text = install(world, "\n2\n\n" + gnu + "2\n\n\nn\n\n")
    contains(text, "selected : %s/tmp" % BASE)
    equal(config_value(world, "TMPDIR"), BASE + "/tmp")
    check(os.path.isdir(BASE + "/tmp"), "the folder was not made")
    # One of the user's own stays, that of the environment is nobody's wish.
    world.sh("sed -i 's,^TMPDIR=.*,TMPDIR=/opt/my-tmp,' %s/config" % BASE)
    world.run("sh", BASE + "/install_easy.sh", "--yes", check_code=0)
    equal(config_value(world, "TMPDIR"), "/opt/my-tmp")
    world.sh("sed -i 's,^TMPDIR=.*,#TMPDIR=,' %s/config" % BASE)
    world.run("sh", BASE + "/install_easy.sh", "--yes", check_code=0, env={"TMPDIR": "/opt"})
    contains(world.read("config"), "#TMPDIR=\n")


def test_without_dns_a_warning(world: World):
    make_source(world, "systemd")
    world.write("/etc/resolv.conf", "nameserver 127.0.0.9\noptions timeout:1 attempts:1\n")
    contains(install(world, IPTABLES % 1), "WARNING: system DNS does not work")


def test_a_copy_that_fails_keeps_the_old_tree(world: World):
    make_source(world, "systemd")
    install(world, IPTABLES % 1)
    world.write("config", world.read("config") + "MY_OWN=1\n")
    before = sorted(os.listdir(BASE))
    world.needs_program("cp")
    real = shutil.which("cp", path="/opt/bb:/usr/bin" if world.shell == "busybox" else "/usr/bin")
    world.tool("cp", '#!/bin/sh\ncase "$*" in *source/lua*) echo no space >&2; exit 1 ;; esac\nexec %s "$@"\n' % real)
    contains(install(world, IPTABLES % 1, code=3), "copying to %s failed" % BASE)
    equal(sorted(os.listdir(BASE)), before)
    contains(world.read("config"), "MY_OWN=1\n")
    equal(len(world.processes("nfqws2")), 1, "the running service was touched")


def test_enable_and_start_that_fail(world: World):
    make_source(world, "systemd")
    tool = world.read("/opt/bin/systemctl")
    world.tool("systemctl", tool.replace("enable) ", "enable) exit 1; "))
    install(world, IPTABLES % 1, code=20)
    lacks("".join(os.listdir("/run")), "nfqws2_1.pid")
    world.tool("systemctl", tool.replace("start) ", "start) exit 1; "))
    install(world, "1\n\n\n\n\n\nn\n", BASE, code=30)


def test_uninstall_asks_first(world: World):
    make_source(world, "systemd")
    install(world, IPTABLES % 1)
    world.run("sh", BASE + "/uninstall_easy.sh", stdin="\n", check_code=3)
    equal(len(world.processes("nfqws2")), 1)
    check(os.path.exists("/opt/enabled-zapret2"), "disabled although refused")


def test_what_is_private_stays_so(world: World):
    """The installer opens the program's own files for the daemon's user, and nothing that a user has put there."""
    private = ("config", "lua/mine.lua", "lua/private/key", "ipset/zapret-hosts-user.txt", "ipset/zapret-ip.txt.gz",
               "docs/notes.txt", "init.d/sysv/custom.d/50-own", "files/secret")
    own = ("common/base.sh", "lua/zapret-lib.lua", "ipset/get_user.sh", "init.d/sysv/functions", "install_easy.sh",
           "config.default")
    for name in private:
        world.write(name, "secret\n")
    world.sh("cd %s && chown -R 65534:65534 lua ipset && chmod 700 lua lua/private common && chmod 600 %s" %
             (BASE, " ".join(private + own)), check_code=0)
    os.chmod(BASE + "/docs/notes.txt", 0o620)
    library(world, "fix_permissions " + BASE)
    for name in private:
        equal(os.stat(BASE + "/" + name).st_mode & 0o777, 0o600, name)
        equal(os.stat(BASE + "/" + name).st_uid, 0, name)
    for name in own:
        equal(os.stat(BASE + "/" + name).st_mode & 0o644, 0o644, name)
    for name, mode in ("lua", 0o755), ("common", 0o755), ("lua/private", 0o700):
        equal(os.stat(BASE + "/" + name).st_mode & 0o777, mode, name)
