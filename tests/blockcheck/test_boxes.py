"""Each filtering box, and exactly the strategies that open it.

The tables say for each strategy at which boxes it works and why. The boxes (tests/lab/boxes):

  rst, drop, stall, redirect   look at each packet for itself
  first                        judges a flow by its first packet with data
  stream                       puts the stream together, believes every packet, the first data count
  strict                       the same, but ignores packets that a server would refuse
  far                          as `first`, behind 3 routers of 7
"""
from checks import cases, check, check_equal

ALONE = {"rst", "drop", "stall", "redirect"}
ALL = ALONE | {"first", "stream", "strict", "far"}
NEAR = ALL - {"far"}
NOT_STREAM = ALONE | {"first", "far"}
FIRST_DATA = {"first", "far"}
FOOLED = {"first", "stream", "far"}

# strategy, boxes where it works, boxes where it is tried, why
HTTP = [
    ("--lua-desync=pass", set(), ALL,
     "changes nothing"),
    ("--payload=http_req --lua-desync=http_hostcase", ALL, ALL,
     "the boxes know only `Host:`"),
    ("--payload=http_req --lua-desync=http_domcase", set(), ALL,
     "the boxes compare names without regard to case"),
    ("--payload=http_req --lua-desync=http_methodeol", ALL, ALL,
     "the message does not begin with a method"),
    ("--payload=http_req --lua-desync=http_unixeol", ALL, ALL,
     "no box looks for lines without CR"),
    ("--payload=http_req --lua-desync=multisplit:pos=method+2", FIRST_DATA, ALL,
     "what follows `GE` still reads like a request with its Host; the first piece does not"),
    ("--payload=http_req --lua-desync=multisplit:pos=midsld", NOT_STREAM, ALL,
     "no piece has the whole name, but the stream has"),
    ("--payload=http_req --lua-desync=multidisorder:pos=midsld", NOT_STREAM, ALL,
     "the same; order means nothing to who sorts by sequence number"),
    ("--payload=http_req --lua-desync=fake:blob=fake_default_http:tcp_md5", FOOLED, ALL,
     "seen first and believed; the server refuses the option"),
    ("--payload=http_req --lua-desync=fake:blob=fake_default_http:badsum", FOOLED, ALL,
     "seen first and believed; the server refuses the checksum"),
    ("--payload=http_req --lua-desync=fake:blob=fake_default_http:tcp_flags_unset=ACK", FOOLED, ALL,
     "seen first and believed; the server wants ACK"),
    ("--payload=http_req --lua-desync=fake:blob=fake_default_http:tcp_seq=-3000", FIRST_DATA, ALL,
     "outside of the stream, so only who ignores sequence numbers is fooled"),
    ("--payload=http_req --lua-desync=fake:blob=fake_default_http:ip${IPVV}_ttl=1",
     {"first", "stream", "strict"}, ALL,
     "a perfect packet that does not reach the server, nor a box behind routers"),
    ("--payload=http_req --lua-desync=fake:blob=fake_default_http:ip${IPVV}_ttl=3", set(), {"far"},
     "does not reach the box"),
    ("--payload=http_req --lua-desync=fake:blob=fake_default_http:ip${IPVV}_ttl=4", {"far"}, {"far"},
     "reaches the box, not the server"),
    ("--payload=http_req --lua-desync=fake:blob=fake_default_http:ip${IPVV}_ttl=7", {"far"}, {"far"},
     "reaches the box, just not the server"),
    ("--payload=http_req --lua-desync=fake:blob=fake_default_http:ip${IPVV}_ttl=8", set(), {"far"},
     "reaches the server, which answers it instead of the request"),
    ("--payload=http_req --lua-desync=fake:blob=fake_default_http:ip${IPVV}_autottl=-1,3-20",
     {"far"}, {"far"}, "7 routers counted from the answer, so TTL 6"),
    ("--payload=http_req --lua-desync=fake:blob=fake_default_http:ip${IPVV}_autottl=-4,3-20", set(),
     {"far"}, "TTL 3 does not reach the box"),
    ("--payload=http_req --lua-desync=fakedsplit:pos=midsld:tcp_md5", NOT_STREAM | {"stream"}, ALL,
     "no piece has the name, and zeros come first in the stream"),
    ("--payload=http_req --lua-desync=hostfakesplit:tcp_md5", NOT_STREAM | {"stream"}, ALL,
     "the name is alone in its piece, and in the stream a fake one comes first"),
    ("--payload=http_req --lua-desync=tcpseg:pos=0,-1:seqovl=1 --lua-desync=drop", ALL, ALL,
     "a byte before the window hides the beginning from all"),
    ("--lua-desync=syndata", FOOLED, ALL,
     "data in a SYN are the first data; the server drops them"),
]

