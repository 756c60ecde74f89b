"""What the kernel does for the program: connections in the queue, fast paths, tunnels, the fence."""
import functools
import os
import re
import socket
import subprocess
import sys

from world import ROOT, cases, check, check_equal, contains, laboratory, long

from queue_reader import QueueReader
from test_service_rules import BLOCKED, NAMES, download, queued, router

COST = 8
NEW, ESTABLISHED_REPLY = 2, 3

# name -> (chain, further rule, is the connection told of a first packet)
PLACES = {
    "tracked": ("postrouting priority mangle", "ct mark 0x1 accept", True),
    "nothing_asks_for_tracking": ("postrouting priority mangle", "meta mark 0x1 accept", False),
    "before_tracking": ("output priority raw", "ct mark 0x1 accept", False),
    "notrack": ("postrouting priority mangle", "ct mark 0x1 accept; }; chain n { type filter hook output "
                "priority raw; udp dport 5000 notrack", False),
}


@cases(PLACES)
def test_connection_in_the_queue(env, chain, rule, told):
    """NFQA_CT comes with a packet where the rules make the kernel track, and behind the place where it does."""
    with env.lab() as lab, QueueReader(7, functools.partial(lab.socket, "client"), connections=True) as queue:
        lab.run("client", "nft", "table inet t { chain c { type filter hook %s; %s; udp dport 5000 "
                "queue num 7; }; }" % (chain, rule))
        with lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"question", (laboratory.SERVER4, 5000))
            names, state = queue.next()
        print("%s, state %s" % (", ".join(sorted(names)) or "nothing", state))
        if told:
            check({"original", "reply", "status", "id"} <= names, "only %s", names)
            check_equal("state", state, NEW)
        else:
            check_equal("told", (names, state), (set(), None))


OFFLOADED = """
table inet fast {
    flowtable ft { hook ingress priority 0; devices = { "to-client", "to-server" }; }
    chain forward {
        type filter hook forward priority filter;
        ct mark and 0x08000000 != 0 meta l4proto tcp flow add @ft
        meta l4proto tcp counter
    }
    chain outgoing {
        type filter hook postrouting priority mangle;
        meta mark and 0x08000000 != 0 ct mark set ct mark or 0x08000000 meta mark set meta mark and 0xf7ffffff
        meta mark and 0x40000000 != 0 return
        ct mark and 0x08000000 == 0 oifname "to-server" tcp dport 443 queue num 200 bypass
    }
    chain incoming {
        type filter hook prerouting priority dstnat + 1;
        meta mark and 0x08000000 != 0 ct mark set ct mark or 0x08000000 meta mark set meta mark and 0xf7ffffff
        ct mark and 0x08000000 == 0 iifname "to-server" tcp sport 443 queue num 200 bypass
    }
}
"""


def test_offload_mark_and_flow_offload(env):
    """The kernel takes a connection over as soon as the program has finished with it, not before."""
    with env.lab() as lab:
        lab.start_site(*NAMES)
        router(lab)
        lab.run("box", "nft", "-f", "-", input=OFFLOADED)
        with env.daemon(lab, "--offload-mark=0x08000000", "--filter-tcp=443", "--out-range=-d6",
                        "--payload=tls_client_hello", "--lua-desync=multisplit:pos=1,midsld", who="box"):
            check_equal("curl's exit code", download(lab, BLOCKED).returncode, 0)
            count = queued(lab, "box", 200)
        rules = lab.run("box", "nft", "list", "chain", "inet", "fast", "forward").stdout
        slow = int(re.search(r"counter packets (\d+)", rules)[1])
        print("%d packets queued, %d forwarded slowly" % (count, slow))
        check(4 < count < 300, "%d packets were queued", count)
        check(4 < slow < 300, "%d packets were forwarded slowly", slow)


def test_landlock(env):
    """It is there, and the fence is made with it."""
    with env.folder() as folder:
        script = folder + "/script.lua"
        with open(script, "w", encoding="ascii") as f:
            f.write("for l in io.lines('/proc/self/status') do print(l) end print(io.open('/etc/shadow'))")
        result = env.run("--debug", "--intercept=0", "--user=nobody", "--lua-init=@" + script)
        said = result.stdout + result.stderr
        version = re.search(r"sandbox: Landlock version (\d+), (\d+) rules", said)
        check(version and int(version[1]) >= 2 and int(version[2]) > 3, "no Landlock:\n%s", said[-2000:])
        print(version[0])
        contains(said, "Seccomp:\t2\n", "NoNewPrivs:\t1\n", "nil\t")
        check_equal("exit code", result.returncode, 0)


