"""The Debian package: built from the programs that are there, checked by lintian, installed, upgraded, removed."""
import os
import shutil

from sandbox import ROOT, World, check, contains, equal, mount

SHELLS = ("dash",)
BUILD = "/opt/deb"
LIB = "/usr/lib/zapret2"


def build_package(world):
    """Configures as for a package; the compiled programs are taken from the build under test."""
    text = (ROOT / "CMakeLists.txt").read_text()
    extra = []
    if "cmake/packaging.cmake" not in text:
        world.write("/opt/inject.cmake", "include(${CMAKE_SOURCE_DIR}/cmake/service.cmake)\n"
                                         "include(${CMAKE_SOURCE_DIR}/cmake/packaging.cmake)\n")
        extra = ["-DCMAKE_PROJECT_nfqws2_INCLUDE=/opt/inject.cmake"]
    world.run("cmake", "-S", str(ROOT), "-B", BUILD, "-G", "Ninja", "-DCMAKE_INSTALL_PREFIX=/usr",
              "-DNFQWS2_TESTS=OFF", "-DCMAKE_SKIP_INSTALL_ALL_DEPENDENCY=ON", *extra, check_code=0)
    for name in os.listdir("/opt/programs"):
        shutil.copy("/opt/programs/" + name, BUILD)
    world.sh("cd %s && cpack -G DEB" % BUILD, timeout=120)
    return "%s/%s" % (BUILD, next(f for f in os.listdir(BUILD) if f.endswith(".deb")))


def test_debian_package(world: World):
    world.private_usr()
    os.makedirs("/opt/var-upper")
    os.makedirs("/opt/var-work")
    package = build_package(world)
    lintian = world.run("lintian", "--no-cfg", "--allow-root", "--fail-on", "error", package, timeout=120)
    check(lintian.returncode == 0, lintian.text)

    # The files of the machine's dpkg are seen through an overlay too.
    mount("overlay", "/var", "overlay", 0, "lowerdir=/var,upperdir=/opt/var-upper,workdir=/opt/var-work")
    world.use_iptables("nft")
    world.tool("systemctl", '#!/bin/sh\necho "$*" >>/opt/systemctl.log\n')
    dpkg = ["dpkg", "--force-depends", "--force-confold", "-i", package]
    world.run(*dpkg, check_code=0)
    contains(world.read("/usr/lib/systemd/system/zapret2.service"), "ExecStart=%s/init.d/sysv/zapret2 main\n" % LIB)
    contains(world.read("/usr/lib/systemd/system/zapret2-list-update.service"), "ExecStart=%s/ipset/" % LIB)
    contains(world.read("/usr/lib/systemd/system/nfqws2@.service"), "ExecStart=/usr/sbin/nfqws2 @")
    equal(world.sh("ls /etc/rc2.d | grep zapret2").split()[0][0], "K", "enabled without being asked")

    world.write("/etc/zapret2/config", world.read("/etc/zapret2/config") +
                "\nFWTYPE=iptables\nNFQWS2_ENABLE=1\nWS_USER=nobody\nMODE_FILTER=hostlist\nENGINE='of the config'\n")
    world.write("/var/lib/zapret2/ipset/zapret-hosts-user.txt", "example.com\n")
    world.write("/etc/zapret2/custom.d/50-x", "zapret_custom_daemons() { echo custom $1; }\n")
    text = world.run("/etc/init.d/zapret2", "start", check_code=0).text
    contains(text, "--hostlist=/var/lib/zapret2/ipset/zapret-hosts-user.txt")
    contains(text, "--lua-init=@%s/lua/zapret-lib.lua" % LIB)
    contains(text, "custom 1")
    check(not os.path.exists(LIB + "/lua/lib"), "chapters of the library are installed")
    equal(len(world.processes("nfqws2")), 1)
    contains("".join(world.saved_rules()["mangle"]), "NFQUEUE")
    world.run("/etc/init.d/zapret2", "status", check_code=0)
    equal(world.run("/etc/init.d/zapret2", "force-reload").returncode, 0)

    # The command reads the config of the package and finds its parts.
    contains(world.run("blockcheck2", env={"NFQWS2_ENABLE": "0"}).text, "invalid ENGINE 'of the config'")
    check(os.path.exists(LIB + "/blockcheck2.d/standard"), "no test scripts")

    # Again: the user's files stay.
    world.run(*dpkg, check_code=0)
    contains(world.read("/etc/zapret2/config"), "NFQWS2_ENABLE=1")
    equal(world.read("/var/lib/zapret2/ipset/zapret-hosts-user.txt"), "example.com\n")
    contains(world.read("/var/lib/zapret2/ipset/zapret-hosts-user-exclude.txt"), "fc00::/7")

    equal(len(os.listdir(LIB + "/files/fake")), 46)

    world.run("dpkg", "-r", "nfqws2", check_code=0)
    equal(world.sh("ipset -n list"), "")
    equal(world.processes("nfqws2"), [])
    equal(world.saved_rules(), {})
    check(os.path.exists("/etc/zapret2/config") and not os.path.exists(LIB + "/common"), "after removal")
    world.run("dpkg", "-P", "nfqws2", check_code=0)
    check(not os.path.exists("/var/lib/zapret2") and not os.path.exists("/etc/zapret2/config"), "after purge")


def test_openwrt_makefile(world: World):
    """Every file the package takes from the source is there; the text is a Makefile."""
    text = (ROOT / "docs/packaging/openwrt/Makefile").read_text()
    paths = [word[len("$(PKG_BUILD_DIR)/"):] for word in text.split() if word.startswith("$(PKG_BUILD_DIR)/")]
    check(len(paths) > 8, paths)
    for path in paths:
        check(list(ROOT.glob(path)), "missing: " + path)
    # OpenWrt's own parts are replaced by empty ones.
    for name in ("rules.mk", "package.mk", "cmake.mk"):
        world.write("/opt/wrt/" + name, "")
    world.write("/opt/wrt/all.mk", "all: ; @echo $(PKG_NAME) $(PKG_VERSION)\n")
    result = world.run("make", "-s", "-f", str(ROOT / "docs/packaging/openwrt/Makefile"), "-f", "/opt/wrt/all.mk",
                       "TOPDIR=/opt/wrt", "INCLUDE_DIR=/opt/wrt", "all", check_code=0)
    equal(result.text, "nfqws2 1.0.6\n")
