"""Verbs, the daemon's command line, pid files, accounts, placeholders."""
import os
import re
import signal
import time

import processes
from sandbox import BASE, SCRIPT, World, check, contains, equal, kill, lacks

SHELLS = ("dash", "busybox", "bash")
COMMON = ("FWTYPE=iptables", "INIT_APPLY_FW=0", "WS_USER=nobody", "NFQWS2_ENABLE=1")
STUB = "#!/bin/sh\nwhile :; do sleep 1; done\n"
LUA = ["--lua-init=@%s/lua/zapret-%s.lua" % (BASE, name) for name in ("lib", "antidpi", "auto", "learn")] + \
    ["--state-dir=/var/lib/zapret2"]
DEFAULT_OPT = """
--filter-tcp=80 --filter-l7=http --payload=http_req --out-range=-d10
--lua-desync=fake:blob=fake_default_http:tcp_md5 --lua-desync=multisplit:pos=method+2
--new --filter-tcp=443 --filter-l7=tls --payload=tls_client_hello --out-range=-d10
--lua-desync=fake:blob=fake_default_tls:tcp_md5:tcp_seq=-10000 --lua-desync=multidisorder:pos=1,midsld
--new --filter-udp=443 --filter-l7=quic --payload=quic_initial --out-range=-d5
--lua-desync=fake:blob=fake_default_quic:repeats=6""".split()


def words_of(world, *config, opt=None):
    """The daemon's options as the start message shows them; a stub stands for the daemon."""
    world.tool("stub", STUB)
    lines = list(COMMON) + ["NFQWS2=/opt/bin/stub", "DAEMON_START_STEPS=2"] + list(config)
    if opt is not None:
        lines.append("NFQWS2_OPT=%s" % opt)
    world.config(*lines)
    text = world.service("start-daemons")
    world.service("stop-daemons")
    return re.search(r"^Starting daemon 1: /opt/bin/stub (.*)$", text, re.M).group(1).split(" ")


def test_command_line_word_for_word(world: World):
    world.config(*COMMON)
    text = world.service("start")
    wanted = [BASE + "/nfq2/nfqws2", "--user=nobody", "--fwmark=0x40000000", *LUA, "--qnum=300", *DEFAULT_OPT]
    equal(world.daemon_words(), wanted)
    equal(text, "Starting daemon 1: %s\n" % " ".join(wanted))
    pid = world.read("/run/nfqws2_1.pid")
    check(re.fullmatch(r"\d+\n", pid), "pid file: " + repr(pid))
    status = world.read("/proc/%s/status" % pid.strip())
    contains(status, "Uid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534")
    contains(status, "CapEff:\t0000000000003000")
    contains(world.read("/proc/net/netfilter/nfnetlink_queue"), "  300 ")

    contains(world.service("start"), "already running\n")
    equal(world.read("/run/nfqws2_1.pid"), pid)
    equal(world.service("stop"), "Stopping daemon 1: %s/nfq2/nfqws2\n" % BASE)
    equal(world.processes("nfqws2"), [], "stop did not wait for the end")
    equal(world.service("stop"), "Stopping daemon 1: %s/nfq2/nfqws2\nno pidfile : /var/run/nfqws2_1.pid\n" % BASE)


def test_verbs(world: World):
    world.use_iptables("nft")
    world.config(*COMMON)
    for verb in ("start-daemons", "restart_daemons", "restart-daemons", "start_daemons"):
        world.service(verb)
        equal(len(world.processes("nfqws2")), 1, verb)
    world.service("stop_daemons")
    equal(world.processes("nfqws2"), [])
    for verb in ("start_fw", "restart-fw", "restart_fw"):
        world.service(verb)
        contains(world.sh("iptables-save -t mangle"), "NFQUEUE")
    world.service("stop-fw")
    equal(world.saved_rules(), {})
    world.service("restart")
    equal(len(world.processes("nfqws2")), 1)
    for argv in ((), ("nonsense",), ("startfw",)):
        result = world.run(SCRIPT, *argv, merge=False, check_code=1)
        contains(result.errors, "Usage:")
        equal(result.text, "")


