"""What a run leaves to the user: summary, JSON, journal, progress."""
import html.parser
import json
import os
import re
import subprocess
import time

from checks import ROOT, check, check_equal, contains, lacks, nothing_left
from fakes import SPLIT, CASE, FAKE, fake_curl


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


def test_last_result_is_kept(env):
    """For the page of nfqws2ctl: the last object of --json, readable for others, never half of it."""
    names = []
    for path, words in (("blockcheck2.sh", "set_default BLOCKCHECK_LAST (.*)"),
                        ("src/ctl/serve/blockcheck.hpp", 'last_blockcheck_file = "(.*)"')):
        with open(os.path.join(ROOT, path)) as f:
            names.append(re.search(words, f.read()).group(1))
    check_equal("where it is written and read", names[0], names[1])
    with env.lab("rst") as lab:
        last, out = lab.folder + "/last/result.json", lab.folder + "/json"
        common = dict(ENABLE_HTTPS_TLS12=0, **env.custom(lab, [FAKE, CASE, SPLIT]))
        env.run(lab, BLOCKCHECK_JSON=out, SCANLEVEL="force", shell=("sh", "-c", 'umask 077; exec sh "$0"'), **common)
        with open(last) as kept, open(out) as printed:
            found = json.loads(kept.read())
            check_equal("counts", found.pop("counts"), {"curl_test_http ipv4 blocked.test": 2})
            check_equal("object", found, json.loads(printed.read().splitlines()[-1]))
        check_equal("summary", found["summary"],
                    ["curl_test_http ipv4 blocked.test : nfqws2 " + s for s in (CASE, SPLIT)])
        check_equal("options", found["options"], "--filter-tcp=80 --filter-l7=http <HOSTLIST> " + CASE)
        check("learn:key=http" in found["learn"], found["learn"])
        check_equal("rights", [oct(os.stat(path).st_mode & 0o777) for path in (last, os.path.dirname(last))],
                    ["0o644", "0o755"])
        # What looks like it is not written to, and the folder has nothing else afterwards.
        os.unlink(last)
        os.symlink(env.write(lab, "other", "mine"), last)
        env.run(lab, **common)
        check_equal("kept", os.listdir(os.path.dirname(last)), ["result.json"])
        with open(lab.folder + "/other") as f:
            check_equal("another file", f.read(), "mine")
        for more in ({"SIMULATE": 1}, {"SKIP_PKTWS": 1}, {"BLOCKCHECK_LAST": 0}):
            os.unlink(last)
            env.run(lab, **{**common, **more})
            check_equal("kept with %s" % more, os.path.exists(last), False)
            env.write(lab, "last/result.json", "")
        done = env.run(lab, BLOCKCHECK_LAST=lab.folder + "/other/x", **common)
        check_equal("exit code", done.code, 0)
        done.has("the result cannot be kept in ")
        check("/lib/zapret2/" not in names[0], "it would make the STATE_DIR of a router")


def written(env, lab, form, folder="work", text=None):
    """What blockprobe writes of the files of a run."""
    return subprocess.run([os.path.join(os.path.dirname(env.program), "blockprobe"), "--report=" + form,
                           "--folder=" + env.folder(lab, folder)],
                          input=text, stdout=subprocess.PIPE, text=True, errors="replace", check=True).stdout


def test_last_result_is_short(env):
    """However many strategies work, the file stays below what the page takes, and tells how many they are."""
    with env.lab() as lab:
        sites = ["%d.test" % n for n in range(900)]
        lines = ["curl_test_http ipv4 %s : nfqws2 --%s" % (site, "x" * 200) for site in sites for _ in range(30)]
        more = ("http ipv6 z.test : nfqws2 not working", "http ipv6 y.test : working without bypass",
                "http ipv6 y.test : nfqws2 --x", "http ipv6 x.test : working without bypass")
        env.write(lab, "work/report", "\n".join(lines + ["curl_test_" + line for line in more]) + "\n")
        last = json.loads(written(env, lab, "last"))
        counts, kept = last["counts"], last["summary"]
        check_equal("counts", counts, dict([("curl_test_http ipv4 " + site, 30) for site in sites] +
                                           [("curl_test_http ipv6 %s.test" % name, name == "y") for name in "zyx"]))
        check_equal("first site", kept[:21], lines[:20] + lines[30:31])
        check_equal("tests", {line.partition(" : ")[0] for line in kept}, set(counts))
        check(sum(map(len, kept)) < 3 << 20, "%d bytes", sum(map(len, kept)))
        check_equal("whole", json.loads(written(env, lab, "json"))["summary"], lines + ["curl_test_" + m for m in more])


