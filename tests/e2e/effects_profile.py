"""What the options of a profile do, seen in a capture (run by test_options.py)."""
import gzip
import re

from effects import effect
from harness import check, check_equal
from offline_world import (EVERYTHING, HOST, QUIC, QUIC_HOST, REQUEST, SERVER4, TCP4, TCP6, Flow,
                           at, datagram, spaced)

F = "--lua-desync=f"
NAMED = {"http", "tls6", "quic"}  # the packets that name the host


# --- structure


@effect("new")
def _(world):
    run = world.run("--filter-tcp=443", F, "--new=second", "--filter-tcp=80", F, "--new", F)
    numbers = run.profiles()
    check_equal("profiles", (numbers["syn6"], numbers["syn"], numbers["dns"]), (1, 2, 3))
    names = [r["profile"]["name"] for r in run.trace]
    check_equal("names", (names[0], names[5]), ("second", None))
    # What --payload and the ranges said ends with the profile.
    run = world.run("--filter-tcp=443", "--payload=dht", "--out-range=x", "--new", F)
    check_equal("called", run.called(), EVERYTHING - TCP6)


@effect("skip")
def _(world):
    run = world.run("--filter-tcp=80", "--skip", "--hostlist=/no/such/file", F, "--new", F)
    check_equal("called", run.called(), EVERYTHING)
    check_equal("profiles", set(run.profiles().values()), {1})
    check_equal("without --skip", world.called("--filter-tcp=80"), TCP4)


@effect("name")
def _(world):
    run = world.run("--name=first", "--name=last", F)
    check_equal("name", run.trace[0]["profile"], {"n": 1, "name": "last"})


@effect("template")
def _(world):
    run = world.run("--template=t", "--filter-tcp=80", F, "--new", "--filter-udp=53", F)
    check_equal("called", run.called(), {"dns"})
    check_equal("profiles", set(run.profiles().values()), {1, 0})
    check("1 user defined desync template(s)" in run.said, "it said: %s", run.said)


@effect("import")
def _(world):
    run = world.run("--template=t", "--filter-tcp=80", "--payload=http_req", F, "--new",
                    "--import=t", "--filter-udp=53", "--lua-desync=g")
    check_equal("first instance", run.called(0), {"http"})
    check_equal("second instance", run.called(1), TCP4 | {"dns"})


@effect("cookie")
def _(world):
    script = "--lua-init=function eat(c,d) print('cookie '..tostring(d.cookie)..'.') end"
    for words, text in ([], "nil"), (["--cookie=a b"], "a b"), (["--cookie="], ""):
        run = world.run(*words, script, "--lua-desync=eat")
        check("cookie %s.\n" % text in run.said, "%s: it said: %s", words, run.said[-300:])


# --- filters


@effect("filter-l3")
def _(world):
    check_equal("ipv6", world.called("--filter-l3=ipv6"), TCP6)
    check_equal("ipv4", world.called("--filter-l3=ipv4"), EVERYTHING - TCP6)
    check_equal("both", world.called("--filter-l3=ipv4", "--filter-l3=ipv6"), EVERYTHING)


@effect("filter-tcp")
def _(world):
    for value, names in (("80", TCP4), ("443", TCP6), ("1-100,443", TCP4 | TCP6), ("~80", TCP6),
                         ("*", TCP4 | TCP6), ("0", set()), ("81", set())):
        check_equal(value, world.called("--filter-tcp=" + value), names)
    check_equal("two options", world.called("--filter-tcp=80", "--filter-tcp=443"), TCP4 | TCP6)
    check_equal("default", world.called(), EVERYTHING)


@effect("filter-udp")
def _(world):
    for value, names in (("443", {"quic"}), ("50-60", {"dns"}), ("~53", {"quic"}),
                         ("*", {"quic", "dns"})):
        check_equal(value, world.called("--filter-udp=" + value), names)
    check_equal("with TCP", world.called("--filter-udp=53", "--filter-tcp=80"), TCP4 | {"dns"})


@effect("filter-lport")
def _(world):
    check_equal("40000", world.called("--filter-lport=40000"), TCP4)
    check_equal("5000-5001", world.called("--filter-lport=5000-5001"), {"quic", "dns"})
    check_equal("~41000", world.called("--filter-lport=~41000", "--filter-tcp=1-65535"), TCP4)
    # For a server too it is the port of the one who has begun.
    for port, called in ("40000", {0, 1, 2, 3}), ("80", set()):
        run = world.run("--server", "--filter-lport=" + port, "--in-range=a", F,
                        "--pcap-local=" + SERVER4, local=False, timed=spaced(*Flow(40000).visit()))
        check_equal("in server mode", run.called(), called)


