"""Custom scripts: phases, numbers, the examples that come along."""
import os
import re
import socket

from sandbox import BASE, ROOT, World, check, contains, equal, lacks
from test_nftables import P, WRAPPER, rules

EXAMPLES = BASE + "/init.d/custom.d.examples.linux/"
CUSTOM = BASE + "/init.d/sysv/custom.d/"
COMMON = ("WS_USER=nobody", "NFQWS2_ENABLE=0")


def use(world, *names):
    for name in names:
        world.sh("cp %s%s %s" % (EXAMPLES, name, CUSTOM))


def make_wan(world):
    world.needs_program("ip")
    world.sh("ip netns add site; ip link add wan0 type veth peer name eth0 netns site;"
             "ip addr add 10.0.0.1/24 dev wan0; ip addr add fd00::1/64 dev wan0 nodad; ip link set wan0 up;"
             "ip -n site addr add 10.0.0.2/24 dev eth0; ip -n site addr add fd00::2/64 dev eth0 nodad;"
             "ip -n site link set eth0 up; ip link add lan0 type veth peer name lan0p;"
             "ip neigh add 10.0.0.2 lladdr $(ip -n site -br link show eth0 | awk '{print $3}') dev wan0;"
             "ip neigh add fd00::2 lladdr $(ip -n site -br link show eth0 | awk '{print $3}') dev wan0")


def test_phases(world: World):
    world.use_iptables("nft")
    world.tool("nft", WRAPPER)
    script = """
        alloc_dnum D_{0}; alloc_qnum Q_{0}
        zapret_custom_daemons() {{ echo {0} daemons "$@" $D_{0} $Q_{0}; }}
        zapret_custom_firewall() {{ echo {0} ipt "$@" $D_{0} $Q_{0}; }}
        zapret_custom_firewall_nft() {{ echo {0} nft "$@" $D_{0} $Q_{0}; }}
        zapret_custom_firewall_nft_flush() {{ echo {0} flush "$@" $D_{0} $Q_{0}; }}
        """
    world.write(CUSTOM + "20-b", script.format("b"))
    world.write(CUSTOM + "10-a", script.format("a"))
    world.write(CUSTOM + "15-only", "zapret_custom_firewall() { echo only $1; }\n")
    world.write(CUSTOM + ".hidden", "echo hidden\n")
    os.mkdir(CUSTOM + "30-folder")

    def lines(verb, *config):
        world.config(*COMMON, *config)
        return [x for x in world.service(verb).splitlines() if re.match(r"(a|b|only|hidden) ", x)]

    ipt, nft = "FWTYPE=iptables", "FWTYPE=nftables"
    a, b = "2000 65300", "2001 65301"
    equal(lines("start", ipt), ["a daemons 1 " + a, "b daemons 1 " + b, "a ipt 1 " + a, "only 1", "b ipt 1 " + b])
    equal(lines("stop", ipt), ["a ipt 0 " + a, "only 0", "b ipt 0 " + b, "a daemons 0 " + a, "b daemons 0 " + b])
    equal(lines("start-fw", nft), ["a nft " + a, "b nft " + b])
    equal(lines("stop-fw", nft), ["a flush " + a, "b flush " + b])
    equal(lines("start", ipt, "DISABLE_CUSTOM=1"), [])


def test_a_failing_script_is_reported_and_the_rest_goes_on(world: World):
    world.use_iptables("nft")
    world.write(CUSTOM + "10-bad", "zapret_custom_firewall() { ipt INPUT -m nosuchmatch -j DROP; }\n")
    world.write(CUSTOM + "20-good", "zapret_custom_firewall() { ipt_add_del $1 INPUT -p 99 -j DROP; }\n")
    world.config(*COMMON, "FWTYPE=iptables")
    contains(world.service("start", check_code=1), "ERROR: iptables -I INPUT")
    contains("".join(world.saved_rules()["filter"]), "-A INPUT -p 99 -j DROP")


