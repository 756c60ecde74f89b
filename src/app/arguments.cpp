#include "nfqws2/app/arguments.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/text.hpp"

namespace nfqws2::app {
namespace {

// No sane configuration is larger; a device file must not fill the memory.
constexpr std::size_t max_config_size = 64 * 1024 * 1024;

Arguments load_config(const std::string& file) {
    const ReadResult content = read_file(file, max_config_size);
    if (!content.ok())
        throw ConfigError(
            format("could not load config file '%s' (%s)", file.c_str(), content.error.c_str()));
    return {"x", file, expand_config(std::string(as_text(content.data)), file)};
}

} // namespace

std::string Arguments::where(std::size_t position) const {
    if (file.empty()) return "argument " + std::to_string(position + 1);
    return file + ":" + std::to_string(position < words.size() ? words[position].line : 0);
}

Arguments collect_arguments(int argc, const char* const* argv) {
    if (argc > 1 && (argv[1][0] == '@' || argv[1][0] == '$')) return load_config(argv[1] + 1);
    Arguments result;
    result.program = argc > 0 ? argv[0] : "nfqws2";
    for (int i = 1; i < argc; i++)
        result.words.push_back({argv[i], 0});
    return result;
}

} // namespace nfqws2::app
