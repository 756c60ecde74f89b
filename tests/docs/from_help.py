"""What documents repeat of --help: the options of the man page, the names of protocols and payload types.

`check.py PROGRAM --update options` writes it; without --update it is compared."""
import re
import textwrap

from documents import option_groups

MAN_PAGE = "docs/nfqws2.8"
OPTIONS = re.compile(r"(?<=^\.SH OPTIONS\n).*?(?=^\.SH )", re.M | re.S)
# <!-- names: --payload --> ... <!-- end of names -->
NAMES = re.compile(r"(<!-- names: --(\S+) -->\n)(.*?)(<!-- end of names -->)", re.S)
COLUMNS = 110


def roff(text):
    return text.replace("\\", "\\e").replace("-", "\\-")


def man_options(help_text):
    lines = []
    for title, options in option_groups(help_text):
        words, parenthesis, more = title.partition(" (")
        lines.append(".SS " + roff(words.capitalize() + parenthesis + more))
        for syntax, text in options.values():
            lines += [".TP", ".B " + roff(syntax), roff(text)]
    return "\n".join(lines) + "\n"


def names_of(options, name):
    """The names that end the text of an option."""
    return options[name][1].rpartition(": ")[2].split()


def updated(path, text, help_text):
    """The text of a document as --help wants it."""
    if path == MAN_PAGE:
        return OPTIONS.sub(lambda _: man_options(help_text), text)
    options = {name: entry for _, group in option_groups(help_text) for name, entry in group.items()}

    def names(match):
        words = ", ".join("`%s`" % name for name in names_of(options, match.group(2)))
        return match.group(1) + textwrap.fill(words + ".", COLUMNS) + "\n" + match.group(4)
    return NAMES.sub(names, text)
