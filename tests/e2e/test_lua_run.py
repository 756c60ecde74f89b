"""Programs of their own (--lua-run), and what they reach of the kernel: nfct, nfq, --lua-allow."""
import os
import re
import signal
import socket
import subprocess

import packets
from cases import Skipped
from expect import wait_for_text
from harness import CRASH, DATA, QUEUE, cases, check, check_equal, laboratory, without_root

CLIENT, SERVER = laboratory.CLIENT4, laboratory.SERVER4
WORKERS = laboratory.WORKERS
SO_NO_CHECK = 11


def script(name):
    return "--lua-run=@" + os.path.join(DATA, name)


def said(result):
    return result.stdout + result.stderr


def has_nfct(env):
    return "nfct" in re.search(r"features: .*", env.run("--version").stdout + "features: ")[0]


def needs_nfct(env):
    if not has_nfct(env):
        raise Skipped("the module nfct is not part of this build")


# --- life


@without_root
def test_arguments(env):
    with env.folder() as folder:
        path = os.path.join(folder, "s.lua")
        with open(os.path.join(folder, "beside.lua"), "w") as f:
            f.write("return 'from beside'")
        with open(path, "w") as f:
            f.write("print('run', first, arg[0]:match('[^/]*$'), #arg, arg[1], arg[2], ...)\n"
                    "print(require 'beside')\n"
                    "timer_set('t', function() print('timer') end, 10, true)\n")
        result = env.run("--lua-run=@" + path, "--lua-init=first='init'", "--qnum=1", "--", "a=1", "b")
        check_equal("exit code (%s)" % said(result), result.returncode, 0)
        for text in "run\tinit\ts.lua\t2\ta=1\tb\ta=1\tb\n", "from beside\n", "timer\n", \
                "--qnum is ignored with --lua-run":
            check(text in result.stdout, "no %r: %s", text, said(result))
        check("has no effect" not in said(result), "complains of words: %s", said(result))


@without_root
@cases({"return": ("return 5", 0, ""), "error": ("error('broken')", 1, "stack traceback"),
        "syntax": ("x x", 1, "LUA ERROR"), "exit": ("os.exit(7)", 7, ""),
        "no module": ("require 'nothing'", 1, "module 'nothing' not found"),
        "not finished": ("coroutine.wrap(function() error('within') end)()", 1, "within")})
def test_ends(env, text, code, words):
    result = env.run("--lua-run=" + text)
    check_equal("exit code (%s)" % said(result), result.returncode, code)
    check(words in result.stderr, "it said: %s", said(result))


@cases({"the program": ("--lua-run=%s",), "caught": ("--lua-run=while true do pcall(function() %s end) end",),
        "a timer": ("--lua-run=timer_set('t', function() %s end, 10, true)",),
        "a coroutine": ("--lua-run=coroutine.wrap(function() %s end)()",),
        "without a program": ("--lua-init=timer_set('t', function() %s end, 10)",)})
def test_exit_is_an_end_in_order(env, run):
    """What was remembered is kept, and it is no error."""
    with env.folder() as folder:
        os.chmod(folder, 0o755)
        result = env.run("--intercept=0", "--state-dir=" + folder + "/state",
                         run % "store('mine'):set('key', {n = 5}) os.exit(7)")
        check_equal("exit code (%s)" % said(result), result.returncode, 7)
        check("INTERRUPT" not in said(result), "it said: %s", said(result))
        with open(folder + "/state/0/mine.tsv") as f:
            check("\tn=5\n" in f.read(), "what was remembered is lost")


@without_root
@cases({"twice": (["--lua-run=x=1", "--lua-run=x=2"], "may be given once"),
        "fuzz": (["--lua-run=x=1", "--fuzz=1"], "--lua-run and --fuzz cannot be used together"),
        "no file": (["--lua-run=@/no/dir/s.lua"], "No such file"),
        "no text": (["--lua-run=s.lua"], "--lua-run=@s.lua")})
