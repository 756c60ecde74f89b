"""The description of the arguments for the program, which parses it when --check is asked for: it is smaller as
text than as tables (src/app/check/known_functions.cpp)."""
MARKS = {"plain": "", "blob": "@", "new blob": "!", "marker": "#", "markers": "+", "condition": "?", "function": "^",
         "file": "/"}

HEAD = """// Made from the comments of lua/*.lua by src/tools/lua-library/make.py.
// A word that begins with $ stands for a group. Behind a name: * required, @ a blob, ! makes a blob,
// # a position, + positions, ? a condition, ^ a function, / a file; two names with & between them
// are given together or not at all.
"""


def word(argument):
    return argument.name + ("*" if argument.required else "") + MARKS[argument.kind]


def words(arguments):
    """Arguments that are given together stand beside each other."""
    found, done = [], set()
    for argument in arguments:
        if argument.name in done:
            continue
        done.add(argument.name)
        partner = next((other for other in arguments if other.name == argument.partner), None)
        if partner:
            done.add(partner.name)
            found.append(word(argument) + "&" + word(partner))
        else:
            found.append(word(argument))
    return found


def group_word(name):
    return "$" + name.replace(" ", "_")


def names_of_files(descriptions):
    """So that the rest need not be parsed where no argument has such a name."""
    arguments = [argument for group in descriptions.groups.values() for argument in group]
    arguments += [argument for function in descriptions.named() for argument in function.arguments]
    return sorted({argument.name for argument in arguments if argument.kind == "file"})


def array(type_name, name, rows):
    return "constexpr %s %s[] = {\n%s};\n" % (type_name, name, "".join("    %s,\n" % row for row in rows))


def text_of(descriptions):
    groups = ['{"%s", "%s"}' % (group_word(name), " ".join(words(arguments)))
              for name, arguments in descriptions.groups.items()]
    functions = ['"%s"' % " ".join([function.name] + [group_word(name) for name, _ in function.groups] +
                                   words(function.arguments))
                 for function in descriptions.named()]
    files = ['"%s"' % name for name in names_of_files(descriptions)]
    return "%s\n%s\n%s\n%s\nconstexpr std::string_view any_instance = \"- %s\";\n" % (
        HEAD, array("ArgumentGroup", "groups", groups), array("std::string_view", "declarations", functions),
        array("std::string_view", "names_of_files", files), " ".join(words(descriptions.of_any_instance())))
