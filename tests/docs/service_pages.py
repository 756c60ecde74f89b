"""docs/custom-scripts.md and docs/lists.md, with their translations, against the scripts."""
import glob
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CUSTOM = ("docs/custom-scripts.md", "docs/custom-scripts.ru.md")
LISTS = ("docs/lists.md", "docs/lists.ru.md")


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


def rows(page):
    """Cells of all rows of tables, without heads: those have no code in the first cell."""
    for line in read(page).splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def code(cell):
    return [text.replace("\\|", "|") for text in re.findall(r"`([^`]+)`", cell)]


# --- custom scripts


def declared():
    """What common/api.sh declares: name with arguments."""
    found = []
    for line in read("common/api.sh").splitlines():
        match = re.match(r"#   (\$?\w+(?: \S+)*)", line)
        if match:
            found.append(match[1])
    return found


def settings_of_examples():
    """Name of the example -> settings that it takes."""
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "init.d/custom.d.examples.linux/*"))):
        text = read(os.path.relpath(path, ROOT))
        names = re.findall(r"(?m)^(\w+)=\$\{\1:-", text) + re.findall(r"\b(FW_EXTRA_\w+_NFQWS2_\w+)\b", text) + \
            re.findall(r"\b(NFQWS2_ENABLE_OVERRIDE)\b", text)
        found[os.path.basename(path)] = sorted(set(names))
    return found


def custom_problems():
    wanted, examples, wrong = declared(), settings_of_examples(), []
    for page in CUSTOM:
        told = [code(row[0])[0] for row in rows(page)]
        wrong += ["%s lacks %s" % (page, name) for name in wanted if name not in told]
        wrong += ["%s tells %s, which common/api.sh does not declare" % (page, name) for name in told
                  if name not in wanted and name not in examples and not name.startswith("/") and
                  name not in ("install_easy.sh",)]
        shown = {code(row[0])[0]: sorted(code(row[2])) for row in rows(page) if len(row) == 3}
        wrong += ["%s: %s has the settings %s" % (page, name, settings) for name, settings in examples.items()
                  if shown.get(name) != settings]
    return wrong


# --- lists


def list_scripts():
    """Name -> (addresses, least bytes of the first)."""
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "ipset/get_*.sh"))):
        name, text = os.path.basename(path), read(os.path.relpath(path, ROOT))
        text = text.replace("\\\n", " ")
        least = re.search(r"(?m)^run_(?:ip|host)_list_script (\d+) ", text)
        base = re.search(r"(?m)^(\w+)=(https://\S+)$", text)
        if base:
            text = text.replace(base[0], "").replace("$" + base[1], base[2]).replace("${%s}" % base[1], base[2])
        found[name] = (re.findall(r"https://[^\s\"]+", text), least[1] if least else "")
    del found["get_config.sh"]
    return found


def names_of_lists():
    """Lists and files that def.sh names."""
    return set(re.findall(r"\$IPSET_RW_DIR/(zapret-[\w.-]+)", read("ipset/def.sh")))


def list_problems():
    scripts, wrong = list_scripts(), []
    for page in LISTS:
        told = {code(row[0])[0]: (code(row[2]), row[3]) for row in rows(page) if len(row) == 4}
        told.pop("clear_lists.sh", None)
        wrong += ["%s: %s: %s, the script has %s" % (page, name, told.get(name), scripts.get(name))
                  for name in sorted(set(scripts) | set(told)) if told.get(name) != scripts.get(name)]
        text = read(page)
        wrong += ["%s does not name %s" % (page, name) for name in sorted(names_of_lists()) if name not in text]
        modes = re.search(r"Usage: \$0 \[(\S+)\]", read("ipset/create_ipset.sh"))[1].split("|")
        wrong += ["%s: no create_ipset.sh %s" % (page, mode) for mode in modes
                  if "`create_ipset.sh %s`" % mode not in text]
        update = read("ipset/get_config.sh").replace("\\\n", " ")
        status = re.search(r'printf \'%s\\n\' ("script=.*?) >"\$file.new"', update)
        names = re.findall(r'"(\w+)=', status[1])
        wrong += ["%s: no row of %s" % (page, name) for name in names if "\n| `%s` |" % name not in text]
    return wrong


def check(tally, _program, _lua):
    tally.check(len(declared()) > 100 and len(list_scripts()) == 14, "the scripts are understood")
    tally.problems("docs/custom-scripts.md tells what custom scripts may use", custom_problems())
    tally.problems("docs/lists.md tells the lists and their sources", list_problems())
