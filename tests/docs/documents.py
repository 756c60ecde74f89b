"""Reading what the documents say: code blocks with their marks, links, headings, options."""
import collections
import re
import shlex

# What a mark says about the fenced block below it:
#   <!-- run: offline [exit=N] [expect="text"]... -->    as any user, without a network
#   <!-- run: lab [word] [key=value]... -->              in namespaces, see stage.py
#   <!-- run: no - reason -->                            not here
#   <!-- run: walk -->                                   where the walks are done, see walks.py
#   <!-- file: PATH -->                                  content of a file the next blocks use
# A block of language `text` shows output, one of language `diff` is a step of a walk: both need no mark.
MARK = re.compile(r"<!--\s*(run|file):\s*(.*?)\s*-->")
FENCE = re.compile(r"^```(\w*)\s*$")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9]*(?:-[a-z0-9]+)*)")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
ENTRY = re.compile(r"^- `(--[^`]+)`")

Block = collections.namedtuple("Block", "line language kind mark text")


class Mark:
    """The words behind `run:`: the kind, then flags and key=value pairs."""

    def __init__(self, text):
        # What stands behind a dash is a remark.
        words = shlex.split(text.partition(" - ")[0])
        self.kind, self.flags, self.values = words[0], set(), collections.defaultdict(list)
        for word in words[1:]:
            key, equal, value = word.partition("=")
            if equal:
                self.values[key].append(value)
            else:
                self.flags.add(key)

    def value(self, key, default=None):
        return self.values[key][-1] if key in self.values else default


def document(path):
    with open(path, encoding="utf-8") as f:
        return Document(f.read())


class Document:
    def __init__(self, text):
        self.lines = text.split("\n")
        self.blocks, self.prose = [], []
        self._split()

    def _split(self):
        """Sets `blocks`, and `prose`: all lines outside of blocks, blocks replaced by nothing."""
        pending = inside = None
        for number, line in enumerate(self.lines, 1):
            fence = FENCE.match(line)
            if inside:
                if line.startswith("```"):
                    self.blocks.append(Block(inside[0], inside[1], *inside[2],
                                             "\n".join(inside[3]) + "\n"))
                    inside = None
                else:
                    inside[3].append(line)
                self.prose.append("")
                continue
            mark = MARK.match(line)
            if mark:
                pending = mark.groups()
            elif fence:
                inside = (number, fence.group(1), pending or (None, None), [])
                pending = None
            elif line.strip():
                pending = None
            self.prose.append("" if fence or mark else line)

    def unmarked(self):
        return [b for b in self.blocks if b.kind is None and b.language not in ("text", "diff")]

    def indented_code(self):
        """Lines of indented code blocks, which carry no mark."""
        found, before = [], ""
        for number, line in enumerate(self.prose, 1):
            if line.startswith("    ") and not before.strip():
                found.append(number)
            before = line
        return found

    def links(self):
        for number, line in enumerate(self.prose, 1):
            for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
                yield number, target

    def anchors(self):
        found = set()
        for line in self.prose:
            if line.startswith("#"):
                title = re.sub(r"[`*]", "", line.lstrip("#").strip()).lower()
                title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
                found.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
        return found

    def option_words(self):
        """(line, name) of everything that looks like a long option, in code only."""
        inside = False
        for number, line in enumerate(self.lines, 1):
            if line.startswith("```"):
                inside = not inside
                continue
            for code in [line] if inside else re.findall(r"`([^`]+)`", line):
                for name in OPTION.findall(code):
                    yield number, name

    def option_entries(self):
        """name -> (line, syntax, text) of list items that begin with an option."""
        entries, current = {}, None
        for number, line in enumerate(self.prose, 1):
            match = ENTRY.match(line)
            if match:
                current = [number, match.group(1), line[match.end():]]
                entries[OPTION.match(match.group(1)).group(1)] = current
            elif current is not None and line.startswith("  "):
                current[2] += " " + line.strip()
            elif line.strip():
                current = None
        return entries


def option_groups(help_text):
    """(title, name -> (syntax, text)) of each group of `--help`, in order."""
    groups, current = [], None
    for line in help_text.split("\n"):
        title = re.match(r"([A-Z]{2}.*):$", line)
        if title:
            groups.append((title.group(1), {}))
        elif re.match(r" --[a-z0-9]", line):
            syntax, _, text = line.strip().partition("  ")
            current = [syntax, text.strip()]
            groups[-1][1][OPTION.match(syntax).group(1)] = current
            continue
        elif current is not None and line.startswith("     "):
            current[1] = (current[1] + " " + line.strip()).strip()
            continue
        current = None
    return groups


def option_table(help_text):
    """name -> (syntax, text, default or None) of `--help`, in order."""
    return {name: (syntax, text, default_of(text)) for _, options in option_groups(help_text)
            for name, (syntax, text) in options.items()}


def default_of(text):
    # "Default a quarter of ..." is no value.
    match = re.search(r"\bDefault (?!a [a-z])([^\s,]+)", text)
    return match.group(1).rstrip(".:") if match else None


def without_comments(text):
    """Code without what a translation may change: comments, blanks at line ends, empty lines."""
    lines = (re.sub(r"(^|\s)(#|--(?= )).*", "", line).rstrip() for line in text.split("\n"))
    return [line for line in lines if line]
