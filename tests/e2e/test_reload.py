"""Reload without a gap: options are read again while connections come and go. None is lost, no packet meets old and
new options, what is held is replayed by the options that held it; what cannot be changed is refused by name."""
import contextlib
import json
import os
import random
import signal
import socket
import threading

from control_client import Client, ask
from harness import QUEUE, WORKER, cases, check, check_equal, laboratory
from processes import resident
from test_hellos import hello
from wire import StreamServer

PORT = 443
# Writes the set's letter over the "x" of a request, and finds out if two instances of a packet are of two sets.
TREAT = """
function treat(ctx, desync)
	if #desync.dis.payload == 0 or not desync.outgoing then return end
	desync.met = desync.arg.set
	desync.dis.payload = desync.dis.payload:gsub("x", desync.arg.set)
	return VERDICT_MODIFY
end
function compare(ctx, desync)
	if desync.met and desync.met ~= desync.arg.set then DLOG_ERR("MIXTURE") end
end
function say(ctx, desync)
	if #desync.dis.payload > 0 then DLOG_ERR("said " .. desync.arg.text .. " " .. desync.l7payload) end
end
function keep(ctx, desync)
	autostate = autostate or {}
	autostate[desync.func_instance] = (autostate[desync.func_instance] or 0) + 1
	DLOG_ERR("kept " .. desync.func_instance .. " " .. autostate[desync.func_instance])
end
function show(ctx, desync)
	if #desync.dis.payload > 0 then DLOG_ERR("blob " .. tostring(_G[desync.arg.blob])) end
end
"""


class Options:
    """A daemon started from a file of options, which can be written anew."""

    def __init__(self, env, lab):
        self.env, self.lab = env, lab
        self.folder = lab.folder
        os.chmod(self.folder, 0o755)
        self.file = os.path.join(self.folder, "nfqws2.conf")
        self.path = os.path.join(self.folder, "control.sock")
        self.script = os.path.join(self.folder, "treat.lua")
        self.fixed = laboratory.program_options(QUEUE) + ["--control=" + self.path, "--lua-init=@" + self.script]
        self.write_script(TREAT)

    def write_script(self, text):
        with open(self.script, "w") as f:
            f.write(text)

    def write(self, *options, fixed=None):
        """Replaces the file as editors do."""
        with open(self.file + ".new", "w") as f:
            for word in list(fixed or self.fixed) + list(options):
                f.write("'%s'\n" % word)
        os.rename(self.file + ".new", self.file)

    @contextlib.contextmanager
    def daemon(self, *options, more=()):
        self.fixed += list(more)
        self.write(*options)
        process = self.lab.start("client", self.env.program, "@" + self.file, log="reload.log")
        self.lab.wait_for(lambda: self.lab.queue_bound("client", QUEUE), "no queue", process)
        try:
            yield process
        except BaseException:
            print("The program's output:\n" + self.output()[-4000:])
            self.lab.stop(process)
            raise
        check(process.poll() is None, "the program ended by itself:\n%s", self.output()[-4000:])
        check_equal("exit code", self.lab.stop(process), 0)

    def output(self):
        with open(os.path.join(self.folder, "reload.log"), errors="replace") as f:
            return f.read()

    def wait_said(self, text):
        self.lab.wait_for(lambda: text in self.output(), "not said: " + text)

    def reload(self, **fields):
        return ask(self.path, "reload", **fields)

    def must_reload(self, *options, changes=None):
        self.write(*options)
        lines = self.reload()
        check(lines[-1].get("reloaded") is True, "answer: %s", lines)
        if changes is not None:
            check_equal("changes", changes_of(lines), changes)

    def refused(self, text, *options, fixed=None, **fields):
        """It is, for that reason; the options in force stay."""
        before = self.status()["options"]
        self.write(*options, fixed=fixed)
        lines = self.reload(**fields)
        check(text in lines[-1].get("error", ""), "not refused for %r: %s", text, lines)
        check_equal("code", lines[-1]["code"], "failed")
        check_equal("options in force", self.status()["options"], before)

    def status(self):
        return ask(self.path, "status")[0]["status"]


def changes_of(lines):
    return [(c["what"], c["n"], c["how"]) for c in (line["change"] for line in lines if "change" in line)]


def profile(letter, *more):
    return ["--filter-tcp=%d" % PORT, *more, "--lua-desync=treat:set=" + letter,
            "--lua-desync=compare:set=" + letter]