def test_files_of_strangers(env):
    """Whatever stands in the files of a run, and without any of them, the page and the JSON are well-formed."""
    with env.lab() as lab:
        check_equal("nothing", json.loads(written(env, lab, "json"))["summary"], [])
        wild = "curl_test_http ipv4 a.test : nfqws2 --x='<b>&\"\\' \x01\x7f"
        env.write(lab, "work/report", "no colon\n\n" + wild)
        env.write(lab, "work/kinds",
                  "dns\t\t\tDNS answers changed\t1 \"<2>\"\ncurl_test_http\t4\ta.test\tRST\t\nshort\n")
        env.write(lab, "work/options", "--a\n--b\n\n")
        env.write(lab, "work/facts", "time\t12x\nabout\t<i>\nrepeats\n\n")
        summary = json.loads(written(env, lab, "json"))
        check_equal("summary", summary["summary"], ["no colon", "", wild])
        check_equal("blocking", [list(kind.values()) for kind in summary["blocking"]],
                    [["dns", None, "", "DNS answers changed", '1 "<2>"'], ["curl_test_http", 4, "a.test", "RST", ""],
                     ["short", None, "", "", ""]])
        check_equal("others", (summary["time"], summary["repeats"], summary["options"]), (12, 0, "--a\n--b"))
        page = written(env, lab, "html")
        for part in ("&lt;i&gt;", "--x='&lt;b&gt;&amp;&quot;", "<td>DNS</td>", "1 &quot;&lt;2&gt;&quot;", "--a\n--b\n"):
            contains(page, part)
        lacks(page, "<b>&")
        fields = ("curl_test_http", "4", "a.test/x", "s/1.sh", "56", "false", 'why "')
        record = "\x1f".join(fields) + "\n--x 'a b'\n56|0|1|2|1|10.0.0.1|no|pe\n\n"
        lines = written(env, lab, "results", text=record + "odd\n" + "\n" + record).splitlines()
        check_equal("results", len(lines), 2)
        first = json.loads(lines[0])
        check(abs(first.pop("time") - time.time()) < 600, "time")
        check_equal("result", first, {
            "domain": "a.test", "uri": "/x", "ipv": 4, "protocol": "http", "test": "curl_test_http", "script": "s/1.sh",
            "argv": ["--x", "a b"], "attempts": [{"n": 1, "ip": "10.0.0.1", "code": 56, "http_status": 0, "bytes": 1,
                                                  "ms": 2, "error": "no|pe"}],
            "code": 56, "error": 'why "', "resumed": False, "verdict": "unavailable"})


def test_where_the_last_result_is_kept(env):
    """A name without a folder, a folder, a file that cannot be written."""
    with env.lab() as lab:
        env.write(lab, "summary", "found")
        home = env.folder(lab, "home")
        env.folder(lab, "home/folder")
        tool = '. "$1/common/blockcheck/json.sh"; BLOCKCHECK_LAST=$2; last_keep "$3"'
        cannot = "the result cannot be kept in "
        for last, source, said, left in (("name", "../summary", "", {"name": "found"}),
                                         ("a/b/name", "../summary", "", {"a/b/name": "found"}),
                                         ("folder", "../summary", cannot + "folder: it is a folder\n", {}),
                                         ("name", "../none", cannot + "name\n", {"name": "found"})):
            done = subprocess.run(["sh", "-c", tool, "x", ROOT, last, source], cwd=home, capture_output=True, text=True,
                                  check=True)
            check_equal("said of " + last, done.stdout + done.stderr, said)
            files = [os.path.join(folder, name) for folder, _, names in os.walk(home) for name in names]
            kept = {}
            for path in files:
                with open(path) as f:
                    kept[os.path.relpath(path, home)] = f.read()
            check_equal("files after " + last, {name: kept[name] for name in left}, left)
            check(set(kept) <= {"name", "a/b/name"}, kept)


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
    """The best strategy of each kind below `learn`."""
    head, seek = "* NFQWS2_OPT that learns", r'^NFQWS2_OPT="\n([^"]*learn:key[^"]*)"$'
    splits, copy = ("--payload=http_req --lua-desync=multisplit:pos=%d" % n for n in (1, 2))
    with env.lab("first") as lab:
        done = env.run(lab, SCANLEVEL="force", **env.custom(lab, [splits, copy, FAKE]))
        done.has(head)
        found = re.search(seek, done.text, re.M)
        check(found, "no options that learn in:\n%s", done.text[-2500:])
        rules = done.text[done.text.index("* rules that show"):]
        check(re.search(r"NFQUEUE.* 300|queue .*300", rules), "no rules in:\n%s", rules)
        check_equal("strategies", re.findall(r":strategy=(\d)", found.group(1)), ["1", "2"])
        check(not ("pos=1:" in found.group(1) and "pos=2:" in found.group(1)), "a near copy:\n%s", found.group(1))
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
    """Found, tried, of how many, since when, how long still."""
    with env.lab("rst") as lab:
        done = env.run(lab, PROGRESS=1, ENGINE="classic", ENABLE_HTTPS_TLS12=0,
                       **env.custom(lab, [CASE, FAKE, SPLIT]))
        time = r"\d:\d\d:\d\d"
        shown = re.findall(r"\[ found so far: (\d), tried: (\d)( of about 3)?, %s(, %s left)? \]" % (time, time),
                           done.text)
        check_equal("progress", [(a, b) for a, b, *_ in shown], [("1", "1"), ("1", "2"), ("2", "3")])
        check(not re.search(r"\r\033\[K\[ (?!found)", done.text), "another line:\n%s", done.text)


