"""One message of many small protocols. Where a length is free, the field that may have any size takes it up."""
import hashlib
import hmac
import zlib

from pieces import Noise, u16, u32, u8, vector16, vector8


def zeros(_name, size):
    return bytes(size)


def exact(data, size):
    if len(data) != size:
        raise ValueError("%d bytes, not %d" % (len(data), size))
    return data


# --- text -----------------------------------------------------------------------------------------------


def lines(*texts):
    return "".join(text + "\r\n" for text in texts).encode()


def http(name, host, size):
    def build(cookie):
        return lines("GET / HTTP/1.1", "Host: " + host,
                     "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:109.0) Gecko/20100101 Firefox/115.0",
                     "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
                     "Accept-Language: en-US,en;q=0.5", "Accept-Encoding: gzip, deflate", "DNT: 1",
                     "Connection: keep-alive", "Cookie: id=" + cookie, "Upgrade-Insecure-Requests: 1", "")

    missing = size - len(build(""))
    return build(Noise(name).take(missing).hex()[:missing])


def rtsp(name, size):
    def build(agent):
        return lines("OPTIONS rtsp://www.example.com/live RTSP/1.0", "CSeq: 1", "User-Agent: " + agent,
                     "Require: implicit-play", "")

    return build((Noise(name).take(size).hex())[:size - len(build(""))])


def sip(name, size):
    noise = Noise(name)
    tag, call, branch = (noise.take(8).hex() for _ in range(3))

    def build(agent):
        return lines("REGISTER sip:sip.example.com SIP/2.0",
                     "Via: SIP/2.0/UDP 192.168.1.2:5060;rport;branch=z9hG4bK" + branch, "Max-Forwards: 70",
                     "From: \"user\" <sip:user@sip.example.com>;tag=" + tag, "To: \"user\" <sip:user@sip.example.com>",
                     "Call-ID: %s@192.168.1.2" % call, "CSeq: 1 REGISTER",
                     "Contact: <sip:user@192.168.1.2:5060>;expires=3600",
                     "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE", "User-Agent: " + agent,
                     "Content-Length: 0", "")

    return build(("softphone/" + noise.take(size).hex())[:size - len(build(""))])


def smtp(_name, _size):
    return lines("EHLO www.example.com")


def rdp(_name, size):
    """Connection request with the cookie of Windows, which keeps nine letters of the account."""
    cookie = lines("Cookie: mstshash=Administr")
    negotiation = b"\1\0\x08\0" + (3).to_bytes(4, "little")  # TLS or CredSSP
    body = b"\xe0\0\0\0\0\0" + cookie + negotiation
    return b"\3\0" + u16(size) + vector8(body)


# --- bencode --------------------------------------------------------------------------------------------


def bencode(value):
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"
    return b"%d:%s" % (len(value), value)


def dht(query, target):
    """The transaction id takes up what is left; with the version of the program where it alone can not."""
    def build(name, size):
        noise = Noise(name)
        arguments = {b"id": noise.take(20), target: noise.take(20)}
        drawn = noise.take(size)
        for version in ({}, {b"v": b"LT\2\0"}):
            for length in range(1, size):
                data = bencode({b"a": arguments, b"q": query, b"t": drawn[:length], **version, b"y": b"q"})
                if len(data) == size:
                    return data
        raise ValueError("no message of %d bytes" % size)

    return build


# --- UDP ------------------------------------------------------------------------------------------------


def discord(port):
    """Request of the own address: type, length, SSRC, 64 bytes for the address, port."""
    def build(name, _size):
        return u16(1) + u16(70) + Noise(name).take(4) + bytes(64) + u16(port)

    return build


def dns(name, size):
    labels = b"".join(vector8(label) for label in b"update.microsoft.com".split(b"."))
    return exact(Noise(name).take(2) + b"\1\0\0\1\0\0\0\0\0\0" + labels + b"\0" + u16(1) + u16(1), size)


def ntp(name, _size):
    return b"\x23\0\6\xec" + bytes(36) + Noise(name).take(8)  # client, version 4: only the time of sending


