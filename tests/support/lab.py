"""A small network of namespaces: client - box - server, with real tools in it.

    client 10.77.1.2 / fd77:1::2 --- box (router, may filter) --- server 10.77.2.2 / fd77:2::2

Everything a Lab makes (namespaces, processes, folder) is removed by close(), which also runs at
interpreter exit. The traffic never leaves the namespaces.
"""
import atexit
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

from expect import PATIENCE, Failure, comes_true

SBIN = "/usr/local/sbin:/usr/sbin:/sbin"

CLIENT4, CLIENT6 = "10.77.1.2", "fd77:1::2"
SERVER4, SERVER6 = "10.77.2.2", "fd77:2::2"
CLIENT = {4: CLIENT4, 6: CLIENT6}
SERVER = {4: SERVER4, 6: SERVER6}
HEADERS = {"iptables": 52, "ip6tables": 72}  # bytes of IP and of TCP with time stamps
TABLES = tuple(HEADERS)

# Threads of the program, each with a queue of its own.
WORKERS = int(os.environ.get("NFQWS2_TEST_WORKERS", "1"))
# Options that every start of the program gets in addition.
EXTRA = os.environ.get("NFQWS2_EXTRA", "").split()
# The mark of finished connections among them, for the rules.
OFFLOAD_MARK = next((word.partition("=")[2] for word in EXTRA
                     if word.startswith("--offload-mark=")), None)

CLONE_NEWNET = 0x40000000
SIOCETHTOOL = 0x8946
# Segmentation, checksum and receive offloads a real network card would not show on the wire.
ETHTOOL_OFF = (0x1F, 0x24, 0x2C, 0x17)  # TSO, GSO, GRO, TX checksums

NGINX_CONF = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000;
    server {{
        listen 80 backlog=4096;
        listen [::]:80 backlog=4096;
        listen 443 ssl backlog=4096;
        listen [::]:443 ssl backlog=4096;
        ssl_certificate {folder}/site.crt;
        ssl_certificate_key {folder}/site.key;
        root {folder}/www;
        location = /echo-host {{ return 200 "$host\\n"; }}
    }}
}}
"""


class LabError(Failure):
    """The lab itself does not work."""


def queue_options(number, spread=True):
    """Options of a rule's target NFQUEUE for the program's queues from `number` on, or for the first
    alone: which addresses share a queue is another thing after each boot."""
    if WORKERS == 1 or not spread:
        return ["--queue-num", str(number)]
    return ["--queue-balance", "%d:%d" % (number, number + WORKERS - 1)]


def program_options(number):
    """The program's options for those queues."""
    return ["--qnum=%d" % number] + (["--workers=%d" % WORKERS] if WORKERS > 1 else []) + EXTRA


def offload_rules(chain, mark):
    """Rules in front of the one with the queue: what comes round with the mark gives it to its
    connection, and connections with the mark are left alone. What the kernel knows no connection
    for keeps the mark, and the program lets it pass."""
    bit = "%s/%s" % (mark, mark)
    return (["-A", chain, "-m", "mark", "--mark", bit, "-j", "CONNMARK", "--or-mark", mark],
            ["-A", chain, "-m", "mark", "--mark", bit, "-m", "connmark", "--mark", bit, "-j", "MARK",
             "--set-xmark", "0x0/" + mark],
            ["-A", chain, "-m", "connmark", "--mark", bit, "-j", "RETURN"])


def switch_namespace(handle):
    if ctypes.CDLL(None, use_errno=True).setns(handle, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise LabError("setns: " + os.strerror(number))


def why_unavailable():
    """Why namespaces with NFQUEUE cannot be made here, or None."""
    if os.geteuid() != 0:
        return "root is needed to make network namespaces"
    name = "nfqws2-probe-%d" % os.getpid()
    try:
        make = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True,
                              env=environment())
    except FileNotFoundError:
        return "the tool `ip` is not installed"
    if make.returncode != 0:
        return "network namespaces do not work here: " + make.stderr.strip()
    try:
        rule = subprocess.run(
            ["ip", "netns", "exec", name, "iptables", "-t", "mangle", "-A", "POSTROUTING", "-p",
             "tcp", "-j", "NFQUEUE", "--queue-num", "1"], capture_output=True, text=True,
            env=environment())
        if rule.returncode != 0:
            return "iptables -j NFQUEUE does not work here: " + rule.stderr.strip()
    finally:
        subprocess.run(["ip", "netns", "del", name], env=environment(), check=False)
    return None


