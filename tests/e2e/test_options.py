"""Every option: good and bad values, and what it does, against what happens without it. An option
of --help that has no row in option_values.py or no effect in effects_*.py fails."""
import importlib
import os
import re

from effects import EFFECTS
from harness import Failure, cases, check, check_equal, without_root
from offline_world import World
from option_values import VALUES

for part in ("process", "engine", "profile"):
    importlib.import_module("effects_" + part)  # each fills EFFECTS

# Effects that only a running program shows: the test of this folder that shows them.
SHOWN_BY = {
    "bind-fix4": "test_faults.interface_goes_and_comes",
    "bind-fix6": "test_faults.interface_goes_and_comes",
    "control": "test_control.every_command_answers",
    "control-group": "test_control.who_may_ask",
    "lua-control": "test_nflua.code_from_outside",
    "lua-send": "test_nflua.code_from_outside",
    "nflua-netlink": "test_nflua.no_messages",
    "daemon": "test_startup.daemon_and_pidfile",
    "reload-on-hup": "test_reload.hup",
    "lua-reload": "test_reload.lua_reload",
    "qnum": "test_startup.second_program_on_a_queue",
    "hostlist-auto": "test_autohost.reset",
}


def help_names(env):
    text = env.run("--help").stdout
    return re.findall(r"^ --([a-z0-9-]+)", text, re.M)


@without_root
def test_every_option_is_in_the_table(env):
    names = help_names(env)
    check_equal("options named twice", [n for n in names if names.count(n) > 1], [])
    check_equal("options without values", sorted(set(names) - set(VALUES)), [])
    check_equal("options without effect",
                sorted(set(names) - set(EFFECTS) - set(SHOWN_BY)), [])
    check_equal("rows without option", sorted((set(VALUES) | set(EFFECTS)) - set(names)), [])
    for option, place in SHOWN_BY.items():
        module, name = place.split(".")
        module = importlib.import_module(module)
        check(hasattr(module, "test_" + name), "no test %s for --%s", place, option)
        with open(module.__file__) as f:
            check("--" + option in f.read(), "%s does not use --%s", place, option)


def word(name, value):
    return "--" + name + ("" if value is None else "=" + value)


def judge_values(env, folder, name):
    """Complaints about one row."""
    good, bad = VALUES[name]
    base = ["--dry-run", "--comment", *([] if name in ("qnum", "explain") else ["--qnum=200"])]
    only_text = {"version", "help", "explain", "explain-json", "check", "quiet", "print-rules"}
    complaints = []

    def run(value):
        return env.run(*base, word(name, value and value.replace("$F", folder)), cwd=folder,
                       env=dict(os.environ, TMPDIR=folder))
    for value in good:
        result = run(value)
        # Status lines go to standard error when data go to standard output.
        verified = name in only_text or "parameters verified" in result.stdout + result.stderr
        if result.returncode != 0 or not verified:
            complaints.append("%s is refused: %s" % (word(name, value), result.stderr))
        elif "option '--" in result.stderr and value != "300.1.1.1":
            complaints.append("%s is complained about: %s" % (word(name, value), result.stderr))
    for value, wanted in bad:
        result = run(value)
        where = "option '--%s' (argument %d): " % (name, len(base) + 1)
        wanted = wanted.replace("$F", folder)
        if result.returncode != 1 or where not in result.stderr or \
                not re.search(wanted, result.stderr.partition(where)[2]):
            complaints.append("%s: exit code %d, %r" % (word(name, value), result.returncode,
                                                        result.stderr))
    return complaints


FOR_ROOT = ("user", "uid")  # become somebody else, also in a dry run


@cases({name: (name,) for name in VALUES if name not in FOR_ROOT})
@without_root
def test_values(env, name):
    check_values(env, name)


@cases({name: (name,) for name in FOR_ROOT})
def test_values_for_root(env, name):
    check_values(env, name)


def check_values(env, name):
    with env.folder() as folder:
        world = World(env, folder)
        world.file("hosts.txt", "a.example\n")
        world.file("nets.txt", "192.0.2.0/24\n")
        world.file("a.lua", "x=1\n")
        world.file("rules.toml", "version = 1\n")
        world.file("packed.gz", b"\x1f\x8b\x08\0")
        complaints = judge_values(env, folder, name)
        if not complaints and VALUES[name][0] == [None]:
            result = env.run("--qnum=200", word(name, "1"))
            if result.returncode != 1 or "doesn't allow an argument" not in result.stderr:
                complaints.append("%s=1 is accepted" % name)
        if None not in VALUES[name][0]:
            result = env.run("--qnum=200", word(name, None))
            if result.returncode != 1 or "requires an argument" not in result.stderr:
                complaints.append("--%s without a value is accepted" % name)
        check(not complaints, "%s", "\n".join(complaints))


@cases({name: (name,) for name in sorted(EFFECTS)})
def test_effect(env, name):
    with env.folder() as folder:
        os.chmod(folder, 0o755)
        try:
            EFFECTS[name](World(env, folder))
        except Failure as failure:
            line = failure.__traceback__
            while line.tb_next.tb_next is not None:
                line = line.tb_next
            raise Failure("%s (line %d of %s)" % (failure, line.tb_lineno, os.path.basename(
                line.tb_frame.f_code.co_filename))) from failure
