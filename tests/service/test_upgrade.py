"""Installing over what is there: nothing of the user's is lost, whenever and however the installation ends; two
installations on one machine."""
import os
import shutil
import signal
import subprocess
import time

from sandbox import BASE, ROOT, World, check, contains, equal, lacks
from test_install import IPTABLES, SOURCE, UNITS, install, make_source

ORIGINAL = "/opt/original"
# What a tree of the original's layout holds besides its own files.
USER_FILES = {
    "config": "FWTYPE=iptables\nNFQWS2_ENABLE=1\nWS_USER=nobody\nNFQWS2_OPT=\"--filter-tcp=443\"\nMY_OWN=1\n",
    "notes.txt": "mine\n",
    "files/fake/my_fake.bin": "fake\n",
    "files/fake/tls_clienthello_www_google_com.bin": "another hello of mine\n",
    "files/own/data": "1\n",
    "lists/youtube.txt": "youtube.com\n",
    "lua/my-strategy.lua": "-- mine\n",
    "init.d/sysv/custom.d/50-own": "zapret_custom_daemons() { :; }\n",
    "init.d/sysv/custom.d/disabled/60-old": "# not used\n",
    "ipset/zapret-hosts-user.txt": "example.com\n",
    "ipset/zapret-hosts-auto.txt": "auto.example\n",
    "ipset/zapret-ip.txt.gz": "generated\n",
    "extra_strats/cache/autocircular/state.tsv": "example.com\t3\n",
    "name with blanks/and a file": "1\n",
}
# Files of the original that ours replaces, and some that only the original has.
ORIGINAL_FILES = {
    "common/base.sh": "# the original's\n",
    "common/old-part.sh": "# of an older version\n",
    "lua/zapret-lib.lua": "-- the original's\n",
    "lua/zapret-wgobfs.lua": "-- only there\n",
    "nfq2/Makefile": "all:\n",
    "docs/manual.md": "the original's\n",
}


def make_original(world):
    """An installation with the layout of the original, which works; the service runs."""
    install(world, IPTABLES % 1)
    world.sh("systemctl stop zapret2")
    os.remove(BASE + "/.own-files")
    for path, text in {**ORIGINAL_FILES, **USER_FILES}.items():
        if path != "common/base.sh":
            world.write(path, text)
    world.write("common/base.sh", world.read("common/base.sh") + ORIGINAL_FILES["common/base.sh"])
    shutil.copy(ROOT / "lua/zapret-lib.lua", BASE + "/lua/")
    world.write("lua/zapret-lib.lua", world.read("lua/zapret-lib.lua") + "-- the original's\n")
    os.symlink("../notes.txt", BASE + "/lists/link")
    os.symlink("/nowhere", BASE + "/lists/broken link")
    world.sh("chown -R 65534:65534 %s/extra_strats && chmod 770 %s/extra_strats" % (BASE, BASE))
    os.chmod(BASE + "/init.d/sysv/custom.d/50-own", 0o755)
    world.sh("systemctl start zapret2; cp -a %s %s" % (BASE, ORIGINAL))
    equal(len(world.processes("nfqws2")), 1)


def saved_folders():
    return sorted("/opt/" + name for name in os.listdir("/opt") if name.startswith("zapret2."))


def differences(world, *ignored):
    """diff -r of the original's tree and the one that is there now."""
    lines = world.run("/usr/bin/diff", "-r", "--no-dereference", "-q", ORIGINAL, BASE).text.splitlines()
    return [line for line in lines if not any(part in line for part in ignored)]


