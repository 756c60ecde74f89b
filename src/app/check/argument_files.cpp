#include "check/argument_files.hpp"

#include "check/known_functions.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/profile/list_reader.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

using profile::LuaInstance;

constexpr std::string_view groups = "groups"; // of learn: lines "suffix [name]"

// A word for something that is known later, or that means more than it says.
bool is_literal(const std::string& value) {
    return !value.empty() && value[0] != '%' && value[0] != '#' && value[0] != '\\';
}

class FileCheck {
  public:
    FileCheck(const ArgumentFile& file, Report& report) : file_(file), report_(report) {}

    void run() {
        bool empty = true;
        const auto read = profile::scan_list_file(
            *file_.path, [&](std::string_view word, const profile::ListLine& line) {
                empty = false;
                if (file_.argument == groups) check_group(word, line);
            });
        const std::string here = *file_.path + ": ";
        if (!read.ok)
            add(Level::error, read.error.substr(read.error.starts_with(here) ? here.size() : 0));
        else if (read.utf16)
            add(Level::error, "it is UTF-16, UTF-8 is needed");
        else if (empty)
            add(Level::warning, "it is empty and has no effect");
    }

  private:
    void check_group(std::string_view suffix, const profile::ListLine& line) {
        if (suffix.find_first_of("*/") != std::string_view::npos)
            return add_line(line.number, quoted(suffix) + " is no suffix of a host name");
        std::string_view rest = line.rest;
        const std::size_t end = rest.find_first_of(" \t");
        if (rest.starts_with('#') || end == std::string_view::npos) return;
        rest.remove_prefix(std::min(rest.find_first_not_of(" \t", end), rest.size()));
        if (!rest.empty() && rest[0] != '#')
            add_line(line.number, quoted(rest) + " has no effect, a line is a suffix and a name");
    }
    static std::string quoted(std::string_view text) {
        constexpr std::size_t most = 80;
        return "'" + std::string(text.substr(0, most)) + "'";
    }
    // Many lines may be wrong in the same way.
    void add_line(std::size_t number, const std::string& text) {
        constexpr unsigned most = 10;
        if (++lines_ <= most) add(Level::warning, "line " + std::to_string(number) + ": " + text);
    }
    void add(Level level, const std::string& text) {
        report_.add(level, file_.instance->position,
                    std::string(file_.argument) + "=" + *file_.path + ": " + text + " (instance " +
                        file_.instance->name + ")");
    }

    const ArgumentFile& file_;
    Report& report_;
    unsigned lines_ = 0;
};

} // namespace

std::vector<ArgumentFile> argument_files(const Profiles& profiles) {
    std::vector<ArgumentFile> files;
    for (const auto& profile : profiles)
        for (const LuaInstance& instance : profile->instances)
            for (const auto& [name, value] : instance.args) {
                if (!may_name_a_file(name) || !is_literal(value)) continue;
                const KnownFunction* function = find_known_function(instance.func);
                const KnownArgument* known =
                    function != nullptr ? find_argument(*function, name) : nullptr;
                if (known != nullptr && known->kind == ArgumentKind::file &&
                    instance.argument(name) == &value)
                    files.push_back({&instance, name, &value});
            }
    return files;
}

void check_argument_files(const Profiles& profiles, Report& report) {
    for (const ArgumentFile& file : argument_files(profiles))
        FileCheck(file, report).run();
}

} // namespace nfqws2::app