TLS = [
    ("--lua-desync=pass", set(), ALL,
     "changes nothing"),
    ("--payload=tls_client_hello --lua-desync=multisplit:pos=1", NOT_STREAM, ALL,
     "no piece begins like a ClientHello and has a name"),
    ("--payload=tls_client_hello --lua-desync=multisplit:pos=midsld", NOT_STREAM, ALL,
     "no piece has the whole name"),
    ("--payload=tls_client_hello --lua-desync=multidisorder:pos=midsld", NOT_STREAM, ALL,
     "the same; order means nothing to who sorts"),
    ("--payload=tls_client_hello --lua-desync=fake:blob=fake_default_tls:tcp_md5", FOOLED, ALL,
     "seen first and believed; the server refuses the option"),
    ("--payload=tls_client_hello --lua-desync=fake:blob=0x00000000:badsum", FOOLED, ALL,
     "no TLS is no reason to look further; the server refuses the checksum"),
    ("--payload=tls_client_hello --lua-desync=fake:blob=fake_default_tls:tcp_seq=-3000", FIRST_DATA,
     ALL, "outside of the stream"),
    ("--payload=tls_client_hello --lua-desync=fake:blob=fake_default_tls:ip${IPVV}_ttl=1",
     {"first", "stream", "strict"}, ALL, "does not reach the server, nor a box behind routers"),
    ("--payload=tls_client_hello --lua-desync=fake:blob=fake_default_tls:ip${IPVV}_ttl=3", set(),
     {"far"}, "does not reach the box"),
    ("--payload=tls_client_hello --lua-desync=fake:blob=fake_default_tls:ip${IPVV}_ttl=5", {"far"},
     {"far"}, "reaches the box, not the server"),
    ("--payload=tls_client_hello --lua-desync=fake:blob=fake_default_tls:ip${IPVV}_ttl=8", set(),
     {"far"}, "reaches the server, which answers it"),
    ("--payload=tls_client_hello --lua-desync=fake:blob=fake_default_tls:ip${IPVV}_autottl=-3,3-20",
     {"far"}, {"far"}, "7 routers counted, so TTL 4"),
    ("--payload=tls_client_hello --lua-desync=fakedsplit:pos=midsld:tcp_md5",
     NOT_STREAM | {"stream"}, ALL, "no piece has the name, and zeros come first in the stream"),
    ("--payload=tls_client_hello --lua-desync=hostfakesplit:tcp_md5", NOT_STREAM | {"stream"}, ALL,
     "the name is alone in its piece, and in the stream a fake one comes first"),
    ("--payload=tls_client_hello --lua-desync=tcpseg:pos=0,-1:seqovl=1 --lua-desync=drop", ALL, ALL,
     "a byte before the window hides the beginning from all"),
    ("\"--lua-init=fake_default_tls=tls_mod(fake_default_tls,'rnd')\" --payload=tls_client_hello "
     "'--lua-desync=tcpseg:pos=0,-1:seqovl=#fake_default_tls:seqovl_pattern=fake_default_tls' "
     "--lua-desync=drop", ALL, ALL,
     "a whole other ClientHello before the window; needs a daemon of its own"),
    ("--lua-desync=wssize:wsize=1:scale=6", set(), ALL,
     "makes the server's answers small, not the request"),
    ("--lua-desync=syndata", FOOLED, ALL,
     "data in a SYN are the first data; the server drops them"),
]


def expected(table, box):
    return [(strategy, box in works) for strategy, works, tried, _ in table if box in tried]


def plain(strategy, version):
    """As blockcheck2 prints it: words without quotes."""
    return strategy.replace("${IPVV}", "6" if version == 6 else "").replace('"', "").replace(
        "'--lua-desync=tcpseg", "--lua-desync=tcpseg").replace("fake_default_tls' ",
                                                               "fake_default_tls ")


@cases({name: (name,) for name in sorted(ALL)})
def test_opens_exactly(env, box):
    with env.lab(box) as lab:
        http, tls = expected(HTTP, box), expected(TLS, box)
        protocols = [("curl_test_http", http)]
        if box != "redirect":  # speaks HTTP
            protocols += [("curl_test_https_tls12", tls), ("curl_test_https_tls13", tls)]
        more = {"DOMAINS": "blocked.test/big.bin", "CURL_HTTPS_GET": 1} if box == "stall" else {}
        done = env.run(lab, IPVS="46", PARALLEL_MAX=32, CURL_MAX_TIME=3, ENABLE_HTTPS_TLS12=int(box != "redirect"),
                       ENABLE_HTTPS_TLS13=int(box != "redirect"), **more,
                       **env.custom(lab, [s for s, _ in http], [s for s, _ in tls]))
        check_equal("exit code", done.code, 0)
        wrong = []
        results = done.results()
        for testf, table in protocols:
            for version in (4, 6):
                got = [(s, line) for t, v, _, s, line in results if t == testf and v == version]
                check_equal("order of %s ipv%d" % (testf, version), [s for s, _ in got],
                            [plain(s, version) for s, _ in table])
                for (strategy, line), (_, works) in zip(got, table):
                    if (line == "!!!!! AVAILABLE !!!!!") != works or line.startswith("ERROR"):
                        wrong.append("%s ipv%d %s: %s" % (testf, version, strategy, line))
        check(not wrong, "not as expected:\n%s", "\n".join(wrong))


def test_engines_agree(env):
    with env.lab("first") as lab:
        http, tls = expected(HTTP, "first"), expected(TLS, "first")
        lists = env.custom(lab, [s for s, _ in http], [s for s, _ in tls])
        runs = [env.run(lab, ENGINE=engine, CURL_MAX_TIME=3, **lists)
                for engine in ("classic", "fast")]
        classic, fast = ([(t, s, "AVAILABLE !" in line) for t, _, _, s, line in r.results()]
                         for r in runs)
        check_equal("results of the fast engine", fast, classic)
        check_equal("number of strategies", len(classic), len(http) + len(tls))
        summaries = [r.section("SUMMARY") for r in runs]
        check_equal("summary", summaries[1], summaries[0])
