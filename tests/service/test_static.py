"""What can be said without running: syntax, shellcheck, the default config, the units, the layout."""
import os
import re
import subprocess

from sandbox import BASE, ROOT, World, check, contains, equal

SHELLS = ("dash",)

LAYOUT = """config.default common/base.sh common/fwtype.sh common/linux_iphelper.sh common/ipt.sh common/nft.sh
common/linux_fw.sh common/linux_daemons.sh common/list.sh common/custom.sh common/api.sh common/dialog.sh
common/elevate.sh common/installer.sh common/virt.sh init.d/sysv/zapret2 init.d/sysv/functions init.d/sysv/custom.d
init.d/openwrt/zapret2 init.d/openwrt/functions init.d/openwrt/90-zapret2 init.d/openwrt/firewall.zapret2
init.d/openwrt/custom.d init.d/systemd/zapret2.service init.d/systemd/zapret2-list-update.service
init.d/systemd/zapret2-list-update.timer init.d/openrc/zapret2 init.d/runit/zapret2/run
init.d/runit/zapret2/finish init.d/s6/zapret2/up init.d/s6/zapret2/down init.d/s6/zapret2/type
init.d/custom.d.examples.linux/10-keenetic-udp-fix init.d/custom.d.examples.linux/20-fw-extra
init.d/custom.d.examples.linux/40-webserver init.d/custom.d.examples.linux/50-dht4all
init.d/custom.d.examples.linux/50-discord-media init.d/custom.d.examples.linux/50-nfqws-ipset
init.d/custom.d.examples.linux/50-quic4all init.d/custom.d.examples.linux/50-stun4all
init.d/custom.d.examples.linux/50-wg4all init.d/custom.d.examples.linux/80-dns-intercept
init.d/custom.d.examples.linux/99-lan-filter ipset/def.sh ipset/create_ipset.sh ipset/get_config.sh
ipset/get_exclude.sh ipset/get_ipban.sh ipset/get_user.sh ipset/get_antifilter_ip.sh ipset/get_antifilter_ipsum.sh
ipset/get_antifilter_ipresolve.sh ipset/get_antifilter_allyouneed.sh ipset/get_antifilter_ipsmart.sh
ipset/get_reestr_preresolved.sh ipset/get_reestr_preresolved_smart.sh ipset/get_refilter_ipsum.sh
ipset/get_refilter_domains.sh ipset/get_reestr_resolvable_domains.sh ipset/get_antizapret_domains.sh
ipset/clear_lists.sh blockcheck2.sh common/blockcheck blockcheck2.d/standard common/supervise.sh
init.d/systemd/nfqws2@.service install_easy.sh install_bin.sh install_prereq.sh uninstall_easy.sh""".split()

UNSET = """TMPDIR WS_USER DAEMON_RESPAWN FWTYPE POSTNAT IPSET_HOOK LISTS_RELOAD FILTER_MARK NFQWS2_PORTS_TCP_KEEPALIVE
NFQWS2_PORTS_UDP_KEEPALIVE OPENWRT_LAN OPENWRT_WAN4 OPENWRT_WAN6 IFACE_LAN IFACE_WAN IFACE_WAN6
INIT_FW_PRE_UP_HOOK INIT_FW_POST_UP_HOOK INIT_FW_PRE_DOWN_HOOK INIT_FW_POST_DOWN_HOOK DISABLE_IPV4 GETLIST""".split()
DEFAULTS = {
    "SET_MAXELEM": "522288", "IPSET_OPT": "hashsize 262144 maxelem 522288",
    "IP2NET_OPT4": "--prefix-length=22-30 --v4-threshold=3/4", "IP2NET_OPT6": "--prefix-length=56-64 --v6-threshold=5",
    "AUTOHOSTLIST_INCOMING_MAXSEQ": "4096", "AUTOHOSTLIST_RETRANS_MAXSEQ": "32768", "AUTOHOSTLIST_RETRANS_RESET": "1",
    "AUTOHOSTLIST_RETRANS_THRESHOLD": "3", "AUTOHOSTLIST_FAIL_THRESHOLD": "3", "AUTOHOSTLIST_FAIL_TIME": "60",
    "AUTOHOSTLIST_UDP_IN": "1", "AUTOHOSTLIST_UDP_OUT": "4", "AUTOHOSTLIST_DEBUGLOG": "0", "MDIG_THREADS": "30",
    "MDIG_EAGAIN": "10", "MDIG_EAGAIN_DELAY": "500", "GZIP_LISTS": "1", "DESYNC_MARK": "0x40000000",
    "DESYNC_MARK_POSTNAT": "0x20000000", "NFQWS2_ENABLE": "0", "NFQWS2_PORTS_TCP": "auto", "NFQWS2_PORTS_UDP": "auto",
    "NFQWS2_TCP_PKT_OUT": "auto", "NFQWS2_TCP_PKT_IN": "auto", "NFQWS2_UDP_PKT_OUT": "auto",
    "NFQWS2_UDP_PKT_IN": "auto",
    "MODE_FILTER": "none", "FLOWOFFLOAD": "donttouch", "INIT_APPLY_FW": "1", "DISABLE_IPV6": "1",
    "FILTER_TTL_EXPIRED_ICMP": "1",
}