def nft_can_queue():
    """Does the kernel know the statement? Asked in a namespace of its own."""
    rule = "table inet t { chain c { type filter hook output priority 0; queue num 1 bypass; }; }"
    return subprocess.run(["unshare", "-n", "nft", rule], capture_output=True, check=False,
                          env=environment()).returncode == 0


def environment():
    env = dict(os.environ)
    env["PATH"] = env.get("PATH", "") + ":" + SBIN
    return env


def libraries(folder, source, *names):
    """--lua-init of script libraries, from a copy in `folder` that a user without rights can
    read."""
    target = os.path.join(folder, "lua")
    if not os.path.isdir(target):
        shutil.copytree(source, target)
        for path in [target] + [os.path.join(target, n) for n in os.listdir(target)]:
            os.chmod(path, 0o755)
    return ["--lua-init=@%s/zapret-%s.lua" % (target, name) for name in names]


def pids_of(name):
    """Of what runs in a namespace."""
    return [int(pid) for pid in subprocess.run(
        ["ip", "netns", "pids", name], capture_output=True, text=True, env=environment(),
        check=False).stdout.split()]


def remove_namespace(name):
    """Ends what still runs in a namespace of ours and removes it."""
    for pid in pids_of(name):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(["ip", "netns", "del", name], env=environment(), check=False,
                   capture_output=True)


def set_sysctl(name, value):
    """Of the namespace that the calling thread is in."""
    with open("/proc/sys/" + name, "w") as f:
        f.write("%d\n" % value)


