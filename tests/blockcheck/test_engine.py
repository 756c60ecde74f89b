"""How strategies are tested: daemon, rules, attempts, many at once."""
import os
import re
import subprocess
import sys

from checks import ROOT, check, check_equal, need_tool, nothing_left, rules, said, wait_said
from expect import comes_true
from fakes import SPLIT, CASE, FAKE, SLEEPER, fake_curl

DAEMON = """#!/bin/sh
for word; do printf '%s\\n' "$word"; done >"$DAEMON_LOG"
exec "$REAL" "$@"
"""


def test_daemon(env):
    """The daemon's command line, and what becomes of one that does not work."""
    with env.lab("rst") as lab:
        log = os.path.join(lab.folder, "daemon.log")
        odd = "--payload=http_req '--lua-desync=luaexec:code=a = \"x y\" < 3'"
        done = env.run(lab, ENGINE="classic", NFQWS2=env.tool(lab, "daemon", DAEMON),
                       REAL=env.program, DAEMON_LOG=log, QNUM=777, ENABLE_HTTPS_TLS12=0, BLOCKCHECK_LAST=0,
                       PKTWS_EXTRA_PRE="--name=a --cookie=b", PKTWS_EXTRA_PRE_1="--comment=a b",
                       PKTWS_EXTRA_POST="--new", PKTWS_EXTRA_POST_2="--comment=c  d",
                       **env.custom(lab, [SPLIT]))
        with open(log) as f:
            words = f.read().splitlines()
        base = os.path.dirname(env.script(lab))
        check_equal("words", words, [
            "--uid", "1:3003", "--fwmark=0x10000000", "--qnum=777",
            "--lua-init=@%s/lua/zapret-lib.lua" % base,
            "--lua-init=@%s/lua/zapret-antidpi.lua" % base, "--name=a", "--cookie=b",
            "--comment=a b", *SPLIT.split(), "--new", "--comment=c  d"])
        done.has("nfqws2 --name=a --cookie=b --comment=a b %s --new --comment=c  d" % SPLIT)
        done.has("!!!!! AVAILABLE !!!!!")
        for engine in ("classic", "fast"):
            done = env.run(lab, ENGINE=engine, ENABLE_HTTPS_TLS12=0, **env.custom(
                lab, ["--payload=nonsense", SPLIT, "--lua-desync=nosuch", odd,
                      FAKE.replace("fake_default_http", "nosuch"), CASE, "bad ' line"]))
            lines = [line for *_, line in done.results()]
            check_equal("results", [re.sub(r"(strategy|failed|code).*", r"\1", s) for s in lines], [
                "ERROR invalid strategy", "!!!!! AVAILABLE !!!!!", "ERROR invalid strategy",
                "ERROR nfqws2 failed", "ERROR nfqws2 failed", "!!!!! AVAILABLE !!!!!",
                "UNAVAILABLE code"])
            check("nosuch" in lines[2] and "blob" in lines[4], "reasons: %s", lines)
            done.has(": nfqws2 bad ' line\n")
            nothing_left(lab, engine)


def test_dead_daemon(env):
    """A daemon that dies during a test takes only the guilty strategy with it."""
    with env.lab("drop") as lab:
        dying = env.tool(lab, "dying", """#!/bin/sh
case $* in
*intercept=0*|*dry-run*) exec "$REAL" "$@" ;;
*repeats=77*) "$REAL" "$@" & sleep 0.2; echo 'out of luck' >&2; kill -9 $!; exit 1 ;;
esac
exec "$REAL" "$@"
""")
        guilty = FAKE + ":repeats=77"
        for engine in ("classic", "fast"):
            done = env.run(lab, ENGINE=engine, NFQWS2=dying, REAL=env.program, ENABLE_HTTPS_TLS12=0,
                           **env.custom(lab, [SPLIT, CASE, guilty, FAKE]))
            lines = [line for *_, line in done.results()]
            check_equal(engine, [re.sub(" (failed|code).*", "", s) for s in lines],
                        ["!!!!! AVAILABLE !!!!!"] * 2 + ["ERROR nfqws2", "UNAVAILABLE"])


