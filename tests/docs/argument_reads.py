"""Which arguments the code of a library function reads: what its text reads, and that of all functions it names.

Seen as a read of `x`: arg.x, and options.x, fooling.x, ipfrag.x, ... where a helper gets desync.arg by that name;
the text "x" handed to a helper whose code reads arg[name]; argument = "x" in a table that the code names. That a helper
on the way gets an empty table instead of the arguments is not seen: there the description says `not x`."""
import re

# Names under which helpers get desync.arg.
HOLDERS = r"(?:arg|options|fooling|ipfrag|ipfrag_options)"
READ = re.compile(r"(?<![\w])(?:\w+\.)*%s\.(\w+)" % HOLDERS)
INDEXED = re.compile(r"(?<![\w])(?:\w+\.)*%s\[([^\]]+)\]" % HOLDERS)
IN_TABLE = re.compile(r'\bargument = "(\w+)"')
# Fields of desync_opts(), which holds such tables under these names.
OPTION_TABLES = {"rawsend", "reconstruct", "ipid", "fooling"}
BLOCK = re.compile(r"^(?:(?:local )?function (\w+)\(|local (\w+) = \{)")
STRING = re.compile(r'"(\w+)"')
TEXT_OR_COMMENT = re.compile(r"""("(?:[^"\\\n]|\\.)*")|--[^\n]*""")


def without_comments(text):
    return TEXT_OR_COMMENT.sub(lambda match: match[1] or "", text)


def blocks_of(text):
    """name -> text of the functions and tables at the left margin."""
    blocks, name = {}, None
    for line in without_comments(text).split("\n"):
        match = BLOCK.match(line)
        if match:
            name = match[1] or match[2]
            blocks[name] = ""
        if name:
            blocks[name] += line + "\n"
        if name and re.match(r"(end|\})|.*(?<=\s)(end|\})$", line) and (line[0] not in "\t " or match):
            name = None
    return blocks


def call_texts(text, helper):
    """What stands between the parentheses of each call of `helper`."""
    for match in re.finditer(r"(?<![\w.:])%s\(" % helper, text):
        depth, at = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        yield text[match.end():at - 1]


class Reads:
    """Of the text of all libraries."""

    def __init__(self, text):
        self.blocks = blocks_of(text)
        self.indexing = {name for name, block in self.blocks.items() if self._indexes(block)}
        self.own = {name: self._own(name, block) for name, block in self.blocks.items()}

    @staticmethod
    def _indexes(block):
        """Does the function take the name of an argument?"""
        head = re.match(r"(?:local )?function \w+\(([^)]*)\)", block)
        parameters = set(re.split(r", *", head[1])) if head else set()
        return any(index in parameters for index in INDEXED.findall(block))

    def _own(self, name, block):
        found = set(READ.findall(block)) | set(IN_TABLE.findall(block))
        for helper in self.indexing - {name}:
            for call in call_texts(block, helper):
                found |= set(STRING.findall(call))
        return {read for read in found - OPTION_TABLES if not read.startswith("__")}

    def _named_in(self, name):
        """Functions and tables that the block names; those in quotes are called by their name."""
        block = self.blocks[name]
        code = TEXT_OR_COMMENT.sub('""', block)
        return (set(re.findall(r"(?<![\w.:])(\w+)", code)) | set(STRING.findall(block))) & self.blocks.keys()

    def of(self, name):
        found, done, left = set(), set(), [name]
        while left:
            block = left.pop()
            if block not in done:
                done.add(block)
                found |= self.own[block]
                left += self._named_in(block)
        return found


def problems_of(descriptions, text):
    """What descriptions and code say differently."""
    reads, problems = Reads(text), []
    for function in descriptions.functions:
        if not (function.is_desync or function.is_condition or function.group):
            continue
        read = reads.of(function.name)
        if function.group and not function.is_desync:
            wanted = {argument.name for argument in function.group[1]}
            problems += ["group %s: %s does not read %s" % (function.group[0], function.name, name)
                         for name in sorted(wanted - read)]
            continue
        unread = set()
        for name in function.unread:
            unread |= {argument.name for argument in descriptions.groups.get(name, [])} or {name}
        described = [a.name for a in descriptions.arguments_of(function) + function.carried]
        problems += ["%s describes %s twice" % (function.name, name) for name in sorted(set(described))
                     if described.count(name) > 1]
        problems += ["%s reads %s, which is not described" % (function.name, name)
                     for name in sorted(read - unread - set(described))]
        problems += ["%s describes %s, which it does not read" % (function.name, name)
                     for name in sorted(set(described) - (read - unread))]
        problems += ["%s: 'not %s' is not needed" % (function.name, name)
                     for name in sorted(unread - read)]
    return problems
