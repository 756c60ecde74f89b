"""Scripts that do not come back and scripts that take all memory: what can be ended is an error of one
packet, what cannot ends the process with a message, and in both cases the network goes on."""
import os
import signal
import socket
import subprocess
import time

from harness import (HTTP_REQUEST, QUEUE, Failure, cases, check, check_equal, laboratory,
                     without_root)
from processes import peak, resident
from test_flood import sanitized
from wire import StreamServer, exchange

PORT = 8080
GOOD = HTTP_REQUEST
BAD = HTTP_REQUEST.replace(b"/index.html", b"/runaway")
EXIT_CODE = 101
PATIENCE = 60  # seconds until something that must happen counts as missing
MEGABYTE = 1 << 20

# No hook comes into this: LuaJIT compiles the loop, and PUC Lua's hooks stay outside of coroutines.
ENDLESS = "coroutine.wrap(function() local n=0 while true do n=n+1 end end)()"
# LuaJIT asks hooks in code that is not compiled, PUC Lua in all code.
INTERPRETED = "if jit then jit.off() end "
ENDLESS_WITH_HOOKS = "while true do end"
PROTECTED = "while true do pcall(function() %s end) end" % ENDLESS_WITH_HOOKS
GREEDY = "local t={} while true do t[#t+1]=('x'):rep(1000)..#t end"


def script(body, before=""):
    """--lua-init of a function `runaway` that tells of a packet of BAD, then runs `body`; packets of
    GOOD are told and pass."""
    return "--lua-init=%sfunction runaway(ctx, desync) local p=desync.dis.payload " \
           "if p:find('/runaway',1,true) then io.stderr:write('entered\\n') %s " \
           "elseif #p>0 then io.stderr:write('good\\n') end end" % (before, body)


def instances(*options):
    return [*options, "--filter-tcp=%d" % PORT, "--name=wild", "--payload=http_req",
            "--lua-desync=runaway"]


def ask(lab, request, version=4):
    answer = exchange(lab, laboratory.SERVER[version], PORT, request, timeout=PATIENCE)
    check_equal("answer", answer, StreamServer.REPLY)


def ended(process):
    """The exit code of a process that ends by itself."""
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        raise Failure("the program does not end:\n" + said(process)) from None


def said(process):
    with open(process.log, errors="replace") as f:
        return f.read()


def check_told(text, good, bad):
    """At least so many packets: TCP repeats what waits behind a script."""
    check(text.count("good\n") >= good and text.count("entered\n") >= bad, "packets told of:\n%s",
          text[-3000:])


def serve(lab):
    lab.queue_client(QUEUE, ports=str(PORT), spread=False)  # the limits hold for each worker
    return StreamServer(lab, "server", PORT, expected=min(len(GOOD), len(BAD)))


def test_endless_code_ends_the_process(env):
    """The packet that was being looked at is lost with the process; TCP sends it again, and without a
    program the queue lets it pass."""
    with env.lab() as lab, serve(lab):
        daemon = env.daemon(lab, script(ENDLESS), *instances("--lua-call-limit=200"))
        ask(lab, GOOD)
        ask(lab, BAD)
        check_equal("exit code", ended(daemon.process), EXIT_CODE)
        text = daemon.output()
        check("LUA WATCHDOG: profile 1 (wild), instance runaway_1_1 does not end although its budget "
              "is spent. The process ends with code 101.\n" in text, "no message:\n%s", text[-2000:])
        check_told(text, 1, 1)
        for version in (4, 6):
            ask(lab, GOOD, version)


def test_endless_code_with_hooks_is_an_error(env):
    with env.lab() as lab, serve(lab):
        with env.daemon(lab, script(PROTECTED, INTERPRETED),
                        *instances("--lua-call-limit=200"), troubled=True) as daemon:
            for version in (4, 6):
                ask(lab, BAD, version)
                ask(lab, GOOD, version)
            text = daemon.output()
            check("the call takes longer than 200 ms (--lua-call-limit)" in text and
                  "profile 1 (wild), instance runaway_1_1" in text, "no message:\n%s", text[-2000:])
            check_told(text, 2, 2)