def test_nothing_of_the_users_is_lost(world: World):
    make_source(world, "systemd")
    make_original(world)
    text = install(world, IPTABLES % 1)
    contains(text, "files that were replaced are kept in " + BASE + ".old-")
    folders = saved_folders()
    equal(len(folders), 1, folders)
    # Each file of the old tree is there unchanged, or saved.
    for folder, _, names in os.walk(ORIGINAL):
        for name in names:
            path = os.path.relpath(folder + "/" + name, ORIGINAL)
            places = [place for place in (BASE, folders[0]) if os.path.lexists(place + "/" + path)]
            same = [place for place in places if world.run("/usr/bin/diff", "--no-dereference", ORIGINAL + "/" + path,
                                                           place + "/" + path).returncode == 0]
            check(same, path + " is lost")
    for path, wanted in USER_FILES.items():
        if path != "config":
            equal(world.read(path), wanted, path)
    contains(world.read("config"), "MY_OWN=1")
    equal(os.readlink(BASE + "/lists/broken link"), "/nowhere")
    # Folders of the daemon's user stay his; scripts that root runs are root's.
    equal(world.sh("stat -c '%%u %%a' %s/extra_strats" % BASE), "65534 770\n")
    equal(world.sh("stat -c %%u %s/extra_strats/cache/autocircular/state.tsv" % BASE), "65534\n")
    lacks(world.read("common/base.sh"), "the original's")
    equal(len(world.processes("nfqws2")), 1)

    # Down again by hand.
    world.sh("systemctl stop zapret2; cp -a %s/. %s/" % (folders[0], BASE))
    left = differences(world, "Only in " + BASE, "/config differ")
    equal(left, [])

    # And uninstalled.
    world.run("sh", BASE + "/uninstall_easy.sh", stdin="y\n", check_code=0)
    equal(differences(world, "Only in " + BASE, "/config differ", ".created-user"), [])


def test_files_of_an_older_version_go(world: World):
    """What was installed and not changed leaves with its version, into the folder of saved files."""
    make_source(world, "systemd")
    world.write(SOURCE + "/lua/old.lua", "-- old\n")
    world.write(SOURCE + "/lua/changed.lua", "-- old\n")
    install(world, IPTABLES % 1)
    world.write("lua/changed.lua", "-- by me\n")
    world.write("lua/mine.lua", "-- mine\n")
    os.remove(SOURCE + "/lua/old.lua")
    os.remove(SOURCE + "/lua/changed.lua")
    install(world, IPTABLES % 1)
    check(not os.path.exists(BASE + "/lua/old.lua"), "the old file is left")
    equal(world.read(saved_folders()[0] + "/lua/old.lua"), "-- old\n")
    equal(world.read("lua/changed.lua"), "-- by me\n")
    equal(world.read("lua/mine.lua"), "-- mine\n")


def test_the_same_version_again_saves_nothing(world: World):
    make_source(world, "systemd")
    install(world, IPTABLES % 1)
    lacks(install(world, IPTABLES % 1), "are kept in")
    equal(saved_folders(), [])


def test_links_of_the_user_stay(world: World):
    """A router with its lists on a stick: the installation, a folder of ours and files in it are links."""
    make_source(world, "systemd")
    make_original(world)
    world.sh("systemctl stop zapret2; mkdir /opt/usb; mv %s /opt/usb/installation; ln -s usb/installation %s;"
             "mv %s/ipset /opt/usb/lists; ln -s /opt/usb/lists %s/ipset; mv %s/common/base.sh /opt/usb/base.sh;"
             "ln -s /opt/usb/base.sh %s/common/base.sh; systemctl start zapret2" % ((BASE,) * 6))
    world.write("-name\nof two lines", "1\n")
    mine = world.read("common/base.sh")
    install(world, IPTABLES % 1)
    equal(os.readlink(BASE), "usb/installation")
    equal(os.readlink(BASE + "/ipset"), "/opt/usb/lists")
    equal(world.read("/opt/usb/base.sh"), mine, "the file behind a link was written to")
    equal(world.read("/opt/usb/lists/zapret-hosts-user.txt"), "example.com\n")
    equal(world.read("-name\nof two lines"), "1\n")
    equal(os.readlink(saved_folders()[0] + "/common/base.sh"), "/opt/usb/base.sh")
    lacks(world.read("common/base.sh"), "the original's")
    equal(len(world.processes("nfqws2")), 1)
    contains(world.read(UNITS + "zapret2.service"), "ExecStart=%s/init.d/" % BASE)
    world.run("sh", BASE + "/uninstall_easy.sh", stdin="y\n", check_code=0)
    check(not os.path.exists(UNITS + "zapret2.service"), "the unit is left")
    equal(world.read("/opt/usb/lists/zapret-hosts-user.txt"), "example.com\n")


