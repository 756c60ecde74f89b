"""nftables rules against recorded listings.

A kernel without the queue expression gets a stand-in that keeps its place and number: a wrapper of nft turns
`queue num N bypass` into a log statement on the way in and into the listed form of the queue statement on the
way out. What the scripts gave to nft is checked for syntax by the real nft as well."""
import re
import shutil

import lab as laboratory
from sandbox import SBIN, World, check, contains, equal, lacks

WRAPPER = r"""#!/bin/sh
# nft whose queue statement is a log statement where the kernel has none.
real=%s
echo "$*" >>/opt/nft.calls
subst() { %s; }
shown() { sed -E 's/log prefix "QUEUE ([0-9-]+)"/queue flags bypass to \1/g'; }
if [ "$1" = -f ]; then
	input=$(cat "${2#-}" 2>/dev/null || cat)
	printf '%%s\n' "$input" >>/opt/nft.text
	printf '%%s\n' "$input" | subst | $real -f -
else
	$real "$@" >/opt/nft.out
	code=$?
	shown </opt/nft.out
	exit $code
fi
""" % (shutil.which("nft", path=SBIN), "cat" if laboratory.nft_can_queue() else
       r"""sed -E 's/queue num ([0-9-]+) bypass/log prefix "QUEUE \1"/g'""")

LOOP = "meta mark & 0x40000000 == 0x00000000"
CT = "ct mark set ct mark | 0x40000000"
P = "meta mark set meta mark | 0x20000000"
Q = "queue flags bypass to 300"
ICMP_COMMENT = 'comment "nfqws related : prevent ttl expired socket errors"'
OFFLOAD = 'return comment "direct flow offloading exemption"'

LISTING_C = {
    "postnat": ["meta nfproto ipv4 udp dport 443 ct original packets 1-5 %s %s %s" % (P, CT, Q),
                "meta nfproto ipv4 tcp dport { 80, 443 } ct original packets 1-20 %s %s %s" % (P, CT, Q)],
    "postnat_hook": [LOOP + " ip daddr != @nozapret jump postnat"],
    "prenat": ["meta nfproto ipv4 udp sport 443 ct reply packets 1-3 %s %s" % (CT, Q),
               "meta nfproto ipv4 tcp sport { 80, 443 } ct reply packets 1-10 %s %s" % (CT, Q)],
    "prenat_hook": [LOOP + " ip saddr != @nozapret jump prenat"],
    "prerouting_hook": ["icmp type time-exceeded ct state invalid drop",
                        "icmp type time-exceeded ct mark & 0x40000000 != 0x00000000 drop " + ICMP_COMMENT],
    "predefrag": ["meta mark & 0x40000000 != 0x00000000 jump predefrag_nfqws comment "
                  '"nfqws generated : avoid drop by INVALID conntrack state"'],
    "predefrag_nfqws": ['meta mark & 0x20000000 != 0x00000000 notrack comment "postnat traffic"',
                        'ip frag-off & 8191 != 0 notrack comment "ipfrag"',
                        'exthdr frag exists notrack comment "ipfrag"',
                        'tcp flags ! syn,rst,ack notrack comment "datanoack"'],
}
HOOKS = {
    "forward_hook": "type filter hook forward priority filter - 1; policy accept;",
    "postrouting_hook": "type filter hook postrouting priority srcnat - 1; policy accept;",
    "postnat_hook": "type filter hook postrouting priority srcnat + 1; policy accept;",
    "prerouting_hook": "type filter hook prerouting priority dstnat + 1; policy accept;",
    "prenat_hook": "type filter hook prerouting priority dstnat - 1; policy accept;",
    "predefrag": "type filter hook output priority -401; policy accept;",
}
CHAINS = set(HOOKS) | {"flow_offload", "flow_offload_zapret", "flow_offload_always", "postrouting", "postnat",
                       "prerouting", "prenat", "predefrag_nfqws", "ruletest"}
