#!/usr/bin/env python3
"""Holds the documents against the program.

usage: check.py PROGRAM [-v] [--only TITLE] [--update] [PART ...]

Parts: options (man page and manuals against --help), functions (API documents against what scripts see),
library (what the script libraries say of their arguments against their code, the documents and --check),
settings (docs/config.md against config.default and the scripts), service (docs/custom-scripts.md and docs/lists.md
against the scripts), blockcheck (docs/blockcheck2.md against blockcheck2), links, citations (what comments refer to
exists), translations (same code, same options), walks (the steps of the walks of development.md fit the tree), blocks
(what the documents tell to run is run; see documents.py for the marks and stage.py for what they do).
Default: all. --only: of their cases those with this in the title; other blocks are not run. With --update what
the man page and the manuals repeat of --help is written first.
Last line: "N passed, N failed, N skipped".
"""
import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "support"), os.path.join(ROOT, "src", "tools", "lua-library")]
import blockcheck  # noqa: E402
import cases  # noqa: E402
import citations  # noqa: E402
import dispositions  # noqa: E402
import from_help  # noqa: E402
import library  # noqa: E402
import documents  # noqa: E402
from documents import Mark, option_table, without_comments  # noqa: E402
import service_pages  # noqa: E402
import settings  # noqa: E402
import stage  # noqa: E402
import walks  # noqa: E402

MANUALS = {"docs/manual.md": "Default", "docs/manual.ru.md": "По умолчанию"}
# Their code blocks are marked, and run unless the mark says no.
RUN = ("README.md", "docs/manual.md", "docs/cookbook.md", "docs/development.md", "docs/packaging.md",
       "CONTRIBUTING.md")
CONTRACTS = "docs/contracts"
TRANSLATED = {"README.ru.md": "README.md", "docs/manual.ru.md": "docs/manual.md", "docs/config.ru.md": "docs/config.md",
              "docs/rules.ru.md": "docs/rules.md", "docs/custom-scripts.ru.md": "docs/custom-scripts.md",
              "docs/lists.ru.md": "docs/lists.md", "docs/cookbook.ru.md": "docs/cookbook.md",
              "docs/blockcheck2.ru.md": "docs/blockcheck2.md", "docs/nflua.ru.md": "docs/nflua.md",
              "docs/nfq.ru.md": "docs/nfq.md"}
# Long options of other tools that the documents mention, and the example of development.md.
FOREIGN = set("""
    queue-num queue-bypass dport sport dports sports mark connbytes connbytes-dir connbytes-mode
    ctstate tcp-flags notrack prefix-length v4-threshold family local-port connect-to resolve http3 update
    pcap-limit filter-ttl preset install build target now reload global gtest help verbose output-on-failure
    or-mark set-xmark helper ctdir function long list shell compiler prefix no-block yes set html json cacert top
    why keep static
""".split())
# Globals of Lua itself; everything else that scripts see as a function is native.
LUA_ITSELF = set("""
    assert collectgarbage dofile error gcinfo getfenv getmetatable ipairs load loadfile loadstring
    module newproxy next pairs pcall print rawequal rawget rawlen rawset require select setfenv
    setmetatable tonumber tostring type unpack warn xpcall
""".split())
CAPTURE = os.path.join(ROOT, "tests", "data", "golden", "085-multisplit-default", "in.pcap")
LIST_FUNCTIONS = """
local names = {}
for name, value in pairs(_G) do
    if type(value) == 'function' then names[#names + 1] = name end
end
table.sort(names)
for _, name in ipairs(names) do print('function ' .. name) end
"""


class Tally(cases.Report):
    """Of one part after the other."""

    def __init__(self, args):
        super().__init__(args.v)
        self.update = args.update
        self.program, self.only, self.part = args.program, args.only, None

    def wants(self, title):
        return self.only in title

    def ok(self, title, output=""):
        if self.wants(title):
            super().ok(title, output)

    def fail(self, title, why, alone=None):
        if self.wants(title):
            super().fail(title, why, cases.this_script(self.program, self.part, "--only=" + title))

    def skip(self, title, why):
        if self.wants(title):
            super().skip(title, why)

    def problems(self, title, problems):
        """One test: passed if there is no problem."""
        self.check(not problems, title, "\n".join(problems))


def document(name):
    path = os.path.join(ROOT, name)
    return documents.document(path) if os.path.exists(path) else None


def output_of(*argv):
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL).stdout


# --- options


def check_repetitions(tally, help_text):
    """What documents repeat of --help; with --update they get it first."""
    for name in (from_help.MAN_PAGE, *MANUALS):
        path = os.path.join(ROOT, name)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        wanted = from_help.updated(name, text, help_text)
        if tally.update and wanted != text:
            with open(path, "w", encoding="utf-8") as f:
                f.write(wanted)
            text = wanted
        lines = difflib.unified_diff(text.splitlines(), wanted.splitlines(), name, "as --help has it", lineterm="")
        tally.problems(name + " has the words of --help (check.py PROGRAM --update options)", list(lines))