def saying(text, *more):
    return ["--filter-tcp=%d" % PORT, "--payload=all", *more, "--lua-desync=say:text=" + text]


class Connections:
    """Many short connections, one after the other in each of several threads, until the end. The server tells what
    arrived; every one must be answered."""

    def __init__(self, lab, threads=6):
        self.lab, self.letters, self.failures = lab, [], []
        self.end = False
        self.listener = lab.socket("server", socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("0.0.0.0", PORT))
        self.listener.listen(1024)
        self.threads = [threading.Thread(target=self.serve, daemon=True) for _ in range(threads)]
        self.clients = [threading.Thread(target=self.connect, daemon=True) for _ in range(threads)]
        for thread in self.threads + self.clients:
            thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection:
                    connection.settimeout(laboratory.PATIENCE)
                    with contextlib.suppress(OSError):
                        connection.sendall(connection.recv(100))

    def connect(self):
        while not self.end:
            try:
                with self.lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
                    s.settimeout(laboratory.PATIENCE)
                    s.connect((laboratory.SERVER4, PORT))
                    s.sendall(b"x")
                    self.letters.append(s.recv(100))
            except OSError as e:
                self.failures.append(str(e))
                return

    def wait_more(self, count):
        enough = len(self.letters) + count
        self.lab.wait_for(lambda: len(self.letters) >= enough or self.failures, "no connections")

    def finish(self):
        self.end = True
        for thread in self.clients:
            thread.join(laboratory.PATIENCE)
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        check(not self.failures, "connections were lost: %s", self.failures[:3])


@cases({"one": (1,), "four": (4,)})
def test_under_new_connections(env, workers):
    """Every connection is answered, each is treated, by one set or the other, and none by both."""
    laboratory.WORKERS = workers
    with env.lab() as lab:
        lab.queue_client(QUEUE, ports=str(PORT))
        options = Options(env, lab)
        with options.daemon(*profile("A")):
            load = Connections(lab)
            load.wait_more(100)
            for n in range(20):
                options.must_reload(*profile("BA"[n % 2]))
                load.wait_more(30)
            load.finish()
            check_equal("letters", set(load.letters), {b"A", b"B"})
            check("MIXTURE" not in options.output(), "a packet met two sets")
            print("%d connections" % len(load.letters))


def test_flows_choose_again(env):
    """A connection that goes on, with its counters, is in the care of the new profile from its next packet on."""
    with env.lab() as lab, StreamServer(lab, "server", PORT):
        lab.queue_client(QUEUE, ports=str(PORT))
        options = Options(env, lab)
        with options.daemon(*saying("one")), lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
            s.settimeout(laboratory.PATIENCE)
            s.connect((laboratory.SERVER4, PORT))
            s.sendall(b"1")
            options.wait_said("said one")
            before = ask(options.path, "flows", port=PORT)[0]["flow"]
            options.must_reload("--filter-tcp=1", "--name=other", "--new", *saying("two"),
                                changes=[("profile", 1, "changed"), ("profile", 2, "added")])
            s.sendall(b"2")
            options.wait_said("said two")
            after = ask(options.path, "flows", port=PORT)[0]["flow"]
            check_equal("flow", (after["id"], after["profile"]["n"]), (before["id"], 2))
            check(after["client"]["packets"] > before["client"]["packets"], "counters: %s, %s", before, after)
            check_equal("said", options.output().count("said one"), 1)


def test_cutoffs(env):
    """What a script has cut off stays so where the profile runs the same, and counts no more where it does not."""
    script = TREAT + """
function once(ctx, desync)
	if #desync.dis.payload > 0 then
		DLOG_ERR("once " .. desync.arg.text)
		instance_cutoff(ctx)
	end
end
"""

    def once(text, *more):
        return ["--filter-tcp=%d" % PORT, *more, "--payload=all", "--lua-desync=once:text=" + text,
                "--lua-desync=say:text=x"]

    with env.lab() as lab, StreamServer(lab, "server", PORT):
        lab.queue_client(QUEUE, ports=str(PORT))
        options = Options(env, lab)
        options.write_script(script)
        with options.daemon(*once("a")), lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
            s.settimeout(laboratory.PATIENCE)
            s.connect((laboratory.SERVER4, PORT))
            for count, change in enumerate((None, once("a", "--filter-l3=ipv4"), once("b")), 1):
                if change:
                    options.must_reload(*change)
                s.sendall(b"%d" % count)
                lab.wait_for(lambda n=count: options.output().count("said x") == n, "the packet did not come")
            said = WORKER.sub("", options.output()).split("\n")
            check_equal("once", [line for line in said if "once" in line], ["LUA: once a", "LUA: once b"])


