"""The installer in a container-like root: install, upgrade, uninstall on each init system; its parts."""
import os
import re
import shutil

from sandbox import BASE, PARTS, ROOT, World, check, contains, equal, lacks
from test_lists import ZONE

SOURCE = "/opt/source"
UNITS = "/usr/lib/systemd/system/"

# Runs ExecStart and ExecStop of the units, notes what it was asked for, and keeps "enabled" as files.
SYSTEMCTL = r"""#!/bin/sh
echo "$*" >>/opt/systemctl.log
name=${2%.service}
unit=/usr/lib/systemd/system/$name.service
case $1 in
enable) : >"/opt/enabled-$name" ;;
disable) rm -f "/opt/enabled-$name" ;;
start) [ -f "$unit" ] && sh -c "$(sed -n 's/ main$/ start/;s/^ExecStart=-\{0,1\}//p' "$unit")" ;;
stop) [ -f "$unit" ] && sh -c "$(sed -n 's/^ExecStop=-\{0,1\}//p' "$unit")" ;;
esac
true
"""
CRONTAB = r"""#!/bin/sh
case $1 in
-l) cat /opt/crontab 2>/dev/null ;;
*) cat "$1" >/opt/crontab ;;
esac
"""


def make_source(world, init):
    """A distribution to install from, and a system to install to."""
    world.private_usr()
    world.become(init)
    shutil.rmtree(BASE)
    os.makedirs(SOURCE)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, SOURCE + "/" + part)
        else:
            shutil.copy2(source, SOURCE)
    shutil.copytree(ROOT / "src/tools/fake-blobs", SOURCE + "/src/tools/fake-blobs")
    os.makedirs(SOURCE + "/binaries/linux-arm64")
    world.write(SOURCE + "/binaries/linux-arm64/ip2net", "\x7fELF not for this machine", 0o755)
    shutil.copytree("/opt/programs", SOURCE + "/binaries/linux-x86_64")
    world.use_iptables("nft")
    world.tool("systemctl", SYSTEMCTL)
    world.tool("crontab", CRONTAB)
    os.remove("/etc/resolv.conf")
    world.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    world.write("/opt/dns.conf", "no-resolv\nno-hosts\nlisten-address=127.0.0.1\nbind-interfaces\nuser=root\n"
                                 "pid-file=/opt/dns.pid\naddress=/iana.org/1.1.1.1\n" + ZONE)
    world.sh("dnsmasq -C /opt/dns.conf")


def install(world, answers, folder=SOURCE, code=0):
    return world.run("sh", folder + "/install_easy.sh", stdin=answers, check_code=code).text


# copy, firewall type, ipv6, mode, enable, edit, wan: an empty line is the default
IPTABLES = "\n1\n\n%s\ny\n\n\n"


def config_value(world, name):
    return world.functions('printf %%s "$%s"' % name)


