"""--ct with a kernel: where the facts come from, and that they are those of the kernel."""
import socket

import packets
from harness import QUEUE, cases, check, check_equal, laboratory
from wire import DatagramServer, StreamServer

PORT = 5000
MASK = 0x07000000
STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")
SHOW = ["--lua-init=function show(c,d) print('ct '..d.ct.source..' '..d.ct.state..'/'..tostring(d.ct.dir)"
        "..' '..tostring(d.ct.exact)..' '..tostring(d.ct.orig and d.ct.orig.dport)..'.') end",
        "--payload=all", "--out-range=a", "--in-range=a", "--lua-desync=show"]
REFUSED = "does not add connections to queued packets"


def has_glue(env):
    """Whether this kernel adds connections to queued packets."""
    with env.lab() as lab:
        lab.queue_client(QUEUE, ports=str(PORT))
        run = lab.run("client", env.program, "--qnum=%d" % QUEUE, "--ct=queue", "--intercept=1",
                      "--lua-init=error('far enough')", check=False)
        return REFUSED not in run.stdout + run.stderr


def state_rules(lab, chain):
    """The rules of the manual, in front of the queue's, which also count."""
    for value, state in enumerate(STATES, 1):
        lab.run("client", "iptables", "-t", "mangle", "-I", chain, str(value), "-m", "conntrack", "--ctstate",
                state, "-j", "MARK", "--set-xmark", "0x%x/0x%x" % (value << 24, MASK))


def track(lab):
    """A rule that needs states turns the tracking on."""
    lab.run("client", "iptables", "-t", "mangle", "-A", "INPUT", "-m", "conntrack", "--ctstate", "NEW")


def exchange(lab):
    """A query, another one, its answer, a third query; what was sent is waited for."""
    s = lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(laboratory.PATIENCE)
    s.connect((laboratory.SERVER[4], PORT))
    return s


def states(daemon):
    return [line.split()[2] for line in daemon.output().splitlines() if line.startswith("ct ")]


def test_the_queue_is_named(env):
    if has_glue(env):
        return  # tests/vm has such a kernel
    with env.lab() as lab:
        lab.queue_client(QUEUE, ports=str(PORT))
        run = lab.run("client", env.program, "--qnum=%d" % QUEUE, "--ct=queue", check=False)
        check_equal("exit code", run.returncode, 1)
        check("--ct=queue: the kernel " + REFUSED in run.stdout + run.stderr, "it said: %s", run.stderr)


@cases({"netlink": (["--ct=netlink"], "conntrack facts: by netlink"),
        "sim": (["--ct=sim"], "conntrack facts: simulated: --ct=sim"),
        "mark": (["--ct=mark", "--ct-state-mark=0x07000000"],
                 "conntrack facts: from mark bits 0x07000000, details by netlink")})
def test_states_of_a_connection(env, options, line):
    with env.lab() as lab:
        track(lab)
        lab.queue_client(QUEUE, ports=str(PORT), protocol="tcp")
        if "--ct=mark" in options:
            state_rules(lab, "POSTROUTING")
        with StreamServer(lab, "server", PORT) as server, env.daemon(lab, *options, *SHOW) as daemon:
            check(line in daemon.output(), "it said: %s", daemon.output()[-500:])
            s = lab.socket("client", socket.AF_INET, socket.SOCK_STREAM)
            s.settimeout(laboratory.PATIENCE)
            s.connect((laboratory.SERVER[4], PORT))
            s.sendall(b"hello")
            lab.wait_for(lambda: server.streams and bytes(server.streams[-1]) == b"hello", "no data came")
            s.close()
            # By netlink a connection is found once its first packet has passed.
            daemon.wait_output(" established/original ")
            first = next(line for line in daemon.output().splitlines() if line.startswith("ct "))
            check(" new/" in first, "the first packet is: %s", first)
            exact = "true" if "--ct=mark" in options else "false"
            check(" %s " % exact in first, "the first packet is: %s", first)


def rule_counters(lab, chain):
    """Packets that each rule of state_rules() has seen."""
    lines = lab.run("client", "iptables", "-t", "mangle", "-nvxL", chain).stdout.splitlines()
    counts = {}
    for line in lines:
        words = line.split()
        if "ctstate" in words:
            counts[words[words.index("ctstate") + 1].lower()] = int(words[0])
    return counts