def test_refused(env, words, text):
    result = env.run(*words)
    check_equal("exit code", result.returncode, 1)
    check(text in said(result), "it said: %s", said(result))


@without_root
def test_check_looks_at_the_program(env):
    result = env.run("--check", "--lua-run=x x")
    check(result.returncode == 1 and "syntax" in said(result) or "near" in said(result),
          "code %d: %s", result.returncode, said(result))
    result = env.run("--check", "--lua-run=error('it ran')")
    check_equal("exit code (%s)" % said(result), result.returncode, 0)


@without_root
@cases({"computes": ("print('ready') while true do end",),
        "a limit": ("print('ready') local t = os.clock() while os.clock() - t < 100 do end",)})
def test_a_signal_ends_it(env, text):
    """With 0 and without a traceback; the chunk itself has no limit of time."""
    with env.folder() as folder:
        log = os.path.join(folder, "log")
        with open(log, "wb") as out:
            process = subprocess.Popen([env.program, "--lua-call-limit=50", "--lua-run=" + text],
                                       stdout=out, stderr=out, stdin=subprocess.DEVNULL)

        def read():
            with open(log, errors="replace") as f:
                return f.read()
        try:
            wait_for_text(read, "ready", "the script", lambda: process.poll() is None)
            check(process.poll() is None, "it ended: %s", read())
            process.send_signal(signal.SIGTERM)
            code = process.wait(laboratory.PATIENCE)
        finally:
            process.kill()
        # Compiled code cannot be interrupted: then the process ends with the code of the watchdog.
        check(code == 0 or "LUA WATCHDOG" in read(), "code %d: %s", code, read())
        check("traceback" not in read(), "it said: %s", read())


# --- permission


@without_root
@cases({"nfct": ("conntrack", "nfct.open('conntrack')"), "nfq": ("queue", "nfq.open()")})
def test_not_allowed(env, word, call):
    module = call[:call.index(".")]
    if module == "nfct" and not has_nfct(env):
        result = env.run("--intercept=0", "--lua-init=require 'nfct'")
        check("module 'nfct' is not part of this build" in said(result), "it said: %s", said(result))
        return
    text = "--lua-init=require '%s' print('got', %s)" % (module, call)
    result = env.run("--intercept=0", text)
    check("got\tnil\tnot allowed: --lua-allow=%s\t1\n" % word in result.stdout, "it said: %s", said(result))
    for allowed in "--lua-allow=" + word, "--lua-allow=netlink,conntrack,queue":
        result = env.run("--intercept=0", allowed, text)
        check("not allowed" not in said(result) and "got\t" in result.stdout, "%s: %s", allowed, said(result))


@without_root
def test_globals_only_after_require(env):
    result = env.run("--intercept=0", "--lua-init=print('before', nfq, nfct, package.loaded.nfq) "
                                      "local m = require 'nfq' print('after', m == nfq)")
    check("before\tnil\tnil\tnil\n" in result.stdout and "after\ttrue\n" in result.stdout,
          "it said: %s", said(result))


# --- nfq offline


def run_capture(env, folder, *words, count=3):
    """Packets, a millisecond apart, through a script: (result, what was sent, what left)."""
    source, out = os.path.join(folder, "in.pcap"), os.path.join(folder, "out.pcap")
    sent = [packets.ip(CLIENT, SERVER, packets.UDP, packets.udp(CLIENT, SERVER, 1000 + i, 53, b"abc"))
            for i in range(count)]
    packets.write_pcap(source, sent)
    os.chmod(folder, 0o777)
    result = env.run("--pcap-in=" + source, "--pcap-out=" + out, *words)
    return result, sent, [raw for _, raw in packets.read_pcap(out)]


