"""Several workers: packets are spread over them, what they share stays right, signals reach all."""
import collections
import json
import os
import re
import select
import signal
import socket
import time

from harness import QUEUE, cases, check, check_equal, laboratory
from test_autohost import AutoList, REQUEST, SITE, split_at
from wire import Sniffer, StreamServer

WORKERS = 4
CLIENTS = ["10.77.1.%d" % n for n in range(10, 42)]
PATIENCE = laboratory.PATIENCE
PORT = 80


def make_lab(env):
    """A lab whose client has many addresses, and rules for WORKERS queues."""
    laboratory.WORKERS = WORKERS
    lab = env.lab()
    lab.sh("client", "for a in %s; do ip addr add $a/24 dev eth0; done" % " ".join(CLIENTS))
    lab.sh("box", "for a in %s; do ip neigh add $a lladdr 02:00:00:00:01:02 dev to-client; done"
           % " ".join(CLIENTS))
    lab.queue_client(QUEUE)
    return lab


def request(lab, client, name=SITE):
    """Sends a request from one of the client's addresses; what came back."""
    with lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE)
        s.bind((client, 0))
        try:
            s.connect((laboratory.SERVER4, PORT))
            s.sendall(REQUEST % name.encode())
            return s.recv(1000)
        except ConnectionResetError:
            return b""


def raw_output(daemon):
    with open(daemon.process.log, errors="replace") as f:
        return f.read()


def lines_by_worker(text, mark):
    """How often each worker printed a line with the mark."""
    found = re.findall(r"^worker (\d): .*%s" % mark, text, re.M)
    return collections.Counter(int(n) for n in found)


def wait_lines(daemon, mark, count):
    laboratory.Lab.wait_for(
        lambda: sum(lines_by_worker(raw_output(daemon), mark).values()) >= count,
        "%d lines with %r did not come" % (count, mark), daemon.process, PATIENCE)
    return lines_by_worker(raw_output(daemon), mark)


def test_flows_are_spread_and_stay_whole(env):
    """Each flow is seen by one worker, in its own Lua state, with both directions."""
    tell = ("--lua-desync=luaexec:code=if #desync.dis.payload>0 then DLOG_ERR(string.format("
            "'flow q=%d %s %s %s',qnum,desync.outgoing and 'out' or 'in',"
            "ntop(desync.outgoing and desync.dis.ip.ip_src or desync.dis.ip.ip_dst),"
            "desync.track and 'known' or 'unknown')) end")
    with make_lab(env) as lab, StreamServer(lab, "server", PORT, expected=10):
        with env.daemon(lab, "--in-range=a", "--payload=all", tell) as daemon:
            for client in CLIENTS:
                check(request(lab, client), "no answer for %s", client)
            wait_lines(daemon, "flow q=", 2 * len(CLIENTS))
            said = raw_output(daemon)
    seen = collections.defaultdict(set)
    for worker, queue, way, client, known in re.findall(
            r"^worker (\d): .*flow q=(\d+) (\w+) ([\d.]+) (\w+)", said, re.M):
        check_equal("number of the queue", int(queue), QUEUE + int(worker))
        check_equal("flow", known, "known")
        seen[client].add((worker, way))
    check_equal("clients", set(seen), set(CLIENTS))
    for parts in seen.values():
        check_equal("workers of a flow", len({worker for worker, _ in parts}), 1)
        check_equal("directions", {way for _, way in parts}, {"in", "out"})
    busy = {worker for parts in seen.values() for worker, _ in parts}
    check(len(busy) > 1, "only worker %s had packets", busy)


