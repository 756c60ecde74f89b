"""The first answer first: what is tried in which order, and when it ends."""
import os
import re
import subprocess

from checks import cases, check, check_equal, need_tool, nothing_left
from fakes import CASE, FAKE, SPLIT, fake_curl


@cases({box: (box,) for box in ("rst", "careful-strict", "careful-far")})
def test_quick(env, box):
    """Of the standard strategies one that works is found among the first, and then it ends."""
    with env.lab(box) as lab:
        done = env.run(lab, SCANLEVEL="quick", ENABLE_HTTP=0, CURL_MAX_TIME=3)
        check_equal("exit code", done.code, 0)
        lines = [line for *_, line in done.results()]
        check("!!!!! AVAILABLE !!!!!" in lines, "nothing found:\n%s", done.text)
        check(len(lines) <= 64, "%d tried", len(lines))
        part = done.text.partition("!!!!! AVAILABLE !!!!!")[0].rpartition("\n- ")[2]
        check_equal("attempts", re.findall(r"^\[attempt (\d)\] AVAILABLE$", part, re.M), ["1", "2", "3"])
        done.has("!!!!! curl_test_https_tls12: working strategy found for ipv4 blocked.test : nfqws2 --")
        done.has("\nNFQWS2_OPT=")
        nothing_left(lab, box)


def test_quick_of_lists(env):
    """The order is that of the chances, with both engines; invalid ones do no harm; nothing works, nothing found."""
    with env.lab("rst") as lab:
        lists = env.custom(lab, ["--payload=nonsense", FAKE, FAKE + ":repeats=2", CASE, SPLIT])
        for engine in ("classic", "fast"):
            done = env.run(lab, SCANLEVEL="quick", ENGINE=engine, ENABLE_HTTPS_TLS12=0, **lists)
            good = [s for *_, s, line in done.results() if line.startswith("!!!!! AVAILABLE")]
            check(good and set(good) <= {CASE, SPLIT}, "%s: %s\n%s", engine, good, done.text)
            if engine == "classic":
                check_equal("tried", done.strategies(), [CASE])
            nothing_left(lab, engine)
        done = env.run(lab, SCANLEVEL="quick", ENABLE_HTTPS_TLS12=0,
                       **env.custom(lab, ["--payload=nonsense", FAKE, FAKE + ":repeats=2"]))
        check_equal("tried", sorted(done.strategies()), sorted(["--payload=nonsense", FAKE, FAKE + ":repeats=2"]))
        done.has("curl_test_http: nfqws2 strategy for ipv4 blocked.test not found")


def test_quick_wants_three(env):
    """What works twice of three times is not found."""
    with env.lab() as lab:
        curl = fake_curl(env, lab, "28 0 0 28 0 0 0")
        done = env.run(lab, SCANLEVEL="quick", ENABLE_HTTPS_TLS12=0, ENABLE_HTTP3=0, **curl,
                       **env.custom(lab, [CASE, SPLIT]))
        check_equal("results", [line for *_, line in done.results()],
                    ["UNAVAILABLE code=28", "!!!!! AVAILABLE !!!!!"])
        done.has("3 of 3 attempts good in 1 test")


def test_quick_resumes(env):
    with env.lab("rst") as lab:
        journal = os.path.join(lab.folder, "journal")
        common = dict(SCANLEVEL="quick", ENABLE_HTTPS_TLS12=0, RESUME=journal, **env.custom(lab, [FAKE, SPLIT, CASE]))
        first, again = (env.run(lab, **common) for _ in range(2))
        for done in (first, again):
            check("!!!!! AVAILABLE !!!!!" in done.text.splitlines(), done.text)
        with open(journal) as f:
            lines = f.read().splitlines()[1:]
        check_equal("lines of the journal", len(set(lines)), len(lines))


def test_standard_tells_early(env):
    """Before the scripts run something is found; they get its result, and their order is their own."""
    with env.lab("drop") as lab:
        many = [FAKE + ":repeats=%d" % n for n in range(1, 80)] + [SPLIT]
        lists = env.custom(lab, many)
        common = dict(ENABLE_HTTPS_TLS12=0, PARALLEL_MAX=32, CURL_MAX_TIME=1, **lists)
        done = env.run(lab, **common)
        told = "found so far : curl_test_http ipv4 blocked.test : nfqws2 " + SPLIT
        check(told in done.text.partition("* script :")[0], done.text[:3000])
        check_equal("strategies", done.strategies(), many)
        good = [s for *_, s, line in done.results() if line == "!!!!! AVAILABLE !!!!!"]
        check_equal("works", good, [SPLIT])
        forced = env.run(lab, SCANLEVEL="force", **common)
        forced.lacks("found so far")
        check_equal("results", forced.results(), done.results())


