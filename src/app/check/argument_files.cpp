#include "check/argument_files.hpp"

#include "check/known_functions.hpp"
#include "nfqws2/base/file.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/profile/list_reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/stat.h>

namespace nfqws2::app {
namespace {

using profile::LuaInstance;

constexpr std::string_view groups = "groups";     // of learn: lines "suffix [name]"
constexpr std::string_view patterns = "patterns"; // of detect_blockpage: lines with texts
constexpr std::string_view blanks = " \t\v\f";

// A word for something that is known later, or that means more than it says.
bool is_literal(const std::string& value) {
    return !value.empty() && !is_reference(value) && value[0] != '\\';
}

// Detectors of the user may have an argument of this name too.
bool is_read_by_detector(const LuaInstance& instance) {
    for (const char* argument : {"success_detector", "failure_detector"}) {
        const std::string* names = instance.argument(argument);
        if (names == nullptr) continue;
        for (const std::string_view name : split(*names, '+'))
            if (name == "detect_blockpage") return true;
    }
    return false;
}

// The first word, which goes.
std::string_view take_word(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(blanks));
    text.remove_prefix(word.size());
    return word;
}

// As read_lines() of zapret-learn.lua reads them.
class FileCheck {
  public:
    FileCheck(const ArgumentFile& file, Report& report) : file_(file), report_(report) {}

    void run() {
        const std::string why = why_unreadable(*file_.path);
        if (!why.empty()) return add(unreadable(), why);
        const ReadResult read = read_file_maybe_gzip(*file_.path);
        const std::string here = *file_.path + ": ";
        if (!read.ok())
            return add(unreadable(),
                       read.error.substr(read.error.starts_with(here) ? here.size() : 0));
        std::string_view text = as_text(read.data);
        if (is_utf16(text)) return add(unreadable(), "it is UTF-16, UTF-8 is needed");
        text = without_byte_order_mark(text);
        std::size_t number = 0;
        for (const std::string_view line : split(text, '\n')) {
            number++;
            for (const std::string_view part : split(line, '\r'))
                check_line(number, part);
        }
        if (empty_) add(Level::warning, "it is empty and has no effect");
    }

  private:
    Level unreadable() const { return file_.certain ? Level::error : Level::warning; }
    void check_line(std::size_t number, std::string_view line) {
        if (file_.argument == groups)
            check_group(number, line.substr(0, line.find('#')));
        else
            empty_ = empty_ && (line.empty() || line[0] == '#');
    }
    void check_group(std::size_t number, std::string_view rest) {
        const std::string_view suffix = take_word(rest);
        if (suffix.empty()) return;
        empty_ = false;
        if (suffix.find_first_of("*/;") != std::string_view::npos)
            return add_line(number, quoted(suffix) + " is no suffix of a host name");
        take_word(rest); // the name
        rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
        rest = rest.substr(0, rest.find_last_not_of(blanks) + 1);
        if (!rest.empty())
            add_line(number, quoted(rest) + " has no effect, a line is a suffix and a name");
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
    bool empty_ = true;
    unsigned lines_ = 0; // that are wrong
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
                    files.push_back({&instance, name, &value,
                                     name != patterns || is_read_by_detector(instance)});
            }
    return files;
}

std::string why_unreadable(const std::string& path) {
    int why = 0;
    if (!can_read(path, &why)) return std::strerror(why);
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) return std::strerror(errno);
    return profile::is_endless(info) ? "not a regular file" : "";
}

void check_argument_files(const Profiles& profiles, Report& report) {
    for (const ArgumentFile& file : argument_files(profiles))
        FileCheck(file, report).run();
}

} // namespace nfqws2::app
