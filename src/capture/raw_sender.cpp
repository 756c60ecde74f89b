#include "nfqws2/capture/raw_sender.hpp"

#include "nfqws2/base/text.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "socket_options.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <linux/in.h>
#include <linux/in6.h>
#include <net/if.h>

namespace nfqws2::capture {

namespace {

constexpr int raw_receive_buffer = 2048; // nothing is ever read
constexpr int raw_send_buffer = 32768;
constexpr int priority = 6;
// A stuck device must not stop the program for ever.
constexpr timeval send_timeout{0, 100'000};

struct Destination {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

Destination destination_of(int family, Bytes packet) {
    Destination d;
    if (family == AF_INET) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        std::memcpy(&address.sin_addr, packet.data() + 16, 4);
        std::memcpy(&d.storage, &address, sizeof(address));
        d.size = sizeof(address);
    } else {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        std::memcpy(&address.sin6_addr, packet.data() + 24, 16);
        std::memcpy(&d.storage, &address, sizeof(address));
        d.size = sizeof(address);
    }
    return d;
}

// 0 or errno. A full device queue drains within microseconds, so it gets a short second chance.
int send_bytes(int fd, const Destination& to, Bytes packet) {
    constexpr int max_tries = 4;
    constexpr timespec pause{0, 200'000};
    for (int tries = 1;; tries++) {
        const auto* address = reinterpret_cast<const sockaddr*>(&to.storage);
        if (sendto(fd, packet.data(), packet.size(), 0, address, to.size) >= 0) return 0;
        if (errno == EINTR) continue;
        if (errno != ENOBUFS || tries == max_tries) return errno;
        nanosleep(&pause, nullptr);
    }
}

} // namespace

bool RawSender::open() {
    log::status("initializing raw sockets bind-fix4=%u bind-fix6=%u", options_.bind_fix4 ? 1U : 0U,
                options_.bind_fix6 ? 1U : 0U);
    if (create(v4_) != 0) return false;
    const int error = create(v6_);
    return error == 0 || error == EAFNOSUPPORT;
}

int RawSender::create(Socket& s) {
    FileDescriptor fd(socket(s.family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    const bool v4 = s.family == AF_INET;
    const char* failed = nullptr;
    if (!fd)
        failed = "socket()";
    else if (!set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, raw_receive_buffer))
        failed = "setsockopt(SO_RCVBUF)";
    else if (!set_option(fd.get(), SOL_SOCKET, SO_SNDBUF, raw_send_buffer))
        failed = "setsockopt(SO_SNDBUF)";
    else if (!set_option(fd.get(), SOL_SOCKET, SO_PRIORITY, priority))
        failed = "setsockopt(SO_PRIORITY)";
    else if (v4 && !set_option(fd.get(), IPPROTO_IP, IP_FREEBIND, 1))
        failed = "setsockopt(IP_FREEBIND)";
    if (failed != nullptr) {
        const int error = errno;
        report(create_log_, std::string(v4 ? "rawsend: IPv4 " : "rawsend: IPv6 ") + failed, error);
        return error;
    }
    if (!v4) set_option(fd.get(), IPPROTO_IPV6, IPV6_FREEBIND, 1);
    if (v4 && !set_option(fd.get(), IPPROTO_IP, IP_NODEFRAG, 1))
        log::os_error("rawsend: setsockopt(IP_NODEFRAG)", errno);
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &send_timeout, sizeof(send_timeout));
    s.fd = std::move(fd);
    s.mark.reset();
    s.device.reset();
    return 0;
}

bool RawSender::send(const OutputPacket& packet) {
    const bool v4 = packet::looks_like_ipv4(packet.data);
    if (!v4 && !packet::looks_like_ipv6(packet.data)) {
        if (send_log_.allow()) log::error("rawsend: bad ip4/ip6 header");
        return false;
    }
    if (before_send_) before_send_();
    Socket& s = v4 ? v4_ : v6_;
    const bool bind_to_device = v4 ? options_.bind_fix4 : options_.bind_fix6;
    if (!s.fd && create(s) != 0) return false;
    if (!prepare(s, packet, bind_to_device)) return false;
    for (unsigned i = 0; i < packet.repeats; i++)
        if (!send_once(s, packet, bind_to_device)) return false;
    return true;
}

bool RawSender::prepare(Socket& s, const OutputPacket& packet, bool bind_to_device) {
    return set_mark(s, packet.mark) && (!bind_to_device || set_device(s, packet.ifout));
}

bool RawSender::set_mark(Socket& s, std::uint32_t mark) {
    if (s.mark == mark) return true;
    if (setsockopt(s.fd.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0) {
        s.mark.reset();
        report(mark_log_, "rawsend: setsockopt(SO_MARK)", errno);
        return false;
    }
    s.mark = mark;
    return true;
}

bool RawSender::set_device(Socket& s, std::string_view device) {
    if (s.device && *s.device == device) return true;
    // A name that does not fit is sent cut; the kernel would then look for another interface.
    if (device.size() >= IF_NAMESIZE) {
        report(device_log_, "rawsend: setsockopt(SO_BINDTODEVICE)", ENODEV);
        return false;
    }
    const auto size = static_cast<socklen_t>(device.size());
    if (setsockopt(s.fd.get(), SOL_SOCKET, SO_BINDTODEVICE, size != 0 ? device.data() : "", size) <
        0) {
        s.device.reset();
        report(device_log_, "rawsend: setsockopt(SO_BINDTODEVICE)", errno);
        return false;
    }
    s.device.emplace(device);
    return true;
}

bool RawSender::send_once(Socket& s, const OutputPacket& packet, bool bind_to_device) {
    const Destination to = destination_of(s.family, packet.data);
    int error = send_bytes(s.fd.get(), to, packet.data);
    if (error != 0 && bind_to_device && s.device && !s.device->empty()) {
        // The socket is bound to an interface number; the name may belong to a new one by now.
        s.device.reset();
        const bool gone = error == ENODEV || error == ENXIO || error == ENETUNREACH;
        if (gone && !set_device(s, packet.ifout)) return false;
        if (gone) error = send_bytes(s.fd.get(), to, packet.data);
    }
    if (error == 0) return true;
    report(send_log_, nfqws2::format("rawsend: sendto (%zu)", packet.data.size()), error);
    return false;
}

void RawSender::report(log::RateLimit& limit, const std::string& what, int error) {
    unsigned suppressed = 0;
    if (!limit.allow(&suppressed)) {
        if (log::debug_enabled()) log::debug("%s: %s", what.c_str(), std::strerror(error));
        return;
    }
    log::os_error(what, error);
    if (suppressed != 0) log::error("rawsend: %u similar errors were not shown", suppressed);
}

} // namespace nfqws2::capture
