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


def busybox_alone(env, lab):
    """The shell and every tool that busybox has."""
    busybox = need_tool("busybox")
    tools = env.folder(lab, "bin")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for name in set(applets.stdout.split()) - NOT_OF_BUSYBOX:
        os.symlink(busybox, os.path.join(tools, name))
    return busybox


@cases({engine: (engine,) for engine in ("classic", "fast")})
def test_router_quick(env, engine):
    """What level quick does, the kind of blocking and the pages, with busybox alone."""
    with env.lab("rst") as lab:
        busybox = busybox_alone(env, lab)
        page = lab.folder + "/page"
        done = env.run(lab, shell=(busybox, "ash"), ENGINE=engine, SCANLEVEL="quick", SKIP_KIND=0,
                       ENABLE_HTTPS_TLS12=0, BLOCKCHECK_JSON=lab.folder + "/json", BLOCKCHECK_HTML=page,
                       REPORT_FILE=lab.folder + "/report", **env.custom(lab, [FAKE, CASE]))
        check_equal("exit code", done.code, 0)
        done.has("working strategy found for ipv4 blocked.test : nfqws2 " + CASE)
        done.has("blocked.test : RST : RST ")
        done.has("blocked.test : by name : ")
        for complaint in ("not found\n", "awk:", "invalid", "Illegal"):
            done.lacks(complaint)
        with open(page) as f:
            check("<td>by name</td>" in f.read(), "the page")
        nothing_left(lab, engine)


@cases({engine: (engine,) for engine in ("classic", "fast")})
def test_router(env, engine):
    """All of it with busybox alone."""
    with env.lab("rst") as lab:
        busybox = busybox_alone(env, lab)
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
