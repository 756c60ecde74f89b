#include "command.hpp"

#include "nfqws2/base/build.hpp"

#include <cstdio>

namespace nfqws2::tools {

std::string version_line() {
    return build::version;
}

int show_help(const char* usage) {
    std::printf("%s\n\n%s", version_line().c_str(), usage);
    std::fflush(stdout);
    return exit_usage;
}

int refuse_options(const char* usage) {
    std::fputs(usage, stderr);
    return exit_usage;
}

std::optional<std::uint32_t> scan_mask(std::string_view text) {
    const bool negative = !text.empty() && text[0] == '-';
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') break;
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
        if (value > UINT32_MAX) value = UINT32_MAX;
    }
    if (negative && value != 0) return UINT32_MAX;
    return static_cast<std::uint32_t>(value);
}

} // namespace nfqws2::tools