def test_automatic_list_counts_all_workers(env):
    """Failures of different clients add up; the host is listed once, and for every worker."""
    with make_lab(env) as lab, StreamServer(lab, "server", PORT, expected=10):
        lab.filter_words(SITE)
        auto = AutoList(lab)
        strategy = ["--payload=http_req", "--lua-desync=multisplit:pos=midsld"]
        failing = CLIENTS[:20]
        with env.daemon(lab, *auto.options(*strategy, threshold=len(failing))):
            for client in failing[:-1]:
                check_equal("answer", request(lab, client), b"")
            check_equal("list before the last failure", auto.hosts(), [])
            check_equal("answer", request(lab, failing[-1]), b"")
            check_equal("list", auto.hosts(), [SITE])
            for client in CLIENTS:
                with Sniffer(lab, "client") as sniffer:
                    check(request(lab, client), "%s: the strategy does not apply", client)
                    sent = [s.packet for s in sniffer.stop() if s.outgoing and s.packet.payload]
                check_equal("pieces with the whole name", split_at(SITE, sent), 0)
        texts = auto.texts()
        check_equal("additions", [t for t in texts if t.startswith("add")],
                    ["adding to " + auto.path])
        counts = [int(m[1]) for m in (re.match(r"fail counter (\d+)/", t) for t in texts) if m]
        check_equal("counters", counts, list(range(1, len(failing) + 1)))


def test_ip_cache_is_shared(env):
    """A worker knows the distance of a server that only others have talked to."""
    tell = ("--lua-desync=luaexec:code=if desync.dis.tcp.th_flags==2 then DLOG_ERR('syn ttl='.."
            "tostring(desync.track.incoming_ttl)) end")
    with make_lab(env) as lab, StreamServer(lab, "server", PORT, expected=10):
        # The first packet shows what the cache knew.
        with env.daemon(lab, "--payload=all", tell) as daemon:
            for client in CLIENTS:
                request(lab, client)
            wait_lines(daemon, "syn ttl=", len(CLIENTS))
            said = raw_output(daemon)
            known = re.findall(r"^worker (\d): .*syn ttl=(\w+)", said, re.M)
            daemon.process.send_signal(signal.SIGUSR2)
            daemon.wait_output("iface=eth0 : ttl 63", PATIENCE)
            check_equal("records", raw_output(daemon).count(laboratory.SERVER4 + " iface="), 1)
    check_equal("without knowledge", [ttl for _, ttl in known].count("nil"), 1)
    check(len({worker for worker, _ in known}) > 1, "only one worker had packets")


def test_dump_of_all_workers(env):
    with make_lab(env) as lab, StreamServer(lab, "server", PORT, expected=10):
        with env.daemon(lab, "--lua-desync=pass") as daemon:
            for client in CLIENTS:
                request(lab, client)
            daemon.process.send_signal(signal.SIGUSR1)
            flows = wait_lines(daemon, "=> ", len(CLIENTS))
            heads = wait_lines(daemon, "CONNTRACK DUMP", WORKERS)
            said = raw_output(daemon)
    check_equal("flows", sum(flows.values()), len(CLIENTS))
    check_equal("heads", heads, {n: 1 for n in range(WORKERS)})
    text = [line for line in said.splitlines() if line.startswith("worker ")
            and ("=> " in line or "CONNTRACK" in line)]
    check_equal("order", text, sorted(text, key=lambda line: line[:8]))


def test_lists_are_reloaded_for_all(env):
    with make_lab(env) as lab, StreamServer(lab, "server", PORT, expected=10):
        path = os.path.join(lab.folder, "hosts")
        tell = "--lua-desync=luaexec:code=DLOG_ERR('listed host')"
        with open(path, "w") as f:
            f.write("other.example\n")
        with env.daemon(lab, "--hostlist=" + path, "--payload=http_req", tell) as daemon:
            for client in CLIENTS:
                request(lab, client)
            check("listed host" not in raw_output(daemon), "a host that is not listed")
            with open(path, "a") as f:
                f.write(SITE + "\n")
            end = time.monotonic() + PATIENCE
            while "listed host" not in raw_output(daemon):
                check(time.monotonic() < end, "the change of the list is not seen")
                request(lab, CLIENTS[0])
            before = sum(lines_by_worker(raw_output(daemon), "listed host").values())
            for client in CLIENTS:
                request(lab, client)
            after = wait_lines(daemon, "listed host", before + len(CLIENTS))
    check(len(after) > 1, "only worker %s saw the list", list(after))


