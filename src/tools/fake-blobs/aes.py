"""AES-128 and AES-128-GCM (FIPS 197, SP 800-38D) for a handful of packets: slow, small and in need of nothing.
Build machines have no Python package for it, and the libraries of a cross build do not run there."""


def _double(byte):
    return byte << 1 ^ (0x11B if byte & 0x80 else 0)


def _affine(byte):
    result = 0x63
    for n in range(5):
        result ^= (byte << n | byte >> (8 - n)) & 0xFF
    return result


def _make_sbox():
    """Inverses in GF(2^8), then the affine step. The powers of 3 are all elements but 0."""
    powers = [1]
    while len(powers) < 255:
        powers.append(powers[-1] ^ _double(powers[-1]))
    place = {value: n for n, value in enumerate(powers)}
    return [_affine(powers[-place[byte] % 255] if byte else 0) for byte in range(256)]


SBOX = _make_sbox()


def _expand(key):
    words = [list(key[n:n + 4]) for n in range(0, 16, 4)]
    constant = 1
    while len(words) < 44:
        word = words[-1]
        if len(words) % 4 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant = _double(constant)
        words.append([a ^ b for a, b in zip(words[-4], word)])
    return [sum(words[n:n + 4], []) for n in range(0, 44, 4)]


def _mix(column):
    every = column[0] ^ column[1] ^ column[2] ^ column[3]
    return [column[n] ^ every ^ _double(column[n] ^ column[(n + 1) % 4]) for n in range(4)]


def encrypt_block(key, block):
    keys = _expand(key)
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number in range(1, 11):
        # bytes through the S-box and rows shifted: byte r of column c comes from column c + r
        state = [SBOX[state[(n + 4 * (n % 4)) % 16]] for n in range(16)]
        if number < 10:
            state = sum((_mix(state[n:n + 4]) for n in range(0, 16, 4)), [])
        state = [a ^ b for a, b in zip(state, keys[number])]
    return bytes(state)


def _multiply(a, b):
    """In GF(2^128) with the bits of GCM, the first of them the most significant."""
    result = 0
    for n in range(127, -1, -1):
        if b >> n & 1:
            result ^= a
        a = a >> 1 ^ (0xE1 << 120 if a & 1 else 0)
    return result


def _padded(data):
    return data + bytes(-len(data) % 16)


def gcm_seal(key, nonce, text, aad):
    """The ciphertext with the 16 bytes of the tag behind it; a nonce has 12 bytes."""
    blocks = range((len(text) + 15) // 16)
    stream = b"".join(encrypt_block(key, nonce + (n + 2).to_bytes(4, "big")) for n in blocks)
    sealed = bytes(a ^ b for a, b in zip(text, stream))
    hash_key = int.from_bytes(encrypt_block(key, bytes(16)), "big")
    lengths = (len(aad) * 8).to_bytes(8, "big") + (len(sealed) * 8).to_bytes(8, "big")
    data, total = _padded(aad) + _padded(sealed) + lengths, 0
    for n in range(0, len(data), 16):
        total = _multiply(total ^ int.from_bytes(data[n:n + 16], "big"), hash_key)
    mask = int.from_bytes(encrypt_block(key, nonce + b"\0\0\0\1"), "big")
    return sealed + (total ^ mask).to_bytes(16, "big")