@without_root
def test_capture(env):
    with env.folder() as folder:
        result, sent, left = run_capture(env, folder, script("nfq-last-byte.lua"), "--", "0", "2")
        check_equal("exit code (%s)" % said(result), result.returncode, 0)
        check_equal("packets", left, [sent[0][:-1] + b"d", sent[2][:-1] + b"d"])
        for text in "ready\t-1\n", "end\tnil\tclosed\n", "packets\t3\n":
            check(text in result.stdout, "no %r: %s", text, said(result))
        check("packets read 3, skipped 0, accepted 0, modified 2, dropped 1" in said(result),
              "it said: %s", said(result))


@without_root
@cases({"error": ("error('broken')", 1, [True, False, False], "broken"),
        "verdict": ("return 'keep'", 1, [True, False, False], "invalid option 'keep'"),
        "caught": ("if n == 2 then error('broken') end", 0, [True, True, True], "again"),
        "replacement": ("return 'accept', 5", 0, [True, True, True], "")})
def test_callback_fails(env, body, code, passes, text):
    """The packet passes, the error goes on to the caller of catch()."""
    again = "" if code else "if not pcall(nfq.catch, h, f) then print('again') nfq.catch(h, f) end "
    run = ("require 'nfq' h = nfq.open() q = nfq.create_queue(h, 3) nfq.set_mode(q) n = 0 "
           "function f(d) n = n + 1 kept = d %s end %s nfq.catch(h, f)" % (body, again))
    with env.folder() as folder:
        result, sent, left = run_capture(env, folder, "--lua-run=" + run)
        check_equal("exit code (%s)" % said(result), result.returncode, code)
        check_equal("packets", left, [raw for raw, good in zip(sent, passes) if good])
        check(text in said(result), "it said: %s", said(result))


@without_root
def test_one_packet_in_hand(env):
    """A catch of another handle within a callback finds none, and takes none away."""
    run = ("require 'nfq' h = nfq.open() q = nfq.create_queue(h, 3) nfq.set_mode(q) n = 0 "
           "nfq.catch(h, function(d) n = n + 1 if n > 1 then return end "
           "o = nfq.open() p = nfq.create_queue(o, 1) nfq.set_mode(p) "
           "print('nested', nfq.catch(o, print)) nfq.close(o) end)")
    with env.folder() as folder:
        result, sent, left = run_capture(env, folder, "--lua-run=" + run)
        check_equal("exit code (%s)" % said(result), result.returncode, 0)
        check_equal("packets", left, sent)
        check("nested\tnil\tclosed\n" in result.stdout, "it said: %s", said(result))


@without_root
def test_attached_to_a_capture(env):
    """Timers fire between packets, in the order of their times; objects end with their call."""
    run = ("require 'nfq' h = nfq.open() q = nfq.create_queue(h, 3) nfq.set_mode(q) "
           "n = 0 timer_set('t', function() print('timer', n) end, 15, true) "
           "nfq.attach(h, function(d) if n == 1 then print(pcall(nfq.get_payload, kept)) end "
           "kept = d n = n + 1 if n == 20 then print('packet', nfq.get_meta(d).len) end end)")
    with env.folder() as folder:
        result, sent, left = run_capture(env, folder, "--lua-run=" + run, count=20)
        check_equal("exit code (%s)" % said(result), result.returncode, 0)
        check_equal("packets", left, sent)
        lines = [line for line in result.stdout.splitlines() if line.startswith(("packet\t", "timer", "false"))]
        check_equal("what it said", lines, ["false\tqdata is not valid any more", "timer\t15", "packet\t31"])


@without_root
def test_strategies_cannot_block(env):
    with env.folder() as folder:
        result, sent, left = run_capture(
            env, folder, "--lua-init=require 'nfq' function f() nfq.loop(print) end",
            "--in-range=a", "--lua-desync=f")
        check_equal("packets", left, sent)
        check("nfq.catch would block packets: use nfq.attach" in said(result), "it said: %s", said(result))


@without_root
@cases({"in a callback": ("if n == 2 then os.exit(7) end", 7, 2), "closing": ("os.exit(true, true)", 0, 1),
        "a number as text": ("if n == 2 then os.exit('7') end", 7, 2)})
