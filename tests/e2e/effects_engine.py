"""What the options of connection tracking, Lua, offline mode and diagnosis do."""
import json
import os
import re

from effects import effect
from harness import big_client_hello, check, check_equal, client_hello, laboratory
from offline_world import CLIENT4, HOST, LOCAL, SERVER4, Flow, at, datagram, spaced
from packets import ACK, FIN, SYN, checksum

F = "--lua-desync=f"

# --- connection tracking


def flow_of_last(run):
    return run.trace[-1]["flow"]


@effect("ctrack-timeouts")
def _(world):
    flow = Flow(40000)

    def last(pause, *words, packets=None):
        first = packets or flow.handshake()
        return flow_of_last(world.run(*words, F, timed=at(0, *first) + at(pause, flow.request())))
    check_equal("flow after 250 s", last(250), 1)
    check_equal("flow after 310 s", last(310), None)
    check_equal("flow after 15 s with the option", last(15, "--ctrack-timeouts=20:10:20"), None)
    check_equal("flow after 8 s with the option", last(8, "--ctrack-timeouts=1:10:1"), 1)
    check_equal("half-open flow after 50 s", last(50, packets=[flow.out(SYN)]), 1)
    check_equal("half-open flow after 5 s", last(5, "--ctrack-timeouts=4:99:99",
                                                 packets=[flow.out(SYN)]), None)
    closed = flow.handshake() + [flow.out(FIN | ACK, offset=1), flow.back(FIN | ACK, offset=1)]
    check_equal("closed flow after 50 s", last(50, packets=closed), 1)
    check_equal("closed flow after 5 s", last(5, "--ctrack-timeouts=99:99:4", packets=closed), None)
    talk = at(0, datagram(b"x" * 9)) + at(50, datagram(b"x" * 9)) + at(105, datagram(b"x" * 9))
    check_equal("UDP", flow_of_last(world.run(F, timed=talk)), 1)
    check_equal("UDP", flow_of_last(world.run("--ctrack-timeouts=60:300:60:40", F, timed=talk)), 3)


@effect("ctrack-disable")
def _(world):
    check_equal("flows", {r["flow"] for r in world.run(F).trace[:10]}, {1, 2, 3, 4})
    check_equal("flows", {r["flow"] for r in world.run("--ctrack-disable", F).trace}, {None})
    check_equal("flows", len({r["flow"] for r in world.run("--ctrack-disable=0", F).trace}), 5)


@effect("ctrack-max")
def _(world):
    one, two = Flow(40000), Flow(40001)
    timed = spaced(*one.handshake(), *two.handshake(), one.request())
    check_equal("flow", flow_of_last(world.run(F, timed=timed)), 1)
    check_equal("flow", flow_of_last(world.run("--ctrack-max=1", F, timed=timed)), None)
    check_equal("flow", flow_of_last(world.run("--ctrack-max=0", F, timed=timed)), 1)


@effect("mem-limit")
def _(world):
    # Scripts have taken all of it, so nothing can be held.
    flow, hello = Flow(40000, 443), client_hello()
    timed = spaced(*flow.handshake(), flow.send(hello[:100]), flow.send(hello[100:], 101))
    fill = "--lua-init=big = string.rep('x', 30000000)"

    def held(*words):
        return [r["held"] for r in world.run(*words, fill, F, timed=timed).trace if r["dlen"]]
    check_equal("held", held("--mem-limit=24"), [False, False])
    check(True in held("--mem-limit=0"), "nothing was held without a limit")
    check(True in held("--mem-limit=100"), "nothing was held with a large limit")


@effect("payload-disable")
def _(world):
    def payloads(*words):
        run = world.run(*words, F)
        return {name: record["payload"] for name, record in zip(run.names, run.trace)}
    check_equal("payload", payloads()["http"], "http_req")
    some = payloads("--payload-disable=http_req,stun")
    check_equal("payloads", (some["http"], some["tls6"]), ("unknown", "tls_client_hello"))
    none = payloads("--payload-disable")
    check_equal("payloads", {none[n] for n in ("http", "reply", "tls6", "quic", "dns")},
                {"unknown"})
    check_equal("payload of the ping", none["ping"], "icmp")