CONFIG_D = ("POSTNAT=0", "DISABLE_IPV6=0", "MODE_FILTER=ipset", "FILTER_MARK=0x10000000", "IFACE_LAN=lan0",
            "IFACE_WAN=wan0", 'IFACE_WAN6="wan0 wan1"', "NFQWS2_PORTS_TCP=443", "NFQWS2_PORTS_TCP_KEEPALIVE=80",
            "NFQWS2_UDP_PKT_IN=0", "FLOWOFFLOAD=software")
PRE_CT = "meta mark & 0x40000000 != 0x00000000 ct mark set ct mark | 0x40000000 " + ICMP_COMMENT
F = "meta mark & 0x10000000 != 0x00000000"


def both(form):
    """A rule of Listing D and its IPv6 twin: each insertion puts the newer one on top."""
    return [form % ("ip6", "6"), form % ("ip", "")]


LISTING_D = {
    "postrouting": (both("udp dport 443 ct original packets 1-5 %s daddr @zapret%s " + Q) +
                    both("tcp dport 80 %s daddr @zapret%s " + Q) +
                    both("tcp dport 443 ct original packets 1-20 %s daddr @zapret%s " + Q)),
    "postrouting_hook": [PRE_CT] + [
        "%s %s oifname @wanif%s %s daddr != @nozapret%s jump postrouting" % (LOOP, F, six, ip, six)
        for ip, six in (("ip", ""), ("ip6", "6"))],
    "prerouting": (both("tcp sport 80 ct reply packets 1-10 %s saddr @zapret%s " + Q) +
                   both("tcp sport 443 ct reply packets 1-10 %s saddr @zapret%s " + Q)),
    "prerouting_hook": [
        "%s type time-exceeded ct mark & 0x40000000 != 0x00000000 drop %s" % (proto, ICMP_COMMENT)
        for proto in ("icmp", "icmpv6")] + [
        "%s iifname @wanif%s %s saddr != @nozapret%s jump prerouting" % (LOOP, six, ip, six)
        for ip, six in (("ip", ""), ("ip6", "6"))],
    "flow_offload_zapret": (both("udp dport 443 ct original packets 1-5 %s daddr @zapret%s " + OFFLOAD) +
                            both("tcp dport 80 %s daddr @zapret%s " + OFFLOAD) +
                            both("tcp dport 443 ct original packets 1-20 %s daddr @zapret%s " + OFFLOAD)),
    "predefrag": LISTING_C["predefrag"],
    "predefrag_nfqws": LISTING_C["predefrag_nfqws"],
}
COMMON = ("FWTYPE=nftables", "WS_USER=nobody", "NFQWS2_ENABLE=1")


def prepare(world, *config):
    world.tool("nft", WRAPPER)
    world.config(*COMMON, *config)


def start(world, *config, verb="start-fw"):
    prepare(world, *config)
    return world.service(verb)


def parse(world):
    """The table as {kind: {name: lines}}."""
    result = {"chain": {}, "set": {}, "flowtable": {}}
    lines = []
    for line in world.sh("nft list table inet zapret2 2>/dev/null", check_code=None).splitlines():
        words = line.split()
        if line.startswith("\t") and not line.startswith("\t\t") and words and words[0] in result:
            lines = result[words[0]].setdefault(words[1], [])
        elif line.startswith("\t\t"):
            lines.append(line.strip())
    return result


def rules(world):
    """Non-empty chains, without their type line."""
    found = {name: [line for line in lines if not re.match(r"type .* hook ", line)]
             for name, lines in parse(world)["chain"].items()}
    return {name: lines for name, lines in found.items() if lines}


