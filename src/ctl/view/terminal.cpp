#include "view/terminal.hpp"

#include "nfqws2/base/json.hpp"
#include "nfqws2/base/text.hpp"
#include "view/markup.hpp"

#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

namespace nfqws2::ctl {

std::string safe(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const char32_t c = next_character(text);
        if (!is_harmful(c))
            append_utf8(out, c);
        else
            out += c < 0x100 ? format("\\x%02x", static_cast<unsigned>(c))
                             : format("\\u%04x", static_cast<unsigned>(c));
    }
    return out;
}

std::string safe_lines(std::string_view text, std::string_view indent) {
    std::string out;
    for (;;) {
        const std::size_t end = text.find('\n');
        out += safe(text.substr(0, end));
        if (end == std::string_view::npos) return out;
        text.remove_prefix(end + 1);
        out += '\n';
        out += indent;
    }
}

Style Style::of_output() {
    if (isatty(STDOUT_FILENO) == 0) return {};
    const char* none = std::getenv("NO_COLOR");
    const char* kind = std::getenv("TERM");
    const bool dumb = kind == nullptr || std::string_view(kind) == "dumb";
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) size.ws_col = 80;
    return {(none == nullptr || *none == '\0') && !dumb, size.ws_col};
}

std::string Style::paint(Colour colour, std::string_view text) const {
    if (!colours_ || colour == Colour::none || text.empty()) return std::string(text);
    const char* code = "0";
    switch (colour) {
    case Colour::none:
        break;
    case Colour::quiet:
        code = "2";
        break;
    case Colour::strong:
        code = "1";
        break;
    case Colour::good:
        code = "32";
        break;
    case Colour::warn:
        code = "33";
        break;
    case Colour::bad:
        code = "31";
        break;
    case Colour::accent:
        code = "36";
        break;
    }
    return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

} // namespace nfqws2::ctl
