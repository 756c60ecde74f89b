"""The face of custom scripts: what is declared exists, nothing that was promised is gone, and helpers do their work."""
import re

from sandbox import BASE, World, equal
from test_adapters import openwrt
from test_nftables import WRAPPER

# Promised once; common/api.sh may have more.
PROMISED = """alloc_dnum alloc_qnum do_nfqws do_daemon run_daemon stop_daemon filter_apply_hostlist_target
standard_mode_daemons fw_nfqws_post fw_nfqws_post4 fw_nfqws_post6 fw_nfqws_pre fw_nfqws_pre4 fw_nfqws_pre6
fw_reverse_nfqws_rule fw_reverse_nfqws_rule4 fw_reverse_nfqws_rule6 reverse_nfqws_rule reverse_nfqws_rule_stream
zapret_do_firewall_standard_nfqws_rules_ipt zapret_do_firewall_standard_rules_ipt ipt_do_nfqws_in_out
filter_apply_ipset_target filter_apply_ipset_target4 filter_apply_ipset_target6 ipt ipta ipt_del ipt6 ipt6a ipt6_del
ipt_add_del ipta_add_del ipt6_add_del ipt6a_add_del ipt_first_packets ipt_port_ipset ipt_mark_filter ipt_print_op
nft_fw_nfqws_post nft_fw_nfqws_post4 nft_fw_nfqws_post6 nft_fw_nfqws_pre nft_fw_nfqws_pre4 nft_fw_nfqws_pre6
nft_fw_nfqws_both nft_fw_nfqws_both4 nft_fw_nfqws_both6 nft_fw_reverse_nfqws_rule nft_fw_reverse_nfqws_rule4
nft_fw_reverse_nfqws_rule6 nft_reverse_nfqws_rule zapret_apply_firewall_standard_nfqws_rules_nft
zapret_apply_firewall_standard_rules_nft nft_apply_nfqws_in_out nft_filter_apply_ipset_target
nft_filter_apply_ipset_target4 nft_filter_apply_ipset_target6 nft_first_packets nft_add_chain nft_del_chain
nft_flush_chain nft_chain_empty nft_create_set nft_del_set nft_flush_set nft_set_exists nft_add_set_element
nft_add_set_elements nft_add_rule nft_insert_rule nft_rule_exists nft_print_op get_lanif get_wanif46 create_ipset
custom_runner linux_fwtype nft_only exists existf whichq exist_all on_off_function contains starts_with extract_arg
find_str_in_list trim split_by_separator tolower replace_char replace_str append_separator_list make_separator_list
make_comma_list make_quoted_comma_list unique calc fsleep_setup msleep minsleep random md5f alloc_num process_exists
linux_min_version dir_is_not_empty is_linked_to_busybox get_dir_inode call_for_multiple_items zapret_apply_firewall
zapret_unapply_firewall zapret_run_daemons zapret_stop_daemons get_fwtype linux_ipt_avail linux_nft_avail""".split()

