"""Runs the marked blocks of a document, in order, in one folder.

Names of a real machine are replaced by places in that folder (see REPLACED), so that a document can
show the commands as its reader will type them. Three sorts of blocks:

offline  runs in the folder, with the program in front of PATH.
lab      runs in the client, the box or the server of support/lab.py. `nfqws2` then starts the program in
         the background and waits for its queue. Words of the mark:
           who=NAME[,NAME]  where (client); the block runs in each
           nft              where nftables queues: without its queue statement the rules are loaded
                            and the program started, but nothing is opened
           nat              the box translates the client's addresses
           filter=server    the server resets what shows a name, not the box
           set=A=B          the first line that begins with A= is replaced
           open=URL,...     closed before, open after; `-` for none. Default: all four
           try=N            how often an opening is tried (1)
           closed=URL,...   still closed after
           said="TEXT"      what the program prints contains it after that
           ftp              the server is one of FTP too: a passive data connection opens after, and
                            a connection to its port that nothing announced does not
file     is written to the folder.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import lab as laboratory  # noqa: E402
import processes  # noqa: E402
from expect import Failure, comes_true  # noqa: E402
from passive_ftp import PassiveServer  # noqa: E402

# What is run drops its rights and may not look at itself at its end.
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")

NAMES = ("blocked.example", "www.blocked.example", "other.example")
FILTERED = ("blocked.example", "other.example")
URLS = "http://blocked.example/,https://blocked.example/"
# Puts the files into the folder that later commands name without one: whoever runs a block alone needs it.
PREPARES = re.compile(r"(?:cp .*\n)+$")
TROUBLE = re.compile(r"LUA ERROR|desync ERROR|AddressSanitizer|runtime error:|PANIC")
# What a script may say that runs when the program is told to end.
INTERRUPTED = re.compile(r"(?s)LUA ERROR: INTERRUPT.*?desync ERROR\. passing packet unmodified\.")

# Starts the program in the background, or in the foreground if it is to end by itself.
WRAPPER = """#!/bin/sh
for word; do
    case $word in
    --dry-run | --check* | --explain* | --print-rules* | --pcap-in* | --version | --help | --intercept=0)
        exec {program} "$@" ;;
    esac
done
log={folder}/daemon-$$.log
{program} "$@" >"$log" 2>&1 &
echo "$! $log" >>{folder}/daemons
for _ in $(seq 240); do
    grep -qs . /proc/net/netfilter/nfnetlink_queue && exit 0
    kill -0 $! 2>/dev/null || break
    sleep 0.25
done
cat "$log" >&2
exit 1
"""

# For kernels without the queue statement of nftables: everything else of the rules is tried; the
# lab queues with iptables.
NFT_WITHOUT_QUEUE = """#!/bin/sh
nft={nft}
replace() {{ sed -E 's/queue num [0-9]+ bypass/counter/'; }}
if [ "$1" = -f ]; then
    if [ "$2" = - ]; then cat; else cat "$2"; fi | replace | "$nft" -f -
else
    printf '%s' "$*" | replace | "$nft" -f -