def test_observed_examples_iptables(world: World):
    world.use_iptables("nft")
    use(world, "40-webserver", "50-stun4all", "80-dns-intercept")
    world.config(*COMMON, "FWTYPE=iptables", "IFACE_WAN=wan0", "IFACE_LAN=lan0")
    world.service("start")
    check(os.path.exists("/run/nfqws2_2000.pid") and os.path.exists("/run/nfqws2_2001.pid"), "pid files")
    contains(" ".join(world.daemon_words(2000)), "--qnum=65300")
    contains(" ".join(world.daemon_words(2001)), "--qnum=65301")
    found = world.saved_rules()["mangle"]
    post = [r for r in found if "POSTROUTING" in r]
    equal(len(post), 3)
    contains(post[0], "-j CONNMARK")
    check(re.fullmatch(r"-A POSTROUTING -o wan0 -p udp .*-m u32 .* -m set ! --match-set nozapret dst -j NFQUEUE "
                       r"--queue-num 65301 --queue-bypass", post[1]), post[1])
    check(re.fullmatch(r"-A POSTROUTING -o wan0 -p tcp .*-m multiport --sports 80,443 -m connbytes --connbytes 1:15 .*"
                       r"--queue-num 65300 --queue-bypass", post[2]), post[2])
    dns = "-p udp -m udp --sport 53 -j NFQUEUE --queue-num 300 --queue-bypass"
    equal([r for r in found if "POSTROUTING" not in r],
          ["-A INPUT " + dns, "-A FORWARD -o lan0 " + dns, "-A OUTPUT " + dns])
    world.service("stop")
    equal(world.saved_rules(), {})
    equal(world.processes("nfqws2"), [])


def test_observed_examples_nftables(world: World):
    world.tool("nft", WRAPPER)
    use(world, "40-webserver", "50-stun4all", "80-dns-intercept")
    world.config(*COMMON, "FWTYPE=nftables", "IFACE_WAN=wan0", "IFACE_LAN=lan0")
    world.service("start")
    found = rules(world)
    equal(len(found["postnat"]), 2)
    contains(found["postnat"][0], "udp length >= 28")
    contains(found["postnat"][0], "bypass to 65301")
    check(re.fullmatch(r"meta nfproto ipv4 tcp sport \{ 80, 443 \} ct reply packets 1-15 %s .*to 65300" %
                       re.escape(P), found["postnat"][1]), found["postnat"][1])
    equal(found["forward_dns_feed"], ["oifname @lanif meta nfproto ipv4 udp sport 53 queue flags bypass to 300"])
    for chain in ("input_dns_feed", "output_dns_feed"):
        equal(found[chain], ["meta nfproto ipv4 udp sport 53 queue flags bypass to 300"])
        contains(world.sh("nft list chain inet zapret2 " + chain), "priority mangle")
    world.service("stop")
    equal(rules(world), {})
    lacks(world.sh("nft list table inet zapret2"), "chain")


def all_examples(world, *config):
    names = sorted(os.listdir(EXAMPLES))
    equal(len(names), 11)
    use(world, *names)
    world.config(*COMMON, "DISABLE_IPV6=0", "IFACE_WAN=wan0", "IFACE_LAN=lan0", "FILTER_MARK=0x10000000",
                 "NFQWS2_ENABLE_OVERRIDE=1", "FW_EXTRA_PRE_NFQWS2_IPT='-s 10.0.0.0/8'",
                 "FW_EXTRA_PRE_NFQWS2_IPT6='-s fd00::/8'", "FW_EXTRA_PRE_NFQWS2_NFT='meta length 1-9999'", *config)
    text = world.service("start")
    lacks(text, "ERROR")
    # One daemon a script with a queue, and the standard one.
    equal(len(world.processes("nfqws2")), 8, text)