def test_exit_loses_nothing(env, body, code, count):
    """The packet in hand passes, and what has passed is in the file."""
    run = ("require 'nfq' h = nfq.open() q = nfq.create_queue(h, 3) nfq.set_mode(q) n = 0 "
           "nfq.catch(h, function() n = n + 1 %s end)" % body)
    with env.folder() as folder:
        result, sent, left = run_capture(env, folder, "--lua-run=" + run)
        check_equal("exit code (%s)" % said(result), result.returncode, code)
        check_equal("packets", left, sent[:count])


@without_root
def test_facts_of_packets(env):
    """With --ct only; whatever the script wants to see of the packet."""
    run = ("require 'nfq' h = nfq.open() q = nfq.create_queue(h, 3) nfq.set_mode(q, '%s') "
           "nfq.catch(h, function(d) local ct = nfq.get_meta(d).ct "
           "print('ct', ct and ct.source, ct and ct.state, ct and ct.orig.dport) return 'drop' end)")
    for words, mode, line in (([], "packet", "ct\tnil\tnil\tnil"),
                              (["--ct=sim"], "packet", "ct\tsim\tnew\t53"),
                              (["--ct=sim"], "meta", "ct\tsim\tnew\t53")):
        with env.folder() as folder:
            result, _, _ = run_capture(env, folder, "--lua-run=" + run % mode, *words)
            check_equal("lines (%s)" % said(result), result.stdout.splitlines().count(line), 3)


# --- limits


@without_root
def test_memory_of_modules(env):
    """What objects have outside of Lua counts against --lua-mem-limit, and comes back with them."""
    run = ("require 'nfq' local open, failure = {}, nil "
           "for i = 1, 64 do local h, _, e = nfq.open() if h then open[#open + 1] = h else failure = e end end "
           "print('handles', #open > 0 and #open < 8, failure) for _, h in ipairs(open) do nfq.close(h) end "
           "assert(nfq.open()) local good, nfct = pcall(require, 'nfct') if not good then return end "
           "local kept = {} local made, why = pcall(function() while true do kept[#kept + 1] = nfct.new() end end) "
           "print('objects', #kept > 100 and #kept < 16384, (tostring(why):gsub('.*: ', ''))) "
           "kept = nil collectgarbage() collectgarbage() assert(nfct.new())")
    with env.folder() as folder:
        result, _, _ = run_capture(env, folder, "--lua-mem-limit=16", "--lua-run=" + run)
    check_equal("exit code (%s)" % said(result), result.returncode, 0)
    check("handles\ttrue\t12\n" in result.stdout, "it said: %s", said(result))
    check(not has_nfct(env) or "objects\ttrue\tnot enough memory\n" in result.stdout, "it said: %s", said(result))


# --- nfct without a kernel


@without_root
def test_table_without_a_kernel(env):
    """The same as of the kernel, see test_connection_table."""
    needs_nfct(env)
    with env.folder() as folder:
        result, _, _ = run_capture(env, folder, script("nfct-table.lua"))
    check_equal("exit code (%s)" % said(result), result.returncode, 0)
    check_table(result.stdout)


@without_root
@cases({"attached": (False,), "in a loop": (True,)})
def test_events_without_a_kernel(env, loop):
    """Of the packets of a capture, as a strategy hears of them and as a program does."""
    needs_nfct(env)
    hear = ("require 'nfct' h = nfct.open('conntrack', 'all') nfct.ct_callback_register(h, function(kind, ct) "
            "print(kind, nfct.get_attr_port(ct, 'port-src')) end) ")
    own = hear + ("require 'nfq' p = nfq.open() q = nfq.create_queue(p, 0) nfq.set_mode(q) "
                  "nfq.catch(p, function(d) end) print('end', nfct.catch(h))")
    with env.folder() as folder:
        if loop:
            result, _, _ = run_capture(env, folder, "--lua-run=" + own)
        else:
            result, _, _ = run_capture(env, folder, "--lua-init=" + hear + "nfct.attach(h)")
    check_equal("exit code (%s)" % said(result), result.returncode, 0)
    lines = [line for line in result.stdout.splitlines() if line.startswith(("new", "update", "destroy", "end"))]
    check_equal("events", lines, ["new\t%d" % port for port in (1000, 1001, 1002)] +
                ["end\tnil\ttimeout\t11"] * loop)


