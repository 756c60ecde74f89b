"""The files that strategies name below files/fake: the names and sizes that strategies count on, and each file
recognised by the program as what its name says."""
import os
import re
import struct
import sys

from sandbox import ROOT, World, check, contains, equal

SHELLS = ("dash",)
FAKES = "/opt/fakes"
LOCAL, REMOTE = "10.0.0.1", "10.0.0.2"
SEGMENT = 1400

# What the program shall say of a file: payload type, host. The rest is unknown to it.
UDP = {
    "dht_": ("dht", ""),
    "discord-": ("discord_ip_discovery", ""),
    "dns": ("dns_query", ""),
    "dtls_client": ("dtls_client_hello", ""),
    "dtls_server": ("dtls_server_hello", ""),
    "isakmp": ("unknown", ""),
    "ntp4": ("unknown", ""),
    "quic2_example": ("quic_initial", "example.com"),
    "quic_initial_facebook": ("quic_initial", "facebook.com"),
    "quic_initial_rr1": ("quic_initial", "rr1---sn-xguxaxjvh-n8me.googlevideo.com"),
    "quic_initial_rr2": ("quic_initial", "rr2---sn-gvnuxaxjvh-o8ge.googlevideo.com"),
    "quic_initial_rutracker": ("quic_initial", "rutracker.org"),
    "quic_initial_vk": ("quic_initial", "vk.com"),
    "quic_initial_www_google": ("quic_initial", "www.google.com"),
    "quic_short": ("unknown", ""),
    "sip": ("unknown", ""),
    "snmp": ("unknown", ""),
    "stun": ("stun", ""),
    "wireguard_initiation": ("wireguard_initiation", ""),
    "wireguard_response": ("wireguard_response", ""),
}
TCP = {
    "bgp": ("unknown", ""),
    "bitcoin": ("unknown", ""),
    "http_iana": ("http_req", "www.iana.org"),
    "rdp": ("unknown", ""),
    "rtsp": ("unknown", ""),
    "smtp": ("unknown", ""),
    "tls_alert": ("unknown", ""),
    "tls_clienthello_google": ("tls_client_hello", "google.com"),
    "tls_clienthello_gosuslugi": ("tls_client_hello", "bot.gosuslugi.ru"),
    "tls_clienthello_iana": ("tls_client_hello", "iana.org"),
    "tls_clienthello_rutracker": ("tls_client_hello", "rutracker.org"),
    "tls_clienthello_sberbank": ("tls_client_hello", "online.sberbank.ru"),
    "tls_clienthello_vk": ("tls_client_hello", "vk.com"),
    "tls_clienthello_www_google": ("tls_client_hello", "www.google.com"),
    "tls_serverhello": ("tls_server_hello", ""),
    "zero_": ("unknown", ""),
}
# Reports each packet with data; what was held until a message is whole, when it is.
SCRIPT = """function report(ctx, desync)
    local tcp, udp = desync.dis.tcp, desync.dis.udp
    local ports = tcp and tcp.th_sport + tcp.th_dport or udp.uh_sport + udp.uh_dport
    if #desync.dis.payload > 0 then
        print("@ " .. ports - 443 .. " " .. desync.l7payload .. " " ..
            (desync.track and desync.track.hostname or "") .. ".")
    end
end
"""


def make_fakes(world, folder=FAKES):
    world.run(sys.executable, "-B", str(ROOT / "src/tools/fake-blobs/make.py"), folder, check_code=0)


def wanted_sizes():
    text = (ROOT / "tests/data/fake-names.txt").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if not line.startswith("#")]
    return {row[0]: int(row[1]) for row in rows}


def bytes_of(name):
    with open("%s/%s" % (FAKES, name), "rb") as f:
        return f.read()


# --- captures -------------------------------------------------------------------------------------------


def ip_packet(protocol, payload, outgoing=True):
    source, target = (LOCAL, REMOTE) if outgoing else (REMOTE, LOCAL)
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0,
                       *(bytes(int(x) for x in address.split(".")) for address in (source, target))) + payload


def udp_packet(port, data):
    return ip_packet(17, struct.pack("!HHHH", port, 443, 8 + len(data), 0) + data)


def tcp_packet(port, seq, ack, flags, data=b"", outgoing=True):
    ports = (port, 443) if outgoing else (443, port)
    header = struct.pack("!HHIIBBHHH", *ports, seq, ack, 0x50, flags, 65535, 0, 0)
    return ip_packet(6, header + data, outgoing)


def tcp_connection(port, data, from_server):
    yield tcp_packet(port, 100, 0, 0x02)
    yield tcp_packet(port, 200, 101, 0x12, outgoing=False)
    yield tcp_packet(port, 101, 201, 0x10)
    seq, ack = (201, 101) if from_server else (101, 201)
    for at in range(0, len(data), SEGMENT):
        yield tcp_packet(port, seq + at, ack, 0x18, data[at:at + SEGMENT], not from_server)


def write_capture(path, packets):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))  # raw IP
        for number, packet in enumerate(packets):
            f.write(struct.pack("<IIII", 1700000000, number * 100, len(packet), len(packet)) + packet)