# script, output
BASE_LIBRARY = (
    ("exists sh && ! exists nosuchprogram && echo 1", "1"),
    ("existf trim && ! existf sh && ! existf nosuch && echo 1", "1"),
    ("whichq nosuchprogram; whichq /bin/sh", "/bin/sh"),
    ("exist_all sh sed && ! exist_all sh nosuch && echo 1", "1"),
    ("on() { echo on \"$@\"; }; off() { echo off \"$@\"; }; on_off_function on off 1 a 'b c'; "
     "on_off_function on off 0 d",
     "on a b c\noff d"),
    ("contains abc b && ! contains abc x && contains 'a*c' '*' && ! contains abc '*' && echo 1", "1"),
    ("starts_with abc ab && ! starts_with abc b && ! starts_with abc '?b' && echo 1", "1"),
    ("extract_arg 2 a 'b b' c", "b b"),
    ("find_str_in_list b 'a b c' && ! find_str_in_list d 'a b c' && ! find_str_in_list '' 'a' && echo 1", "1"),
    ("printf '  a b \\t\\n' | trim", "a b"),
    ("split_by_separator 'a=b=c' = x y; echo \"$x|$y\"; split_by_separator abc = x y; echo \"$x|$y\"", "a|b=c\nabc|"),
    ("tolower 'AbC Z1'", "abc z1"),
    ("replace_char , ' ' a,b,c", "a b c"),
    ("replace_str '<X>' 'a&b\\1$HOME`' 'p<X>q<X>'", "pa&b\\1$HOME`qa&b\\1$HOME`"),
    ("l=a; append_separator_list l ', ' \"'\" b c; echo \"$l\"", "a, 'b', 'c'"),
    ("l=a; make_separator_list l : '' b c; echo \"$l\"", "b:c"),
    ("make_comma_list l a b; echo \"$l\"; make_quoted_comma_list l a b; echo \"$l\"", 'a,b\n"a","b"'),
    ("unique b a b c a", "b a c"),
    ("calc 2 + 3 '*' 4", "14"),
    ("echo abc | md5f", "0bee89b07a248e27c83fc3d5951213c1"),
    ("n=; a=; b=7; c=; alloc_num n a 5 6; alloc_num n b 5 6; alloc_num n c 5 6; d=; alloc_num n d 5 6; "
     "echo $a $b $c $d",
     "5 7 6 5"),
    ("for i in 1 2 3 4 5 6 7 8 9 0; do for j in 1 2 3 4 5 6 7 8 9; do random 3 5; done; done | sort -u | head -c 6",
     "3\n4\n5"),
    ("sleep 9 & sleep 0.1; process_exists nosuch || echo 1; process_exists sh busybox && echo 2; kill $!", "1\n2"),
    ("linux_min_version 2 6 && linux_min_version 4 16 && ! linux_min_version 999 0 && echo 1", "1"),
    ("mkdir /tmp/d; dir_is_not_empty /tmp/d || echo empty; touch /tmp/d/f; dir_is_not_empty /tmp/d && echo full; "
     "dir_is_not_empty /tmp/nosuch || echo none", "empty\nfull\nnone"),
    ("[ \"$(get_dir_inode /opt)\" = \"$(stat -c %i /opt)\" ] && echo 1", "1"),
    ("ln -s /opt /opt/link; [ \"$(get_dir_inode /opt/link)\" = \"$(stat -c %i /opt)\" ] && echo 1", "1"),
    ("g() { eval \"$1=dev_$2\"; }; call_for_multiple_items g l 'a b'; echo \"$l\"", "dev_a dev_b"),
    ("is_linked_to_busybox ip && echo yes || echo no", "no"),
    ("fsleep_setup; echo $FSLEEP; msleep 20; minsleep", "1"),
)


PHASES = ("zapret_custom_daemons", "zapret_custom_firewall", "zapret_custom_firewall_nft",
          "zapret_custom_firewall_nft_flush")
# The caller sets them.
OWN_VARIABLES = ("FW_EXTRA_PRE", "FW_EXTRA_POST", "FW_EXTRA_PRE6", "FW_EXTRA_POST6")


def declared(world, mark):
    """What common/api.sh declares: the phases and functions, or with mark "$" the variables."""
    return re.findall(r"^#   %s(\w+)(?: |$)" % re.escape(mark), world.read("common/api.sh"), re.M)


def what_is_missing(world):
    """Script that prints the declared functions that do not exist and the variables that are not set."""
    functions = [name for name in declared(world, "") if name not in PHASES]
    variables = [name for name in declared(world, "$") if name not in OWN_VARIABLES]
    is_set = "eval \"[ -n \\\"\\$$v\\\" ]\""
    return "for f in %s; do existf $f || echo $f; done; for v in %s; do %s || echo $v; done" % (
        " ".join(functions), " ".join(variables), is_set)


def test_declared_face(world: World):
    world.config()
    names = declared(world, "")
    equal([name for name in PROMISED + list(PHASES) if name not in names], [])
    equal([name for name in names if names.count(name) > 1], [])
    equal(world.functions(what_is_missing(world)), "")


def test_declared_face_on_openwrt(world: World):
    openwrt(world, "fw4")
    equal(world.sh("ZAPRET_BASE=%s; . %s/init.d/openwrt/functions\n%s" % (BASE, BASE, what_is_missing(world))), "")


def test_variables_of_rules(world: World):
    world.config()
    equal(world.functions('echo "$ipt_connbytes|$IPSET_EXCLUDE|$IPSET_EXCLUDE6"'),
          "-m connbytes --connbytes-dir=original --connbytes-mode=packets --connbytes|"
          "-m set ! --match-set nozapret|-m set ! --match-set nozapret6\n")


def test_base_library(world: World):
    world.config()
    for script, wanted in BASE_LIBRARY:
        # In a subshell with its own error texts: each case stands alone.
        equal(world.functions(script, check_code=None).strip(), wanted, script)


