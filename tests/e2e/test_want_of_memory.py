"""The system gives no more memory: what cannot be handled ends with the code that makes the service start
the program again, and that speaks of memory."""
import os
import re
import resource
import subprocess

from harness import cases, check, check_equal, without_root
from test_flood import sanitized

CODE = 102
MEGABYTE = 1 << 20
GROWING = "local t={} for i=1,1e9 do t[i]={i} end"


def run_within(env, megabytes, *args):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * MEGABYTE,) * 2)
    return env.run("--intercept=0", *args, preexec_fn=limit)


@without_root
@cases({"limited": ("--lua-mem-limit=100000",), "unlimited": ("--lua-mem-limit=0",)})
def test_compiled_code(env, limit):
    """LuaJIT does not survive a refusal while compiled code runs; without a compiler it is an error of the
    script."""
    if sanitized(env.program):
        return
    result = run_within(env, 256, limit, "--lua-init=" + GROWING)
    luajit = "JIT: " in result.stdout
    check_equal("exit code (%s)" % result.stderr, result.returncode, CODE if luajit else 1)
    why = "--lua-init gets no more memory from the system. The process ends with code 102." if luajit \
        else "not enough memory"
    check(why in result.stderr, "it said: %s", result.stderr)


@without_root
def test_the_program_itself(env):
    """A script file that does not fit."""
    if sanitized(env.program):
        return
    with env.folder() as folder:
        path = os.path.join(folder, "large.lua")
        with open(path, "w") as f:
            f.truncate(60 * MEGABYTE)
        os.chmod(path, 0o644)
        result = run_within(env, 64, "--lua-init=@" + path)
        check_equal("exit code (%s)" % result.stderr, result.returncode, CODE)
        check("out of memory" in result.stderr, "it said: %s", result.stderr)


@without_root
def test_the_supervisor_starts_it_again(env):
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    with env.folder() as folder:
        stub = os.path.join(folder, "stub")
        with open(stub, "w") as f:
            f.write("#!/bin/sh\necho x >>'%s/starts'\n[ $(wc -l <'%s/starts') -lt 3 ] && exit %d\nexit 0\n"
                    % (folder, folder, CODE))
        os.chmod(stub, 0o755)
        result = subprocess.run(["sh", os.path.join(root, "common", "supervise.sh"),
                                 os.path.join(folder, "pid"), stub], capture_output=True, text=True,
                                env={**os.environ, "SUPERVISE_PAUSE": "1"}, timeout=60)
        check_equal("exit code", result.returncode, 0)
        check_equal("restarts", len(re.findall("ended with code %d, starts again" % CODE,
                                               result.stderr)), 2)
