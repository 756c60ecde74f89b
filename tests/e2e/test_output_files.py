"""Files that root opens for writing: nobody may lead it elsewhere, and usual places go on working."""
import contextlib
import os
import shutil
import subprocess
import tempfile

from harness import DATA, cases, check, check_equal

SOURCE = os.path.join(DATA, "golden", "085-multisplit-default", "in.pcap")
STRANGER, DAEMON = 12345, 0x7FFFFFFF
OPTIONS = {
    "debug": ("--debug=@%s",), "hostlist-auto": ("--hostlist-auto=%s",),
    "hostlist-auto-debug": ("--hostlist-auto-debug=%s",), "pidfile": ("--pidfile=%s",),
    "trace": ("--trace=%s", "--pcap-in=" + SOURCE),
    "pcap-out": ("--pcap-out=%s", "--pcap-in=" + SOURCE),
}
# All of a daemon.
NAMES = {"log": "--debug", "auto": "--hostlist-auto", "debug": "--hostlist-auto-debug", "pid": "--pidfile",
         "trace": "--trace", "capture": "--rules-capture", "export": "--rules-export", "stats": "--rules-stats",
         "state": "--state-dir", "socket": "--control", "code": "--lua-control"}
# These are given to the user of the daemon.
GIVEN = ("debug", "hostlist-auto", "hostlist-auto-debug")


@contextlib.contextmanager
def folder_of(owner, mode=0o755):
    folder = tempfile.mkdtemp(prefix="nfqws2-output-", dir="/var/tmp")
    try:
        os.chmod(folder, mode)
        os.chown(folder, owner, owner)
        yield folder
    finally:
        shutil.rmtree(folder)


def run(env, name, path, **more):
    option, *others = OPTIONS[name]
    if "--pcap-in=" + SOURCE not in others:
        others.append("--intercept=0")
    return env.run(option % path, *others, **more)


