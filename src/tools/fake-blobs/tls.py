"""TLS: the ClientHello of three families of clients, a server's answer, an alert; the same in DTLS."""
from key_shares import KYBER_DRAFT, P256, X25519, key_share
from pieces import Noise, u16, u24, u8, vector16, vector8

CLIENT_HELLO, SERVER_HELLO = 1, 2
ALERT, HANDSHAKE, CHANGE_CIPHER, APPLICATION = 21, 22, 20, 23
SERVER_NAME, STATUS, GROUPS, POINT_FORMATS, SIGNATURES, ALPN, SCT, PADDING = 0, 5, 10, 11, 13, 16, 18, 21
ETM, EMS, COMPRESS, RECORD_LIMIT, DELEGATED, TICKET = 22, 23, 27, 28, 34, 35
VERSIONS, PSK_MODES, POST_AUTH, KEY_SHARE, QUIC_PARAMETERS = 43, 45, 49, 51, 57
NEXT_PROTOCOL, APPLICATION_SETTINGS, ECH, RENEGOTIATION = 13172, 17513, 0xFE0D, 0xFF01

CHROME_CIPHERS = "1301 1302 1303 c02b c02f c02c c030 cca9 cca8 c013 c014 009c 009d 002f 0035"
FIREFOX_CIPHERS = "1301 1303 1302 c02b c02f cca9 cca8 c02c c030 c00a c009 c013 c014 009c 009d 002f 0035"
OPENSSL_CIPHERS = ("1302 1303 1301 c02c c030 009f cca9 cca8 ccaa c02b c02f 009e c024 c028 006b c023 c027 0067 "
                   "c00a c014 0039 c009 c013 0033 009d 009c 003d 003c 0035 002f 00ff")
CHROME_SIGNATURES = "0403 0804 0401 0503 0805 0501 0806 0601"
FIREFOX_SIGNATURES = "0403 0503 0603 0804 0805 0806 0401 0501 0601 0203 0201"
OPENSSL_SIGNATURES = ("0403 0503 0603 0807 0808 0809 080a 080b 0804 0805 0806 0401 0501 0601 0303 0301 0302 0402 "
                      "0502 0602")


def words(text):
    return bytes.fromhex(text)


def extension(kind, content=b""):
    return u16(kind) + vector16(content)


def server_name(host):
    return extension(SERVER_NAME, vector16(b"\0" + vector16(host.encode())))


def alpn(*names):
    return extension(ALPN, vector16(b"".join(vector8(name) for name in names)))


def shares(groups, noise):
    return extension(KEY_SHARE, vector16(b"".join(key_share(group, noise) for group in groups)))


def ech_grease(noise, payload):
    """The outer form with HKDF-SHA256 and AES-128-GCM: config id, encapsulated key, payload."""
    return extension(ECH, b"\0\0\1\0\1" + noise.take(1) + vector16(noise.take(32)) + vector16(noise.take(payload)))


def hello_body(noise, ciphers, extensions, session_id=32):
    return (b"\3\3" + noise.take(32) + vector8(noise.take(session_id)) + vector16(ciphers) + b"\1\0" +
            vector16(b"".join(extensions)))


def handshake(kind, body):
    return u8(kind) + u24(len(body)) + body


def record(kind, content, version=b"\3\1"):
    return u8(kind) + version + vector16(content)


def grease(noise, count):
    """Different values of RFC 8701."""
    values = []
    while len(values) < count:
        value = noise.below(16) * 0x1010 + 0x0A0A
        if value not in values:
            values.append(value)
    return values


def padded(build, size):
    """The result of build(padding extension) that has the wanted size."""
    return build(extension(PADDING, bytes(size - len(build(extension(PADDING))))))


# --- families -------------------------------------------------------------------------------------------


def chrome_extensions(noise, host, first, groups, tail):
    """In the order of builds before 110, which do not shuffle them."""
    return [extension(first), server_name(host), extension(EMS), extension(RENEGOTIATION, b"\0"),
            extension(GROUPS, vector16(b"".join(u16(g) for g in groups))), extension(POINT_FORMATS, b"\1\0"),
            extension(TICKET), alpn(b"h2", b"http/1.1"), extension(STATUS, b"\1\0\0\0\0"),
            extension(SIGNATURES, vector16(words(CHROME_SIGNATURES))), extension(SCT),
            shares(groups[:-2], noise), extension(PSK_MODES, b"\1\1"),
            extension(VERSIONS, vector8(u16(first) + words("0304 0303"))),
            extension(COMPRESS, b"\2\0\2"), extension(APPLICATION_SETTINGS, vector16(vector8(b"h2"))),
            *tail]


def chrome(name, host, size, group=None):
    """With padding, or with a post-quantum key and ECH, whose payload grows by steps of 32."""
    noise = Noise(name)
    cipher, share, first, last = grease(noise, 4)
    groups = [share] + ([group] if group else []) + [X25519, P256, 0x0018]

    def build(tail):
        drawn = Noise(name + " body")
        return record(HANDSHAKE, handshake(CLIENT_HELLO, hello_body(
            drawn, u16(cipher) + words(CHROME_CIPHERS),
            chrome_extensions(drawn, host, first, groups, tail))))

    if not group:
        return padded(lambda padding: build([extension(last, b"\0"), padding]), size)
    rest = size - len(build([ech_grease(Noise(name), 0), extension(last, b"\0")]))
    return build([ech_grease(noise, rest), extension(last, b"\0")])


