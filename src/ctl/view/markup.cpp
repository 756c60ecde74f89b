#include "view/markup.hpp"

#include "nfqws2/base/json.hpp"

namespace nfqws2::ctl {
namespace {

constexpr char32_t replacement = 0xFFFD;

bool continues(std::string_view text, std::size_t count) {
    if (text.size() <= count) return false;
    for (std::size_t i = 1; i <= count; i++)
        if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80) return false;
    return true;
}

} // namespace

char32_t next_character(std::string_view& text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    std::size_t more = 0;
    char32_t character = first, least = 0;
    if (first >= 0xC2 && first < 0xE0 && continues(text, 1)) {
        more = 1, character = first & 0x1FU, least = 0x80;
    } else if (first >= 0xE0 && first < 0xF0 && continues(text, 2)) {
        more = 2, character = first & 0x0FU, least = 0x800;
    } else if (first >= 0xF0 && first < 0xF5 && continues(text, 3)) {
        more = 3, character = first & 0x07U, least = 0x10000;
    } else if (first >= 0x80) {
        text.remove_prefix(1);
        return replacement;
    }
    for (std::size_t i = 1; i <= more; i++)
        character = character << 6 | (byte(i) & 0x3FU);
    text.remove_prefix(more + 1);
    const bool surrogate = character >= 0xD800 && character < 0xE000;
    return character < least || surrogate || character > 0x10FFFF ? replacement : character;
}

bool is_harmful(char32_t c) {
    if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return true;
    if (c == 0x061C || c == 0x200E || c == 0x200F || c == 0x2028 || c == 0x2029) return true;
    if ((c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069)) return true;
    return c == 0xFEFF || c == 0xFFFE || c == 0xFFFF;
}

std::string escaped(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const char32_t c = next_character(text);
        if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '&')
            out += "&amp;";
        else if (c == '"')
            out += "&quot;";
        else if (c == '\'')
            out += "&#39;";
        else
            append_utf8(out, is_harmful(c) ? replacement : c);
    }
    return out;
}

std::size_t character_count(std::string_view text) {
    std::size_t count = 0;
    for (; !text.empty(); count++)
        next_character(text);
    return count;
}

std::string shortened(std::string_view text, std::size_t most) {
    if (text.size() <= most || character_count(text) <= most) return std::string(text);
    std::string out;
    for (std::size_t i = 1; i < most; i++)
        append_utf8(out, next_character(text));
    return out + "\xE2\x80\xA6";
}

} // namespace nfqws2::ctl