def interrupted(world, answers, delay, sig):
    """Starts the installer and sends it a signal; SIGINT to all its processes, as a terminal does. Its exit code."""
    read_end, write_end = os.pipe()
    os.write(write_end, answers.encode())
    with open("/dev/shm/installer", "wb") as out:
        process = subprocess.Popen(["sh", SOURCE + "/install_easy.sh"], stdin=read_end, stdout=out, stderr=out,
                                   env=world.env, start_new_session=True)
    os.close(read_end)
    time.sleep(delay)
    (os.killpg if sig == signal.SIGINT else os.kill)(process.pid, sig)
    try:
        code = process.wait(timeout=120)
    finally:
        os.close(write_end)
    return code


def test_interruptions(world: World):
    """The old version is whole again and runs, whatever the moment. The last moments are those of questions
    after all files were copied: the pipe stays open, so the installer waits for an answer there."""
    make_source(world, "systemd")
    make_original(world)
    start = time.monotonic()
    install(world, IPTABLES % 1)
    whole = time.monotonic() - start
    world.sh("systemctl stop zapret2; rm -rf %s %s.old-*; cp -a %s %s; systemctl start zapret2"
             % (BASE, BASE, ORIGINAL, BASE))
    signals = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    undone = 0
    for step in range(9):
        code = interrupted(world, "\n1\n", whole * (step + 1) / 8, signals[step % 3])
        output = world.read("/dev/shm/installer")
        check(code in (129, 130, 143), "code %d\n%s" % (code, output))
        undone += "restoring the files" in output
        # What the installation made and nobody misses may stay; folders beside must not.
        equal(differences(world), [], output)
        equal(saved_folders(), [], output)
        equal(len(world.processes("nfqws2")), 1, output)
    check(undone > 0, "never interrupted while files were changed")


# Does its work, and then stands for a signal that comes at that moment.
FATAL = """#!/bin/sh
/bin/%s "$@"
code=$?
for word; do
    case $word in */%s) kill -TERM $PPID; sleep 0.2 ;; esac
done
exit $code
"""


def test_interrupted_between_two_steps(world: World):
    """A copy that has no name yet, and one that just got it; a config that is being written."""
    make_source(world, "systemd")
    make_original(world)
    for tool, path in (("cp", "config.part"), ("mv", "config.part"), ("cp", "nfq2/nfqws2.part"),
                       ("mv", "nfq2/nfqws2.part"), ("awk", "config")):
        world.tool(tool, FATAL % (tool, path))
        output = install(world, IPTABLES % 1, code=143)
        os.remove("/opt/bin/" + tool)
        check("WARNING: not everything" not in output, output)
        equal(saved_folders(), [], output)
        equal(differences(world), [], output)


def test_a_failure_after_the_copy(world: World):
    """The program that is to be started is missing something: the old version comes back."""
    make_source(world, "systemd")
    make_original(world)
    os.remove("/usr/sbin/ipset")
    world.tool("apt-get", "#!/bin/sh\nexit 1\n")
    contains(install(world, IPTABLES % 1, code=6), "restoring the files of the old version")
    equal(differences(world), [])
    equal(saved_folders(), [])
    contains(world.read("/opt/systemctl.log").splitlines()[-1], "start zapret2")


# --- two installations ----------------------------------------------------------------------------------


def cmake_install(world, code=0):
    """`cmake --install` of this tree to /usr/local; the programs are those under test."""
    world.run("cmake", "-S", str(ROOT), "-B", "/opt/cmake-build", "-G", "Ninja", "-DNFQWS2_TESTS=OFF",
              "-DCMAKE_INSTALL_PREFIX=/usr/local", "-DCMAKE_SKIP_INSTALL_ALL_DEPENDENCY=ON", check_code=0, timeout=120)
    for name in os.listdir("/opt/programs"):
        shutil.copy("/opt/programs/" + name, "/opt/cmake-build")
    return world.run("cmake", "--install", "/opt/cmake-build", check_code=code).text


