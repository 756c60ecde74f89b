#include "nfqws2/capture/messages.hpp"

#include <cerrno>
#include <cstring>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace nfqws2::capture {

NetlinkSender::NetlinkSender(int protocol)
    : socket_(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)) {
}

int NetlinkSender::send(const NetlinkMessage& message) {
    if (!socket_) return EBADF;
    nlmsghdr header{};
    header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_HDRLEN + message.payload.size());
    header.nlmsg_type = NLMSG_DONE;
    header.nlmsg_flags = message.flags;
    header.nlmsg_seq = 1;
    sockaddr_nl to{};
    to.nl_family = AF_NETLINK;
    to.nl_pid = message.port;
    to.nl_groups = message.groups;
    iovec parts[] = {{&header, NLMSG_HDRLEN},
                     {const_cast<std::uint8_t*>(message.payload.data()), message.payload.size()}};
    msghdr datagram{};
    datagram.msg_name = &to;
    datagram.msg_namelen = sizeof(to);
    datagram.msg_iov = parts;
    datagram.msg_iovlen = 2;
    if (sendmsg(socket_.get(), &datagram, MSG_DONTWAIT) >= 0) return 0;
    // The kernel says so of a group that nobody is in, and even of one that has got the message.
    if (errno == ECONNREFUSED && message.groups != 0 && message.port == 0) return 0;
    return errno;
}

} // namespace nfqws2::capture
