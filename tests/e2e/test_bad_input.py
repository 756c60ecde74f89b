"""Mistakes of the person at the keyboard: one clear line that names the culprit, and the right exit
code."""
import gzip
import os
import re
import subprocess

from cases import Skipped
from harness import CRASH, DATA, Failure, check, check_equal, without_root
from packets import read_pcap

CAPTURE = os.path.join(DATA, "golden", "085-multisplit-default", "in.pcap")
RUN = ["--qnum=200"]
OFFLINE = ["--pcap-in=" + CAPTURE]

# name: (arguments, what the message must hold); "@NAME" is a file made by prepare()
COMMAND_LINES = {
    "unknown option": (["--no-such-option"], "--no-such-option"),
    "unknown option behind good ones": (RUN + ["--debug", "--filter-tpc=80"], "--filter-tpc"),
    "ambiguous option": (["--lua=3"], "--lua"),
    "missing value": (["--qnum"], "--qnum"),
    "value not allowed": (["--daemon=1"], "--daemon"),
    "no queue number": (["--debug=0"], "--qnum"),
    "queue number too big": (["--qnum=65536"], "qnum"),
    "queue number negative": (["--qnum=-1"], "qnum"),
    "queue number not a number": (["--qnum=abc"], "qnum"),
    "bad mark": (RUN + ["--fwmark=zero"], "fwmark"),
    "mark zero": (RUN + ["--fwmark=0"], "fwmark"),
    "bad time-outs": (RUN + ["--ctrack-timeouts=1:2"], "ctrack-timeouts"),
    "bad payload": (RUN + ["--payload=nonsense"], "nonsense"),
    "bad protocol": (RUN + ["--filter-l7=nonsense"], "nonsense"),
    "bad ports": (RUN + ["--filter-tcp=80-70"], "80-70"),
    "port too big": (RUN + ["--filter-udp=65536"], "65536"),
    "bad ICMP filter": (RUN + ["--filter-icmp=300"], "300"),
    "bad IP protocol": (RUN + ["--filter-ipp=256"], "256"),
    "bad L3 filter": (RUN + ["--filter-l3=ipv5"], "ipv5|filter-l3"),
    "bad range": (RUN + ["--out-range=n5"], "n5"),
    "bad function name": (RUN + ["--lua-desync=a-b:c"], "a-b"),
    "bad argument": (RUN + ["--lua-desync=f::a"], "f::a"),
    "bad debug target": (RUN + ["--debug=nowhere"], "nowhere"),
    "bad disabled payload": (RUN + ["--payload-disable=nonsense"], "nonsense"),
    "bad reassembly list": (RUN + ["--reasm-disable=nonsense"], "nonsense"),
    "unknown user": (RUN + ["--user=no-such-user"], "user"),
    "bad uid": (RUN + ["--uid=1:"], "uid"),
    "unknown template": (RUN + ["--import=nobody"], "nobody"),
    "no host list": (RUN + ["--hostlist=/no/such/list"], "/no/such/list"),
    "no ip set": (RUN + ["--ipset=/no/such/set"], "/no/such/set"),
    "host list is a folder": (RUN + ["--hostlist=@folder"], "folder"),
    "no automatic list": (RUN + ["--hostlist-auto=/no/such/list"], "/no/such/list"),
    "bad threshold": (RUN + ["--hostlist-auto-fail-threshold=99"], "threshold"),
    "two automatic lists": (RUN + ["--hostlist-auto=@auto1", "--hostlist-auto=@auto2"], "auto"),
    "automatic list in server mode": (RUN + ["--server", "--hostlist-auto=@auto1"], "server"),
    "list not for the user": (RUN + ["--hostlist=@secret"], r"--hostlist' \(argument 2\)"),
    "broken gzip list": (RUN + ["--hostlist=@broken.gz"], r"--hostlist' \(argument 2\)"),
    "no pid folder": (RUN + ["--pidfile=/no/such/pid"], "/no/such/pid"),
    "no folder to go to": (RUN + ["--chdir=/no/such/folder"], "chdir"),
    "no blob": (RUN + ["--blob=b:@/no/such/blob"], "/no/such/blob"),
    "blob not hex": (RUN + ["--blob=b:0xabc"], "0xabc|hex"),
    "blob twice": (RUN + ["--blob=b:0x00", "--blob=b:0x01"], "'b'|duplicate"),
    "blob of the program": (RUN + ["--blob=fake_default_tls:0x00"], "fake_default_tls"),
    "blob offset": (RUN + ["--blob=b:+100@@tiny"], "100"),
    "no script": (RUN + ["--lua-init=@/no/such/file.lua"], "/no/such/"),
    "script not for the user": (RUN + ["--lua-init=@@secret"], r"--lua-init' \(argument 2\)"),
    "script with wrong syntax": (RUN + ["--lua-init=@@syntax.lua"], r"syntax\.lua:2"),
    "script that fails": (RUN + ["--lua-init=@@fails.lua"], r"fails\.lua:3.*no luck"),
    "source that fails": (RUN + ["--lua-init=error('no luck')"], "no luck"),
    "source with wrong syntax": (RUN + ["--lua-init=this is not Lua"], "is|=' expected"),
    "function missing": (RUN + ["--lua-desync=no_such_function"], "no_such_function"),
    "broken gzip script": (RUN + ["--lua-init=@@broken.gz"], r"broken\.gz"),
    "no configuration": (["@/no/such/config"], "/no/such/config"),
    "configuration with a lone quote": (["@@quote.conf"], r"quote\.conf"),
    "configuration with a wrong option": (["@@wrong.conf"], "--wrong-option"),
    "seed on the network": (RUN + ["--seed=1"], "seed"),
    "output without input": (RUN + ["--pcap-out=@out"], "pcap-out"),
    "bad explanation": (RUN + ["--explain=nonsense"], r"--explain.*nonsense"),
    "explanation with a wrong key": (["--explain=tcp:192.0.2.1:443,hots=a.example"],
                                     r"hots.*'host'|'host'.*hots"),
    "bad local address": (OFFLINE + ["--pcap-local=1.2.3"], r"1\.2\.3"),
}

