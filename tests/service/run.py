#!/usr/bin/env python3
"""Tests of the service layer: run.py FOLDER [WORD...]

FOLDER holds the programs nfqws2, ip2net and mdig. Words choose tests by a part of their name. Each test runs
in namespaces of its own (sandbox.py); most run twice, with dash and with busybox. The last line is
"N passed, N failed, N skipped"."""
import concurrent.futures
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lab")]
import dispositions
import sandbox
import test_adapters
import test_config
import test_custom
import test_daemons
import test_helpers
import test_hostile
import test_install
import test_installer_parts
import test_iptables
import test_lists
import test_nftables
import test_offload
import test_package
import test_static
import test_supervise
import test_systemd
import test_workers

# Long tests first.
MODULES = (test_systemd, test_package, test_hostile, test_install, test_installer_parts, test_daemons, test_iptables,
           test_nftables, test_custom, test_lists, test_helpers, test_adapters, test_static, test_supervise, test_config,
           test_workers, test_offload)
NEEDED = ("ip", "iptables-legacy", "iptables-nft", "nft", "ipset", "busybox", "dash", "curl", "nginx", "openssl",
          "dnsmasq", "shellcheck", "systemd-analyze", "lintian", "dpkg", "cmake", "ninja", "make")


def collect(words):
    for module in MODULES:
        shells = getattr(module, "SHELLS", ("dash", "busybox"))
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("test_") or function.__module__ != module.__name__:
                continue
            for shell in shells:
                title = "%s.%s[%s]" % (module.__name__[5:], name[5:], shell)
                if not words or any(word in title for word in words):
                    yield title, shell, function


def missing_for_tests():
    if os.geteuid() != 0:
        return "root is needed for namespaces"
    lacking = [tool for tool in NEEDED if not shutil.which(tool, path=sandbox.SBIN)]
    return "not installed: " + " ".join(lacking) if lacking else None


def move_out_of_private_folders():
    """The worlds have a /tmp and a /run of their own; a tree below these is run from /mnt."""
    root = str(sandbox.ROOT)
    if not root.startswith(("/tmp/", "/run/")):
        return
    arguments = [os.path.abspath(sys.argv[1]).replace(root + "/", "/mnt/"), *sys.argv[2:]]
    os.execvp("unshare", ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /mnt && cd /mnt && exec "$@"', root,
                          sys.executable, "/mnt/tests/service/run.py", *arguments])


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    programs, words = os.path.abspath(sys.argv[1]), [word for word in sys.argv[2:] if word != "-v"]
    dispositions.restore()
    tests = list(collect(words))
    reason = missing_for_tests()
    if reason:
        print("SKIPPED all: " + reason)
        print("0 passed, 0 failed, %d skipped" % len(tests))
        return 0
    move_out_of_private_folders()
    passed = failed = 0
    # Not below /tmp: that is private in a world.
    folder = tempfile.mkdtemp(prefix="nfqws2-service-", dir="/var/tmp")
    # One private process per test; threads only wait for them.
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(run_in_process, programs, *test, folder) for test in tests]
        for job in concurrent.futures.as_completed(jobs):
            title, problem, seconds = job.result()
            if problem is None:
                passed += 1
                if words or "-v" in sys.argv:
                    print("ok %s (%.1f s)" % (title, seconds))
            else:
                failed += 1
                print("FAILED %s (%.1f s)\n  %s" % (title, seconds, problem.strip().replace("\n", "\n  ")))
    shutil.rmtree(folder, ignore_errors=True)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


def run_in_process(programs, title, shell, function, folder):
    """A thread must not fork Python code: the test runs in a fresh interpreter."""
    report = os.path.join(folder, title.replace("/", "_"))
    start = time.monotonic()
    result = subprocess.run([sys.executable, os.path.abspath(__file__), "--one", programs,
                             function.__module__, function.__name__, shell, report],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    problem = None
    if result.returncode != 0:
        problem = "the test process died\n" + result.stdout + result.stderr
        if os.path.exists(report):
            with open(report, encoding="utf-8") as f:
                problem = f.read()
    else:
        sys.stdout.write(result.stdout)
    return title, problem, time.monotonic() - start


def one():
    programs, module, name, shell, report = sys.argv[2:7]
    sandbox.in_world(programs, shell, getattr(sys.modules[module], name), report)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--one":
        one()
    sys.exit(main())