def snmp(name, _size):
    """GetNext of sysDescr with the community "public"."""
    variables = b"\x30\x0e" + b"\x30\x0c" + b"\6\x08\x2b\6\1\2\1\1\1\0" + b"\5\0"
    request = b"\2\4" + bytes([0x11]) + Noise(name).take(3) + b"\2\1\0\2\1\0" + variables
    message = b"\2\1\1" + b"\4" + vector8(b"public") + b"\xa1" + vector8(request)
    return b"\x30" + vector8(message)


def stun(name, size):
    """Binding request as of ICE: user name, controlling, priority, integrity, fingerprint (RFC 8489)."""
    noise = Noise(name)
    cookie = u32(0x2112A442) + noise.take(12)

    def attribute(kind, value):
        return u16(kind) + vector16(value) + bytes(-len(value) % 4)

    def message(attributes, more=0):
        return u16(1) + u16(len(attributes) + more) + cookie + attributes

    def build(user):
        attributes = (attribute(6, user) + attribute(0x802A, noise.take(8)) + attribute(0x25, b"") +
                      attribute(0x24, u32(0x6E001EFF)))
        digest = hmac.new(b"password", message(attributes, 24), hashlib.sha1).digest()
        attributes += attribute(8, digest)
        check = zlib.crc32(message(attributes, 8)) ^ 0x5354554E
        return message(attributes + attribute(0x8028, u32(check)))

    left = size - len(build(b""))
    return build((noise.take(8).hex() + ":").encode()[:left].ljust(left, b"u"))


def wireguard(kind):
    """Everything behind the type is keys and ciphertext, except the second half of the MACs: no cookie."""
    def build(name, size):
        return u8(kind) + bytes(3) + Noise(name).take(size - 20) + bytes(16)

    return build


def isakmp(name, size):
    """IKE_SA_INIT (RFC 7296): proposal, 2048 bit MODP key, nonce, and notifications."""
    noise = Noise(name)

    def payload(following, content):
        return u8(following) + b"\0" + u16(len(content) + 4) + content

    def transform(last, kind, number, attribute=b""):
        return (b"\0" if last else b"\3") + b"\0" + u16(8 + len(attribute)) + u8(kind) + b"\0" + u16(number) + attribute

    transforms = (transform(False, 1, 12, u16(0x800E) + u16(256)) + transform(False, 2, 5) +
                  transform(False, 3, 12) + transform(True, 4, 14))
    proposal = b"\0\0" + u16(8 + len(transforms)) + b"\1\1\0\4" + transforms

    def build(nonce):
        body = (payload(34, proposal) + payload(40, u16(14) + b"\0\0" + noise.take(256)) +
                payload(41, noise.take(nonce)) + payload(41, b"\0\0" + u16(16388) + noise.take(20)) +
                payload(0, b"\0\0" + u16(16389) + noise.take(20)))
        return noise.take(8) + bytes(8) + b"\x21\x20\x22\x08" + bytes(4) + u32(28 + len(body)) + body

    return build(size - len(build(0)))


# --- TCP ------------------------------------------------------------------------------------------------


def bgp(_name, size):
    """OPEN with the capabilities IPv4 unicast, route refresh (three kinds of it), four-octet numbers."""
    capabilities = (b"\1\4\0\1\0\1", b"\x80\0", b"\2\0", b"\x46\0", b"\x41\4" + u32(65001))
    parameters = b"".join(b"\2" + vector8(capability) for capability in capabilities)
    body = b"\1\4" + u16(65001) + u16(180) + bytes([192, 0, 2, 1]) + vector8(parameters)
    return exact(b"\xff" * 16 + u16(size) + body, size)


def bitcoin(name, size):
    """version: protocol, services, time, two addresses, nonce, an empty name, height."""
    noise = Noise(name)

    def little(number, octets):
        return number.to_bytes(octets, "little")

    def address(text):
        return little(1, 8) + bytes(10) + b"\xff\xff" + text + u16(8333)

    body = (little(70015, 4) + little(1, 8) + little(1700000000, 8) + address(bytes([192, 0, 2, 1])) +
            address(bytes([192, 0, 2, 2])) + noise.take(8) + b"\0" + little(820000, 4))
    check = hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
    return exact(bytes.fromhex("f9beb4d9") + b"version".ljust(12, b"\0") + little(len(body), 4) + check + body, size)
