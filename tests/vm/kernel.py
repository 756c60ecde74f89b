"""The kernel of a distribution: fetched once, kept below the user's cache, never installed."""
import glob
import lzma
import os
import platform
import re
import shutil
import subprocess
import tempfile

# Always the newest kernel of the release; it depends on the package with the files.
PACKAGE = "linux-image-cloud-amd64"
# What has to be there before the files of this machine are.
FIRST_MODULES = ("virtio_pci", "virtiofs", "overlay")
HERE = os.path.dirname(os.path.abspath(__file__))


class Unavailable(Exception):
    """Something that the lab needs cannot be had."""


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "nfqws2", "kernel")


def tool(name, package):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise Unavailable("the tool `%s` is not installed (Debian: %s)" % (name, package))
    return path


def output_of(*argv, **kwargs):
    result = subprocess.run(argv, capture_output=True, text=True, check=False, **kwargs)
    if result.returncode != 0:
        raise Unavailable("%s: %s" % (" ".join(argv), result.stderr.strip()))
    return result.stdout


class Kernel:
    """An unpacked package."""

    def __init__(self, folder):
        self.folder = folder
        self.image = newest(glob.glob(folder + "/boot/vmlinuz-*"), folder)
        self.release = os.path.basename(self.image).partition("-")[2]
        self.modules = os.path.join(folder, "lib", "modules")

    def module_files(self, names):
        """The files of modules with what they need, in the order of loading."""
        folder = os.path.join(self.modules, self.release)
        needs = {}
        with open(folder + "/modules.dep", encoding="ascii") as f:
            for line in f:
                file, _, others = line.partition(":")
                name = os.path.basename(file).partition(".")[0]
                needs[name] = [file, *reversed(others.split())]
        found = []
        for name in names:
            if name not in needs:
                raise Unavailable("the kernel %s has no module %s" % (self.release, name))
            file, *others = needs[name]
            found += [path for path in [*others, file] if path not in found]
        return [os.path.join(folder, path) for path in found]


def version_key(path):
    return [int(word) if word.isdigit() else word for word in re.split(r"(\d+)", path)]


def newest(paths, where):
    if not paths:
        raise Unavailable("no kernel in " + where)
    return max(paths, key=version_key)


def find(refresh=False):
    """The kernel to boot: that of NFQWS2_VM_KERNEL (a folder with boot/ and lib/modules/), the newest
    of the cache, or a new one."""
    if "NFQWS2_VM_KERNEL" in os.environ:
        return Kernel(os.environ["NFQWS2_VM_KERNEL"])
    if platform.machine() != "x86_64":
        raise Unavailable("the lab runs the programs of this machine, and boots amd64 only")
    kept = glob.glob(cache() + "/linux-image-*")
    return Kernel(newest(kept, cache()) if kept and not refresh else fetch())


def package_name():
    """Of the package with the kernel itself."""
    tool("apt-get", "apt")
    for attempt in ("lists as they are", "new lists"):
        if attempt == "new lists":
            output_of("apt-get", "update", "-q")
        depends = subprocess.run(["apt-cache", "depends", PACKAGE], capture_output=True, text=True,
                                 check=False).stdout
        names = re.findall(r"Depends: (linux-image-\d\S+)", depends)
        if names:
            return names[0]
    raise Unavailable("apt knows no package " + PACKAGE)


def unpacked(name, finish=lambda tree: None):
    """Downloads a package and unpacks it into the cache; its folder."""
    target = os.path.join(cache(), name)
    os.makedirs(cache(), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache()) as work:
        try:
            output_of("apt-get", "download", "-q", name, cwd=work)
        except Unavailable:
            output_of("apt-get", "update", "-q")
            output_of("apt-get", "download", "-q", name, cwd=work)
        output_of("dpkg-deb", "-x", glob.glob(work + "/*.deb")[0], work + "/tree")
        finish(work + "/tree")
        shutil.rmtree(target, ignore_errors=True)
        os.rename(work + "/tree", target)
    return target


def fetch():
    """The kernel with a list of what its modules need."""
    depmod = tool("depmod", "kmod")
    return unpacked(package_name(), lambda tree: output_of(depmod, "-b", tree, Kernel(tree).release))


def static_busybox():
    """Not installed: it excludes the ordinary one, which looks for programs before its own applets."""
    path = os.path.join(cache(), "busybox-static", "bin", "busybox")
    return path if os.path.exists(path) else os.path.join(unpacked("busybox-static"), "bin", "busybox")


def make_initramfs(kernel, path):
    """busybox, the modules that reach the files of this machine, and the script `init`."""
    with tempfile.TemporaryDirectory(prefix="nfqws2-vm-") as root:
        for name in ("bin", "modules", "proc", "sys", "dev", "host", "results", "scratch", "root"):
            os.mkdir(os.path.join(root, name))
        shutil.copy(static_busybox(), root + "/bin/busybox")
        shutil.copy(os.path.join(HERE, "init"), root + "/init")
        os.chmod(root + "/init", 0o755)
        for number, source in enumerate(kernel.module_files(FIRST_MODULES)):
            with (lzma.open if source.endswith(".xz") else open)(source, "rb") as f:
                data = f.read()
            # The names' order is that of loading.
            with open("%s/modules/%02d.ko" % (root, number), "wb") as f:
                f.write(data)
        names = "\n".join(os.path.relpath(os.path.join(folder, name), root)
                          for folder, folders, files in os.walk(root) for name in folders + files)
        with open(path, "wb") as out:
            subprocess.run([tool("cpio", "cpio"), "-o", "-H", "newc", "--quiet"], cwd=root,
                           input=names.encode(), stdout=out, check=True)
