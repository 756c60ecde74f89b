"""The units under a real systemd: it runs as the first process of a container made for the test (own mounts,
processes, network and control group; an overlay of the machine's files), starts the units and reports."""
import os
import shutil
import signal
import subprocess

from sandbox import BASE, Failure, World, check, contains, equal, lacks, mount

SHELLS = ("dash",)
ROOTFS = "/opt/root"

# Runs in new namespaces: arranges the container's root and becomes systemd.
BOOT = r"""
set -e
R=%s
mount -t proc proc $R/proc
mount -t sysfs sysfs $R/sys
mount -t cgroup2 cgroup2 $R/sys/fs/cgroup
for d in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs $R/$d; done
chmod 1777 $R/tmp
for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0" "ptmx 5 2"; do
	set -- $node
	mknod -m 666 $R/dev/$1 c $2 $3
done
mkdir $R/dev/shm
: >$R/dev/console
ip link set lo up
# A real change of the root: systemd makes mount namespaces from here.
mkdir $R/old
cd $R
pivot_root . old
umount -l /old
exec env -i container=test PATH=%s /lib/systemd/systemd --unit=probe.target --log-target=null --show-status=0
""" % (ROOTFS, "/usr/sbin:/usr/bin:/sbin:/bin")

PROBE_TARGET = "[Unit]\nDescription=probe\nWants=probe.service\nAfter=probe.service\n"
PROBE_SERVICE = "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sh /probe.sh\n"
# Units asked for are started without what they want from a whole system.
PROBE = r"""
exec >/result 2>&1
say() { echo "== $*"; }
cp /units/* /etc/systemd/system/
systemctl daemon-reload
ip link set lo up
%s
touch /done
"""