@effect("reasm-disable")
def _(world):
    flow, hello = Flow(40000, 443), client_hello()
    timed = spaced(*flow.handshake(), flow.send(hello[:100]), flow.send(hello[100:], 101))

    def held(*words):
        return [r["held"] for r in world.run(*words, F, timed=timed).trace if r["dlen"]]
    check(True in held(), "nothing was held by default")
    for words in ["--reasm-disable"], ["--reasm-disable=tls_client_hello"]:
        check_equal("held", held(*words), [False, False])
    check(True in held("--reasm-disable=quic_initial"), "the wrong type is disabled")


@effect("server")
def _(world):
    # The client's packets are incoming for a server: nothing but --in-range lets them through.
    timed = spaced(*Flow(40000).visit(), datagram(b"x" * 9))
    local = "--pcap-local=" + SERVER4
    dirs = [r["dir"] for r in world.run(local, F, "--server", timed=timed, local=False).trace]
    check_equal("directions", dirs, ["in", "out", "in", "in", "in"])
    for words in [], ["--server=0"]:
        dirs = [r["dir"] for r in world.run(LOCAL, *words, F, timed=timed, local=False).trace]
        check_equal("directions", dirs, ["out", "in", "out", "out", "out"])
    run = world.run("--server", "--filter-tcp=80", F, timed=timed)
    check_equal("called", run.called(), {1})


@effect("ipcache-lifetime")
def _(world):
    def cached(pause, *words):
        again = Flow(40001)
        timed = at(0, *Flow(40000).handshake()) + at(pause, again.out(SYN))
        return "got cached ttl" in world.run("--debug", *words, F, timed=timed).said
    check_equal("cached", [cached(7100), cached(7300)], [True, False])
    check_equal("cached", [cached(8, "--ipcache-lifetime=10"), cached(12, "--ipcache-lifetime=10"),
                           cached(90000, "--ipcache-lifetime=0")], [True, False, True])


@effect("ipcache-hostname")
def _(world):
    timed = spaced(*Flow(40000).visit(), Flow(40001).out(SYN))
    words = ["--hostlist-domains=" + HOST, F]
    check_equal("called", world.run(*words, timed=timed).called(), {3})
    check_equal("called", world.run("--ipcache-hostname", *words, timed=timed).called(), {3, 4})
    check_equal("called", world.run("--ipcache-hostname=0", *words, timed=timed).called(), {3})


# --- Lua


@effect("blob")
def _(world):
    path = world.file("blob", "0123456789")
    run = world.run("--blob=one:0x4142", "--blob=two:@" + path, "--blob=three:+7@" + path,
                    "--lua-init=print('blobs '..one..' '..two..' '..three)")
    check("blobs AB 0123456789 789\n" in run.said, "it said: %s", run.said)


@effect("lua-init")
def _(world):
    path = world.file("a.lua", "print('from '..x)")
    run = world.run("--lua-init=x='file'", "--lua-init=@" + path, "--lua-init=print('then '..x)")
    check("from file\nthen file\n" in run.said, "it said: %s", run.said)
    failed = world.env.run("--intercept=0", "--lua-init=error('no luck')")
    check(failed.returncode == 1 and "no luck" in failed.stderr, "it said: %s", failed.stderr)


@effect("lua-gc")
def _(world):
    # A finalizer tells of the collection; a timer ends the program only then, or after 2 seconds.
    script = ("n=0 done=false timer_set('t', function() n=n+1 if n==1 then local p=newproxy(true) "
              "getmetatable(p).__gc=function() done=true end end if done or n==40 then print("
              "'collected '..tostring(done)) timer_del('t') end end, 50)")
    for option, collected in ("--lua-gc=1", "true"), ("--lua-gc=0", "false"):
        run = world.env.run("--intercept=0", option, "--lua-init=" + script)
        check("collected %s\n" % collected in run.stdout, "%s: it said: %s%s", option, run.stdout,
              run.stderr)