@effect("ct")
def _(world):
    show = "--lua-init=function eat(c,d) print('ct '..tostring(d.ct and d.ct.source)..'.') end"
    for words, text in ([], "nil"), (["--ct=off"], "nil"), (["--ct=sim"], "sim"), (["--ct=auto"], "sim"):
        run = world.run(*words, show, "--lua-desync=eat")
        check("ct %s.\n" % text in run.said, "%s: it said: %s", words, run.said[-300:])


@effect("ct-state-mark")
def _(world):
    # Offline the state is computed all the same; tests/e2e/test_ct.py has the rules.
    check_equal("called", world.called("--ct-state-mark=7", "--ct-state=untracked"), set())


@effect("ct-sim-helper")
def _(world):
    words = "--filter-cthelper=ftp", "--filter-tcp=80"
    check_equal("none", world.called(*words), set())
    check_equal("by port", world.called("--ct-sim-helper=ftp:80", *words), TCP4)


@effect("ct-state")
def _(world):
    check_equal("new", world.called("--ct-state=new", "--filter-tcp=80"), {"syn"})
    check_equal("not new", world.called("--ct-state=~new", "--filter-tcp=80"), TCP4 - {"syn"})


@effect("filter-ctstate")
def _(world):
    check_equal("new", world.called("--filter-ctstate=new", "--filter-tcp=80"), TCP4)
    check_equal("others", world.called("--filter-ctstate=~new", "--filter-tcp=80"), set())


@effect("filter-ctmark")
def _(world):
    check_equal("0", world.called("--filter-ctmark=0", "--filter-tcp=80"), TCP4)
    check_equal("1", world.called("--filter-ctmark=1", "--filter-tcp=80"), set())


@effect("filter-ctzone")
def _(world):
    check_equal("0", world.called("--filter-ctzone=0", "--filter-tcp=80"), TCP4)
    check_equal("not 0", world.called("--filter-ctzone=~0", "--filter-tcp=80"), set())


@effect("filter-cthelper")
def _(world):
    check_equal("none", world.called("--filter-cthelper=-", "--filter-tcp=80"), TCP4)
    check_equal("any", world.called("--filter-cthelper=*", "--filter-tcp=80"), set())


@effect("filter-ctstatus")
def _(world):
    # The search at the request, behind the answer.
    check_equal("seen", world.called("--filter-ctstatus=seen_reply", "--filter-tcp=80"), {"http"})


@effect("filter-icmp")
def _(world):
    for value, names in (("8", {"ping"}), ("8:0", {"ping"}), ("8:1", set()), ("*", {"ping"}),
                         ("-", set()), ("0", set())):
        check_equal(value, world.called("--filter-icmp=" + value), names)


@effect("filter-ipp")
def _(world):
    for value, names in (("47", {"gre"}), ("*", {"gre"}), ("-", set()), ("50", set())):
        check_equal(value, world.called("--filter-ipp=" + value), names)


@effect("filter-l7")
def _(world):
    for value, names in (("http", {"http"}), ("tls,quic", {"tls6", "quic"}), ("dns", {"dns"}),
                         ("known", {"http", "tls6", "quic", "dns"}), ("all", EVERYTHING)):
        check_equal(value, world.called("--filter-l7=" + value), names)
    check("http" not in world.called("--filter-l7=unknown"), "the request is unknown")
    check_equal("the last wins", world.called("--filter-l7=tls", "--filter-l7=dns"), {"dns"})
    # A flow changes its profile when its protocol becomes known, and stays there.
    timed = spaced(*Flow(40000).visit(), Flow(40000).reply(), Flow(40000).out(16, offset=50))
    run = world.run("--filter-l7=http", F, "--new", F, timed=timed)
    check_equal("profiles", [run.profiles()[n] for n in range(6)], [2, 2, 2, 1, 1, 1])


@effect("filter-mark")
def _(world):
    for mark, number in ("1", 1), ("0x10001", 1), ("2", 2), ("3", 0), ("0", 0):
        run = world.run("--pcap-in-mark=" + mark, "--filter-mark=1/0xFFFF", F, "--new",
                        "--filter-mark=2/0xFFFF", F)
        check_equal("profiles with mark " + mark, set(run.profiles().values()), {number})
    check_equal("two filters of one profile", world.called("--filter-mark=1", "--filter-mark=0"),
                EVERYTHING)
    for mark, by in (",mark=1", "wins"), (",mark=2", "refused by --filter-mark"), \
            ("", "refused by --filter-mark"):
        run = world.env.run("--filter-mark=1", F, "--explain=tcp:192.0.2.1:80" + mark)
        check("profile 1 (noname): " + by in run.stdout, "it said: %s", run.stdout)