def test_starts_and_stops_at_the_same_time(world: World):
    """None leaves a daemon behind that the next stop does not find."""
    world.needs_program("rm")
    world.config(*COMMON)
    # A slow one leaves room between the look at the pid file and its new contents.
    world.tool("rm", "#!/bin/sh\nsleep 0.3\nexec /bin/rm \"$@\"\n")
    for second, left in (("start", 1), ("start", 1), ("stop", None), ("stop", None)):
        world.sh("%s start & %s %s; wait" % (SCRIPT, SCRIPT, second))
        found = world.processes("nfqws2")
        check(left is None or len(found) == left, "%d daemons after start and %s" % (len(found), second))
        world.service("stop")
        equal(world.processes("nfqws2"), [], "after start and %s at the same time" % second)
    equal(oct(os.stat("/run/zapret2.lock").st_mode & 0o777), "0o600")


def test_disabled_daemon(world: World):
    world.config(*COMMON, "NFQWS2_ENABLE=0")
    equal(world.service("start"), "")
    equal(world.service("stop"), "")


def test_a_daemon_that_was_disabled_is_stopped(world: World):
    world.config(*COMMON)
    world.service("start")
    world.config(*COMMON, "NFQWS2_ENABLE=0")
    contains(world.service("restart"), "Stopping daemon 1: ")
    equal(world.processes("nfqws2"), [])


def test_qnum_and_marks_of_config(world: World):
    words = words_of(world, "QNUM=123", "DESYNC_MARK=0x8", opt="--x")
    equal(words, ["--user=nobody", "--fwmark=0x8", *LUA, "--qnum=123", "--x"])


def test_defaults_without_a_config(world: World):
    world.tool("nft", "#!/bin/sh\nexit 0\n")
    equal(world.service("start"), "")
    text = world.functions('echo "$QNUM $DESYNC_MARK $DESYNC_MARK_POSTNAT $DESYNC_FWMARK $MODE_FILTER $CUSTOM_DIR '
                           '$HOSTLIST_BASE $NFQWS2 $PIDDIR $IFACE_WAN6"', env={"IFACE_WAN": "w"})
    equal(text, "300 0x40000000 0x20000000 0x40000000 none {0}/init.d/sysv {0}/ipset {0}/nfq2/nfqws2 /var/run w\n"
          .format(BASE))


def test_failing_daemon_is_reported(world: World):
    world.config(*COMMON, "NFQWS2_OPT='--filter-tcp=80 --no-such-option'")
    text = world.service("start", check_code=1)
    contains(text, "unrecognized option '--no-such-option'")
    contains(text, "ERROR: daemon 1 did not start")
    check(not os.path.exists("/run/nfqws2_1.pid"), "pid file of a daemon that does not run")


def test_missing_program_is_reported(world: World):
    world.config(*COMMON, "NFQWS2=/nowhere/nfqws2")
    contains(world.service("start", check_code=1), "/nowhere/nfqws2 is missing")


def test_output_through_a_pipe_ends(world: World):
    """Who reads the messages does not wait for the daemon, and sees what the daemon says at start."""
    world.config(*COMMON)
    contains(world.sh("%s start 2>&1 | cat" % SCRIPT), "Starting daemon 1")
    pid = world.processes("nfqws2")
    equal(len(pid), 1)
    # The reader is gone; the daemon lives on when it writes to standard error.
    kill(pid[0], signal.SIGHUP)
    time.sleep(0.2)
    equal(world.processes("nfqws2"), pid)
    world.service("stop")
    world.config(*COMMON, "NFQWS2_OPT='--no-such-option'")
    contains(world.sh("%s start 2>&1 | cat" % SCRIPT), "unrecognized option")
    equal(world.sh("ls /tmp"), "")


def test_stale_pid_file(world: World):
    world.config(*COMMON)
    for stale in ("1\n", "99999\n", "junk; rm -rf /\n", ""):
        world.write("/run/nfqws2_1.pid", stale)
        lacks(world.service("start"), "already running")
        equal(len(world.processes("nfqws2")), 1, stale)
        world.service("stop")
    # A foreign process under that number is left alone.
    world.sh("sleep 100 & echo $! >/run/nfqws2_1.pid")
    world.service("stop")
    equal(len(world.processes("sleep") + world.processes("busybox")), 1)


def test_stubborn_daemon_is_killed(world: World):
    world.tool("stub", "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n")
    world.functions("run_daemon 5 /opt/bin/stub a b")
    pid = world.read("/run/stub_5.pid").strip()
    world.functions("stop_daemon 5 /opt/bin/stub")
    check(not processes.runs(int(pid)), "still alive")