@effect("lua-call-limit")
def _(world):
    # Only interpreted code can be interrupted at any place.
    interpreted = "--lua-init=if jit then jit.off() end "
    script = interpreted + "function spin() while true do end end"
    run = world.run("--lua-call-limit=50", script, "--lua-desync=spin",
                    timed=spaced(datagram(b"x" * 9)), code=3)
    check_equal("packets", len(run.out), 1)
    script = interpreted + "function long() local t=os.clock() while os.clock()<t+0.3 do end end"
    for limit, code in ("--lua-call-limit=50", 3), ("--lua-call-limit=0", 0):
        world.run(limit, script, "--lua-desync=long", timed=spaced(datagram(b"x" * 9)), code=code)


@effect("lua-wait-limit")
def _(world):
    # Nobody reads what the pipe cannot hold.
    with world.env.folder() as folder:
        path = os.path.join(folder, "fifo")
        os.mkfifo(path)
        os.chmod(path, 0o666)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        script = "local f=io.open('%s','w') f:setvbuf('no') f:write(('x'):rep(1000000))" % path
        run = world.env.run("--sandbox=off", "--intercept=0", "--lua-wait-limit=100",
                            "--lua-init=" + script)
        os.close(reader)
    check(run.returncode == 1 and "--lua-wait-limit" in run.stderr, "it said: %s", run.stderr)


@effect("lua-mem-limit")
def _(world):
    script = "--lua-init=t={} for i=1,40 do t[i]=string.rep(tostring(i), 500000) end print('all')"
    run = world.env.run("--intercept=0", "--lua-mem-limit=16", script)
    check(run.returncode == 1 and "memory" in run.stderr, "it said: %s", run.stderr)
    for limit in "0", "256":
        run = world.env.run("--intercept=0", "--lua-mem-limit=" + limit, script)
        check("all\n" in run.stdout, "it said: %s%s", run.stdout, run.stderr)


# --- offline and diagnosis


@effect("pcap-in")
def _(world):
    check_equal("packets", len(world.run(F).trace), 12)
    missing = world.env.run("--pcap-in=/no/such/file", F)
    check_equal("exit code", missing.returncode, 2)


@effect("pcap-out")
def _(world):
    check_equal("packets", len(world.run("--lua-desync=f").out), 12)
    run = world.run("--lua-init=function gone() return VERDICT_DROP end", "--filter-icmp=8",
                    "--lua-desync=gone")
    check_equal("packets", len(run.out), 11)


@effect("pcap-local")
def _(world):
    timed = spaced(datagram(b"x" * 9))
    for local, way in ([], "out"), (["--pcap-local=" + CLIENT4], "out"), \
            (["--pcap-local=192.0.2.0/24"], "in"):
        run = world.run(*local, "--ctrack-disable", F, timed=timed, local=False)
        check_equal("direction with %s" % local, run.trace[0]["dir"], way)


@effect("pcap-ifname")
def _(world):
    script = "--lua-init=function name(c,d) print('at '..d.ifout) end"
    check("at pcap0\n" in world.run(script, "--lua-desync=name").said, "default name")
    check("at wan7\n" in world.run("--pcap-ifname=wan7", script, "--lua-desync=name").said, "name")


