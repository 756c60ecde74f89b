#include "ip2net/ip2net_input.hpp"

#include "command.hpp"
#include "ip2net/net_text.hpp"

namespace nfqws2::tools {

namespace {

Ipv6Line pass_through(std::string_view text) {
    Ipv6Line line;
    line.use = LineUse::printed;
    line.printed = text;
    return line;
}

Ipv6Line collect(const Ipv6Key& key) {
    Ipv6Line line;
    line.use = LineUse::collected;
    line.key = key;
    return line;
}

} // namespace

LineUse read_ipv4_line(std::string_view line, Ipv4Key& key, char* text, unsigned& text_size) {
    const std::size_t first = line.find_first_not_of(" \t\r\v\f");
    if (first == std::string_view::npos) return LineUse::dropped;
    line.remove_prefix(first);
    const auto address = take_ipv4(line);
    if (!address) return LineUse::dropped;
    key = *address;
    if (line.empty()) return LineUse::collected;

    char* out = text;
    if (line[0] == '-') {
        line.remove_prefix(1);
        const auto last = take_ipv4(line);
        if (!last) return LineUse::collected;
        out = write_ipv4(out, key);
        *out++ = '-';
        out = write_ipv4(out, *last);
    } else if (line[0] == '/') {
        const auto mask = scan_mask(line.substr(1));
        if (!mask || *mask == 32) return LineUse::collected;
        if (*mask > 32) return LineUse::dropped;
        out = write_ipv4(out, key);
        *out++ = '/';
        out = write_number(out, *mask);
    } else {
        return LineUse::collected;
    }
    text_size = static_cast<unsigned>(out - text);
    return LineUse::printed;
}

Ipv6Line read_ipv6_line(std::string_view line) {
    std::size_t cut = line.find('/');
    if (cut == std::string_view::npos) cut = line.find('-');
    const auto address = parse_ipv6(line.substr(0, cut));
    if (!address) return {};
    if (cut == std::string_view::npos) return collect(*address);

    const std::string_view rest = line.substr(cut + 1);
    if (line[cut] == '-') return parse_ipv6(rest) ? pass_through(line) : Ipv6Line{};
    const auto mask = scan_mask(rest);
    if (!mask || *mask == 128) return collect(*address);
    if (*mask > 128) return {};
    Ipv6Line result = pass_through(line.substr(0, cut));
    result.has_mask = true;
    result.mask = *mask;
    return result;
}

} // namespace nfqws2::tools