# What ends the shell that reads or runs it: the second of two scripts.
BROKEN = {
    "syntax": "pktws_check_http() { if; }\n",
    "unset": "pktws_check_http() { echo \"${nothing_like_this:?}\"; }\n",
    "exit": "pktws_check_http() { exit 3; }\n",
}


@cases({"%s %s" % (name, shell[0]): (text, shell) for name, text in BROKEN.items()
        for shell in (("dash",), ("busybox", "ash"))})
def test_broken_script(env, text, shell):
    """A script that cannot be read or run to its end ends the run with its error, and nobody waits for more of it."""
    need_tool(shell[0])
    with env.lab("rst") as lab:
        env.write(lab, "d/mine/10-a.sh", "pktws_check_http() { pktws_curl_test_update \"$1\" \"$2\" "
                                         "--payload=http_req --lua-desync=http_domcase; }\n")
        env.write(lab, "d/mine/20-b.sh", text)
        for level in ("quick", "standard"):
            done = env.run(lab, shell=shell, SCANLEVEL=level, BLOCKCHECK2D=lab.folder + "/d", TEST="mine",
                           ENABLE_HTTPS_TLS12=0, timeout=60)
            check(done.code != 0, "%s: exit code 0:\n%s", level, done.text)
            check_equal(level, set(done.strategies()), {"--payload=http_req --lua-desync=http_domcase"})
            nothing_left(lab, level)


def picks(env, folder, requests, count, tried=(), mechanisms=""):
    """The next strategies that the pool proposes; what was learned is in the file then."""
    for name, text in (("mechanisms", mechanisms),
                       ("tried", "".join("%s\tT d %s\n" % (share, s) for s, share in tried))):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    lines = "".join("t/1.sh\tT d %s\n" % r for r in requests)
    program = os.path.join(os.path.dirname(env.program), "blockprobe")
    done = subprocess.run([program, "--folder=" + folder, "--pick=%d" % count], input=lines, capture_output=True,
                          text=True, check=True)
    learned = subprocess.run([program, "--folder=" + folder, "--learn"], input=lines, capture_output=True, text=True,
                             check=True)
    with open(os.path.join(folder, "mechanisms"), "w") as f:
        f.write(learned.stdout)
    return [line.partition("\tT d ")[2] for line in done.stdout.splitlines()]


def test_pool(env):
    """Families by their chances, shared failures, distance within a family, what other protocols taught."""
    fakes = ["--lua-desync=fake:blob=x:ip_ttl=%d" % n for n in range(1, 13)]
    split, md5 = "--lua-desync=multisplit:pos=1", "--lua-desync=fake:blob=x:tcp_md5"
    both = md5 + " " + split
    with env.lab() as lab:
        folder = env.folder(lab, "pool")

        def ask(requests, count, **more):
            return picks(env, folder, requests, count, **more)
        check_equal("the likely first", ask(fakes + [split, md5], 2), [md5, split])
        check_equal("a round has different ones",
                    len({p.partition(":ip_ttl")[0] for p in ask(fakes + [split, md5], 3)}), 3)
        first = ask(fakes, 4)
        check_equal("far apart", {(int(p.rpartition("=")[2]) - 1) // 4 for p in first}, {0, 1, 2})
        check_equal("simple ones before both", ask([both, split, md5], 3)[2], both)
        check_equal("what was tried", ask([split, md5], 5, tried=[(md5, "0.00")]), [split])
        check_equal("what cannot be tried", ask([split, md5], 5, tried=[(md5, "-")]), [split])
        failed = [(md5 + ":repeats=%d" % n, "0.00") for n in range(2, 6)]
        pool = [s for s, _ in failed] + [md5, "--lua-desync=syndata"]
        check_equal("failures count", ask(pool, 1, tried=failed), ["--lua-desync=syndata"])
        check_equal("another protocol's success", ask([md5, "--lua-desync=syndata"], 1, mechanisms="syndata 4 0\n"),
                    ["--lua-desync=syndata"])
        ask(pool, 1, tried=failed)
        with open(os.path.join(folder, "mechanisms")) as f:
            check("fake/tcp_md5 0.000 4.000\n" in f.readlines(), "what was learned")
