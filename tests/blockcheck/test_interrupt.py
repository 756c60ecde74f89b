"""Interrupted at any moment, nothing of a run stays: no rules, no daemons, no files."""
import os
import random
import re
import signal
import time

import processes
from checks import cases, check, check_equal, nothing_left, running, said, wait_said

FAKE = "--payload=http_req --lua-desync=fake:blob=0x00:badsum:repeats=%d"


def script_pid(lab):
    """The process of blockcheck2.sh itself: the shell that runs it and is no child of another."""
    def is_script(words):
        return words[:1] == ["sh"] and words[1].endswith("blockcheck2.sh")
    return processes.eldest(pid for pid in lab.pids("client") if is_script(processes.words(pid)))[0]


# The first request fails at once, all others hang.
HANGING = """#!/bin/sh
case $* in
*--version*) echo 'curl 8 OpenSSL'; exit ;;
*127.0.0.1*) exit 7 ;;
esac
mkdir "$0.first" 2>/dev/null && exit 28
exec sleep 900
"""


def start(env, lab, count=99, **variables):
    return env.started(lab, PARALLEL_MAX=8,
                       **env.custom(lab, [FAKE % n for n in range(1, count + 1)]), **variables)


# Few strategies are not searched before the scripts run.
@cases({"%s %s" % (engine, sig): (engine, 30 if engine == "fast" else 99, sig)
        for engine in ("classic", "fast", "search") for sig in ("INT", "TERM", "HUP", "QUIT", "PIPE", "KILL")
        if engine != "search" or sig in ("INT", "KILL")})
def test_signal(env, engine, count, sig):
    with env.lab("drop") as lab:
        curl = env.tool(lab, "hanging", HANGING)
        with start(env, lab, count, ENGINE="fast" if engine == "search" else engine, ENABLE_HTTPS_TLS12=0,
                   CURL=curl) as process:
            wait_said(process, "preparing" if engine == "search" else "* script :")
            lab.wait_for(lambda: "NFQUEUE" in lab.run("client", "iptables-save").stdout and
                         running(lab), "no rules yet, or nothing runs")
            time.sleep(random.uniform(0.1, 1.5))
            os.kill(script_pid(lab), getattr(signal, "SIG" + sig))
            code = process.wait(120)  # it does not wait for the requests
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