def write(path, text, owner=0, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    os.chown(path, owner, owner)


def read(path):
    with open(path, errors="replace") as f:
        return f.read()


def check_untouched(path, text):
    check_equal("contents", read(path), text)
    check_equal("owner", os.stat(path).st_uid, 0)


EVERY = {name: (name,) for name in OPTIONS}


@cases(EVERY)
def test_links_of_others(env, name):
    """A link, a hard link, and a link on the way: root's file stays as it is."""
    with folder_of(0, 0o700) as private, folder_of(STRANGER) as folder:
        victim = os.path.join(private, "victim")
        write(victim, "precious.example\n", mode=0o600)
        trap = os.path.join(folder, "trap")
        os.symlink(victim, trap)
        result = run(env, name, trap)
        check(result.returncode != 0, "it started: %s", result.stderr)
        check("is a link in a directory that others can write to" in result.stderr, "it said: %s",
              result.stderr)
        check_untouched(victim, "precious.example\n")
        os.remove(trap)
        os.link(victim, trap)
        result = run(env, name, trap)
        check(result.returncode != 0 and "it has more than one name" in result.stderr,
              "hard link: %s", result.stderr)
        check_untouched(victim, "precious.example\n")
        os.symlink(private, os.path.join(folder, "way"))
        result = run(env, name, os.path.join(folder, "way", "victim"))
        check(result.returncode != 0, "link on the way: %s", result.stderr)
        check_untouched(victim, "precious.example\n")
        check_equal("made", os.listdir(private), ["victim"])


@cases(EVERY)
def test_public_folder(env, name):
    """In a folder like /tmp: no links, no files of others; those of root and the daemon are used."""
    with folder_of(0, 0o1777) as folder:
        victim, path = os.path.join(folder, "victim"), os.path.join(folder, "file")
        write(victim, "precious.example\n")
        os.symlink(victim, path)
        check(run(env, name, path).returncode != 0, "a link was followed")
        check_untouched(victim, "precious.example\n")
        os.remove(path)
        os.link(victim, path)
        check(run(env, name, path).returncode != 0, "a file with two names was used")
        check_untouched(victim, "precious.example\n")
        os.remove(path)
        write(path, "theirs.example\n", STRANGER, 0o666)
        result = run(env, name, path)
        check(result.returncode != 0 and "belongs to another user (uid 12345)" in result.stderr,
              "file of a stranger: %s", result.stderr)
        check_equal("contents", read(path), "theirs.example\n")
        os.remove(path)
        os.mkfifo(path, 0o666)
        os.chown(path, STRANGER, STRANGER)
        check(run(env, name, path).returncode != 0, "a pipe of a stranger was used")
        for owner in None, 0, DAEMON:
            if os.path.lexists(path):
                os.remove(path)
            if owner is not None:
                write(path, "ours.example\n", owner, 0o600)
            result = run(env, name, path)
            check_equal("exit code with a file of %s: %s" % (owner, result.stderr),
                        result.returncode, 0)
            check_equal("owner", os.stat(path).st_uid,
                        DAEMON if name in GIVEN else owner or 0)


@cases(EVERY)
def test_folder_of_somebody(env, name):
    """Files are made there in the name of its owner, and used again at the next start."""
    for owner in STRANGER, DAEMON:
        for mode in 0o755, 0o700:
            with folder_of(owner, mode) as folder:
                os.chmod(folder, mode)
                path = os.path.join(folder, "file")
                reachable = mode == 0o755 or owner == DAEMON or name not in GIVEN
                for _ in range(2):
                    result = run(env, name, path)
                    check(result.returncode == 0 or not reachable, "%o: %s", mode, result.stderr)
                check_equal("owner", os.stat(path).st_uid, DAEMON if name in GIVEN else owner)


@cases({name: (name,) for name in GIVEN})
def test_list_made_by_root(env, name):
    """What an administrator has put into the folder of the daemon's user becomes the daemon's."""
    with folder_of(DAEMON) as folder:
        path = os.path.join(folder, "file")
        write(path, "ours.example\n", 0, 0o644)
        result = run(env, name, path)
        check_equal("exit code: %s" % result.stderr, result.returncode, 0)
        check_equal("owner", os.stat(path).st_uid, DAEMON)
        check("chown" not in result.stderr, "it complained: %s", result.stderr)


def test_secrets_are_not_given(env):
    """Who owns the folder can give a file of root another name."""
    with folder_of(STRANGER) as folder:
        path = os.path.join(folder, "auto")
        write(path, "secret.example\n", 0, 0o600)
        result = run(env, "hostlist-auto", path)
        check(result.returncode != 0, "it started: %s", result.stderr)
        check_untouched(path, "secret.example\n")


@cases(EVERY)
def test_links_of_root(env, name):
    """/var/run and /opt are links on many systems; an administrator may move a log or a list."""
    with folder_of(0) as elsewhere, folder_of(0) as folder:
        os.symlink(elsewhere, os.path.join(folder, "run"))
        os.symlink(os.path.join(elsewhere, "moved"), os.path.join(folder, "file"))
        for path, place in (("run/one", "one"), ("file", "moved")):
            for _ in range(2):
                result = run(env, name, os.path.join(folder, path))
                check_equal("exit code: %s" % result.stderr, result.returncode, 0)
            made = os.path.join(elsewhere, place)
            check(os.path.isfile(made), "%s was not made", place)
            check_equal("owner", os.stat(made).st_uid, DAEMON if name in GIVEN else 0)
        # As /tmp/opt of some routers: made by root where everybody can make files.
        os.chmod(folder, 0o1777)
        result = run(env, name, os.path.join(folder, "run/two"))
        check_equal("exit code: %s" % result.stderr, result.returncode, 0)
        check(os.path.isfile(os.path.join(elsewhere, "two")), "the link on the way was not followed")


@cases(EVERY)
def test_groups_of_root(env, name):
    """The rights of a folder's owner are all: what a group of root may write to stays as it is."""
    group = 4711
    with folder_of(0, 0o700) as private, folder_of(STRANGER) as folder:
        victim, path = os.path.join(private, "victim"), os.path.join(folder, "file")
        write(victim, "precious.example\n", mode=0o664)
        os.chown(victim, 0, group)
        os.link(victim, path)
        result = run(env, name, path, preexec_fn=lambda: os.setgroups([group]))
        check(result.returncode != 0, "it started: %s", result.stderr)
        check_untouched(victim, "precious.example\n")
        os.remove(path)
        result = run(env, name, path, preexec_fn=lambda: os.setgroups([group]))
        check_equal("exit code: %s" % result.stderr, result.returncode, 0)


# Each with the options of a daemon behind it.
LOOKS = {"check": ("--check",), "dry-run": ("--dry-run",), "rules": ("--print-rules=service",),
         "explain": ("--explain=tcp:192.0.2.1:80",), "version": ("--version",),
         "bad": ("--no-such-option", "--dry-run")}


@cases(LOOKS)
def test_looks_leave_everything_alone(env, *words):
    """The service asks about the options of a daemon that runs and writes to these files."""
    with folder_of(0) as folder, folder_of(0) as empty:
        rules = os.path.join(folder, "rules.toml")
        write(rules, 'version = 1\n[[profile]]\n[[profile.rule]]\nmatch = [ { dport = 9 } ]\naction = [ "drop" ]\n')

        def ask(where):
            files = ["%s=%s%s/%s" % (option, "@" if option == "--debug" else "", where, name)
                     for name, option in NAMES.items()]
            return env.run("--qnum=300", "--rules=" + rules, *files, "--writable",
                           "--hostlist=%s/auto" % where, *words)

        result = ask(empty)
        check_equal("exit code: %s" % result.stderr, result.returncode, int(words[0] == "--no-such-option"))
        check_equal("made", os.listdir(empty), [])
        for name in NAMES:
            write(os.path.join(folder, name), "kept.example\n")
        ask(folder)
        for name in NAMES:
            text = read(os.path.join(folder, name))
            check(text.startswith("kept.example\n"), "%s has %s", name, text)
            if name not in ("log", "debug"):
                check_equal(name, text, "kept.example\n")
        result = ask(folder + "/none")
        check(result.returncode == 1 and folder + "/none" in result.stderr or words[0] == "--version",
              "without a folder: %s", result.stderr)


def test_relative_names(env):
    """The folder of the start counts, not that of a later --chdir."""
    with folder_of(0) as folder:
        os.mkdir(os.path.join(folder, "in"))
        result = env.run("--debug=@log", "--pidfile=in/../pid", "--hostlist-auto=./auto",
                         "--hostlist-auto-debug=in/debug", "--writable=w", "--chdir=/",
                         "--intercept=0", cwd=folder)
        check_equal("exit code: %s" % result.stderr, result.returncode, 0)
        check_equal("made", sorted(os.listdir(folder)), ["auto", "in", "log", "pid", "w"])
        check_equal("made", os.listdir(os.path.join(folder, "in")), ["debug"])


def test_devices_and_pipes(env):
    for name in "debug", "trace", "pcap-out":
        result = run(env, name, "/dev/null")
        check_equal("%s: %s" % (name, result.stderr), result.returncode, 0)
        read_end, write_end = os.pipe()
        option, *others = OPTIONS[name]
        done = subprocess.run(
            [env.program, option % ("/dev/fd/%d" % write_end), "--lua-init=DLOG('said')",
             "--intercept=0" if not others else others[0]], pass_fds=[write_end],
            capture_output=True, text=True, errors="replace", check=False, timeout=60)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as f:
            got = f.read()
        check_equal("%s into a pipe: %s" % (name, done.stderr), done.returncode, 0)
        check(len(got) > 20, "%s: nothing came through the pipe", name)
    check_equal("owner of /dev/null", os.stat("/dev/null").st_uid, 0)


def test_folder_for_scripts(env):
    """--writable: a link is followed where root alone can have put it."""
    script = "--lua-init=print('to '..os.getenv('WRITABLE'))"
    with folder_of(0) as elsewhere, folder_of(STRANGER) as folder, folder_of(0) as own:
        os.mkdir(os.path.join(elsewhere, "w"))
        os.symlink(os.path.join(elsewhere, "w"), os.path.join(folder, "w"))
        os.symlink(os.path.join(elsewhere, "w"), os.path.join(own, "w"))
        result = env.run("--intercept=0", "--writable=" + os.path.join(folder, "w"), script)
        check(result.returncode == 1 and "others can write to" in result.stderr, "%s",
              result.stderr)
        check_equal("owner", os.stat(os.path.join(elsewhere, "w")).st_uid, 0)
        result = env.run("--intercept=0", "--writable=" + os.path.join(own, "w"), script)
        check("to %s/w\n" % elsewhere in result.stdout, "%s%s", result.stdout, result.stderr)
        check_equal("owner", os.stat(os.path.join(elsewhere, "w")).st_uid, DAEMON)


def test_user_that_is_named_later(env):
    """A log of the daemon in /tmp belongs to the user that a later option names."""
    with folder_of(0, 0o1777) as folder:
        path = os.path.join(folder, "log")
        for _ in range(2):
            result = env.run("--debug=@" + path, "--intercept=0", "--uid=%d" % STRANGER)
            check_equal("exit code: %s" % result.stderr, result.returncode, 0)
            check_equal("owner", os.stat(path).st_uid, STRANGER)
