#include "verdict.hpp"

#include <algorithm>

namespace nfqws2::probe {

namespace {

constexpr std::size_t longest_location = 4096;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

// Removes one of the prefixes of an absolute place; false if it has none.
bool take_scheme(std::string_view& place) {
    for (const std::string_view prefix : {"http://", "https://", "//"}) {
        if (same_name(place.substr(0, prefix.size()), prefix)) {
            place.remove_prefix(prefix.size());
            return true;
        }
    }
    return false;
}

} // namespace

bool redirect_is_own(std::string_view location, std::string_view host) {
    if (!take_scheme(location)) {
        return true;
    }
    location = location.substr(0, location.find_first_of("/?#"));
    if (const auto at = location.rfind('@'); at != std::string_view::npos) {
        location.remove_prefix(at + 1);
    }
    location = location.substr(0, location.find(':'));
    if (same_name(location, host)) {
        return true;
    }
    return location.size() > host.size() && location[location.size() - host.size() - 1] == '.' &&
           same_name(location.substr(location.size() - host.size()), host);
}

void judge_http(Attempt& attempt, std::string_view location, std::string_view host) {
    const long status = attempt.status;
    if (status == 400) {
        attempt.code = code_suspicious;
        attempt.error = "http code 400. likely the server received fakes.";
    } else if ((status == 301 || status == 302 || status == 307 || status == 308) &&
               !redirect_is_own(location, host)) {
        attempt.code = code_suspicious;
        attempt.error =
            "suspicious redirection " + std::to_string(status) + " to : " + std::string(location);
    }
}

void note_location(std::string& location, std::string_view line) {
    constexpr std::string_view name = "location:";
    if (line.substr(0, 5) == "HTTP/") {
        location.clear();
    } else if (same_name(line.substr(0, name.size()), name)) {
        line.remove_prefix(name.size());
        line.remove_prefix(line.substr(0, 1) == " " ? 1 : 0);
        location = line.substr(0, std::min(line.find_last_not_of("\r\n") + 1, longest_location));
    }
}

std::string plain_text(std::string_view text) {
    std::string plain;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        plain += byte < ' ' || byte == 0x7f ? ' ' : byte > 0x7f ? '?' : c;
    }
    return plain;
}

std::string attempt_text(const Attempt& attempt) {
    return std::to_string(attempt.code) + '|' + std::to_string(attempt.status) + '|' +
           std::to_string(attempt.bytes) + '|' + std::to_string(attempt.milliseconds) + '|' +
           (attempt.connected ? "1|" : "0|") + attempt.address + '|' + plain_text(attempt.error);
}

} // namespace nfqws2::probe