def boot(world, probe, units, files):
    """Boots the container, returns what the probe printed."""
    for name in ("upper", "work", "root"):
        os.makedirs("/opt/" + name)
    mount("overlay", ROOTFS, "overlay", 0, "lowerdir=/,upperdir=/opt/upper,workdir=/opt/work")
    for folder in ("etc/systemd/system", "etc/zapret2", "units"):
        shutil.rmtree("%s/%s" % (ROOTFS, folder), ignore_errors=True)
        os.makedirs("%s/%s" % (ROOTFS, folder))
    shutil.rmtree(ROOTFS + BASE, ignore_errors=True)
    # What is mounted in the world is not part of the overlay's lower folder.
    shutil.copytree(BASE, ROOTFS + BASE, symlinks=True)
    for folder, program in (("nfq2", "nfqws2"), ("ip2net", "ip2net"), ("mdig", "mdig")):
        target = "%s%s/%s/%s" % (ROOTFS, BASE, folder, program)
        os.remove(target)
        shutil.copy("/opt/programs/" + program, target)
    if os.path.exists("/opt/programs/nfqws2ctl"):
        target = "%s%s/nfq2/nfqws2ctl" % (ROOTFS, BASE)
        os.remove(target)
        shutil.copy("/opt/programs/nfqws2ctl", target)
    for path, text in {**files, "/probe.sh": PROBE % probe, "/etc/systemd/system/probe.target": PROBE_TARGET,
                       "/etc/systemd/system/probe.service": PROBE_SERVICE}.items():
        world.write(ROOTFS + path, text)
    for name, text in units.items():
        world.write("%s/units/%s" % (ROOTFS, name), text)
    world.write("/opt/boot.sh", BOOT)

    # systemd gets a control group of its own to arrange.
    os.makedirs("/opt/cgroup")
    mount("cgroup2", "/opt/cgroup", "cgroup2")
    group = "/opt/cgroup/nfqws2-test-%d" % os.stat("/proc/self/ns/pid").st_ino
    os.mkdir(group)

    def join():
        with open(group + "/cgroup.procs", "w", encoding="utf-8") as f:
            f.write("0")

    process = subprocess.Popen(
        ["unshare", "-m", "-p", "-n", "-C", "-u", "-i", "-f", "--kill-child", "sh", "/opt/boot.sh"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=join,
        env={"PATH": world.env["PATH"]}, start_new_session=True)
    try:
        try:
            world.wait_for(lambda: os.path.exists(ROOTFS + "/done") or process.poll() is not None, "not done", 50)
        except Failure as problem:
            said = world.sh("cat %s/result %s/*.log" % (ROOTFS, ROOTFS), check_code=None)
            raise Failure("the container does not come to an end\n" + said) from problem
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        for folder, _, _ in os.walk(group, topdown=False):
            for _ in range(100):
                try:
                    os.rmdir(folder)
                    break
                except OSError:
                    subprocess.run(["sleep", "0.05"], check=False)
    check(os.path.exists(ROOTFS + "/result"), "systemd did not run the probe")
    return world.read(ROOTFS + "/result")


def section(text, name):
    contains(text, "== %s\n" % name)
    return text.split("== %s\n" % name)[1].split("== ")[0]


def test_service_unit(world: World):
    """zapret2.service starts daemon and rules, restarts, stops; the timer runs the list script."""
    world.config("FWTYPE=iptables", "NFQWS2_ENABLE=1", "WS_USER=nobody", "GETLIST=probe.sh")
    world.write("ipset/probe.sh", "echo update ran >/update\n")
    units = {name: world.read("init.d/systemd/" + name) for name in
             ("zapret2.service", "zapret2-list-update.service", "zapret2-list-update.timer")}
    probe = """
say start; systemctl start --job-mode=ignore-dependencies zapret2
say active; systemctl is-active zapret2; cat /proc/$(cat /run/nfqws2_1.pid)/comm; iptables-save | grep -c NFQUEUE
say group; systemctl show -p ControlGroup --value zapret2; cat /proc/$(cat /run/nfqws2_1.pid)/cgroup
say restart; systemctl restart --job-mode=ignore-dependencies zapret2; cat /proc/$(cat /run/nfqws2_1.pid)/comm
say crash; old=$(cat /run/nfqws2_1.pid); kill -SEGV $old
for i in $(seq 600); do new=$(cat /run/nfqws2_1.pid); [ $new != $old ] && break; sleep 0.05; done
cat /proc/$new/comm; grep -c zapret2.service /proc/$new/cgroup; systemctl is-active zapret2
say stop; systemctl stop zapret2; systemctl is-active zapret2; iptables-save | grep -c NFQUEUE; ls /run/nfqws2_1.pid
pgrep -c -f 'nfqws2|supervise'
say partial; echo 'zapret_custom_firewall() { ipt INPUT -m nosuchmatch; }' >/opt/zapret2/init.d/sysv/custom.d/50-bad
systemctl start --job-mode=ignore-dependencies zapret2; systemctl is-active zapret2; iptables-save | grep -c NFQUEUE
say update; systemctl start --job-mode=ignore-dependencies zapret2-list-update; cat /update
say timer; systemctl start zapret2-list-update.timer; systemctl is-active zapret2-list-update.timer
"""
    text = boot(world, probe, units, {})
    equal(section(text, "start"), "")
    equal(section(text, "active"), "active\nnfqws2\n6\n")
    contains(section(text, "group"), "zapret2.service\n")
    equal(section(text, "restart"), "nfqws2\n")
    equal(section(text, "crash"), "nfqws2\n1\nactive\n")
    equal([line for line in section(text, "stop").split("\n") if not line.startswith("ls:")],
          ["inactive", "0", "0", ""])
    contains(section(text, "stop"), "No such file")
    equal(section(text, "partial"), "active\n6\n")
    equal(section(text, "update"), "update ran\n")
    equal(section(text, "timer"), "active\n")


JOURNAL = """
systemctl start --job-mode=ignore-dependencies systemd-journald.socket systemd-journald-dev-log.socket systemd-journald
errors() { journalctl --sync; journalctl -q -p err -o cat --no-pager _SYSTEMD_UNIT=$1; }
"""


def test_service_fails_with_its_daemon(world: World):
    """Failed is failed: options that do not fit, a daemon that is gone. And the journal knows the errors."""
    world.use_iptables("nft")
    world.config("FWTYPE=iptables", "WS_USER=nobody", "NFQWS2_ENABLE=1", "MODE_FILTER=none", "DAEMON_RESPAWN=0")
    units = {"zapret2.service": world.read("init.d/systemd/zapret2.service")}
    probe = JOURNAL + """
start() { systemctl start --job-mode=ignore-dependencies zapret2; }
wait_until() { for i in $(seq 600); do [ "$(systemctl is-active zapret2)" = $1 ] && break; sleep 0.05; done; }
say start; start; systemctl is-active zapret2; systemctl show -p StatusText --value zapret2
say socket; ls /run/zapret2/nfqws2-300.sock; tr '\\0' '\\n' </proc/$(cat /run/nfqws2_1.pid)/cmdline
say dump; kill -USR1 $(cat /run/nfqws2_1.pid)
for i in $(seq 600); do journalctl -q -o cat --no-pager | grep -q 'CONNTRACK DUMP' && break; sleep 0.05; done
journalctl -q -o cat -p info..info --no-pager _SYSTEMD_UNIT=zapret2.service | grep 'CONNTRACK DUMP'
say reload; old=$(cat /run/nfqws2_1.pid); systemctl reload zapret2; systemctl is-active zapret2
[ $old = $(cat /run/nfqws2_1.pid) ] && echo same
say gone; kill -KILL $(cat /run/nfqws2_1.pid); wait_until failed; systemctl is-active zapret2
iptables-save | grep -c NFQUEUE
say errors; errors zapret2.service
say options; echo 'NFQWS2_OPT=--no-such-option' >>/opt/zapret2/config; start; systemctl is-active zapret2
iptables-save | grep -c NFQUEUE
say why; errors zapret2.service | grep -c "unrecognized option '--no-such-option'"
"""
    text = boot(world, probe, units, {})
    equal(section(text, "start"), "active\n1 daemon(s) run\n")
    equal(section(text, "socket").split("\n")[0], "/run/zapret2/nfqws2-300.sock")
    contains(section(text, "socket"), "\n@/run/zapret2/300.conf\n--qnum=300\n")
    equal(section(text, "dump"), "CONNTRACK DUMP\n")
    equal(section(text, "reload"), "active\nsame\n")
    equal(section(text, "gone"), "failed\n0\n")
    contains(section(text, "errors"), "ERROR: no daemon runs any more\n")
    contains(section(text, "options"), "failed\n0\n")
    equal(section(text, "why"), "1\n")


def test_instance_unit(world: World):
    """The daemon works inside the sandbox of nfqws2@.service: it gets ready, reloads, writes its list, restarts."""
    unit = world.read("init.d/systemd/nfqws2@.service")
    conf = """--qnum=777 --user=nobody --writable=/tmp/w
        --lua-init=@%s/lua/zapret-lib.lua --lua-init=@%s/lua/zapret-antidpi.lua --lua-init=@%s/lua/zapret-auto.lua
        --filter-tcp=80,443 --hostlist=/etc/zapret2/hosts.txt --hostlist-auto=/etc/zapret2/auto.txt
        --payload=tls_client_hello,http_req --lua-desync=multisplit:pos=2\n""" % (BASE, BASE, BASE)
    probe = """
rules() { iptables-save -t mangle | grep -q 'queue-num 777' && echo rules || echo no rules; }
say start; systemctl start --job-mode=ignore-dependencies nfqws2@one
say active; systemctl is-active nfqws2@one; awk '$1 == 777 { print "bound" }' /proc/net/netfilter/nfnetlink_queue
pid=$(systemctl show -p MainPID --value nfqws2@one)
say socket; stat -c '%a %U %G' /run/zapret2/nfqws2-one.sock; tr '\\0' '\\n' </proc/$pid/cmdline
say caps; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/$pid/status; ls -l /etc/zapret2/auto.txt
say traffic; rules
python3 -m http.server -b 127.0.0.1 80 >/dev/null 2>&1 &
curl -s -o /dev/null -m 30 --retry 20 --retry-delay 1 --retry-connrefused -w '%{http_code}\\n' http://127.0.0.1/
awk '$1 == 777 { print ($8 > 3) ? "queued" : "not queued" }' /proc/net/netfilter/nfnetlink_queue
say reload; systemctl reload nfqws2@one; sleep 0.5; systemctl is-active nfqws2@one
say crash; kill -9 $pid
for i in $(seq 300); do
	n=$(systemctl show -p MainPID --value nfqws2@one)
	[ $n != 0 ] && [ $n != $pid ] && systemctl -q is-active nfqws2@one && break
	sleep 0.1
done
systemctl is-active nfqws2@one; test $pid != $(systemctl show -p MainPID --value nfqws2@one) && echo new
say stop; systemctl stop nfqws2@one; systemctl is-active nfqws2@one; rules
say own; iptables -t mangle -A OUTPUT -p tcp --dport 80 -j NFQUEUE --queue-num 777 --queue-bypass
systemctl start --job-mode=ignore-dependencies nfqws2@one; iptables-save -t mangle | grep -c NFQUEUE
systemctl stop nfqws2@one; rules
say none; iptables -t mangle -F; mkdir /etc/systemd/system/nfqws2@one.service.d
printf '[Service]\\nEnvironment=RULES=no\\n' >/etc/systemd/system/nfqws2@one.service.d/rules.conf
systemctl daemon-reload
systemctl start --job-mode=ignore-dependencies nfqws2@one; rules
say bad; systemctl start --job-mode=ignore-dependencies nfqws2@two; systemctl is-active nfqws2@two
"""
    text = boot(world, probe, {"nfqws2@.service": unit},
                {"/etc/zapret2/one.conf": conf, "/etc/zapret2/hosts.txt": "example.com\n",
                 "/etc/zapret2/two.conf": "--qnum=778 --no-such-option"})
    equal(section(text, "start"), "")
    equal(section(text, "active"), "active\nbound\n")
    equal(section(text, "socket"), "660 root root\n%s/nfq2/nfqws2\n@/etc/zapret2/one.conf\n"
          "--control=/run/zapret2/nfqws2-one.sock\n" % BASE)
    status = dict(line.split(":") for line in section(text, "caps").splitlines() if ":\t" in line)
    equal({k: v.strip() for k, v in status.items()},
          {"CapEff": "0000000000003000", "CapBnd": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"})
    contains(section(text, "caps"), "nobody")
    equal(section(text, "traffic"), "rules\n200\nqueued\n")
    equal(section(text, "reload"), "active\n")
    equal(section(text, "crash"), "active\nnew\n")
    equal(section(text, "stop"), "inactive\nno rules\n")
    equal(section(text, "own"), "1\nrules\n")
    equal(section(text, "none"), "no rules\n")
    lacks(section(text, "bad"), "\nactive")