# name -> arguments behind PROGRAM LUA_DIR of the end-to-end tests
ENDTOEND = {
    "wireguard": ["obfuscation.wireguard_tunnel"],
    "sandbox": ["sandbox.forbidden_call", "sandbox.report", "sandbox.off", "sandbox.allowed_path",
                "sandbox.lists_and_logs"],
    "sandbox_hostile": ["sandbox.hostile", "sandbox.compatible", "sandbox.endless", "sandbox.default"],
    **{name: ["--file", name] for name in ("offload", "queue", "startup", "strategies", "sites", "udp")},
}


def run_suite(*command):
    """What a runner says, told at once: there may be no end. A failure if it has one or did nothing."""
    # What two megabytes show, a fifth of one does on an emulated processor.
    with subprocess.Popen([sys.executable, *command], text=True, cwd=ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=dict(os.environ, NFQWS2_TRANSFER_MB="0.2")) as suite:
        said = ""
        for line in suite.stdout:
            print(line, end="", flush=True)
            said += line
    totals = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", said, re.M)
    check(totals and suite.returncode == 0 and int(totals[-1][0]) > 0 and totals[-1][1:] == ("0", "0"),
          "exit code %d", suite.returncode)
    return said


@cases({name: (parts,) for name, parts in ENDTOEND.items()})
def test_end_to_end(env, parts):
    """Tests that exist already, on this kernel."""
    said = run_suite("tests/e2e/run.py", env.program, env.lua, "-v", "-j", "1", *parts)
    if "obfuscation.wireguard_tunnel" in parts:
        check("not tested" not in said and os.path.exists("/sys/module/wireguard"), "not the kernel's:\n%s", said)


test_end_to_end.long_cases = [name for name in ENDTOEND if name not in ("wireguard", "sandbox")]


@long
@cases({name: (name,) for name in ("nftables", "offload", "custom", "iptables", "workers", "systemd")})
def test_service(env, module):
    """The tests of the service scripts: without the stand-in for the queue statement, and with ip_tables. To the
    kernel all shells are the same."""
    run_suite("tests/service/run.py", os.path.dirname(env.program), "--file", module, "[dash]")


@long
def test_fence_alone(env):
    """The unit tests of Landlock and seccomp, which reach below the checks of Lua's functions."""
    test = os.path.join(os.path.dirname(env.program), "tests", "test_sandbox")
    check(os.path.exists(test), "build the target test_sandbox")
    result = subprocess.run([test, "--gtest_color=no"], capture_output=True, text=True, check=False)
    print(result.stdout[-3000:])
    check(result.returncode == 0 and "[  SKIPPED ]" not in result.stdout, "%s", result.stdout[-6000:])


def test_facts_of_the_queue(env):
    """--ct=queue: the connections that come with packets are those of the kernel's table, and a mark that a script
    sets on the first packet is there."""
    script = ("--lua-init=function tell(c,d) print('ct '..d.ct.source..' '..d.ct.state..' '..tostring(d.ct.exact)"
              "..' '..d.ct.id..' '..d.ct.mark..'.') if d.ct.mark == 119 then local l=ct_lookup(d.ct.orig) "
              "print('table '..l.id..' '..l.mark..'.') end ct_set(c,{mark=0x77}) end")
    with env.lab() as lab:
        lab.run("client", "nft", "table inet t { chain c { type filter hook postrouting priority mangle; "
                "ct mark 0x1 accept; udp dport 5000 queue num 200; }; }")
        with env.daemon(lab, "--ct=queue", script, "--payload=all", "--lua-desync=tell") as daemon:
            contains(daemon.output(), "conntrack facts: from the queue")
            with lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(b"question", (laboratory.SERVER4, 5000))
                daemon.wait_output("ct queue new true ")
                told = re.search(r"ct queue new true (\d+) 0\.", daemon.output())
                s.sendto(b"question", (laboratory.SERVER4, 5000))
                daemon.wait_output("ct queue new true %s 119." % told[1])
            # By its tuple, from the table itself.
            daemon.wait_output("table %s 119." % told[1])
