"""Transports that both ends disguise, under load: the box between them drops the genuine form, the
transfers through the disguise arrive intact in both directions."""
import os
import shutil

from harness import QUEUE, cases, check, laboratory
from transfer import (WIREGUARD, answers, bulk, connects, megabytes, tcp_transfer, udp_transfer)

LIBRARIES = ("lib", "antidpi", "obfs")
BOTH = ["--in-range=a", "--out-range=a"]


def obstruct(lab, match):
    """The box drops what match(version) describes."""
    for version, tables in ((4, "iptables"), (6, "ip6tables")):
        lab.run("box", tables, "-A", "FORWARD", *match(version), "-j", "DROP")


def dropped(lab):
    """Packets that the box has dropped."""
    listings = (lab.run("box", tables, "-L", "FORWARD", "-nvx").stdout
                for tables in laboratory.TABLES)
    return sum(int(line.split()[0]) for text in listings for line in text.splitlines()
               if " DROP " in line)


def run_disguised(env, match, arguments, works, transfer, addresses=None, prepare=None):
    """Nothing works without the program. With it at both ends all does, and the box drops nothing.
    works(lab, version, address, seconds) tells about a first contact."""
    addresses = addresses or laboratory.SERVER
    with env.lab() as lab:
        for who in ("client", "server"):
            lab.queue_all(who, QUEUE)
        obstruct(lab, match)
        if prepare:
            prepare(lab)
        for version, address in addresses.items():
            check(not works(lab, version, address, 0.4), "%s works without the program", address)
        check(dropped(lab) > 0, "the box dropped nothing")
        with env.daemon(lab, *BOTH, *arguments, libraries=LIBRARIES), \
                env.daemon(lab, "--server", *BOTH, *arguments, who="server", libraries=LIBRARIES):
            before = dropped(lab)  # a tunnel tries again by itself while the programs start
            for version, address in addresses.items():
                check(works(lab, version, address, 15), "it does not work: %s", address)
            speed = bulk(lab, transfer, addresses, megabytes())
            print("%g MB each way over %s: %.1f MB/s" % (
                megabytes() / 1e6, ", ".join(addresses.values()), speed / 1e6))
            # Not later: what a connection says last may come when the program has gone.
            after = dropped(lab)
            check(after == before, "the box saw %d packets as they are", after - before)


def protocol(name):
    return lambda version: ["-p", name]


def datagram_passes(lab, version, address, seconds):
    return answers(lab, version, b"question", b"answer", seconds)


def test_udp2icmp(env):
    """UDP as echo requests and replies, past a box that drops UDP."""
    run_disguised(env, protocol("udp"), ["--payload-disable",
                                         "--lua-desync=udp2icmp:dataxor=0x5aa5"],
                  datagram_passes, udp_transfer)


# name: (protocol that the box drops, test of a first contact, transfer)
EXCHANGED = {"tcp": ("tcp", connects, tcp_transfer), "udp": ("udp", datagram_passes, udp_transfer)}


@cases(EXCHANGED)
def test_ippxor(env, name, works, transfer):
    """Another protocol number, past a box that drops the genuine one."""
    # Without conntrack: on the wire it is no flow for the program either.
    run_disguised(env, protocol(name), ["--ctrack-disable", "--payload-disable",
                                        "--lua-desync=ippxor:ippxor=192:dataxor=0xabcdef"],
                  works, transfer)


@cases({"x2": ("x2",), "urp": ("urp",), "opt": ("opt:opt=0102",),
        "xorseq": ("x2:xorseq=12345678",)})
def test_synhide(env, magic):
    """TCP without its handshake, past a box that drops everything with SYN."""
    run_disguised(env, lambda version: ["-p", "tcp", "--tcp-flags", "SYN", "SYN"],
                  ["--lua-desync=synhide:synack:magic=" + magic], connects, tcp_transfer)


# --- WireGuard

WGOBFS = ["--lua-desync=wgobfs:secret=mycoolpassword:padmin=4:padmax=60"]
INITIATION = b"\1\0\0\0" + bytes(range(16, 160))
RESPONSE = b"\2\0\0\0" + bytes(range(16, 104))
TUNNEL = {4: ("10.77.9.1", "10.77.9.2"), 6: ("fd77:9::1", "fd77:9::2")}
WG_PORT = 51820


def handshake(version):
    """The first four bytes of an initiation."""
    payload = {4: 28, 6: 48}[version]
    return ["-p", "udp", "-m", "string", "--algo", "bm", "--hex-string", "|01000000|", "--from",
            str(payload), "--to", str(payload + 4)]


def handshake_passes(lab, version, address, seconds):
    return answers(lab, version, INITIATION, RESPONSE, seconds)


def test_wgobfs(env):
    """Packets that look like WireGuard, past a box that drops its handshake."""
    run_disguised(env, handshake, WGOBFS, handshake_passes,
                  lambda *args: udp_transfer(*args, header=WIREGUARD))


def why_no_wireguard(lab):
    if shutil.which("wg") is None:
        return "the tool `wg` is not installed"
    made = lab.run("client", "ip", "link", "add", "probe", "type", "wireguard", check=False)
    if made.returncode == 0:
        lab.run("client", "ip", "link", "del", "probe")
        return None
    return None if shutil.which("wireguard-go") else "neither kernel nor wireguard-go make it"


def make_tunnel(lab):
    """A WireGuard interface at both ends, of the kernel or of wireguard-go."""
    keys = {who: lab.run(who, "wg", "genkey").stdout for who in ("client", "server")}
    for here, there, end in (("client", "server", 0), ("server", "client", 1)):
        if lab.run(here, "ip", "link", "add", "wg0", "type", "wireguard",
                   check=False).returncode:
            # Its control socket is named after the interface, for all namespaces.
            device = "wg%d-%d" % (os.getpid(), end)
            process = lab.start(here, "wireguard-go", "--foreground", device)
            lab.wait_for(lambda: lab.run(here, "wg", "show", device, check=False).returncode == 0,
                         "wireguard-go did not start", process)
        else:
            device = "wg0"
        public = lab.run(there, "wg", "pubkey", input=keys[there]).stdout.strip()
        lab.run(here, "wg", "set", device, "listen-port", str(WG_PORT), "private-key",
                "/dev/stdin", "peer", public, "allowed-ips", "0.0.0.0/0,::/0", "endpoint",
                "%s:%d" % ((laboratory.SERVER4, laboratory.CLIENT4)[end], WG_PORT),
                input=keys[here])
        lab.sh(here, "ip link set {d} mtu 1400 up; ip addr add {a}/24 dev {d}; "
                     "ip addr add {b}/64 dev {d} nodad".format(
                         d=device, a=TUNNEL[4][end], b=TUNNEL[6][end]))


def test_wireguard_tunnel(env):
    """TCP in a tunnel of genuine WireGuard, past a box that drops its handshake."""
    with env.lab() as lab:
        reason = why_no_wireguard(lab)
    if reason:
        print("not tested, WireGuard packets of our own are: " + reason)
        return
    run_disguised(env, handshake, WGOBFS, connects, tcp_transfer,
                  {version: ends[1] for version, ends in TUNNEL.items()}, make_tunnel)
