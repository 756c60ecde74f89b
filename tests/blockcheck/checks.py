"""What the tests of blockcheck2 share: running it in a lab, and reading what it said."""
import collections
import contextlib
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time

import lab as laboratory
import processes
from boxes import BoxLab
from expect import Failure, check, contains, lacks, wait_for, wait_for_text  # noqa: F401 (for the tests)
from harness import cases, check_equal  # noqa: F401 (for the tests)

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PARTS = ("blockcheck2.sh", "blockcheck2.d", "common", "config.default")
STRATEGY = re.compile(r"- (curl_test_\w+) ipv(\d) (\S+) : nfqws2 (.*)")
# A number or a word that is not there, in the words of several shells: the script goes on, and is wrong.
SHELL_FAULT = re.compile(
    r"^.*(?:Illegal number|bad number|integer expression|unexpected operator|arithmetic syntax).*$", re.M)

# A resolver's tools as scripts: answers come from the folder in FAKE_DNS, none where it is unset.
NSLOOKUP = """#!/bin/sh
[ -n "$FAKE_DNS" ] || exit 0
answers=$FAKE_DNS/${2:-system}/$1
[ -f "$answers" ] || exit 1
printf 'Server:\\t\\t%s\\nAddress:\\t%s#53\\n\\n' "${2:-127.0.0.1}" "${2:-127.0.0.1}"
while read -r ip; do printf 'Name:\\t%s\\nAddress: %s\\n' "$1" "$ip"; done <"$answers"
"""
MDIG = """#!/bin/sh
case $* in
*--dns-make-query=*) printf '%s' "$*" | sed 's/.*--dns-make-query=//'; exit ;;
*--dns-parse-query*) cat; exit ;;
esac
while read -r name; do cat "$FAKE_DNS/system/$name" 2>/dev/null; done
exit 0
"""


class Skip(Exception):
    pass


