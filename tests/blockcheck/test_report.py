"""What a run leaves to the user: summary, JSON, journal, progress."""
import json
import os
import re

from checks import check, check_equal
from fakes import SPLIT, CASE, FAKE


def test_summary(env):
    with env.lab("rst") as lab:
        done = env.run(lab, DOMAINS="blocked.test good.test", SCANLEVEL="force",
                       ENABLE_HTTPS_TLS12=0, **env.custom(lab, [FAKE, CASE, SPLIT]))
        check_equal("summary", done.section("SUMMARY"), [
            "curl_test_http ipv4 blocked.test : nfqws2 " + CASE,
            "curl_test_http ipv4 blocked.test : nfqws2 " + SPLIT,
            "curl_test_http ipv4 good.test : working without bypass",
            "curl_test_http ipv4 good.test : nfqws2 " + FAKE,
            "curl_test_http ipv4 good.test : nfqws2 " + CASE,
            "curl_test_http ipv4 good.test : nfqws2 " + SPLIT])
        check_equal("common", done.section("COMMON"), ["curl_test_http ipv4 : nfqws2 " + CASE,
                                                       "curl_test_http ipv4 : nfqws2 " + SPLIT])
        done.has("!!!!! curl_test_http: working strategy found for ipv4 blocked.test : nfqws2 %s "
                 "!!!!!" % CASE)
        done.has('NFQWS2_OPT="\n--filter-tcp=80 --filter-l7=http <HOSTLIST> %s\n"' % CASE)
        none = env.run(lab, ENABLE_HTTPS_TLS12=0, **env.custom(lab, [FAKE]))
        none.has("curl_test_http: nfqws2 strategy for ipv4 blocked.test not found")
        check_equal("summary", none.section("SUMMARY"),
                    ["curl_test_http ipv4 blocked.test : nfqws2 not working"])


def options(result):
    """The words of NFQWS2_OPT as the service would give them to nfqws2 without lists."""
    match = re.search(r'^NFQWS2_OPT="\n(.*?)^"$', result.text, re.S | re.M)
    check(match, "no options in:\n%s", result.text[-2000:])
    return [w for w in match.group(1).split() if not w.startswith("<")]


SYNDATA = "--lua-desync=syndata"
EARLY_FAKE = ("--payload=http_req --lua-desync=fake:blob=fake_default_http:tcp_md5 --payload=empty "
              "--out-range=<s1 --lua-desync=send:tcp_md5")


def test_options(env):
    """The options of the report open the site, also where they must act before its name is known."""
    tls = "--payload=tls_client_hello --lua-desync=multisplit:pos=1"
    late, early = " --filter-l7=http <HOSTLIST> ", "so on all sites"
    odd = FAKE + " '--comment=a b'"
    for http, chosen in (([odd, FAKE, SYNDATA], FAKE), ([SYNDATA, FAKE], FAKE), ([SYNDATA], SYNDATA),
                         ([EARLY_FAKE.replace("<s1", "'<s1'")], EARLY_FAKE)):
        with env.lab("first") as lab:
            done = env.run(lab, **env.custom(lab, http, [tls]))
            done.has("--filter-tcp=80" + (late if chosen is FAKE else " ") + chosen + "\n--new\n"
                     "--filter-tcp=443 --filter-l7=tls <HOSTLIST> " + tls + "\n")
            check_equal("remark", early in done.text, chosen is not FAKE)
            lab.queue_client(number=300, packets=None)
            lab.start_nfqws2(env.program, *lab.libraries(env.lua, "lib", "antidpi"), *options(done),
                             queue=300)
            for url in ("http://blocked.test/", "https://blocked.test/"):
                got = lab.run_hosted("curl", "-sS", "--max-time", "10", "--cacert",
                                     lab.folder + "/site.crt", url)
                check("It works" in got.stdout, "%s with %s: %s", url, chosen, got.stderr)