@without_root
def test_events_let_the_collector_work(env):
    """Each leaves some kB behind, and nothing but Lua's own collector takes it away."""
    script = ("--lua-init=require 'nfct' most, events = 0, 0 h = nfct.open('conntrack', 'new') "
              "nfct.ct_callback_register(h, function() events = events + 1 local t = {} "
              "for i = 1, 100 do t[i] = {i, i, i} end most = math.max(most, collectgarbage('count')) "
              "if events == 3000 then print('kB', most) end end) nfct.attach(h)")
    needs_nfct(env)
    with env.folder() as folder:
        result, _, _ = run_capture(env, folder, "--lua-gc=0", "--lua-mem-limit=512", script, count=3000)
    most = re.search(r"^kB\t(\d+)", result.stdout, re.M)
    check(most, "no events: %s", said(result))
    check(int(most[1]) < 16000, "at most %s kB", most[1])


@without_root
@cases({"live": ([],), "no kernel": (["capture"],)})
def test_objects(env, words):
    needs_nfct(env)
    with env.folder() as folder:
        if words:
            result, _, _ = run_capture(env, folder, script("nfct-objects.lua"))
        else:
            result = env.run(script("nfct-objects.lua"))
    check(result.returncode == 0 and ", 0 failed\n" in result.stdout, "it said: %s", said(result))


@without_root
def test_words(env):
    """All of them, with what they stand for."""
    needs_nfct(env)
    with env.folder() as folder:
        result, _, _ = run_capture(env, folder, script("nfct-words.lua"))
    check(result.returncode == 0 and ", 0 failed\n" in result.stdout, "it said: %s", said(result))


# --- live


class Script:
    """A program of its own in a namespace."""

    def __init__(self, env, lab, *words, who="client"):
        self.lab, self.process = lab, lab.start(who, env.program, *words)

    def output(self):
        with open(self.process.log, errors="replace") as f:
            return f.read()

    def wait(self, text):
        wait_for_text(self.output, text, "the script", lambda: self.process.poll() is None)

    def end(self, code=0, sig=None):
        if sig is not None:
            self.process.send_signal(sig)
        check_equal("exit code (%s)" % self.output(), self.process.wait(laboratory.PATIENCE), code)
        check(not CRASH.search(self.output()), "it said: %s", self.output())
        return self.output()


