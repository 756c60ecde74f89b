#!/usr/bin/env python3
"""make.py NFQWS2 NFQWS2CTL FOLDER: writes completions for bash, zsh and fish from what the programs say of
themselves (`nfqws2 --help`, `nfqws2ctl --describe`). FOLDER is completions/ of this tree, which is kept there since
a cross build cannot run its programs; a test compares."""
import json
import os
import re
import subprocess
import sys

HEAD = "Made by src/tools/completions/make.py; do not edit."


def said(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()


class Option:
    """`names` with their dashes; `kind`: "" for a flag; `value` may be missing if it is optional."""

    def __init__(self, names, kind, text, optional=False, joined=False):
        self.names, self.kind, self.help, self.optional, self.joined = names, kind, text, optional, joined

    @property
    def files(self):
        return bool(re.search(r"<(file|path|dir)|\b(FILE|PATH)\b", self.kind))

    @property
    def choices(self):
        return [part for part in self.kind.split("|") if re.fullmatch(r"[a-z0-9][a-z0-9_-]*", part)]


def daemon_options(program):
    found = []
    for line in said(program, "--help").splitlines():
        start = re.match(r" (--[a-z0-9-]+)(\[?=)?(\S*)(?:\s+(.*))?$", line)
        if start:
            name, equals, kind, text = start.groups()
            optional = bool(equals and equals.startswith("["))
            kind = kind.removesuffix("]") if optional else kind
            found.append(Option([name], kind if equals else "", text or "", optional, True))
        elif line.startswith("  ") and found:
            found[-1].help += " " + line.strip()
    for option in found:  # one sentence is enough
        option.help = re.split(r"[.;] |[.;]$", option.help.strip())[0]
    return found


def options_of(described):
    return [Option(o["names"], o["kind"], o["help"]) for o in described if o["names"]]


# --- bash


def bash_words(pattern, words):
    return "    %s) COMPREPLY=($(compgen -W '%s' -- \"$value\"))" % (pattern, " ".join(words))


def bash_values(options):
    """Branches of a `case` that complete the values of options."""
    lines = []
    files = [n for o in options if o.files for n in o.names]
    if files:
        lines.append("    %s) _nfqws2_files \"$value\" ;;" % "|".join(files))
    for o in options:
        if o.choices and not o.files:
            lines.append(bash_words("|".join(o.names), o.choices) + " ;;")
    return lines


BASH_FILES = '''_nfqws2_files() { # $1 = what there is of the name; an @ may stand before it
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "${1#@}")
}
'''


def bash_daemon(options):
    words = " ".join(n + ("=" if o.kind and not o.optional else "") for o in options for n in o.names)
    return "\n".join(["# bash completion for nfqws2. " + HEAD, "# shellcheck shell=bash disable=SC2207",
                      BASH_FILES,
                      "_nfqws2() {", "    local word=${COMP_LINE:0:COMP_POINT} name value",
                      '    word=${word##*[[:space:]]}', "    case $word in", "    @*) _nfqws2_files \"$word\" ;;",
                      "    --*=*)", "        name=${word%%=*} value=${word#*=}", "        case $name in"] +
                     ["    " + line for line in bash_values(options)] +
                     ["        esac", "        ;;", "    *)",
                      "        COMPREPLY=($(compgen -W '%s' -- \"$word\"))" % words,
                      '        [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null', "        ;;", "    esac",
                      "}",
                      "complete -F _nfqws2 nfqws2", ""])


def bash_client(described):
    shared = options_of(described["options"])
    every = {}
    for word in described["words"]:
        every[word["name"]] = options_of(word["options"])
    lines = ["# bash completion for nfqws2ctl. " + HEAD, "# shellcheck shell=bash disable=SC2207", BASH_FILES,
             "_nfqws2ctl() {",
             "    local value=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD - 1]} command='' i",
             "    for ((i = 1; i < COMP_CWORD; i++)); do", "        case ${COMP_WORDS[i]} in",
             "        %s) command=${COMP_WORDS[i]}; break ;;" % "|".join(every), "        esac", "    done",
             "    case $command:$last in"]
    for name, options in [("*", shared)] + list(every.items()):
        for o in options:
            patterns = "|".join("%s:%s" % (name, n) for n in o.names)
            if o.files:
                lines.append("    %s) _nfqws2_files \"$value\"; return ;;" % patterns)
            elif o.choices:
                lines.append(bash_words(patterns, o.choices) + "; return ;;")
            elif o.kind:
                lines.append("    %s) return ;;" % patterns)
    lines += ["    esac", "    case $command in",
              bash_words("''", list(every) + [n for o in shared for n in o.names if n.startswith("--")]) + " ;;"]
    for word in described["words"]:
        long = [n for o in every[word["name"]] + shared for n in o.names if n.startswith("--")]
        long += [choice for o in word["options"] if not o["names"] for choice in Option([], o["kind"], "").choices]
        lines.append(bash_words(word["name"], long) + " ;;")
    files = [w["name"] for w in described["words"] for o in w["options"] if not o["names"] and "FILE" in o["kind"]]
    lines += ["    esac", "    case $command:$value in"]
    lines += ["    %s:-*) ;;\n    %s:*) _nfqws2_files \"$value\" ;;" % (name, name) for name in files]
    return "\n".join(lines + ["    esac", "}", "complete -F _nfqws2ctl nfqws2ctl", ""])


# --- zsh


def zsh_text(text):
    return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")


def zsh_argument(o):
    if not o.kind:
        return ""
    action = "_files" if o.files else "(%s)" % " ".join(o.choices) if o.choices else " "
    label = zsh_text(re.sub(r"[<>]", "", o.kind))
    return "%s%s:%s" % ("::" if o.optional else ":", label, action)


def zsh_option(o):
    result = []
    for name in o.names:
        equals = "" if not o.kind else "=-" if o.joined else "=" if name.startswith("--") else "+"
        result.append("'*%s%s[%s]%s'" % (name, equals, zsh_text(o.help), zsh_argument(o)))
    return result


def zsh_daemon(options):
    return "\n".join(["#compdef nfqws2", "# " + HEAD, "if [[ $PREFIX == @* ]]; then", "    compset -P @", "    _files",
                      "    return", "fi", "_arguments -S \\"] +
                     ["    %s \\" % text for o in options for text in zsh_option(o)] + ["    '*:file:_files'", ""])


def zsh_client(described):
    shared = [text for o in options_of(described["options"]) for text in zsh_option(o)]
    lines = ["#compdef nfqws2ctl", "# " + HEAD, "local -a shared words", "shared=("]
    lines += ["    %s" % text for text in shared] + [")", "words=("]
    lines += ["    '%s:%s'" % (w["name"], zsh_text(w["help"])) for w in described["words"]] + [")"]
    lines += ["local state line", "_arguments -C $shared '1: :->word' '*:: :->rest'", "case $state in",
              "word) _describe -t commands word words ;;", "rest)", "    case $words[1] in"]
    # Inside of '*:: :->rest' the words of the line are in $words.
    lines = [line.replace("words=(", "commands=(").replace("shared words", "shared commands")
             .replace("word words ;;", "word commands ;;") for line in lines]
    for w in described["words"]:
        lines.append("    %s)" % w["name"])
        lines.append("        _arguments $shared \\")
        lines += ["            %s \\" % text for o in options_of(w["options"]) for text in zsh_option(o)]
        plain = [o for o in w["options"] if not o["names"]]
        lines += ["            '%d:%s:%s' \\" % (n + 1, zsh_text(o["kind"]), "_files" if "FILE" in o["kind"] else " ")
                  for n, o in enumerate(plain)]
        lines[-1] = lines[-1].removesuffix(" \\")
        lines.append("        ;;")
    return "\n".join(lines + ["    esac", "    ;;", "esac", ""])


# --- fish


def fish_option(program, o, condition=""):
    parts = ["complete -c", program] + (["-n '%s'" % condition] if condition else [])
    for name in o.names:
        parts.append("-l %s" % name[2:] if name.startswith("--") else "-s %s" % name[1:])
    if o.kind:
        parts.append("-r -F" if o.files else "-x -a '%s'" % " ".join(o.choices) if o.choices else "-x")
    text = o.help.replace("\\", "\\\\").replace("'", "\\'")
    return " ".join(parts + ["-d '%s'" % text] if text else parts)


def fish_daemon(options):
    return "\n".join(["# fish completion for nfqws2. " + HEAD] + [fish_option("nfqws2", o) for o in options] + [""])


def fish_client(described):
    lines = ["# fish completion for nfqws2ctl. " + HEAD, "complete -c nfqws2ctl -f"]
    lines += [fish_option("nfqws2ctl", o) for o in options_of(described["options"])]
    for w in described["words"]:
        text = w["help"].replace("'", "\\'")
        lines.append("complete -c nfqws2ctl -n __fish_use_subcommand -a %s -d '%s'" % (w["name"], text))
        seen = "__fish_seen_subcommand_from " + w["name"]
        lines += [fish_option("nfqws2ctl", o, seen) for o in options_of(w["options"])]
        if any(not o["names"] and "FILE" in o["kind"] for o in w["options"]):
            lines.append("complete -c nfqws2ctl -n '%s' -F" % seen)
    return "\n".join(lines + [""])


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    daemon, client, folder = sys.argv[1:]
    options = daemon_options(daemon)
    described = json.loads(said(client, "--describe"))
    for name, text in (("bash/nfqws2", bash_daemon(options)), ("zsh/_nfqws2", zsh_daemon(options)),
                       ("fish/nfqws2.fish", fish_daemon(options)), ("bash/nfqws2ctl", bash_client(described)),
                       ("zsh/_nfqws2ctl", zsh_client(described)), ("fish/nfqws2ctl.fish", fish_client(described))):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)


if __name__ == "__main__":
    main()