def test_systemd(world: World):
    make_source(world, "systemd")
    text = install(world, IPTABLES % 1)
    contains(text, "system is based on systemd")
    contains(text, "installation is complete")
    equal(os.readlink(BASE + "/nfq2/nfqws2"), "../binaries/linux-x86_64/nfqws2")
    equal(sorted(u for u in os.listdir(UNITS) if "zapret2" in u),
          ["zapret2-list-update.service", "zapret2-list-update.timer", "zapret2.service"])
    check(os.path.exists("/opt/enabled-zapret2"), "not enabled")
    check(not os.path.exists("/opt/enabled-zapret2-list-update.timer"), "timer without a list")
    equal(config_value(world, "FWTYPE NFQWS2_ENABLE MODE_FILTER DISABLE_IPV6".replace(" ", " $")), "iptables 1 none 1")
    equal(len(world.processes("nfqws2")), 1)
    contains("".join(world.saved_rules()["mangle"]), "NFQUEUE")
    equal(oct(os.stat(BASE + "/common/base.sh").st_mode & 0o777), "0o644")
    check(os.access(BASE + "/ipset/get_user.sh", os.X_OK) and os.access(BASE + "/init.d/sysv/zapret2", os.X_OK),
          "scripts must be executable")

    check(os.access(BASE + "/blockcheck2.sh", os.X_OK) and os.path.exists(BASE + "/common/blockcheck/words.sh") and
          os.path.exists(BASE + "/blockcheck2.d/standard"), "blockcheck2 is missing")

    check(os.path.exists(BASE + "/lua/zapret-lib.lua") and not os.path.exists(BASE + "/lua/lib"),
          "the library as a whole, not its chapters")

    # The user works with it.
    world.write("config", world.read("config") + "MY_OWN=1\nNFQWS2_PORTS_TCP=443\n")
    world.write("init.d/sysv/custom.d/50-own", "zapret_custom_daemons() { :; }\n")
    for name in ("user", "user-exclude", "user-ipban", "auto"):
        world.write("ipset/zapret-hosts-%s.txt" % name, name + "\n")
    world.write("ipset/zapret-ip.txt.gz", "generated\n")

    # Upgrade: a newer version, with another mode.
    world.write(SOURCE + "/lua/new.lua", "-- new\n")
    text = install(world, IPTABLES % "hostlist" + "n\n")
    contains(text, "kept")
    check(os.path.exists(BASE + "/lua/new.lua"), "not the new tree")
    equal(len(os.listdir(BASE + "/files/fake")), 46)
    contains(world.read("config"), "MY_OWN=1\n")
    equal(config_value(world, "MODE_FILTER"), "hostlist")
    equal(world.read("init.d/sysv/custom.d/50-own"), "zapret_custom_daemons() { :; }\n")
    for name in ("user", "user-exclude", "user-ipban", "auto"):
        equal(world.read("ipset/zapret-hosts-%s.txt" % name), name + "\n")
    check(os.path.exists(BASE + "/ipset/zapret-ip.txt.gz"), "the generated list is lost")
    equal(len(world.processes("nfqws2")), 1)
    equal(world.ipset("zport_tcp"), ["443"])
    # Only the config was changed, by the answers.
    saved = [name for name in os.listdir("/opt") if name.startswith("zapret2.")]
    equal([os.listdir("/opt/" + name) for name in saved], [["config"]], "left overs")

    # A second run from the place itself.
    install(world, "1\n\n\n\n\n\nn\n", BASE)
    contains(world.read("config"), "MY_OWN=1\n")

    text = world.run("sh", BASE + "/uninstall_easy.sh", stdin="y\n", check_code=0).text
    contains(text, "is uninstalled")
    equal([u for u in os.listdir(UNITS) if "zapret2" in u], [])
    check(not os.path.exists("/opt/enabled-zapret2"), "still enabled")
    equal(world.processes("nfqws2"), [])
    equal(world.saved_rules(), {})
    contains(world.read("config"), "MY_OWN=1\n")
    equal(world.sh("ls /tmp"), "")
    equal(world.sh("ipset -n list"), "")
    equal(world.sh("id tpws 2>/dev/null; true"), "", "the user that the service made is left")


def test_systemd_elsewhere_with_a_list(world: World):
    make_source(world, "systemd")
    world.env["ZAPRET_TARGET"] = "/opt/my&place"
    # ipset mode, with the list of the user
    install(world, "\n1\n\nipset\n\n\n\nget_user.sh\n")
    unit = world.read(UNITS + "zapret2.service")
    contains(unit, "ExecStart=/opt/my&place/init.d/sysv/zapret2 main")
    check(os.path.exists("/opt/enabled-zapret2-list-update.timer"), "the timer is not enabled")
    contains(world.read("/opt/systemctl.log"), "start zapret2-list-update.timer")
    check(os.path.exists("/opt/my&place/ipset/zapret-ip-exclude.txt.gz"), "the list script did not run")


