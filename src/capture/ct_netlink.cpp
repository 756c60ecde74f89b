#include "nfqws2/capture/ct_netlink.hpp"

#include "nfqws2/capture/ct_message.hpp"
#include "nfqws2/capture/netfilter_socket.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <sys/socket.h>

namespace nfqws2::capture {

namespace {

constexpr std::uint16_t connection_message = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
constexpr std::uint16_t get_message = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
constexpr std::uint16_t delete_message = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
constexpr std::uint16_t expectation_message = NFNL_SUBSYS_CTNETLINK_EXP << 8 | IPCTNL_MSG_EXP_NEW;
constexpr unsigned stale_answers = 16; // of requests that were given up

FileDescriptor netfilter_socket() {
    FileDescriptor fd(
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    // Bound to a port of its own, connected to the kernel: nobody else can send to it.
    if (!fd || bind_beside(fd.get(), 0) != 0 ||
        connect(fd.get(), reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0)
        return {};
    const int on = 1;
    setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    return fd;
}

int error_of(const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(int)) return EPROTO;
    return -*static_cast<const int*>(mnl_nlmsg_get_payload(message));
}

} // namespace

// Asked for something that cannot be there.
int CtNetlink::open() {
    socket_ = netfilter_socket();
    if (!socket_) return errno != 0 ? errno : EPROTO;
    buffer_ = std::make_unique_for_overwrite<std::uint8_t[]>(answer_size);
    packet::CtTuple impossible;
    impossible.proto = 17;
    impossible.src.version = impossible.dst.version = 4;
    int error = 0;
    if (get(impossible, 0, &error) || error == ENOENT) return 0;
    socket_.reset();
    return error;
}

nlmsghdr* CtNetlink::begin(std::uint16_t type, std::uint16_t flags, const packet::CtTuple& tuple) {
    nlmsghdr* message = mnl_nlmsg_put_header(message_.data());
    message->nlmsg_type = type;
    message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    message->nlmsg_seq = ++sequence_;
    auto* family = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
    family->nfgen_family = tuple.dst.version == 4 ? AF_INET : AF_INET6;
    family->version = NFNETLINK_V0;
    family->res_id = 0;
    return message;
}

int CtNetlink::request(nlmsghdr* message, Bytes* answer) {
    if (!socket_) return EBADF;
    if (send(socket_.get(), message, message->nlmsg_len, MSG_DONTWAIT) < 0) return errno;
    for (unsigned i = 0; i < stale_answers; i++) {
        const ssize_t size = recv(socket_.get(), buffer_.get(), answer_size, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return errno;
        int left = static_cast<int>(size);
        const auto* got = reinterpret_cast<const nlmsghdr*>(buffer_.get());
        if (!mnl_nlmsg_ok(got, left) || got->nlmsg_seq != sequence_) continue;
        if (got->nlmsg_type == NLMSG_ERROR) return error_of(got);
        if (got->nlmsg_type != connection_message || answer == nullptr) continue;
        const std::size_t head = MNL_ALIGN(sizeof(nfgenmsg));
        if (mnl_nlmsg_get_payload_len(got) < head) return EPROTO;
        *answer = {static_cast<const std::uint8_t*>(mnl_nlmsg_get_payload_offset(got, head)),
                   mnl_nlmsg_get_payload_len(got) - head};
        return 0;
    }
    return EAGAIN;
}

std::optional<CtRequests::Answer> CtNetlink::get(const packet::CtTuple& tuple, std::uint16_t zone,
                                                 int* error) {
    nlmsghdr* message = begin(get_message, 0, tuple);
    put_tuple(message, CTA_TUPLE_ORIG, tuple);
    if (zone != 0) mnl_attr_put_u16(message, CTA_ZONE, htons(zone));
    Bytes attributes;
    *error = request(message, &attributes);
    if (*error != 0) {
        if (*error != ENOENT && failure_log_.allow())
            log::os_error("asking for a connection", *error);
        return std::nullopt;
    }
    std::optional<Answer> answer;
    answer.emplace();
    if (!parse_connection(attributes, answer->connection)) {
        *error = EPROTO;
        return std::nullopt;
    }
    // Of echo only the type tells the directions apart.
    const packet::CtTuple& reply = answer->connection.reply;
    answer->reply = reply.src == tuple.src && reply.dst == tuple.dst &&
                    reply.sport == tuple.sport && reply.dport == tuple.dport &&
                    reply.icmp_type == tuple.icmp_type;
    return answer;
}

int CtNetlink::update(const packet::CtTuple& orig, std::uint16_t zone,
                      const packet::CtChanges& changes) {
    std::uint32_t old_status = 0;
    if (changes.status) {
        int error = 0;
        const auto now = get(orig, zone, &error);
        if (!now) return error;
        old_status = now->connection.status.value_or(0);
    }
    nlmsghdr* message = begin(connection_message, NLM_F_ACK, orig);
    put_tuple(message, CTA_TUPLE_ORIG, orig);
    if (zone != 0) mnl_attr_put_u16(message, CTA_ZONE, htons(zone));
    put_changes(message, changes, old_status);
    return request(message, nullptr);
}

int CtNetlink::expect(const packet::CtTuple& master, const packet::CtExpectation& wanted) {
    nlmsghdr* message = begin(expectation_message, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, master);
    put_expectation(message, master, wanted);
    return request(message, nullptr);
}

// Without a tuple all of them would go.
int CtNetlink::remove(const packet::CtTuple& tuple, std::uint16_t zone) {
    nlmsghdr* message = begin(delete_message, NLM_F_ACK, tuple);
    put_tuple(message, CTA_TUPLE_ORIG, tuple);
    if (zone != 0) mnl_attr_put_u16(message, CTA_ZONE, htons(zone));
    return request(message, nullptr);
}

// The kernel looks at the flags before it looks for the queue: ENODEV says that they are good.
int ct_of_queue_refused() {
    FileDescriptor fd = netfilter_socket();
    if (!fd) return errno != 0 ? errno : EPROTO;
    constexpr unsigned tries = 3; // EAGAIN: a module was loaded meanwhile
    for (unsigned i = 0; i < tries; i++) {
        alignas(nlmsghdr) char buffer[1024];
        nlmsghdr* message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, UINT16_MAX);
        message->nlmsg_flags |= NLM_F_ACK;
        mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(NFQA_CFG_F_CONNTRACK));
        mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_CONNTRACK));
        if (send(fd.get(), message, message->nlmsg_len, 0) < 0) return errno;
        const ssize_t size = recv(fd.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
        if (size < 0) return errno;
        int left = static_cast<int>(size);
        const auto* got = reinterpret_cast<const nlmsghdr*>(buffer);
        if (!mnl_nlmsg_ok(got, left) || got->nlmsg_type != NLMSG_ERROR) return EPROTO;
        const int error = error_of(got);
        if (error == 0 || error == ENODEV) return 0;
        if (error != EAGAIN) return error;
    }
    return EAGAIN;
}

} // namespace nfqws2::capture
