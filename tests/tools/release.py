#!/usr/bin/env python3
"""Releases: where the version comes from, the source archive, and the recipes of the distributions.

usage: release.py [WORD...]     tests whose names have one of the words

Works on copies of the tree and configures them, most without building. Last line:
"N passed, N failed, N skipped".
"""
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(1, os.path.join(ROOT, "tests", "support"))
import cases  # noqa: E402
from expect import Failure, check_equal  # noqa: E402

RECIPES = os.path.join(ROOT, "docs", "packaging")
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@test.invalid", "-c", "init.defaultBranch=main",
       "-c", "advice.detachedHead=false", "-c", "commit.gpgSign=false", "-c", "tag.gpgSign=false")
EPOCH = 1767225600  # Jan  1 2026


def run(*words, cwd=ROOT, code=0, env=()):
    result = subprocess.run(words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False, env={**os.environ, **dict(env)})
    if code is not None and result.returncode != code:
        raise Failure("%s: exit code %d\n%s" % (" ".join(words), result.returncode, result.stdout))
    return result.stdout


def equal(seen, expected, title):
    check_equal(title, seen, expected)


def project_version():
    with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as file:
        return re.search(r"^project\(nfqws2 VERSION ([\d.]+)", file.read(), re.M).group(1)


VERSION = project_version()