class Lab:
    def __init__(self, label="lab"):
        self.folder = tempfile.mkdtemp(prefix="nfqws2-%s-%d-" % (label, os.getpid()))
        # A killed run may have left namespaces, and process numbers come again.
        self.prefix = os.path.basename(self.folder)
        os.chmod(self.folder, 0o755)
        self.processes = []
        self.namespaces = []
        atexit.register(self.close)
        self._make_network()

    # --- network

    def ns(self, who):
        return "%s-%s" % (self.prefix, who)

    def pids(self, who):
        return pids_of(self.ns(who))

    def command(self, who, *argv):
        return ["ip", "netns", "exec", self.ns(who), *argv]

    def run(self, who, *argv, check=True, timeout=60, **kwargs):
        result = subprocess.run(self.command(who, *argv), capture_output=True, text=True,
                                timeout=timeout, env=environment(), **kwargs)
        if check and result.returncode != 0:
            raise LabError("%s: %s: %s" % (who, " ".join(argv), result.stderr.strip()))
        return result

    def sh(self, who, script, check=True, timeout=60):
        return self.run(who, "sh", "-ec", script, check=check, timeout=timeout)

    @contextlib.contextmanager
    def inside(self, who):
        """The calling thread is in a namespace; what it opens there stays there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open("/run/netns/" + self.ns(who), os.O_RDONLY | os.O_CLOEXEC)
        try:
            switch_namespace(there)
            yield
        finally:
            switch_namespace(home)
            os.close(there)
            os.close(home)

    def socket(self, who, *args):
        """A socket of a namespace, for this process."""
        with self.inside(who):
            return socket.socket(*args)

    def listens(self, who, port):
        with self.socket(who, socket.AF_INET, socket.SOCK_STREAM) as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def start(self, who, *argv, log=None):
        """Starts a process that close() ends. Output goes to a file of the lab's folder."""
        path = os.path.join(self.folder, log or "process-%d.log" % len(self.processes))
        with open(path, "wb") as out:
            process = subprocess.Popen(self.command(who, *argv), stdout=out, stderr=out,
                                       stdin=subprocess.DEVNULL, env=environment())
        process.log = path
        self.processes.append(process)
        return process

    def _make_namespace(self, who):
        subprocess.run(["ip", "netns", "add", self.ns(who)], check=True, env=environment(),
                       capture_output=True)
        self.namespaces.append(self.ns(who))

    def _make_network(self):
        for who in ("client", "box", "server"):
            self._make_namespace(who)
            with self.inside(who):
                for scope in ("all", "default"):
                    set_sysctl("net/ipv6/conf/%s/accept_dad" % scope, 0)
                    # Nor does a kernel that looks for routers send anything by itself.
                    set_sysctl("net/ipv6/conf/%s/router_solicitations" % scope, 0)
        plan = {who: ["link set lo up"] for who in ("box", "client", "server")}
        for end, here in (("client", 1), ("server", 2)):
            # Known hardware addresses: nobody has to ask, no first packet has to wait.
            mac = ["02:00:00:00:%02d:%02d" % (here, side) for side in (1, 2)]
            plan["box"].append("link add to-%s address %s type veth peer name eth0 address %s netns %s" % (
                end, mac[0], mac[1], self.ns(end)))
            for who, name, side in ((end, "eth0", 2), ("box", "to-" + end, 1)):
                place = {"n": here, "s": side, "o": 3 - side, "d": name, "m": mac[2 - side]}
                plan[who] += [line.format(**place) for line in (
                    "addr add 10.77.{n}.{s}/24 dev {d}", "addr add fd77:{n}::{s}/64 dev {d} nodad",
                    "link set {d} up", "neigh add 10.77.{n}.{o} lladdr {m} dev {d}",
                    "neigh add fd77:{n}::{o} lladdr {m} dev {d}")]
            plan[end] += ["route add default via 10.77.%d.1" % here,
                          "route add ::/0 via fd77:%d::1" % here]
        for who, lines in plan.items():
            subprocess.run(["ip", "-n", self.ns(who), "-batch", "-"], check=True, capture_output=True,
                           text=True, input="\n".join(lines) + "\n", env=environment())
        with self.inside("box"):
            set_sysctl("net/ipv4/ip_forward", 1)
            set_sysctl("net/ipv6/conf/all/forwarding", 1)
        for end in ("client", "server"):
            self.offloads_off(end, "eth0")
            self.offloads_off("box", "to-" + end)
        self._wait_for_path(4, socket.IPPROTO_ICMP, b"\x08\0\xf7\xff\0\0\0\0", 0)
        self._wait_for_path(6, socket.IPPROTO_ICMPV6, b"\x80" + bytes(7), 129)

    def _wait_for_path(self, version, protocol, request, reply):
        """Until an echo comes back: on a busy machine the kernel takes up to a second to see that a link
        is up, and until then packets are refused or lost."""
        family, address = {4: (socket.AF_INET, SERVER4), 6: (socket.AF_INET6, SERVER6)}[version]
        with self.socket("client", family, socket.SOCK_RAW, protocol) as s:
            s.settimeout(0.05)

            def answered():
                try:
                    s.sendto(request, (address, 0))
                    return s.recv(200)[-len(request)] == reply
                except OSError:
                    return False
            self.wait_for(answered, "there is no way to %s" % address)

    def offloads_off(self, who, interface):
        """The wire shows what a real network card would: no super-packets, checksums complete."""
        self.set_offloads(who, interface, 0)

    def set_offloads(self, who, interface, on):
        with self.socket(who, socket.AF_INET, socket.SOCK_DGRAM) as control:
            for command in ETHTOOL_OFF:
                value = ctypes.create_string_buffer(struct.pack("II", command, on))
                request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
                fcntl.ioctl(control, SIOCETHTOOL, request)

    def filter_words(self, *words, who="box", chain="FORWARD", interface="to-client", drop=False):
        """The box, or somebody else, resets or drops every packet towards the server that shows one of the words. It
        looks behind the time stamps of the header: with some of them the rest of a word would be a whole one."""
        where = [chain] + (["-i", interface] if interface else [])
        end = ["DROP"] if drop else ["REJECT", "--reject-with", "tcp-reset"]
        for word in words:
            for tables in TABLES:
                self.run(who, tables, "-A", *where, "-p", "tcp", "-m", "string", "--string", word, "--algo", "bm",
                         "--from", str(HEADERS[tables]), "-j", *end)

    # --- tools

    def start_site(self, *names):
        """nginx with HTTP and HTTPS for the names; the certificate is <folder>/site.crt."""
        www = os.path.join(self.folder, "www")
        os.makedirs(www, exist_ok=True)
        with open(os.path.join(www, "index.html"), "w") as f:
            f.write("It works: the site is open.\n")
        with open(os.path.join(www, "big.bin"), "wb") as f:
            f.write(os.urandom(1 << 20))
        for path in (www, os.path.join(www, "index.html"), os.path.join(www, "big.bin")):
            os.chmod(path, 0o755)
        san = ",".join("DNS:" + n for n in names)
        # A key of a curve is made at once, one of RSA after many tries.
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-days", "2", "-subj", "/CN=" + names[0], "-addext",
                        "subjectAltName=" + san, "-keyout", self.folder + "/site.key", "-out",
                        self.folder + "/site.crt"], check=True, capture_output=True)
        conf = self.folder + "/nginx.conf"
        with open(conf, "w") as f:
            f.write(NGINX_CONF.format(folder=self.folder))
        process = self.start("server", "nginx", "-p", self.folder, "-e",
                             self.folder + "/nginx-error.log", "-c", conf, "-g", "daemon off;",
                             log="nginx.log")
        self.wait_for(lambda: self.listens("server", 80), "nginx did not start", process)
        return process

    def curl(self, *args, name=None, port=None, version=4, timeout=PATIENCE):
        """curl in the client's namespace; `name` is resolved to the server's address. What is blocked is reset,
        so only what swallows packets makes it wait for the time-out."""
        argv = ["curl", "-s", "-S", "-m", str(timeout), "--cacert", self.folder + "/site.crt"]
        if name:
            address = SERVER4 if version == 4 else "[%s]" % SERVER6
            for p in ([port] if port else [80, 443]):
                argv += ["--resolve", "%s:%d:%s" % (name, p, address)]
        return self.run("client", *argv, *args, check=False, timeout=timeout + 30)

    def queue_client(self, number=200, ports="80,443", packets=None, mark="0x40000000",
                     protocol="tcp", offload_mark=OFFLOAD_MARK, spread=True):
        """Sends the client's packets for the ports, and the answers, to an NFQUEUE; without `spread`
        one worker sees them all."""
        for tables in TABLES:
            base = [tables, "-t", "mangle"]
            self.spare_offloaded("client", tables, ("POSTROUTING", "PREROUTING"), offload_mark)
            limit = []
            if packets:
                limit = ["-m", "connbytes", "--connbytes", "1:%d" % packets, "--connbytes-mode",
                         "packets", "--connbytes-dir"]
            self.run("client", *base, "-A", "POSTROUTING", "-o", "eth0", "-p", protocol, "-m",
                     "multiport", "--dports", ports, "-m", "mark", "!", "--mark",
                     "%s/%s" % (mark, mark), *(limit + ["original"] if limit else []), "-j",
                     "NFQUEUE", *queue_options(number, spread), "--queue-bypass")
            self.run("client", *base, "-A", "PREROUTING", "-i", "eth0", "-p", protocol, "-m",
                     "multiport", "--sports", ports, *(limit + ["reply"] if limit else []), "-j",
                     "NFQUEUE", *queue_options(number, spread), "--queue-bypass")

    def spare_offloaded(self, who, tables, chains, mark):
        for chain in chains if mark else ():
            for rule in offload_rules(chain, mark):
                self.run(who, tables, "-t", "mangle", *rule)

    def queue_all(self, who, number=200, interface="eth0", ways=("out", "in"), mark="0x40000000",
                  offload_mark=OFFLOAD_MARK):
        """Sends all IP packets of an interface to an NFQUEUE."""
        chains = {"out": ("POSTROUTING", "-o"), "in": ("PREROUTING", "-i")}
        for tables in TABLES:
            self.spare_offloaded(who, tables, [chains[way][0] for way in ways], offload_mark)
            for chain, option in (chains[way] for way in ways):
                self.run(who, tables, "-t", "mangle", "-A", chain, option, interface, "-m", "mark",
                         "!", "--mark", "%s/%s" % (mark, mark), "-j", "NFQUEUE",
                         *queue_options(number), "--queue-bypass")

    def libraries(self, source, *names):
        """--lua-init of script libraries."""
        return libraries(self.folder, source, *names)

    def start_nfqws2(self, program, *args, who="client", queue=200, ready_timeout=PATIENCE):
        process = self.start(who, program, *program_options(queue), *args,
                             log="nfqws2-%d.log" % len(self.processes))
        self.wait_for(lambda: self.queue_bound(who, queue), "nfqws2 did not bind its queue",
                      process, ready_timeout)
        return process

    def queue_state(self, who, queue):
        """The kernel's row of a bound queue: number, owner, waiting, copy mode, copy range, dropped
        by the kernel, dropped for the program, last id; or None. Of several workers the first
        row, with the sums of what is waiting, dropped and seen and the least copy mode; None unless
        all queues are bound."""
        path = "/proc/thread-self/net/netfilter/nfnetlink_queue"
        with self.inside(who):
            if not os.path.exists(path):  # the kernel's module is loaded when it is needed
                return None
            with open(path) as f:
                rows = [[int(word) for word in line.split()] for line in f]
        rows = [row for row in rows if queue <= row[0] < queue + WORKERS]
        if len(rows) < WORKERS:
            return None
        sums = {column: sum(row[column] for row in rows) for column in (2, 5, 6, 7)}
        sums[3] = min(row[3] for row in rows)
        return [sums.get(column, value) for column, value in enumerate(rows[0])]

    def counters(self, queue):
        """Where connections may have been lost, for who looks at a failure: the client's queue, resets of each
        namespace, and what the box has refused."""
        lines = ["queue: %s" % self.queue_state("client", queue)]
        for who in ("client", "box", "server"):
            with self.inside(who), open("/proc/thread-self/net/snmp") as f:
                names, values = [line.split()[1:] for line in f if line.startswith("Tcp:")]
            tcp = dict(zip(names, values))
            lines.append("%s: %s" % (who, " ".join("%s=%s" % (name, tcp[name]) for name in (
                "AttemptFails", "EstabResets", "RetransSegs", "OutRsts"))))
        for tables in TABLES:
            lines += [line.strip() for line in self.run(
                "box", tables, "-L", "FORWARD", "-vnx", check=False).stdout.splitlines() if "REJECT" in line]
        return "\n".join(lines)

    def queue_bound(self, who, queue):
        """Before it has a copy mode a queue drops everything."""
        state = self.queue_state(who, queue)
        return state is not None and state[3] == 2

    @staticmethod
    def wait_for(condition, complaint, process=None, timeout=PATIENCE):
        """Until the condition is true, no longer than the process lives that is to bring it about."""
        true = False

        def true_or_over():
            nonlocal true
            over = process is not None and process.poll() is not None  # asked first: its last deed counts
            true = condition()
            return true or over
        comes_true(true_or_over, timeout, pause=0.05)
        if true:
            return
        text = ""
        if process is not None:
            with open(process.log, errors="replace") as f:
                text = ":\n" + f.read()[-2000:]
        raise LabError(complaint + text)

    @staticmethod
    def stop(process, sig=signal.SIGTERM, timeout=PATIENCE):
        """Ends a process; its exit code."""
        if process.poll() is None:
            process.send_signal(sig)
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return process.returncode

    def close(self):
        for process in reversed(self.processes):
            self.stop(process, timeout=3)
        self.processes = []
        for name in self.namespaces:
            remove_namespace(name)
        self.namespaces = []
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