@effect("fastpath-workaround")
def _(world):
    hello = big_client_hello()
    parts = [b"", hello[:700], hello[700:]]  # that of the handshake, and what the strategy makes
    libraries = laboratory.libraries(world.folder, world.env.lua, "lib", "antidpi")

    def visits(*options, again=0, flows=1):
        """The client's packets that leave if the first part of the hello comes so often again."""
        sent = []
        for n in range(flows):
            flow = Flow(40000 + n, 443)
            sent += flow.handshake() + [flow.send(hello[:1400])] * (1 + again)
            sent.append(flow.send(hello[1400:], 1401))
        run = world.run(*options, *libraries, "--payload=tls_client_hello",
                        "--lua-desync=multisplit:pos=700", timed=spaced(*sent, step=0.01))
        return [p for p in run.out if p.dport == 443 and not p.flags & SYN]

    def bare(packets_out):
        return [p.payload for p in packets_out].count(b"")

    for option in [], ["--fastpath-workaround=0"], ["--fastpath-workaround=auto"]:
        check_equal("%s" % option, [p.payload for p in visits(*option)], parts)
    for option in "--fastpath-workaround", "--fastpath-workaround=1":
        left = visits(option)
        check_equal(option, [p.payload for p in left], parts[:1] + parts)
        first = left[1]
        check_equal("its numbers", (first.seq, first.ack, first.flags), (1001, 5001, ACK))
        check(first.l4_ok and checksum(first.raw[:20]) == 0xFFFF, "wrong checksums")
    check_equal("one for a hello", bare(visits("--fastpath-workaround=1", again=2)), 2)
    for again, count in (1, 1), (2, 2), (3, 2):
        check_equal("after %d retransmissions" % again,
                    bare(visits("--fastpath-workaround=auto", again=again)), count)
    check_equal("known server", bare(visits("--fastpath-workaround=auto", again=2, flows=2)), 4)


@effect("pcap-in-mark")
def _(world):
    script = "--lua-init=function show(c,d) print('mark '..d.fwmark) end"
    check("mark 0\n" in world.run(script, "--lua-desync=show").said, "default mark")
    check("mark 18\n" in world.run("--pcap-in-mark=0x12", script, "--lua-desync=show").said, "mark")


@effect("seed")
def _(world):
    def said(*words):
        run = world.run(*words, "--lua-init=print('random '..math.random(1,1e9)..' '.."
                        "string.format('%q',brandom_az09(8)))")
        return re.search("random .*", run.said).group()
    check_equal("with one seed", said("--seed=5"), said("--seed=5"))
    check(said("--seed=5") != said("--seed=6"), "two seeds are one")
    check(said() != said(), "without a seed the numbers repeat")


@effect("trace")
def _(world):
    run = world.run("--filter-tcp=80", F)
    check_equal("records", [r["n"] for r in run.trace], list(range(1, 13)))
    check_equal("rejected", run.trace[8]["rejected"], [{"n": 1, "by": "filter-udp"}])
    check_equal("called", run.trace[3]["instances"][0]["called"], True)


@effect("check")
def _(world):
    wrong = ["--qnum=200", "--lua-desync=string_fromat"]
    text = world.env.run("--check", *wrong)
    check(text.returncode == 1 and "(argument 3)" in text.stdout and "1 error" in text.stdout,
          "it said: %s", text.stdout)
    report = json.loads(world.env.run("--check=json", *wrong).stdout)
    check_equal("findings", [(f["level"], f["option"], f["where"]) for f in report["findings"]],
                [("error", "lua-desync", "argument 3")])
    good = world.env.run("--check", "--qnum=200", "--lua-init=function f() end", F)
    check(good.returncode == 0 and "0 errors, 0 warnings" in good.stdout, "it said: %s",
          good.stdout)
    stray = world.env.run("--check", "--qnum=200", "filter-tcp=80")
    check("did you mean '--filter-tcp=80'?" in stray.stdout, "it said: %s", stray.stdout)


@effect("explain")
def _(world):
    run = world.env.run("--filter-tcp=443", F, "--new=web", "--filter-tcp=80", F,
                        "--explain=tcp:192.0.2.1:80", "--explain=udp:192.0.2.1:53")
    check_equal("exit code", run.returncode, 0)
    check("2 (web)" in run.stdout and "filter-tcp" in run.stdout and "no_action" in run.stdout,
          "it said: %s", run.stdout)


@effect("explain-json")
def _(world):
    run = world.env.run("--filter-tcp=80", F, "--explain=tcp:192.0.2.1:80", "--explain-json")
    searches = json.loads(run.stdout)[0]["searches"]
    check_equal("winner", searches[0]["winner"], 1)
    check_equal("instances", [i["func"] for i in searches[0]["instances"]], ["f_1_1"])