fi
"""


def missing_tool(script):
    for tool in ("tcpdump", "nft", "iptables"):
        if re.search(r"\b%s " % tool, script) and not shutil.which(
                tool, path=laboratory.environment()["PATH"]):
            return "the tool `%s` is not installed" % tool
    return None


class Stage:
    def __init__(self, program, lua):
        self.program = program
        self.folder = tempfile.mkdtemp(prefix="nfqws2-docs-")
        os.chmod(self.folder, 0o755)
        for name in ("bin", "etc", "var"):
            os.mkdir(os.path.join(self.folder, name), 0o755)
        laboratory.libraries(self.folder, lua)
        os.symlink(os.path.join(ROOT, "tests"), os.path.join(self.folder, "tests"))
        for tool in ("ip2net", "mdig", "nfqws2ctl"):
            os.symlink(os.path.join(os.path.dirname(program), tool),
                       os.path.join(self.folder, "bin", tool))
        self.replaced = {"/usr/local/share/nfqws2/lua": self.folder + "/lua",
                         "/etc/zapret2": self.folder + "/etc",
                         "/var/log/": self.folder + "/var/"}
        self.nft_queues = self.put_nft()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def put_nft(self):
        """True if rules of nftables queue here."""
        nft = shutil.which("nft", path=laboratory.environment()["PATH"])
        if nft is None or laboratory.nft_can_queue():
            return True
        path = os.path.join(self.folder, "bin", "nft")
        with open(path, "w", encoding="ascii") as f:
            f.write(NFT_WITHOUT_QUEUE.format(nft=nft))
        os.chmod(path, 0o755)
        return False

    def localised(self, text):
        for name, place in self.replaced.items():
            text = text.replace(name, place)
        return text

    def write(self, name, text):
        path = os.path.join(self.folder, self.localised(name))
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.localised(text))
        os.chmod(path, 0o644)

    def put_program(self, wrapper):
        path = os.path.join(self.folder, "bin", "nfqws2")
        if os.path.lexists(path):
            os.unlink(path)
        if wrapper:
            with open(path, "w", encoding="ascii") as f:
                f.write(WRAPPER.format(program=self.program, folder=self.folder))
            os.chmod(path, 0o755)
        else:
            os.symlink(self.program, path)

    def script(self, block, mark):
        text = self.localised(block.text)
        for pair in mark.values["set"]:
            name = pair.partition("=")[0]
            text, count = re.subn(r"(?m)^%s=.*$" % re.escape(name), pair, text, count=1)
            if not count:
                raise Failure("the block has no line %s=" % name)
        path = os.path.join(self.folder, "block.sh")
        with open(path, "w", encoding="utf-8") as f:
            f.write("PATH=%s/bin:$PATH\ncd %s\n%s" % (self.folder, self.folder, text))
        return ["sh", "-eu", path]

    def judge(self, mark, code, output):
        wanted = int(mark.value("exit", "0"))
        if code != wanted:
            raise Failure("exit code %d instead of %d:\n%s" % (code, wanted, output[-2500:]))
        for text in mark.values["expect"]:
            if text not in output:
                raise Failure("the output lacks %r:\n%s" % (text, output[-2500:]))
        if wanted == 0 and TROUBLE.search(output):
            raise Failure("it complained:\n%s" % output[-2500:])

    # --- offline

    def offline(self, block, mark):
        self.put_program(wrapper=False)
        result = subprocess.run(self.script(block, mark), capture_output=True, text=True,
                                errors="replace", timeout=120, stdin=subprocess.DEVNULL,
                                env=laboratory.environment(), check=False)
        self.judge(mark, result.returncode, result.stdout + result.stderr)

    # --- in namespaces

    def lab(self, block, mark):
        self.put_program(wrapper=True)
        daemons = os.path.join(self.folder, "daemons")
        if os.path.exists(daemons):
            os.unlink(daemons)
        with laboratory.Lab("docs") as lab:
            self.set_scene(lab, mark)
            only_rules = "nft" in mark.flags and not self.nft_queues
            openings = [] if only_rules else url_list(mark.value("open", URLS))
            closed = [] if only_rules else url_list(mark.value("closed", "-"))
            for url in openings + closed:
                for version in (4, 6):
                    if opens(lab, url, version):
                        raise Failure("%s is not blocked without the program" % url)
            for who in mark.value("who", "client").split(","):
                if "nft " in block.text and not self.nft_queues and not only_rules:
                    lab.queue_all(who, 200, interface="to-server" if who == "box" else "eth0")
                result = lab.run(who, *self.script(block, mark), check=False)
                self.judge(mark, result.returncode, result.stdout + result.stderr)
            tries = int(mark.value("try", "1"))
            for url in openings:
                for version in (4, 6):
                    if not any(opens(lab, url, version) for _ in range(tries)):
                        raise Failure("%s stays closed over IPv%d:\n%s" % (
                            url, version, self.end_daemons(daemons)[-3000:]))
            for url in closed:
                if opens(lab, url, 4) or opens(lab, url, 6):
                    raise Failure("%s is open" % url)
            if "ftp" in mark.flags and not only_rules:
                PassiveServer(lab).judge()
            said = self.end_daemons(daemons)
            for text in [] if only_rules else mark.values["said"]:
                if text not in said:
                    raise Failure("the program did not say %r:\n%s" % (text, said[-2500:]))
            if TROUBLE.search(INTERRUPTED.sub("", said)):
                raise Failure("the program complained:\n%s" % said[-2500:])

    @staticmethod
    def set_scene(lab, mark):
        lab.start_site(*NAMES)
        if "nat" in mark.flags:
            for tables in laboratory.TABLES:
                lab.run("box", tables, "-t", "nat", "-A", "POSTROUTING", "-o", "to-server", "-j",
                        "MASQUERADE")
        if mark.value("filter", "box") == "box":
            lab.filter_words(*FILTERED)
            return
        lab.filter_words(*FILTERED, who="server", chain="INPUT", interface=None)

    @staticmethod
    def end_daemons(path):
        """Ends what the wrapper started; all they printed. One that ended before is a failure."""
        said, dead = "", []
        with open(path, encoding="ascii") as f:
            started = [line.split() for line in f]
        for pid, log in started:
            try:
                os.kill(int(pid), 15)
            except ProcessLookupError:
                dead.append(log)
        for pid, log in started:
            comes_true(lambda pid=pid: not processes.runs(pid))
            with open(log, encoding="utf-8", errors="replace") as f:
                said += f.read()
        if dead:
            raise Failure("the program ended by itself:\n%s" % said[-2500:])
        return said


def url_list(text):
    return [] if text == "-" else text.split(",")


def opens(lab, url, version):
    result = lab.curl(url, name=url.split("/")[2], version=version, timeout=20)
    return result.returncode == 0 and "It works" in result.stdout
