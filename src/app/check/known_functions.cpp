#include "check/known_functions.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

struct ArgumentGroup {
    std::string_view name, arguments;
};

// groups, declarations, names_of_files, any_instance; its first lines tell the form.
#include "library_arguments.inc"

KnownArgument parse_argument(std::string_view word) {
    KnownArgument argument;
    argument.name = word.substr(0, word.find_first_of("*@!#+?^/"));
    for (const char mark : word.substr(argument.name.size())) {
        argument.required = argument.required || mark == '*';
        if (mark == '@') argument.kind = ArgumentKind::blob;
        if (mark == '!') argument.kind = ArgumentKind::new_blob;
        if (mark == '#') argument.kind = ArgumentKind::marker;
        if (mark == '+') argument.kind = ArgumentKind::markers;
        if (mark == '?') argument.kind = ArgumentKind::condition;
        if (mark == '^') argument.kind = ArgumentKind::function;
        if (mark == '/') argument.kind = ArgumentKind::file;
    }
    return argument;
}

void add_arguments(std::string_view words, std::vector<KnownArgument>& to) {
    for (const std::string_view word : split(words, ' ')) {
        if (!word.starts_with('$')) {
            const std::size_t pair = word.find('&');
            to.push_back(parse_argument(word.substr(0, pair)));
            if (pair == std::string_view::npos) continue;
            to.push_back(parse_argument(word.substr(pair + 1)));
            std::prev(to.end(), 2)->partner = to.back().name;
            to.back().partner = std::prev(to.end(), 2)->name;
            continue;
        }
        for (const ArgumentGroup& group : groups)
            if (group.name == word) add_arguments(group.arguments, to);
    }
}

KnownFunction parse_declaration(std::string_view text) {
    KnownFunction function;
    const std::size_t blank = text.find(' ');
    function.name = text.substr(0, blank);
    if (blank != std::string_view::npos) add_arguments(text.substr(blank + 1), function.arguments);
    return function;
}

} // namespace

const std::vector<KnownFunction>& known_functions() {
    static const std::vector<KnownFunction> functions = [] {
        std::vector<KnownFunction> list;
        for (const std::string_view declaration : declarations)
            list.push_back(parse_declaration(declaration));
        return list;
    }();
    return functions;
}

const KnownFunction* find_known_function(std::string_view name) {
    for (const KnownFunction& function : known_functions())
        if (function.name == name) return &function;
    return nullptr;
}

const KnownArgument* find_argument(const KnownFunction& function, std::string_view name) {
    for (const KnownArgument& argument : function.arguments)
        if (argument.name == name) return &argument;
    for (const KnownArgument& argument : orchestration_arguments())
        if (argument.name == name) return &argument;
    return nullptr;
}

bool is_of_kind(std::string_view name, ArgumentKind kind) {
    const auto fits = [&](const KnownArgument& argument) {
        return argument.name == name && argument.kind == kind;
    };
    for (const KnownFunction& function : known_functions())
        if (std::ranges::any_of(function.arguments, fits)) return true;
    return std::ranges::any_of(orchestration_arguments(), fits);
}

bool is_reference(std::string_view value) {
    return value.size() > 1 && (value[0] == '%' || value[0] == '#');
}

bool names_detectors(std::string_view name) {
    return name == "success_detector" || name == "failure_detector";
}

bool may_name_a_file(std::string_view name) {
    return std::ranges::find(names_of_files, name) != std::end(names_of_files);
}

const std::vector<KnownArgument>& orchestration_arguments() {
    static const std::vector<KnownArgument> arguments = parse_declaration(any_instance).arguments;
    return arguments;
}

} // namespace nfqws2::app