@effect("filter-ssid-neg")
def _(world):
    check_equal("without Wi-Fi", world.called("--filter-ssid=home", "--filter-ssid-neg"), EVERYTHING)
    for ssid, profile in ("home", "0 (no_action)"), ("cafe", "1 (wifi)"):
        run = world.env.run("--name=wifi", "--filter-ssid=home", "--filter-ssid-neg=1", F,
                            "--explain=tcp:192.0.2.1:80,ssid=" + ssid)
        check("profile %s: wins" % profile in run.stdout, "%s: it said: %s", ssid, run.stdout)


@effect("filter-ssid")
def _(world):
    check_equal("without Wi-Fi", world.called("--filter-ssid=home"), set())
    for ssid, profile in ("home", "1 (wifi)"), ("Home", "0 (no_action)"), ("work", "1 (wifi)"):
        run = world.env.run("--name=wifi", "--filter-ssid=home,,work", F,
                            "--explain=tcp:192.0.2.1:80,ssid=" + ssid)
        check("profile %s: " % profile in run.stdout and
              re.search(r"profile %s: +(wins|selected|chosen)" % re.escape(profile), run.stdout),
              "%s: it said: %s", ssid, run.stdout)


# --- lists


@effect("ipset")
def _(world):
    nets = world.file("nets", "# servers\n2001:db8::/64\nbogus\n")
    run = world.run("--ipset=" + nets, F)
    check_equal("called", run.called(), TCP6)
    check("bad ip or subnet : bogus (%s line 3)" % nets in run.errors, "it said: %s", run.errors)
    packed = world.file("nets.gz", gzip.compress(b"192.0.2.0/24\n"))
    check_equal("called", world.called("--ipset=" + packed), EVERYTHING - TCP6)


@effect("ipset-ip")
def _(world):
    check_equal("called", world.called("--ipset-ip=2001:db8::80"), TCP6)
    check_equal("called", world.called("--ipset-ip=192.0.2.0/30,2001:db8::/32"), EVERYTHING)
    check_equal("two options", world.called("--ipset-ip=9.9.9.9", "--ipset-ip=2001:db8::80"), TCP6)


@effect("ipset-exclude")
def _(world):
    nets = world.file("nets", "192.0.2.1\n")
    check_equal("called", world.called("--ipset-exclude=" + nets), TCP6)


@effect("ipset-exclude-ip")
def _(world):
    check_equal("called", world.called("--ipset-exclude-ip=2001:db8::/64"), EVERYTHING - TCP6)


@effect("hostlist")
def _(world):
    for content, names in (("example.com\n", NAMED), ("^example.com\n", set()),
                           ("^www.example.com # strict", NAMED), ("; none\nother.org\n", set()),
                           ("", EVERYTHING), (gzip.compress(b"WWW.Example.COM\n"), NAMED)):
        check_equal(content, world.called("--hostlist=" + world.file("hosts", content)), names)
    # A flow changes its profile when its host becomes known; what is found later changes nothing.
    flow, hosts = Flow(40000), world.file("hosts", "example.com\n")
    timed = spaced(*flow.visit(), flow.send(REQUEST % b"other.org", 50))
    run = world.run("--hostlist=" + hosts, F, "--new", F, timed=timed)
    check_equal("profiles", [run.profiles()[n] for n in range(5)], [2, 2, 2, 1, 1])


@effect("hostlist-domains")
def _(world):
    check_equal("called", world.called("--hostlist-domains=a.b,example.com"), NAMED)
    check_equal("strict", world.called("--hostlist-domains=^example.com"), set())
    check_equal("two options", world.called("--hostlist-domains=a.b",
                                            "--hostlist-domains=example.com"), NAMED)


@effect("hostlist-exclude")
def _(world):
    for content, names in (("example.com\n", set()), ("other.org\n", NAMED)):
        check_equal(content, world.called("--hostlist-exclude=" + world.file("hosts", content)),
                    names)


