#include "options/arguments.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/text.hpp"
#include "options/config_file.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace nfqws2::app {
namespace {

// No sane configuration is larger; a device file must not fill the memory.
constexpr std::size_t max_config_size = 64 * 1024 * 1024;
// Of a pipe: a command that makes the configuration may take a while.
constexpr int patience_ms = 10'000;

Arguments load_config(const std::string& file) {
    const ReadResult content = read_file(file, max_config_size, patience_ms);
    if (!content.ok())
        throw ConfigError(
            format("could not load config file '%s' (%s)", file.c_str(), content.error.c_str()));
    Arguments result{"x", file, {}};
    result.words = expand_config(std::string(as_text(content.data)), file, &result.remarks);
    return result;
}

// What may stand beside a file anywhere, and what only behind it: a service names queue and socket
// there too, for those who look for them on the command line.
enum class Place { anywhere, behind };

// How many words an option that may stand beside a file consists of; 0 if the word is none.
std::size_t size_of_companion(const std::vector<Word>& words, std::size_t at,
                              Place place = Place::anywhere) {
    static constexpr std::array<std::string_view, 5> behind = {"qnum", "control", "control-group",
                                                               "pidfile", "daemon"};
    static constexpr std::array<std::string_view, 8> companions = {
        "check",   "explain", "explain-json", "debug",
        "dry-run", "quiet",   "print-rules",  "rules-now"};
    std::string_view name = words[at].text;
    if (!name.starts_with('-')) return 0;
    name.remove_prefix(name.starts_with("--") ? 2 : 1);
    const std::size_t equals = name.find('=');
    name = name.substr(0, equals);
    const bool of_service =
        place == Place::behind && std::find(behind.begin(), behind.end(), name) != behind.end();
    if (!of_service && std::find(companions.begin(), companions.end(), name) == companions.end())
        return 0;
    const bool value_follows =
        ((of_service && name != "daemon") || name == "explain" || name == "print-rules") &&
        equals == std::string_view::npos;
    return value_follows && at + 1 < words.size() ? 2 : 1;
}

// The word that names the configuration file.
std::optional<std::size_t> file_word(const std::vector<Word>& words) {
    if (words.empty()) return std::nullopt;
    if (words[0].text.starts_with('@') || words[0].text.starts_with('$')) return 0;
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < words.size();) {
        const std::size_t size = size_of_companion(words, i);
        if (size == 0 && (found || !words[i].text.starts_with('@'))) return std::nullopt;
        if (size == 0) found = i;
        i += std::max<std::size_t>(size, 1);
    }
    return found;
}

Arguments with_config(const std::vector<Word>& line, std::size_t file_at) {
    Arguments result = load_config(line[file_at].text.substr(1));
    std::vector<Word> first;
    const Place place = file_at == 0 ? Place::behind : Place::anywhere;
    for (std::size_t i = 0; i < line.size();) {
        const std::size_t size = i == file_at ? 0 : size_of_companion(line, i, place);
        if (size == 0 && i != file_at)
            result.remarks.push_back("'" + line[i].text + "' (argument " + std::to_string(i + 1) +
                                     ") stands beside the file " + result.file +
                                     " and has no effect, write it into the file");
        for (std::size_t word = i; word < i + size; word++) {
            first.push_back(line[word]);
            result.beside.push_back(word + 1);
        }
        i += std::max<std::size_t>(size, 1);
    }
    result.words.insert(result.words.begin(), first.begin(), first.end());
    return result;
}

} // namespace

std::string Arguments::where(std::size_t position) const {
    if (file.empty()) return "argument " + std::to_string(position + 1);
    if (position < beside.size()) return "argument " + std::to_string(beside[position]);
    return file + ":" + std::to_string(position < words.size() ? words[position].line : 0);
}

Arguments collect_arguments(int argc, const char* const* argv) {
    return collect_arguments(std::vector<std::string>(argv, argv + argc));
}

Arguments collect_arguments(const std::vector<std::string>& line) {
    Arguments result;
    result.program = line.empty() ? "nfqws2" : line[0];
    for (std::size_t i = 1; i < line.size(); i++)
        result.words.push_back({line[i], 0});
    if (const auto at = file_word(result.words)) return with_config(result.words, *at);
    return result;
}

} // namespace nfqws2::app
