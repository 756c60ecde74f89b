"""Directories that launchers give to the daemon's user, and lists whose directory is made anew."""
import os
import re
import subprocess

from harness import cases, check, check_equal

# Keeps a counter as learnt strategies are kept: a new file that takes the place of the old one.
KEEPER = """
local name = os.getenv('STATE') .. '/state.tsv'
local f = io.open(name)
local count = f and tonumber(f:read('*l')) or 0
if f then f:close() end
local new, why = io.open(name .. '.new', 'w')
if not new then print('FAILED', why) return end
new:write(count + 1, '\\n')
new:close()
print('MOVED', os.rename(name .. '.new', name))
print('COUNT', count + 1)
local extra = io.open(os.getenv('STATE') .. '/extra', 'w')
extra:close()
print('REMOVED', os.remove(os.getenv('STATE') .. '/extra'))
"""


class Island:
    """Directories of its own in place of /opt, /etc and /var/lib, seen by its processes only."""

    def __init__(self, env, folder):
        self.env, self.folder = env, folder
        os.chmod(folder, 0o755)
        self.script = os.path.join(folder, "keeper.lua")
        with open(self.script, "w") as f:
            f.write(KEEPER)
        self.setup = ("set -e; mount -t tmpfs -o mode=755 none /opt; cp -a /etc '%s/etc'; "
                      "mount --bind '%s/etc' /etc; mount -t tmpfs -o mode=755 none /var/lib; "
                      % (folder, folder))

    def run(self, commands):
        """Runs shell commands on the island; what they printed. `daemon ARG...` is the program."""
        daemon = ("daemon() { '%s' --intercept=0 --lua-init=@'%s' \"$@\" || echo \"CODE $?\"; }; "
                  % (self.env.program, self.script))
        result = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c",
                                 self.setup + daemon + commands], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=100, cwd="/")
        check_equal("exit code of\n%s\n%s" % (commands, result.stdout[-3000:]),
                    result.returncode, 0)
        return result.stdout


def counts(said):
    return [int(n) for n in re.findall(r"^COUNT\t(\d+)$", said, re.M)]


def refusals(said):
    return re.findall(r"^sandbox: (?:writing|removing or renaming) '.*", said, re.M)


def test_learnt_strategies_survive(env):
    """A launcher makes a directory below /opt, gives it away, and starts the daemon twice."""
    with env.folder() as folder:
        said = Island(env, folder).run("""
            export STATE=/opt/zapret2/extra_strats/cache/autocircular
            mkdir -p $STATE; chown nobody $STATE
            mkdir -p /opt/zapret2/lua /opt/zapret2/init.d/sysv
            echo 'echo root' >/opt/zapret2/init.d/sysv/zapret2
            chmod 755 /opt/zapret2/init.d/sysv/zapret2
            daemon --user=nobody
            daemon --user=nobody
            echo "KEPT $(cat $STATE/state.tsv) $(ls $STATE)" """)
        check_equal("counts", counts(said), [1, 2])
        check_equal("moved", said.count("\nMOVED\ttrue"), 2)
        check_equal("removed", said.count("\nREMOVED\ttrue"), 2)
        check("KEPT 2 state.tsv\n" in said, "the file is not there:\n%s", said[-2000:])
        check_equal("refusals", refusals(said), [])


def test_directory_of_a_group(env):
    """root:daemon 0770, and the daemon in that group; not for one that is in no such group."""
    with env.folder() as folder:
        said = Island(env, folder).run("""
            export STATE=/etc/zapret2-manager/state/learned
            mkdir -p $STATE; chown -R root:daemon /etc/zapret2-manager
            chmod -R 770 /etc/zapret2-manager
            daemon --uid=65534:65534,$(id -g daemon)
            daemon --uid=65534:65534
            export STATE=/var/lib/zapret2
            mkdir $STATE; chown nobody $STATE
            daemon --uid=65534:65534 """)
        check_equal("counts", counts(said), [1, 1])