def test_trace_has_whole_lines(env):
    with make_lab(env) as lab, StreamServer(lab, "server", PORT, expected=10):
        path = os.path.join(lab.folder, "trace")
        with env.daemon(lab, "--trace=" + path, "--lua-desync=pass"):
            for client in CLIENTS:
                request(lab, client)
        with open(path) as f:
            lines = [json.loads(line) for line in f]
    workers = collections.defaultdict(list)
    for line in lines:
        workers[line["worker"]].append(line["n"])
    check(len(workers) > 1, "only worker %s is in the trace", list(workers))
    for numbers in workers.values():
        check_equal("numbers of a worker", numbers, list(range(1, len(numbers) + 1)))


ENDLESS = "while true do end"
NEVER = "if string.find(desync.dis.payload,'%s',1,true) then DLOG_ERR('entered') %s end" % (
    SITE, ENDLESS)


@cases({"idle": ("", 0), "in_endless_code": (NEVER, 101)})
def test_quit(env, code, want):
    """One TERM ends all workers, wherever they are."""
    with make_lab(env) as lab, StreamServer(lab, "server", PORT, expected=10):
        arguments = ["--lua-desync=luaexec:code=" + code] if code else ["--lua-desync=pass"]
        daemon = env.daemon(lab, "--lua-call-limit=0", *arguments, troubled=True)
        sockets = []
        for client in CLIENTS:
            s = lab.socket("client", socket.AF_INET, socket.SOCK_STREAM)
            s.settimeout(PATIENCE)
            s.bind((client, 0))
            s.setblocking(False)
            s.connect_ex((laboratory.SERVER4, PORT))
            sockets.append(s)
        end = time.monotonic() + PATIENCE
        while len(select.select([], sockets, [], 1)[1]) < len(sockets) and time.monotonic() < end:
            time.sleep(0.02)
        for s in sockets:
            try:
                s.send(REQUEST % SITE.encode())
            except OSError:  # its worker does not come back
                pass
        if code:
            wait_lines(daemon, "entered", 2)
        daemon.process.send_signal(signal.SIGTERM)
        check_equal("exit code", daemon.process.wait(PATIENCE), want)
        for s in sockets:
            s.close()
        if code:
            check("cannot be interrupted" in raw_output(daemon), "no message")
        else:
            check_equal("closed queues", raw_output(daemon).count("closing nfq library handle"),
                        WORKERS)


def test_init_error_names_the_worker(env):
    with make_lab(env) as lab:
        result = lab.run("client", env.program, "--qnum=%d" % QUEUE, "--workers=3",
                         "--lua-init=if qnum==%d then error('not here') end" % (QUEUE + 2),
                         check=False)
    check_equal("exit code", result.returncode, 1)
    check(re.search(r"^worker 2: LUA ERROR: .*not here", result.stderr, re.M), "it said: %s",
          result.stderr)


def test_a_queue_that_is_taken(env):
    with make_lab(env) as lab:
        laboratory.WORKERS = 1
        with env.daemon(lab, "--lua-desync=pass", queue=QUEUE + 1):
            result = lab.run("client", env.program, "--qnum=%d" % QUEUE, "--workers=2", check=False)
    check_equal("exit code", result.returncode, 1)
    check(re.search(r"^worker 1: .*%d" % (QUEUE + 1), result.stderr, re.M), "it said: %s",
          result.stderr)


def thread_names(tasks, pid):
    """Of all but the first; a thread names itself, so it has the program's name for a moment."""
    found = []
    for task in os.listdir(tasks):
        if int(task) != pid:
            with open(os.path.join(tasks, task, "comm")) as f:
                found.append(f.read().strip())
    return sorted(found)


def test_threads(env):
    """A thread for each worker, none more; none at all without the option."""
    with make_lab(env) as lab:
        for workers, names in ((1, []), (3, ["nfqws2-1", "nfqws2-2"])):
            laboratory.WORKERS = workers
            with env.daemon(lab, "--lua-desync=pass") as daemon:
                tasks = "/proc/%d/task" % daemon.pid
                laboratory.Lab.wait_for(lambda: thread_names(tasks, daemon.pid) == names,
                                        "the threads are not %s" % names, daemon.process)
                check_equal("threads", len(os.listdir(tasks)), workers)