def test_openrc(world: World):
    make_source(world, "openrc-init")
    world.needs_program("crontab")
    world.tool("rc-update", '#!/bin/sh\necho "rc-update $*" >>/opt/rc.log\n')
    world.tool("rc-service", '#!/bin/sh\necho "rc-service $*" >>/opt/rc.log\n')
    text = install(world, "\n1\n\nipset\ny\n\n\n\nget_user.sh\n")
    contains(text, "system is based on openrc")
    equal(os.readlink("/etc/init.d/zapret2"), BASE + "/init.d/openrc/zapret2")
    equal(world.read("/opt/rc.log"), "rc-update add zapret2\nrc-service zapret2 start\n")
    entry = world.read("/opt/crontab").split()
    equal(entry[2:], ["*/2", "*", "*", BASE + "/ipset/get_config.sh", "scheduled"])
    check(0 <= int(entry[0]) <= 59 and 10 <= int(entry[1]) <= 22, entry)
    world.write("/opt/crontab", "1 2 3 4 5 mine\n" + world.read("/opt/crontab"))
    install(world, "1\n\nnone\n\n\n\n", BASE)
    equal(world.read("/opt/crontab"), "1 2 3 4 5 mine\n")
    world.run("sh", BASE + "/uninstall_easy.sh", stdin="y\n", check_code=0)
    contains(world.read("/opt/rc.log"), "rc-update del zapret2\n")
    check(not os.path.lexists("/etc/init.d/zapret2"), "the link is left")


def test_plain_linux(world: World):
    make_source(world, "init")
    contains(install(world, "\n", code=5), "the init system is not known")
    text = install(world, "y\n" + IPTABLES % 1)
    contains(text, "not started. To start : %s start" % (BASE + "/init.d/sysv/zapret2"))
    equal(world.processes("nfqws2"), [])


def openwrt(world, firewall):
    make_source(world, "procd")
    world.write("/etc/openwrt_release", "DISTRIB_ID='OpenWrt'\n")
    world.tool("opkg", '#!/bin/sh\n[ "$1" = list-installed ] && exit 0\necho "opkg $*" >>/opt/opkg.log\n')
    # A store with one anonymous include section.
    world.tool("uci", r"""#!/bin/sh
echo "$*" >>/opt/uci.log
[ "$1" = -q ] && shift
case "$1 $2" in
"get firewall.@defaults[0].flow_offloading") echo 1 ;;
"get firewall.@include[0].path") [ -f /opt/include ] && cat /opt/include ;;
"set firewall.@include[-1].path"*) echo "${2#*=}" >/opt/include ;;
"delete firewall.@include[0]") rm /opt/include ;;
"get "*) exit 1 ;;
*) true ;;
esac
""")
    world.write("/usr/sbin/" + firewall, '#!/bin/sh\necho "$0 $*" >>/opt/fw.log\n', 0o755)
    world.write("/etc/init.d/cron", '#!/bin/sh\n[ "$1" = enabled ] && exit 1\necho "cron $*" >>/opt/cron.log\n', 0o755)
    os.makedirs("/etc/hotplug.d/iface")
    # The rc.common of the system: notes the verbs.
    world.write("/etc/rc.common", '#!/bin/sh\necho "$2" >>/opt/rc.log\n')


def test_openwrt_fw3(world: World):
    openwrt(world, "fw3")
    world.needs_program("crontab")
    # copy, firewall, ipv6, [busybox: GNU tools three times], offload, mode, enable, edit, download, which
    gnu = "\n\n\n" if world.shell == "busybox" else ""
    text = install(world, "\n1\n\n" + gnu + "\nipset\ny\n\n\nget_user.sh\n")
    contains(text, "system is based on openwrt")
    contains(world.read("/opt/opkg.log"), "opkg install curl ipset iptables iptables-mod-extra iptables-mod-nfqueue "
             "iptables-mod-filter iptables-mod-ipopt iptables-mod-conntrack-extra iptables-mod-u32\n")
    equal(os.readlink("/etc/init.d/zapret2"), BASE + "/init.d/openwrt/zapret2")
    equal(os.readlink("/etc/hotplug.d/iface/90-zapret2"), BASE + "/init.d/openwrt/90-zapret2")
    equal(os.readlink("/etc/firewall.zapret2"), BASE + "/init.d/openwrt/firewall.zapret2")
    equal(world.read("/opt/include"), "/etc/firewall.zapret2\n")
    contains(world.read("/opt/uci.log"), "set firewall.@include[-1].reload=1\n")
    contains(world.read("/opt/uci.log"), "set firewall.@defaults[0].flow_offloading=0\n")
    equal(world.read("/opt/rc.log"), "enable\nstart\n")
    equal(world.read("/opt/fw.log").split()[-2:], ["-q", "restart"])
    equal(world.read("/opt/cron.log"), "cron enable\ncron start\n")
    check(0 <= int(world.read("/opt/crontab").split()[1]) <= 6, "hour of the update")
    contains(world.read("/opt/crontab"), " * * * /etc/init.d/zapret2 save_state\n")
    check(not os.path.exists(BASE + "/docs"), "documentation on a router")
    world.run("sh", BASE + "/uninstall_easy.sh", stdin="y\nn\n", check_code=0)
    check(not os.path.exists("/opt/include"), "the include is left")
    for link in ("/etc/init.d/zapret2", "/etc/hotplug.d/iface/90-zapret2", "/etc/firewall.zapret2"):
        check(not os.path.lexists(link), link + " is left")
    equal(world.read("/opt/crontab"), "")


