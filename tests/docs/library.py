"""What the script libraries say of their arguments, against their code, the documents and what --check knows."""
import os
import re
import subprocess
import tempfile

import argument_reads
import descriptions
import join
import pages

# (what is changed in a library, into what, what must be found)
PLANTED = [
    ("arg.spell or", "arg.spelling or", "http_hostcase reads spelling, which is not described"),
    ("--   rstack:", "--   rstacked:", "rst describes rstacked, which it does not read"),
    (", not ipfrag", "", "fakedsplit reads ipfrag_next, which is not described"),
    ('"padmin",', '"padlow",', "wgobfs reads padlow, which is not described"),
    ("--   ip6_ah[", "--   ip6_xx[", "fake reads ip6_ah, which is not described"),
    ("options.tcp_nop_del", "false", "group fooling: apply_fooling does not read tcp_nop_del"),
    ("--   nodrop:", "--   optional:", "multisplit describes optional twice"),
]


def sources(lua):
    names = [os.path.join(lua, "zapret-%s.lua" % name) for name in descriptions.LIBRARIES]
    return [(name, open(name, encoding="utf-8").read()) for name in names]


def problems_of(text_by_name, folder):
    for name, text in text_by_name:
        with open(os.path.join(folder, os.path.basename(name)), "w", encoding="utf-8") as file:
            file.write(text)
    described = descriptions.Descriptions(folder)
    return argument_reads.problems_of(described, "\n".join(text for _, text in text_by_name))


def check_reads(tally, lua, folder):
    texts = sources(lua)
    tally.problems("every argument that the libraries read is described, and no other", problems_of(texts, folder))
    for old, new, wanted in PLANTED:
        changed = [(name, text.replace(old, new)) for name, text in texts]
        found = problems_of(changed, folder)
        tally.check(wanted in found, "planted: %s => %s" % (old, new), "\n".join(found))


def check_joined(tally, root):
    """What users load is the chapters; installers look for the version near its beginning."""
    with open(os.path.join(root, join.LIBRARY), encoding="utf-8") as file:
        text = file.read()
    tally.check(text == join.joined(root), "%s is its chapters in %s" % (join.LIBRARY, join.CHAPTERS),
                "run src/tools/lua-library/make.py update")
    tally.check(re.search(r"^NFQWS2_COMPAT_VER_REQUIRED=\d+$", text[:200], re.M),
                join.LIBRARY + " begins with its version")


def check_documents(tally, root, described):
    for name in pages.FILES:
        with open(os.path.join(root, name), encoding="utf-8") as file:
            text = file.read()
        tally.check(pages.text_of(text, described) == text, name + " says what the libraries say",
                    "run src/tools/lua-library/make.py update")
    with open(os.path.join(root, pages.STRATEGIES), encoding="utf-8") as file:
        tally.problems(pages.STRATEGIES + " has the arguments of every function",
                       pages.missing_from(file.read(), described))


def said_by_check(program, instance):
    """What --check says of an instance where nothing but a function of this name is loaded."""
    return subprocess.run([program, "--check", "--qnum=1", "--lua-init=%s=function() end" % instance.split(":")[0],
                           "--lua-desync=" + instance], capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL).stdout


def check_program(tally, program, described):
    """--check knows these arguments, which of them are required, and no others."""
    for function in described.named():
        arguments = described.arguments_of(function) + described.of_any_instance()
        # A condition of the user could read any argument.
        words = [a.name + "=cond_true" * (a.kind == "condition") for a in arguments]
        said = said_by_check(program, ":".join([function.name] + words + ["no_such"]))
        unknown = set(re.findall(r"has no argument '(\w+)'", said))
        tally.check(unknown == {"no_such"}, "--check knows the arguments of " + function.name, said)
        said = said_by_check(program, function.name)
        missing = set(re.findall(r"needs argument '(\w+)'", said))
        tally.check(missing == {a.name for a in arguments if a.required},
                    "--check knows what %s needs" % function.name, said)


def check(tally, program, lua):
    described = descriptions.Descriptions(lua)
    tally.check(len(described.named()) > 40 and len(described.functions) > 150, "the libraries have functions")
    tally.problems("every public function says what it does",
                   [function.name for function in described.functions
                    if not any(isinstance(piece, str) for piece in function.text)])
    with tempfile.TemporaryDirectory(prefix="nfqws2-docs-") as folder:
        check_reads(tally, lua, folder)
    check_joined(tally, os.path.dirname(lua))
    check_documents(tally, os.path.dirname(lua), described)
    check_program(tally, program, described)
