"""The installer tells what it will do, does that, and says what there is now; for scripts it asks nothing."""
import os
import re

from sandbox import BASE, World, check, contains, equal, lacks
from test_install import IPTABLES, SOURCE, config_value, install, make_source, openwrt

PHASES = ["[1/6] programs", "[2/6] files", "[3/6] settings", "[4/6] service", "[5/6] lists", "[6/6] start"]


def script(world, *words, code=0, stdin="", folder=SOURCE):
    return world.run("sh", folder + "/install_easy.sh", *words, stdin=stdin, check_code=code).text


def everything(world):
    """Each file of this world with its rights and the time of its last change, the rules, the processes."""
    found = {}
    for top in ("/opt", "/etc", "/usr/lib/systemd", "/tmp", "/run"):
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if name != "programs"]  # of the tests themselves
            for name in folders + files:
                path = os.path.join(folder, name)
                state = os.lstat(path)
                # Nothing can be written, given other rights or put in its place without another one of these.
                found[path] = (state.st_mode, state.st_ino, state.st_size, state.st_ctime_ns)
    found["rules"] = world.sh("nft list ruleset; ipset list")
    found["processes"] = sorted(world.processes("nfqws2"))
    return found


def changes(before, after):
    return sorted(name for name in set(before) | set(after) if before.get(name) != after.get(name))


def test_dry_run_changes_nothing(world: World):
    make_source(world, "systemd")
    before = everything(world)
    text = script(world, "--dry-run")
    equal(changes(before, everything(world)), [])
    contains(text, "copied from /opt/source to /opt/zapret2, which is new")
    contains(text, "ready-made ones for linux-x86_64")
    contains(text, "nothing was changed\n")
    check(re.search(r"\n  \d\d+ new, 0 replaced, 0 dropped, 0 the same, 0 of yours kept\n", text), text)
    # Over what is there, with the service running.
    install(world, IPTABLES % 1)
    world.write(BASE + "/lua/zapret-lib.lua", "-- another\n")
    world.write("init.d/sysv/custom.d/50-own", "# mine\n")
    world.write(SOURCE + "/lua/new.lua", "-- new\n")
    os.remove(SOURCE + "/common/virt.sh")
    world.write(SOURCE + "/common/virt.sh", "check_virt() { :; }\n")
    world.write(SOURCE + "/config", "not mine\n")
    os.remove(SOURCE + "/lua/zapret-pcap.lua")
    before = everything(world)
    text = script(world, "-n", "--set=FWTYPE=iptables")
    equal(changes(before, everything(world)), [])
    contains(text, "  replaced lua/zapret-lib.lua\n")
    contains(text, "  replaced common/virt.sh\n")
    contains(text, "  dropped lua/zapret-pcap.lua\n")
    check(re.search(r"\n  1 new, 2 replaced, 1 dropped, \d\d+ the same, 0 of yours kept\n", text), text)
    contains(text, BASE + "/config is kept")
    contains(text, "the service that runs is stopped meanwhile")
    contains(text, "units in /usr/lib/systemd/system, enabled")
    # What it said is what is done.
    text = install(world, IPTABLES % 1)
    contains(text, "3 files that were replaced are kept")
    equal(world.read("init.d/sysv/custom.d/50-own"), "# mine\n")


def test_dry_run_of_an_unknown_system_without_root(world: World):
    make_source(world, "init")
    world.sh("rm -rf %s/binaries; chmod -R go+rX /opt" % SOURCE)
    before = everything(world)
    text = world.run("/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh",
                     SOURCE + "/install_easy.sh", "--dry-run", check_code=0).text
    equal(changes(before, everything(world)), [])
    contains(text, "none for this machine, and no source to build them from")
    contains(text, "not installed: the init system is not known")


