#include "ports.hpp"

#include "nfqws2/base/file.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

namespace nfqws2::probe {

Ports::Ports(const Range& range, bool ipv6, std::uint32_t next)
    : range_(range), ipv6_(ipv6),
      next_(next >= range.first && next <= range.last ? next : range.first) {
}

// What the one who asks will do with it.
bool Ports::is_free(std::uint32_t port) const {
    const FileDescriptor fd(socket(ipv6_ ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<std::uint16_t>(port));
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = v4.sin_port;
    return ipv6_ ? bind(fd.get(), reinterpret_cast<const sockaddr*>(&v6), sizeof v6) == 0
                 : bind(fd.get(), reinterpret_cast<const sockaddr*>(&v4), sizeof v4) == 0;
}

std::vector<std::uint16_t> Ports::take(std::size_t count) {
    std::vector<std::uint16_t> ports;
    for (std::size_t looked = 0; ports.size() < count && looked < size(); ++looked) {
        if (next_ > range_.last) {
            next_ = range_.first;
            ports.clear(); // they are to be one range
        }
        if (is_free(next_)) {
            ports.push_back(static_cast<std::uint16_t>(next_));
        }
        ++next_;
    }
    return ports.size() < count ? std::vector<std::uint16_t>() : ports;
}

std::string range_text(const std::vector<std::uint16_t>& ports) {
    return std::to_string(ports.front()) + '-' + std::to_string(ports.back());
}

} // namespace nfqws2::probe