IPTABLES = """
-A INPUT -j blockcheck_input_PID
-A OUTPUT -j blockcheck_output_PID
-A blockcheck_input_PID ! -p tcp -j RETURN
-A blockcheck_input_PID -p tcp -m tcp ! --sport 80 -j RETURN
-A blockcheck_input_PID -p tcp -m tcp ! --tcp-flags SYN,ACK SYN,ACK -j RETURN
-A blockcheck_input_PID -s 10.77.2.2/32 -j NFQUEUE --queue-num 333
-A blockcheck_output_PID -m mark --mark 0x10000000/0x10000000 -j RETURN
-A blockcheck_output_PID ! -p tcp -j RETURN
-A blockcheck_output_PID -p tcp -m tcp ! --dport 80 -j RETURN
-A blockcheck_output_PID -d 10.77.2.2/32 -j CONNMARK --set-xmark 0x10000000/0x10000000
-A blockcheck_output_PID -d 10.77.2.2/32 -j NFQUEUE --queue-num 333
-A OUTPUT -m mark --mark 0x10000000/0x10000000 -m comment --comment blockcheck_PID -j CT --notrack
-A INPUT -p icmp -m icmp --icmp-type 11 -m connmark --mark 0x10000000/0x10000000 -m comment --comment blockcheck_PID -j DROP
-A INPUT -p tcp -m tcp --sport 80 ! --tcp-flags FIN,SYN,RST,ACK SYN -m comment --comment blockcheck_PID -j ACCEPT
-A OUTPUT -f -m comment --comment blockcheck_PID -j ACCEPT
-A OUTPUT -p tcp -m tcp --dport 80 -m conntrack --ctstate INVALID -m comment --comment blockcheck_PID -j ACCEPT
"""


def rules_during(env, lab, complete, **variables):
    """The rules, once complete, while the test of the first strategies runs."""
    lists = env.custom(lab, [CASE] * 40, [CASE] * 40)
    with env.started(lab, CURL=env.tool(lab, "sleeper", SLEEPER), **lists, **variables) as process:
        wait_said(process, "* script :")
        comes_true(lambda: complete(rules(lab)))
        during = rules(lab)
        match = re.search(r"blockcheck_output_(\d+)", "\n".join(during))
        check(match, "no rules:\n%s\n%s", "\n".join(during), said(process))
        os.kill(int(match.group(1)), 15)
        check_equal("exit code", process.wait(60), 1)
    nothing_left(lab, "after SIGTERM")
    return [r.replace(match.group(1), "PID") for r in during if not r.startswith(":")]


def test_iptables(env):
    with env.lab() as lab:
        lab.sh("client", "iptables -A OUTPUT -p udp --dport 9 -j ACCEPT")
        lab.sh("client", "iptables -D OUTPUT -p udp --dport 9 -j ACCEPT")
        want = sorted(IPTABLES.strip().splitlines())

        def all_there(now):
            return len([rule for rule in now if rule.startswith("-A")]) >= len(want)
        got = rules_during(env, lab, all_there, ENGINE="classic", QNUM=333, ENABLE_HTTPS_TLS12=0)
        check_equal("rules", sorted(got), want)
        six = rules_during(env, lab, lambda now: len(now) >= len(want) - 1, ENGINE="classic", QNUM=333,
                           ENABLE_HTTPS_TLS12=0, IPVS=6)
        for rule in ("-A blockcheck_output_PID -d fd77:2::2/128 -j NFQUEUE --queue-num 333",
                     "-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 3 -m connmark --mark 0x10000000/"
                     "0x10000000 -m comment --comment blockcheck_PID -j DROP"):
            check(rule in six, "%s is missing in:\n%s", rule, "\n".join(six))
        check(not any(" -f " in rule for rule in six), "IPv6 has no -f")

        def queues_in(now):
            return re.findall(r"--sport (\d+):(\d+) -j NFQUEUE --queue-num (\d+)", "\n".join(now))
        queues = queues_in(rules_during(env, lab, lambda now: len(queues_in(now)) >= 4, ENGINE="fast",
                                        QNUM=333, ENABLE_HTTPS_TLS12=0))
        check_equal("queues of the fast engine", len({q for *_, q in queues}), 4)
        check(all(int(a[1]) < int(b[0]) for a, b in zip(queues, queues[1:])), "ranges: %s", queues)


NFT = """#!/bin/sh
# The kernel may lack the queue verdict: a counter stands for it.
if [ "$1" = -f ]; then
	[ "$2" = - ] && set -- -f /dev/stdin
	sed 's/queue num [0-9]*/counter/' "$2" | tee -a "$NFT_LOG" | exec $REAL_NFT -f -
else
	exec $REAL_NFT "$@"
fi
"""


