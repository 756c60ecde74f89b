"""The parts of the documents that say what the libraries say: what stands between `<!-- library: PART -->` and
`<!-- library end -->`. A part is the name of a function (its arguments), `groups`, `index` or `functions`."""
import re

from descriptions import BadDescription, Parameter

STRATEGIES, LIBRARY = "docs/strategies.md", "docs/lua-library.md"
FILES = (STRATEGIES, LIBRARY)
PART = re.compile(r"^<!-- library: (\w+) -->\n.*?^<!-- library end -->\n", re.M | re.S)


def escaped(text):
    """Prose as markdown: what is no code must not look like a tag or emphasis."""
    return re.sub(r"([<>*\\])", r"\\\1", text)


def code(text):
    return "`%s`" % text


def cell(text):
    return text.replace("|", "\\|")


def table(head, rows):
    lines = ["| %s |" % " | ".join(head), "|" + "---|" * len(head)]
    return "\n".join(lines + ["| %s |" % " | ".join(cell(text) for text in row) for row in rows]) + "\n"


def default_of(argument):
    words = ["required"] if argument.required else [escaped(argument.default)] if argument.default else []
    if argument.partner:
        words.append("with " + code(argument.partner))
    return "; ".join(words)


def argument_rows(arguments):
    return [(code(a.name + a.value), default_of(a), escaped(a.meaning)) for a in arguments]


def arguments_table(arguments):
    return table(("argument", "default", "meaning"), argument_rows(arguments))


def group_link(name):
    return "[%s](%s#%s)" % (name, LIBRARY.rpartition("/")[2], name.replace(" ", "-"))


def listed_groups(groups):
    return ", ".join(group_link(name) + (" (%s)" % escaped(note) if note else "") for name, note in groups)


# --- parts


def part_of_function(described, name):
    function = next((f for f in described.named() if f.name == name), None)
    if function is None:
        raise BadDescription("there is no function '%s', nor another part of this name" % name)
    parts = []
    if function.arguments:
        parts.append(arguments_table(function.arguments))
    if function.groups:
        parts.append("%s: %s.\n" % ("And the groups" if parts else "Arguments of the groups",
                                    listed_groups(function.groups)))
    if function.carried:
        parts.append("Instances behind it carry:\n\n" + arguments_table(function.carried))
    return "\n".join(parts)


def takers(described, group):
    return ", ".join(code(f.name) for f in described.named() if group in dict(f.groups))


def part_groups(described):
    return "\n".join("### %s\n\n%s\nFor %s.\n" % (name, arguments_table(arguments), takers(described, name))
                     for name, arguments in described.groups.items())


def places(described):
    """(place, argument) of every argument."""
    for name, arguments in described.groups.items():
        for argument in arguments:
            yield "group " + group_link(name), argument
    for function in described.functions:
        for argument in function.arguments:
            yield code(function.name), argument
        for argument in function.carried:
            yield "behind " + code(function.name), argument


def part_index(described):
    rows = {}
    for place, argument in places(described):
        rows.setdefault(argument._replace(required=False, default="", partner=""), []).append(place)
    return table(("argument", "of", "meaning"),
                 [(code(a.name + a.value), ", ".join(rows[a]), escaped(a.meaning))
                  for a in sorted(rows, key=lambda a: (a.name, a.value))])


def entry(function, has_own_table):
    """A function in the list of all."""
    text = [piece for piece in function.text if isinstance(piece, str)]
    lines = ["- %s - %s" % (code("%s(%s)" % (function.name, function.parameters)), escaped(" ".join(text)))]
    lines += ["  - %s: %s" % (code(piece.names), escaped(piece.meaning)) for piece in function.text
              if isinstance(piece, Parameter)]
    if function.group:
        lines.append("  - reads group %s" % group_link(function.group[0]))
    if has_own_table and (function.arguments or function.groups):
        lines.append("  - arguments: [%s](%s#%s)" % (function.name, STRATEGIES.rpartition("/")[2], function.name))
    elif function.arguments:
        lines += ["  - argument %s%s: %s" % (code(a.name + a.value), default_of(a) and " (%s)" % default_of(a),
                                             escaped(a.meaning)) for a in function.arguments]
    return "\n".join(lines)


def part_functions(described):
    parts = []
    for chapter in described.chapters:
        title = "zapret-" + chapter.library + (": " + chapter.title if chapter.title else "")
        parts.append("### %s\n\n%s\n" % (title, "\n".join(entry(f, f.is_desync) for f in chapter.functions)))
    return "\n".join(parts)


PARTS = {"groups": part_groups, "index": part_index, "functions": part_functions}


def text_of(text, described):
    """The document with its parts as they should be."""
    def part(match):
        name = match[1]
        made = PARTS[name](described) if name in PARTS else part_of_function(described, name)
        return "<!-- library: %s -->\n\n%s\n<!-- library end -->\n" % (name, made)
    return PART.sub(part, text)


def missing_from(text, described):
    """Functions with arguments whose table is not in the document."""
    shown = {match[1] for match in PART.finditer(text)}
    return [f.name for f in described.named() if (f.arguments or f.groups) and f.name not in shown]