def test_all_examples_iptables(world: World):
    world.use_iptables("legacy")
    all_examples(world, "FWTYPE=iptables")
    v4, v6 = world.saved_rules(), world.saved_rules("ip6tables")
    equal(v4["nat"], ["-A POSTROUTING -o wan0 -p udp -m mark --mark 0x40000000/0x40000000 -j MASQUERADE"])
    contains("".join(v4["mangle"]), "-A POSTROUTING -s 10.0.0.0/8 -o wan0")
    contains("".join(v6["mangle"]), "-A POSTROUTING -s fd00::/8 -o wan0")
    contains("".join(v4["mangle"]), "-A FORWARD -i lan0 -m set --match-set lanfilter src -j MARK --set-xmark "
                                    "0x10000000/0x10000000")
    equal(world.ipset("my1nfqws6"), ["2a00:1450::/29"])
    world.service("stop")
    equal((world.saved_rules(), world.saved_rules("ip6tables")), ({}, {}))
    lacks(world.sh("ipset list -n"), "lanfilter")
    lacks(world.sh("ipset list -n"), "my1nfqws")


def test_all_examples_nftables(world: World):
    world.tool("nft", WRAPPER)
    all_examples(world, "FWTYPE=nftables")
    found = rules(world)
    contains(" ".join(found["postnat"]), "ip daddr @my1nfqws4")
    contains(" ".join(found["prenat"]), "ip6 saddr @my1nfqws6")
    contains(" ".join(found["postnat"]), "meta length 1-9999")
    contains(found["lanfilter_forward"][0], "iifname @lanif ip saddr @lanfilter meta mark set meta mark | 0x10000000")
    world.service("stop")
    equal(rules(world), {})
    for name in ("my1nfqws4", "my1nfqws6", "lanfilter", "lanfilter6"):
        lacks(world.sh("nft list sets"), "set %s {" % name)


def test_both_switches_of_fw_extra_are_refused(world: World):
    """With both on, the same daemon and the same queue would be set up twice."""
    world.use_iptables("nft")
    use(world, "20-fw-extra")
    world.config("WS_USER=nobody", "FWTYPE=iptables", "NFQWS2_ENABLE=1", "NFQWS2_ENABLE_OVERRIDE=1")
    contains(world.service("start", check_code=1), "20-fw-extra: both NFQWS2_ENABLE and NFQWS2_ENABLE_OVERRIDE are 1")
    equal(len(world.processes("nfqws2")), 1)
    world.service("stop", check_code=1)
    world.config(*COMMON, "FWTYPE=iptables", "NFQWS2_ENABLE_OVERRIDE=1")
    world.service("start")
    equal(len(world.processes("nfqws2")), 1)
    world.service("stop")


def example_of_the_manual():
    text = (ROOT / "docs" / "manual.md").read_text(encoding="utf-8")
    return re.search(r"^```sh\n(alloc_dnum .*?)^```$", text, re.M | re.S).group(1)


def test_the_example_of_the_manual(world: World):
    world.use_iptables("nft")
    world.tool("nft", WRAPPER)
    world.write(CUSTOM + "50-echo", example_of_the_manual())
    world.config(*COMMON, "FWTYPE=iptables", "DISABLE_IPV6=1")
    world.service("start")
    words = " ".join(world.daemon_words(2000))
    contains(words, "--qnum=65300 --lua-desync=multisplit:payload=all:pos=1")
    contains("".join(world.saved_rules()["mangle"]), "--dport 7 -m connbytes --connbytes 1:5")
    world.service("stop")
    equal((world.saved_rules(), world.processes("nfqws2")), ({}, []))
    world.config(*COMMON, "FWTYPE=nftables", "DISABLE_IPV6=1")
    world.service("start-fw")
    contains("".join(rules(world)["postnat"]), "tcp dport 7 ct original packets 1-5")
    world.service("stop-fw")
    equal(rules(world), {})


