"""docs/blockcheck2.md and its translation against the variables that blockcheck2 reads."""
import glob
import os
import re

import settings

PAGES = ("docs/blockcheck2.md", "docs/blockcheck2.ru.md")
FILES = ("blockcheck2.sh", "common/blockcheck/*.sh", "blockcheck2.d/*/*.sh", "blockcheck2.d/*/*.inc")
# Where the parts of an installation are, and names that the scripts use among themselves.
INTERNAL = set("""
    ZAPRET_BASE ZAPRET_CONFIG ZAPRET_RW CURL_VERSION DAEMON_OUT FOUND H_STATUS RESUMED H_LOCATION URI
""".split())
# Defaults that are not values.
NO_VALUE = re.compile(r"\$")


def sources():
    return [settings.read(os.path.relpath(path, settings.ROOT)) for pattern in FILES
            for path in sorted(glob.glob(os.path.join(settings.ROOT, pattern)))]


def of_the_scripts():
    """Name -> defaults that the scripts give it."""
    found = {}

    def add(name, value=None):
        found.setdefault(name, set())
        if value and not NO_VALUE.search(value):
            found[name].add(os.path.basename(value) if value.endswith(".txt") else value)
    for text in sources():
        own = re.search(r"(?m)^OWN_VARIABLES='([^']*)'", text)
        for name in own[1].split() if own else ():
            add(name)
        for name, value in re.findall(r"(?m)^\t*set_default ([A-Z0-9_]+) ('[^']*'|\S+)", text):
            add(name, value.strip("'\""))
        for name, value in re.findall(r"\$\{([A-Z][A-Z0-9_]+):?-('[^']*'|[^}]*)\}", text):
            add(name, value.strip("'"))
        for name in re.findall(r"std_(?:skipped|oob) ([A-Z_]+)", text):
            add(name)
        uses = "std_(?:use_fake|use_faked_pattern|fake_hostfake_begin|seqovl_pattern)"
        for name in re.findall(uses + r' [^\n]*?"\$([A-Z_]{5,})"', text):
            add(name)
        for name in re.findall(r"ask_(?:value|switch|choice) ([A-Z0-9_]+) ", text):
            add(name)
        for name in re.findall(r"\$\{?(HOSTFAKE|STANDARD_FIX|NO_COLOR)\b", text):
            add(name)
    for name in INTERNAL:
        found.pop(name, None)
    return found


def of_a_page(page):
    """Name -> defaults, of the tables of variables."""
    return {name: re.findall(r"`([^`]*)`", values) for name, values in re.findall(
        r"(?m)^\| `([A-Z][A-Z0-9_]+)` \| (.*?) ?\| .+ \|$", settings.read(page))}


def problems():
    """What does not fit, a line each."""
    english, russian = (of_a_page(page) for page in PAGES)
    wrong = []
    if english != russian:
        wrong.append("the tables of %s and %s differ: %s" % (*PAGES, sorted(
            name for name in set(english) | set(russian) if english.get(name) != russian.get(name))))
    found = of_the_scripts()
    for name in sorted(set(found) - set(english)):
        wrong.append("%s, which blockcheck2 reads, stands in no table" % name)
    for name in sorted(set(english) - set(found)):
        wrong.append("%s stands in a table, but nothing reads it" % name)
    for name in sorted(set(found) & set(english)):
        strange = found[name] - set(english[name])
        if strange:
            wrong.append("%s: the scripts take %s, the page says %s" % (name, sorted(strange), english[name]))
    return wrong


def check(tally, _program, _lua):
    tally.problems("docs/blockcheck2.md says what blockcheck2 reads", problems())