def test_installer_meets_cmake(world: World):
    make_source(world, "systemd")
    cmake_install(world)
    config = "/usr/local/etc/zapret2/config"
    world.write(config, world.read(config) + "FWTYPE=iptables\nMY_OWN=1\n")
    # Refused: the other one stays as it is.
    contains(install(world, "\nn\n", code=3), "the service zapret2 is that of /usr/local/lib/zapret2")
    check(not os.path.exists("/etc/systemd/system/zapret2.service"), "a unit although refused")
    shutil.rmtree(BASE)
    # Agreed: ours goes before, with the settings of the other.
    text = install(world, "\ny\n1\n\n1\ny\n\n\n")
    contains(text, "creating config : %s/config, from %s" % (BASE, config))
    contains(world.read("config"), "MY_OWN=1\n")
    contains(world.read("/etc/systemd/system/zapret2.service"), "ExecStart=%s/init.d/" % BASE)
    contains(world.read("/usr/local/lib/systemd/system/zapret2.service"), "/usr/local/lib/zapret2/")
    # Uninstalled: the other one's unit is left.
    text = world.run("sh", BASE + "/uninstall_easy.sh", stdin="y\n", check_code=0).text
    contains(text, "the service zapret2 of /usr/local/lib/zapret2 is still installed")
    check(not os.path.exists("/etc/systemd/system/zapret2.service"), "our unit is left")
    check(os.path.exists("/usr/local/lib/systemd/system/zapret2.service"), "the other's unit is gone")


def test_an_init_script_that_is_no_link_is_kept(world: World):
    make_source(world, "openrc-init")
    for tool in ("rc-update", "rc-service"):
        world.tool(tool, "#!/bin/sh\n")
    world.write("/etc/init.d/zapret2", "#!/bin/sh\n# of a package\n", 0o755)
    contains(install(world, IPTABLES % 1), "the init script that was there is kept as " + BASE)
    kept = [name for name in os.listdir(BASE + "/init.d") if name.startswith("zapret2.old-")]
    equal(world.read(BASE + "/init.d/" + kept[0]), "#!/bin/sh\n# of a package\n")
    equal(os.readlink("/etc/init.d/zapret2"), BASE + "/init.d/openrc/zapret2")


def test_units_that_somebody_changed_are_kept(world: World):
    make_source(world, "systemd")
    install(world, IPTABLES % 1)
    world.write(UNITS + "zapret2.service", world.read(UNITS + "zapret2.service") + "# mine\n")
    contains(install(world, IPTABLES % 1), "the unit that was there is kept as " + BASE)
    kept = [name for name in os.listdir(BASE + "/init.d/systemd") if name.startswith("zapret2.service.old-")]
    contains(world.read(BASE + "/init.d/systemd/" + kept[0]), "# mine\n")
    # Units of somebody else are not removed.
    world.write(UNITS + "zapret2.service", "[Service]\nExecStart=/opt/mine/start\n")
    world.run("sh", BASE + "/uninstall_easy.sh", stdin="y\n", check_code=0)
    contains(world.read(UNITS + "zapret2.service"), "/opt/mine/start")


def test_cmake_meets_installer(world: World):
    make_source(world, "systemd")
    install(world, IPTABLES % 1)
    unit = world.read(UNITS + "zapret2.service")
    text = cmake_install(world)
    contains(" ".join(text.split()), "zapret2.service belongs to another installation")
    check(not os.path.exists("/usr/local/lib/systemd/system/zapret2.service"), "two units")
    check(os.path.exists("/usr/local/lib/systemd/system/nfqws2@.service"), "the other unit is missing")
    equal(world.read(UNITS + "zapret2.service"), unit)
    # Fakes: made, and what is there stays.
    fakes = "/usr/local/lib/zapret2/files/fake/"
    equal(len(os.listdir(fakes)), 46)
    world.write(fakes + "zero_256.bin", "mine\n")
    cmake_install(world)
    equal(world.read(fakes + "zero_256.bin"), "mine\n")