def test_iptables_helpers(world: World):
    world.use_iptables("nft")
    world.config("FWTYPE=iptables", "DISABLE_IPV6=0", "FILTER_MARK=0x10", "MODE_FILTER=ipset", "IFACE_WAN=wan0")
    text = world.functions("""
        ipt_first_packets 5; ipt_first_packets keepalive; ipt_first_packets 0; ipt_first_packets ''; ipt_mark_filter
        reverse_nfqws_rule -o wan -m mark ! --mark 0x40000000/0x40000000 --dport 1 --dports 2 -m set --match-set x dst \
            $ipt_connbytes 1:3
        echo '-p udp --dport=5 -d 1.2.3.4' | reverse_nfqws_rule_stream
        ipt_print_op 1 'the rule' desc; ipt_print_op 0 'the rule' desc 6
        a=x b=y; filter_apply_ipset_target a b; echo "$a|$b"
        linux_fwtype; echo $FWTYPE
        """)
    equal(text.splitlines(), [
        "-m connbytes --connbytes-dir=original --connbytes-mode=packets --connbytes 1:5", "-m mark --mark 0x10/0x10",
        "-i wan --sport 1 --sports 2 -m set --match-set x src "
        "-m connbytes --connbytes-dir=reply --connbytes-mode=packets --connbytes 1:3",
        "-p udp --sport=5 -d 1.2.3.4",
        "Inserting iptables rule for desc : the rule", "Deleting ip6tables rule for desc : the rule",
        "x -m set --match-set zapret dst|y -m set --match-set zapret6 dst", "iptables"])
    world.functions("""
        create_ipset no-update
        ipt INPUT -p 50 -j DROP; ipt INPUT -p 50 -j DROP; ipta INPUT -p 51 -j DROP
        ipt6 INPUT -p 50 -j DROP; ipt6a INPUT -p 51 -j DROP; ipt6a_add_del 1 INPUT -p 52 -j DROP
        ipta_add_del 1 INPUT -p 52 -j DROP; ipt_add_del 1 FORWARD -p 53 -j DROP; ipt_add_del 0 FORWARD -p 53 -j DROP
        ipt_del INPUT -p 77 -j DROP
        ipt_port_ipset ports 5,7-9
        fw_nfqws_post 1 '-p tcp --dport 1' '' 500; fw_nfqws_pre6 1 '-p udp' 501
        fw_reverse_nfqws_rule4 1 '-p tcp --dport 2' 502
        ipt_do_nfqws_in_out 1 udp 10 keepalive 1 myset
        """)
    filters = ["-A INPUT -p 50 -j DROP", "-A INPUT -p 51 -j DROP", "-A INPUT -p 52 -j DROP"]
    names = {"50": "esp", "51": "ah", "52": "52"}
    wanted = ["-A INPUT -p %s -j DROP" % names[f.split()[3]] for f in filters]
    equal(world.saved_rules()["filter"], wanted)
    equal(world.saved_rules("ip6tables")["filter"], wanted)
    equal(world.ipset("ports"), ["5", "7", "8", "9"])
    queue = "-j NFQUEUE --queue-num %d --queue-bypass"
    loop = "-m mark --mark 0x10/0x10 -m mark ! --mark 0x40000000/0x40000000"
    equal(world.saved_rules()["mangle"], [
        "-A %s -i wan0 -p tcp -m tcp --sport 2 -m set ! --match-set nozapret src " % chain + queue % 502
        for chain in ("INPUT", "FORWARD")] + [
        "-A POSTROUTING -o wan0 -p udp %s -m set --match-set myset_udp_k dst -m set --match-set zapret dst "
        "-m set ! --match-set nozapret dst " % loop + queue % 300,
        "-A POSTROUTING -o wan0 -p tcp %s -m tcp --dport 1 -m set ! --match-set nozapret dst " % loop + queue % 500])
    equal(len([r for r in world.saved_rules("ip6tables")["mangle"] if "501" in r]), 2)


def test_firewall_type(world: World):
    """nftables on a new kernel whose nft can queue, else iptables when both tools are there, else unsupported."""
    script = "linux_fwtype; echo $FWTYPE"
    world.needs_program("uname")
    world.tool("nft", WRAPPER)
    world.config()
    equal(world.functions(script), "nftables\n")
    equal(world.functions(script, env={"FWTYPE": "iptables"}), "iptables\n")
    world.tool("uname", "#!/bin/sh\necho 4.15.0\n")
    equal(world.functions(script), "iptables\n")
    equal(world.functions("linux_ipt_avail() { return 1; }; " + script), "unsupported\n")
    equal(world.functions("nft_only echo no; is_openwrt || echo other"), "other\n")