def test_the_plan_knows_what_is_missing(world: World):
    """The packages are those of the firewall that a run would take; without cron nothing is done by the clock."""
    make_source(world, "init")
    world.sh("rm -f $(command -v ipset)")
    needs = "to be installed, since %s needs what is missing : "
    contains(script(world, "--dry-run", "--set=FWTYPE=iptables"), needs % "iptables" + "ipset")
    contains(script(world, "--dry-run"), "nothing is missing")
    world.sh("rm -f $(command -v nft)")
    contains(script(world, "--dry-run"), needs % "iptables" + "ipset")
    world.sh("while file=$(command -v iptables); do rm $file; done")  # ours and the system's
    text = script(world, "--dry-run")
    contains(text, needs % "nftables" + "nft")
    contains(text, "every two days")
    world.write(BASE + "/config", "FWTYPE=nftables\nFWTYPE='iptables' # the last one counts\n")
    contains(script(world, "--dry-run"), needs % "iptables")
    world.sh("rm -f $(command -v crontab)")
    lacks(script(world, "--dry-run"), "every two days")


def test_the_plan_comes_first(world: World):
    make_source(world, "systemd")
    text = install(world, IPTABLES % 1)
    parts = ["the plan\n"] + PHASES[:2] + ["do you want the installer to copy it"] + PHASES[2:] + \
        ["installation is complete\n", "to see that it works\n"]
    places = [text.find(part) for part in parts]
    equal(places, sorted(places), text)
    check(places[0] >= 0, text)
    equal([text.count(part) for part in PHASES], [1] * 6, text)
    contains(text, "  firewall   iptables\n")
    contains(text, "zapret2 (systemd), enabled, running\n")
    contains(text, BASE + "/init.d/sysv/zapret2 status\n")
    check(re.search(r"  program    /opt/zapret2 : \S+ version ", text), text)
    lacks(text, "nothing is treated yet")
    # What the page advises works.
    for command in re.findall(r"(?m)^ {13}(/opt/\S+ (?:doctor|status))$", text):
        check(world.run(*command.split()).returncode in (0, 1), command)


def test_nothing_is_asked_with_yes(world: World):
    make_source(world, "init")
    text = script(world, "--yes", "--set=FWTYPE=iptables", "--set=NFQWS2_ENABLE=1", "--set=MODE_FILTER=autohostlist",
                  "--set=NFQWS2_OPT=--filter-tcp=443 <HOSTLIST>", stdin="n\n" * 50)
    contains(text, "installation is complete")
    contains(text, "setting : NFQWS2_OPT=--filter-tcp=443 <HOSTLIST>\n")
    equal(config_value(world, "FWTYPE NFQWS2_ENABLE MODE_FILTER NFQWS2_OPT".replace(" ", " $")),
          "iptables 1 autohostlist --filter-tcp=443 <HOSTLIST>")
    contains(text, "none; to start : ")
    traces = ["/run/zapret2/list-update", "/run/zapret2/list-update.waiting", BASE + "/ipset/.update-status"]
    for name in traces:
        world.write(name, "1\n")
    text = world.run("sh", BASE + "/uninstall_easy.sh", "--yes", stdin="n\n", check_code=0).text
    contains(text, "is uninstalled")
    equal([name for name in traces if os.path.exists(name)], [])


def test_without_a_list_there_is_no_update(world: World):
    """What is left of updates when no list is chosen any more: nothing that waits, fails or begins."""
    make_source(world, "systemd")
    install(world, IPTABLES % 1)
    world.become("systemd")
    traces = ["/run/zapret2/list-update", "/run/zapret2/list-update.waiting", BASE + "/ipset/.update-status",
              "/opt/enabled-zapret2-list-update.timer"]
    for name in traces:
        world.write(name, "result=failed\n")
    script(world, "--yes", "--set=GETLIST=", "--set=MODE_FILTER=none", folder=BASE)
    equal([name for name in traces if os.path.exists(name)], [])


def test_wrong_words(world: World):
    make_source(world, "systemd")
    before = everything(world)
    contains(script(world, "--yess", code=1), "unknown word: --yess")
    contains(script(world, "--set=x=1", code=1), "unknown word: --set=x=1")
    contains(script(world, "--help"), "--dry-run")
    world.run("sh", SOURCE + "/uninstall_easy.sh", "--no", check_code=1)
    equal(changes(before, everything(world)), [])


