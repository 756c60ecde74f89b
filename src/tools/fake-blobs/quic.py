"""QUIC Initial packets of a client with a ClientHello in them (RFC 9000, 9001, 9369), encrypted as on the wire."""
import hashlib
import hmac

import tls
from aes import encrypt_block, gcm_seal
from key_shares import KYBER_DRAFT, P256, X25519
from pieces import Noise, u16, u32, u8, vector16, vector8

TAG = 16


class Version:
    def __init__(self, number, salt, first, label):
        self.number, self.salt, self.first, self.label = number, bytes.fromhex(salt), first, label


VERSION_1 = Version(1, "38762cf7f55934b34d179ae6a4c80cadccbb7f0a", 0xC0, "quic")
VERSION_2 = Version(0x6B3343CF, "0dede3def700a6db819381be6e269dcbf9bd2ed9", 0xD0, "quicv2")


def varint(number):
    if number < 64:
        return u8(number)
    return u16(number | 0x4000) if number < 16384 else u32(number | 0x80000000)


# --- keys -----------------------------------------------------------------------------------------------


def expand(secret, label, size):
    """HKDF-Expand-Label for at most 32 bytes."""
    info = u16(size) + vector8(b"tls13 " + label.encode()) + b"\0" + b"\1"
    return hmac.new(secret, info, hashlib.sha256).digest()[:size]


def client_keys(version, dcid):
    initial = hmac.new(version.salt, dcid, hashlib.sha256).digest()
    secret = expand(initial, "client in", 32)
    return [expand(secret, version.label + " " + what, size) for what, size in (("key", 16), ("iv", 12), ("hp", 16))]


# --- packets --------------------------------------------------------------------------------------------


def initial(version, dcid, number, frames, size):
    """One datagram: PADDING frames fill it up. The packet number has one byte."""
    start = u8(version.first) + u32(version.number) + vector8(dcid) + b"\0" + varint(0)
    payload = size - len(start) - 2 - 1
    header = start + u16(0x4000 | payload + 1) + u8(number)
    text = frames + bytes(payload - TAG - len(frames))
    key, iv, protection = client_keys(version, dcid)
    nonce = iv[:11] + bytes([iv[11] ^ number])
    sealed = gcm_seal(key, nonce, text, header)
    mask = encrypt_block(protection, sealed[3:19])
    return (bytes([header[0] ^ mask[0] & 0x0F]) + header[1:-1] + bytes([header[-1] ^ mask[1]]) + sealed)


def crypto(offset, data):
    return b"\6" + varint(offset) + varint(len(data)) + data


def transport_parameters(noise):
    def parameter(number, value):
        return varint(number) + vector8(value)

    return b"".join([
        parameter(1, varint(30000)), parameter(3, varint(1472)), parameter(4, varint(15728640)),
        parameter(5, varint(6291456)), parameter(6, varint(6291456)), parameter(7, varint(6291456)),
        parameter(8, varint(100)), parameter(9, varint(103)), parameter(15, b""),
        parameter(27 + 31 * noise.below(30), noise.take(8))])


def hello(noise, host, group=None):
    cipher, share, first, last = tls.grease(noise, 4)
    groups = [share] + ([group] if group else []) + [X25519, P256, 0x0018]
    ech = [tls.ech_grease(noise, 208)] if group else []
    return tls.handshake(tls.CLIENT_HELLO, tls.hello_body(noise, tls.words("1301 1302 1303"), [
        tls.extension(first), tls.server_name(host),
        tls.extension(tls.GROUPS, vector16(b"".join(u16(g) for g in groups))), tls.alpn(b"h3"),
        tls.extension(tls.SIGNATURES, vector16(tls.words(tls.CHROME_SIGNATURES))),
        tls.shares(groups[:-2], noise), tls.extension(tls.PSK_MODES, b"\1\1"),
        tls.extension(tls.VERSIONS, vector8(u16(cipher) + tls.words("0304"))),
        tls.extension(tls.COMPRESS, b"\2\0\2"),
        tls.extension(tls.APPLICATION_SETTINGS, vector16(vector8(b"h3"))), *ech,
        tls.extension(tls.QUIC_PARAMETERS, transport_parameters(noise)), tls.extension(last, b"\0")], 0))


def whole(name, host, size, version=VERSION_1):
    """One CRYPTO frame, as quiche and others do."""
    noise = Noise(name)
    return initial(version, noise.take(8), 0, crypto(0, hello(noise, host)), size)


def whole_version_2(name, host, size):
    return whole(name, host, size, VERSION_2)


def shuffled(name, host, size):
    """Pieces out of order with PING frames between them, as Chrome sends them."""
    noise = Noise(name)
    dcid, message = noise.take(8), hello(noise, host)
    cuts = [0, 17, len(message) // 3, len(message) // 2, len(message)]
    frames = [crypto(a, message[a:b]) for a, b in zip(cuts, cuts[1:])]
    return initial(VERSION_1, dcid, 1, b"\1".join([frames[2], frames[0], frames[3], frames[1]]), size)


def in_two(number):
    """Datagram 1 or 2 of a hello with a post-quantum key. The names of both files differ in the number only."""
    def build(name, host, size):
        noise = Noise(name.replace("_%d.bin" % number, ""))
        dcid, message = noise.take(8), hello(noise, host, KYBER_DRAFT)
        cut = 1100
        part = crypto(0, message[:cut]) if number == 1 else crypto(cut, message[cut:])
        return initial(VERSION_1, dcid, number, part, size)

    return build


def short_header(name, size):
    return b"\x40" + Noise(name).take(size - 1)
