#include "nfqws2/capture/netfilter_socket.hpp"

#include "socket_options.hpp"

#include <cerrno>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

namespace nfqws2::capture {
namespace {

constexpr std::size_t datagram_size = 65536;
constexpr int event_buffer = 1024 * 1024; // what events wait in

} // namespace

int bind_beside(int fd, std::uint32_t groups) {
    constexpr std::uint32_t far = 0xC0000000, tries = 256;
    sockaddr_nl own{};
    own.nl_family = AF_NETLINK;
    own.nl_groups = groups;
    for (std::uint32_t i = 0; i < tries; i++) {
        own.nl_pid = far + static_cast<std::uint32_t>(getpid()) * tries % far / 4 + i;
        if (bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0) return 0;
        if (errno != EADDRINUSE) break;
    }
    return errno;
}

int NetfilterSocket::open(std::uint32_t groups) {
    FileDescriptor fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (!fd) return errno;
    if (const int error = bind_beside(fd.get(), groups)) return error;
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    // Connected, so that no other process can send to it.
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) != 0)
        return errno;
    if (groups != 0) set_buffer_size(fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, event_buffer);
    buffer_ = std::make_unique_for_overwrite<std::uint8_t[]>(datagram_size);
    socket_ = std::move(fd);
    return 0;
}

int NetfilterSocket::send(nlmsghdr* message) {
    message->nlmsg_seq = ++sequence_;
    return ::send(socket_.get(), message, message->nlmsg_len, 0) < 0 ? errno : 0;
}

int NetfilterSocket::receive(Bytes* datagram) {
    for (;;) {
        const ssize_t size = recv(socket_.get(), buffer_.get(), datagram_size, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return size < 0 ? errno : ECONNRESET;
        *datagram = {buffer_.get(), static_cast<std::size_t>(size)};
        return 0;
    }
}

} // namespace nfqws2::capture