def test_options_that_learn(env):
    """The best strategy of each kind below `learn`; the config gets them if somebody says so."""
    head, seek = "* NFQWS2_OPT that learns", r'^NFQWS2_OPT="\n([^"]*learn:key[^"]*)"$'
    splits, copy = ("--payload=http_req --lua-desync=multisplit:pos=%d" % n for n in (1, 2))
    with env.lab("first") as lab:
        config = os.path.join(lab.folder, "config")
        with open(config, "w") as f:
            f.write('NFQWS2_OPT="\n--old\n"\nOTHER=1\n')
        # http, TLS 1.2 and 1.3, repeats; then whether to write
        done = env.run(lab, stdin="\n\n\n\ny\n\n", BATCH="0", ZAPRET_CONFIG=config, SCANLEVEL="force",
                       **env.custom(lab, [splits, copy, FAKE]))
        done.has(head)
        found = re.search(seek, done.text, re.M)
        check(found, "no options that learn in:\n%s", done.text[-2500:])
        rules = done.text[done.text.index("* rules that show"):]
        check(re.search(r"NFQUEUE.* 300|queue .*300", rules), "no rules in:\n%s", rules)
        check_equal("strategies", re.findall(r":strategy=(\d)", found.group(1)), ["1", "2"])
        check(not ("pos=1:" in found.group(1) and "pos=2:" in found.group(1)), "a near copy:\n%s", found.group(1))
        with open(config) as f:
            text = f.read()
        good = found.group(1).strip() in text and "OTHER=1" in text and "--old" not in text
        check(good, "config:\n%s\n%s", text, done.text)
    with env.lab("first") as lab:
        done = env.run(lab, **env.custom(lab, [splits]))
        check(head not in done.text, "nothing to learn of one strategy")


def test_json(env):
    with env.lab("rst") as lab:
        for engine in ("classic", "fast"):
            path = os.path.join(lab.folder, "out.json")
            env.run(lab, ENGINE=engine, BLOCKCHECK_JSON=path, REPEATS=2, ENABLE_HTTPS_TLS12=0,
                    DOMAINS="blocked.test/x", **env.custom(
                        lab, [CASE, FAKE, "--payload=nonsense '--comment=q\" \\ <t>'"]))
            with open(path) as f:
                rows = [json.loads(line) for line in f]
            check_equal("verdicts", [r["verdict"] for r in rows[:-1]],
                        ["unavailable", "available", "unavailable", "invalid_strategy"])
            good = rows[1]
            check_equal("argv", good["argv"], CASE.split())
            check_equal("words with odd characters", rows[3]["argv"][1], '--comment=q" \\ <t>')
            check_equal("keys", (good["domain"], good["uri"], good["ipv"], good["protocol"],
                                 good["script"]),
                        ("blocked.test", "/x", 4, "http", "custom/10-list.sh"))
            check_equal("attempts", [(a["n"], a["code"], a["http_status"], a["ip"])
                                     for a in good["attempts"]],
                        [(1, 0, 404, "10.77.2.2"), (2, 0, 404, "10.77.2.2")])
            check("curl: (56)" in rows[2]["attempts"][0]["error"], rows[2])
            check_equal("summary", rows[-1]["summary"],
                        ["curl_test_http ipv4 blocked.test/x : nfqws2 " + CASE])


def test_resume(env):
    """A run that was interrupted goes on where it was, whatever the engine."""
    with env.lab("rst") as lab:
        lists = env.custom(lab, [CASE, FAKE, SPLIT] * 6)
        journal = os.path.join(lab.folder, "journal")
        common = dict(lists, ENABLE_HTTPS_TLS12=0, RESUME=journal)
        whole = env.run(lab, **common)
        with open(journal) as f:
            lines = f.read().splitlines(True)
        check_equal("lines", len([s for s in lines if s[0] != "#"]), 18)
        for engine in ("classic", "fast"):
            with open(journal, "w") as f:
                f.write("".join(lines[:10]) + lines[10][:30])
            out = os.path.join(lab.folder, "out.json")
            done = env.run(lab, ENGINE=engine, BLOCKCHECK_JSON=out, **common)
            with open(out) as f:
                rows = [json.loads(line) for line in f][1:-1]
            check_equal("tested again", [r["resumed"] for r in rows], [True] * 9 + [False] * 9)
            check_equal("results", done.results(), whole.results())
            check_equal("summary", done.section("SUMMARY"), whole.section("SUMMARY"))
        # Another order, other strategies, another number of attempts.
        done = env.run(lab, **dict(common, **env.custom(lab, [SPLIT, CASE + ":spell=hoSt", CASE])))
        check_equal("results", [line for *_, line in done.results()], ["!!!!! AVAILABLE !!!!!"] * 3)


def test_progress(env):
    with env.lab("rst") as lab:
        done = env.run(lab, PROGRESS=1, ENGINE="classic", ENABLE_HTTPS_TLS12=0,
                       **env.custom(lab, [CASE, FAKE, SPLIT]))
        shown = re.findall(r"\[ (\d) of at most (\d) strategies(?:, (\d:\d\d:\d\d) left)? \]", done.text)
        check_equal("progress", [(a, b) for a, b, _ in shown], [("1", "3"), ("2", "3"), ("3", "3")])
        check(shown[0][2], "no time is told")