def test_openwrt_fw4(world: World):
    openwrt(world, "fw4")
    install(world, "\n2\n\n\n\n\n\n\nn\n\n")
    contains(world.read("/opt/opkg.log"), "opkg install curl nftables kmod-nft-nat kmod-nft-offload kmod-nft-queue\n")
    check(not os.path.lexists("/etc/firewall.zapret2"), "an include for fw4")
    lacks(world.read("/opt/uci.log"), "flow_offloading=0")


def test_missing_packages(world: World):
    """The package manager is asked for what is missing; without success exit 6."""
    make_source(world, "systemd")
    world.tool("apt-get", '#!/bin/sh\necho "apt-get $*" >>/opt/apt.log\n')
    os.remove("/usr/sbin/ipset")
    contains(install(world, IPTABLES % 1, code=6), "Missing : ipset")
    contains(world.read("/opt/apt.log"), "apt-get install -y --no-install-recommends ipset\n")
    world.tool("apt-get", '#!/bin/sh\nexit 1\n')
    install(world, IPTABLES % 1, code=6)


def test_refusals(world: World):
    make_source(world, "systemd")
    install(world, "n\n", code=3)
    check(not os.path.exists(BASE), "copied although refused")
    shutil.rmtree(SOURCE + "/binaries/linux-x86_64")
    contains(install(world, "", code=8), "no executables")
    world.tool("id", "#!/bin/sh\necho 1000\n")
    world.env["PATH"] = "/opt/bin:/opt/few"
    os.mkdir("/opt/few")
    for tool in ("sh", "dirname", "readlink", "uname", "cat", "od", "tr", "grep", "sed", "rm"):
        if os.path.exists("/usr/bin/" + tool):
            os.symlink("/usr/bin/" + tool, "/opt/few/" + tool)
    shutil.copytree("/opt/programs", SOURCE + "/binaries/my")
    contains(world.run("/bin/sh", SOURCE + "/install_easy.sh", stdin="", check_code=2).text, "root is required")


def test_wrong_options_are_not_started(world: World):
    make_source(world, "systemd")
    install(world, IPTABLES % 1)
    text = world.read("config")
    world.write("config", re.sub(r'(?s)\nNFQWS2_OPT=".*?"\n', '\nNFQWS2_OPT="--bad-option $(touch /opt/evil)"\n', text))
    world.sh("sed -i 's/\\$(touch/\\\\$(touch/' %s/config" % BASE)
    text = install(world, "1\n\n\ny\nn\nn\n\n", BASE)
    contains(text, "unrecognized option '--bad-option'")
    contains(text, "nfqws2 is left disabled")
    equal(config_value(world, "NFQWS2_ENABLE"), "0")
    check(not os.path.exists("/opt/evil"), "executed")
    # The editor mends it.
    world.tool("myedit", '#!/bin/sh\necho "--filter-tcp=80" >"$1"\n')
    world.env["EDITOR"] = "myedit"
    install(world, "1\n\n\ny\ny\n\n", BASE)
    equal(config_value(world, "NFQWS2_OPT"), "--filter-tcp=80")
    equal(len(world.processes("nfqws2")), 1)