def test_nftables(env):
    with env.lab() as lab:
        real = need_tool("nft")
        log = os.path.join(lab.folder, "nft.log")
        env.tool(lab, "nft", NFT)
        lists = env.custom(lab, [CASE] * 40)
        with env.started(lab, FWTYPE="nftables", REAL_NFT=real, NFT_LOG=log, ENGINE="classic",
                         ENABLE_HTTPS_TLS12=0, CURL=env.tool(lab, "sleeper", SLEEPER), **lists) as p:
            wait_said(p, "* script :")

            def ruleset():
                return lab.run("client", real, "-nn", "list", "ruleset").stdout
            comes_true(lambda: "notrack" in (now := ruleset()) and "ip saddr 10.77.2.2 counter" in now)
            text = ruleset()
            pid = re.search(r"table inet blockcheck(\d+) ", text)
            check(pid, "no table:\n%s\n%s", text, said(p))
            for part in ("type filter hook postrouting priority 102",
                         "type filter hook prerouting priority -102",
                         "type filter hook output priority -402",
                         "tcp dport 80 meta mark & 0x10000000 == 0x00000000 ip daddr 10.77.2.2 ct "
                         "mark set ct mark | 0x10000000 counter",
                         "icmp type 11 ct mark & 0x10000000 != 0x00000000 drop",
                         "ip saddr 10.77.2.2 counter", "notrack"):
                check(part in text, "%s is missing in:\n%s", part, text)
            os.kill(int(pid.group(1)), 15)
            check_equal("exit code", p.wait(60), 1)
        check_equal("left", lab.run("client", real, "list", "ruleset").stdout.strip(), "")


def test_two_runs(env):
    """Two runs at the same time, in the same network, do not meet."""
    with env.lab("rst") as lab:
        lists = env.custom(lab, [CASE, SPLIT, FAKE] * 10)
        common = dict(lists, ENABLE_HTTPS_TLS12=0, CURL_MAX_TIME=2)
        with env.started(lab, **common) as one, env.started(lab, **common) as two:
            for process in (one, two):
                check_equal("exit code", process.wait(120), 0)
                lines = said(process).splitlines()
                check_equal("available", lines.count("!!!!! AVAILABLE !!!!!"), 20)
                check_equal("unavailable", lines.count("UNAVAILABLE code=56"), 11)
        nothing_left(lab, "after both")


REPEATS = {
    "one after another": (0, "standard", "0 28 0", 3, "UNAVAILABLE code=28"),
    "quick": (0, "quick", "0 28 0", 2, "UNAVAILABLE code=28"),
    "last failing code": (0, "standard", "28 56 0", 3, "UNAVAILABLE code=56"),
    "all good": (0, "standard", "0 0 0", 3, "!!!!! AVAILABLE !!!!!"),
    "at once": (1, "standard", "0 0 0", 3, "!!!!! AVAILABLE !!!!!"),
}


def test_repeats(env):
    with env.lab() as lab:
        for name, (parallel, level, codes, attempts, result) in REPEATS.items():
            # The test without bypass comes first.
            curl = fake_curl(env, lab, "28 " * (1 if level == "quick" else 3) + codes)
            done = env.run(lab, REPEATS=3, PARALLEL=parallel, SCANLEVEL=level, ENABLE_HTTPS_TLS12=0,
                           ENABLE_HTTP3=0, **curl, **env.custom(lab, [CASE]))
            part = done.text.partition("* script :")[2]
            lines = re.findall(r"^\[attempt (\d)\] (.*)$", part, re.M)
            check_equal(name + ": attempts", [int(n) for n, _ in lines], list(range(1, attempts + 1)))
            if result.startswith("!"):
                check_equal(name + ": texts", {text for _, text in lines}, {"AVAILABLE"})
            check_equal(name + ": result", [line for *_, line in done.results()], [result])


def test_fast_repeats(env):
    with env.lab("rst") as lab:
        for parallel in (0, 1):
            done = env.run(lab, REPEATS=3, PARALLEL=parallel, ENABLE_HTTPS_TLS12=0,
                           **env.custom(lab, [CASE, FAKE]))
            part = done.text.partition("* script :")[2]
            check_equal("good attempts", len(re.findall(r"^\[attempt \d\] AVAILABLE$", part, re.M)), 3)
            check_equal("bad attempts", len(re.findall(r"^\[attempt \d\] curl: \(56\)", part, re.M)), 3)
            done.has("3 of 3 attempts good in 1 test")


