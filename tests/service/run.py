#!/usr/bin/env python3
"""Tests of the service layer.

usage: run.py FOLDER [-v] [-j N] [--file FILE] [NAME_PART ...]

FOLDER holds the programs nfqws2, ip2net and mdig. Each test runs in namespaces of its own
(sandbox.py), most twice: with dash and with busybox. The last line is "N passed, N failed, N skipped".
"""
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
import sandbox  # noqa: E402
from runner import Runner  # noqa: E402

NEEDED = ("ip", "iptables-legacy", "iptables-nft", "nft", "ipset", "busybox", "dash", "curl", "nginx", "openssl",
          "dnsmasq", "shellcheck", "systemd-analyze", "lintian", "dpkg", "cmake", "ninja", "make")


class ServiceRunner(Runner):
    paths = ("folder",)

    def cases_of(self, module, function):
        return getattr(module, "SHELLS", ("dash", "busybox"))

    def call(self, paths, test, case):
        sys.stdout.flush()
        sandbox.in_world(*paths, case, test)

    def clean_up(self, pid):
        return []  # a world ends with its first process

    def why_impossible(self):
        if os.geteuid() != 0:
            return "root is needed for namespaces"
        lacking = [tool for tool in self.tools if not shutil.which(tool, path=sandbox.SBIN)]
        return "not installed: " + " ".join(lacking) if lacking else None

    def prepare(self, args):
        """The worlds have a /tmp and a /run of their own; a tree below these is run from /mnt."""
        root = str(sandbox.ROOT)
        if root.startswith(("/tmp/", "/run/")):
            words = [args.folder if os.path.abspath(word) == args.folder else word for word in sys.argv[1:]]
            words = [word.replace(root + "/", "/mnt/") for word in words]
            os.execvp("unshare", ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /mnt && cd /mnt && exec "$@"',
                                  root, sys.executable, "/mnt/tests/service/run.py", *words])


RUNNER = ServiceRunner(__file__, None, "service", 400, NEEDED, sandbox.Failure)

if __name__ == "__main__":
    sys.exit(RUNNER.main(__doc__, jobs=min(4, os.cpu_count() or 1)))
