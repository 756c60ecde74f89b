"""The prober: what it asks for, and that its verdicts are those of curl."""
import os
import re
import subprocess
import sys

from checks import Skip, cases, check, check_equal, nothing_left
from fakes import CASE, FAKE, SPLIT
import test_boxes


def prober(env):
    path = os.path.join(os.path.dirname(env.program), "blockprobe")
    if not os.path.exists(path):
        raise Skip("blockprobe is not built")
    return path


def ask(env, lab, jobs, *options):
    """The fields of each result, in the order of jobs and attempts."""
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    command = lab.command("client", "unshare", "-m", "sh", "-c", script, lab.folder + "/hosts", prober(env),
                          "--cacert=%s/site.crt" % lab.folder, *options)
    done = subprocess.run(command, input="\n".join(jobs) + "\n", capture_output=True, text=True, timeout=60,
                          check=False)
    rows = [line.split("|", 8) for line in done.stdout.splitlines()]
    return done, sorted(rows, key=lambda row: (int(row[0]), int(row[1])))


def test_requests(env):
    with env.lab("redirect") as lab:
        jobs = ["1 1 2 3000 10.77.2.2 curl_test_http good.test/echo-host",
                "2 1 1 0 10.77.2.2 curl_test_https_tls12 good.test",
                "3 1 1 0 fd77:2::2 curl_test_https_tls13 good.test/big.bin",
                "4 1 1 0 10.77.2.2 curl_test_http blocked.test", "5 1 3 0 10.77.2.2 curl_test_http blocked.test",
                "6 1 1 0 10.77.2.9 curl_test_https_tls12 good.test", "no job",
                "7 1 1 0 10.77.2.2 curl_test_https_tls12 blocked.example"]
        done, rows = ask(env, lab, jobs, "--stop-at-failure", "--max-time=1500")
        check_equal("exit code", done.returncode, 0)
        check("no job: no job" in done.stderr, done.stderr)
        check_equal("codes", [(r[0], r[1], r[2], r[3], r[6]) for r in rows], [
            ("1", "1", "0", "200", "1"), ("1", "2", "0", "200", "1"), ("2", "1", "0", "200", "1"),
            ("3", "1", "0", "200", "1"), ("4", "1", "254", "302", "1"), ("5", "1", "254", "302", "1"),
            ("6", "1", rows[6][2], "0", "0"),
            ("7", "1", "60", "0", "1")])
        check(rows[6][2] in ("7", "28") and rows[6][8].startswith("curl: ("), rows[6])
        check_equal("redirect", rows[4][8], "suspicious redirection 302 to : http://warning.test/")
        check_equal("bytes", int(rows[3][4]), 1048576)
        with open(lab.folder + "/access.log") as f:
            log = f.read()
        check('"GET /echo-host HTTP/1.1" 200' in log and '"GET / HTTP/1.1" 200' in log, log)
        done, rows = ask(env, lab, jobs[1:3], "--head", "--enough", "--user-agent=My Agent", "--parallel=1")
        check_equal("exit code", done.returncode, 3)
        check_equal("results", [r[0] for r in rows], ["2"])
        with open(lab.folder + "/access.log") as f:
            check('"HEAD / HTTP/1.1" 200 0 "-" "My Agent"' in f.read(), "no such request")


def test_silence_keeps_no_port(env):
    """A connection that nobody acknowledges is gone at its end: its port is soon needed again."""
    with env.lab("drop") as lab:
        jobs = ["%d 1 1 %d 10.77.2.2 curl_test_https_tls12 %s" % (n, 3000 + n, name)
                for n, name in enumerate(("blocked.test", "blocked.test", "good.test"))]
        _, rows = ask(env, lab, jobs, "--max-time=1500")
        check_equal("codes", [row[2] for row in rows], ["28", "28", "0"])
        # LOCAL REMOTE STATE, the ports in hex
        lines = [line.split() for line in lab.run("client", "cat", "/proc/net/tcp").stdout.splitlines()[1:]]
        check_equal("left", [line[3] for line in lines if int(line[1].partition(":")[2], 16) in (3000, 3001)], [])


