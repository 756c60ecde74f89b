"""Lists as people write them: what works, and what is said of the rest (tests/data/lists)."""
import os
import re

from harness import DATA, cases, check, check_equal, without_root

LISTS = os.path.realpath(os.path.join(DATA, "lists"))

# File: (lines that are named, how many more, hosts that are in it, hosts that are not).
HOSTS = {
    "bom_crlf.txt": ([], 0, ["example.com", "www.example.net"], ["example.org"]),
    "multi.txt": ([], 0, ["example.com"], ["example.net", "example.org"]),
    "upper.txt": ([], 0, ["example.com"], []),
    "odd.txt": ([1, 2, 4, 5, 6], 4, ["example.org", "example.tv"],
                ["example.com", "example.net", "example.info", "example.us"]),
    "idn.txt": ([], 0, ["xn--e1afmkfd.xn--p1ai", "www.пример.рф", "собака.рф"], ["example.com"]),
    "idn_exclude.txt": ([], 0, ["xn--e1afmkfd.xn--p1ai"], ["example.com"]),
}


def is_in(env, option, address, host=None):
    packet = "tcp:%s:443" % address + (",host=" + host if host else "")
    result = env.run(option, "--explain=" + packet)
    check_equal("exit code for %s: %s" % (host, result.stderr), result.returncode, 0)
    return "profile 1 (noname): wins" in result.stdout.split("\nwhen ")[-1]


def named_lines(said):
    return [int(n) for n in re.findall(r"^warning: .* line (\d+)\)", said, re.M)]


@without_root
@cases({name: (name, *case) for name, case in HOSTS.items()})
def test_hosts(env, name, lines, more, inside, outside):
    option = "--hostlist=" + os.path.join(LISTS, name)
    said = env.run("--check", "--qnum=1", option).stdout
    check_equal("lines named in\n" + said, named_lines(said), lines)
    check_equal("more", "%d more in " % more in said, more > 0)
    count = len(lines) + (more > 0)
    check(said.endswith("check: 0 errors, %d warning%s, 0 notices\n" %
                        (count, "" if count == 1 else "s")), "said: %s", said)
    for host in inside:
        check(is_in(env, option, "192.0.2.1", host), "%s is not in it", host)
    for host in outside:
        check(not is_in(env, option, "192.0.2.1", host), "%s is in it", host)


@without_root
def test_addresses(env):
    option = "--ipset=" + os.path.join(LISTS, "ip_odd.txt")
    said = env.run("--check", "--qnum=1", option).stdout
    check_equal("lines", named_lines(said), [1, 3, 4, 5, 9])
    check("2 more in " in said, "said: %s", said)
    for address in ("198.51.100.60", "198.51.100.71", "198.51.100.72", "[::ffff:198.51.100.70]"):
        check(is_in(env, option, address), "%s is not in it", address)
    for address in ("198.51.100.1", "198.51.100.73", "198.51.100.74", "[2001:db8::1]"):
        check(not is_in(env, option, address), "%s is in it", address)


@without_root
@cases({"hosts": ("--hostlist",), "addresses": ("--ipset",)})
def test_utf16(env, option):
    path = os.path.join(LISTS, "utf16.txt")
    text = path + " is UTF-16 text, none of its entries matches: save it as UTF-8\n"
    said = env.run("--check", "--qnum=1", "%s=%s" % (option, path)).stdout
    check_equal("said so in\n" + said, said.count(text), 1)
    said = env.run("--dry-run", "--qnum=1", "%s=%s" % (option, path))
    check_equal("said at a start in\n" + said.stderr, said.stderr.count(text), 1)
    check_equal("lines", "line" in said.stderr, False)
