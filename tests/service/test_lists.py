"""List scripts against a DNS server and an HTTPS server of the test; IP sets."""
import gzip
import os
import re
import socket
import time

from sandbox import BASE, World, check, contains, equal, lacks, mount
from test_nftables import WRAPPER

IPSET = BASE + "/ipset/"
HOSTS = ("antifilter.download", "antifilter.network", "raw.githubusercontent.com", "github.com",
         "antizapret.prostovpn.org")
SERVER = r"""
import http.server, os, ssl, sys, threading
class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args): super().__init__(*args, directory="/opt/www")
    def log_message(self, *args): pass
def serve(port, cert):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, "/opt/site.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
serve(443, "/opt/site.crt"); serve(8443, "/opt/site.crt")
open("/opt/ready", "w").close()
threading.Event().wait()
"""
ZONE = """
address=/a.test/1.1.1.1
address=/b.test/1.1.1.2
address=/b.test/2001:db8::2
address=/w3.org/128.30.52.100
address=/local.test/192.168.1.1
"""
CONFIG = ("FWTYPE=iptables", "MDIG_EAGAIN=1", "MDIG_THREADS=2")


def run(world, script, *args, code=0, **env):
    return world.run(IPSET + script, *args, check_code=code, env=env).text


def prepare(world, *config, dns=True, web=False):
    world.use_iptables("nft")
    world.config(*CONFIG, *config)
    os.remove("/etc/resolv.conf")
    world.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    if dns:
        world.write("/opt/dns.conf", "no-resolv\nno-hosts\nlisten-address=127.0.0.1\nbind-interfaces\nuser=root\n"
                                     "pid-file=/opt/dns.pid\n" + ZONE)
        world.sh("dnsmasq -C /opt/dns.conf")
    if web:
        make_site(world)
        world.write("/opt/server.py", SERVER)
        world.sh("python3 /opt/server.py >/opt/server.log 2>&1 &")
        world.wait_for(lambda: os.path.exists("/opt/ready"), "the web server does not start")


def make_site(world):
    """Names of the sources lead here, with a certificate that is believed."""
    world.sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test -addext "
             "subjectAltName=%s -keyout /opt/site.key -out /opt/site.crt" % ",".join("DNS:" + h for h in HOSTS))
    world.write("/etc/hosts", "127.0.0.1 localhost %s\n" % " ".join(HOSTS))
    world.env["CURL_CA_BUNDLE"] = "/opt/site.crt"


def publish(world, path, text):
    world.write("/opt/www/" + path, text)


def publish_bytes(world, path, data):
    publish(world, path, "")
    with open("/opt/www/" + path, "wb") as f:
        f.write(data)


