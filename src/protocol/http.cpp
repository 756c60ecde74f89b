#include "nfqws2/protocol/http.hpp"

#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/protocol/hostname.hpp"
#include "text_scan.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace nfqws2::protocol {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t max_value = 255;

constexpr std::array methods = {
    "GET "sv,    "POST "sv,    "HEAD "sv,  "OPTIONS "sv, "PUT "sv,
    "DELETE "sv, "CONNECT "sv, "TRACE "sv, "PATCH "sv,
};

constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t';
}
constexpr bool is_eol(char c) {
    return c == '\r' || c == '\n';
}

// Removes one token and the blanks behind it; false if the line ends instead.
bool skip_token(std::string_view& text) {
    const std::size_t end = text.find_first_of(" \t\r\n");
    if (end == std::string_view::npos || !is_blank(text[end])) return false;
    const std::size_t next = text.find_first_not_of(" \t", end);
    text.remove_prefix(next == std::string_view::npos ? text.size() : next);
    return true;
}

bool starts_with_method(std::string_view text) {
    // Every method begins with a capital letter of the narrow range C..T.
    if (text.size() < 4 || text[0] < 'C' || text[0] > 'T') return false;
    return std::ranges::any_of(methods, [&](std::string_view m) { return text.starts_with(m); });
}

// Host part of an absolute http(s) URL, without user info and port; empty if there is none.
std::string_view url_host(std::string_view url) {
    if (url.starts_with("http://")) {
        url.remove_prefix(7);
    } else if (url.starts_with("https://")) {
        url.remove_prefix(8);
    } else {
        return {};
    }
    std::string_view host = url.substr(0, url.find_first_of("/?#"));
    if (const auto at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
    if (!host.starts_with('[')) host = host.substr(0, host.find(':'));
    return host;
}

bool same_text(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
               return ascii_lower(x) == ascii_lower(y);
           });
}

} // namespace

std::size_t find_header(std::string_view text, std::string_view name) {
    for (std::size_t lf = text.find('\n'); lf != std::string_view::npos;
         lf = text.find('\n', lf + 1)) {
        const std::string_view line = text.substr(lf + 1);
        if (line.size() <= name.size()) break;
        if (line[name.size()] == ':' && same_text(line.substr(0, name.size()), name)) return lf + 1;
    }
    return std::string_view::npos;
}

bool is_http_request(Bytes data) {
    std::string_view text = as_text(data);
    if (!starts_with_method(text)) return false;
    if (!skip_token(text) || !skip_token(text)) return false;
    return text.size() >= 10 && text.starts_with("HTTP/1.");
}

bool is_http_reply(Bytes data) {
    const std::string_view text = as_text(data);
    const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
    return text.size() >= 15 && text.starts_with("HTTP/1.") && (text[7] == '0' || text[7] == '1') &&
           text[8] == ' ' && digit(9) && digit(10) && digit(11);
}

int http_reply_status(Bytes data) {
    if (!is_http_reply(data)) return 0;
    return (data[9] - '0') * 100 + (data[10] - '0') * 10 + (data[11] - '0');
}

std::optional<std::string> http_header_value(Bytes data, std::string_view name) {
    std::string_view text = as_text(data);
    const std::size_t header = find_header(text, name);
    if (header == std::string_view::npos) return std::nullopt;
    text.remove_prefix(header + name.size() + 1);
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);

    std::size_t size = 0;
    while (size < text.size() && size < max_value && !is_blank(text[size]) && !is_eol(text[size]) &&
           text[size] != '\0') {
        ++size;
    }
    if (size == 0) return std::nullopt;
    return ascii_lower(text.substr(0, size));
}

std::optional<std::string> http_host(Bytes request) {
    return http_header_value(request, "Host");
}

bool is_foreign_redirect(Bytes reply, std::string_view host) {
    if (host.empty()) return false;
    const int status = http_reply_status(reply);
    if (status != 302 && status != 307) return false;
    const auto location = http_header_value(reply, "Location");
    if (!location) return false;

    const std::string_view target = url_host(*location);
    const auto target_level = second_level(target);
    if (!target_level) return false;
    if (IpAddress::parse(target) || IpAddress::parse(host)) return !same_text(target, host);
    const auto host_level = second_level(host);
    if (!host_level) return true;
    return !same_text(target.substr(target_level->sld), host.substr(host_level->sld));
}

} // namespace nfqws2::protocol