TREE = """
    z=/opt/zapret2; export STATE=$z/state
    mkdir -p $z/init.d/sysv $z/init.d/custom.d $z/common $z/lua $z/ipset $z/nfq2 $z/state $z/tool
    echo x >$z/init.d/custom.d/50-mine; echo x >$z/common/base.sh; echo x >$z/config
    echo x >$z/lua/lib.lua; echo x >$z/ipset/list; echo x >$z/nfq2/nfqws2
    echo x >$z/tool/run; echo x >$z/install_easy.sh
    chmod 755 $z/tool/run $z/nfq2/nfqws2 $z/install_easy.sh
    chown -R nobody $z
"""
PROGRAMS = ("config", "new", "init.d/custom.d/50-mine", "init.d/new", "common/base.sh",
            "lua/lib.lua", "ipset/list", "nfq2/nfqws2", "tool/run", "tool/new", "install_easy.sh")


def test_given_away_installation(env):
    """After chown -R of an installation scripts still do not rewrite what root runs."""
    with env.folder() as folder:
        attack = "".join("print('%s', io.open('/opt/zapret2/%s', 'a')) "
                         "print('%s', os.remove('/opt/zapret2/%s')) " % (n, n, n, n)
                         for n in PROGRAMS)
        said = Island(env, folder).run(TREE + """
            before=$(find $z ! -path '*/state*' -type f | sort | xargs sha256sum)
            daemon --user=nobody --lua-init="%s"
            [ "$before" = "$(find $z ! -path '*/state*' -type f | sort | xargs sha256sum)" ] &&
                echo UNTOUCHED """ % attack)
        check_equal("counts", counts(said), [1])
        check("UNTOUCHED\n" in said, "something was changed:\n%s", said[-3000:])
        for name in PROGRAMS:
            check_equal(name, len(re.findall(r"^%s\tnil\t" % re.escape(name), said, re.M)), 2)
        for name, why in (("tool/new", "'/opt/zapret2/tool/run' is executable"),
                          ("new", "'/opt/zapret2/common' is a folder of programs")):
            text = ("sandbox: writing '/opt/zapret2/%s' is forbidden to scripts: %s (--lua-allow="
                    "/opt/zapret2%s)\n" % (name, why, "/tool" if "/" in name else ""))
            check_equal(text, said.count(text), 1)


# What the rules leave out, each with the text of the refusal.
LEFT_OUT = {
    "open to everybody": ("mkdir $STATE; chmod 777 $STATE", "--user=nobody", "at the start"),
    "executable below": ("mkdir -p $STATE/a/b/c/d/e; echo >$STATE/a/b/c/d/e/run; "
                         "chmod +x $STATE/a/b/c/d/e/run; chown -R nobody $STATE", "--user=nobody",
                         "'/opt/place/state/a/b/c/d/e/run' is executable"),
    "link": ("mkdir /opt/other /etc/elsewhere; chown nobody /etc/elsewhere; "
             "ln -s /etc/elsewhere $STATE", "--user=nobody", "at the start"),
    "other file system": ("mkdir $STATE; mount -t tmpfs -o uid=65534 none $STATE", "--user=nobody",
                          "at the start"),
    "too many": ("mkdir $STATE; (cd $STATE; seq 3000 | xargs touch); chown nobody $STATE",
                 "--user=nobody", "there are too many files to look at all"),
}


@cases({name: case for name, case in LEFT_OUT.items()})
def test_left_out(env, make, user, why):
    with env.folder() as folder:
        said = Island(env, folder).run("mkdir /opt/place; export STATE=/opt/place/state; %s; "
                                       "daemon %s" % (make, user))
        check_equal("counts", counts(said), [])
        check_equal("refusals in\n" + said[-2000:], len(refusals(said)), 1)
        check(why in refusals(said)[0] and "(--lua-allow=" in refusals(said)[0], "said: %s", said)
        cut = "sandbox: more than 2000 files below /opt"
        check_equal("said that it was cut", cut in said, why.startswith("there are too many"))


