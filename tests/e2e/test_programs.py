"""What programs around the daemon do with it: panels, log parsers, start scripts, launchers."""
import os
import re
import signal

from harness import QUEUE, cases, check, check_equal, laboratory
from wire import Sniffer

SITE = "site.example"
SPLIT = ["--payload=http_req,tls_client_hello", "--lua-desync=multisplit:pos=midsld"]


def queue_rows(lab):
    """Number and owner of each bound queue, as a panel reads them inside of a namespace."""
    text = lab.run("client", "cat", "/proc/net/netfilter/nfnetlink_queue").stdout
    return {int(row.split()[0]): int(row.split()[1]) for row in text.splitlines()}


def wait_gone(pid):
    laboratory.Lab.wait_for(lambda: not os.path.exists("/proc/%d" % pid), "it does not end")


def read_number(path):
    with open(path) as f:
        return int(f.read())


# --- a panel verifies its daemon by the owner of the queue


@cases({"plain": ([],), "without-merged-packets": (["--gso=0"],)})
def test_owner_of_the_queue(env, options):
    with env.lab() as lab:
        for _ in range(2):  # nothing stays behind
            with env.daemon(lab, *options, *SPLIT) as daemon:
                check_equal("owner", queue_rows(lab)[QUEUE], daemon.pid)


def test_owner_of_the_queue_in_the_background(env):
    with env.lab() as lab:
        pid_file = os.path.join(lab.folder, "pid")
        loaded = lab.libraries(env.lua, "lib", "antidpi")
        started = lab.run("client", env.program, *laboratory.program_options(QUEUE), *loaded,
                          *SPLIT, "--daemon", "--pidfile=" + pid_file)
        check_equal("exit code", started.returncode, 0)
        pid = read_number(pid_file)
        try:
            # At once: the start has waited until everything was ready.
            check_equal("owner", queue_rows(lab).get(QUEUE), pid)
            with open("/proc/%d/cmdline" % pid) as f:
                check("nfqws2" in f.read(), "the owner is another program")
        finally:
            os.kill(pid, signal.SIGTERM)
            wait_gone(pid)


def test_owner_of_the_queues_of_workers(env):
    several = [] if laboratory.WORKERS > 1 else ["--workers=3"]
    with env.lab() as lab, env.daemon(lab, *several, *SPLIT) as daemon:
        daemon.wait_output("binding this socket to queue '%d'" % (QUEUE + 2))
        check_equal("owner of the first", queue_rows(lab)[QUEUE], daemon.pid)


@cases({"script": (["--lua-init=error('no good')"], 1, "no good"),
        "function": (["--lua-desync=nothing"], 1, "'nothing' does not exist"),
        # Removing a folder is what no script may.
        "killed": (["--lua-init=os.remove(os.getenv('TMPDIR')..'/victim')"], -signal.SIGSYS, ""),
        "queue": ([], 1, "queue %d is in use" % QUEUE)})
def test_background_start_that_fails(env, options, code, reason):
    """What fails late is told by the process that was started, and nothing stays behind."""
    with env.lab() as lab:
        open_folder = os.path.join(lab.folder, "open")
        os.makedirs(open_folder + "/victim")
        for folder in open_folder, open_folder + "/victim":
            os.chmod(folder, 0o777)
        with env.daemon(lab, "--lua-desync=pass") as other:
            number = QUEUE if "queue" in reason else QUEUE + 100
            log = os.path.join(lab.folder, "said")
            shell = 'TMPDIR=%s %s --qnum=%d --daemon --pidfile=%s/pid "$@" >%s 2>&1' % (
                open_folder, env.program, number, lab.folder, log)
            ended = lab.run("client", "sh", "-c", shell, "sh", *options, check=False)
            with open(log, errors="replace") as f:
                said = f.read()
            check_equal("exit code", ended.returncode, code if code >= 0 else 128 - code)
            check(reason in said, "it said:\n%s", said[-1500:])
            check_equal("queues", set(queue_rows(lab)) & {QUEUE, QUEUE + 100}, {QUEUE})
            check_equal("owner", queue_rows(lab)[QUEUE], other.pid)


# --- a log parser joins host names, strategies and verdicts to connections


PACKET = re.compile(r"^packet: id=(\d+) len=")
ENDPOINTS = re.compile(r"^IP[46]: (\S+) => (\S+) proto=tcp ttl=\d+ sport=(\d+) dport=(\d+) "
                       r"flags=(\w*) seq=(\d+) ack_seq=(\d+)$")
VERDICT = re.compile(r"^packet: id=(\d+) (pass unmodified|pass modified|drop)")
FACTS = {"host": re.compile(r"^hostname: (\S+)$"),
         "strategy": re.compile(r"^LUA: circular: current strategy (\d+)$"),
         "payload": re.compile(r"payload_type=(\w+)$")}


