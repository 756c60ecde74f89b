"""What scripts do besides packets: the self test for users, and capture files others can read."""
import glob
import os
import re
import shutil
import subprocess

from harness import (DATA, HTTP_REQUEST, QUEUE, cases, check, check_equal, laboratory,
                     without_root)
from wire import StreamServer, exchange

ALL = ("lib", "antidpi", "auto", "obfs", "pcap")


# --- lua/zapret-tests.lua

RESULT = re.compile(r"^(\d+) passed, (\d+) failed$", re.M)


def self_test(env, *names, extra=()):
    """(exit code, checks passed, checks failed, what was said)"""
    with env.folder() as folder:
        result = env.run("--intercept=0", *laboratory.libraries(folder, env.lua, *names), *extra,
                         *laboratory.libraries(folder, env.lua, "tests"))
        found = RESULT.search(result.stdout)
        check(found, "no result in:\n%s", result.stdout[-1500:] + result.stderr[-500:])
        return result.returncode, int(found[1]), int(found[2]), result.stdout


@without_root
def test_self_test(env):
    code, passed, failed, said = self_test(env, *ALL)
    check_equal("exit code and failures", (code, failed), (0, 0))
    check(passed > 400 and "not loaded" not in said, "only %d checks:\n%s", passed, said)


@without_root
def test_self_test_of_natives(env):
    """Without libraries it tests the program itself and tells what it left out."""
    code, passed, failed, said = self_test(env)
    check_equal("exit code and failures", (code, failed), (0, 0))
    check_equal("libraries left out", said.count("not loaded, not tested"), len(ALL))
    check(passed > 150, "only %d checks", passed)


# What may be broken on a device: something of the program, of a library, the timers.
@without_root
@cases({"native": ("bxor = bor",), "library": ("multisplit = pass",), "missing": ("synhide = nil",),
        "timers": ("timer_set = function() end",)})
def test_self_test_fails(env, damage):
    code, passed, failed, said = self_test(env, *ALL, extra=["--lua-init=" + damage])
    check(code != 0 and failed > 0 and "FAILED" in said, "%s remained unseen: %d, %s", damage, code,
          said[-500:])
    check(passed > 300, "%s ended the other tests: %d passed", damage, passed)


# --- captures written by the pcap function

# name: (recorded input, instances in front of pcap, text that must be readable in the capture)
CAPTURES = {
    "tls": ("085-multisplit-default", [], "www.example.com"),
    "tls6": ("098-multisplit-replay6", [], "www.example.com"),
    "http": ("035-http-domcase", [], "GET /index.html"),
    "quic": ("077-fake-quic", [], "443"),
    "icmp": ("173-ippxor-icmp", [], "ICMP"),
    "orchestrated": ("085-multisplit-default", ["--lua-desync=condition:iff=cond_true",
                                                "--lua-desync=pktmod:ip_ttl=9"], "www.example.com"),
}


def read_capture(path):
    """(number of packets, what was said about them) by tshark or, if it is not there, tcpdump."""
    tools = laboratory.environment()["PATH"]
    if shutil.which("tshark", path=tools):
        command = ["tshark", "-n", "-r", path, "-V"]
        pattern = r"^Frame \d+:"
    else:
        check(shutil.which("tcpdump", path=tools), "neither tshark nor tcpdump is installed")
        command = ["tcpdump", "-n", "-A", "-v", "-r", path]
        pattern = r"^\d\d:\d\d:\d\d\.\d+ IP"
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60,
                            env=laboratory.environment(), check=False)
    complaints = [line for line in result.stderr.splitlines()
                  if not re.match(r"Running as user|reading from file|dropped privs|$", line)]
    check(result.returncode == 0 and not complaints, "%s: %d %s", command[0], result.returncode,
          complaints)
    check(not re.search(r"[Mm]alformed|[Bb]ogus|truncated|cut short|bad-hlen|bad length", result.stdout),
          "%s finds broken packets:\n%s", command[0], result.stdout[-2000:])
    return len(re.findall(pattern, result.stdout, re.M)), result.stdout


def packets_in(path):
    """Number of packets of a little-endian capture file."""
    with open(path, "rb") as f:
        data, at, count = f.read(), 24, 0
    while at < len(data):
        at += 16 + int.from_bytes(data[at + 8:at + 12], "little")
        count += 1
    return count


@without_root
@cases({name: (name,) for name in CAPTURES})
def test_capture(env, name):
    recorded, instances, text = CAPTURES[name]
    source = os.path.join(DATA, "golden", recorded, "in.pcap")
    with env.folder() as folder:
        writable = os.path.join(folder, "writable")
        os.mkdir(writable)
        # The program gives up its rights before it writes.
        os.chmod(writable, 0o777)
        result = env.run("--pcap-in=" + source, "--pcap-out=" + os.path.join(folder, "out.pcap"),
                         "--pcap-local=192.0.2.10,2001:db8:1::10", "--writable=" + writable,
                         *laboratory.libraries(folder, env.lua, *ALL), "--in-range=a",
                         *instances, "--lua-desync=pcap:file=seen.pcap")
        check_equal("exit code", result.returncode, 0)
        count, said = read_capture(os.path.join(writable, "seen.pcap"))
        check_equal("packets in the capture", count, packets_in(source))
        check(text in said, "%r is not in the capture:\n%s", text, said[-2000:])


def test_capture_of_live_traffic(env):
    """A connection through the queue, with the clock of the day and kept from an earlier run."""
    with env.lab() as lab, StreamServer(lab, "server", 8080, len(HTTP_REQUEST)):
        lab.queue_client(QUEUE, ports="8080")
        writable = os.path.join(lab.folder, "writable")
        os.mkdir(writable)
        os.chmod(writable, 0o777)
        counts = []
        for version in (4, 6):
            with env.daemon(lab, "--in-range=a", "--writable=" + writable,
                            "--lua-desync=pcap:file=seen.pcap:keep", libraries=ALL):
                answer = exchange(lab, laboratory.SERVER[version], 8080, HTTP_REQUEST)
                check_equal("answer", answer, StreamServer.REPLY)
            count, said = read_capture(os.path.join(writable, "seen.pcap"))
            counts.append(count)
            check(laboratory.SERVER[version] in said, "IPv%d is not in the capture", version)
        check_equal("files", len(glob.glob(writable + "/*")), 1)
        check(counts[0] >= 7 and counts[1] >= counts[0] + 7, "packets in the capture: %s", counts)