def test_account_is_made(world: World):
    world.config(*COMMON, "WS_USER=")
    world.service("start")
    equal(world.daemon_words()[1], "--user=tpws")
    contains(world.read("/etc/passwd"), "\ntpws:x:")
    lacks(world.sh("ls /home"), "tpws")


def test_account_fallbacks(world: World):
    """WS_USER, daemon, nobody, then a number; nothing is made where it cannot be made."""
    world.tool("useradd", "#!/bin/sh\nexit 1\n")
    world.tool("adduser", "#!/bin/sh\nexit 1\n")
    world.sh("cp /etc/passwd /opt/passwd; sed -i 's/^passwd:.*/passwd: files/' /etc/nsswitch.conf")
    for gone, wanted in (("^$", "--user=daemon"), ("^daemon:", "--user=nobody"), ("^(daemon|nobody):", "--uid")):
        world.sh("grep -vE '%s' /opt/passwd >/etc/passwd" % gone)
        words = words_of(world, "WS_USER=nosuchuser", opt="--x")
        equal(words[0], wanted)
        if wanted == "--uid":
            equal(words[1], "1:1")
    words = words_of(world, "WS_USER=bin", opt="--x")
    equal(words[0], "--user=bin")


# --- placeholders -------------------------------------------------------------------------------------

AUTO = ("--hostlist-auto={0}/zapret-hosts-auto.txt --hostlist-auto-fail-threshold=3 --hostlist-auto-fail-time=60 "
        "--hostlist-auto-retrans-threshold=3 --hostlist-auto-retrans-reset=1 --hostlist-auto-retrans-maxseq=32768 "
        "--hostlist-auto-incoming-maxseq=4096 --hostlist-auto-udp-in=1 --hostlist-auto-udp-out=4")


def expand(world, mode, text, *config):
    return world.functions("MODE_FILTER=%s\nopt='%s'\n%s\nfilter_apply_hostlist_target opt\nprintf %%s \"$opt\""
                           % (mode, text, "\n".join(config)))


def test_placeholders(world: World):
    world.config()
    lists = BASE + "/ipset"
    text = "a <HOSTLIST> b <HOSTLIST_NOAUTO> c"
    for mode in ("none", "ipset"):
        equal(expand(world, mode, text), "a  b  c")
    equal(expand(world, "hostlist", text), "a  b  c", "no list exists")
    auto = AUTO.format(lists)
    equal(expand(world, "autohostlist", text), "a %s b --hostlist=%s/zapret-hosts-auto.txt c" % (auto, lists))

    world.write("ipset/zapret-hosts-user.txt", "x\n")
    world.write("ipset/zapret-hosts.txt", "x\n")
    world.write("ipset/zapret-hosts.txt.gz", "x\n")
    world.write("ipset/zapret-hosts-user-exclude.txt", "x\n")
    base = "--hostlist={0}/zapret-hosts-user.txt --hostlist={0}/zapret-hosts.txt.gz " \
           "--hostlist-exclude={0}/zapret-hosts-user-exclude.txt".format(lists)
    equal(expand(world, "hostlist", text), "a %s b %s c" % (base, base))
    equal(expand(world, "autohostlist", text),
          "a %s %s b %s --hostlist=%s/zapret-hosts-auto.txt c" % (base, auto, base, lists))


def test_placeholders_debug_log_and_empty_values(world: World):
    world.config()
    lists = BASE + "/ipset"
    equal(expand(world, "autohostlist", "<HOSTLIST> <HOSTLIST>", "AUTOHOSTLIST_DEBUGLOG=1", "AUTOHOSTLIST_FAIL_TIME=",
                 "AUTOHOSTLIST_UDP_OUT=").count("debug="), 1)
    equal(expand(world, "autohostlist", "x", "AUTOHOSTLIST_DEBUGLOG=1"), "x")
    equal(expand(world, "hostlist", "<HOSTLIST>", "AUTOHOSTLIST_DEBUGLOG=1"), "")
    short = expand(world, "autohostlist", "<HOSTLIST>", "AUTOHOSTLIST_FAIL_TIME=", "AUTOHOSTLIST_UDP_OUT=")
    equal(short, AUTO.format(lists).replace(" --hostlist-auto-fail-time=60", "").replace(
        " --hostlist-auto-udp-out=4", ""))