def test_adaptive_plan(env):
    """A script whose way depends on results gives the same with both engines."""
    script = """
pktws_check_http() {
	local n=0 worked=0
	while [ $n -lt 12 ]; do
		n=$((n + 1))
		pktws_curl_test_update "$1" "$2" --payload=http_req "--lua-desync=fake:blob=0x00:badsum:repeats=$n"
		[ $((n % 4)) = 0 ] &&
			pktws_curl_test_update "$1" "$2" --payload=http_req --lua-desync=http_hostcase "--comment=$n" &&
			worked=$((worked + 1))
		[ $worked = 2 ] && {
			pktws_curl_test_update "$1" "$2" --payload=http_req --lua-desync=multisplit:pos=midsld --comment=jump
			n=$((n + 2))
			worked=0
		}
	done
	echo "end at $n"
}
"""
    with env.lab("rst") as lab:
        env.write(lab, "d/mine/1.sh", script)
        runs = [env.run(lab, ENGINE=engine, BLOCKCHECK2D=lab.folder + "/d", TEST="mine",
                        ENABLE_HTTPS_TLS12=0, PARALLEL_MAX=4) for engine in ("classic", "fast")]
        check_equal("results", runs[1].results(), runs[0].results())
        check(len(runs[0].results()) > 10, "too few: %s", runs[0].text)
        runs[1].has("end at ")


OCCUPY = """
import resource, socket, time
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
held = []
# The area of the only run, every second port.
for port in range(2049, 2048 + 31744, 2):
    held.append(socket.socket())
    held[-1].bind(("", port))
print("ready", flush=True)
while True:
    time.sleep(1000)
"""


def test_ports_in_use(env):
    """Ports that others hold: nobody takes their want for a verdict, nor for something that was tried."""
    with env.lab("rst") as lab:
        holder = lab.start("client", sys.executable, env.write(lab, "occupy.py", OCCUPY))
        lab.wait_for(lambda: os.path.getsize(holder.log) > 0, "the ports are not held", holder)
        many = [CASE + " --comment=%d" % n for n in range(30)]
        for count, level in ((30, "force"), (2, "standard"), (1, "quick")):
            done = env.run(lab, ENABLE_HTTPS_TLS12=0, SCANLEVEL=level, **env.custom(lab, many[:count]))
            check_equal("results", [line for *_, line in done.results()], ["!!!!! AVAILABLE !!!!!"] * count)


def test_too_many(env):
    """A server that refuses when there are many: fewer at once, and no wrong results."""
    with env.lab("rst") as lab:
        lab.sh("server", "iptables -A INPUT -p tcp --dport 80 --syn -m connlimit --connlimit-above 3 "
                         "-j REJECT --reject-with tcp-reset")
        slow = ["--payload=http_req --lua-desync=http_hostcase '--comment=%d'" % n for n in range(24)]
        done = env.run(lab, ENABLE_HTTPS_TLS12=0, PARALLEL_MAX=16, DOMAINS="blocked.test/big.bin",
                       CURL_OPT="--limit-rate 2M", **env.custom(lab, slow))
        check_equal("available", [line for *_, line in done.results()].count("!!!!! AVAILABLE !!!!!"), 24)
        done.has("now ")


# What a script asks for; what a batch leaves is a file of functions.
ENGINE_TOOL = """
. "$1/common/blockcheck/words.sh"
. "$1/common/blockcheck/fast.sh"
. "$1/common/blockcheck/search.sh"
ENGINE_BROKEN=0
batch_next() { RESULTS=0 RESULT_AT=0; } # a test that only the shell knows
batch_ahead() { :; }
classic_test() { echo "$3: alone"; }
show_attempts() { echo "$wanted: result of $R_LIST"; }
ask() {
	wanted=$1
	if result_take "t d $1"; then fast_show; else fast_test t d "$1"; fi
}
left() { # STRATEGIES
	local key
	RESULTS=0 RESULT_AT=0 RESULT_KEY=
	piece_0() { :; } # by result_read
	for key; do
		eval "result_$RESULTS() { RESULT_KEY='t d $key' R_CODE=28 R_LIST='$key'; }"
		RESULTS=$((RESULTS + 1))
	done
}
WORK=$2
eval "$3"
"""


def engine_parts(env, lab, program):
    done = subprocess.run(["sh", "-c", ENGINE_TOOL, "x", ROOT, env.folder(lab, "work"), program],
                          capture_output=True, text=True, check=False)
    check_equal("complaints", done.stderr, "")
    return done.stdout.splitlines()