@cases({"one": (1,), "four": (4,)})
def test_held_packets(env, workers):
    """A hello of which the first part is held is replayed by the options that held it, with their blobs."""
    laboratory.WORKERS = workers

    def shown(value):
        return ["--blob=mine:0x%s" % value.encode().hex(), "--filter-tcp=%d" % PORT, "--payload=tls_client_hello",
                "--lua-desync=say:text=" + value, "--lua-desync=show:blob=mine"]

    data = hello(3000)
    with env.lab() as lab, StreamServer(lab, "server", PORT) as server:
        lab.queue_client(QUEUE, ports=str(PORT))
        options = Options(env, lab)
        with options.daemon(*shown("old")):
            for attempt in range(10):  # held packets leave after a while: a slow machine needs more than one
                with lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
                    s.settimeout(laboratory.PATIENCE)
                    s.connect((laboratory.SERVER4, PORT))
                    s.sendall(data[:1000])
                    lab.wait_for(lambda: options.status()["held"] > 0, "nothing is held")
                    options.must_reload(*shown("new%d" % attempt))
                    s.sendall(data[1000:])
                    s.shutdown(socket.SHUT_WR)
                    check(server.wait(lambda x: x.finished), "the stream did not end")
                    check_equal("stream", server.finished.pop(), data)
                expected = "old" if attempt == 0 else "new%d" % (attempt - 1)
                said = options.output()
                if "said %s tls_client_hello" % expected in said:
                    check("blob %s\n" % expected in said, "the blob is that of the other options:\n%s", said)
                    break
            else:
                check(False, "what was held was not replayed by its options:\n%s", options.output())
            with lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
                s.settimeout(laboratory.PATIENCE)
                s.connect((laboratory.SERVER4, PORT))
                s.sendall(data)
                options.wait_said("blob new%d\n" % attempt)


def test_dry_run_and_undo(env):
    with env.lab() as lab:
        options = Options(env, lab)
        with options.daemon("--blob=b:0x01", *saying("one")):
            check_equal("of nothing", options.reload(undo=True)[-1]["error"],
                        "there was no reload that could be undone")
            check_equal("without a change", options.reload(), [{"end": True, "count": 0, "reloaded": False}])
            before = options.status()["options"]
            options.write("--blob=b:0x02", "--blob=c:0x03", *saying("two"))
            changes = [("profile", 1, "changed"), ("blob", None, "changed"), ("blob", None, "added")]
            dry = options.reload(dry_run=True)
            check_equal("dry", changes_of(dry), changes)
            check_equal("end", dry[-1], {"end": True, "count": 3, "reloaded": False})
            check_equal("options in force", options.status()["options"], before)
            check_equal("really", changes_of(options.reload()), changes)
            after = options.status()["options"]
            check("text=two" in after, "options: %s", after)
            check_equal("undone", options.reload(undo=True)[-1]["reloaded"], True)
            check_equal("options in force", options.status()["options"], before)
            check_equal("again", options.reload(undo=True)[-1]["reloaded"], True)
            check_equal("options in force", options.status()["options"], after)
            done = options.status()["reloads"]
            check_equal("counted", (done["done"], done["failed"], done["last_error"]), (4, 0, None))


def test_automatic_lists(env):
    """A new one is made by the reload that takes it, not by one that only looks or that is refused."""
    with env.lab() as lab:
        options = Options(env, lab)
        folder = os.path.join(lab.folder, "lists")
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        old, new, lost = (os.path.join(folder, name) for name in ("old.txt", "new.txt", "none/new.txt"))
        one = ("--hostlist-auto=" + old, *saying("one"))
        with options.daemon(*one):
            for more in {}, {"dry_run": True}:
                options.refused("cannot create " + lost, *one, "--new", "--hostlist-auto=" + lost, **more)
            wanted = (*one, "--new", "--hostlist-auto=" + new)
            options.refused("only one auto hostlist", *wanted, "--hostlist-auto=" + old)
            options.write(*wanted)
            check_equal("dry", changes_of(options.reload(dry_run=True)), [("profile", 2, "added")])
            check_equal("made", os.listdir(folder), ["old.txt"])
            options.must_reload(*wanted)
            check_equal("made", sorted(os.listdir(folder)), ["new.txt", "old.txt"])

            def state(**more):
                return next(line["list"] for line in ask(options.path, "lists", **more) if line["list"]["file"] == new)
            check_equal("list", (state()["automatic"], state()["loaded"], state()["entries"]), (True, True, 0))
            with open(new, "a", encoding="ascii") as f:
                f.write("example.com\n")
            check_equal("read", state(reload=True)["entries"], 1)


