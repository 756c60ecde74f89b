// Opening and closing of the queue. All configuration after the bind goes into one message, so
// that there is no moment in which packets are queued but not yet delivered.
#include "nfqws2/capture/nfqueue.hpp"

#include "queue_messages.hpp"
#include "socket_options.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <climits>
#include <cstring>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <unistd.h>

namespace nfqws2::capture {

namespace {

constexpr std::uint16_t copy_range = 65535;
} // namespace

NfQueue::NfQueue() = default;
NfQueue::~NfQueue() = default;

bool NfQueue::open(const Options& options) {
    begin(options);
    log::status("opening nfq library handle");
    // Before that of the pieces, to which the kernel would give the process id as port.
    if (!open_socket()) return false;
    if (options.take_merged) open_pieces();
    const std::uint16_t pieces = pieces_ ? pieces_->options_.number : options.number;
    verdicts_ = VerdictBatch({options.number, pieces, options.offload_mark});
    set_buffers();
    if (bind_protocol_family(AF_INET, "AF_INET", true) &&
        bind_protocol_family(AF_INET6, "AF_INET6", false) && bind_queue()) {
        log::status("setting copy_packet mode");
        if (configure()) {
            interfaces_.open();
            return true;
        }
    }
    log::status("closing nfq library handle");
    socket_.reset();
    pieces_.reset();
    return false;
}

void NfQueue::begin(const Options& options) {
    options_ = options;
    counters_ = {};
    last_id_ = 0;
    reported_drops_ = 0;
    datagrams_.make();
}

// Its number is far from those that people and scripts choose, and another one for each queue.
void NfQueue::open_pieces() {
    constexpr unsigned tries = 16, far = 0x8000, step = 1000;
    for (unsigned i = 0; i < tries; i++) {
        Options options = options_;
        options.number = static_cast<std::uint16_t>((options_.number ^ far) + i * step);
        options.take_merged = false;
        options.port_is_process_id = false;
        auto queue = std::make_unique<NfQueue>();
        queue->begin(options);
        queue->verdicts_ = VerdictBatch({options.number, 0, options.offload_mark});
        if (!queue->open_socket()) break;
        queue->set_buffers();
        const int error = queue->request_binding();
        if (error == 0 && queue->configure()) {
            pieces_ = std::move(queue);
            return;
        }
        if (error != EPERM && error != EBUSY) break;
    }
    log::error("no second queue for the pieces of large packets can be had: they will be split "
               "before they are queued");
}

void NfQueue::close() {
    if (!socket_) return;
    flush();
    pieces_.reset(); // empty: its packets are handled as soon as they are there
    // Unbinding drops what the kernel still holds; let it pass instead.
    if (verdicts_.add_accept_all(last_id_)) flush();
    log::status("unbinding from queue %u", options_.number);
    alignas(nlmsghdr) char buffer[queue_message_size];
    const nlmsghdr* message =
        queue_command(buffer, options_.number, AF_UNSPEC, NFQNL_CFG_CMD_UNBIND);
    send(socket_.get(), message, message->nlmsg_len, 0);
    log::status("closing nfq library handle");
    socket_.reset();
    interfaces_.close();
}

// Else the kernel chooses a port: the process id, if nothing of the process has it yet.
bool NfQueue::bind_socket(int fd) const {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (options_.port_is_process_id) {
        address.nl_pid = static_cast<std::uint32_t>(getpid());
        if (bind(fd, generic, sizeof(address)) == 0) return true;
        log::error("queue %u cannot have the process id as port: %s", options_.number,
                   std::strerror(errno));
        address.nl_pid = 0;
    }
    return bind(fd, generic, sizeof(address)) == 0;
}

bool NfQueue::open_socket() {
    FileDescriptor fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    sockaddr_nl address{};
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (!fd || !bind_socket(fd.get()) || getsockname(fd.get(), generic, &size) < 0) {
        log::os_error("nfq_open()", errno);
        return false;
    }
    port_id_ = address.nl_pid;
    // Everything sent goes to the kernel, and no other process can send to a connected socket.
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&kernel), sizeof(kernel)) < 0) {
        log::os_error("nfq_open()", errno);
        return false;
    }
    socket_ = std::move(fd);
    return true;
}