def test_expected(env):
    """How many are expected goes by what has worked: a script that stops at a success is short."""
    script = """
pktws_check_http() {
	local n=0
	pktws_curl_test_update "$1" "$2" --payload=http_req --lua-desync=http_hostcase
	# until the line has been shown with the new number
	while [ -z "$PLANNING" ] && [ "$(cat "$WORK/expected" 2>/dev/null)" != 3 ]; do sleep 0.1; done
	while [ $n -lt 50 ]; do
		n=$((n + 1))
		pktws_curl_test_update "$1" "$2" --payload=http_req --lua-desync=http_hostcase --comment=$n && break
	done
}
"""
    with env.lab("rst") as lab:
        env.write(lab, "d/mine/10-a.sh", "pktws_check_http() { pktws_curl_test_update \"$1\" \"$2\" "
                                         "--payload=http_req --lua-desync=http_hostcase --comment=first; }\n")
        env.write(lab, "d/mine/20-b.sh", script)
        done = env.run(lab, PROGRESS=1, ENGINE="classic", BLOCKCHECK2D=lab.folder + "/d", TEST="mine",
                       ENABLE_HTTPS_TLS12=0)
        shown = re.findall(r"tried: (\d) of about (\d+),", done.text)
        check(shown and shown[-1] == ("3", "3"), "progress: %s", shown)


# Of a user at a terminal, who has answered all questions but the last.
ANSWERED = dict(BATCH="", ENABLE_HTTP=1, ENABLE_HTTPS_TLS12=0, ENABLE_HTTPS_TLS13=0, REPEATS=1, SCANLEVEL="standard")
PRESS_ENTER = [("press enter", "")]


def test_colours(env):
    """On a terminal only, and not for those who want none."""
    with env.lab("rst") as lab:
        lists = env.custom(lab, [CASE, FAKE])
        plain = env.run(lab, **ANSWERED, **lists)
        check("\033" not in plain.text, "colours in a file")
        for more, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False),
                               ({"BATCH": "1", "PROGRESS": 0}, False)):
            done = env.on_terminal(lab, PRESS_ENTER, **dict(ANSWERED, TERM="xterm", **lists) | more)
            check_equal("exit code", done.code, 0)
            check(("\033[32m!!!!! AVAILABLE !!!!!\033[0m" in done.text) == coloured, "%s: %s", more, done.text)
            check(("\033[31mUNAVAILABLE" in done.text) == coloured, "%s: %s", more, done.text)


QUESTION = "and start the service"


def test_offer(env):
    """What was found goes into the config, and the service starts, if somebody at a terminal says so."""
    with env.lab("rst") as lab:
        config = os.path.join(lab.folder, "config")
        old = 'NFQWS2_ENABLE=0\nNFQWS2_OPT="\n--old\n"\nOTHER=1\n'
        started = env.write(lab, "started", "")
        env.tool(lab, "systemctl", '#!/bin/sh\necho "$*" >>%s\n' % started)
        common = dict(ANSWERED, ZAPRET_CONFIG=config, **env.custom(lab, [CASE, SPLIT, FAKE]))

        def run(answer, **variables):
            with open(config, "w") as f:
                f.write(old)
            done = env.on_terminal(lab, answers=[(QUESTION, answer), ("press enter", "")], **dict(common, **variables))
            check_equal("exit code", done.code, 0)
            with open(config) as f:
                return done, f.read()
        for answer in ("", "n"):
            done, text = run(answer)
            check_equal("config", text, old)
            done.has("+NFQWS2_ENABLE=1")
            done.has("---old")
        done, text = run("y")
        taken = "NFQWS2_ENABLE=1\n" in text and "--lua-desync=learn" in text
        check(taken and "OTHER=1" in text and "--old" not in text, "config:\n%s\n%s", text, done.text)
        with open(started) as f:
            check_equal("service", f.read().splitlines(), ["cat zapret2", "restart zapret2"])
        # Neither without a terminal, nor with BATCH=1.
        for text, done in ((run("y", BATCH=1)[1], None), (old, env.run(lab, stdin="y\n" * 20, **common))):
            check_equal("config", text, old)
            check(done is None or QUESTION not in done.text, "asked without a terminal")