@effect("print-rules")
def _(world):
    run = world.env.run("--qnum=201", "--filter-tcp=80", "--out-range=-n4", F, "--print-rules=json")
    rules = json.loads(run.stdout)
    check_equal("queue", rules["queue"], 201)
    check_equal("rules", [(r["way"], r["ports"], r["packets"]) for r in rules["rules"]],
                [("out", ["80"], 6), ("in", ["80"], 1)])


RULES = 'version = 1\n[[profile]]\n[[profile.rule]]\nmatch = [ { protocol = "udp" } ]\n' \
        'action = [ { stats = "UDP" }, "drop" ]\n'


@effect("rules")
def _(world):
    rules = "--rules=" + world.file("rules.toml", RULES)
    run = world.run(rules)
    dropped = [r for r in run.trace if r["verdict"] == "drop"]
    check(dropped and all(r["rules"]["verdict"] == "drop" for r in dropped), "dropped: %s", dropped)
    check_equal("udp that passed", [r for r in run.trace if r["l4"] == "udp" and r["verdict"] != "drop"], [])
    twice = world.env.run("--dry-run", "--qnum=200", rules, rules)
    check_equal("exit code of two files", twice.returncode, 1)


@effect("rules-stats")
def _(world):
    words = ["--rules=" + world.file("rules.toml", RULES), "--rules-stats=" + world.path("stats") + ":5"]
    run = world.run(*words)
    counted = json.loads(world.read("stats"))
    check_equal("packets", counted["packets"], len(run.trace))
    check_equal("dropped", counted["counters"]["UDP"]["packets"], len([r for r in run.trace if r["verdict"] == "drop"]))
    check_equal("exit code without --rules", world.env.run("--dry-run", "--qnum=200", words[1]).returncode, 1)


SWITCHED = RULES.replace('"drop"', '{ capture = "on" }, { export = "on" }')


@effect("rules-capture")
def _(world):
    words = ["--rules=" + world.file("rules.toml", SWITCHED), "--rules-capture=" + world.path("capture") + ":1"]
    run = world.run(*words)
    count = len([r for r in run.trace if r["l4"] == "udp"])
    with open(world.path("capture"), "rb") as f:
        data = f.read()
    check_equal("begin", data[:4], b"\x0a\x0d\x0d\x0a")
    check_equal("comments", data.count(b"1/main#1"), count)
    check_equal("exit code without --rules", world.env.run("--dry-run", "--qnum=200", words[1]).returncode, 1)


@effect("rules-export")
def _(world):
    words = ["--rules=" + world.file("rules.toml", SWITCHED), "--rules-export=" + world.path("export")]
    run = world.run(*words)
    records = [json.loads(line) for line in world.read("export").splitlines()]
    check_equal("records", len(records), len([r for r in run.trace if r["l4"] == "udp"]))
    check(all(r["action"] == "continue" and r["protocol"] == 17 for r in records), "records: %s", records)
    check_equal("exit code without --rules", world.env.run("--dry-run", "--qnum=200", words[1]).returncode, 1)


@effect("rules-now")
def _(world):
    listing = "*mangle\n-A POSTROUTING -p tcp --dport 80 -j NFQUEUE --queue-num 201\n"
    words = ["--qnum=201", "--lua-init=function f() end", "--filter-l3=ipv4", "--filter-tcp=80", F, "--check",
             "--rules-now=" + world.path("rules")]
    with open(world.path("rules"), "w") as f:
        f.write(listing)
    run = world.env.run(*words)
    check("0 errors, 1 warning" in run.stdout and "incoming TCP over IPv4, port 80: not queued" in run.stdout,
          "it said: %s", run.stdout)
    check("option '--rules-now'" in run.stdout, "it said: %s", run.stdout)
    lost = world.env.run(*words[:-1], "--rules-now=/no/such/file")
    check_equal("exit code", lost.returncode, 1)
