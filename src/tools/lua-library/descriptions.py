"""Reads what lua/*.lua say of their functions: the comment above each one. The form is told in
docs/contracts/libraries.md#descriptions; what does not follow it is an error, with its line."""
import collections
import os
import re

LIBRARIES = ("lib", "antidpi", "auto", "learn", "obfs", "pcap", "nflua")

FUNCTION = re.compile(r"^function (\w+)\(([^)]*)\)")
RULER = re.compile(r"^-{60,}$")
GROUP = re.compile(r"^Group ([a-z ]+):$")
# name[, name...] [=value] (default; with partner): meaning
ROW = re.compile(r"^(?P<names>\w+(?:, \w+)*)(?P<value>\[?=(?:<[^>]+>|[^\s(:\]])+\]?)?(?: \((?P<note>[^)]+)\))?: "
                 r"(?P<meaning>.+)$")
PARAMETER = re.compile(r"^(?P<names>[\w.]+(?:, [\w.]+)*) +: (?P<meaning>.+)$")
LISTED = re.compile(r"(not )?([a-z ]+?)(?: \(([^)]*)\))?$")
# Values that --check understands; all others are texts for people.
KINDS = {"<blob>": "blob", "<new blob>": "new blob", "<marker>": "marker", "<markers>": "markers",
         "<condition>": "condition", "<function>": "function", "<file>": "file"}

Argument = collections.namedtuple("Argument", "name value kind required default partner meaning")
Parameter = collections.namedtuple("Parameter", "names meaning")
Chapter = collections.namedtuple("Chapter", "library title functions")


class BadDescription(Exception):
    pass


class Function:
    """A public function. `groups` are (name, note); `unread` are groups or arguments that the code on its way reads
    without effect. `group` is (name, arguments) if it is the one that reads a group."""

    def __init__(self, name, parameters, chapter):
        self.name, self.parameters, self.chapter = name, parameters, chapter
        self.text, self.groups, self.unread = [], [], []
        self.arguments, self.carried, self.group = [], [], None

    @property
    def is_desync(self):
        """Is it made for command lines? In zapret-lib some helpers take the same parameters."""
        return self.parameters == "ctx, desync" and (self.chapter.library != "lib" or
                                                     self.chapter.title.startswith("Desync functions"))

    @property
    def is_condition(self):
        return self.name.startswith("cond_")


def read_row(text):
    """The arguments of a row."""
    match = ROW.match(text)
    if not match:
        raise BadDescription("'%s' is no description of an argument" % text)
    value, required, default, partner = match["value"] or "", False, "", ""
    for part in (match["note"] or "").split("; "):
        if part == "required":
            required = True
        elif part.startswith("with "):
            partner = part[5:]
        else:
            default = part
    kind = KINDS.get(value.strip("[=]"), "plain")
    return [Argument(name, value, kind, required, default, partner, match["meaning"])
            for name in match["names"].split(", ")]


def split_listed(text):
    """Splits at commas outside of parentheses."""
    return [part for part in re.split(r", (?![^(]*\))", text) if part]


def read_listed(function, text):
    for part in split_listed(text):
        match = LISTED.match(part)
        if not match:
            raise BadDescription("'%s' is no group" % part)
        unread, name, note = match.groups()
        if unread:
            function.unread.append(name)
        else:
            function.groups.append((name, note or ""))


def joined(lines):
    """Lines of a section with those that continue them. A row is indented by 2."""
    rows = []
    for line in lines:
        if line.startswith("   ") and rows:
            rows[-1] += " " + line.strip()
        else:
            rows.append(line.strip())
    return rows


def read_section(function, head, lines):
    """What stands below `Arguments:`, `Group NAME:` or `Instances carry:`."""
    group = GROUP.match(head)
    if head.startswith("Arguments:"):
        # A list of groups may go on in further lines, which are indented like its first word.
        while lines and lines[0].startswith(" " * 5):
            head += " " + lines.pop(0).strip()
        read_listed(function, head[len("Arguments:"):].strip())
    rows = [argument for row in joined(lines) for argument in read_row(row)]
    if group:
        function.group = (group[1], rows)
    elif head == "Instances carry:":
        function.carried = rows
    else:
        function.arguments = rows


def is_head(line):
    return line.startswith("Arguments:") or line == "Instances carry:" or GROUP.match(line)


def read_comment(function, lines):
    """The comment above a function, without its marks."""
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if is_head(line):
            section = []
            while at < len(lines) and lines[at].startswith("  "):
                section.append(lines[at])
                at += 1
            read_section(function, line, section)
            continue
        parameter = PARAMETER.match(line.strip())
        if parameter:
            function.text.append(Parameter(parameter["names"], parameter["meaning"]))
        elif line.startswith("    ") and function.text and isinstance(function.text[-1], Parameter):
            last = function.text.pop()
            function.text.append(last._replace(meaning=last.meaning + " " + line.strip()))
        elif function.text and isinstance(function.text[-1], str):
            function.text[-1] += " " + line.strip()
        else:
            function.text.append(line.strip())


def read_library(path, library):
    """The chapters of a file, with their functions."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    chapters, comment = [Chapter(library, "", [])], []
    for number, line in enumerate(lines):
        if RULER.match(line):
            if lines[number + 1].startswith("-- "):
                title = re.sub(r"^-- (?:\d+\. )?", "", lines[number + 1])
                chapters.append(Chapter(library, re.split(r" \(|: ", title)[0].rstrip("."), []))
            comment = []
        elif line.startswith("--"):
            comment.append(line[3:])
        else:
            match = FUNCTION.match(line)
            if match:
                function = Function(match[1], match[2], chapters[-1])
                try:
                    read_comment(function, comment)
                except BadDescription as error:
                    raise BadDescription("%s:%d: %s: %s" % (path, number + 1, function.name, error)) from None
                chapters[-1].functions.append(function)
            comment = []
    return [chapter for chapter in chapters if chapter.functions]


class Descriptions:
    """All libraries."""

    def __init__(self, folder):
        self.chapters = []
        for library in LIBRARIES:
            self.chapters += read_library(os.path.join(folder, "zapret-%s.lua" % library), library)
        self.functions = [function for chapter in self.chapters for function in chapter.functions]
        self.groups = dict(function.group for function in self.functions if function.group)
        for function in self.functions:
            for name, _ in function.groups:
                if name not in self.groups:
                    raise BadDescription("%s: there is no group '%s'" % (function.name, name))

    def named(self):
        """Functions that a command line can name."""
        return [function for function in self.functions if function.is_desync]

    def arguments_of(self, function):
        """Those of its groups, then its own."""
        found = [argument for name, _ in function.groups for argument in self.groups[name]]
        return found + function.arguments

    def of_any_instance(self):
        """What any instance may carry: for an orchestrator in front of it, or for a condition."""
        found = [argument for function in self.functions for argument in function.carried]
        found += [argument for function in self.functions if function.is_condition
                  for argument in function.arguments]
        return [argument._replace(required=False) for argument in found]