def scripts():
    """Every shell file of the service layer. blockcheck2 has tests of its own."""
    for folder in ("common", "ipset", "init.d"):
        for path in sorted((ROOT / folder).rglob("*")):
            # s6 scripts are execline; units and lists are no scripts at all.
            if path.is_file() and path.suffix not in (".service", ".timer", ".in", ".default", ".txt") and \
                    path.name not in (".keep", "type", "up", "down"):
                yield path
    for name in ("config.default", "install_easy.sh", "install_bin.sh", "install_prereq.sh", "uninstall_easy.sh"):
        yield ROOT / name


def test_layout(_: World):
    equal([name for name in LAYOUT if not (ROOT / name).exists()], [])
    for name in LAYOUT:
        path = ROOT / name
        if path.is_file() and path.read_bytes().startswith(b"#!") and not name.endswith("def.sh"):
            check(os.access(path, os.X_OK), name + " is not executable")


def test_syntax(_: World):
    for path in scripts():
        for shell in (["dash"], ["busybox", "ash"], ["bash", "--posix"]):
            result = subprocess.run(shell + ["-n", str(path)], capture_output=True, text=True, check=False)
            check(result.returncode == 0, "%s: %s: %s" % (shell[0], path, result.stderr))


def test_shellcheck(_: World):
    result = subprocess.run(["shellcheck", "-s", "dash", *map(str, scripts())], capture_output=True, text=True,
                            check=False)
    equal(result.stdout + result.stderr, "")


def test_default_config(world: World):
    names = sorted(DEFAULTS) + UNSET
    text = world.sh(". %s/config.default; " % BASE + "; ".join('echo "%s=$%s"' % (n, n) for n in names),
                    env={n: "" for n in UNSET})
    equal(dict(line.split("=", 1) for line in text.splitlines()), {**DEFAULTS, **{n: "" for n in UNSET}})
    commented = set(re.findall(r"(?m)^#(\w+)=", world.read("config.default")))
    equal(sorted(set(UNSET) - commented), [])
    words = world.sh(". %s/config.default; echo $NFQWS2_OPT" % BASE).split()
    equal(words, """--filter-tcp=80 --filter-l7=http <HOSTLIST> --payload=http_req --out-range=-d10
        --lua-desync=fake:blob=fake_default_http:tcp_md5 --lua-desync=multisplit:pos=method+2
        --new --filter-tcp=443 --filter-l7=tls <HOSTLIST> --payload=tls_client_hello --out-range=-d10
        --lua-desync=fake:blob=fake_default_tls:tcp_md5:tcp_seq=-10000 --lua-desync=multidisorder:pos=1,midsld
        --new --filter-udp=443 --filter-l7=quic <HOSTLIST_NOAUTO> --payload=quic_initial --out-range=-d5
        --lua-desync=fake:blob=fake_default_quic:repeats=6""".split())