def check_manual(tally, name, word, table):
    manual = document(name)
    if manual is None:
        tally.skip(name, "does not exist")
        return
    entries = manual.option_entries()
    problems = ["--%s is missing" % n for n in table if n not in entries]
    problems += ["line %d: --%s does not exist" % (entries[n][0], n) for n in entries
                 if n not in table]
    for option, (line, syntax, text) in entries.items():
        if option not in table:
            continue
        wanted_syntax, _, wanted_default = table[option]
        if syntax != wanted_syntax:
            problems.append("line %d: %s instead of %s" % (line, syntax, wanted_syntax))
        default = re.search(word + r": `([^`]+)`", text)
        default = default.group(1) if default else None
        if default != wanted_default:
            problems.append("line %d: --%s: default %s instead of %s" % (line, option, default,
                                                                         wanted_default))
        if len(text) < 20:
            problems.append("line %d: --%s is not explained" % (line, option))
    tally.problems(name + " explains the options of --help", problems)


def check_options(tally, program, _lua):
    help_text = output_of(program, "--help")
    table = option_table(help_text)
    tally.check(len(table) > 60, "--help lists the options")
    check_repetitions(tally, help_text)
    for name, word in MANUALS.items():
        check_manual(tally, name, word, table)
    known = set(table) | FOREIGN
    for tool in ("ip2net", "mdig"):
        path = os.path.join(os.path.dirname(program), tool)
        tally.check(os.path.exists(path), "the options of " + tool, "%s is missing, build it" % path)
        if os.path.exists(path):
            known |= set(re.findall(r"^ --([a-z0-9-]+)", output_of(path, "--help"), re.M))
    client = os.path.join(os.path.dirname(program), "nfqws2ctl")
    if os.path.exists(client):  # it is left out where its libraries are missing
        described = json.loads(output_of(client, "--describe"))
        known |= {name[2:] for part in [described] + described["words"] for option in part["options"]
                  for name in option["names"]}
    pages = {name for name in all_documents() if name.startswith(CONTRACTS)}
    for name in sorted(set(RUN) | set(MANUALS) | set(TRANSLATED) | pages):
        text = document(name)
        if text is None:
            tally.skip(name, "does not exist")
            continue
        tally.problems(name + " names existing options only",
                       ["line %d: --%s" % (line, word) for line, word in text.option_words()
                        if word not in known])


# --- functions


def functions_of(program):
    with tempfile.NamedTemporaryFile("w", suffix=".lua", prefix="nfqws2-docs-") as script:
        script.write(LIST_FUNCTIONS)
        script.flush()
        os.chmod(script.name, 0o644)
        said = output_of(program, "--pcap-in=" + CAPTURE, "--lua-init=@" + script.name)
    return set(re.findall(r"^function (\w+)$", said, re.M))


def check_named(tally, names, functions):
    """Each function is named in the code of one of the documents."""
    words = set()
    for name in names:
        text = document(name)
        if text is None:
            tally.skip(name, "does not exist yet")
            return
        code = re.findall(r"`([^`]+)`", "\n".join(text.prose)) + [b.text for b in text.blocks]
        words |= set(re.findall(r"\w+", " ".join(code)))
    tally.problems("%s: %d names are told" % (", ".join(names), len(functions)),
                   [f for f in sorted(functions) if f not in words])


def check_functions(tally, program, lua):
    native = functions_of(program) - LUA_ITSELF
    tally.check(len(native) > 80, "scripts see native functions")
    check_named(tally, ["docs/lua-api.md"], native)
    desync = set()
    for file in sorted(os.listdir(lua)):
        if file.endswith(".lua"):
            with open(os.path.join(lua, file), encoding="utf-8") as f:
                desync |= set(re.findall(r"^function (\w+)\(ctx, desync\)", f.read(), re.M))
    check_named(tally, ["docs/strategies.md", "docs/manual.md"], desync)
    with open(os.path.join(ROOT, "common", "api.sh"), encoding="utf-8") as f:
        face = set(re.findall(r"^#   \$?(\w+)(?: |$)", f.read(), re.M))
    tally.check(len(face) > 100, "common/api.sh declares what custom scripts may use")
    check_named(tally, [CONTRACTS + "/files-and-service.md"], face)


# --- links and translations


def all_documents():
    names = [n for n in os.listdir(ROOT) if n.endswith(".md")]
    for folder in ("docs", CONTRACTS):
        names += [folder + "/" + n for n in os.listdir(os.path.join(ROOT, folder)) if n.endswith(".md")]
    return {name: document(name) for name in sorted(names)}