def test_refused(env):
    """What is wrong, and what only a restart can change, is named; nothing happens."""
    with env.lab() as lab:
        lists = os.path.join(lab.folder, "hosts.txt")
        secret = os.path.join(lab.folder, "secret.txt")
        for name, mode in ((lists, 0o644), (secret, 0o600)):
            with open(name, "w") as f:
                f.write("example.com\n")
            os.chmod(name, mode)
        options = Options(env, lab)
        one = saying("one")
        with options.daemon(*one, "--hostlist=" + lists):
            options.refused("unrecognized option '--nonsense'", *one, "--nonsense")
            options.refused("nfqws2.conf:", "--filter-tcp=70000", *one)
            options.refused("desync function 'sai' does not exist", "--filter-tcp=80", "--lua-desync=sai")
            options.refused("--ctrack-max has changed (5, was not given): a restart is needed", *one,
                            "--ctrack-max=5")
            other = [word.replace(str(QUEUE), str(QUEUE + 7)) if "qnum" in word else word
                     for word in options.fixed]
            options.refused("--qnum has changed (207, was 200): a restart is needed", *one, fixed=other)
            options.refused("--workers has changed", *one, "--workers=3")
            options.refused("is no more", *one, fixed=options.fixed[:-1])
            options.refused("--lua-init=x = 1 has changed", *one, "--lua-init=x = 1")
            options.refused("secret.txt", *one, "--hostlist=" + secret)
            check("a restart is needed" in options.reload()[-1]["error"], "no word of a restart")
            options.refused("secret.txt", *one, "--blob=s:@" + secret)
            options.refused("/nowhere", *one, "--ipset=/nowhere/list.txt")
            said = options.reload()[-1]["error"].splitlines()
            check(len(said) == 2 and said[0].startswith("option '--ipset' (") and "nfqws2:" not in "".join(said),
                  "several messages, and the program's name: %s", said)
            options.refused("--filter-ssid is new", *one, "--new", "--filter-ssid=home", *saying("x"))
            options.refused("--ct is off", *one, "--new", "--filter-ctstate=new", *saying("x"))
            os.rename(options.file, options.file + ".away")
            check("could not load config file" in options.reload()[-1]["error"], "a lost file is taken")
            os.rename(options.file + ".away", options.file)
            options.must_reload(*one, "--hostlist-domains=example.org")
            files = [line["list"]["file"] for line in ask(options.path, "lists") if "list" in line]
            lab.wait_for(lambda: len(ask(options.path, "lists")) == 1, "lists that nobody uses stay: %s" % files)


def test_garbage(env):
    """Requests that are none, and two at a time."""
    with env.lab() as lab:
        options = Options(env, lab)
        with options.daemon(*saying("one")):
            for line in ('{"cmd":"reload","dry_run":1}', '{"cmd":"reload","now":true}',
                         '{"cmd":"reload","undo":true,"dry_run":true}', '{"cmd":"reload","undo":"yes"}'):
                with Client(options.path) as client:
                    client.send(line)
                    check_equal(line, client.answer()[-1]["code"], "bad-field")
            rng = random.Random(1)
            with open(options.file) as f:
                text = f.read().encode()
            for _ in range(40):
                broken = bytearray(text)
                for _ in range(rng.randrange(1, 6)):
                    broken[rng.randrange(len(broken))] = rng.randrange(256)
                with open(options.file, "wb") as f:
                    f.write(broken[:rng.randrange(len(broken) + 1)])
                options.reload(dry_run=True)
            with open(options.file, "wb") as f:
                f.write(text)
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(Client(options.path)) for _ in range(8)]
                for n, client in enumerate(clients):
                    client.send(json.dumps({"cmd": "reload", "dry_run": n % 2 == 0}))
                    if n % 3 == 0:
                        client.close()
                ends = [client.answer()[-1] for n, client in enumerate(clients) if n % 3]
            check(all(end.get("code", "busy") == "busy" for end in ends), "ends: %s", ends)
            lab.wait_for(lambda: options.reload()[-1] == {"end": True, "count": 0, "reloaded": False},
                         "it is busy for ever")


