#!/usr/bin/env python3
"""Makes a small MaxMind database (format 2.0, records of 24 bits) for tests.

usage: mmdb.py FILE PREFIX=COUNTRY[/CONTINENT] ...

IPv4 networks stand in ::/96, as the format says. Prefixes must not overlap.
"""
import ipaddress
import struct
import sys

TYPE_TEXT, TYPE_MAP, TYPE_NUMBER16, TYPE_NUMBER32, TYPE_NUMBER64, TYPE_ARRAY = 2, 7, 5, 6, 9, 11


def head(kind, size):
    if kind < 8:
        return bytes([kind << 5 | size])
    return bytes([size, kind - 7])


def encode(value):
    if isinstance(value, str):
        data = value.encode()
        return head(TYPE_TEXT, len(data)) + data
    if isinstance(value, dict):
        return head(TYPE_MAP, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, list):
        return head(TYPE_ARRAY, len(value)) + b"".join(map(encode, value))
    kind, number = value
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return head(kind, len(data)) + data


def database(networks):
    """networks: prefix as text -> its record. The bytes of the file."""
    nodes, data = [[None, None]], b""
    for text, record in networks.items():
        network = ipaddress.ip_network(text)
        bits = "".join("{:08b}".format(b) for b in network.network_address.packed)[:network.prefixlen]
        if network.version == 4:
            bits = "0" * 96 + bits
        node = 0
        for bit in bits[:-1]:
            side = int(bit)
            if nodes[node][side] is None:
                nodes.append([None, None])
                nodes[node][side] = len(nodes) - 1
            node = nodes[node][side]
        nodes[node][int(bits[-1])] = ("data", len(data))
        data += encode(record)
    count, tree = len(nodes), b""
    for node in nodes:
        for side in node:
            place = count if side is None else side if isinstance(side, int) else count + 16 + side[1]
            tree += struct.pack(">I", place)[1:]
    meta = {"node_count": (TYPE_NUMBER32, count), "record_size": (TYPE_NUMBER16, 24), "ip_version": (TYPE_NUMBER16, 6),
            "database_type": "Test-Country", "languages": ["en"], "binary_format_major_version": (TYPE_NUMBER16, 2),
            "binary_format_minor_version": (TYPE_NUMBER16, 0), "build_epoch": (TYPE_NUMBER64, 1),
            "description": {"en": "for tests"}}
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encode(meta)


def countries(places):
    """places: prefix -> "COUNTRY" or "COUNTRY/CONTINENT"."""
    networks = {}
    for prefix, place in places.items():
        country, _, continent = place.partition("/")
        record = {"country": {"iso_code": country}}
        if continent:
            record["continent"] = {"code": continent}
        networks[prefix] = record
    return database(networks)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with open(sys.argv[1], "wb") as f:
        f.write(countries(dict(word.split("=", 1) for word in sys.argv[2:])))


if __name__ == "__main__":
    main()
