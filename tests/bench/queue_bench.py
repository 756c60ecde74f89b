#!/usr/bin/env python3
"""Cost of the queue path: nfqws2 against the floor (queue_floor.c), in namespaces of its own.

    queue_bench.py PROGRAM LUA_DIR [--reps N] [--secs S] [--cases A,B] [--loads A,B]
                   [--baseline PROGRAM] [--baseline-lua DIR] [--no-pin]

Machines are noisy, so a figure is a ratio: each run of the program stands right after a run of the
floor, and the medians of these pairs are shown. With --baseline another build takes part in every
pair. Output: one Markdown table per load. Goals: docs/contracts/goals.md#per-packet.

loads  udp       flood of 64-byte packets, 64 flows, held back by the queue
       udp-large the same with 1400 bytes
       spoofed   the same from a million addresses; syn: SYNs from as many
       http      short connections (about 10 packets each, all queued)
       tcp       bulk upload over two connections
       latency   UDP round trips (two passages through the queue)
       request   the same with a connection at a time, each with one request (all packets queued)
       overload  flood that nothing holds back: what passes unprocessed
cases  batched, gso   the floor with batches, and with large packets left whole (tcp only)
       noprof         no profile matches
       pass           one `pass` instance for every packet, both directions
       nflua          a function of NFLua that reads a field, for every packet
       nflua-mask     the same behind a mask that refuses
       nfq            a program of its own (--lua-run) that accepts everything with nfq.catch
       ct-sim         no profile matches, connections are simulated (--ct=sim)
       ct-table       as pass, with desync.ct in the table
       ct-queue       a filter by state, told by the queue; the floor asks the kernel for connections
                      too. Only by name: --cases ct-queue, where the kernel has the glue
       typical        fake and multisplit on the first payload (http and request only)
       finished       instances are cut off after the first packets (tcp only)
       offload        the same with --offload-mark and its rules (tcp only)
       rules-...      rules without a profile (rules_loads.py)
       ...-split      with --gso=0: the kernel cuts packets up before they are queued (tcp only)

A merged packet counts as one. So for tcp the figures that tell something are the throughput and the
run time per gigabyte.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import rules_loads  # noqa: E402
from lab import Lab, environment, why_unavailable  # noqa: E402

QUEUE = 200
CLIENT, SERVER = "10.78.0.1", "10.78.0.2"
PORTS = {"udp-sink": 7001, "udp-echo": 7002, "tcp-sink": 7003, "http-server": 80}
NETLINK_NETFILTER = 12
OFFLOAD_MARK = "0x10000000"
FLOOR_CASES = {"batched": ["batch=32"], "gso": ["batch=32", "gso"]}
PROFILES = {
    "noprof": [],
    "pass": ["--in-range=a", "--payload=all", "--lua-desync=pass"],
    "nflua": ["--in-range=a", "--payload=all", "--lua-desync=nflua:func=bench"],
    "nflua-mask": ["--in-range=a", "--payload=all", "--lua-desync=nflua:func=bench:mask=1"],
    "nfq": ["--lua-run=require 'nfq' h = nfq.open() q = nfq.create_queue(h, %d) nfq.set_mode(q) "
            "nfq.catch(h, function() end)" % QUEUE],
    "ct-sim": ["--ct=sim"],
    "ct-table": ["--ct=sim", "--in-range=a", "--payload=all", "--lua-desync=pass"],
    "ct-queue": ["--ct=queue", "--filter-ctstate=~invalid"],
    "finished": ["--out-range=-d10", "--payload=all", "--lua-desync=pass"],
    "offload": ["--out-range=-d10", "--payload=all", "--lua-desync=pass",
                "--offload-mark=" + OFFLOAD_MARK],
    "typical": ["--filter-tcp=80", "--filter-l7=http", "--out-range=-d10", "--payload=http_req",
                "--lua-desync=fake:blob=fake_default_http:tcp_md5",
                "--lua-desync=multisplit:pos=method+2"],
}
LIBRARIES = ("lib", "antidpi", "nflua")
NFLUA_SCRIPT = ("local layout = data.layout{ttl = {64, 8}} function bench(frame, packet) "
                "packet:layout(layout) return packet.ttl == 1 end")
PROFILES.update({case + "-split": ["--gso=0"] + PROFILES[case]
                 for case in ("noprof", "finished", "pass")})
PROFILES.update({case: [] for case in rules_loads.FILES})
LOADS = {
    "udp": ["batched", "noprof", "ct-sim", "ct-queue", "pass", "ct-table", "nflua", "nflua-mask", "nfq"],
    "http": ["batched", "noprof", "pass", "typical"],
    "tcp": ["batched", "gso", "noprof", "noprof-split", "finished", "finished-split", "offload",
            "pass", "pass-split"],
    "latency": ["batched", "noprof", "pass"],
    "request": ["batched", "noprof", "typical"],
    "overload": ["batched", "noprof", "pass"],
    "udp-large": ["batched", "noprof"],
    "spoofed": ["batched", "noprof"],
    "syn": ["batched"],
}
for _case, (_load, _) in rules_loads.FILES.items():
    LOADS[_load].append(_case)
BY_NAME = ("ct-queue",)
GOALS = {("udp", "noprof"): 0.85, ("udp", "pass"): 1.8, ("udp", "nfq"): 1.2, ("http", "noprof"): 0.9,
         ("http", "pass"): 2.2, ("http", "typical"): 1.8, ("tcp", "noprof-split"): 0.85,
         ("udp", "rules-10"): 0.45, ("udp", "rules-100"): 1.0, ("udp", "rules-100-drop"): 1.0,
         ("spoofed", "rules-ratelimit"): 0.8, ("spoofed", "rules-marks"): 0.6, ("syn", "rules-tcpauth"): 2.0,
         ("udp-large", "rules-seq"): 2.5}


class Net(Lab):
    """Client and server with a cable between them; every box more would only add noise."""

    def _make_network(self):
        for who in ("client", "server"):
            subprocess.run(["ip", "netns", "add", self.ns(who)], check=True, env=environment(),
                           capture_output=True)
            self.namespaces.append(self.ns(who))
            self.sh(who, "ip link set lo up; sysctl -qw net.ipv4.tcp_tw_reuse=1 "
                         "net.ipv4.ip_local_port_range='1024 65000' "
                         "net.ipv4.tcp_max_tw_buckets=200000 net.core.somaxconn=4096 "
                         "net.ipv4.tcp_max_syn_backlog=8192")
        subprocess.run(["ip", "-n", self.ns("client"), "link", "add", "eth0", "type", "veth",
                        "peer", "name", "eth0", "netns", self.ns("server")], check=True,
                       env=environment(), capture_output=True)
        for who, address in (("client", CLIENT), ("server", SERVER)):
            self.sh(who, "ip addr add %s/24 dev eth0; ip link set eth0 up txqueuelen 10000"
                    % address)
            self.sh(who, "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0; "
                         "ip route add 10.0.0.0/8 dev eth0 via %s" % (SERVER if who == "client" else CLIENT))
            self.offloads_off(who, "eth0")


def pinned(cpu, argv):
    return argv if cpu is None else ["taskset", "-c", str(cpu)] + argv


def cpu_seconds(pid):
    """Run time of all threads, and the share of it spent outside the kernel."""
    run = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
            run += int(f.read().split()[0])
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return run / 1e9, int(fields[11]), int(fields[12])


class Bench:
    def __init__(self, options):
        self.options = options
        self.net = Net("bench")
        cpus = sorted(os.sched_getaffinity(0))
        pin = options.pin and len(cpus) >= 4
        self.load_cpu, self.server_cpu, self.queue_cpu = cpus[-3:] if pin else [None] * 3
        self.floor = self.compile("queue_floor", "-lmnl")
        self.load = self.compile("queue_load")
        for kind, port in PORTS.items():
            self.net.start("server", *pinned(self.server_cpu, [self.load, kind, str(port)]))

    def compile(self, name, *libraries):
        target = os.path.join(self.net.folder, name)
        subprocess.run([os.environ.get("CC", "cc"), "-O2", os.path.join(HERE, name + ".c"), "-o",
                        target, *libraries], check=True)
        return target

    # --- one run

    def subject(self, name, case):
        """Command line of what handles the queue."""
        if name == "none":
            return None
        if name == "floor":
            return [self.floor, str(QUEUE)] + (["ct"] if case == "ct-queue" else [])
        if case in FLOOR_CASES:
            return [self.floor, str(QUEUE)] + FLOOR_CASES[case]
        program, folder = self.options.program, self.options.lua_dir
        if name == "baseline":
            program = self.options.baseline
            folder = self.options.baseline_lua or folder
        return self.command(program, folder, case)

    def command(self, program, folder, case):
        """Words that start `program` with the script libraries of `folder`."""
        folder = os.path.abspath(folder)
        more = ["--lua-init=" + NFLUA_SCRIPT] if case.startswith("nflua") else []
        if case == "nfq":
            return [os.path.abspath(program), *PROFILES[case]]
        if case in rules_loads.FILES:
            more.append("--rules=" + rules_loads.write(self.net.folder, case))
        return [os.path.abspath(program), "--qnum=%d" % QUEUE,
                *("--lua-init=@%s/zapret-%s.lua" % (self.shared_copy(folder), name)
                  for name in LIBRARIES if name != "nflua" or case.startswith("nflua")), *more,
                *PROFILES[case]]

    def shared_copy(self, folder):
        """The libraries, where a user without rights can read them."""
        target = os.path.join(self.net.folder, "lua" + folder.replace("/", "-"))
        if not os.path.isdir(target):
            os.mkdir(target)
            for name in LIBRARIES:
                if not os.path.exists(os.path.join(folder, "zapret-%s.lua" % name)):
                    continue  # of an older baseline
                with open(os.path.join(folder, "zapret-%s.lua" % name), "rb") as source:
                    data = source.read()
                with open(os.path.join(target, "zapret-%s.lua" % name), "wb") as copy:
                    copy.write(data)
            for path in [target] + [os.path.join(target, n) for n in os.listdir(target)]:
                os.chmod(path, 0o755)
        return target

    def load_command(self, load, seconds):
        secs = str(seconds)
        return [self.load] + {
            "udp": ["udp-flood", SERVER, "7001", secs, "64", "64"],
            "udp-large": ["udp-flood", SERVER, "7001", secs, "64", "1400"],
            "overload": ["udp-flood", SERVER, "7001", secs, "1", "64"],
            "spoofed": ["spoofed", "udp", SERVER, "7001", secs, str(rules_loads.SOURCES)],
            "syn": ["spoofed", "syn", SERVER, "80", secs, str(rules_loads.SOURCES)],
            "tcp": ["tcp-bulk", SERVER, "7003", secs, "2"],
            "http": ["http", SERVER, "80", secs, "64"],
            "request": ["http", SERVER, "80", secs, "1"],
            "latency": ["udp-ping", SERVER, "7002", str(int(seconds * 2000))],
        }[load]

    def run_load(self, load, seconds=None):
        argv = pinned(self.load_cpu, self.load_command(load, seconds or self.options.secs))
        return json.loads(self.net.run("client", *argv, timeout=self.options.secs * 10 + 60).stdout)

    def measure(self, load, name, case):
        # Under overload the queue is at the receiving end, where nothing slows the sender down.
        who, ways = ("server", ("in",)) if load == "overload" else ("client", ("out", "in"))
        argv = self.subject(name, case)
        if argv is None:
            return self.run_load(load)
        process = self.net.start(who, *pinned(self.queue_cpu, argv), log="subject.log")
        try:
            self.net.wait_for(lambda: self.net.queue_bound(who, QUEUE), "the queue was not bound",
                              process, 60)
            self.net.queue_all(who, QUEUE, ways=ways,
                               offload_mark=OFFLOAD_MARK if case == "offload" else None)
            if case in rules_loads.WARM_UP:
                self.run_load(load, rules_loads.WARM_UP_SECONDS)
            before = cpu_seconds(process.pid)
            seen = self.net.queue_state(who, QUEUE)[7]
            result = self.run_load(load)
            after = cpu_seconds(process.pid)
            row = self.net.queue_state(who, QUEUE)
            lost = self.lost(who, row[1])
        finally:
            for tables in ("iptables", "ip6tables"):
                self.net.run(who, tables, "-t", "mangle", "-F")
            self.net.stop(process)
            self.net.processes.remove(process)
        result.update(cpu=after[0] - before[0], user=after[1] - before[1],
                      system=after[2] - before[2], lost=lost, dropped=row[5] + row[6],
                      packets=max(row[7] - seen - lost, 1))
        result["us"] = result["cpu"] / result["packets"] * 1e6
        return result

    def lost(self, who, port):
        """Packets the kernel could not hand over: with fail-open they pass unprocessed, and only
        the drops of the netlink socket tell."""
        with self.net.inside(who), open("/proc/thread-self/net/netlink") as f:
            for line in list(f)[1:]:
                fields = line.split()
                if int(fields[1]) == NETLINK_NETFILTER and int(fields[2]) == port:
                    return int(fields[8])
        return 0

    # --- series and tables

    def series(self, load, case):
        names = ["floor", "program"]
        if load in ("latency", "request", "tcp"):
            names.insert(0, "none")
        if self.options.baseline and case in PROFILES:
            names.append("baseline")
        runs = {name: [] for name in names}
        for i in range(self.options.reps):
            for name in names:
                runs[name].append(self.measure(load, name, case))
            print("# %s %s %d/%d" % (load, case, i + 1, self.options.reps), file=sys.stderr)
        return runs

    def table(self, load, cases):
        print("\n### %s\n\n| case | queued packets/s | CPU us/packet | ratio to the floor | goal | "
              "user time | result |\n|---|---|---|---|---|---|---|" % load, flush=True)
        for case in cases:
            runs = self.series(load, case)
            for name in ("program", "baseline"):
                if name in runs:
                    label = case + (" (baseline)" if name == "baseline" else "")
                    print(self.row(load, case, label, runs, name), flush=True)
            print(self.row(load, "", "floor beside it", runs, "floor"), flush=True)

    def row(self, load, case, label, runs, name):
        own = runs[name]
        cost = cost_per_connection if case == "typical" else cost_per_packet
        ratios = [cost(run) / cost(floor) for run, floor in zip(own, runs["floor"])]
        goal = GOALS.get((load, case))
        user, system = (sum(run[key] for run in own) for key in ("user", "system"))
        ratio = "%.2f (%.2f-%.2f)" % (median(ratios), min(ratios), max(ratios))
        if cost is cost_per_connection:
            ratio += " per connection"
        return "| %s | %.0f | %.2f | %s | %s | %.0f %% | %s |" % (
            label, median([run["packets"] / run["seconds"] for run in own]),
            median([run["us"] for run in own]), "1" if name == "floor" else ratio, goal or "",
            100 * user / max(user + system, 1), self.result(load, runs, name))

    @staticmethod
    def result(load, runs, name):
        own = runs[name]

        def middle(key):
            return median([run[key] for run in own])
        if load == "tcp":
            text = "%.0f Mbit/s, %.0f without queue, %.2f s CPU/GB" % (
                *(median([run["bytes"] * 8e-6 / run["seconds"] for run in r])
                  for r in (own, runs["none"])),
                median([run["cpu"] / run["bytes"] * 1e9 for run in own]))
        elif load == "http":
            text = ("%.0f connections/s, %.1f us CPU each, median %.0f us, p99 %.0f us, "
                    "failed %d") % (
                median([run["count"] / run["seconds"] for run in own]),
                median([cost_per_connection(run) for run in own]), middle("median_us"),
                middle("p99_us"), sum(run["failed"] for run in own))
        elif load in ("latency", "request"):
            text = "median %.1f us (%+.1f to no queue), p99 %.1f us, lost %d" % (
                middle("median_us"),
                median([a["median_us"] - b["median_us"] for a, b in zip(own, runs["none"])]),
                middle("p99_us"), sum(run["failed"] for run in own))
        else:
            text = "%.0f sent/s" % median([run["count"] / run["seconds"] for run in own])
        lost = sum(run["lost"] for run in own)
        if load == "overload" or lost:
            total = sum(run["packets"] for run in own) + lost
            text += ", %.1f %% unprocessed" % (100.0 * lost / total)
        dropped = sum(run["dropped"] for run in own)
        return text + (", %d dropped" % dropped if dropped else "")


def cost_per_packet(run):
    return run["us"]


def cost_per_connection(run):
    return run["cpu"] * 1e6 / max(run["count"], 1)


def median(values):
    return statistics.median(values)


def words(allowed):
    def parse(text):
        unknown = [word for word in text.split(",") if word not in allowed]
        if unknown:
            raise argparse.ArgumentTypeError("unknown: " + ", ".join(unknown))
        return text.split(",")
    return parse


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    cases = list(FLOOR_CASES) + list(PROFILES)
    parser.add_argument("program")
    parser.add_argument("lua_dir")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--secs", type=float, default=2)
    parser.add_argument("--cases", type=words(cases),
                        default=[case for case in cases if case not in BY_NAME])
    parser.add_argument("--loads", type=words(LOADS), default=list(LOADS))
    parser.add_argument("--baseline", metavar="PROGRAM")
    parser.add_argument("--baseline-lua", metavar="DIR")
    parser.add_argument("--no-pin", dest="pin", action="store_false",
                        help="do not give each side a processor of its own")
    options = parser.parse_args()
    reason = why_unavailable()
    if reason:
        sys.exit(reason)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the namespaces are removed at exit
    bench = Bench(options)
    with bench.net:
        print("%d repetitions of %g s, medians (smallest-largest); load %.1f" %
              (options.reps, options.secs, os.getloadavg()[0]))
        for load in options.loads:
            bench.table(load, [case for case in LOADS[load] if case in options.cases])


if __name__ == "__main__":
    main()
