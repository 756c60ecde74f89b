"""What all descriptions use: numbers, vectors with a length in front, and bytes that look random but are the
same in every build."""
import hashlib


def u8(number):
    return number.to_bytes(1, "big")


def u16(number):
    return number.to_bytes(2, "big")


def u24(number):
    return number.to_bytes(3, "big")


def u32(number):
    return number.to_bytes(4, "big")


def vector8(data):
    return u8(len(data)) + data


def vector16(data):
    return u16(len(data)) + data


class Noise:
    """Bytes drawn from the name of the file: SHA-256 of the name and a counter."""

    def __init__(self, name):
        self._name = name.encode()
        self._drawn = 0
        self._left = b""

    def take(self, size):
        while len(self._left) < size:
            self._left += hashlib.sha256(self._name + u32(self._drawn)).digest()
            self._drawn += 1
        result, self._left = self._left[:size], self._left[size:]
        return result

    def below(self, limit):
        """A number from 0 to limit - 1 (limits far below 2^32)."""
        return int.from_bytes(self.take(4), "big") % limit