def check_links(tally, _program, _lua):
    pages = all_documents()
    for name, text in pages.items():
        problems = []
        for line, target in text.links():
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(name), file)) if file else name
            if not os.path.exists(os.path.join(ROOT, path)):
                problems.append("line %d: %s does not exist" % (line, target))
            elif anchor and path in pages and anchor not in pages[path].anchors():
                problems.append("line %d: %s has no heading #%s" % (line, path, anchor))
        tally.problems("links of " + name, problems)


def check_citations(tally, _program, _lua):
    pages = {name: text.anchors() for name, text in all_documents().items() if name.startswith(CONTRACTS)}

    def anchors_of(page):
        return pages.get(CONTRACTS + "/" + page)
    for text, wanted in citations.PLANTED:
        found = citations.problems_of(text, anchors_of, True)
        tally.check(len(found) == wanted, "planted: %s" % " ".join(text.split()), str(found))
    cited = 0
    problems = []
    for name, text in citations.text_files(ROOT):
        is_code = name.split(os.sep)[0] in citations.CODE
        problems += ["%s:%d: %s" % (name, line, what) for line, what in
                     citations.problems_of(text, anchors_of, is_code)]
        cited += is_code and len(citations.PAGE.findall(text))
    tally.problems("%d citations in the code lead to a section" % cited, problems)
    tally.check(cited > 100, "the code cites pages")
    listed = {target for _, target in document("docs/architecture.md").links()}
    tally.problems("docs/architecture.md lists the pages",
                   [name for name in pages if os.path.relpath(name, "docs") not in listed])


def check_translations(tally, _program, _lua):
    for name, original_name in TRANSLATED.items():
        text, original = document(name), document(original_name)
        if text is None or original is None:
            tally.skip(name, "does not exist")
            continue
        # Blocks of language `text` are output and may be translated.
        ours = [b for b in text.blocks if b.language != "text"]
        theirs = [b for b in original.blocks if b.language != "text"]
        problems = []
        if len(ours) != len(theirs):
            problems.append("%d code blocks instead of %d" % (len(ours), len(theirs)))
        for a, b in zip(ours, theirs):
            if without_comments(a.text) != without_comments(b.text):
                problems.append("line %d differs from %s, line %d" % (a.line, original_name,
                                                                      b.line))
        tally.problems("%s shows the code of %s" % (name, original_name), problems)


# --- blocks


def run_blocks(tally, name, text, program, lua, no_lab):
    tally.problems(name + " marks its code blocks",
                   ["line %d" % b.line for b in text.unmarked()] +
                   ["line %d: indented code" % n for n in text.indented_code()])
    with stage.Stage(program, lua) as place:
        if not no_lab and not place.nft_queues and any("nft " in b.text for b in text.blocks):
            print("note: %s: the kernel lacks the queue statement of nftables; its rules are loaded "
                  "with a counter in its place, iptables queues" % name)
        for block in text.blocks:
            title = "%s:%d" % (name, block.line)
            if block.kind == "file":
                place.write(block.mark, block.text)
            if block.kind != "run":
                continue
            mark = Mark(block.mark)
            if not tally.wants(title):
                if stage.PREPARES.match(block.text) and mark.kind == "offline":
                    place.offline(block, mark)
                continue
            if mark.kind in ("no", "walk"):
                continue
            reason = (no_lab if mark.kind == "lab" else None) or stage.missing_tool(block.text)
            if reason:
                tally.skip(title, reason)
                continue
            try:
                {"offline": place.offline, "lab": place.lab}[mark.kind](block, mark)
            except (stage.Failure, subprocess.TimeoutExpired) as e:
                tally.fail(title, e)
            else:
                tally.ok(title)


def check_blocks(tally, program, lua):
    no_lab = stage.laboratory.why_unavailable()
    for name in RUN:
        text = document(name)
        if text is None:
            tally.skip(name, "does not exist")
        else:
            run_blocks(tally, name, text, program, lua, no_lab)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("--only", default="", metavar="TITLE")
    parser.add_argument("--update", action="store_true")
    args = parser.parse_intermixed_args()
    for part in set(args.parts) - set(PARTS):
        parser.error("no such part: " + part)
    dispositions.restore()
    tally = Tally(args)
    for part in args.parts or PARTS:
        tally.part = part
        PARTS[part](tally, args.program, os.path.join(ROOT, "lua"))
    return tally.finish()


PARTS = {"options": check_options, "functions": check_functions,
         "library": library.check, "links": check_links, "citations": check_citations,
         "settings": settings.check, "service": service_pages.check, "blockcheck": blockcheck.check,
         "translations": check_translations, "walks": walks.check, "blocks": check_blocks}

if __name__ == "__main__":
    sys.exit(main())