def test_listing_c(world: World):
    start(world, verb="start")
    equal(rules(world), LISTING_C)
    table = parse(world)
    equal(set(table["chain"]), CHAINS)
    for name, line in HOOKS.items():
        equal(table["chain"][name][0], line, name)
    equal(set(table["set"]), {"zapret", "ipban", "nozapret", "wanif", "wanif6", "lanif"})
    for name, size in (("zapret", 522288), ("ipban", 522288), ("nozapret", 65536)):
        equal(table["set"][name][:4], ["type ipv4_addr", "size %d" % size, "flags interval", "auto-merge"], name)
    for name in ("wanif", "wanif6", "lanif"):
        equal(table["set"][name], ["type ifname"])
    check(len(world.processes("nfqws2")) == 1, "the daemon does not run")

    world.service("start")
    equal(rules(world), LISTING_C, "second start")
    world.service("restart-fw")
    equal(rules(world), LISTING_C, "restart")

    world.service("stop")
    after = parse(world)
    equal(after["chain"], {})
    equal(set(after["set"]), set(table["set"]), "sets stay")
    equal(world.sh("ls /run /tmp").split(), ["/run:", "lock", "zapret2", "zapret2.lock", "/tmp:"])


def test_listing_d(world: World):
    start(world, *CONFIG_D)
    equal(rules(world), LISTING_D)
    table = parse(world)
    equal(table["set"]["wanif"], ["type ifname", 'elements = { "wan0" }'])
    equal(re.findall(r'"(\w+)"', " ".join(table["set"]["wanif6"])), ["wan0", "wan1"])
    equal(table["set"]["lanif"], ["type ifname", 'elements = { "lan0" }'])
    world.service("stop-fw")
    equal(parse(world)["chain"], {})


def test_postnat_with_both_families(world: World):
    start(world, "DISABLE_IPV6=0", "NFQWS2_PORTS_UDP=", "NFQWS2_TCP_PKT_OUT=1", "IFACE_WAN=wan0")
    found = rules(world)
    equal(found["postnat"], ["meta nfproto ipv%s tcp dport { 80, 443 } ct original packets 1 %s %s %s" % (v, P, CT, Q)
                             for v in "64"])
    equal(found["prenat_hook"], [LOOP + " iifname @wanif ip saddr != @nozapret jump prenat",
                                 LOOP + " iifname @wanif6 ip6 saddr != @nozapret6 jump prenat"])
    equal(found["prerouting_hook"][:2], ["icmp type time-exceeded ct state invalid drop",
                                         "icmpv6 type time-exceeded ct state invalid drop"])


def test_postnat_all(world: World):
    start(world, "POSTNAT=0", "POSTNAT_ALL=1")
    found = rules(world)
    equal(found["predefrag_nfqws"], ["notrack"])
    check("postnat" in found and "postrouting" not in found, "POSTNAT_ALL=1 means after NAT")
    start(world, "POSTNAT=0", "POSTNAT_ALL=x", verb="restart-fw")
    found = rules(world)
    equal(found["predefrag_nfqws"], ["notrack"])
    check("postrouting" in found and "postnat" not in found, "another value leaves POSTNAT alone")


def test_icmp_filter_off(world: World):
    start(world, "FILTER_TTL_EXPIRED_ICMP=0")
    found = rules(world)
    check("prerouting_hook" not in found, "ICMP rules")
    lacks("".join(found["postnat"] + found["prenat"]), "ct mark")
    contains(found["postnat"][0], P)


def test_icmp_filter_before_nat_without_ipv4(world: World):
    start(world, "POSTNAT=0", "DISABLE_IPV4=1", "DISABLE_IPV6=0", "NFQWS2_ENABLE=0")
    equal(rules(world)["prerouting_hook"],
          ["icmpv6 type time-exceeded ct mark & 0x40000000 != 0x00000000 drop " + ICMP_COMMENT])
    equal(rules(world)["postrouting_hook"], [PRE_CT])


def test_missing_marks_have_defaults(world: World):
    prepare(world)
    text = world.read("config")
    world.write("config", re.sub(r"(?m)^DESYNC_MARK.*\n", "", text))
    world.service("start-fw")
    equal(rules(world), LISTING_C)


