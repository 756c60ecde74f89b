#include "mdig/mdig_resolver.hpp"

#include "nfqws2/base/text.hpp"

#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace nfqws2::tools {

void append_address(const sockaddr* address, std::vector<IpAddress>& out) {
    std::uint8_t raw[16];
    if (address->sa_family == AF_INET) {
        const auto* in = reinterpret_cast<const sockaddr_in*>(address);
        std::memcpy(raw, &in->sin_addr, 4);
        out.push_back(IpAddress::v4(raw));
    } else if (address->sa_family == AF_INET6) {
        const auto* in6 = reinterpret_cast<const sockaddr_in6*>(address);
        std::memcpy(raw, &in6->sin6_addr, 16);
        out.push_back(IpAddress::v6(raw));
    }
}

namespace {} // namespace

int SystemResolver::resolve(const std::string& name, Families families,
                            std::vector<IpAddress>& addresses) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM; // one entry per address, not one per socket type
    hints.ai_family = families.v4 && families.v6 ? AF_UNSPEC : families.v6 ? AF_INET6 : AF_INET;
    addrinfo* first = nullptr;
    const int code = getaddrinfo(name.c_str(), nullptr, &hints, &first);
    if (code != 0) return code;
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(first, &freeaddrinfo);
    for (const addrinfo* info = first; info != nullptr; info = info->ai_next)
        append_address(info->ai_addr, addresses);
    return 0;
}

const char* eai_name(int code) {
    switch (code) {
    case EAI_NONAME:
        return "EAI_NONAME";
    case EAI_AGAIN:
        return "EAI_AGAIN";
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
        return "EAI_ADDRFAMILY";
#endif
#ifdef EAI_NODATA
    case EAI_NODATA:
        return "EAI_NODATA";
#endif
    case EAI_BADFLAGS:
        return "EAI_BADFLAGS";
    case EAI_FAIL:
        return "EAI_FAIL";
    case EAI_MEMORY:
        return "EAI_MEMORY";
    case EAI_FAMILY:
        return "EAI_FAMILY";
    case EAI_SERVICE:
        return "EAI_SERVICE";
    case EAI_SOCKTYPE:
        return "EAI_SOCKTYPE";
    case EAI_SYSTEM:
        return "EAI_SYSTEM";
    default:
        return "UNKNOWN";
    }
}

std::string failure_text(const std::string& name, int code) {
    return format("failed to resolve %s : result %d (%s)", name.c_str(), code, eai_name(code));
}

} // namespace nfqws2::tools
