"""Scripts that wait in a system call: opening does not wait, other waiting has a limit."""
import contextlib
import os
import pty
import signal
import subprocess
import threading
import time

from harness import check, check_equal, without_root
from offline_world import Flow
from packets import write_pcap
from test_runaway import EXIT_CODE, PATIENCE

LIMIT = "--lua-wait-limit=400"
# Fills a FIFO whose reader does not read.
STUCK = "local f=io.open('%s','w') f:setvbuf('no') "
WRITE = "f:write(('x'):rep(1000000)) "


@contextlib.contextmanager
def fifo(env, reader=True):
    with env.folder() as folder:
        path = os.path.join(folder, "fifo")
        os.mkfifo(path)
        os.chmod(path, 0o666)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if reader else None
        try:
            yield path, descriptor
        finally:
            if reader:
                os.close(descriptor)


def run(env, script, *options):
    return env.run("--sandbox=off", "--intercept=0", *options, "--lua-init=" + script)


@without_root
def test_a_fifo_that_nobody_reads(env):
    with fifo(env, reader=False) as (path, _):
        result = run(env, "print(io.open('%s','w')) print(io.open('%s','a')) print(pcall(io.output,'%s'))"
                          % ((path,) * 3))
        check_equal("errors (%s)" % result.stderr,
                    result.stdout.count("%s: No such device or address" % path), 3)


@without_root
def test_a_fifo_that_nobody_writes(env):
    """There is nothing to read, and that is said at once; code is not loaded from such a file."""
    with fifo(env, reader=False) as (path, _):
        result = run(env, "local f=io.open('%s') print('read',f:read('*a')=='') f:close() "
                          "print('lines',pcall(function() for l in io.lines('%s') do end end)) "
                          "print('load',loadfile('%s'))" % ((path,) * 3))
        for line in "read\ttrue", "lines\ttrue", "load\tnil\tcannot open %s: No such device or address" % path:
            check(line in result.stdout, "no %r: %s%s", line, result.stdout, result.stderr)


@without_root
def test_a_fifo_with_a_reader(env):
    """More than it holds: the script waits for the reader, and nothing is lost."""
    with fifo(env) as (path, descriptor):
        os.set_blocking(descriptor, True)
        got = []

        def read():
            time.sleep(0.3)
            while data := os.read(descriptor, 65536):
                got.append(len(data))
        reader = threading.Thread(target=read)
        reader.start()
        result = run(env, STUCK % path + "print(f:write(('x'):rep(1000000)) ~= nil, f:close())")
        reader.join(PATIENCE)
        check("true\ttrue" in result.stdout, "it said: %s%s", result.stdout, result.stderr)
        check_equal("bytes", sum(got), 1000000)


@without_root
def test_terminals_are_refused(env):
    master, slave = pty.openpty()
    try:
        path = os.ttyname(slave)
        os.chmod(path, 0o666)
        result = run(env, "print(io.open('%s','w')) print(io.open('/dev/null','w') ~= nil)" % path)
        check("%s: Permission denied" % path in result.stdout and "true" in result.stdout,
              "it said: %s%s", result.stdout, result.stderr)
    finally:
        os.close(master)
        os.close(slave)


@without_root
def test_waiting_is_interrupted(env):
    """The error names who waited, and timers go on."""
    script = (STUCK + "timer_set('stuck', function() %s print('not reached') end, 10, true) "
              "timer_set('later', function() print('later') os.exit(0) end, 1500, true)")
    with fifo(env) as (path, _):
        begin = time.monotonic()
        result = run(env, script % (path, WRITE), LIMIT)
        check_equal("exit code (%s)" % result.stderr, result.returncode, 0)
        check("the call waits longer than 400 ms (--lua-wait-limit)" in result.stderr and
              "timer 'stuck'" in result.stderr, "it said: %s", result.stderr)
        check("later" in result.stdout and "not reached" not in result.stdout, "it said: %s",
              result.stdout)
        print("%.2f s" % (time.monotonic() - begin))


def one_request(folder):
    path = os.path.join(folder, "in.pcap")
    packets = Flow(40000).visit("www.example.com")
    write_pcap(path, packets)
    os.chmod(path, 0o644)
    return path, packets


