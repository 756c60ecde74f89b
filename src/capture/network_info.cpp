#include "nfqws2/capture/network_info.hpp"

#include "nfqws2/base/file.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace nfqws2::capture {

namespace {

IpAddress address_of(const sockaddr* a) {
    if (a == nullptr) return {};
    if (a->sa_family == AF_INET) {
        sockaddr_in v4;
        std::memcpy(&v4, a, sizeof(v4));
        return IpAddress::v4(reinterpret_cast<const std::uint8_t*>(&v4.sin_addr));
    }
    if (a->sa_family == AF_INET6) {
        sockaddr_in6 v6;
        std::memcpy(&v6, a, sizeof(v6));
        return IpAddress::v6(v6.sin6_addr.s6_addr);
    }
    return {};
}

Interface& entry_for(std::vector<Interface>& list, const char* name) {
    for (Interface& i : list)
        if (i.name == name) return i;
    list.emplace_back().name = name;
    return list.back();
}

std::optional<unsigned> mtu_of(int fd, const std::string& name) {
    ifreq request{};
    if (name.size() >= sizeof(request.ifr_name)) return std::nullopt;
    std::memcpy(request.ifr_name, name.data(), name.size());
    if (fd < 0 || ioctl(fd, SIOCGIFMTU, &request) < 0) return std::nullopt;
    return static_cast<unsigned>(request.ifr_mtu);
}

IpAddress netmask_of(const Network& n) {
    IpAddress mask = n.address;
    const unsigned bits = n.address.version == 4 ? 32 : 128;
    for (unsigned i = 0; i < bits / 8; i++) {
        const unsigned ones = n.prefix <= i * 8 ? 0 : n.prefix - i * 8;
        mask.raw[i] = static_cast<std::uint8_t>(ones >= 8 ? 0xFF : 0xFF << (8 - ones));
    }
    return mask;
}

IpAddress broadcast_of(const Network& n) {
    const IpAddress mask = netmask_of(n);
    IpAddress all = n.address;
    for (unsigned i = 0; i < 4; i++)
        all.raw[i] = static_cast<std::uint8_t>(all.raw[i] | ~mask.raw[i]);
    return all;
}

} // namespace

bool Network::contains(const IpAddress& a) const {
    if (a.version != address.version || a.empty()) return false;
    const unsigned whole = prefix / 8, rest = prefix % 8;
    if (std::memcmp(a.raw.data(), address.raw.data(), whole) != 0) return false;
    return rest == 0 || (a.raw[whole] ^ address.raw[whole]) >> (8 - rest) == 0;
}

IpAddress LiveNetworkInfo::source_for(const IpAddress& target) {
    constexpr std::uint16_t any_port = 65535;
    if (target.empty()) return {};
    const int family = target.version == 4 ? AF_INET : AF_INET6;
    const FileDescriptor fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd) return {};

    sockaddr_storage address{};
    socklen_t size = 0;
    if (target.version == 4) {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
        v4->sin_family = AF_INET;
        v4->sin_port = htons(any_port);
        std::memcpy(&v4->sin_addr, target.raw.data(), 4);
        size = sizeof(*v4);
    } else {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(any_port);
        std::memcpy(&v6->sin6_addr, target.raw.data(), 16);
        size = sizeof(*v6);
    }
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (connect(fd.get(), generic, size) < 0) return {};
    size = sizeof(address);
    if (getsockname(fd.get(), generic, &size) < 0) return {};
    return address_of(generic);
}

std::optional<std::vector<Interface>> LiveNetworkInfo::interfaces() {
    ifaddrs* first = nullptr;
    if (getifaddrs(&first) < 0) return std::nullopt;
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(first, &freeifaddrs);
    const FileDescriptor fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

    std::vector<Interface> list;
    for (const ifaddrs* a = first; a != nullptr; a = a->ifa_next) {
        InterfaceAddress entry;
        entry.address = address_of(a->ifa_addr);
        if (entry.address.empty()) continue;
        entry.netmask = address_of(a->ifa_netmask);
        // On Linux both are the same field of the structure.
        entry.broadcast = entry.destination = address_of(a->ifa_broadaddr);

        Interface& i = entry_for(list, a->ifa_name);
        if (i.addresses.empty()) {
            i.flags = a->ifa_flags;
            i.mtu = mtu_of(fd.get(), i.name);
            if (const unsigned index = if_nametoindex(i.name.c_str())) i.index = index;
            if (ssid_of_) i.ssid = ssid_of_(i.name);
        }
        i.addresses.push_back(entry);
    }
    return list;
}

IpAddress OfflineNetworkInfo::source_for(const IpAddress& target) {
    IpAddress first;
    for (const Network& n : local_) {
        if (n.address == target) return target;
        if (first.empty() && n.address.version == target.version) first = n.address;
    }
    return first;
}

std::optional<std::vector<Interface>> OfflineNetworkInfo::interfaces() {
    if (local_.empty()) return std::vector<Interface>{};
    Interface i;
    i.name = interface_name_;
    i.index = interface_index;
    i.mtu = 1500;
    i.flags = IFF_UP | IFF_BROADCAST | IFF_RUNNING | IFF_MULTICAST;
    for (const Network& n : local_) {
        InterfaceAddress a{n.address, netmask_of(n), {}, {}};
        if (n.address.version == 4) a.broadcast = a.destination = broadcast_of(n);
        i.addresses.push_back(a);
    }
    return std::vector<Interface>{i};
}

} // namespace nfqws2::capture