void NfQueue::set_buffers() {
    const int fd = socket_.get();
    const int wanted =
        static_cast<int>(std::min<std::uint32_t>(options_.receive_buffer, INT_MAX / 2));
    set_buffer_size(fd, SO_RCVBUFFORCE, SO_RCVBUF, wanted);
    int real = 0;
    socklen_t size = sizeof(real);
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &real, &size) == 0 && real / 2 != wanted)
        log::status("could not set receive buffer size to %d. real size is %d", wanted, real / 2);
    set_buffer_size(fd, SO_SNDBUFFORCE, SO_SNDBUF, verdict_buffer);
    if (!set_option(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1))
        log::os_error("setsockopt(NETLINK_NO_ENOBUFS)", errno);
    // Answers to refused verdicts need not repeat the whole packet; old kernels lack the option.
    set_option(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
}

// Without effect since Linux 3.8, needed before.
bool NfQueue::bind_protocol_family(std::uint16_t family, const char* name, bool must) {
    constexpr struct {
        std::uint8_t command;
        const char *status, *what;
    } steps[] = {
        {NFQNL_CFG_CMD_PF_UNBIND, "unbinding existing nf_queue handler for %s (if any)",
         "nfq_unbind_pf()"},
        {NFQNL_CFG_CMD_PF_BIND, "binding nfnetlink_queue as nf_queue handler for %s",
         "nfq_bind_pf()"},
    };
    for (const auto& step : steps) {
        log::status(step.status, name);
        alignas(nlmsghdr) char buffer[queue_message_size];
        if (const int error = request(queue_command(buffer, 0, family, step.command))) {
            log::os_error(step.what, error);
            if (must) return false;
        }
    }
    return true;
}

bool NfQueue::bind_queue() {
    log::status("binding this socket to queue '%u'", options_.number);
    const int error = request_binding();
    if (error == 0) return true;
    log::os_error("nfq_create_queue()", error);
    if (error == EPERM)
        log::error("queue %u is in use by another process, or CAP_NET_ADMIN is missing",
                   options_.number);
    return false;
}

int NfQueue::request_binding() {
    alignas(nlmsghdr) char buffer[queue_message_size];
    return request(queue_command(buffer, options_.number, AF_UNSPEC, NFQNL_CFG_CMD_BIND));
}

// Each flag that is refused is given up by itself.
bool NfQueue::configure() {
    if (options_.connections) {
        constexpr std::uint32_t wanted = NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_CONNTRACK;
        if (pieces_ && request_parameters(wanted | NFQA_CFG_F_GSO) == 0) return true;
        if (!pieces_ && request_parameters(wanted) == 0) return true;
        log::error("the kernel does not add connections to the packets of queue %u",
                   options_.number);
    }
    if (pieces_ && request_parameters(NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_GSO) == 0) return true;
    pieces_.reset();
    if (request_parameters(NFQA_CFG_F_FAIL_OPEN) == 0) return true;
    log::error("can't set queue flags. its OK on linux <3.6");
    const int error = request_parameters(0);
    if (error == 0) return true;
    log::os_error("can't set packet_copy mode and queue length", error);
    return false;
}

int NfQueue::request_parameters(std::uint32_t flags) {
    alignas(nlmsghdr) char buffer[queue_message_size];
    return request(queue_parameters(buffer, options_.number,
                                    {NFQNL_COPY_PACKET, copy_range, options_.length, flags}));
}

int NfQueue::request(nlmsghdr* message) {
    message->nlmsg_flags |= NLM_F_ACK;
    message->nlmsg_seq = ++sequence_;
    if (send(socket_.get(), message, message->nlmsg_len, 0) < 0) return errno;
    return await_answer(sequence_);
}

int NfQueue::await_answer(std::uint32_t sequence) {
    const MutBytes room = datagrams_.first();
    for (;;) {
        const ssize_t size = recv(socket_.get(), room.data(), room.size(), 0);
        if (size < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
        if (size <= 0) return size < 0 ? errno : ECONNRESET;
        int left = static_cast<int>(size);
        const auto* message = reinterpret_cast<const nlmsghdr*>(room.data());
        if (mnl_nlmsg_ok(message, left) && message->nlmsg_type == NLMSG_ERROR &&
            message->nlmsg_seq == sequence &&
            mnl_nlmsg_get_payload_len(message) >= sizeof(nlmsgerr))
            return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
        // A packet that was faster than the answer: nobody can look at it yet, so it passes.
        handle_datagram(room.first(static_cast<std::size_t>(size)), nullptr);
        flush();
    }
}

} // namespace nfqws2::capture