@cases({"one": (1,), "two": (2,)})
def test_memory(env, workers):
    """Old sets are given back, with their lists: memory does not grow over 200 reloads."""
    laboratory.WORKERS = workers
    with env.lab() as lab:
        lists = []
        for n in range(2):
            lists.append(os.path.join(lab.folder, "hosts%d.txt" % n))
            with open(lists[n], "w") as f:
                f.write("".join("name%d-%d.example\n" % (n, i) for i in range(20000)))
        options = Options(env, lab)
        sets = [["--hostlist=" + lists[n], "--blob=b:0x%s" % ("%02x" % n * 1000)] +
                sum((["--filter-tcp=%d" % (1000 + i), "--lua-desync=say:text=%d:n=%d" % (n, i), "--new"]
                     for i in range(10)), []) + saying("end") for n in range(2)]
        with options.daemon(*sets[0], more=["--lua-gc=1"]) as process:
            sizes = []
            for n in range(200):
                options.must_reload(*sets[(n + 1) % 2])
                if n % 20 == 19:
                    sizes.append(resident(process.pid) // 1024)
            print("kB: %s" % sizes)
            check(sizes[-1] - sizes[1] < 1000, "memory grows: %s kB", sizes)
            check_equal("lists", len([line for line in ask(options.path, "lists") if "list" in line]) <= 2, True)


def test_hup(env):
    """With --reload-on-hup the options too, without it lists alone."""
    for asked in (True, False):
        with env.lab() as lab:
            options = Options(env, lab)
            with options.daemon(*saying("one"), more=["--reload-on-hup"] if asked else []) as process:
                options.write(*saying("two"))
                process.send_signal(signal.SIGHUP)
                options.wait_said("HUP received")
                if asked:
                    options.write(*saying("three"))  # while the last one may still be read
                    process.send_signal(signal.SIGHUP)
                    lab.wait_for(lambda: "text=three" in options.status()["options"], "not reloaded")
                else:
                    check("text=one" in options.status()["options"], "reloaded though nobody asked for it")


@cases({"one": (1,), "four": (4,)})
def test_lua_reload(env, workers):
    """Changed scripts run again in the same state, if that is asked for; a wrong one is found before."""
    laboratory.WORKERS = workers
    with env.lab() as lab, StreamServer(lab, "server", PORT):
        lab.queue_client(QUEUE, ports=str(PORT))
        options = Options(env, lab)
        options.write_script(TREAT + "runs = (runs or 0) + 1")
        with options.daemon(*saying("one"), more=["--lua-reload"]):
            options.write_script(TREAT + "function broken(")
            options.refused("treat.lua", *saying("one"))
            options.write_script(TREAT.replace('"said "', '"now said " .. runs .. " "') + "runs = runs + 1")
            check_equal("changes", changes_of(options.reload(dry_run=True)), [("lua-init", None, "changed")])
            options.must_reload(*saying("one"))
            with lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
                s.settimeout(laboratory.PATIENCE)
                s.connect((laboratory.SERVER4, PORT))
                s.sendall(b"1")
                options.wait_said("now said 2 one")


def test_learned_states(env):
    """What was learned under the name of an instance is kept as long as that is the same one."""

    def keeping(*more):
        return ["--filter-tcp=%d" % PORT, "--payload=all", *more, "--out-range=d1<d2"]

    def connect(lab):
        with lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
            s.settimeout(laboratory.PATIENCE)
            s.connect((laboratory.SERVER4, PORT))
            s.sendall(b"1")

    with env.lab() as lab, StreamServer(lab, "server", PORT):
        lab.queue_client(QUEUE, ports=str(PORT))
        options = Options(env, lab)
        with options.daemon(*keeping(), "--lua-desync=keep:a=1", "--lua-desync=keep:b=1"):
            connect(lab)
            options.wait_said("kept keep_1_2 1")
            options.must_reload(*keeping("--name=n"), "--lua-desync=keep:a=1", "--lua-desync=keep:b=2")
            connect(lab)
            options.wait_said("kept keep_1_1 2")
            lab.wait_for(lambda: options.output().count("kept keep_1_2 1") == 2, "what another has learned is kept")