def test_results_of_others(env):
    """A strategy that got no result of its own does not get another one's, nor does that one get its."""
    with env.lab() as lab:
        for program, lines in (("left A S; ask K; ask S", ["K: alone", "S: alone"]),
                               ("left A S; ask A; ask S", ["A: result of A", "S: result of S"]),
                               ("left A S; ask S; ask A", ["S: result of S", "A: alone"]),
                               ("left A; ask A; ask A", ["A: result of A", "A: alone"])):
            check_equal(program, engine_parts(env, lab, program), lines)


def test_tab_in_a_word(env):
    """It does not end the strategy where fields do."""
    with env.lab() as lab:
        key = "t d '--comment=a\tb' --payload=x"
        env.write(lab, "work/picks", "s/1.sh\t%s\ns/2.sh\tt d --debug '\t'\n" % key)
        env.write(lab, "work/tried", "1.00\t%s\n" % key)
        program = ('FAST_NOW=1 SCANLEVEL=standard FOUND= ENGINE_CODE=0; search_batch() { cat "$WORK/keys"; }; '
                   'search_round; search_script_of "%s"; search_lost; cat "$WORK/lost"' % key)
        check_equal("shown", engine_parts(env, lab, program),
                    [key, "t d --debug '\t'", "s/1.sh", "t d --debug '\t'"])


def test_ahead(env):
    """The batch that was begun ahead is taken where the script asks for what is in it, else given up."""
    with env.lab() as lab:
        program = """
engine_stop() { echo stopped; }
batch_take() { echo taken; left C D; }
begin() { left A B; AHEAD=1; printf 't d %%s\\n' C D >"$WORK/keys"; }
progress_show() { :; }
begin; %s; echo "${AHEAD:-none}"
"""
        for asked, lines in (("ask A; ask B; ask C; ask D",
                              ["A: result of A", "B: result of B", "taken", "C: result of C", "D: result of D", "none"]),
                             ("ask A; ask D; ask K", ["A: result of A", "taken", "D: result of D", "K: alone", "none"]),
                             ("ask A; ask K", ["A: result of A", "stopped", "K: alone", "none"])):
            check_equal(asked, engine_parts(env, lab, program % asked), lines)


def test_one_engine(env):
    """No engine is begun while another one runs: both would take the same queues."""
    with env.lab() as lab:
        program = """
. "$1/common/blockcheck/fast.sh"
PLAN_WRONG=0 PLAN_STALE=0 BATCH_SIZE=4 PARALLEL_MAX=4 RESULTS_GOOD=0 SCANLEVEL=standard CALL_N=1 FAST_NOW=1
progress_show() { :; }
plan_make() { :; }
batch_fill() { printf 't d %s\n' "${1:-C}" C >"$WORK/keys"; }
engine_start() { echo "started ${RUNS:+beside another}"; RUNS=1; }
engine_stop() { echo stopped; RUNS=; }
batch_take() { RUNS=; left A; }
left; AHEAD=1 RUNS=1
printf 't d %s\n' C K >"$WORK/keys"
ask K
"""
        lines = [line.strip() for line in engine_parts(env, lab, program)]
        check_equal("engines", lines[:3], ["started", "stopped", "started"])
        check("started beside another" not in lines, lines)


PROCESSES = """
. "$1/common/base.sh"
. "$1/common/blockcheck/pids.sh"
. "$1/common/blockcheck/plan.sh"
. "$1/common/blockcheck/engine.sh"
WORK=$2
mkdir -p "$WORK/pids"
kill() { echo "kill $*"; }
eval "$3"
"""


def test_processes_that_are_ended(env):
    """A note is no order to end everybody, whatever stands in it."""
    with env.lab() as lab:
        for n, text in enumerate(("-1", "0", "00", "1", "-9", "x", "", "12x")):
            env.write(lab, "work/pids/daemon.%d" % (n % 4), text + "\n")
            env.write(lab, "work/pids/attempts", "%s 4194303 4194302\n" % text)
            for program, ended in (("engine_clean", []), ("pids_kill_all", [4194303, 4194302])):
                done = subprocess.run(["sh", "-c", PROCESSES, "x", ROOT, lab.folder + "/work", program],
                                      capture_output=True, text=True, check=True)
                check_equal("%s with '%s'" % (program, text), done.stdout.splitlines(),
                            ["kill -9 %d" % pid for pid in ended])
            with open(os.path.join(lab.folder, "work", "pids", "daemon.%d" % (n % 4))) as f:
                check_equal("note", f.read(), "\n")