CAPTURES = {
    "no such file": (["--pcap-in=/no/such.pcap"], "/no/such.pcap"),
    "folder": (["--pcap-in=@folder"], "folder"),
    "empty file": (["--pcap-in=@empty"], "empty"),
    "text": (["--pcap-in=@fails.lua"], r"fails\.lua"),
    "cut in a header": (["--pcap-in=@cut-header.pcap"], "cut-header"),
    "cut in a packet": (["--pcap-in=@cut-packet.pcap"], "cut-packet"),
    "record with a lying length": (["--pcap-in=@lying.pcap"], "lying"),
    "unknown link type": (["--pcap-in=@linktype.pcap"], "linktype"),
    "no folder for the output": (OFFLINE + ["--pcap-out=/no/such/out.pcap"], "/no/such/out.pcap"),
    "output is full": (OFFLINE + ["--pcap-out=/dev/full"], "/dev/full"),
    "trace is full": (OFFLINE + ["--trace=/dev/full"], "/dev/full"),
}


def prepare(folder):
    def put(name, data):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)

    os.mkdir(os.path.join(folder, "folder"))
    with open(CAPTURE, "rb") as f:
        capture = f.read()
    put("empty", b"")
    put("tiny", b"tiny")
    put("secret", b"-- secret\n")
    os.chmod(os.path.join(folder, "secret"), 0o600)
    put("syntax.lua", b"local a = 1\nlocal = 2\n")
    put("fails.lua", b"-- one\n-- two\nerror('no luck')\n")
    packed = gzip.compress(os.urandom(5000))
    put("broken.gz", packed[:1000] + b"\xff" * 1000 + packed[2000:])
    put("quote.conf", b"--qnum=200\n--hostlist-domains='a.example\n")
    put("wrong.conf", b"--qnum=200\n--wrong-option\n")
    put("cut-header.pcap", capture[:24 + 9])
    put("cut-packet.pcap", capture[:-7])
    put("lying.pcap", capture[:24 + 8] + b"\xff\xff\xff\x7f" * 2 + capture[24 + 16:])
    put("linktype.pcap", capture[:20] + b"\x93\0\0\0" + capture[24:])


def judge(result, wanted, code):
    said = result.stderr.strip()
    both = result.stdout + result.stderr
    check(not CRASH.search(both), "the program crashed:\n%s", both[-4000:])
    check_equal("exit code (it said %r)" % said[-500:], result.returncode, code)
    lines = said.splitlines()
    check(any(re.search(wanted, line) for line in lines), "no line names %r:\n%s", wanted, said)
    # The way through a script that failed is no complaint of its own.
    lines = [line for line in lines if not line.startswith(("\t", "stack traceback:"))]
    check(len(lines) <= 4, "more than a few lines:\n%s", said)
    check(all(len(line) < 400 for line in lines), "a very long line:\n%s", said)