def test_states_agree_with_the_counters_of_rules(env):
    """What leaves: new, established and invalid, as the rules in front of the queue's count them."""
    show = ["--lua-init=function show(c,d) print('ct '..d.ct.source..' '..d.ct.state..'.') end",
            "--payload=all", "--out-range=a", "--in-range=x", "--lua-desync=show"]
    with env.lab() as lab:
        track(lab)
        for protocol in ("udp", "tcp"):
            lab.queue_client(QUEUE, ports=str(PORT), protocol=protocol)
        # Whatever the kernel sends of itself does not belong to the test.
        lab.run("client", "iptables", "-t", "mangle", "-I", "POSTROUTING", "1", "!", "-o", "eth0", "-j", "ACCEPT")
        with DatagramServer(lab, "server", PORT), StreamServer(lab, "server", PORT) as server, env.daemon(
                lab, "--ct=mark", "--ct-state-mark=0x07000000", *show) as daemon:
            state_rules(lab, "POSTROUTING")
            asks = exchange(lab)
            for _ in range(2):
                asks.send(b"q")
                asks.recv(10)
            with lab.socket("client", socket.AF_INET, socket.SOCK_STREAM) as s:
                s.settimeout(laboratory.PATIENCE)
                s.connect((laboratory.SERVER[4], PORT))
                s.sendall(b"hello")
                lab.wait_for(lambda: server.streams and bytes(server.streams[-1]) == b"hello", "no data came")
            ends = (laboratory.CLIENT4, laboratory.SERVER4)
            lone = packets.tcp(*ends, 999, PORT, 1, 1, packets.SYN | packets.ACK, b"")
            with lab.socket("client", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
                raw.sendto(lone, (laboratory.SERVER4, 0))
            daemon.wait_output("ct mark invalid.")

            def agree():
                text = daemon.output()
                told = {state.lower(): text.count("ct mark %s." % state.lower()) for state in STATES}
                counted = rule_counters(lab, "POSTROUTING")
                return told == counted and told["new"] >= 2 and told["established"] >= 3
            lab.wait_for(agree, "states and counters differ")


def test_ftp_is_expected(env):
    """ct_expect needs a connection with a helper; what it announces is related for the firewall too."""
    script = ["--lua-init=function expect(c,d) local t = {dst=d.dis.ip.ip_dst, dport=5555} "
              "if #d.dis.payload > 0 then print('expect', ct_expect(c,t)) print('again', ct_expect(c,t)) end end",
              "--payload=all", "--out-range=a", "--lua-desync=expect"]
    with env.lab() as lab:
        track(lab)
        lab.queue_client(QUEUE, ports="21,%d" % PORT)
        lab.run("client", "iptables", "-t", "raw", "-A", "OUTPUT", "-p", "tcp", "--dport", "21", "-j", "CT",
                "--helper", "ftp")
        lab.run("client", "iptables", "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "RELATED", "-p", "tcp",
                "--dport", "5555")
        with StreamServer(lab, "server", 21), StreamServer(lab, "server", PORT), \
                StreamServer(lab, "server", 5555), env.daemon(lab, "--ct=netlink", *script) as daemon:
            held = []
            for port in (PORT, 21, 5555):
                s = lab.socket("client", socket.AF_INET, socket.SOCK_STREAM)
                s.settimeout(laboratory.PATIENCE)
                s.connect((laboratory.SERVER[4], port))
                held.append(s)
                if port == PORT:
                    s.sendall(b"hello")
                    daemon.wait_output("expect\tnil\tthe connection has no helper: assign one by a firewall rule\t95")
                elif port == 21:
                    s.sendall(b"NOOP\r\n")
                    daemon.wait_output("expect\ttrue")
                    daemon.wait_output("again\tnil\tFile exists\t17")
            lines = lab.run("client", "iptables", "-nvxL", "OUTPUT").stdout.splitlines()
            related = [line.split()[0] for line in lines if "RELATED" in line]
            check_equal("packets that the firewall takes for related", related, ["1"])


def test_automatic_choice(env):
    glue = has_glue(env)
    with env.lab() as lab:
        track(lab)
        lab.queue_client(QUEUE, ports=str(PORT), protocol="udp")
        with DatagramServer(lab, "server", PORT), env.daemon(lab, "--ct-state=new", *SHOW) as daemon:
            check(("from the queue" if glue else "by netlink, this kernel") in daemon.output(),
                  "it said: %s", daemon.output()[-500:])
            exchange(lab).send(b"q")
            daemon.wait_output(" new/original ")


def test_marks_are_set(env):
    """ct_set on the first packet takes effect, although the kernel has the connection only later."""
    script = ["--lua-init=function mark(c,d) print('set '..tostring(ct_set(c,{mark=0x77}))..' was '.."
              "tostring(d.ct.mark)..'.') end",
              "--payload=all", "--lua-desync=mark"]
    with env.lab() as lab:
        track(lab)
        lab.queue_client(QUEUE, ports=str(PORT), protocol="udp")
        with DatagramServer(lab, "server", PORT), env.daemon(lab, "--ct=netlink", *script) as daemon:
            s = exchange(lab)
            s.send(b"q")
            daemon.wait_output("set true was nil.")

            # The change was sent behind the verdict, or with this one's.
            def marked():
                s.send(b"q")
                return "was 119." in daemon.output()
            lab.wait_for(marked, "the kernel's connection has no mark")