def chrome_post_quantum(name, host, size):
    return chrome(name, host, size, KYBER_DRAFT)


def firefox(name, host, size):
    noise = Noise(name)

    def build(payload):
        drawn = Noise(name + " body")
        return record(HANDSHAKE, handshake(CLIENT_HELLO, hello_body(drawn, words(FIREFOX_CIPHERS), [
            server_name(host), extension(EMS), extension(RENEGOTIATION, b"\0"),
            extension(GROUPS, vector16(words("001d 0017 0018 0019 0100 0101"))),
            extension(POINT_FORMATS, b"\1\0"), extension(TICKET), alpn(b"h2", b"http/1.1"),
            extension(STATUS, b"\1\0\0\0\0"), extension(DELEGATED, vector16(words("0403 0503 0603 0203"))),
            extension(SCT), shares([X25519, P256], drawn), extension(VERSIONS, vector8(words("0304 0303"))),
            extension(SIGNATURES, vector16(words(FIREFOX_SIGNATURES))), extension(PSK_MODES, b"\1\1"),
            extension(RECORD_LIMIT, u16(16385)), extension(COMPRESS, vector8(words("0001 0002 0003"))),
            ech_grease(noise, payload)])))

    return build(size - len(build(0)))


def openssl_handshake(name, host, size):
    """As command line programs send it: no GREASE, a key for one group."""
    def build(padding):
        drawn = Noise(name)
        return handshake(CLIENT_HELLO, hello_body(drawn, words(OPENSSL_CIPHERS), [
            server_name(host), extension(POINT_FORMATS, vector8(b"\0\1\2")),
            extension(GROUPS, vector16(words("001d 0017 001e 0019 0018"))), extension(NEXT_PROTOCOL),
            alpn(b"h2", b"http/1.1"), extension(ETM), extension(EMS), extension(POST_AUTH),
            extension(SIGNATURES, vector16(words(OPENSSL_SIGNATURES))),
            extension(VERSIONS, vector8(words("0304 0303"))), extension(PSK_MODES, b"\1\1"),
            shares([X25519], drawn), padding]))

    return padded(build, size)


def openssl(name, host, size):
    return record(HANDSHAKE, openssl_handshake(name, host, size - 5))


def openssl_two_records(name, host, size):
    """The message goes on in a second record, right behind the name."""
    message = openssl_handshake(name, host, size - 10)
    cut = message.index(host.encode()) + len(host)
    return record(HANDSHAKE, message[:cut]) + record(HANDSHAKE, message[cut:])


def openssl_big_record(name, host, size):
    """The record claims to be as long as a record may be: who trusts it waits for the rest."""
    message = openssl_handshake(name, host, size - 5)
    return u8(HANDSHAKE) + b"\3\1" + u16(16384) + message


# --- others ---------------------------------------------------------------------------------------------


def server_flight(name, size):
    """ServerHello, change of ciphers, and the encrypted rest of the flight."""
    noise = Noise(name)
    body = (b"\3\3" + noise.take(32) + vector8(noise.take(32)) + words("1301 00") +
            vector16(extension(KEY_SHARE, key_share(X25519, noise)) + extension(VERSIONS, words("0304"))))
    start = (record(HANDSHAKE, handshake(SERVER_HELLO, body), b"\3\3") + record(CHANGE_CIPHER, b"\1", b"\3\3"))
    return start + record(APPLICATION, noise.take(size - len(start) - 5), b"\3\3")


def alert(_name, _size):
    return record(ALERT, b"\2\x28", b"\3\3")  # fatal, handshake failure


def dtls_record(kind, body, version):
    """Epoch 0; the message is the first and not fragmented."""
    message = u8(kind) + u24(len(body)) + u16(0) + u24(0) + u24(len(body)) + body
    return u8(HANDSHAKE) + version + bytes(8) + vector16(message)


def dtls_client(name, host, size):
    def build(cookie):
        noise = Noise(name)
        body = (b"\xfe\xfd" + noise.take(32) + b"\0" + vector8(noise.take(cookie)) +
                vector16(words("c02b c02f c02c c030 cca9 cca8 c009 c013 c00a c014 009c 002f 0035 00ff")) + b"\1\0" +
                vector16(b"".join([
                    server_name(host), extension(EMS), extension(GROUPS, vector16(words("001d 0017 0018"))),
                    extension(POINT_FORMATS, b"\1\0"), extension(TICKET),
                    extension(SIGNATURES, vector16(words(CHROME_SIGNATURES))),
                    extension(14, vector16(words("0001 0007 0008")) + b"\0")])))  # use_srtp
        return dtls_record(CLIENT_HELLO, body, b"\xfe\xff")

    return build(size - len(build(0)))


def dtls_server(name, size):
    def build(connection_id):
        noise = Noise(name)
        body = (b"\xfe\xfd" + noise.take(32) + vector8(noise.take(32)) + words("c02b 00") +
                vector16(b"".join([
                    extension(RENEGOTIATION, b"\0"), extension(EMS), extension(POINT_FORMATS, b"\1\0"),
                    extension(14, vector16(words("0001")) + b"\0"),
                    extension(54, vector8(noise.take(connection_id)))])))
        return dtls_record(SERVER_HELLO, body, b"\xfe\xfd")

    return build(size - len(build(0)))
