#include "view/parts.hpp"

#include "view/amounts.hpp"
#include "view/markup.hpp"

#include <algorithm>
#include <ctime>

namespace nfqws2::ctl {

std::int64_t number(const Json& object, const char* key) {
    return integer_of(member(object, key)).value_or(0);
}

std::string count(const Json& object, const char* key) {
    return count_text(number(object, key));
}

std::string profile_name(const Json& profile) {
    if (!profile.is_object()) return "-";
    const std::string name = text_of(member(profile, "name"));
    return name.empty() ? std::to_string(number(profile, "n")) : name;
}

std::string endpoint(const Json& side) {
    std::string address = text_of(member(side, "address"));
    const std::int64_t port = number(side, "port");
    if (port == 0) return address;
    const bool v6 = address.find(':') != std::string::npos;
    return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

std::int64_t received(const Json& flow) {
    const Json& server = member(flow, "server");
    const std::int64_t bytes = number(server, "bytes");
    if (bytes > 0 || text_of(member(flow, "proto")) != "tcp") return bytes;
    return std::max<std::int64_t>(number(server, "pos") - 1, 0); // the SYN counts as one
}

std::string age_of(std::int64_t unix_time) {
    const std::int64_t now = std::time(nullptr);
    if (unix_time <= 0 || unix_time > now) return "-";
    return duration_text((now - unix_time) * 1000);
}

std::string finding_text(const Json& finding, std::string_view indent) {
    const std::string option = text_of(member(finding, "option"));
    const std::string where = text_of(member(finding, "where"));
    std::string about;
    if (!option.empty()) about = "option '--" + option + "'";
    if (!where.empty()) about += (about.empty() ? "(" : " (") + where + ")";
    if (!about.empty()) about += ": ";
    return safe(about) + safe_lines(text_of(member(finding, "text")), indent);
}

std::string pairs(const std::vector<std::pair<std::string, Cell>>& rows, const Style& style) {
    std::size_t width = 0;
    for (const auto& [key, cell] : rows)
        if (!cell.text.empty()) width = std::max(width, character_count(key));
    std::string out;
    for (const auto& [key, cell] : rows) {
        if (cell.text.empty()) continue;
        const std::string room(width - character_count(key) + 2, ' ');
        out += style.paint(Colour::quiet, key) + room + style.paint(cell.colour, safe(cell.text)) +
               "\n";
    }
    return out;
}

} // namespace nfqws2::ctl