def test_start_that_does_not_end(env):
    """It is given up, with a word, and nothing of it stays."""
    with env.lab() as lab:
        folder = env.folder(lab, "work")
        hanging = env.tool(lab, "hanging", "#!/bin/sh\nexec sleep 4321\n")
        for program, words in ((hanging, "1 nfqws2 neither starts nor ends"),
                               (env.tool(lab, "bad", "#!/bin/sh\necho no >&2\nexit 3\n"), "1 no"),
                               (env.tool(lab, "good", "#!/bin/sh\nexit 0\n"), "0 ")):
            done = subprocess.run(
                ["sh", "-c", PROCESSES.replace('kill() { echo "kill $*"; }', ""), "x", ROOT, folder,
                 '. "$1/common/blockcheck/daemon.sh"; PKTWSD=nfqws2 NFQWS2=%s; DAEMON_LOOKS=%d; fsleep_setup; '
                 'strategy_is_valid ""; echo "$? $DAEMON_SAID"' % (program, 20 if program is hanging else 1000)],
                capture_output=True, text=True, check=True, timeout=60)
            check_equal(program, done.stdout.splitlines(), [words])
            check_equal("complaints", done.stderr, "")
            with open(folder + "/pids/daemon.check") as f:
                check_equal("note", f.read(), "\n")


def test_time_of_an_attempt(env):
    """What curl takes as a limit, the engine takes, too."""
    with env.lab() as lab:
        env.folder(lab, "work")
        for given, ms in (("2", "2000"), ("0.5", "500"), (".25", "250"), ("0", "3600000"), ("0.0", "3600000"),
                          ("0.0001", "1"), ("3601", "3600000"), ("99999999999", "3600000"), ("x", "x")):
            done = subprocess.run(["sh", "-c", PROCESSES, "x", ROOT, lab.folder + "/work",
                                   "CURL_MAX_TIME=%s; engine_max_time" % given],
                                  capture_output=True, text=True, check=True)
            check_equal(given, done.stdout.strip(), ms)


def test_plans_that_are_gone(env):
    """What plans for a plan that nobody wants any more leaves no file, nor is the next plan its own."""
    with env.lab() as lab:
        program = ('PLANNER=; mkfifo "$WORK/ask"; planner_loop() { :; }; : >"$WORK/known"; '
                   '(planner_run 7 0 echo asked); planner_start f; plan_make 0; echo "$PLAN_ID"; planner_stop; '
                   'planner_start f; plan_make 0; echo "$PLAN_ID"; planner_stop; ls "$WORK"')
        env.folder(lab, "work")
        done = subprocess.run(["sh", "-c", PROCESSES, "x", ROOT, lab.folder + "/work", program],
                              capture_output=True, text=True, check=True)
        lines = [line for line in done.stdout.splitlines() if not line.startswith("kill ")]
        check_equal("said", lines, ["1", "2", "ask", "known", "pids"])


ALONE = "--payload=http_req --lua-desync=http_hostcase --ctrack-disable=0"


def test_alone(env):
    """What cannot stand beside others has a daemon of its own, and the same result."""
    with env.lab("rst") as lab:
        blob = "--blob=x:0x00 --payload=http_req --lua-desync=fake:blob=x:badsum"
        lists = env.custom(lab, [ALONE, FAKE, blob, blob + " --lua-desync=http_hostcase", SPLIT,
                                 ALONE.replace("http_hostcase", "fake:blob=0x00:badsum"), CASE + " --filter-lport=1"])
        runs = [env.run(lab, ENGINE=engine, ENABLE_HTTPS_TLS12=0, SCANLEVEL="force", **lists)
                for engine in ("classic", "fast")]
        check_equal("results", runs[1].results(), runs[0].results())
        check_equal("which work", [line.startswith("!!!!!") for *_, line in runs[0].results()],
                    [True, False, False, True, True, False, False])
        nothing_left(lab, "after both")


def test_many_results(env):
    """More than a piece of them: each strategy gets its own."""
    with env.lab("rst") as lab:
        many = [(CASE if n % 7 == 0 else FAKE) + " --comment=%d" % n for n in range(150)]
        done = env.run(lab, ENABLE_HTTPS_TLS12=0, SCANLEVEL="force", PARALLEL_MAX=64, **env.custom(lab, many))
        check_equal("strategies", done.strategies(), many)
        check_equal("results", [line.startswith("!!!!!") for *_, line in done.results()],
                    [n % 7 == 0 for n in range(150)])