def test_wrong_words(env):
    for words in (["--parallel=0"], ["--max-time=x"], ["--nosuch"], ["word"], ["--header-file=/nonexistent"]):
        done = subprocess.run([prober(env), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)
        check_equal("exit code of %s" % words, done.returncode, 1)
        check(done.stderr, "no message")
    done = subprocess.run([prober(env), "--help"], capture_output=True, text=True, check=False)
    check_equal("exit code", done.returncode, 0)
    check(done.stdout.startswith("Usage: blockprobe"), done.stdout)


def test_reader_that_goes(env):
    """Writing to who has gone is an error, not the end by a signal."""
    process = subprocess.Popen([prober(env)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdout.close()
    process.stdin.write("1 1 1 0 127.0.0.1 curl_test_http nothing.test\n")
    process.stdin.close()
    check(process.wait(60) >= 0, "signal %d", -process.returncode)


def test_marks(env):
    """The mark of a connection chooses the profile, from any local port."""
    with env.lab("rst") as lab:
        lab.sh("client", "iptables -t mangle -A POSTROUTING -p tcp --dport 80 -m mark ! --mark 0x40000000/0x40000000 "
                         "-j NFQUEUE --queue-num 300")
        lab.start_nfqws2(env.program, *lab.libraries(env.lua, "lib", "antidpi"), "--filter-mark=0x5/0xff",
                         *CASE.split(),
                         "--new", "--filter-mark=0x6/0xff", *SPLIT.split(), "--new", *FAKE.split(), queue=300)
        jobs = ["%d 1 1 0 10.77.2.2 curl_test_http blocked.test %d" % (n, n % 4 + 4) for n in range(200)]
        done, rows = ask(env, lab, jobs, "--parallel=200", "--max-time=10000")
        check_equal("exit code", done.returncode, 0)
        check_equal("results", len(rows), 200)
        wrong = [r for r in rows if (r[2] == "0") != (int(r[0]) % 4 + 4 in (5, 6))]
        check(not wrong, "not as their marks say: %s", wrong[:5])


def test_agrees_with_curl(env):
    """The same verdicts, strategy by strategy."""
    for box in ("first", "strict"):
        with env.lab(box) as lab:
            http, tls = (test_boxes.expected(table, box) for table in (test_boxes.HTTP, test_boxes.TLS))
            lists = env.custom(lab, [s for s, _ in http], [s for s, _ in tls])
            common = dict(lists, CURL_MAX_TIME=3, ENABLE_HTTPS_TLS13=1, SCANLEVEL="force", PARALLEL_MAX=64)
            runs = [env.run(lab, PROBER=program, **common) for program in (0, prober(env))]
            curl, ours = ([(t, s, "AVAILABLE !" in line) for t, _, _, s, line in r.results()] for r in runs)
            check_equal("verdicts against " + box, ours, curl)
            check_equal("expected", [good for t, _, good in ours if t == "curl_test_http"], [good for _, good in http])
            nothing_left(lab, box)


SAMPLES = 24


def test_samples(env):
    """Of the standard strategies for TLS 1.2 some from everywhere: the verdicts of the classic engine."""
    with env.lab("first") as lab:
        # The later scripts put together what these have.
        later = {"NOTEST_%s_HTTPS" % name: 1 for name in ("FAKED", "HOSTFAKE", "FAKE_MULTI", "FAKE_FAKED",
                                                          "FAKE_HOSTFAKE")}
        simulated = env.run(lab, SIMULATE=1, SIM_SUCCESS_RATE=0, ENABLE_HTTP=0, **later)
        every = list(dict.fromkeys(simulated.strategies()))
        check(len(every) > 500, "%d strategies", len(every))
        chosen = every[::len(every) // SAMPLES][:SAMPLES]
        lists = env.custom(lab, tls=["'%s'" % s.replace("'", "'\\''").replace(" --", "' '--") for s in chosen])
        common = dict(lists, ENABLE_HTTP=0, SCANLEVEL="force", CURL_MAX_TIME=5, PARALLEL_MAX=32)
        fast = env.run(lab, PROBER=prober(env), **common)
        classic = env.run(lab, ENGINE="classic", **common)
        ours, theirs = ([(s, "AVAILABLE !" in line) for *_, s, line in r.results()] for r in (fast, classic))
        check_equal("strategies", len(theirs), SAMPLES)
        check_equal("verdicts", ours, theirs)
        check(0 < sum(good for _, good in ours) < SAMPLES, "all the same")


def test_quick(env):
    with env.lab("drop") as lab:
        done = env.run(lab, SCANLEVEL="quick", PROBER=prober(env), PARALLEL_MAX=64)
        for testf in ("curl_test_http", "curl_test_https_tls12"):
            check(re.search("!!!!! %s: working strategy found" % testf, done.text), done.text)
        part = done.text.partition("!!!!! AVAILABLE !!!!!")[0].rpartition("\n- ")[2]
        check_equal("attempts", part.count("AVAILABLE"), 3)
        nothing_left(lab, "quick")


SPY = """#!/bin/sh
case $* in
*--curl=* | *--pick=* | *--learn* | *--report=*) ;; # by curl, or asking nobody
*--folder=*) : >%s/asked ;;
esac
exec %s "$@"
"""


def test_what_only_curl_can(env):
    """Another curl, or words for it: then it is asked."""
    with env.lab("rst") as lab:
        program = env.tool(lab, "spy", SPY % (lab.folder, prober(env)))
        lists = env.custom(lab, [CASE, FAKE])
        home = os.path.dirname(env.write(lab, "home/.curlrc", "# nothing\n"))
        for more, asked in (({}, True), ({"CURL_OPT": "--no-alpn"}, False), ({"CURL": "/usr/bin/curl"}, False),
                            ({"CURL_PAD": 2000}, True), ({"ENGINE": "classic"}, False),
                            ({"SSL_CERT_FILE": lab.folder + "/site.crt"}, True),
                            ({"CURL_CA_BUNDLE": lab.folder + "/site.crt"}, True),
                            ({"SSL_CERT_DIR": lab.folder}, False), ({"HOME": home}, False),
                            ({"HOME": lab.folder}, True)):
            if os.path.exists(lab.folder + "/asked"):
                os.unlink(lab.folder + "/asked")
            done = env.run(lab, PROBER=program, ENABLE_HTTPS_TLS12=0, **lists, **more)
            check_equal("results with %s" % more, [line for *_, line in done.results()],
                        ["!!!!! AVAILABLE !!!!!", "UNAVAILABLE code=56"])
            check_equal("asked with %s" % more, os.path.exists(lab.folder + "/asked"), asked)


def test_as_many_as_memory_allows(env):
    """At once; what the user says counts."""
    with env.lab("rst") as lab:
        words = os.path.join(lab.folder, "words")
        program = env.tool(lab, "spy", '#!/bin/sh\necho "$*" >>%s\nexec %s "$@"\n' % (words, prober(env)))
        lists = env.custom(lab, [CASE, FAKE])
        for free, more, wanted in ((30000, {}, 58), (3000, {}, 16), (30000, {"PARALLEL_MAX": 100}, 100),
                                   (8000000, {}, 384)):
            memory = env.write(lab, "meminfo", "MemTotal:  60000 kB\nMemAvailable:  %d kB\n" % free)
            env.run(lab, PROBER=program, MEMORY_FILE=memory, ENABLE_HTTPS_TLS12=0, **lists, **more)
            with open(words, encoding="utf-8") as f:
                asked = set(re.findall(r"--parallel=(\d+)", f.read()))
            os.unlink(words)
            check_equal("%d kB" % free, asked, {str(wanted)})


def test_authorities_of_the_environment(env):
    """Those of CURL_CA_BUNDLE, or else SSL_CERT_FILE, count where the words for curl name none: as for curl."""
    with env.lab("rst") as lab:
        ours, other = lab.folder + "/site.crt", env.write(lab, "other.crt", "")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-keyout",
                        lab.folder + "/other.key", "-out", other], check=True, capture_output=True)
        works = "--payload=tls_client_hello --lua-desync=multisplit:pos=midsld"
        common = dict(ENABLE_HTTP=0, **env.custom(lab, tls=[works]))
        for words, good in (({"CURL_CA_BUNDLE": ours}, True), ({"SSL_CERT_FILE": ours}, True), ({}, False),
                            ({"CURL_CA_BUNDLE": ours, "SSL_CERT_FILE": other}, True),
                            ({"CURL_CA_BUNDLE": other, "SSL_CERT_FILE": ours}, False),
                            ({"CURL_CA_BUNDLE": other, "CURL_OPT": "--cacert " + ours}, True)):
            for program in (0, prober(env)):
                done = env.run(lab, PROBER=program, **{"CURL_OPT": "", **common, **words})
                check_equal("result with %s, %s" % (program, words), [line for *_, line in done.results()],
                            ["!!!!! AVAILABLE !!!!!" if good else "UNAVAILABLE code=60"])


# At once, with half a result, or by a signal.
FAILING = {"at once": "echo 'no more memory' >&2; exit 2",
           "amid it": "head -n 1 | cut -d ' ' -f 1 | sed 's/$/|1|0|200|1|1|1|1|/'; exit 2",
           "killed": "kill -9 $$"}


@cases({name: (text,) for name, text in FAILING.items()})
def test_failing(env, text):
    """A prober that fails is no reason to take anything for a result: each is tested alone instead."""
    with env.lab("rst") as lab:
        program = env.tool(lab, "failing", "#!/bin/sh\n[ \"$1\" = --help ] || [ $# = 0 ] && exit 0\n%s\n" % text)
        common = dict(PROBER=program, ENABLE_HTTPS_TLS12=0, **env.custom(lab, [FAKE, CASE, FAKE + ":repeats=2"]))
        done = env.run(lab, SCANLEVEL="force", **common)
        check_equal("results", [line for *_, line in done.results()],
                    ["UNAVAILABLE code=56", "!!!!! AVAILABLE !!!!!", "UNAVAILABLE code=56"])
        check_equal("told", len(re.findall("failing failed with code .*using ENGINE=classic", done.text)), 1)
        check(("(no more memory)" in done.text) == ("memory" in text), done.text)
        done = env.run(lab, SCANLEVEL="quick", **common)
        done.has("working strategy found for ipv4 blocked.test : nfqws2 " + CASE)
        nothing_left(lab, "after both")


# Every port of the engine is somebody's; when the file is made, they are for a few seconds more.
OCCUPY = """
import os, resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
held, done = [], os.pipe()
# More than a process may have.
first = os.fork() == 0
for port in range(3072, 18432) if first else range(18432, 33792):
    held.append(socket.socket())
    held[-1].bind(("0.0.0.0", port))
if first:
    os.write(done[1], b"x")
else:
    os.read(done[0], 1)
    open(sys.argv[1], "w").close()
while not os.path.exists(sys.argv[2]):
    time.sleep(0.05)
time.sleep(4)
"""


def test_ports_that_rest(env):
    """A strategy waits for ports; that there are none is no verdict about it."""
    with env.lab("rst") as lab:
        held, begun = (os.path.join(lab.folder, name) for name in ("held", "begun"))
        holder = lab.start("client", sys.executable, "-c", OCCUPY, held, begun)
        lab.wait_for(lambda: os.path.exists(held), "the ports are not held", holder)
        slow = env.tool(lab, "slow", "#!/bin/sh\n[ $# = 0 ] || [ \"$1\" = --help ] || : >%s\nexec %s \"$@\"\n" % (
            begun, prober(env)))
        done = env.run(lab, PROBER=slow, ENABLE_HTTPS_TLS12=0, SCANLEVEL="force", **env.custom(lab, [FAKE, CASE]))
        check_equal("results", [line for *_, line in done.results()], ["UNAVAILABLE code=56", "!!!!! AVAILABLE !!!!!"])
        done.lacks("no local port")


def test_more_than_it_takes(env):
    """PARALLEL_MAX may be any number, the prober's is limited."""
    with env.lab("rst") as lab:
        done = env.run(lab, PROBER=prober(env), ENABLE_HTTPS_TLS12=0, PARALLEL_MAX=5000,
                       **env.custom(lab, [FAKE, CASE]))
        check_equal("results", [line for *_, line in done.results()], ["UNAVAILABLE code=56", "!!!!! AVAILABLE !!!!!"])
        done.lacks(" failed with code ")