def test_endless_allocation_is_an_error(env):
    """The calls end at the ceiling long before their time is spent, and memory comes back each time."""
    ceiling = 24
    with env.lab() as lab, serve(lab):
        with env.daemon(lab, script(GREEDY), *instances("--lua-mem-limit=%d" % ceiling,
                                                        "--lua-call-limit=60000"),
                        troubled=True) as daemon:
            before = resident(daemon.pid)
            for n in range(8):
                ask(lab, BAD, (4, 6)[n % 2])
                ask(lab, GOOD, (4, 6)[n % 2])
            text = daemon.output()
            check(text.count("the limit of %d MB is reached" % ceiling) >= 8, "errors:\n%s", text)
            check_told(text, 8, 8)
            most = peak(daemon.pid)
            print("resident: %d kB at first, %d kB at most" % (before >> 10, most >> 10))
            check(sanitized(env.program) or most < before + (ceiling + 16) * MEGABYTE,
                  "%d MB at most", most // MEGABYTE)


# How the loop is written, the exit code, what is said.
QUIT = {
    "with_hooks": (ENDLESS_WITH_HOOKS, INTERPRETED, 0, "INTERRUPT"),
    "without_hooks": (ENDLESS, "", EXIT_CODE,
                      "profile 1 (wild), instance runaway_1_1 cannot be interrupted"),
}


@cases(QUIT)
def test_quit_in_endless_code(env, body, before, code, message):
    """One TERM is enough, without any limit."""
    with env.lab() as lab, serve(lab):
        daemon = env.daemon(lab, script(body, before), *instances("--lua-call-limit=0"),
                            troubled=True)
        with lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
            s.connect((laboratory.SERVER4, PORT))
            s.sendall(BAD)
            daemon.wait_output("entered", PATIENCE)
            begin = time.monotonic()
            daemon.process.send_signal(signal.SIGTERM)
            check_equal("exit code", ended(daemon.process), code)
            print("ended after %.2f s" % (time.monotonic() - begin))
        check(message in daemon.output(), "no message:\n%s", daemon.output()[-2000:])
        ask(lab, GOOD)


@without_root
@cases({"with_hooks": (INTERPRETED, ENDLESS_WITH_HOOKS, 0), "without_hooks": ("", ENDLESS, EXIT_CODE)})
def test_quit_in_endless_init(env, before, body, code):
    """Init code may take its time, but it must not keep the process from ending."""
    with env.folder() as folder:
        path = os.path.join(folder, "log")
        with open(path, "w") as log:
            process = subprocess.Popen(
                [env.program, "--intercept=0", "--lua-call-limit=100",
                 "--lua-init=%sio.stderr:write('entered\\n') %s" % (before, body)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        process.log = path
        laboratory.Lab.wait_for(lambda: "entered" in said(process), "the script does not run",
                                process, PATIENCE)
        time.sleep(0.5)  # beyond the limit of calls, which init code does not have
        check(process.poll() is None, "ended by itself: %s", process.poll())
        process.send_signal(signal.SIGTERM)
        check_equal("exit code", ended(process), code)
        word = "INTERRUPT" if code == 0 else "cannot be interrupted"
        check(word in said(process), "no message:\n%s", said(process))


def test_supervised(env):
    """The service's supervisor starts the program again, and packets are handled again."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    with env.lab() as lab, serve(lab):
        pidfile = os.path.join(lab.folder, "nfqws2_1.pid")
        supervisor = lab.start("client", "env", "SUPERVISE_PAUSE=1", "sh",
                               os.path.join(root, "common", "supervise.sh"), pidfile,
                               env.program, *laboratory.program_options(QUEUE), script(ENDLESS),
                               *instances("--lua-call-limit=200"))

        def count(word):
            return said(supervisor).count(word)

        for n in (1, 2):
            lab.wait_for(lambda: lab.queue_bound("client", QUEUE), "nfqws2 did not bind its queue",
                         supervisor, PATIENCE)
            ask(lab, GOOD)
            check(count("good\n") >= n, "packets are not handled:\n%s", said(supervisor))
            with open(pidfile) as f:
                pid = int(f.read())
            ask(lab, BAD)
            lab.wait_for(lambda: count("process ends with code 101") == n, "the watchdog did not bite",
                         supervisor, PATIENCE)
            lab.wait_for(lambda: not os.path.isdir("/proc/%d" % pid), "the process is still there",
                         supervisor, PATIENCE)
        check(supervisor.poll() is None, "the supervisor ended")