def test_build_from_source(world: World):
    make_source(world, "systemd")
    shutil.rmtree(SOURCE + "/binaries")
    world.write(SOURCE + "/bootstrap", "#!/bin/sh\n[ \"$1\" = build ] && mkdir -p build/release\n", 0o755)
    world.tool("cmake", "#!/bin/sh\n[ \"$1\" = --build ] && cp /opt/programs/* build/release/\n")
    install(world, IPTABLES % 1)
    equal(os.readlink(BASE + "/mdig/mdig"), "../binaries/my/mdig")


def test_install_bin(world: World):
    make_source(world, "systemd")
    script = SOURCE + "/install_bin.sh"
    equal(world.run("sh", script, "getarch", check_code=0).text, "linux-x86_64\n")
    check(not os.path.lexists(SOURCE + "/nfq2"), "getarch made links")
    world.run("sh", script, check_code=0)
    equal([os.readlink(SOURCE + p) for p in ("/ip2net/ip2net", "/mdig/mdig", "/nfq2/nfqws2")],
          ["../binaries/linux-x86_64/%s" % p for p in ("ip2net", "mdig", "nfqws2")])
    # "my" comes first; without bash the headers decide.
    shutil.copytree("/opt/programs", SOURCE + "/binaries/my")
    # It needs more libraries than the others.
    world.write(SOURCE + "/binaries/my/mdig", "#!/bin/sh\necho no libcares >&2\nexit 127\n", 0o755)
    got = world.run("sh", script, "getarch", check_code=0, merge=False)
    equal(got.text, "linux-x86_64\n")
    contains(got.errors, "my: ip2net runs here, mdig does not")
    shutil.copy("/opt/programs/mdig", SOURCE + "/binaries/my")
    world.sh("rm -f /usr/bin/bash /usr/bin/zsh")
    world.env["PATH"] = world.env["PATH"].replace("/usr/local/bin:", "")
    equal(world.run("sh", script, "getarch", check_code=0).text, "my\n")
    shutil.rmtree(SOURCE + "/binaries/my")
    equal(world.run("sh", script, "getarch", check_code=0).text, "linux-x86_64\n")
    shutil.rmtree(SOURCE + "/binaries/linux-x86_64")
    world.run("sh", script, "getarch", check_code=1)


# What the loaders of two C libraries say; the second one's is not of this machine, so a program says it.
MUSL_LOADER = """
#include <stdio.h>
int main(void) {
    fputs("Error loading shared library libone.so.1: No such file or directory (needed by mdig)\\n", stderr);
    return 127;
}
"""


def make_lacking(path):
    """The program loads no more: a library that it needs has a name that nothing has."""
    with open(path, "rb") as program:
        lacking = program.read().replace(b"\0libc.so.6\0", b"\0libx.so.6\0")
    os.remove(path)
    with open(path, "wb") as program:
        program.write(lacking)
    os.chmod(path, 0o755)


def test_ready_made_programs_without_their_libraries(world: World):
    """They are told, and the programs are built instead; what is not needed is left out."""
    make_source(world, "systemd")
    folder = SOURCE + "/binaries/linux-x86_64/"
    shutil.copy(folder + "nfqws2", folder + "blockprobe")
    make_lacking(folder + "blockprobe")
    got = world.run("sh", SOURCE + "/install_bin.sh", check_code=0, merge=False)
    equal(got.errors, "linux-x86_64: blockprobe needs the library libx.so.6, which is not installed\n")
    check(not os.path.lexists(SOURCE + "/probe"), "linked although it does not run")
    world.write(SOURCE + "/bootstrap", "#!/bin/sh\nexit 1\n", 0o755)
    for name, library in ("nfqws2", "libx.so.6"), ("mdig", "libone.so.1"):
        if library == "libx.so.6":
            make_lacking(folder + name)
        else:
            world.run("cc", "-x", "c", "-", "-o", folder + name, stdin=MUSL_LOADER, check_code=0)
        why = "linux-x86_64: %s needs the library %s, which is not installed" % (name, library)
        contains(world.run("sh", SOURCE + "/install_easy.sh", "--dry-run", check_code=0).text,
                 "missing build tools are installed\n             " + why)
        contains(world.run("sh", SOURCE + "/install_bin.sh", check_code=1).text, why)
        shutil.copy("/opt/programs/" + name, folder)
    # What may be a wrapper of the user's is not called.
    world.write(folder + "nfqws2", "#!/bin/sh\ntouch /opt/started\n", 0o755)
    world.run("sh", SOURCE + "/install_bin.sh", check_code=0)
    check(not os.path.exists("/opt/started"), "the wrapper was called")


