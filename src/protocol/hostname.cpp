#include "nfqws2/protocol/hostname.hpp"

#include "nfqws2/base/ip_address.hpp"

#include <algorithm>

namespace nfqws2::protocol {

namespace {

bool is_address(std::string_view text, std::uint8_t version) {
    const auto address = IpAddress::parse(text);
    return address && address->version == version;
}

} // namespace

HostName normalise_host(std::string_view raw) {
    std::string_view host = raw;
    host.remove_prefix(std::min(host.find_first_not_of(" \t"), host.size()));
    if (host.size() < 2) return {std::string(raw), false};

    if (host.front() == '[') {
        const std::size_t close = host.find(']');
        if (close == std::string_view::npos) return {std::string(raw), false};
        host = host.substr(1, close - 1);
        return {std::string(host), is_address(host, 6)};
    }
    if (is_address(host, 6)) return {std::string(host), true};
    host = host.substr(0, host.find(':'));
    return {std::string(host), is_address(host, 4)};
}

std::optional<SecondLevel> second_level(std::string_view host) {
    const std::size_t dot = host.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return std::nullopt;
    const std::size_t previous = host.rfind('.', dot - 1);
    SecondLevel result;
    result.sld = previous == std::string_view::npos ? 0 : previous + 1;
    result.endsld = dot;
    const std::size_t length = result.endsld - result.sld;
    result.midsld = result.sld + (length == 1 ? 1 : length / 2);
    return result;
}

bool is_printable_host(std::string_view host) {
    return !host.empty() && std::ranges::all_of(host, [](char c) { return c > ' ' && c < 0x7f; });
}

} // namespace nfqws2::protocol