def addresses(n, first="5.0"):
    return "".join("%s.%d.%d\n" % (first, i // 250, i % 250 * 1 + 1) for i in range(n))


def gz(name):
    with gzip.open(IPSET + name + ".gz", "rt") as f:
        return f.read()


# --- IP sets ------------------------------------------------------------------------------------------

def test_create_ipset_modes(world: World):
    prepare(world, "DISABLE_IPV6=0", dns=False)
    world.write(IPSET + "zapret-ip.txt", "1.1.1.1\n1.1.1.1\n2.0.0.0/8\n3.0.0.1-3.0.0.2\n")
    world.write(IPSET + "zapret-ip-user.txt", "4.4.4.4\n")
    world.write(IPSET + "zapret-ip-exclude.txt", "10.0.0.0/8\n")
    world.write(IPSET + "zapret-ip6.txt", "2001:db8::/32\n2001:db9::1-2001:db9::2\n")
    world.write(IPSET + "zapret-ip-user-ipban6.txt", "2001:db8::5\n")
    run(world, "create_ipset.sh")
    want = ["1.1.1.1", "2.0.0.0/8", "3.0.0.1", "3.0.0.2", "4.4.4.4"]
    equal(world.ipset("zapret"), want)
    equal(world.ipset("nozapret"), ["10.0.0.0/8"])
    equal(world.ipset("zapret6"), ["2001:db8::/32"])
    equal(world.ipset("ipban6"), ["2001:db8::5"])
    equal((world.ipset("ipban"), world.ipset("nozapret6")), ([], []))
    world.write(IPSET + "zapret-ip-user.txt", "4.4.4.5\n")
    run(world, "create_ipset.sh", "no-update")
    equal(world.ipset("zapret"), want)
    world.sh("ipset destroy ipban6")
    run(world, "create_ipset.sh", "no-update")
    equal(world.ipset("ipban6"), ["2001:db8::5"], "a missing set is loaded even so")
    run(world, "create_ipset.sh")
    equal(world.ipset("zapret")[-1], "4.4.4.5")
    run(world, "create_ipset.sh", "clear")
    equal((world.ipset("zapret"), world.ipset("zapret6")), ([], []))
    equal(len(world.sh("ipset list -n").split()), 6)
    run(world, "create_ipset.sh", "nonsense", code=1)


def test_compressed_lists(world: World):
    prepare(world, dns=False)
    for name in ("zapret-ip.txt.gz", "zapret-ip-user.txt"):
        with gzip.open(IPSET + name, "wt") as f:
            f.write("1.1.1.%d\n" % len(name))
    world.write(IPSET + "zapret-ip.txt", "9.9.9.9\n")
    run(world, "create_ipset.sh")
    equal(world.ipset("zapret"), ["1.1.1.16", "1.1.1.18"], "NAME.gz wins, a gzip inside NAME is seen")


def test_nothing_of_a_list_is_a_command(world: World):
    prepare(world, dns=False)
    world.tool("nft", WRAPPER)
    evil = "1.1.1.1\n2.2.2.2 } ; flush ruleset ; {\nadd evil\n$(touch /opt/evil)\n3.3.3.3; touch /opt/evil\n-f\n" \
           "256.1.1.1\n1.2.3\n4.4.4.4/33\n0.0.0.0/0\n5.5.5.5/24 # comment\nflush\n6.6.6.6-\n::1\n" + "7" * 3000 + "\n"
    world.write(IPSET + "zapret-ip.txt", evil)
    want = ["1.1.1.1", "2.2.2.2", "5.5.5.0/24"]
    run(world, "create_ipset.sh")
    equal(world.ipset("zapret"), want)
    run(world, "create_ipset.sh", FWTYPE="x")
    world.config("FWTYPE=nftables")
    run(world, "create_ipset.sh")
    contains(world.sh("nft list set inet zapret2 zapret"), "elements = { 1.1.1.1, 2.2.2.2,")
    check(not os.path.exists("/opt/evil"), "executed")


def test_ipv6_filter(world: World):
    good = ["::", "::1", "2001:db8::1", "1:2:3:4:5:6:7:8", "1::8", "::ffff:1.2.3.4", "2001:db8::/32", "A:B::C",
            "1::2-1::3", "fe80::"]
    bad = ["1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", ":::", "1::2::3", "12345::", "g::", "::1/129", "::1/0", "1.2.3.4",
           ":", "1:2:3:4:5:6:7::8::", "::1.2.3", "1::2-", "fe80::%eth0", ""]
    world.write("/opt/in", "\n".join(good + bad) + "\n")
    text = world.sh("EXDIR=; EXEDIR=%sx; ZAPRET_BASE=%s; . %sdef.sh; address_filter 6 </opt/in" % (IPSET, BASE, IPSET))
    equal(text.split(), good)


def test_sets_in_nftables(world: World):
    prepare(world, "FWTYPE=nftables", "DISABLE_IPV6=0", "SET_MAXELEM=1000", dns=False)
    world.tool("nft", WRAPPER)
    world.write(IPSET + "zapret-ip.txt", "1.1.1.1\n2.0.0.0/8\n2.1.1.1\n3.0.0.1-3.0.0.9\n")
    world.write(IPSET + "zapret-ip-exclude6.txt", "fc00::/7\n")
    run(world, "create_ipset.sh")

    def elements(name):
        text = world.sh("nft list set inet zapret2 " + name)
        return re.sub(r"\s+", " ", text.split("elements = {")[1].split("}")[0]).strip() if "elements" in text else ""

    equal(elements("zapret"), "1.1.1.1, 2.0.0.0/8, 3.0.0.1-3.0.0.9")
    equal(elements("nozapret6"), "fc00::/7")
    contains(world.sh("nft list set inet zapret2 zapret6"), "type ipv6_addr\n\t\tsize 1000\n")
    contains(world.sh("nft list set inet zapret2 nozapret6"), "size 65536\n")
    world.write(IPSET + "zapret-ip.txt", "8.8.8.8\n")
    run(world, "create_ipset.sh", "no-update")
    equal(elements("zapret"), "1.1.1.1, 2.0.0.0/8, 3.0.0.1-3.0.0.9")
    run(world, "create_ipset.sh")
    equal(elements("zapret"), "8.8.8.8")
    run(world, "create_ipset.sh", "clear")
    equal((elements("zapret"), elements("nozapret6")), ("", ""))


def test_small_machines(world: World):
    prepare(world, dns=False)
    world.tool("nft", WRAPPER)
    world.write("/opt/meminfo", "MemTotal:       60000 kB\n")
    mount("/opt/meminfo", "/proc/meminfo", None, 0x1000)
    world.write(IPSET + "zapret-ip.txt", addresses(30000))
    run(world, "create_ipset.sh")
    run(world, "create_ipset.sh")
    equal(len(world.ipset("zapret")), 30000)
    world.config("FWTYPE=nftables")
    run(world, "create_ipset.sh")
    contains(world.sh("nft -t list set inet zapret2 zapret"), "policy memory")


def test_a_set_that_cannot_be_loaded_keeps_its_content(world: World):
    prepare(world, "IPSET_OPT='hashsize 64 maxelem 100'", dns=False)
    world.write(IPSET + "zapret-ip.txt", "1.1.1.1\n")
    run(world, "create_ipset.sh")
    world.write(IPSET + "zapret-ip.txt", addresses(500))
    contains(run(world, "create_ipset.sh", code=1), "ERROR: a set could not be loaded")
    equal(world.ipset("zapret"), ["1.1.1.1"])
    equal(sorted(world.sh("ipset list -n").split()), ["ipban", "nozapret", "zapret"])


def test_hook(world: World):
    prepare(world, "IPSET_HOOK='/opt/bin/hook first'", "IPSET_OPT='timeout 0'", dns=False)
    world.tool("hook", '#!/bin/sh\necho "$@" >>/opt/hook.log\n[ "$2" = zapret ] && echo "7.7.7.7 timeout 500" && '
                       'echo 7.7.7.8 && echo "evil; x"\n')
    world.write(IPSET + "zapret-ip.txt", "1.1.1.1\n")
    run(world, "create_ipset.sh")
    equal([m.split()[0] for m in world.ipset("zapret")], ["1.1.1.1", "7.7.7.7", "7.7.7.8"])
    equal(world.read("/opt/hook.log"), "first zapret\nfirst ipban\nfirst nozapret\n")


def test_lists_reload(world: World):
    prepare(world, "LISTS_RELOAD='/opt/bin/reload now'", "IPSET_HOOK=/opt/bin/hook", dns=False)
    for name in ("reload", "hook"):
        world.tool(name, '#!/bin/sh\necho %s "$#" "$@" >>/opt/log\n' % name)
    run(world, "create_ipset.sh")
    equal(world.read("/opt/log"), "reload 1 now\nhook 0\n")
    world.config("LISTS_RELOAD=-", "IPSET_HOOK=/opt/bin/hook")
    run(world, "create_ipset.sh")
    equal(world.read("/opt/log"), "reload 1 now\nhook 0\n")
    equal(world.sh("ipset list -n"), "")


def test_ipfw_commands(world: World):
    world.needs_program("uname")
    world.tool("uname", '#!/bin/sh\necho FreeBSD\n')
    world.tool("ipfw", '#!/bin/sh\necho "$*" >>/opt/ipfw.log\n'
                       '[ "$1" = -q ] && [ -f "$2" ] && cat "$2" >>/opt/ipfw.log\n[ "$3" != info ]\n')
    world.config("DISABLE_IPV6=0")
    world.write(IPSET + "zapret-ip.txt", "1.1.1.1\n")
    world.write(IPSET + "zapret-ip6.txt", "2001:db8::1\n")
    run(world, "create_ipset.sh")
    log = world.read("/opt/ipfw.log")
    for line in ("table zapret create algo addr:radix", "table zapret add 1.1.1.1", "table zapret add 2001:db8::1",
                 "table ipban create algo addr:radix", "table nozapret create algo addr:radix"):
        contains(log, line + "\n")


# --- resolving ------------------------------------------------------------------------------------------

def test_resolving(world: World):
    prepare(world, "DISABLE_IPV6=0")
    world.write(IPSET + "zapret-hosts-user.txt", "a.test\r\nb.test\n# comment\nlocal.test\n9.9.9.0/24\n172.16.5.5\n"
                                                 "bad name\n2001:db8::77\n")
    world.write(IPSET + "zapret-hosts-user-ipban.txt", "b.test\n")
    world.sh("cp %szapret-hosts-user-exclude.txt.default %szapret-hosts-user-exclude.txt" % (IPSET, IPSET))
    run(world, "get_user.sh")
    equal(gz("zapret-ip-user.txt").split(), ["1.1.1.1", "1.1.1.2", "9.9.9.0/24"])
    equal(gz("zapret-ip-user6.txt").split(), ["2001:db8::2", "2001:db8::77"])
    equal(gz("zapret-ip-user-ipban.txt").split(), ["1.1.1.2"])
    equal(sorted(gz("zapret-ip-exclude.txt").split()),
          sorted(["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"]))
    equal(world.ipset("zapret"), ["1.1.1.1", "1.1.1.2", "9.9.9.0/24"])
    equal(world.ipset("nozapret6"), ["::1", "fc00::/7", "fe80::/10"])
    world.sh("rm %s*.gz" % IPSET)
    run(world, "get_ipban.sh")
    equal(sorted(os.path.basename(f) for f in os.listdir(IPSET) if f.endswith(".gz")),
          ["zapret-ip-exclude.txt.gz", "zapret-ip-exclude6.txt.gz", "zapret-ip-user-ipban.txt.gz",
           "zapret-ip-user-ipban6.txt.gz"])
    world.sh("rm %s*.gz" % IPSET)
    run(world, "get_exclude.sh")
    equal(len([f for f in os.listdir(IPSET) if f.endswith(".gz")]), 2)
    equal(world.sh("ls /tmp"), "")


def test_without_dns_old_lists_stay(world: World):
    prepare(world, dns=False)
    world.write(IPSET + "zapret-hosts-user.txt", "a.test\n")
    world.write(IPSET + "zapret-ip-user.txt", "5.5.5.5\n")
    contains(run(world, "get_user.sh"), "DNS does not work")
    equal(world.read(IPSET + "zapret-ip-user.txt"), "5.5.5.5\n")
    equal(world.ipset("zapret"), ["5.5.5.5"])


def test_clear_lists(world: World):
    keep = ["zapret-hosts-user.txt", "zapret-hosts-user-exclude.txt", "zapret-hosts-user-ipban.txt",
            "zapret-hosts-auto.txt"]
    gone = ["zapret-hosts.txt.gz", "zapret-ip.txt", "zapret-ip6.txt.gz", "zapret-ip-user.txt.gz", "zapret-ip-user6.txt",
            "zapret-ip-exclude.txt.gz", "zapret-ip-exclude6.txt.gz", "zapret-ip-ipban.txt", "zapret-ip-ipban6.txt",
            "zapret-ip-user-ipban.txt", "zapret-ip-user-ipban6.txt"]
    for name in keep + gone:
        world.write(IPSET + name, "x\n")
    run(world, "clear_lists.sh")
    equal([name for name in keep + gone if os.path.exists(IPSET + name)], keep)


# --- downloads ------------------------------------------------------------------------------------------

def test_address_lists(world: World):
    prepare(world, web=True)
    world.write(IPSET + "zapret-hosts-user.txt", "a.test\n")
    publish(world, "list/ip.lst", addresses(12000) + "10.0.0.1\n172.20.0.1\n192.168.5.5\n100.100.0.1\nevil; x\n")
    run(world, "get_antifilter_ip.sh")
    text = gz("zapret-ip.txt")
    contains(text, "5.0.0.0/22\n")
    equal([line for line in text.split() if not line.startswith("5.0.")], [])
    check(world.ipset("zapret") and "1.1.1.1" in world.ipset("zapret"), "the user list is loaded too")
    for name, path in (("antifilter_ipsum", "list/ipsum"), ("antifilter_ipresolve", "list/ipresolve"),
                       ("antifilter_allyouneed", "list/allyouneed"), ("antifilter_ipsmart", "download/ipsmart"),
                       ("refilter_ipsum", "1andrevich/Re-filter-lists/releases/latest/download/ipsum")):
        publish(world, path + ".lst", addresses(12000, "6.%d" % len(name)))
        run(world, "get_%s.sh" % name)
        contains(gz("zapret-ip.txt"), "6.%d.0.0/22\n" % len(name))


def test_both_families(world: World):
    prepare(world, "DISABLE_IPV6=0", "GZIP_LISTS=0", web=True)
    world.write(IPSET + "zapret-ip.txt.gz", "x")
    for path in ("resolved", "smart"):
        publish(world, "bol-van/rulist/main/reestr_%s4.txt" % path, addresses(500))
        publish(world, "bol-van/rulist/main/reestr_%s6.txt" % path,
                "".join("2001:db8:%x::1\n" % i for i in range(500)) + "fe80::1\n::1\n1.1.1.1\n")
    for script in ("get_reestr_preresolved.sh", "get_reestr_preresolved_smart.sh"):
        run(world, script)
        equal(world.read(IPSET + "zapret-ip.txt"), "5.0.0.0/23\n")
        text = world.read(IPSET + "zapret-ip6.txt")
        equal(len(text.split()), 500)
        lacks(text, "fe80")
        check(not os.path.exists(IPSET + "zapret-ip.txt.gz"), "both forms of a list exist")
        run(world, "clear_lists.sh")


def test_bad_downloads_keep_the_old_list(world: World):
    prepare(world, web=True)
    old = IPSET + "zapret-ip.txt"
    world.write(old, "7.7.7.7\n")
    page = "<html>" + "sorry " * 50000

    def stays(text, **env):
        contains(run(world, "get_antifilter_ip.sh", code=2, **env), text)
        equal(world.read(old), "7.7.7.7\n")
        check(not os.path.exists(old + ".gz"), "a new list")
        equal(world.ipset("zapret"), ["7.7.7.7"])
        equal(world.sh("ls /tmp"), "")

    stays("list download failed")
    publish(world, "list/ip.lst", addresses(1000))
    stays("list is too small")
    publish(world, "list/ip.lst", page)
    stays("hardly anything of use")
    publish(world, "list/ip.lst", addresses(12000))
    stays("list download failed", CURL_CA_BUNDLE="/etc/ssl/certs/ca-certificates.crt")
    stays("list download failed", DOWNLOAD_MAX="100000")
    packed = gzip.compress(page.encode() + os.urandom(200000))
    publish_bytes(world, "list/ip.lst", packed[:-3])
    stays("list is damaged")
    publish_bytes(world, "list/ip.lst", gzip.compress(os.urandom(150000) + bytes(50000000)))
    stays("list is too big", DOWNLOAD_MAX="1000000")
    publish(world, "list/ip.lst", addresses(12000))
    world.tool("ip2net", "#!/bin/sh\nexit 1\n")
    stays("ip2net failed", IP2NET="/opt/bin/ip2net")


def test_compressed_download(world: World):
    prepare(world, web=True)
    # Hardly compressible, so that it is big enough as it comes.
    publish_bytes(world, "list/ip.lst", gzip.compress(addresses(12000).encode(), 0))
    run(world, "get_antifilter_ip.sh")
    contains(gz("zapret-ip.txt"), "5.0.0.0/22\n")


WGET = """#!/bin/sh
echo "$*" >>/opt/wget.log
cat /opt/www/list/ip.lst
exit ${WGET_CODE:-0}
"""


def test_without_curl(world: World):
    """wget does it too, with the same limits; without both nothing is lost."""
    prepare(world)
    world.private_usr()
    os.remove("/usr/bin/curl")
    old = IPSET + "zapret-ip.txt"
    world.write(old, "7.7.7.7\n")
    publish(world, "list/ip.lst", addresses(12000))

    def stays(text, **env):
        contains(run(world, "get_antifilter_ip.sh", code=2, **env), text)
        equal(world.read(old), "7.7.7.7\n")
        equal(world.sh("ls /tmp"), "")

    world.env["PATH"] = world.env["PATH"].replace("/opt/bb:", "")
    if os.path.exists("/usr/bin/wget"):
        os.remove("/usr/bin/wget")
    stays("neither curl nor wget")
    world.tool("wget", WGET)
    stays("list download failed", WGET_CODE="4")
    stays("list", DOWNLOAD_MAX="100000")
    run(world, "get_antifilter_ip.sh")
    contains(gz("zapret-ip.txt"), "5.0.0.0/22\n")
    words = world.read("/opt/wget.log").splitlines()[-1]
    equal(words, "-q -T 60 -O - https://antifilter.download/list/ip.lst")


def answers(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def test_lists_without_encryption(world: World):
    """A list script of the user may name an http:// source: it works, with a warning. HTTPS never becomes HTTP."""
    prepare(world, web=True)
    world.sh("python3 -m http.server 80 --bind 127.0.0.1 -d /opt/www >/opt/plain.log 2>&1 &")
    world.wait_for(lambda: answers(80), "the server without encryption does not start")
    script = '#!/bin/sh\nEXEDIR=$(dirname "$(readlink -f "$0")")\n. "$EXEDIR/def.sh"\nrun_ip_list_script 1000 %s\n'
    publish(world, "list/ip.lst", addresses(12000))
    world.write(IPSET + "get_mine.sh", script % "http://antifilter.download/list/ip.lst", 0o755)
    contains(run(world, "get_mine.sh"), "WARNING: http://antifilter.download/list/ip.lst is not encrypted")
    contains(gz("zapret-ip.txt"), "5.0.0.0/22\n")
    lacks(run(world, "get_antifilter_ip.sh"), "WARNING")
    world.write("/opt/redirect.py", SERVER.replace(
        "def log_message", "def do_GET(self): self.send_response(302); self.send_header('Location', "
        "'http://antifilter.download' + self.path); self.end_headers()\n    def log_message").replace(
        "serve(443", "serve(444").replace('; serve(8443, "/opt/site.crt")', ""))
    world.sh("rm /opt/ready; python3 /opt/redirect.py >/opt/redirect.log 2>&1 &")
    world.wait_for(lambda: os.path.exists("/opt/ready"), "the redirecting server does not start")
    world.write(IPSET + "get_mine.sh", script % "https://antifilter.download:444/list/ip.lst", 0o755)
    contains(run(world, "get_mine.sh", code=2), "list download failed")


def test_host_lists(world: World):
    prepare(world, web=True)
    # A process of the daemon's name notes a HUP.
    world.write("/opt/x/nfqws2", "#!/bin/sh\ntrap 'echo hup >>/opt/hups' HUP\nwhile :; do sleep 0.1; done\n", 0o755)
    world.sh("/opt/x/nfqws2 &")
    names = "".join("host%d.example.com\n" % i for i in range(8000))
    for number, (script, path) in enumerate((
            ("get_refilter_domains.sh", "1andrevich/Re-filter-lists/releases/latest/download/domains_all.lst"),
            ("get_reestr_resolvable_domains.sh", "bol-van/rulist/main/reestr_hostname_resolvable.txt"),
            ("get_antizapret_domains.sh", "domains-export.txt"))):
        publish(world, path,
                "Z%d.Example.COM\r\n" % number + names + "<script>\n\x00\xff\n$(touch /opt/evil)\n" + names)
        run(world, script)
        lines = gz("zapret-hosts.txt").split()
        equal(len(lines), 8001, script)
        equal(lines[-1], "z%d.example.com" % number)
        world.wait_for(lambda n=number: os.path.exists("/opt/hups") and world.read("/opt/hups").count("hup") == n + 1,
                       "no HUP after " + script)
    before = gz("zapret-hosts.txt")
    publish(world, "domains-export.txt", "<html>" + "sorry " * 30000)
    # Servers tell versions apart by the second.
    os.utime("/opt/www/domains-export.txt", (time.time() + 60, time.time() + 60))
    run(world, "get_antizapret_domains.sh", code=2)
    equal(gz("zapret-hosts.txt"), before)
    time.sleep(0.3)
    equal(world.read("/opt/hups").count("hup"), 3, "HUP without a new list")


def test_get_config(world: World):
    prepare(world)
    world.write(IPSET + "zapret-hosts-user.txt", "a.test\n")
    run(world, "get_config.sh")
    check(not os.path.exists(IPSET + "zapret-ip-user.txt.gz"), "get_ipban.sh is the default")
    world.config(*CONFIG, "GETLIST=get_user.sh")
    run(world, "get_config.sh")
    equal(gz("zapret-ip-user.txt"), "1.1.1.1\n")
    world.config(*CONFIG, "GETLIST=../../../bin/true")
    contains(run(world, "get_config.sh", code=2), "no such list script")
    # ZAPRET_RW has its own config and lists.
    world.write("/opt/rw/config", "FWTYPE=iptables\nGETLIST=get_user.sh\nGZIP_LISTS=0\nDISABLE_IPV6=1\n")
    world.write("/opt/rw/ipset/zapret-hosts-user.txt", "b.test\n")
    run(world, "get_config.sh", ZAPRET_RW="/opt/rw")
    equal(world.read("/opt/rw/ipset/zapret-ip-user.txt"), "1.1.1.2\n")