def instance_unit(world):
    text = world.read("init.d/systemd/nfqws2@.service")
    world.write("/opt/units/nfqws2@.service", text)
    return "/opt/units/nfqws2@.service"


def test_systemd_units(world: World):
    units = ["%s/init.d/systemd/%s" % (BASE, name) for name in
             ("zapret2.service", "zapret2-list-update.service", "zapret2-list-update.timer")]
    # Units are looked for in one folder, where the system's own stand too.
    world.sh("mkdir -p /opt/units; cp %s /opt/units" % " ".join(units))
    instance_unit(world)
    names = ["zapret2.service", "zapret2-list-update.service", "zapret2-list-update.timer", "nfqws2@x.service"]
    env = {"SYSTEMD_UNIT_PATH": "/opt/units:", "SYSTEMD_LOG_LEVEL": "warning"}
    for name in names:
        result = world.run("systemd-analyze", "verify", "--man=no", name, env=env)
        equal((result.returncode, result.text), (0, ""), name)
    calendar = world.sh("systemd-analyze calendar '*-*-2,4,6,8,10,12,14,16,18,20,22,24,26,28,30 00:00:00'")
    contains(calendar, "Next elapse")


def test_service_unit_facts(_: World):
    facts = {
        "zapret2.service": """After=network-online.target|Wants=network-online.target|Type=notify
            NotifyAccess=all|Restart=no
            TimeoutSec=30sec|IgnoreSIGPIPE=no|GuessMainPID=no|RemainAfterExit=no|WantedBy=multi-user.target
            ExecStart=/opt/zapret2/init.d/sysv/zapret2 main|ExecStop=/opt/zapret2/init.d/sysv/zapret2 stop
            ExecReload=/opt/zapret2/init.d/sysv/zapret2 reload""",
        "zapret2-list-update.service": """Restart=no|KillMode=control-group
            ExecStart=/opt/zapret2/ipset/get_config.sh scheduled""",
        "zapret2-list-update.timer": """RandomizedDelaySec=86400|Persistent=true
            OnCalendar=*-*-2,4,6,8,10,12,14,16,18,20,22,24,26,28,30 00:00:00""",
        "nfqws2@.service": """ExecStart=/opt/zapret2/nfq2/nfqws2 @${CONFIG_DIR}/${INSTANCE}.conf $CONTROL""",
    }
    for name, lines in facts.items():
        text = (ROOT / "init.d/systemd" / name).read_text().splitlines()
        equal([line for line in re.split(r"\||\n +", lines) if line not in text], [], name)


def test_systemd_security_score(world: World):
    unit = instance_unit(world)
    text = world.run("systemd-analyze", "security", "--offline=yes", "--no-pager", unit).text
    score = re.search(r"Overall exposure level for \S+: ([\d.]+) (\w+)", text)
    check(score, text)
    print("nfqws2@.service: exposure %s (%s)" % score.groups())
    check(float(score.group(1)) <= 4.0, score.group(0))
    lines = """RestrictAddressFamilies=AF_NETLINK AF_UNIX AF_INET6 AF_INET|LockPersonality=yes|PrivateDevices=yes
        PrivateMounts=yes|PrivateTmp=yes|ProcSubset=pid|ProtectClock=yes|ProtectControlGroups=yes|ProtectHome=yes
        ProtectHostname=yes|ProtectKernelLogs=yes|ProtectKernelModules=yes|ProtectKernelTunables=yes
        ProtectProc=invisible|ProtectSystem=full|RemoveIPC=yes|RestrictNamespaces=yes|RestrictRealtime=yes
        RestrictSUIDSGID=yes|UMask=0077|Type=notify|Restart=on-failure|Environment=CONFIG_DIR=/etc/zapret2
        Environment=INSTANCE=%i"""
    for name in lines.replace("\n        ", "|").split("|"):
        contains(world.read(unit), "\n%s\n" % name)