def test_observed_autohostlist_line(world: World):
    world.write("ipset/zapret-hosts-user-exclude.txt", "x\n")
    words = words_of(world, "MODE_FILTER=autohostlist", "AUTOHOSTLIST_DEBUGLOG=1",
                     opt='"--filter-tcp=80 <HOSTLIST> --new --filter-udp=443 <HOSTLIST_NOAUTO>"')
    lists = BASE + "/ipset"
    exclude = "--hostlist-exclude=%s/zapret-hosts-user-exclude.txt" % lists
    own = words[2 + len(LUA):]
    equal(own, ["--qnum=300", "--filter-tcp=80", exclude, *AUTO.format(lists).split(), "--new",
                "--filter-udp=443", exclude, "--hostlist=%s/zapret-hosts-auto.txt" % lists,
                "--hostlist-auto-debug=%s/zapret-hosts-auto-debug.log" % lists])


def test_detectors_are_told_what_is_queued(world: World):
    """Only where something judges by answers; `keepalive` is all of them."""
    counts = ("NFQWS2_TCP_PKT_IN=10", "NFQWS2_UDP_PKT_IN=keepalive")
    told = ["--lua-init=in_pkts_tcp=10", "--lua-init=in_pkts_udp=1e9"]
    for function in "learn", "circular":
        equal(words_of(world, *counts, opt="--lua-desync=%s:key=x" % function)[2 + len(LUA):],
              told + ["--qnum=300", "--lua-desync=%s:key=x" % function])
    equal(words_of(world, *counts, opt="--lua-desync=fake")[2 + len(LUA):], ["--qnum=300", "--lua-desync=fake"])
    equal(words_of(world, "NFQWS2_TCP_PKT_IN=0", "NFQWS2_UDP_PKT_IN=", opt="--lua-desync=learn")[2 + len(LUA):],
          ["--qnum=300", "--lua-desync=learn"])


def test_directory_of_what_is_learned(world: World):
    for setting, words in (("STATE_DIR=/opt/learned", ["--state-dir=/opt/learned"]), ("STATE_DIR=", [])):
        equal(words_of(world, setting, opt="--x")[len(LUA) + 1:], words + ["--qnum=300", "--x"])


def test_nothing_in_options_is_executed(world: World):
    words = words_of(world, "MODE_FILTER=hostlist",
                     opt="'<HOSTLIST> --a=\"$(touch /opt/evil)\" --b=`touch /opt/evil` --c=$HOME --d=& --e=/* "
                         "--f=[a-z]'")
    equal(words[words.index("--qnum=300") + 1:],
          ['--a="$(touch', '/opt/evil)"', "--b=`touch", "/opt/evil`", "--c=$HOME", "--d=&", "--e=/*", "--f=[a-z]"])
    check(not os.path.exists("/opt/evil"), "executed")


def test_writable_tree(world: World):
    """ZAPRET_RW has the config, the lists and custom.d."""
    world.tool("stub", STUB)
    rw = "/opt/rw"
    world.write(rw + "/config", "DAEMON_START_STEPS=2\nNFQWS2=/opt/bin/stub\nNFQWS2_ENABLE=1\nWS_USER=nobody\n"
                                "MODE_FILTER=hostlist\nNFQWS2_OPT='<HOSTLIST>'\n")
    world.write(rw + "/ipset/zapret-hosts-user.txt", "x\n")
    world.write(rw + "/init.d/sysv/custom.d/50-x", "zapret_custom_daemons() { echo custom $1; }\n")
    text = world.service("start", env={"ZAPRET_RW": rw})
    contains(text, "--hostlist=/opt/rw/ipset/zapret-hosts-user.txt\n")
    contains(text, "custom 1")


def test_warning_about_lists_in_the_program_folder(world: World):
    world.config(*COMMON, "NFQWS2=/opt/bin/stub", "DAEMON_START_STEPS=2",
                 "NFQWS2_OPT='--hostlist=%s/ipset/x.txt'" % BASE)
    world.tool("stub", STUB)
    contains(world.service("start"), "WARNING: NFQWS2_OPT names a list inside")
    world.config(*COMMON, "NFQWS2=/opt/bin/stub", "DAEMON_START_STEPS=2", "NFQWS2_OPT='--ipset=/etc/x.txt'")
    lacks(world.service("restart"), "WARNING")
