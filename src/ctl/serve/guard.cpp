#include "serve/guard.hpp"

#include "failure.hpp"
#include "nfqws2/base/text.hpp"

#include <arpa/inet.h>
#include <array>
#include <sys/random.h>

namespace nfqws2::ctl {
namespace {

bool is_v4(const std::string& text) {
    in_addr address{};
    return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_v6(const std::string& text) {
    in6_addr address{};
    return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

// "HOST", "HOST:PORT", "[V6]:PORT" in two; the port is "" if there is none.
bool divide(std::string_view text, std::string& host, std::string& port) {
    std::size_t end = text.rfind(':');
    if (text.starts_with('[')) {
        const std::size_t bracket = text.find(']');
        if (bracket == std::string_view::npos) return false;
        host = text.substr(1, bracket - 1);
        if (!is_v6(host)) return false;
        end = bracket + 1;
        if (end == text.size()) return true;
        if (text[end] != ':') return false;
    } else {
        host = text.substr(0, end);
        if (host.find(':') != std::string::npos) return false;
    }
    if (end != std::string_view::npos) port = text.substr(end + 1);
    return end == std::string_view::npos || !port.empty();
}

} // namespace

bool Listen::loopback() const {
    return host == "localhost" || host == "::1" || (host.starts_with("127.") && is_v4(host));
}

std::string Listen::text() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::optional<Listen> parse_listen(std::string_view text) {
    Listen listen;
    std::string port;
    if (text.find_first_not_of("0123456789") == std::string_view::npos) {
        listen.host = "127.0.0.1";
        port = text;
    } else if (!divide(text, listen.host, port)) {
        return std::nullopt;
    }
    const auto number = parse_uint(port, 65535);
    if (!number) return std::nullopt;
    listen.port = static_cast<int>(*number);
    if (listen.host != "localhost" && !is_v4(listen.host) && !is_v6(listen.host))
        return std::nullopt;
    return listen;
}

bool host_is_allowed(std::string_view header) {
    std::string host, port;
    if (!divide(header, host, port)) return false;
    if (!port.empty() && !parse_uint(port, 65535)) return false;
    return ascii_lower(host) == "localhost" || is_v4(host) || header.starts_with('[');
}

std::string new_token() {
    std::array<std::uint8_t, 16> bytes{};
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        throw Failure("this system gives no random numbers");
    return to_hex(bytes);
}

bool same_secret(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    unsigned different = 0;
    for (std::size_t i = 0; i < a.size(); i++)
        different |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
    return different == 0;
}

std::string_view cookie(std::string_view header, std::string_view name) {
    for (std::string_view part : split(header, ';')) {
        while (part.starts_with(' '))
            part.remove_prefix(1);
        if (part.starts_with(name) && part.substr(name.size()).starts_with('='))
            return part.substr(name.size() + 1);
    }
    return {};
}

std::string_view bearer(std::string_view header) {
    constexpr std::string_view word = "Bearer ";
    return header.starts_with(word) ? header.substr(word.size()) : std::string_view();
}

} // namespace nfqws2::ctl