def test_too_deep(env):
    """Four components count; what is below a granted directory goes with it."""
    with env.folder() as folder:
        said = Island(env, folder).run("""
            mkdir -p /opt/1/2/3/4/5; chown nobody /opt/1/2/3/4/5
            export STATE=/opt/1/2/3/4/5; daemon --user=nobody
            chown nobody /opt/1/2/3/4; daemon --user=nobody """)
        check_equal("counts", counts(said), [1])
        check_equal("refusals", len(refusals(said)), 1)


def test_daemon_as_root(env):
    with env.folder() as folder:
        said = Island(env, folder).run("export STATE=/opt/state; mkdir $STATE; daemon --uid=0:0")
        check_equal("counts", counts(said), [])
        check("is forbidden to scripts: the daemon is root (--lua-allow=/opt/state)" in said,
              "it said:\n%s", said[-1000:])


# A daemon in the background whose lists are in $DIRECTORY below /srv, which only the lists open.
LISTS = """
    mount -t tmpfs -o mode=755 none /srv
    fill() { mkdir -p $DIRECTORY; seq -f host%g.example $1 >$DIRECTORY/hosts
             seq -f 192.0.2.%g $1 >$DIRECTORY/nets; }
    wait_for() { n=0; until [ "$(grep -c "$1" $LOG)" = "$2" ]; do
                 n=$((n+1)); [ $n = 300 ] && { echo "NO $1"; cat $LOG; break; }; sleep 0.1; done; }
    fill 1
    daemon --user=nobody --hostlist=$DIRECTORY/hosts --ipset=$DIRECTORY/nets $EXTRA \
        --lua-init="function tick() end timer_set('t','tick',50)" >$LOG 2>&1 &
    wait_for 'Loaded 1 ' 2; wait_for ^COUNT 1
    reload() { kill -HUP $(pgrep -P $!); }
"""


def on_lists(env, directory, commands, extra=""):
    with env.folder() as folder:
        log = os.path.join(folder, "log")
        before = ("export STATE=/opt/state; mkdir $STATE; chown nobody $STATE; "
                  "DIRECTORY=%s LOG='%s' EXTRA=%s; " % (directory, log, extra))
        said = Island(env, folder).run(before + LISTS + commands +
                                       "\nkill $(pgrep -P $!); wait; cat $LOG")
        check("NO " not in said, "it said:\n%s", said[-3000:])
        return said


def test_list_directory_made_anew(env):
    """An updater that removes the directory of lists and makes it again, twice."""
    said = on_lists(env, "/srv/lists", """
        for count in 2 3; do
            rm -r $DIRECTORY; fill $count; reload
            wait_for "Loaded $count hosts from" 1; wait_for "Loaded $count ip/subnets from" 1
        done """)
    check("Permission denied" not in said, "it said:\n%s", said[-2000:])


REMEDY = ("the sandbox does not reach '%s' any more, its directory was made anew: restart, or give "
          "--lua-allow=<a directory above it that stays>\n")


def test_list_out_of_reach(env):
    """The parent is gone too: the lists stay as they are, and the message tells what to do."""
    said = on_lists(env, "/srv/a/lists", """
        rm -r /srv/a; fill 2; reload; wait_for "the sandbox does not reach" 2 """)
    for name in ("hosts", "nets"):
        check_equal(name, said.count(REMEDY % ("/srv/a/lists/" + name)), 1)
    check_equal("kept", said.count("in-memory content remains unchanged."), 2)
    said = on_lists(env, "/srv/a/lists", """
        rm -r /srv/a; fill 2; reload; wait_for "Loaded 2 " 2 """, "--lua-allow=/srv")
    check("does not reach" not in said, "it said:\n%s", said[-2000:])