def test_wrong_settings(world: World):
    """Found before anything is done, also where nothing shall be done."""
    make_source(world, "systemd")
    before = everything(world)
    unknown = "neither config.default nor a custom script has NO_SUCH"
    for words, text in ((("--set=NO_SUCH=1",), unknown),
                        (("--set=N.*=1",), "no name of a setting"),
                        (("--set=PATH=x",), "no name of a setting"),
                        (("--set=ZAPRET_BASE=x",), "no name of a setting"),
                        # A word of a comment behind code.
                        (("--set=PORTS=443",), "nor a custom script has PORTS"),
                        (("--set=FWTYPE=iptables", "--set=NO_SUCH=1"), unknown),
                        (("--set=NFQWS2_OPT=--x\nFWTYPE=iptables",), "NFQWS2_OPT: the value must be one line")):
        contains(script(world, "--yes", *words, code=1), text)
        contains(script(world, "--dry-run", *words, code=1), text)
    equal(changes(before, everything(world)), [])


def test_settings_of_custom_scripts(world: World):
    """What only a custom script reads is a setting too, whether the script is ours or the user's."""
    make_source(world, "systemd")
    contains(script(world, "--dry-run", "--set=NFQWS_OPT_DESYNC_WG=--x"), "set : NFQWS_OPT_DESYNC_WG=--x")
    world.write("init.d/sysv/custom.d/50-own", "# OTHER\ndo_something $MY_OWN --PLAIN NOT_MY=1\nlocal OF_IT=\n"
                "echo ${BRACES:-1}; x=$PATH\n")
    for name in ("MY_OWN", "OF_IT", "NOT_MY", "BRACES"):
        contains(script(world, "--dry-run", "--set=%s=1" % name), "set : %s=1" % name)
    contains(script(world, "--dry-run", "--set=PATH=1", code=1), "no name of a setting")
    for name in ("MY", "OTHER", "PLAIN", "BRACE", "OWN"):
        contains(script(world, "--dry-run", "--set=%s=1" % name, code=1), "nor a custom script has " + name)
    text = script(world, "--yes", "--set=FWTYPE=iptables", "--set=MY_OWN=1", "--set=NFQWS_OPT_DESYNC_WG=--x")
    contains(text, "setting : MY_OWN=1\n")
    equal(config_value(world, "MY_OWN $NFQWS_OPT_DESYNC_WG"), "1 --x")


def test_values_of_the_users_own_are_kept(world: World):
    """Several devices, one that is not there now, a list script of the user's: no answer leaves them."""
    make_source(world, "systemd")
    install(world, IPTABLES % 1)
    world.write("config", world.read("config") + 'IFACE_WAN="ppp0 wan7"\nGETLIST=get_mine.sh\nMODE_FILTER=hostlist\n')
    world.write("ipset/get_mine.sh", "touch /opt/mine\n", 0o755)
    world.become("systemd")
    text = script(world, "--yes", folder=BASE)
    contains(text, "selected : ppp0 wan7")
    equal(config_value(world, "IFACE_WAN GETLIST".replace(" ", " $")), "ppp0 wan7 get_mine.sh")
    check(os.path.exists("/opt/mine"), "the list script did not run")
    # One of ours does not fit another mode.
    world.sh("sed -i -e 's/^MODE_FILTER=.*/MODE_FILTER=ipset/' -e 's/^GETLIST=.*/GETLIST=get_refilter_domains.sh/' "
             "%s/config" % BASE)
    contains(script(world, "--yes", folder=BASE), "selected : get_antifilter_allyouneed.sh")


def test_wrong_options_do_not_disable_what_was_enabled(world: World):
    make_source(world, "init")
    install(world, "y\n" + IPTABLES % 1)
    world.write("config", world.read("config") + "NFQWS2_OPT=--no-such-option\n")
    contains(script(world, "--yes", folder=BASE), "WARNING: the options are WRONG. nfqws2 stays enabled")
    equal(config_value(world, "NFQWS2_ENABLE NFQWS2_OPT".replace(" ", " $")), "1 --no-such-option")


def test_the_plan_of_a_router(world: World):
    openwrt(world, "fw4")
    before = everything(world)
    text = script(world, "--dry-run")
    equal(changes(before, everything(world)), [])
    contains(text, "those of the chosen firewall that are missing, and curl, by opkg")
    contains(text, "/etc/init.d/zapret2, enabled, started at the end")
