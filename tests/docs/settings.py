"""docs/config.md and its translation against config.default and the scripts that read it."""
import glob
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGES = ("docs/config.md", "docs/config.ru.md")
# Where the parts are, for tests and packages; no settings of the service.
PLACES = {"ZAPRET_BASE", "ZAPRET_RW", "ZAPRET_CONFIG", "ZAPRET_TARGET", "CUSTOM_DIR", "HOSTLIST_BASE", "NFQWS2",
          "NFQWS2CTL", "MDIG", "IP2NET", "IPT_STATE", "RC_SERVICE", "MAIN_PAUSE", "MAIN_PATIENCE", "SUPERVISE_PAUSE"}


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


def of_the_file():
    """Name -> value, commented out or not, in the order of config.default."""
    found = {}
    for name, value in re.findall(r'(?m)^#?([A-Z0-9_]+)=("[^"]*"|\S*)', read("config.default")):
        found[name] = value.strip('"')
    return found


def of_a_page(page):
    """Tables of the page: name -> defaults. The last table is of what is not in the file."""
    tables = []
    for line in read(page).splitlines():
        if re.match(r"\|-+\|", line):
            tables.append({})
        row = re.match(r"\| `(\w+)` \| (.*?) ?\| .+ \|$", line)
        if row:
            tables[-1][row[1]] = re.findall(r"`([^`]*)`", row[2])
    return tables


def of_the_scripts():
    """Name -> defaults that scripts give it."""
    found = {}
    scripts = [path for pattern in ("common/*.sh", "init.d/*/*", "ipset/*.sh")
               for path in glob.glob(os.path.join(ROOT, pattern)) if os.path.isfile(path) and "custom.d" not in path]
    for path in scripts:
        for name, value in re.findall(r'\$\{([A-Z][A-Z0-9_]+):?-("[^"]*"|[^}]*)\}', read(os.path.relpath(path, ROOT))):
            found.setdefault(name, set()).add(value.strip('"'))
    return found


# Defaults of scripts that stand for no default.
NONE = {"$IFACE_WAN", "0"}


def check(tally, _program, _lua):
    tally.problems("docs/config.md says what config.default and the scripts say", problems())


def problems():
    """What does not fit, a line each."""
    wrong = []
    english, russian = (of_a_page(page) for page in PAGES)
    if english != russian:
        wrong.append("the tables of %s and %s differ" % PAGES)
    *tables, more = english
    told = {name: values for table in tables for name, values in table.items()}
    settings, defaults = of_the_file(), of_the_scripts()
    if set(told) != set(settings):
        wrong.append("not the settings of config.default: %s" % sorted(set(told) ^ set(settings)))
    for name, value in settings.items():
        if name in told and name != "NFQWS2_OPT" and (told[name] or [""])[0] != value:
            wrong.append("%s: %s in the page, '%s' in config.default" % (name, told[name], value))
    commented = re.findall(r"(?m)^#([A-Z0-9_]+)=", read("config.default"))
    for name in commented + list(more):
        values = more.get(name) or told.get(name) or [""]
        strange = sorted(defaults.get(name, set()) - set(values) - NONE)
        if strange:
            wrong.append("%s: the scripts take %s, the page says %s" % (name, strange, values))
    for name in sorted(set(defaults) - set(told) - set(more) - PLACES):
        wrong.append("%s, which scripts read, stands in no table" % name)
    for name in more:
        if name in settings:
            wrong.append("%s stands in config.default" % name)
    return wrong
