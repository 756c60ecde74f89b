"""The rules of --print-rules: they load, they go, and what passes behind them is what passes with everything queued."""
import json
import os
import re

import test_golden_live as live
from harness import QUEUE, Daemon, cases, check, check_equal, laboratory
from packets import ACK, PSH, SYN, TCP, ip4, tcp

CLIENT, SERVER = "192.0.2.10", "198.51.100.20"
MANY = ["--qnum=201", "--workers=2", "--offload-mark=0x08000000", "--ct-state-mark=0x07000000",
        "--name=it's \"$(a)\"", "--filter-tcp=80,443,8000-8010",
        "--out-range=-d10", "--in-range=-s5000", "--lua-desync=circular", "--new", "--filter-udp=53",
        "--ipset-ip=10.0.0.0/8,192.0.2.1,2001:db8::/32", "--lua-desync=pass", "--new", "--filter-l3=ipv6",
        "--filter-icmp=128,1:4", "--filter-ipp=47,50", "--in-range=a", "--lua-desync=pass"]
EVERYTHING = ["--qnum=201", "--in-range=a", "--lua-desync=pass"]
OPTIONS = {"many": (MANY,), "everything": (EVERYTHING,), "server": (["--server", *MANY],),
           "ports": (["--qnum=201", "--filter-udp=" + ",".join(map(str, range(1, 99, 2))), "--lua-desync=pass"],),
           "all addresses": (["--qnum=201", "--filter-udp=1", "--ipset-ip=0.0.0.0/0,::/0", "--lua-desync=pass"],)}


def printed(env, options, kind):
    result = env.run(*options, "--print-rules=" + kind)
    check_equal("exit code of --print-rules", (result.returncode, result.stderr), (0, ""))
    return result.stdout


def saved(lab, tool):
    return [line for line in lab.run("box", tool + "-save", "-t", "mangle").stdout.splitlines() if line[0] in ":-"]


@cases(OPTIONS)
def test_iptables(env, options):
    """Loaded twice they are the same, with a device the jumps name it; nothing is left at the end."""
    script = printed(env, options, "iptables")
    with env.lab() as lab:
        before = [saved(lab, tool) for tool in laboratory.TABLES]
        lab.run("box", "sh", "-c", script)
        first = [saved(lab, tool) for tool in laboratory.TABLES]
        check(any("NFQUEUE" in line for line in first[0] + first[1]), "no queue in %s", first)
        check(not any("-o " in line for line in first[0]), "a device in %s", first)
        lab.run("box", "env", "WAN=to-server eth9", "sh", "-c", script)
        lab.run("box", "sh", "-c", script)
        check_equal("rules loaded again", [saved(lab, tool) for tool in laboratory.TABLES], first)
        lab.run("box", "env", "WAN=to-server eth9", "sh", "-c", script)
        check_equal("jumps by device", sum(" -o " in line for line in saved(lab, "iptables") if "-j nfqws2" in line),
                    2 * sum(line.startswith("-A POSTROUTING") for line in first[0]))
        lab.run("box", "sh", "-c", script, "sh", "remove")

        def rules(text):
            return [line for line in text if line[0] == "-" or "nfqws2" in line]
        check_equal("left behind", [rules(saved(lab, tool)) for tool in laboratory.TABLES],
                    [rules(text) for text in before])
        check_equal("sets left behind", lab.run("box", "ipset", "list", "-n").stdout, "")


@cases(OPTIONS)
def test_nft(env, options):
    """The table loads, again too. Where the kernel cannot queue another statement stands for it."""
    text = printed(env, options, "nft")
    if not laboratory.nft_can_queue():
        text = re.sub(r" queue num [0-9-]+ bypass", " counter", text)
    with env.lab() as lab:
        for _ in range(2):
            lab.run("box", "nft", "-f", "-", input=text)
        listing = lab.run("box", "nft", "list", "table", "inet", "nfqws2_201").stdout
        check("chain postrouting" in listing and "notrack" in listing, "loaded: %s", listing)


@cases({"iptables": (), "nft": ()})
def test_what_is_loaded_is_enough(env):
    """--check --rules-now finds nothing missing in what was printed."""
    words = ["--lua-init=function f() end", *[w.replace("=circular", "=f").replace("=pass", "=f") for w in MANY]]
    with env.lab() as lab:
        lab.run("box", "sh", "-c", printed(env, words, "iptables"))
        dump = "".join(lab.run("box", *command).stdout for command in (
            ["iptables-save"], ["ip6tables-save"], ["ipset", "save"]))
        path = os.path.join(lab.folder, "rules")
        with open(path, "w") as f:
            f.write(dump)
        report = json.loads(env.run(*words, "--check=json", "--rules-now=" + path).stdout)
        found = [f for f in report["findings"] if f["option"] == "rules-now"]
        check_equal("findings", [(f["level"], f["text"]) for f in found],
                    [("notice", "rules of ICMP and other protocols are not compared")])
        lab.run("box", "iptables", "-t", "mangle", "-F", "nfqws2_201_out")
        with open(path, "w") as f:
            f.write(lab.run("box", "iptables-save").stdout)
        report = json.loads(env.run(*words, "--check=json", "--rules-now=" + path).stdout)
        texts = " ".join(f["text"] for f in report["findings"] if f["level"] == "warning")
        check("outgoing TCP over IPv4, ports 80,443,8000-8010: not queued" in texts, "found: %s", texts)


def upload(lost, segments=24, size=600):
    """A slow upload: each segment is acknowledged before the next, each third is lost and sent again."""
    def sent(seq, flags, payload=b""):
        return "out", ip4(CLIENT, SERVER, TCP, tcp(CLIENT, SERVER, 40000, 80, seq, 5001, flags, payload))

    def answered(seq, ack, flags):
        return "in", ip4(SERVER, CLIENT, TCP, tcp(SERVER, CLIENT, 80, 40000, seq, ack, flags))
    flow = [sent(1000, SYN), answered(5000, 1001, SYN | ACK), sent(1001, ACK)]
    for n in range(segments):
        data = sent(1001 + n * size, ACK | PSH, bytes([n + 1]) * size)
        flow += [data, data] if lost and n % 3 == 0 else [data]
        flow.append(answered(5001, 1001 + (n + 1) * size, ACK))
    return flow


def through(env, bench, prepare, options, flow):
    """The packets that leave towards the server and back."""
    with bench("e2e1") as lab:
        libraries = lab.libraries(env.lua, "lib", "antidpi")
        prepare(lab, [*libraries, *options])
        process = lab.start_nfqws2(env.program, *libraries, *options, who="box", queue=QUEUE)
        with Daemon(lab, process, "box", QUEUE, False):
            return [(way, raw) for _, way, raw in live.play_flow(lab, flow)]


@cases({"%s%s" % (name, " lost" if lost else ""): (options, lost) for lost in (False, True) for name, options in {
    "d": ["--out-range=-d10"], "n": ["--out-range=-n12"], "s": ["--out-range=-s4000"], "b": ["--out-range=-b4000"],
    "n in": ["--out-range=-n6", "--in-range=-n6"]}.items()})
def test_slow_upload(env, options, lost):
    options = ["--filter-tcp=80", *options, "--lua-desync=multisplit:payload=all:pos=1,300"]
    flow = upload(lost)
    everything = through(env, live.Bench, live.track_connections, options, flow)
    check(len(everything) > len(flow), "nothing was split: %d packets", len(everything))
    behind = through(env, live.RulesBench, live.load_rules(env), options, flow)
    check_equal("packets", [(way, len(raw)) for way, raw in behind], [(way, len(raw)) for way, raw in everything])
