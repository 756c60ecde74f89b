"""Interrupted at any moment, nothing of a run stays: no rules, no daemons, no files."""
import contextlib
import os
import random
import re
import signal
import subprocess
import time

from checks import cases, check, check_equal, laboratory, nothing_left, processes, said, wait_said

FAKE = "--payload=http_req --lua-desync=fake:blob=0x00:badsum:repeats=%d"


def script_pid(lab):
    """The process of blockcheck2.sh itself: the shell that runs it and is no child of another."""
    pids = subprocess.run(["ip", "netns", "pids", lab.ns("client")], capture_output=True, text=True,
                          env=laboratory.environment(), check=False).stdout.split()
    parents = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            with open("/proc/%s/cmdline" % pid) as f:
                words = f.read().split("\0")
            with open("/proc/%s/stat" % pid) as f:
                parent = f.read().rpartition(")")[2].split()[1]
            if words[:1] == ["sh"] and words[1].endswith("blockcheck2.sh"):
                parents[pid] = parent
    return next(int(pid) for pid, parent in parents.items() if parent not in parents)


# The first request fails at once, all others hang.
HANGING = """#!/bin/sh
case $* in
*--version*) echo 'curl 8 OpenSSL'; exit ;;
*127.0.0.1*) exit 7 ;;
esac
mkdir "$0.first" 2>/dev/null && exit 28
exec sleep 90
"""


def start(env, lab, **variables):
    return env.started(lab, PARALLEL_MAX=8,
                       **env.custom(lab, [FAKE % n for n in range(1, 100)]), **variables)


@cases({"%s %s" % (engine, sig): (engine, sig) for engine in ("classic", "fast")
        for sig in ("INT", "TERM", "HUP", "QUIT", "PIPE", "KILL")})
def test_signal(env, engine, sig):
    with env.lab("drop") as lab:
        curl = env.tool(lab, "hanging", HANGING)
        with start(env, lab, ENGINE=engine, ENABLE_HTTPS_TLS12=0, CURL=curl) as process:
            wait_said(process, "* script :")
            lab.wait_for(lambda: "NFQUEUE" in lab.run("client", "iptables-save").stdout and
                         processes(lab), "no rules yet, or nothing runs")
            time.sleep(random.uniform(0.1, 1.5))
            os.kill(script_pid(lab), getattr(signal, "SIG" + sig))
            begin = time.monotonic()
            code = process.wait(80)
            took = time.monotonic() - begin
            check(took < 40, "it took %.1f s", took)
            check_equal("exit code", code, -9 if sig == "KILL" else 1)
            check(("terminating..." in said(process)) == (sig == "INT"), said(process)[-300:])
        nothing_left(lab, "after SIG" + sig)


@cases({engine: (engine,) for engine in ("classic", "fast")})
def test_any_moment(env, engine):
    """From the first moment on, in steps, by the key Ctrl-C: the whole process group gets it."""
    with env.lab("drop") as lab:
        for step in range(14):
            with start(env, lab, ENGINE=engine, SKIP_IPBLOCK=0) as process:
                time.sleep(0.05 + step * 0.11)
                os.killpg(process.pid, signal.SIGINT)
                process.wait(60)
                at = re.sub(r"\s+", " ", said(process))[-80:]
            nothing_left(lab, "after %.2f s (%s)" % (0.05 + step * 0.11, at))