@effect("hostlist-exclude-domains")
def _(world):
    check_equal("called", world.called("--hostlist-exclude-domains=example.com"), set())
    check_equal("called", world.called("--hostlist-exclude-domains=other.org"), NAMED)
    check_equal("both", world.called("--hostlist-domains=com",
                                     "--hostlist-exclude-domains=example.com"), set())


# --- the automatic list


def added(world, timed, *words, before=""):
    """What a capture brings into the automatic list, and the run."""
    path = world.file("auto", before)
    run = world.run("--in-range=a", "--hostlist-auto=" + path, *words, F, timed=timed)
    return world.read("auto").split(), run


def failures(count, step=1):
    """Visits that end by a reset."""
    timed = []
    for n in range(count):
        flow = Flow(40000 + n)
        timed += at(n * step, *flow.visit(), flow.reset())
    return timed


@effect("hostlist-auto-fail-threshold")
def _(world):
    for count, words, hosts in ((2, [], []), (3, [], [HOST]), (1, ["1"], [HOST]), (3, ["4"], []),
                                (4, ["4"], [HOST])):
        options = ["--hostlist-auto-fail-threshold=" + word for word in words]
        check_equal("%d failures, %s" % (count, words), added(world, failures(count), *options)[0],
                    hosts)


@effect("hostlist-auto-fail-time")
def _(world):
    check_equal("within 58 s", added(world, failures(3, 29))[0], [HOST])
    check_equal("within 62 s", added(world, failures(3, 31))[0], [])
    check_equal("within 62 s of 70", added(world, failures(3, 31),
                                           "--hostlist-auto-fail-time=70")[0], [HOST])
    check_equal("within 4 s of 3", added(world, failures(3, 2), "--hostlist-auto-fail-time=3")[0],
                [])


def retransmissions(count, offset=1):
    flow = Flow(40000)
    data = [flow.request()] if offset == 1 else [flow.request(), flow.send(b"x" * 9, offset)]
    return spaced(*flow.handshake(), *data, *[data[-1]] * count)


ONE = "--hostlist-auto-fail-threshold=1"


@effect("hostlist-auto-retrans-threshold")
def _(world):
    for count, words, hosts in ((2, [], []), (3, [], [HOST]), (2, ["2"], [HOST]), (4, ["5"], []),
                                (5, ["5"], [HOST])):
        options = ["--hostlist-auto-retrans-threshold=" + word for word in words]
        check_equal("%d retransmissions, %s" % (count, words),
                    added(world, retransmissions(count), ONE, *options)[0], hosts)


@effect("hostlist-auto-retrans-maxseq")
def _(world):
    option = "--hostlist-auto-retrans-maxseq="
    far, near = retransmissions(3, 40000), retransmissions(3, 30000)
    check_equal("at 40000", added(world, far, ONE)[0], [])
    check_equal("at 30000", added(world, near, ONE)[0], [HOST])
    check_equal("at 40000 of 50000", added(world, far, ONE, option + "50000")[0], [HOST])
    check_equal("at 30000 of 20000", added(world, near, ONE, option + "20000")[0], [])


@effect("hostlist-auto-retrans-reset")
def _(world):
    def resets(*words):
        hosts, run = added(world, retransmissions(3), ONE, *words)
        check_equal("list", hosts, [HOST])
        return [(p.src, p.dst, p.dport) for p in run.out if p.flags & 4]
    expected = [("192.0.2.1", "10.0.0.2", 40000)]
    check_equal("resets", resets(), expected)
    check_equal("resets", resets("--hostlist-auto-retrans-reset"), expected)
    check_equal("resets", resets("--hostlist-auto-retrans-reset=1"), expected)
    check_equal("resets", resets("--hostlist-auto-retrans-reset=0"), [])


@effect("hostlist-auto-incoming-maxseq")
def _(world):
    def late_reset(offset):
        flow = Flow(40000)
        return spaced(*flow.visit(), flow.reply(b"x" * offset), flow.back(4, offset=1 + offset))
    option = "--hostlist-auto-incoming-maxseq="
    check_equal("at 1000", added(world, late_reset(1000), ONE)[0], [HOST])
    check_equal("at 5000", added(world, late_reset(5000), ONE)[0], [])
    check_equal("at 1000 of 500", added(world, late_reset(1000), ONE, option + "500")[0], [])
    check_equal("at 5000 of 9000", added(world, late_reset(5000), ONE, option + "9000")[0], [HOST])
    check_equal("off", added(world, late_reset(0), ONE, option + "0")[0], [])


def datagrams(out, back):
    return spaced(*[datagram(QUIC)] * out, *[datagram(b"answer", back=True)] * back,
                  datagram(QUIC))


