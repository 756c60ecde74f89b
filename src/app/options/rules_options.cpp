#include "options/rules_options.hpp"

#include "nfqws2/base/output_file.hpp"
#include "nfqws2/base/text.hpp"
#include "options/values.hpp"

#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/un.h>

namespace nfqws2::app {

void set_rules(ParseState& state, const OptionValue& value) {
    if (!rules::in_this_build()) throw BadValue("not part of this build");
    if (!state.config.rules_file.empty()) throw BadValue("is given twice, one file is allowed");
    if (value->empty()) throw BadValue("needs the name of a file");
    state.config.rules_file = made_absolute(*value);
}

namespace {

// FILE[:NUMBER]: takes a number off the path. What else stands behind the last colon of the file's
// name is a mistake, more often than a part of the name.
std::optional<std::uint64_t> take_number(std::string& path, std::uint64_t most, const char* what) {
    const std::size_t colon = path.rfind(':');
    if (colon == std::string::npos || path.find('/', colon) != std::string::npos)
        return std::nullopt;
    const auto number = parse_uint(std::string_view(path).substr(colon + 1), most);
    if (!number || number == 0U)
        throw BadValue(std::string(what) + " must be 1.." + std::to_string(most) + " : " + path +
                       (number ? "" : " (a file with ':' in its name needs the number too)"));
    path.resize(colon);
    return number;
}

OutputFile open_for_rules(const std::string& path, int flags) {
    if (path.empty()) throw BadValue("needs the name of a file");
    OutputFile output = open_output_file(path, flags);
    if (!output) throw BadValue("cannot open '" + path + "': " + output.error);
    return output;
}

} // namespace

void set_rules_stats(ParseState& state, const OptionValue& value) {
    constexpr std::uint64_t most_seconds = 86'400;
    std::string path = *value;
    if (const auto seconds = take_number(path, most_seconds, "seconds"))
        state.config.rules_stats_s = static_cast<unsigned>(*seconds);
    state.config.rules_stats = open_for_rules(path, O_RDWR);
}

void set_rules_capture(ParseState& state, const OptionValue& value) {
    constexpr std::uint64_t most_megabytes = 1'000'000;
    std::string path = *value;
    if (const auto megabytes = take_number(path, most_megabytes, "MB"))
        state.config.rules_capture_mb = *megabytes;
    // A look at the options must not empty the capture of a daemon that runs.
    state.config.rules_capture = open_for_rules(path, O_WRONLY | O_APPEND);
}

void set_rules_export(ParseState& state, const OptionValue& value) {
    constexpr std::string_view socket = "unix:";
    if (!value->starts_with(socket)) {
        state.config.rules_export = open_for_rules(*value, O_WRONLY | O_APPEND);
        return;
    }
    constexpr std::size_t longest = sizeof(sockaddr_un::sun_path) - 1;
    std::string& path = state.config.rules_export_socket;
    if (value->size() > socket.size()) path = made_absolute(value->substr(socket.size()));
    if (path.empty() || path.size() > longest)
        throw BadValue("the path of the socket is empty or too long");
}

} // namespace nfqws2::app