def test_defaults_of_examples(world: World):
    """What set-ups count on: the reach of the payloads, the fakes, the split SYN,ACK."""
    for name, variable, parts in (
            ("50-nfqws-ipset", "NFQWS2_MY1_OPT", ["--filter-udp=* --payload=known,unknown ",
                                                  "--filter-tcp=* --payload=known,unknown "]),
            ("50-wg4all", "NFQWS_OPT_DESYNC_WG", ["=wireguard_initiation,wireguard_response,wireguard_cookie "]),
            ("40-webserver", "NFQWS_OPT_DESYNC_WEBSERVER", ["--server ", "--lua-desync=synack_split ",
                                                            "--lua-desync=fake:"])):
        text = world.functions(". %s%s; printf %%s \"$%s\"" % (EXAMPLES, name, variable))
        for part in parts:
            contains(text, part)
        # The daemon takes them.
        world.sh("set -f; %s/nfq2/nfqws2 --dry-run --qnum=1 --lua-init=@%s/lua/zapret-lib.lua "
                 "--lua-init=@%s/lua/zapret-antidpi.lua %s" % (BASE, BASE, BASE, text))


# --- what the kernel-side matches let through -----------------------------------------------------------

PAYLOADS = {
    "50-quic4all": (b"\xc3\x00\x00\x00\x01" + bytes(251),
                    [b"\xc3\x00\x00\x00\x01" + bytes(250), b"\xd3\x00\x00\x00\x01" + bytes(300),
                     b"\xc3\x00\x00\x00\x02" + bytes(300)]),
    "50-stun4all": (bytes.fromhex("00010000 2112a442") + bytes(12),
                    [bytes.fromhex("00010000 2112a442") + bytes(11), bytes.fromhex("40010000 2112a442") + bytes(12),
                     bytes.fromhex("00010001 2112a442") + bytes(12), bytes.fromhex("00010000 2112a443") + bytes(12)]),
    "50-wg4all": (b"\x01\0\0\0" + bytes(144), [b"\x01\0\0\0" + bytes(143), b"\x04\0\0\0" + bytes(144)]),
    "50-dht4all": (b"d1:ad", [b"d1:a", b"d3:ad", b"x1:ad"]),
    "50-discord-media": (bytes.fromhex("00010046 12345678") + bytes(64) + b"\x01\x02",
                         [bytes.fromhex("00010046 12345678") + bytes(64) + b"\x01",
                          bytes.fromhex("00010047 12345678") + bytes(66),
                          bytes.fromhex("00010046 12345678 01") + bytes(65)]),
}


def send_all(name, address):
    good, bad = PAYLOADS[name]
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
        for payload in [good] + bad:
            s.sendto(payload, (address, 50001))


def test_payload_matches_iptables(world: World):
    make_wan(world)
    world.use_iptables("nft")
    for name in PAYLOADS:
        world.sh("rm -f %s*" % CUSTOM)
        use(world, name)
        world.config(*COMMON, "FWTYPE=iptables", "DISABLE_IPV6=0", "FILTER_TTL_EXPIRED_ICMP=0", "IFACE_WAN=wan0")
        world.service("start-fw")
        for tool, address in (("iptables", "10.0.0.2"), ("ip6tables", "fd00::2")):
            send_all(name, address)
            row = world.sh("%s -t mangle -nvxL POSTROUTING | grep NFQUEUE" % tool).split()
            equal(row[0], "1", "%s %s: packets that match" % (name, tool))
        world.service("stop-fw")


def test_payload_matches_nftables(world: World):
    make_wan(world)
    world.tool("nft", WRAPPER)
    for name in PAYLOADS:
        world.sh("rm -f %s*" % CUSTOM)
        use(world, name)
        world.config(*COMMON, "FWTYPE=nftables", "DISABLE_IPV6=0", "IFACE_WAN=wan0", "FW_EXTRA_POST=counter")
        world.service("start-fw")
        for address in ("10.0.0.2", "fd00::2"):
            send_all(name, address)
        counters = re.findall(r"counter packets (\d+)", "".join(rules(world)["postnat"]))
        equal(counters, ["1", "1"], "%s: packets that match" % name)
        world.service("stop-fw")