def reports_of(world, packets, *options):
    """What the program says by port: a set of (payload type, host)."""
    world.write("/opt/report.lua", SCRIPT)
    write_capture("/opt/in.pcap", packets)
    text = world.run("/opt/programs/nfqws2", "--pcap-in=/opt/in.pcap", "--pcap-out=/dev/null", "--pcap-local=" + LOCAL,
                     "--lua-init=@/opt/report.lua", "--in-range=a", "--payload=all", "--lua-desync=report", *options,
                     check_code=0).text
    found = {}
    for port, payload, host in re.findall(r"(?m)^@ (\d+) (\S+) (.*)\.$", text):
        found.setdefault(int(port), set()).add((payload, host))
    return found


# --- tests ----------------------------------------------------------------------------------------------


def test_names_and_sizes(world: World):
    make_fakes(world)
    equal({name: os.path.getsize("%s/%s" % (FAKES, name)) for name in os.listdir(FAKES)}, wanted_sizes())
    # The same in every build.
    make_fakes(world, "/opt/again")
    equal(world.sh("diff -r %s /opt/again" % FAKES), "")


def test_each_is_what_its_name_says(world: World):
    make_fakes(world)
    packets, ports = [], {}
    for number, name in enumerate(sorted(os.listdir(FAKES))):
        port = 20000 + number
        kind = [(protocol, table[start]) for protocol, table in (("udp", UDP), ("tcp", TCP))
                for start in table if name.startswith(start)]
        equal(len(kind), 1, name)
        ports[port] = name, kind[0][1]
        if kind[0][0] == "tcp":
            packets += tcp_connection(port, bytes_of(name), "server" in name)
        elif not name.endswith("_kyber_2.bin"):
            packets.append(udp_packet(port, bytes_of(name)))
            if name.endswith("_kyber_1.bin"):
                packets.append(udp_packet(port, bytes_of(name.replace("_1.bin", "_2.bin"))))
    found = reports_of(world, packets)
    for port, (name, wanted) in ports.items():
        if not name.endswith("_kyber_2.bin"):
            equal(found.get(port), {wanted}, name)


def test_second_halves_are_initial_packets(world: World):
    """Alone they have no name in them."""
    make_fakes(world)
    names = [name for name in os.listdir(FAKES) if name.endswith("_kyber_2.bin")]
    equal(len(names), 2)
    packets = [udp_packet(20000 + number, bytes_of(name)) for number, name in enumerate(names)]
    found = reports_of(world, packets, "--reasm-disable=quic_initial")
    equal(found, {20000: {("quic_initial", "")}, 20001: {("quic_initial", "")}})


def hello_of(data):
    """Records, key share groups and extensions of a ClientHello."""
    message, at, records = b"", 0, 0
    while at < len(data):
        size = struct.unpack("!H", data[at + 3:at + 5])[0]
        message += data[at + 5:at + 5 + size]
        at, records = at + 5 + size, records + 1
    at = 38 + 1 + message[38]
    at += 2 + struct.unpack("!H", message[at:at + 2])[0]
    at += 1 + message[at] + 2
    kinds, groups = [], []
    while at < len(message):
        kind, size = struct.unpack("!HH", message[at:at + 4])
        kinds.append(kind)
        if kind == 51:
            share = at + 6
            while share < at + 4 + size:
                groups.append("%04x" % struct.unpack("!H", message[share:share + 2]))
                share += 4 + struct.unpack("!H", message[share + 2:share + 4])[0]
        at += 4 + size
    return records, groups, kinds


def test_hellos_look_like_their_family(world: World):
    """As many records, keys and extensions as in the list; GREASE and ECH where the family has them."""
    make_fakes(world)
    text = (ROOT / "tests/data/fake-names.txt").read_text()
    rows = re.findall(r"(?m)^(tls_client\S+) .*\| (\d+) record\(s\), key shares (\S+), (\d+) extensions(.*)$", text)
    equal(len(rows), 9)
    for name, records, groups, count, more in rows:
        got_records, got_groups, kinds = hello_of(bytes_of(name))
        real = [group for group in groups.split(",") if group[1::2] != "aa"]
        equal((got_records, [g for g in got_groups if g[1::2] != "aa"], len(kinds)), (int(records), real, int(count)),
              name)
        greased = any(kind & 0x0F0F == 0x0A0A for kind in kinds)
        equal((greased, 0xFE0D in kinds), ("GREASE" in more, "ECH" in more), name)
        equal(len(set(kinds)), len(kinds), name)


def test_encryption(world: World):
    """Known answers of FIPS 197 and of the GCM specification (case 4)."""
    script = """import sys
sys.path.insert(0, sys.argv[1])
import aes
h = bytes.fromhex
print(aes.encrypt_block(bytes(range(16)), h('00112233445566778899aabbccddeeff')).hex())
print(aes.gcm_seal(h('feffe9928665731c6d6a8f9467308308'), h('cafebabefacedbaddecaf888'),
    h('d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5'
      'aa0de657ba637b39'), h('feedfacedeadbeeffeedfacedeadbeefabaddad2')).hex()[-32:])
"""
    text = world.run(sys.executable, "-B", "-c", script, str(ROOT / "src/tools/fake-blobs"), check_code=0).text
    equal(text, "69c4e0d86a7b0430d8cdb78070b4c55a\n5bc94fbc3221a5db94fae95ae7121a47\n")


def test_a_wrong_size_is_not_written(world: World):
    """Who changes a description learns that strategies count on the size."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); import make, messages; make.make('x', 11, messages.smtp)"
    result = world.run(sys.executable, "-B", "-c", script, str(ROOT / "src/tools/fake-blobs"), check_code=1)
    contains(result.text, "x: 22 bytes were made, not 11")
    check(not os.path.exists(FAKES), "written")