def test_no_jump_without_queue_rules(world: World):
    start(world, "NFQWS2_ENABLE=0", "FILTER_TTL_EXPIRED_ICMP=0")
    equal(rules(world), {name: LISTING_C[name] for name in ("predefrag", "predefrag_nfqws")})


def test_a_refused_transaction_changes_nothing(world: World):
    start(world)
    before = world.sh("nft list table inet zapret2")
    prepare(world, "QNUM=99x")
    contains(world.service("start-fw", check_code=1), "ERROR: the nftables rules were refused: nothing was changed")
    equal(world.sh("nft list table inet zapret2"), before)


def test_own_table_name(world: World):
    start(world, "ZAPRET_NFT_TABLE=mine")
    equal(world.sh("nft list tables").strip(), "table inet mine")
    contains(world.service("list-table"), "table inet mine")


def test_reload_and_list_ifsets(world: World):
    start(world, "IFACE_WAN=wan0", "IFACE_LAN=lan0")
    before = rules(world)
    prepare(world, "IFACE_WAN='wan1 wan2'")
    world.service("reload_ifsets")
    text = world.service("list-ifsets")
    lacks(text, "wan0")
    lacks(text, "lan0")
    equal(sorted(set(re.findall(r'"(\w+)"', text))), ["wan1", "wan2"])
    equal(rules(world), before)


def test_flowtable_commands(world: World):
    """What nft is asked for where the kernel has no flow tables: the commands, in order."""
    world.tool("nft", WRAPPER.replace("| subst | $real -f -", "| grep -v flow | subst | $real -f -"))
    world.config(*COMMON, "FLOWOFFLOAD=software", "IFACE_LAN='lan0 lan1'", "IFACE_WAN='wan0 lan1'")
    world.service("start-fw")
    text = world.read("/opt/nft.text")
    wanted = [
        'add flowtable inet zapret2 ft { hook ingress priority -1; devices = { "lan0","lan1","wan0" }; }',
        "add rule inet zapret2 flow_offload_always flow add @ft",
        "add rule inet zapret2 flow_offload_always counter",
        "add rule inet zapret2 forward_hook meta l4proto { tcp, udp } oifname @wanif jump flow_offload",
        "add rule inet zapret2 flow_offload ip daddr == @nozapret goto flow_offload_always",
        "add rule inet zapret2 flow_offload jump flow_offload_zapret",
        "add rule inet zapret2 flow_offload_zapret goto flow_offload_always",
    ]
    equal([line for line in text.splitlines() if line in wanted], wanted)


def test_hardware_flowtable_commands(world: World):
    world.tool("nft", WRAPPER.replace("| subst | $real -f -", "| grep -v flow | subst | $real -f -"))
    world.sh("ip link add br0 type bridge; ip link add p0 type veth peer name q0;"
             "ip link add p1 type veth peer name q1; ip link set p0 master br0; ip link set p1 master br0")
    world.config(*COMMON, "FLOWOFFLOAD=hardware", "IFACE_LAN=br0", "IFACE_WAN=wan0")
    world.service("start-fw")
    found = [line for line in world.read("/opt/nft.text").splitlines() if line.startswith("add flowtable")]
    equal(found, ["add flowtable inet zapret2 ft { hook ingress priority -1; flags offload; }"] + [
        'add flowtable inet zapret2 ft {  devices = { "%s" }; }' % dev for dev in ("p0", "p1", "wan0")])