def connections(lines):
    """Facts by (host, port) of the client, as a panel collects them."""
    found, number, who = {}, None, None
    for line in lines:
        if PACKET.match(line):
            number, who = PACKET.match(line)[1], None
        elif VERDICT.match(line):
            check_equal("number of the verdict", VERDICT.match(line)[1], number)
            if who:
                found[who].setdefault("verdicts", []).append(VERDICT.match(line)[2])
            number = who = None
        elif ENDPOINTS.match(line):
            source, target, sport, dport = ENDPOINTS.match(line).groups()[:4]
            who = (target, int(dport)) if int(sport) < 1024 else (source, int(sport))
            found.setdefault(who, {})
        for name, pattern in FACTS.items():
            fact = pattern.search(line)
            if fact and who:
                found[who].setdefault(name, set()).add(fact[1])
    return found


def test_log_parser(env):
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        log = os.path.join(lab.folder, "debug.log")
        strategy = ["--in-range=-s1", "--lua-desync=circular", "--payload=tls_client_hello",
                    "--in-range=x", "--lua-desync=multisplit:pos=midsld:strategy=1"]
        with env.daemon(lab, "--debug=@" + log, *strategy, libraries=("lib", "antidpi", "auto")):
            for version in (4, 6):
                got = lab.curl("https://%s/" % SITE, name=SITE, version=version)
                check_equal("exit code of curl", got.returncode, 0)
        with open(log) as f:
            lines = f.read().splitlines()
        # Each worker tells a story of its own.
        workers = {re.match(r"worker \d+: |", line)[0] for line in lines}
        seen = []
        for worker in workers:
            own = [line[len(worker):] for line in lines if line.startswith(worker)]
            seen += [facts for facts in connections(own).values() if facts.get("host") == {SITE}]
        check_equal("connections with the name", len(seen), 2)
        for facts in seen:
            check_equal("strategy", facts["strategy"], {"1"})
            check("tls_client_hello" in facts["payload"], "payloads: %s", facts["payload"])
            check("drop" in facts["verdicts"], "the hello was not replaced: %s", facts)
            check("pass unmodified" in facts["verdicts"], "verdicts: %s", facts["verdicts"])


# --- the start script of a router's package


PACKAGE = """
die() { echo "$*"; exit 9; }
program=$1 pid=$2 log=$3
shift 3
"$program" --help | grep -q -e ' --filter-mark' || die "this nfqws2 is too old"
opt=
"$program" --help | grep -q 'fastpath-workaround' && opt=--fastpath-workaround=auto
[ -n "$opt" ] || die "no workaround"
"$program" --daemon --pidfile="$pid" --user=nobody --qnum=%d $opt "$@" >"$log" 2>&1 || die "start"
[ -d "/proc/$(cat "$pid")" ] || die "not running"
""" % QUEUE


def test_package_start_script(env):
    with env.lab() as lab:
        lab.start_site(SITE)
        lab.queue_client(QUEUE)
        pid_file, log = os.path.join(lab.folder, "pid"), os.path.join(lab.folder, "log")
        loaded = lab.libraries(env.lua, "lib", "antidpi")
        started = lab.run("client", "sh", "-c", PACKAGE, "package", env.program, pid_file, log,
                          *loaded, *SPLIT, check=False)
        check_equal("exit code and output", (started.returncode, started.stdout), (0, ""))
        pid = read_number(pid_file)
        try:
            check_equal("owner", queue_rows(lab)[QUEUE], pid)
            for url in "http://%s/" % SITE, "https://%s/" % SITE:
                check_equal(url, lab.curl(url, name=SITE).returncode, 0)
        finally:
            os.kill(pid, signal.SIGTERM)
            wait_gone(pid)


# --- a launcher that gives each user a profile by the mark of the packets


def test_launcher_with_marks(env):
    """40 profiles; firewall rules mark packets by source port, the first of a flow counts."""
    users = 40
    options = []
    for n in range(1, users + 1):
        options += ["--new=user%d" % n, "--filter-mark=%d/0xFFFF" % n, "--filter-tcp=80",
                    "--payload=http_req", "--lua-desync=multisplit:pos=%d" % n]
    with env.lab() as lab:
        lab.start_site(SITE)
        for n in range(1, users + 1):
            lab.run("client", "iptables", "-t", "mangle", "-A", "OUTPUT", "-p", "tcp", "--sport",
                    str(20000 + n), "-m", "mark", "--mark", "0", "-j", "MARK", "--set-mark",
                    "0x%X" % (0x10000 * (n % 3) + n))
        lab.queue_client(QUEUE)
        with env.daemon(lab, *options[1:]) as daemon:
            for n in 1, 2, 17, users, 0:
                port = 20000 + n
                with Sniffer(lab, "client") as sniffer:
                    got = lab.curl("http://%s/" % SITE, "--local-port", str(port), name=SITE)
                    sent = [len(s.packet.payload) for s in sniffer.stop()
                            if s.outgoing and s.packet.sport == port and s.packet.payload]
                check_equal("exit code of curl", got.returncode, 0)
                if n:
                    check_equal("first piece of user %d" % n, sent[0], n)
                else:
                    check_equal("pieces without a mark", len(sent), 1)
            check(daemon.alive(), "it ended")
