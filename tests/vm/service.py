"""The service scripts in a namespace of the lab, with nothing of theirs replaced."""
import os
import shutil

from world import ROOT, check

PARTS = ("common", "init.d", "ipset", "lua")
PROGRAMS = (("nfq2", "nfqws2"), ("ip2net", "ip2net"), ("mdig", "mdig"))
NUMBERS = ("\nNFQWS2_PORTS_TCP=80,443\nNFQWS2_PORTS_UDP=443\nNFQWS2_TCP_PKT_OUT=20\nNFQWS2_TCP_PKT_IN=10\n"
           "NFQWS2_UDP_PKT_OUT=5\nNFQWS2_UDP_PKT_IN=3\n")
STRATEGY = ("--filter-tcp=80 --payload=http_req --lua-desync=multisplit:pos=host+1,midsld --new "
            "--filter-tcp=443 --payload=tls_client_hello "
            "--lua-desync=fake:blob=fake_default_tls:tcp_md5:tcp_seq=-10000 "
            "--lua-desync=multidisorder:pos=1,midsld")


def install(env, base):
    """The tree of the service with the programs under test."""
    os.makedirs(base)
    for part in PARTS:
        shutil.copytree(os.path.join(ROOT, part), os.path.join(base, part), symlinks=True)
    shutil.copy(os.path.join(ROOT, "config.default"), base)
    for folder, name in PROGRAMS:
        os.makedirs(os.path.join(base, folder), exist_ok=True)
        shutil.copy(os.path.join(os.path.dirname(env.program), name), os.path.join(base, folder))


def write_config(base, *lines):
    with open(base + "/config.default", encoding="utf-8") as f:
        text = f.read()
    with open(base + "/config", "w", encoding="utf-8") as f:
        f.write(text + NUMBERS + "FWTYPE=nftables\nWS_USER=nobody\nNFQWS2_ENABLE=1\nDISABLE_IPV6=0\n"
                'NFQWS2_OPT="%s"\n' % STRATEGY + "\n".join(lines) + "\n")


class Service:
    """Installed below the lab's folder, with a /run of its own."""

    def __init__(self, env, lab, who, *config, custom=()):
        self.lab, self.who = lab, who
        self.base = os.path.join(lab.folder, "zapret2-" + who)
        self.place = self.base + ".run"
        os.mkdir(self.place)
        install(env, self.base)
        self.configure(*config)
        for name in custom:
            shutil.copy(self.base + "/init.d/custom.d.examples.linux/" + name,
                        self.base + "/init.d/sysv/custom.d")

    def configure(self, *lines):
        write_config(self.base, *lines)

    def __call__(self, *verb):
        """Runs a verb of the init script; what it printed."""
        result = self.lab.run(
            self.who, "unshare", "-m", "sh", "-c", 'mount --bind "$0" /run && exec "$@" 2>&1', self.place,
            self.base + "/init.d/sysv/zapret2", *verb, check=False, timeout=250)
        check(result.returncode == 0 and "ERROR" not in result.stdout, "%s: code %d:\n%s",
              " ".join(verb), result.returncode, result.stdout)
        return result.stdout

    def __enter__(self):
        self("start")
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(self.lab.run(self.who, "nft", "list", "ruleset", check=False).stdout[-6000:])
        self("stop")

    def rules(self):
        return self.lab.run(self.who, "nft", "list", "table", "inet", "zapret2", check=False).stdout