def track(lab, who="client"):
    """Lets the kernel of a namespace track connections; an old user is put off."""
    lab.run(who, "iptables", "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "ACCEPT")


def exchange_datagram(lab, payload, wanted):
    """Sends a datagram from client to server, which gets `wanted`."""
    with lab.socket("server", socket.AF_INET, socket.SOCK_DGRAM) as server, \
            lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as client:
        # The script owns its checksums: none of UDP is there to be right.
        client.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        server.bind((SERVER, 5000))
        server.settimeout(laboratory.PATIENCE)
        client.sendto(payload, (SERVER, 5000))
        check_equal("datagram", server.recv(100), wanted)


def queue_datagrams(lab, number=0):
    lab.run("client", "iptables", "-t", "mangle", "-A", "OUTPUT", "-p", "udp", "--dport", "5000",
            "-j", "NFQUEUE", "--queue-num", str(number))


def test_last_byte(env):
    """The example of netfilter-lua; a signal ends what waits in catch(), with 0."""
    with env.lab() as lab:
        queue_datagrams(lab)
        running = Script(env, lab, script("nfq-last-byte.lua"))
        running.wait("ready\t")
        exchange_datagram(lab, b"hello", b"hellp")
        text = running.end(0, signal.SIGTERM)
        check("traceback" not in text and "LUA ERROR" not in text, "it said: %s", text)


def test_ping_with_another_last_byte(env):
    """Who sent it gets another byte back, with a checksum that is wrong, so nobody answers."""
    with env.lab() as lab, \
            lab.socket("server", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as server, \
            lab.socket("client", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as client:
        lab.run("client", "iptables", "-t", "mangle", "-A", "OUTPUT", "-p", "icmp", "-j", "NFQUEUE",
                "--queue-num", "0")
        running = Script(env, lab, script("nfq-last-byte.lua"))
        running.wait("ready\t")
        server.settimeout(laboratory.PATIENCE)
        echo = packets.icmp(CLIENT, SERVER, 8, 0, b"\0\1\0\1data")
        client.sendto(echo, (SERVER, 0))
        check_equal("echo request", server.recv(1000)[20:], echo[:-1] + b"b")
        running.end(0, signal.SIGINT)


@cases({"loop": ("loop", 0), "attach": ("attach", 7)})
def test_meta(env, mode, code):
    with env.lab() as lab:
        queue_datagrams(lab)
        running = Script(env, lab, script("nfq-meta.lua"), "--", mode, "2")
        running.wait("ready")
        lab.wait_for(lambda: (lab.queue_state("client", 0) or [0] * 4)[3] != 0, "no queue", running.process)
        for _ in range(2):
            exchange_datagram(lab, b"hello", b"hello")
        text = running.end(code)
        size = "0\tnil" if mode == "loop" else "33\t33"
        check_equal("packets (%s)" % text, text.count("packet\t%s\t3\teth0\n" % size), 2)
        check(mode == "attach" or "false\t" in text and "enough" in text, "it said: %s", text)


def test_a_queue_that_does_not_wait(env):
    """Modes of a queue, and the end of catch when nothing is there."""
    run = ("--lua-run=require 'nfq' h = nfq.open() print('fd', nfq.fd(h) > 2) q = nfq.create_queue(h, 0) "
           "print('modes', nfq.set_mode(q, 'none') == q, nfq.set_mode(q, 'meta', 100) == q, nfq.set_mode(q) == q) "
           "print('mode', pcall(nfq.set_mode, q, 'all')) print('range', pcall(nfq.set_mode, q, 'packet', 65536)) "
           "print('free', nfq.setblocking(h) == h) print('end', nfq.catch(h, print)) "
           "nfq.destroy_queue(q) print('closed', nfq.close(h))")
    with env.lab() as lab:
        text = Script(env, lab, run).end(0)
    for line in ("fd\ttrue", "modes\ttrue\ttrue\ttrue",
                 "mode\tfalse\tbad argument #2 to 'set_mode' (invalid option 'all')",
                 "free\ttrue", "end\tnil\ttimeout\t11", "closed"):
        check(re.search("^" + re.escape(line) + "$", text, re.M), "no %r: %s", line, text)
    check(re.search("^range\tfalse\t.*out of range", text, re.M), "it said: %s", text)


def test_queue_of_somebody_else(env):
    with env.lab() as lab:
        first = Script(env, lab, script("nfq-last-byte.lua"))
        first.wait("ready\t")
        second = Script(env, lab, script("nfq-last-byte.lua"))
        check("Operation not permitted" in second.end(1), "it said: %s", second.output())
        first.end(0, signal.SIGTERM)


def test_number_of_a_queue_again(env):
    """At once if nothing was left to be read."""
    run = ("--lua-run=require 'nfq' h = assert(nfq.open()) for i = 1, 3 do "
           "q = assert(nfq.create_queue(h, 0)) assert(nfq.set_mode(q)) "
           "local a, b, c = nfq.create_queue(h, 0) assert(not a and c == 16, b) nfq.destroy_queue(q) end "
           "nfq.close(h) print('done')")
    with env.lab() as lab:
        check("done" in Script(env, lab, run).end(), "it did not end")


def test_the_queues_of_the_daemon_are_taken(env):
    """Also while Lua is initialised, before the daemon has opened them."""
    run = ("--lua-init=require 'nfq' h = nfq.open() for n = %d, %d do local q, why, code = nfq.create_queue(h, n) "
           "print('got', n, type(q), why, code) end" % (QUEUE, QUEUE + WORKERS))
    with env.lab() as lab, env.daemon(lab, "--lua-allow=queue", run) as daemon:
        for number in range(QUEUE, QUEUE + WORKERS):
            daemon.wait_output("got\t%d\tnil\tOperation not permitted\t1\n" % number)
        daemon.wait_output("got\t%d\tuserdata\t" % (QUEUE + WORKERS))


def test_beside_the_queue_of_the_daemon(env):
    """A strategy's own queue (nfq.attach) beside the one of the program. Of several workers one gets it."""
    run = ("--lua-init=require 'nfq' h = nfq.open() q = nfq.create_queue(h, 0) if q then nfq.set_mode(q) "
           "nfq.attach(h, function(d) return 'accept', nfq.get_payload(d):sub(1, -2) .. '!' end) end")
    with env.lab() as lab:
        queue_datagrams(lab)
        with env.daemon(lab, "--lua-allow=queue", run):
            exchange_datagram(lab, b"hello", b"hell!")


# --- connections


def test_connection_events(env):
    needs_nfct(env)
    with env.lab() as lab:
        track(lab)
        running = Script(env, lab, script("nfct-events.lua"), "--", "3", "5000")
        running.wait("fd\ttrue")
        with lab.socket("server", socket.AF_INET, socket.SOCK_DGRAM) as server, \
                lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as client:
            server.bind((SERVER, 5000))
            server.settimeout(laboratory.PATIENCE)
            client.sendto(b"hello", (SERVER, 5000))
            _, address = server.recvfrom(100)
            server.sendto(b"answer", address)
            client.settimeout(laboratory.PATIENCE)
            client.recv(100)
        remove = ("--lua-run=require 'nfct' h = nfct.open('conntrack') "
                  "for _, c in ipairs(nfct.query(h, 'dump', 'inet')) do nfct.query(h, 'destroy', c) end")
        check_equal("code of the other script", lab.run("client", env.program, remove).returncode, 0)
        text = running.end(0)
        for kind, mark in ("new", "[NEW]"), ("update", "[UPDATE]"), ("destroy", "[DESTROY]"):
            check(re.search(r"^%s\t *%s udp +17 .*dport=5000" % (kind, re.escape(mark)), text, re.M),
                  "no %s: %s", kind, text)


def test_connection_table(env):
    needs_nfct(env)
    with env.lab() as lab:
        track(lab)
        check_table(Script(env, lab, script("nfct-table.lua")).end(0))


def test_expectations(env):
    """Of a connection that a helper looks after."""
    needs_nfct(env)
    with env.lab() as lab, lab.socket("server", socket.AF_INET, socket.SOCK_STREAM) as server, \
            lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as client:
        lab.run("client", "iptables", "-t", "raw", "-A", "OUTPUT", "-p", "tcp", "--dport", "21", "-j", "CT",
                "--helper", "ftp")
        track(lab)
        server.bind((SERVER, 21))
        server.listen()
        client.settimeout(laboratory.PATIENCE)
        client.connect((SERVER, 21))
        text = Script(env, lab, script("nfct-expect.lua"), "--", "50100").end(0)
    kinds = ("helper", "create", "destroy")
    check_equal("what it said", [line for line in text.splitlines() if line.startswith(kinds)],
                ["helper\tftp", "create\ttrue\tnil", "create\tfalse\t17", "destroy\ttrue\tnil",
                 "destroy\tfalse\t2"])


def test_exit_lets_pass_what_waits(env):
    """Packets that nobody has read, and the one in hand."""
    run = ("--lua-run=require 'nfq' h = nfq.open() q = nfq.create_queue(h, 0) nfq.set_mode(q) print('ready') "
           "nfq.catch(h, function() while not io.open(arg[1]) do end os.exit(7) end)")
    with env.lab() as lab, env.folder() as folder:
        queue_datagrams(lab)
        go = os.path.join(folder, "go")
        os.chmod(folder, 0o777)
        running = Script(env, lab, run, "--lua-call-limit=0", "--lua-wait-limit=0", "--lua-allow=" + folder, "--", go)
        running.wait("ready")
        with lab.socket("server", socket.AF_INET, socket.SOCK_DGRAM) as server, \
                lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as client:
            server.bind((SERVER, 5000))
            server.settimeout(laboratory.PATIENCE)
            for n in range(5):
                client.sendto(b"%d" % n, (SERVER, 5000))
            lab.wait_for(lambda: (lab.queue_state("client", 0) or [0] * 8)[2] == 5, "they do not wait", running.process)
            with open(go, "w"):
                pass
            running.end(7)
            check_equal("datagrams", sorted(server.recv(10) for _ in range(5)), [b"%d" % n for n in range(5)])


def test_facts_of_packets_from_a_queue(env):
    """By netlink on a kernel that does not add them; the first packet is not in the table yet."""
    run = ("--lua-run=require 'nfq' h = nfq.open() q = nfq.create_queue(h, 0) nfq.set_mode(q) print('ready') "
           "nfq.catch(h, function(d) local ct = nfq.get_meta(d).ct print('ct', ct.source, ct.state, ct.id ~= nil) end)")
    with env.lab() as lab:
        track(lab)
        queue_datagrams(lab)
        running = Script(env, lab, "--ct=netlink", run)
        running.wait("ready")
        with lab.socket("server", socket.AF_INET, socket.SOCK_DGRAM) as server, \
                lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as client:
            server.bind((SERVER, 5000))
            for s in (server, client):
                s.settimeout(laboratory.PATIENCE)
            client.sendto(b"q", (SERVER, 5000))
            _, peer = server.recvfrom(10)
            server.sendto(b"a", peer)
            client.recv(10)
            client.sendto(b"q", (SERVER, 5000))
            server.recv(10)
        running.wait("ct\tnetlink\testablished\ttrue")
        check("ct\tnetlink\tnew\tfalse" in running.end(0, signal.SIGTERM), "it said: %s", running.output())


def check_table(text):
    """What nfct-table.lua says."""
    for line in ("get\tNo such file or directory\t2", "create\tdone", "create again\tFile exists\t17",
                 "update\tdone", "mark\t5", "dump\tdone", "entries\t1\ttrue",
                 "expectation without a helper\t95",
                 "query\tfalse\tbad argument #2 to 'exp_query' (unsupported query type)",
                 "destroy\tdone", "destroy again\tNo such file or directory\t2"):
        check(re.search("^" + re.escape(line), text, re.M), "no %r: %s", line, text)
    check(re.search("^closed\tfalse\t.*conntrack handle is closed", text, re.M), "it said: %s", text)


def test_events_beside_timers(env):
    """nfct.attach: the loop of the program calls; a callback of its own ends the program."""
    needs_nfct(env)
    run = ("--lua-run=require 'nfct' h = nfct.open('conntrack', 'new') "
           "nfct.ct_callback_register(h, function(kind, ct) print(kind, nfct.get_attr_port(ct, 'port-dst')) "
           "if nfct.get_attr_port(ct, 'port-dst') == 5000 then return 'stop' end end) "
           "nfct.attach(h) timer_set('t', function() print('ready') end, 10, true)")
    with env.lab() as lab:
        track(lab)
        running = Script(env, lab, run)
        running.wait("ready")
        exchange_datagram(lab, b"hello", b"hello")
        check("new\t5000\n" in running.end(0), "it said: %s", running.output())
