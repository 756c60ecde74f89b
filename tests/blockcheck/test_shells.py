"""The scripts in the shells and with the tools of small systems."""
import glob
import os
import subprocess

from checks import ROOT, cases, check, check_equal, need_tool, nothing_left
from fakes import CASE, FAKE, SPLIT

SHELLS = (["dash"], ["busybox", "ash"], ["bash", "--posix"])


def scripts():
    found = [os.path.join(ROOT, "blockcheck2.sh")]
    for pattern in ("common/blockcheck/*.sh", "blockcheck2.d/*/*.sh", "blockcheck2.d/*/*.inc"):
        found += sorted(glob.glob(os.path.join(ROOT, pattern)))
    check(len(found) > 25, "too few: %s", found)
    return found


def test_syntax(env):
    for path in scripts():
        for shell in SHELLS:
            need_tool(shell[0])
            done = subprocess.run([*shell, "-n", path], capture_output=True, text=True, check=False)
            check_equal("%s %s" % (shell[0], path), (done.returncode, done.stderr), (0, ""))


def test_shellcheck(env):
    need_tool("shellcheck")
    done = subprocess.run(["shellcheck", "-s", "dash", *scripts()], capture_output=True, text=True,
                          check=False)
    check_equal("complaints", done.stdout + done.stderr, "")


# busybox has these too, but less of them than every system that can run blockcheck2.
NOT_OF_BUSYBOX = {"ip", "nslookup", "ping", "ping6", "nc", "modprobe", "su", "mount", "unshare"}


@cases({engine: (engine,) for engine in ("classic", "fast")})
def test_router(env, engine):
    """All of it with busybox alone: the shell and every tool that it has."""
    busybox = need_tool("busybox")
    with env.lab("rst") as lab:
        tools = env.folder(lab, "bin")
        applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
        for name in set(applets.stdout.split()) - NOT_OF_BUSYBOX:
            os.symlink(busybox, os.path.join(tools, name))
        done = env.run(lab, shell=(busybox, "ash"), ENGINE=engine, ENABLE_HTTPS_TLS13=1,
                       PARALLEL_MAX=4, BLOCKCHECK_JSON=lab.folder + "/json",
                       RESUME=lab.folder + "/journal", **env.custom(
                           lab, [CASE, FAKE, SPLIT], ["--lua-desync=pass", SPLIT.replace(
                               "http_req", "tls_client_hello")]))
        check_equal("exit code", done.code, 0)
        bad, good = "UNAVAILABLE code=56", "!!!!! AVAILABLE !!!!!"
        tls = "UNAVAILABLE code=35"
        check_equal("results", [line for *_, line in done.results()],
                    [good, bad, good, tls, good, tls, good])
        done.lacks("not found\n")
        done.has("NFQWS2_OPT=")
        nothing_left(lab, engine)
