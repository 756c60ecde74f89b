#include "nfqws2/base/ip_address.hpp"

#include <arpa/inet.h>

namespace nfqws2 {

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    char buffer[INET6_ADDRSTRLEN];
    if (text.empty() || text.size() >= sizeof(buffer)) return std::nullopt;
    if (text.find('\0') != std::string_view::npos) return std::nullopt;
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = '\0';

    IpAddress a;
    if (inet_pton(AF_INET, buffer, a.raw.data()) == 1) {
        a.version = 4;
        return a;
    }
    if (inet_pton(AF_INET6, buffer, a.raw.data()) == 1) {
        a.version = 6;
        return a;
    }
    return std::nullopt;
}

std::string IpAddress::text() const {
    if (version != 4 && version != 6) return {};
    char buffer[INET6_ADDRSTRLEN];
    const int family = version == 4 ? AF_INET : AF_INET6;
    if (inet_ntop(family, raw.data(), buffer, sizeof(buffer)) == nullptr) return {};
    return buffer;
}

} // namespace nfqws2
