"""Labs with a filtering box in the middle: see boxes/dpi.lua for what a box does."""
import os
import subprocess

import lab as laboratory

HERE = os.path.dirname(os.path.abspath(__file__))
BLOCKED, OPEN = "blocked.test", "good.test"
QUEUE = 100

# TLS 1.3 is not a default of every nginx.
laboratory.NGINX_CONF = laboratory.NGINX_CONF.replace(
    "        root {folder}/www;",
    "        ssl_protocols TLSv1.2 TLSv1.3;\n        root {folder}/www;")

# name -> the inspector with its arguments
BOXES = {
    "rst": "dpi_stateless:action=rst",
    "drop": "dpi_stateless:action=drop",
    "stall": "dpi_stateless:action=stall",
    "redirect": "dpi_stateless:action=redirect",
    "first": "dpi_first:action=rst",
    "stream": "dpi_stream:action=rst",
    "strict": "dpi_stream:action=rst:strict",
    "wall": "dpi_wall:action=drop",
    "far": "dpi_first:action=rst:near=3:total=7",
    "first-drop": "dpi_first:action=drop",
    "careful": "dpi_stream:action=drop:careful",
    "careful-strict": "dpi_stream:action=rst:strict:careful",
    "careful-far": "dpi_stream:action=drop:strict:careful:near=3:total=7",
    "quic": "dpi_quic:plain",
    "quic-first": "dpi_quic:first",
}
# The domain of a recorded QUIC Initial is not ours to choose.
QUIC_BLOCKED = "example.com"


class BoxLab(laboratory.Lab):
    """A lab whose box filters `blocked.test`. Tools run with hosted() find the names in /etc/hosts."""

    def __init__(self, label, program, lua, kind=None, names=(BLOCKED, OPEN, "iana.org", QUIC_BLOCKED)):
        super().__init__(label)
        self.program = program
        self.names = names
        self.start_site(*names)
        with open(self.folder + "/hosts", "w") as f:
            f.write("127.0.0.1 localhost\n::1 localhost\n127.0.0.1 %s\n" % os.uname().nodename)
            for name in names:
                for address in laboratory.SERVER.values():
                    f.write("%s %s\n" % (address, name))
        if kind:
            self.start_box(program, lua, kind)

    def start_box(self, program, lua, kind):
        function, _, arguments = BOXES[kind].partition(":")
        script = os.path.join(self.folder, "dpi.lua")
        with open(os.path.join(HERE, "boxes", "dpi.lua")) as source, open(script, "w") as target:
            target.write(source.read())
        os.chmod(script, 0o644)
        quic = kind.startswith("quic")
        for tables in laboratory.TABLES:
            for side in ("to-client", "to-server"):
                self.run("box", tables, "-t", "mangle", "-A", "PREROUTING", "-i", side, *(
                    () if quic else ("-p", "tcp")), "-j", "NFQUEUE", "--queue-num", str(QUEUE))
            if kind == "quic-first":
                # Whoever tracks connections puts fragments together first.
                self.run("box", tables, "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID",
                         "-j", "ACCEPT")
        return self.start_nfqws2(
            program, *self.libraries(lua, "lib"), "--lua-init=@" + script, "--reasm-disable",
            "--in-range=a", "--payload=all",
            "--lua-desync=%s:name=%s:%s" % (
                function, QUIC_BLOCKED if quic else BLOCKED, arguments), who="box", queue=QUEUE)

    def hosted(self, *argv):
        """The command line of a tool of the client that finds the lab's names in /etc/hosts."""
        script = 'mount --bind "$0" /etc/hosts && exec "$@"'
        return self.command("client", "unshare", "-m", "sh", "-c", script, self.folder + "/hosts",
                            *argv)

    def run_hosted(self, *argv, env=None, timeout=600):
        environment = laboratory.environment()
        environment.update(env or {})
        return subprocess.run(self.hosted(*argv), capture_output=True, text=True, errors="replace",
                              timeout=timeout, env=environment, stdin=subprocess.DEVNULL)