@without_root
def test_waiting_of_an_instance_is_named(env):
    code = STUCK + WRITE
    with fifo(env) as (path, _):
        capture, packets = one_request(os.path.dirname(path))
        result = env.run("--sandbox=off", "--pcap-in=" + capture, LIMIT, "--name=talker", "--payload=http_req",
                         "--lua-init=@" + os.path.join(env.lua, "zapret-lib.lua"),
                         "--lua-desync=luaexec:code=" + (code % path).replace(":", "\\:"), timeout=30)
        check_equal("exit code (%s)" % result.stderr, result.returncode, 3)
        for word in "--lua-wait-limit", "profile 1 (talker)", "luaexec_1_1":
            check(word in result.stderr, "no %r: %s", word, result.stderr)
        check("accepted %d" % len(packets) in result.stderr, "not all pass: %s", result.stderr)


@without_root
def test_captures_go_into_a_fifo(env):
    """With `keep`, or the name would be removed; what cannot be searched gets no header."""
    with fifo(env) as (path, descriptor):
        capture, packets = one_request(os.path.dirname(path))
        result = env.run("--sandbox=off", "--pcap-in=" + capture, "--payload=all",
                         "--lua-init=@" + os.path.join(env.lua, "zapret-lib.lua"),
                         "--lua-init=@" + os.path.join(env.lua, "zapret-pcap.lua"),
                         "--in-range=a", "--lua-desync=pcap:keep:file=" + path, timeout=30)
        check_equal("exit code (%s)" % result.stderr, result.returncode, 0)
        got = os.read(descriptor, 65536)
        check_equal("packets", [got.count(raw) for raw in packets], [1] * len(packets))
        check_equal("bytes", len(got), sum(16 + len(raw) for raw in packets))


@without_root
def test_waiting_at_the_start_is_interrupted(env):
    with fifo(env) as (path, _):
        result = run(env, STUCK % path + WRITE, LIMIT)
        check_equal("exit code", result.returncode, 1)
        check("--lua-wait-limit" in result.stderr, "it said: %s", result.stderr)


@without_root
def test_what_cannot_be_interrupted_ends_the_process(env):
    """No hook runs in a finalizer, and this one waits again and again."""
    script = (STUCK + "local function wait() while true do %s end end "
              "if newproxy then getmetatable(newproxy(true)).__gc=wait else setmetatable({},{__gc=wait}) end "
              "timer_set('stuck', function() collectgarbage() end, 10, true)")
    with fifo(env) as (path, _):
        result = run(env, script % (path, WRITE), LIMIT, "--lua-gc=0")
        check_equal("exit code (%s)" % result.stderr, result.returncode, EXIT_CODE)
        check("LUA WATCHDOG: timer 'stuck' waits although it was interrupted. The process ends with code 101."
              in result.stderr, "it said: %s", result.stderr)


@without_root
def test_without_a_limit_it_waits(env):
    with fifo(env) as (path, descriptor):
        process = subprocess.Popen([env.program, "--sandbox=off", "--intercept=0", "--lua-wait-limit=0",
                                    "--lua-init=" + STUCK % path + WRITE + "print('done') os.exit(0)"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        time.sleep(2)
        check(process.poll() is None, "it does not wait")
        os.set_blocking(descriptor, True)
        while os.read(descriptor, 65536):
            pass
        check(b"done" in process.communicate(timeout=PATIENCE)[0], "the script did not go on")


@without_root
def test_computing_is_not_waiting(env):
    script = "local c=os.clock local till=c()+1 while c()<till do end print('done') os.exit(0)"
    result = run(env, script, LIMIT)
    check("done" in result.stdout, "it said: %s", result.stderr)


@without_root
def test_sleep_without_signals_may_be_longer(env):
    """A stopped process takes no signals, as one that waits for a disk."""
    script = ("local c=clock_getfloattime local till=c()+2.5 print('begun') io.stdout:flush() "
              "while c()<till do end print('done') os.exit(0)")
    process = subprocess.Popen([env.program, "--sandbox=off", "--intercept=0", "--lua-wait-limit=700",
                                "--lua-init=" + script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while b"begun" not in process.stdout.readline():
        check(process.poll() is None, "ended: %s", process.poll())
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.2)
    process.send_signal(signal.SIGCONT)
    out, errors = process.communicate(timeout=PATIENCE)
    check(b"done" in out, "it said: %s", errors)