def test_real_nft_accepts_the_text(world: World):
    """nft --check on what was generated. It may complain about nothing but the missing queue expression."""
    start(world, *CONFIG_D)
    text = world.read("/opt/nft.text")
    contains(text, "queue num 300 bypass")
    real = shutil.which("nft", path=SBIN)
    world.sh("nft delete table inet zapret2")
    # Flow tables are removed and made apart from this transaction, errors ignored.
    lines = text.splitlines()
    lines.remove("flush chain inet zapret2 flow_offload_always")
    whole = "\n".join(line for line in lines if "flowtable" not in line and "flow add" not in line)
    result = world.run(real, "-c", "-f", "-", stdin=whole + "\n")
    complaints = [line for line in result.text.splitlines() if "Error" in line]
    if result.returncode != 0:
        check(complaints, result.text)
        for line in complaints:
            contains(line, "Could not process rule: No such file or directory")
        # The same text with another verdict is accepted by the kernel as a whole.
        world.run(real, "-c", "-f", "-", check_code=0,
                  stdin=whole.replace("queue num 300 bypass", "accept") + "\n")


def test_helpers(world: World):
    start(world, "NFQWS2_ENABLE=0", "DISABLE_IPV6=0", "IFACE_WAN=wan0")
    contains(world.service("list-table"), "chain ruletest")
    text = world.functions("""
        nft_add_chain mychain 'type filter hook input priority 5;'; nft_add_chain other
        nft_chain_empty mychain && echo empty
        nft_add_rule mychain tcp dport 5 counter accept
        nft_insert_rule mychain tcp dport 6 accept
        nft_chain_empty mychain || echo full
        nft_rule_exists mychain tcp dport 6 accept && echo there
        nft_rule_exists mychain tcp dport 7 accept || echo absent
        nft_create_set s1 'type ipv4_addr; flags interval; auto-merge;' && echo made
        nft_create_set s1 'type ipv4_addr;' || echo exists
        nft_set_exists s1 && ! nft_set_exists s2 && echo right
        nft_add_set_element s1 1.2.3.4; nft_add_set_elements s1 10.0.0.0/8 11.0.0.0/8
        nft list set inet zapret2 s1 | grep elements
        nft_flush_set s1; nft_del_set s1; nft_set_exists s1 || echo gone
        nft_flush_chain mychain; nft_del_chain mychain; nft_del_chain other
        FW_EXTRA_PRE='tcp sport 9' FW_EXTRA_POST='counter packets 0 bytes 0'
        nft_fw_nfqws_both 'tcp dport 99 ct original packets 1-3' 'tcp dport 98' 400
        nft_fw_reverse_nfqws_rule4 'oifname x tcp dport 97' 400
        nft_fw_nfqws_pre6 'tcp sport 96' 400
        nft_only echo yes
        nft_first_packets 5; nft_first_packets 1; nft_first_packets keepalive; nft_first_packets 0
        nft_reverse_nfqws_rule 'mark and 0x40000000 == 0 oifname a udp dport 1 ip daddr @x ct original packets 1-2'
    """)
    words = [line for line in text.splitlines() if not line.startswith("Inserting")]
    equal([line.strip() for line in words], [
        "empty", "full", "there", "absent", "made", "exists", "right",
        "elements = { 1.2.3.4, 10.0.0.0/7 }", "gone", "yes",
        "ct original packets 1-5", "ct original packets 1",
        "iifname a udp sport 1 ip saddr @x ct reply packets 1-2"])
    found = rules(world)
    queue = "counter packets 0 bytes 0 queue flags bypass to 400"
    equal(len(found["postnat"]), 2)
    # nft puts the protocol where it likes.
    equal(found["postnat"][1].replace("meta nfproto ipv4 ", ""),
          "tcp sport 9 tcp dport 99 ct original packets 1-3 %s %s %s" % (P, CT, queue))
    equal(len(found["prenat"]), 4)
    contains(found["prenat"][1], 'iifname "x" tcp sport 97')
    equal(found["postnat_hook"], ["%s oifname @wanif%s %s daddr != @nozapret%s jump postnat" % (LOOP, s, ip, s)
                                  for ip, s in (("ip", ""), ("ip6", "6"))])
    # A rule of another process finds the jump in place.
    world.functions("nft_fw_nfqws_post4 'tcp dport 95' 400")
    equal(len(rules(world)["postnat_hook"]), 2)
