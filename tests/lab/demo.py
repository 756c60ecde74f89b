#!/usr/bin/env python3
"""The program's main job, shown on real traffic.

usage: demo.py PROGRAM LUA_DIR

A client, a box and a site in three network namespaces. The box resets every connection that shows
the forbidden name (TLS SNI or HTTP Host). The same curl fails without nfqws2 and succeeds with it.
Without root the same is shown from a capture file.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lab as laboratory  # noqa: E402

SITE = "blocked.example"
STRATEGY = ["--filter-tcp=80,443", "--payload=http_req,tls_client_hello",
            "--lua-desync=fake:blob=fake_default_http:tcp_md5:payload=http_req:repeats=2",
            "--lua-desync=multisplit:pos=midsld"]
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")


def attempt(lab, title, url, version):
    result = lab.curl(url, name=SITE, version=version)
    good = result.returncode == 0 and "It works" in result.stdout
    said = result.stdout.strip() if good else result.stderr.strip()
    print("    %-34s %s  %s" % (title, "OPEN   " if good else "BLOCKED", said))
    return good


def round_of_requests(lab):
    return [attempt(lab, "curl -%d %s" % (version, url), url, version)
            for version in (4, 6) for url in ("http://%s/" % SITE, "https://%s/" % SITE)]


def live(program, lua):
    with laboratory.Lab("demo") as lab:
        lab.start_site(SITE, "open.example")
        print("The box between client and site resets whatever shows the name %s.\n" % SITE)
        lab.filter_words(SITE)
        print("Without nfqws2:")
        before = round_of_requests(lab)
        lab.queue_client(200)
        strategy = " ".join(STRATEGY)
        print("\nWith nfqws2 --qnum=200 --lua-init=@zapret-lib.lua --lua-init=@zapret-antidpi.lua "
              "\\\n    %s:" % strategy)
        process = lab.start_nfqws2(program, *lab.libraries(lua, "lib", "antidpi"),
                                   *STRATEGY)
        after = round_of_requests(lab)
        code = lab.stop(process)
        print()
        if any(before):
            print("Something is wrong: the site was open before nfqws2 ran.")
        if not all(after):
            print("Something is wrong: the site stayed blocked. The program said:")
            with open(process.log, errors="replace") as f:
                print(f.read())
        if code != 0:
            print("Something is wrong: nfqws2 ended with exit code %d." % code)
        good = not any(before) and all(after) and code == 0
        if good:
            print("Same curl, same box: the site opens with nfqws2.")
        return 0 if good else 1


def offline(program, lua, reason):
    print("No network namespaces here (%s): the same from a capture file.\n" % reason)
    capture = os.path.join(DATA, "golden", "085-multisplit-default", "in.pcap")
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.pcap")
        command = [program, "--pcap-in=" + capture, "--pcap-out=" + out, "--pcap-local=192.0.2.10",
                   "--lua-init=@%s/zapret-lib.lua" % lua, "--lua-init=@%s/zapret-antidpi.lua" % lua,
                   "--payload=tls_client_hello", "--lua-desync=multisplit:pos=midsld"]
        print(" ".join(command) + "\n")
        result = subprocess.run(command, check=False)
        if result.returncode != 0:
            return 1
        with open(capture, "rb") as f:
            before = f.read()
        with open(out, "rb") as f:
            after = f.read()
        name = b"www.example.com"
        print("\nThe name %s is readable in one packet before: %s, after: %s" % (
            name.decode(), name in before, name in after))
        return 0 if name in before and name not in after else 1


def main():
    program, lua = (os.path.abspath(a) for a in sys.argv[1:3])
    reason = laboratory.why_unavailable()
    return offline(program, lua, reason) if reason else live(program, lua)


if __name__ == "__main__":
    sys.exit(main())