CONFIG = """#A=old
B=1
#B=2
C="several
lines \\" quoted
end"
D='single
line'
#E="commented
#lines"
F=1
F=2
AB=5
last=1"""


def write_var(world, name, value):
    world.write("config", CONFIG + "\n")
    world.write("/opt/value", value)
    world.sh("ZAPRET_BASE=%s; . $ZAPRET_BASE/common/installer.sh; %s=$(cat /opt/value); write_config_var %s"
             % (BASE, name, name))
    text = world.read("config")
    got = world.sh('. %s/config; printf "%%s" "$%s"' % (BASE, name))
    equal(got, value, name)
    return text


def test_write_config_var(world: World):
    equal(write_var(world, "A", "new"), CONFIG.replace("#A=old", "A=new") + "\n")
    equal(write_var(world, "A", ""), CONFIG.replace("#A=old", "#A=") + "\n")
    equal(write_var(world, "B", "x y"), CONFIG.replace("B=1", 'B="x y"', 1) + "\n")
    equal(write_var(world, "B", ""), CONFIG.replace("B=1", "#B=", 1) + "\n")
    multi = CONFIG[CONFIG.index("C="):CONFIG.index("D=")]
    equal(write_var(world, "C", "z"), CONFIG.replace(multi, "C=z\n") + "\n")
    equal(write_var(world, "D", "a\nb"), CONFIG.replace("D='single\nline'", 'D="a\nb"') + "\n")
    equal(write_var(world, "E", "1"), CONFIG.replace('#E="commented\n#lines"', "E=1") + "\n")
    equal(write_var(world, "F", "3"), CONFIG.replace("F=2", "F=3") + "\n")
    equal(write_var(world, "NEW", "1,2"), CONFIG + "\nNEW=1,2\n")
    equal(write_var(world, "last", "a/b.c:d"), CONFIG.replace("last=1", "last=a/b.c:d") + "\n")
    for value in ('<HOSTLIST> "q" \'s\' $HOME `id` \\ & | ; * [x]', "a&b", "\\1", "$(touch /opt/evil)", "x\\n"):
        write_var(world, "A", value)
    check(not os.path.exists("/opt/evil"), "executed")


def test_config_keeps_its_rights(world: World):
    for mode in (0o600, 0o644):
        world.write("config", "A=1\n")
        os.chmod(BASE + "/config", mode)
        world.sh("umask 027; ZAPRET_BASE=%s; . $ZAPRET_BASE/common/installer.sh; A=2; write_config_var A" % BASE)
        equal(world.read("config"), "A=2\n")
        equal(os.stat(BASE + "/config").st_mode & 0o777, mode)
    os.unlink(BASE + "/config")
    world.sh("umask 077; ZAPRET_BASE=%s; . $ZAPRET_BASE/common/installer.sh; create_config" % BASE)
    equal(os.stat(BASE + "/config").st_mode & 0o777, 0o644)


def test_config_through_a_link_stays_a_link(world: World):
    world.write("/opt/real", "A=1\n")
    os.symlink("/opt/real", BASE + "/config")
    world.sh("ZAPRET_BASE=%s; . $ZAPRET_BASE/common/installer.sh; A=2; write_config_var A" % BASE)
    equal(world.read("/opt/real"), "A=2\n")
    check(os.path.islink(BASE + "/config"), "the link was replaced")