def environment(lab):
    """That of these tests without what curl heeds: the lab has its own authority."""
    env = {name: value for name, value in laboratory.environment().items()
           if name not in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_HOME", "XDG_CONFIG_HOME")}
    env["HOME"] = lab.folder
    return env


class Result:
    """The end of a run."""

    def __init__(self, code, text):
        self.code, self.text = code, text

    def strategies(self, testf=None, version=None):
        """The strategies in order, as written after "nfqws2 "."""
        found = [m.groups() for m in map(STRATEGY.match, self.text.splitlines()) if m]
        return [s for t, v, _, s in found if testf in (None, t) and version in (None, int(v))]

    def results(self):
        """[(testf, version, domain, strategy, result line)]."""
        found, current = [], None
        for line in self.text.splitlines():
            match = STRATEGY.match(line)
            if match:
                current = match.groups()
            elif current and re.match(r"!!!!! AVAILABLE !!!!!$|UNAVAILABLE|ERROR |SUCCESS$|FAILED$",
                                      line):
                found.append((current[0], int(current[1]), current[2], current[3], line))
                current = None
        return found

    def counts(self):
        """testf -> {script number: strategies}."""
        counts, script = collections.defaultdict(collections.Counter), None
        for line in self.text.splitlines():
            match = re.match(r"\* script : \S+/(\d+)", line)
            if match:
                script = int(match.group(1))
            match = STRATEGY.match(line)
            if match:
                counts[match.group(1)][script] += 1
        return {testf: dict(c) for testf, c in counts.items()}

    def section(self, title):
        """The lines behind "* TITLE" up to the next empty line."""
        lines = self.text.splitlines()
        if "* " + title not in lines:
            return None
        lines = lines[lines.index("* " + title) + 1:]
        return lines[:lines.index("")] if "" in lines else lines

    def has(self, text):
        contains(self.text, text)

    def lacks(self, text):
        lacks(self.text, text)


class Environment:
    def __init__(self, program, lua):
        self.program, self.lua = program, lua
        self.count = 0

    def lab(self, kind=None):
        self.count += 1
        lab = BoxLab("bc%d" % self.count, self.program, self.lua, kind)
        # Where a daemon without rights can read the libraries, wherever the sources are.
        base = self.folder(lab, "base")
        for part in PARTS:
            copy = shutil.copytree if os.path.isdir(os.path.join(ROOT, part)) else shutil.copy
            copy(os.path.join(ROOT, part), os.path.join(base, part))
        shutil.copytree(self.lua, base + "/lua")
        os.makedirs(base + "/probe")
        os.symlink(os.path.join(os.path.dirname(self.program), "blockprobe"), base + "/probe/blockprobe")
        subprocess.run(["chmod", "-R", "a+rX", base], check=True)
        return lab

    @staticmethod
    def script(lab):
        return os.path.join(lab.folder, "base", "blockcheck2.sh")

    def settings(self, lab, **variables):
        """Environment of a run that asks nothing and tests the lab's names."""
        settings = {"BATCH": "1", "SKIP_DNSCHECK": "1", "SKIP_IPBLOCK": "1", "IPVS": "4",
                    "DOMAINS": "blocked.test", "FWTYPE": "iptables", "NFQWS2": self.program,
                    "MDIG": os.path.join(os.path.dirname(self.program), "mdig"),
                    "CURL_OPT": "--cacert %s/site.crt" % lab.folder,
                    "BLOCKCHECK_LAST": os.path.join(lab.folder, "last", "result.json"),
                    "ZAPRET_RW": self.folder(lab, "rw"), "TMPDIR": self.folder(lab, "tmp"),
                    "PATH": self.tools(lab) + ":" + laboratory.environment()["PATH"]}
        settings.update({k: str(v) for k, v in variables.items()})
        return settings

    @staticmethod
    def folder(lab, name):
        path = os.path.join(lab.folder, name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o755)
        return path

    def tools(self, lab):
        """A folder of stand-ins that comes first in PATH."""
        path = self.folder(lab, "bin")
        if not os.path.exists(path + "/nslookup"):
            self.tool(lab, "nslookup", NSLOOKUP)
        return path

    def tool(self, lab, name, text):
        path = os.path.join(self.folder(lab, "bin"), name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o755)
        return path

    def fake_mdig(self, lab):
        return self.tool(lab, "mdig", MDIG)

    def write(self, lab, name, text):
        path = os.path.join(lab.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def run(self, lab, shell=("sh",), stdin=None, timeout=180, arguments=(), **variables):
        """blockcheck2 in the client's namespace."""
        env = environment(lab)
        env.update(self.settings(lab, **variables))
        done = subprocess.run(lab.hosted(*shell, self.script(lab), *arguments), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", env=env,
                              timeout=timeout, input=stdin or "")
        fault = SHELL_FAULT.search(done.stdout)
        check(not fault, "a fault of the scripts: %s", fault and fault.group())
        return Result(done.returncode, done.stdout)

    def on_terminal(self, lab, answers=(), timeout=180, arguments=(), **variables):
        """The same on a terminal of its own: `answers` are typed, each when its question is read: (part of
        the question, answer)."""
        env = environment(lab)
        env.update(self.settings(lab, **variables))
        ours, theirs = pty.openpty()
        process = subprocess.Popen(lab.hosted("sh", self.script(lab), *arguments), stdin=theirs, stdout=theirs,
                                   stderr=theirs, env=env, start_new_session=True)
        os.close(theirs)
        text, asked, answers, end = "", 0, list(answers), time.monotonic() + timeout
        while time.monotonic() < end:
            if select.select([ours], [], [], 1)[0]:
                try:
                    text += os.read(ours, 65536).decode(errors="replace")
                except OSError:  # nobody has it open any more
                    break
            if answers and answers[0][0] in text[asked:]:
                asked = len(text)
                os.write(ours, (answers.pop(0)[1] + "\n").encode())
        else:
            process.kill()
        os.close(ours)
        return Result(process.wait(), text.replace("\r\n", "\n"))

    @contextlib.contextmanager
    def started(self, lab, **variables):
        """The same, running. `.log` is its output so far, `.pid` the script's own process."""
        env = environment(lab)
        env.update(self.settings(lab, **variables))
        log = tempfile.NamedTemporaryFile("w+", dir=lab.folder, delete=False)
        process = subprocess.Popen(lab.hosted("sh", self.script(lab)), stdout=log, stderr=log, text=True,
                                   env=env, stdin=subprocess.DEVNULL, start_new_session=True)
        process.log = log.name
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def custom(self, lab, http=(), tls=()):
        """Variables for the custom test with these lists."""
        return {"TEST": "custom",
                "LIST_HTTP": self.write(lab, "http.txt", "\n".join(http) + "\n"),
                "LIST_HTTPS_TLS12": self.write(lab, "tls12.txt", "\n".join(tls) + "\n"),
                "LIST_HTTPS_TLS13": self.write(lab, "tls13.txt", "\n".join(tls) + "\n")}


def said(process):
    with open(process.log, errors="replace") as f:
        return f.read()


def wait_said(process, text, timeout=60):
    wait_for_text(lambda: said(process), text, "blockcheck2", lambda: process.poll() is None, timeout)


def rules(lab):
    """Everything in the client's firewall, without counters and comments of iptables-save."""
    lines = []
    for tool in ("iptables-save", "ip6tables-save"):
        lines += [line for line in lab.run("client", tool, check=False).stdout.splitlines()
                  if line.startswith("-A") or (line.startswith(":") and "blockcheck" in line)]
    return lines


def running(lab, but=()):
    """Command lines of what runs in the client's namespace."""
    return [" ".join(processes.words(pid)) for pid in lab.pids("client")
            if pid not in but and processes.runs(pid)]


def nothing_left(lab, what):
    """Waits for what ends by itself; then nothing of a run may be there."""
    def left():
        return rules(lab), running(lab), os.listdir(os.path.join(lab.folder, "tmp"))
    wait_for(lambda: not any(left()), lambda: "%s: left behind: rules %s, processes %s, files %s" % (what, *left()),
             pause=0.1)


def need_tool(name):
    path = shutil.which(name, path=laboratory.environment()["PATH"])
    if path is None:
        raise Skip("the tool `%s` is not installed" % name)
    return path