@effect("hostlist-auto-udp-out")
def _(world):
    for out, words, hosts in ((2, [], []), (3, [], [QUIC_HOST]), (1, ["2"], [QUIC_HOST]),
                              (4, ["6"], []), (9, ["0"], [])):
        options = ["--hostlist-auto-udp-out=" + word for word in words]
        check_equal("%d and 1 datagrams, %s" % (out, words),
                    added(world, datagrams(out, 0), ONE, *options)[0], hosts)


@effect("hostlist-auto-udp-in")
def _(world):
    for back, words, hosts in ((1, [], [QUIC_HOST]), (2, [], []), (2, ["2"], [QUIC_HOST]),
                               (3, ["2"], []), (1, ["0"], [])):
        options = ["--hostlist-auto-udp-in=" + word for word in words]
        check_equal("%d answers, %s" % (back, words),
                    added(world, datagrams(3, back), ONE, *options)[0], hosts)


@effect("hostlist-auto-max")
def _(world):
    for text, words, hosts in (("", [], [HOST]), ("a.example\nb.example\n", ["2"], ["a.example", "b.example"]),
                               ("a.example\n", ["2"], ["a.example", HOST]),
                               ("a.example\n", ["0"], ["a.example", HOST])):
        options = ["--hostlist-auto-max=" + word for word in words]
        check_equal("%r, %s" % (text, words), added(world, failures(1), ONE, *options, before=text)[0], hosts)


@effect("hostlist-auto-debug")
def _(world):
    log = world.file("log", "kept\n")
    added(world, failures(1), ONE, "--hostlist-auto-debug=" + log)
    lines = world.read("log").splitlines()
    check_equal("first line", lines[0], "kept")
    check_equal("lines", [line.split(" : ", 1)[1] for line in lines[1:]], [
        HOST + " : profile 1 (noname) : client 10.0.0.2:40000 : proto http : " + text
        for text in ("rseq 1 : incoming RST", "fail counter 1/1", "adding to " +
                     world.path("auto"))])


# --- instances


@effect("payload")
def _(world):
    for value, names in (("http_req", {"http"}), ("tls_client_hello,quic_initial",
                                                  {"tls6", "quic"}),
                         ("empty", {"syn", "ack", "syn6"}), ("icmp", {"ping"}),
                         ("all", EVERYTHING)):
        check_equal(value, world.called("--payload=" + value), names)
    run = world.run("--payload=http_req", F, "--payload=dns_query", "--lua-desync=g")
    check_equal("instances", (run.called(0), run.called(1)), ({"http"}, {"dns"}))


@effect("in-range")
def _(world):
    incoming = {"synack", "reply", "synack6"}
    for value, names in (("x", set()), ("a", incoming), ("n1-n1", {"synack", "synack6"}),
                         ("n2-", {"reply"}), ("s1-", {"reply"}), ("d1-d1", {"reply"}),
                         ("s0<s1", {"synack", "synack6"})):
        check_equal(value, world.called("--in-range=" + value) & incoming, names)
        check_equal(value, world.called("--in-range=" + value) - incoming, EVERYTHING)
    check_equal("default", world.called(), EVERYTHING)


@effect("out-range")
def _(world):
    for value, names in (("x", set()), ("n1-n1", {"syn"}), ("n2-n3", {"ack", "http"}),
                         ("-n2", {"syn", "ack"}), ("d1-", {"http"}), ("s1<s2", {"ack", "http"}),
                         ("n1<n3", {"syn", "ack"})):
        check_equal(value, world.called("--filter-tcp=80", "--out-range=" + value), names)


@effect("lua-desync")
def _(world):
    script = "--lua-init=function show(c,d) print('arg '..tostring(d.arg.a)..'|'..tostring(" \
             "d.arg.b)..'|'..d.func_instance) end"
    run = world.run(script, "--filter-udp=53", r"--lua-desync=show:a=x\:y=z:b:a=second", F,
                    r"--lua-desync=show:a=\\:b=2")
    check(r"arg x:y=z||show_1_1" in run.said and r"arg \:b=2|nil|show_1_3" in run.said,
          "it said: %s", run.said)
    check_equal("second instance", run.called(1), {"dns"})
    missing = world.env.run("--pcap-in=" + world.path("in.pcap"), "--lua-desync=nothing_there")
    check(missing.returncode == 1 and "nothing_there" in missing.stderr, "it said: %s",
          missing.stderr)