def test_terminal(env):
    """On a terminal the recommendation is the last, short, and the rest is in a file."""
    with env.lab("rst") as lab:
        many = [CASE + " --comment=%d" % n for n in range(30)]
        forced = dict(ANSWERED, NO_COLOR=1, SCANLEVEL="force", **env.custom(lab, many))
        done = env.on_terminal(lab, PRESS_ENTER, **forced)
        name = re.search(r"the whole report : (\S+)\npress enter to continue", done.text)
        check(name, "no file at the end:\n%s", done.text[-1500:])
        with open(name.group(1)) as f:
            whole = f.read()
        os.unlink(name.group(1))
        end = done.text[done.text.index("* SUMMARY"):]
        check(len(end.splitlines()) < 35, "long:\n%s", end)
        check("... and 20 more" in end and "NFQWS2_OPT=" in end and "* rules that show" not in end, end)
        check(whole.count("curl_test_http ipv4 blocked.test : nfqws2") == 30 and "* rules that show" in whole, whole)
        told = env.run(lab, REPORT_FILE=lab.folder + "/kept", **dict(ANSWERED, **env.custom(lab, many[:2])))
        told.has("* RECOMMENDATION\nhttp : %s (best of 2; 1 of 1 attempts good)\n" % many[0])
        with open(lab.folder + "/kept") as f:
            check(f.read().strip() in told.text, "not what was printed")
        # A program reads it, and counts its lines.
        forced.update(env.custom(lab, many), BATCH=1, PROGRESS=0)
        for batch in (env.on_terminal(lab, **forced), env.run(lab, **forced)):
            lines = batch.text.splitlines()
            check_equal("lines of the report", len(batch.section("SUMMARY")), 30)
            check_equal("results", lines.count("!!!!! AVAILABLE !!!!!"), 30)
            check("* RECOMMENDATION" not in lines and "the whole report" not in batch.text, batch.text[-1500:])


def test_no_empty_report(env):
    """A run on a terminal that does not come to its report leaves no file for it."""
    with env.lab() as lab:
        done = env.on_terminal(lab, RESUME="/nonexistent/j", ENABLE_HTTPS_TLS12=0, **env.custom(lab, [CASE]))
        done.has("cannot write '/nonexistent/j'")
        nothing_left(lab, "after an error")


def test_strange_bytes(env):
    """What a server sends need not be UTF-8; JSON and the page are."""
    with env.lab() as lab:
        header = "HTTP/1.1 302 Gef\\374nden\\r\\nLocation: http://\\377\\303.test/\\r\\n\\r\\n"
        for engine in ("classic", "fast"):
            files = [lab.folder + "/" + name for name in ("page", "rows")]
            curl = dict(fake_curl(env, lab, "0", FAKE_HEADER=header), ENGINE=engine)
            done = env.run(lab, ENABLE_HTTPS_TLS12=0, ENABLE_HTTP3=0, BLOCKCHECK_HTML=files[0],
                           BLOCKCHECK_JSON=files[1], **curl, **env.custom(lab, [CASE]))
            done.has("suspicious redirection 302 to : http://??.test/")
            for name in files:
                with open(name, encoding="utf-8") as f:
                    text = f.read()
            check_equal("error", json.loads(text.splitlines()[1])["attempts"][0]["error"],
                        "suspicious redirection 302 to : http://??.test/")


def test_html(env):
    """One file, nothing from outside, nothing that somebody else wrote as code."""
    with env.lab("redirect") as lab:
        path, rows = lab.folder + "/page.html", lab.folder + "/rows"
        odd = CASE + " '--comment=<b>&\"'"
        done = env.run(lab, arguments=["--html=" + path, "--json=" + rows], ENABLE_HTTPS_TLS12=0, SKIP_KIND=0,
                       DOMAINS="blocked.test good.test", **env.custom(lab, [odd, CASE, FAKE]))
        check_equal("exit code", done.code, 0)
        with open(path) as f:
            page = f.read()
        for part in ("<td>HTTP ipv4 blocked.test</td><td>2 strategies work</td>", "&lt;b&gt;&amp;&quot;",
                     "<td>HTTP ipv4 good.test</td><td>working without bypass</td>", "<td>redirect</td>",
                     "NFQWS2_OPT=&quot;", "Rules for the firewall"):
            check(part in page, "%s is missing in\n%s", part, page)
        check(not re.search(r"(src|href|url\(|@import|<script)", page), "outside resources")
        parser = Balance()
        parser.feed(page)
        check_equal("open elements", parser.open, [])
        with open(rows) as f:
            check_equal("kinds", [b["kind"] for b in json.loads(f.read().splitlines()[-1])["blocking"]],
                        ["redirect", "by name"])


class Balance(html.parser.HTMLParser):
    """Which elements are not closed."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        check_equal("closed", tag, self.open.pop())