class Trees:
    """A repository made of the tree as it is, and archives of it; shared by the tests."""
    def __init__(self, folder):
        self.folder = folder
        self.repository = os.path.join(folder, "repository")
        listed = self.tracked()
        for name in listed:
            target = os.path.join(self.repository, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), target, follow_symlinks=False)
        self.git("init", "-q")
        self.git("add", "-A", "-f")
        date = "%d +0000" % EPOCH
        run(*GIT, "commit", "-q", "-m", "all", cwd=self.repository,
            env={"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date})
        self.hash = self.git("rev-parse", "HEAD").strip()
        self.builds = 0

    @staticmethod
    def tracked():
        """What belongs to the tree; of an unpacked archive everything but builds."""
        if os.path.exists(os.path.join(ROOT, ".git")):
            names = run("git", "ls-files", "-z", "-co", "--exclude-standard").split("\0")
            return [name for name in names if os.path.lexists(os.path.join(ROOT, name)) and name]
        names = []
        for folder, folders, files in os.walk(ROOT):
            folders[:] = [name for name in folders if name not in ("build", "__pycache__")]
            names += [os.path.relpath(os.path.join(folder, name), ROOT) for name in files]
        return names

    def git(self, *words):
        return run(*GIT, *words, cwd=self.repository)

    def archive(self):
        """Unpacked; (names in it, folder)."""
        prefix = "nfqws2-" + VERSION
        packed = os.path.join(self.folder, prefix + ".tar.gz")
        self.git("archive", "--prefix=%s/" % prefix, "-o", packed, "HEAD")
        with tarfile.open(packed) as tar:
            names = [member.name[len(prefix) + 1:] for member in tar if not member.isdir()]
            tar.extractall(self.folder)
        return names, os.path.join(self.folder, prefix)

    def version(self, source, *options, code=0, env=()):
        """What a program built from the source would say, or the refusal of cmake."""
        self.builds += 1
        build = os.path.join(self.folder, "build%d" % self.builds)
        clean = {"SOURCE_DATE_EPOCH": "", **dict(env)}
        said = run("cmake", "-S", source, "-B", build, "-G", "Ninja", "-DNFQWS2_TESTS=OFF", *options,
                   code=code, env=clean)
        if code:
            return said
        with open(os.path.join(build, "build.cpp"), encoding="utf-8") as file:
            return re.search(r'version\[\] = "(.*)"', file.read()).group(1)


def test_version_of_an_untagged_commit(trees):
    """Its time, in every folder and at every time of the build."""
    equal(trees.version(trees.repository), "self-built version Jan  1 2026 00:00:00", "untagged")
    equal(trees.version(trees.repository, env={"SOURCE_DATE_EPOCH": "1000000000"}),
          "self-built version Sep  9 2001 01:46:40", "SOURCE_DATE_EPOCH")


def test_version_of_a_tag(trees):
    name = "v" + VERSION
    release = "github version %s (%s)" % (name, trees.hash[:10])
    trees.git("tag", "-f", "v%s-rc1" % VERSION)
    equal(trees.version(trees.repository).split()[0], "self-built", "no release tag")
    trees.git("tag", "-f", "-m", "release", name)
    try:
        equal(trees.version(trees.repository), release, "tagged checkout")
        names, unpacked = trees.archive()
        equal(sorted(names), sorted(trees.git("ls-files").split("\n")[:-1]), "files of the archive")
        equal(trees.version(unpacked), release, "tagged archive")
        program = build_tool(trees, unpacked)
        equal(run(program, "--help", code=1).split("\n")[0], release, "program built from the archive")
        equal(trees.version(unpacked, "-DNFQWS2_RELEASE_VERSION=v7", "-DNFQWS2_RELEASE_HASH=abc"),
              "github version v7 (abc)", "given")
        shutil.rmtree(unpacked)
        with open(os.path.join(trees.repository, "README.md"), "a", encoding="utf-8") as file:
            file.write("changed\n")
        equal(trees.version(trees.repository).split()[0], "self-built", "changed after the tag")
    finally:
        trees.git("tag", "-d", name, "v%s-rc1" % VERSION)
        trees.git("checkout", "-q", ".")


def build_tool(trees, source):
    """The smallest program, whose sources compile in seconds."""
    build = os.path.join(trees.folder, "tool")
    run("cmake", "-S", source, "-B", build, "-G", "Ninja", "-DNFQWS2_TESTS=OFF", "-DCMAKE_BUILD_TYPE=Debug",
        "-DCMAKE_CXX_FLAGS_DEBUG=-O0")
    run("cmake", "--build", build, "--target", "ip2net")
    return os.path.join(build, "ip2net")


def test_version_of_an_untagged_archive(trees):
    """Also one unpacked inside another checkout."""
    _, unpacked = trees.archive()
    inside = os.path.join(trees.repository, "build-inside")
    try:
        equal(trees.version(unpacked), "self-built version Jan  1 2026 00:00:00", "archive")
        shutil.copytree(unpacked, inside, symlinks=True)
        os.remove(os.path.join(inside, ".release"))
        equal(trees.version(inside, env={"SOURCE_DATE_EPOCH": "0"}),
              "self-built version Jan  1 1970 00:00:00", "neither history nor file")
    finally:
        shutil.rmtree(unpacked)
        shutil.rmtree(inside, ignore_errors=True)


def test_version_given_wrong(trees):
    for options, text in ((["-DNFQWS2_RELEASE_VERSION=v1"], "belong together"),
                          (["-DNFQWS2_RELEASE_HASH=ab"], "belong together"),
                          (["-DNFQWS2_RELEASE_VERSION=v1\"", "-DNFQWS2_RELEASE_HASH=ab"], "letters, digits")):
        said = trees.version(trees.repository, *options, code=1)
        if text not in said:
            raise Failure("%s: %s" % (options, said))


def test_archive_is_reproducible(trees):
    packed = []
    for name in ("a.tar.gz", "b.tar.gz"):
        packed.append(os.path.join(trees.folder, name))
        trees.git("archive", "--prefix=x/", "-o", packed[-1], "HEAD")
    first, second = (open(name, "rb").read() for name in packed)
    equal(first == second, True, "two archives of one commit are equal")


def test_recipes_have_the_version(_):
    for name, pattern in (("alpine/APKBUILD", r"^pkgver=(.*)"), ("arch/PKGBUILD", r"^pkgver=(.*)"),
                          ("rpm/nfqws2.spec", r"^Version: +(.*)"), ("openwrt/Makefile", r"^PKG_VERSION:=(.*)")):
        with open(os.path.join(RECIPES, name), encoding="utf-8") as file:
            equal(re.search(pattern, file.read(), re.M).group(1), VERSION, name)
    with open(os.path.join(ROOT, "CHANGELOG.md"), encoding="utf-8") as file:
        equal("\n## %s" % VERSION in file.read(), True, "a section of CHANGELOG.md")


def test_recipes_are_what_their_linters_want(_):
    equal(run("rpmlint", "-c", os.path.join(RECIPES, "rpm", "rpmlint.toml"),
              os.path.join(RECIPES, "rpm", "nfqws2.spec"), code=None).strip().split("\n")[-1].split(";")[1],
          " 0 errors, 0 warnings, 0 badness", "rpmlint")
    # SC2034: variables that only the package manager reads. SC2154: variables that it sets.
    for shell, name in (("sh", "alpine/APKBUILD"), ("bash", "arch/PKGBUILD")):
        run("shellcheck", "-s", shell, "-e", "SC2034,SC2154", os.path.join(RECIPES, name))


def staged(trees):
    """A folder with what an installation below /usr brings."""
    build, stage = (os.path.join(trees.folder, name) for name in ("install", "stage"))
    if not os.path.exists(stage):
        run("cmake", "-S", trees.repository, "-B", build, "-G", "Ninja", "-DNFQWS2_TESTS=OFF",
            "-DCMAKE_INSTALL_PREFIX=/usr")
        # Stand-ins: what is in them does not matter here.
        for program in ("nfqws2", "ip2net", "mdig", "nfqws2ctl", "blockprobe"):
            shutil.copy("/bin/true", os.path.join(build, program))
        run("cmake", "--install", build, env={"DESTDIR": stage})
    return stage


def test_recipe_of_openwrt_installs(trees):
    """Its lists of commands run by make, with OpenWrt's own parts reduced to what they need."""
    stage = staged(trees)
    parts, out = (os.path.join(trees.folder, name) for name in ("openwrt", "openwrt-out"))
    os.makedirs(parts)
    for name in ("rules.mk", "cmake.mk"):
        open(os.path.join(parts, name), "w", encoding="utf-8").close()
    with open(os.path.join(parts, "package.mk"), "w", encoding="utf-8") as file:
        file.write("INSTALL_DIR=install -d -m0755\nINSTALL_BIN=install -m0755\nINSTALL_DATA=install -m0644\n"
                   "CP=cp -fpR\nLN=ln -sf\ndefine BuildPackage\ninstall-$(1):\n"
                   "$(call Package/$(1)/install,%s)\n\nendef\n" % out)
    run("make", "-f", os.path.join(RECIPES, "openwrt", "Makefile"), "TOPDIR=" + parts, "INCLUDE_DIR=" + parts,
        "PKG_INSTALL_DIR=" + stage, "PKG_BUILD_DIR=" + trees.repository, "install-nfqws2",
        "install-nfqws2-service")
    for theirs, ours in (("/usr/share/nfqws2/lua", "/usr/share/nfqws2/lua"),
                         ("/opt/zapret2/files/fake", "/usr/lib/zapret2/files/fake"),
                         ("/opt/zapret2/blockcheck2.d", "/usr/lib/zapret2/blockcheck2.d")):
        equal(sorted(os.listdir(out + theirs)), sorted(os.listdir(stage + ours)), theirs)


def test_recipes_pack_what_is_installed(trees):
    """Every file of an installation belongs to a line of the RPM recipe, and the reverse."""
    stage = staged(trees)
    with open(os.path.join(RECIPES, "rpm", "nfqws2.spec"), encoding="utf-8") as file:
        section = file.read().split("%files\n")[1].split("\n\n")[0]
    for macro, value in (("_sbindir", "/usr/sbin"), ("_bindir", "/usr/bin"), ("_datadir", "/usr/share"),
                         ("_prefix", "/usr"), ("_unitdir", "/usr/lib/systemd/system"),
                         ("_mandir", "/usr/share/man"), ("_docdir", "/usr/share/doc"), ("_sysconfdir", "/etc"),
                         ("_sharedstatedir", "/var/lib"), ("_libexecdir", "/usr/libexec")):
        section = section.replace("%%{%s}" % macro, value)
    lines = [line.split()[-1] for line in section.split("\n") if not line.startswith("%license")]
    found = [os.path.join("/", os.path.relpath(os.path.join(folder, name), stage))
             for folder, _, files in os.walk(stage) for name in files]
    unpacked = [path for path in found if not any(
        path.startswith(line) if line.endswith("/") else path.startswith(line.rstrip("*")) for line in lines)]
    equal(unpacked, [], "installed, but in no line of %files")
    absent = [line for line in lines if not os.path.exists(stage + line.rstrip("*"))
              and not line.endswith("*")]
    equal(absent, [], "in %files, but not installed")


def main():
    report = cases.Report(command=cases.this_script())
    with tempfile.TemporaryDirectory() as folder:
        trees = Trees(folder)
        for name, test in sorted(globals().items()):
            if not name.startswith("test_") or not cases.chosen([name[5:]], sys.argv[1:]):
                continue
            try:
                test(trees)
                report.ok(name[5:])
            except Failure as failure:
                report.fail(name[5:], str(failure))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
