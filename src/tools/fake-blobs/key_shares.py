"""Public keys for the key_share extension. A box may check that they are what they claim to be."""
from pieces import u16, vector16

X25519, P256, KYBER_DRAFT = 0x001D, 0x0017, 0x6399

P256_PRIME = 2 ** 256 - 2 ** 224 + 2 ** 192 + 2 ** 96 - 1
P256_BASE = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
             0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)


def _add(a, b):
    """Two points of P-256, or the same one twice; never opposite ones here."""
    if a == b:
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P256_PRIME)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P256_PRIME)
    x = (slope * slope - a[0] - b[0]) % P256_PRIME
    return x, (slope * (a[0] - x) - a[1]) % P256_PRIME


def _p256(noise):
    secret, point = int.from_bytes(noise.take(31), "big") | 1, P256_BASE
    result, power = point, point
    for bit in bin(secret)[2:][::-1][1:]:
        power = _add(power, power)
        if bit == "1":
            result = _add(result, power)
    return b"\4" + result[0].to_bytes(32, "big") + result[1].to_bytes(32, "big")


def _x25519(noise):
    key = noise.take(32)
    return key[:31] + bytes([key[31] & 0x7F])


def _kyber768(noise):
    """768 coefficients below the modulus 3329, of 12 bits each, then the seed."""
    packed = b""
    for _ in range(384):
        pair = noise.below(3329) | noise.below(3329) << 12
        packed += pair.to_bytes(3, "little")
    return packed + noise.take(32)


def key_share(group, noise):
    if group == P256:
        key = _p256(noise)
    elif group == KYBER_DRAFT:
        key = _x25519(noise) + _kyber768(noise)
    elif group == X25519:
        key = _x25519(noise)
    else:  # GREASE
        key = b"\0"
    return u16(group) + vector16(key)