def run_table(run, folder, table, code):
    """All rows, so that one bad message does not hide another."""
    complaints = []
    prepare(folder)
    for name, (arguments, wanted) in table.items():
        words = [re.sub(r"@([a-z][\w.-]*)$", lambda m: os.path.join(folder, m.group(1)), a)
                 for a in arguments]
        try:
            judge(run(*words), wanted, code)
        except (Failure, subprocess.TimeoutExpired) as e:
            complaints.append("%s: %s" % (name, e))
    check(not complaints, "%d of %d:\n%s", len(complaints), len(table), "\n".join(complaints))


def test_command_lines(env):
    with env.lab() as lab:
        run_table(lambda *words: lab.run("client", env.program, *words, check=False, timeout=20),
                  lab.folder, COMMAND_LINES, 1)


@without_root
def test_captures(env):
    with env.folder() as folder:
        run_table(env.run, folder, CAPTURES, 2)


@without_root
def test_nothing_and_help(env):
    """Without arguments and with a wrong option the help names the options; --version is short."""
    for arguments, code in ((), 1), (("--no-such",), 1), (("--help",), 0):
        result = env.run(*arguments)
        check_equal("exit code of %s" % (arguments,), result.returncode, code)
        for option in ("--qnum", "--lua-desync", "--hostlist-auto", "--pcap-in"):
            check(option in result.stdout, "the help does not name %s", option)
    result = env.run("--version", "--no-such")
    check_equal("exit code of --version", result.returncode, 0)
    check(result.stdout.splitlines()[0].endswith(" lua_compat_ver 6") and
          "--qnum" not in result.stdout, "it said: %s", result.stdout)
    # On a terminal the complaint comes last, below the long help.
    both = subprocess.run([env.program, "--hostlits=x"], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=60, check=False).stdout
    check(both.splitlines()[-1].endswith("did you mean '--hostlist'? (argument 1)"),
          "the last line is %r", both.splitlines()[-1])
    result = env.run("--dry-run", "--no-such")
    check_equal("exit code", result.returncode, 1)
    check("--lua-desync" not in result.stdout, "help after --dry-run")


def test_dry_run(env):
    """Everything is read, nothing is run or bound."""
    with env.lab() as lab:
        prepare(lab.folder)
        good = ["--dry-run", "--qnum=200", "--hostlist=" + lab.folder + "/tiny",
                *lab.libraries(env.lua, "lib", "antidpi"), "--lua-init=@%s/fails.lua" % lab.folder,
                "--lua-desync=fake:blob=fake_default_tls"]
        result = lab.run("client", env.program, *good)
        check("command line parameters verified" in result.stdout, "it said: %s", result.stdout)
        check_equal("queue", lab.queue_state("client", 200), None)
        result = lab.run("client", env.program, *good, "--lua-init=@/no/such", check=False)
        judge(result, "/no/such", 1)


@without_root
def test_script_error_offline(env):
    """A function that fails: exit code 3, what left is valid."""
    with env.folder() as folder:
        out = os.path.join(folder, "out.pcap")
        result = env.run(*OFFLINE, "--pcap-out=" + out, "--lua-desync=f",
                         "--lua-init=function f() error('no luck') end")
        check_equal("exit code", result.returncode, 3)
        check("no luck" in result.stderr, "it said: %s", result.stderr)
        check_equal("packets", [raw for _, raw in read_pcap(out)],
                    [raw for _, raw in read_pcap(CAPTURE)])


def test_no_libpcap(env):
    """It is loaded for capture files alone: its lack is told there, and stops nothing else."""
    features = re.search("features: (.*)", env.run("--version").stdout)[1].split(", ")
    if "static" in features or "pcap" not in features:
        raise Skipped("this program loads no libpcap")
    with env.folder() as folder:
        for name in ("libpcap.so.0.8", "libpcap.so.1"):  # empty: nothing that could be loaded
            with open(os.path.join(folder, name), "wb"):
                pass
        without = {"env": {**os.environ, "LD_LIBRARY_PATH": folder}}
        result = env.run(*OFFLINE, **without)
        check_equal("exit code", result.returncode, 2)
        check("cannot read capture '%s': the library libpcap (libpcap.so.0.8 or libpcap.so.1) is not installed"
              % CAPTURE in result.stderr,
              "it said: %s", result.stderr)
        check("no libpcap" in env.run("--version", **without).stdout, "--version names one")
        check_equal("exit code of --check", env.run("--check", *RUN, **without).returncode, 0)
