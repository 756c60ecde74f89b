// Theory of operation: recvmmsg takes what is waiting, up to 32 datagrams, and next() walks through
// them. Verdicts are collected for each queue and leave before the socket is read again, and before
// anything else that the kernel is asked. While an answer to a question is awaited packets may come
// first: they are put aside and handed out in their order. Messages of queues that are gone are
// skipped, the kernel knows them no more; until they all were read no queue of the same number is
// made.
#include "nfqws2/capture/live_queues.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/capture/datagram_batch.hpp"
#include "nfqws2/capture/interface_names.hpp"
#include "nfqws2/capture/netfilter_socket.hpp"
#include "nfqws2/capture/verdict_batch.hpp"
#include "partial_checksum.hpp"
#include "queue_messages.hpp"
#include "socket_options.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <deque>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <optional>
#include <sys/socket.h>

namespace nfqws2::capture {
namespace {

constexpr std::uint32_t queue_length = 4096;
constexpr int packet_buffer = 1024 * 1024;

void set_flag(int fd, int option) {
    const int on = 1;
    setsockopt(fd, SOL_NETLINK, option, &on, sizeof on);
}

} // namespace

class LiveQueueHandle final : public QueueHandle {
  public:
    explicit LiveQueueHandle(LiveQueues& door) : door_(door) { door_.handles_.push_back(this); }
    ~LiveQueueHandle() override;
    LiveQueueHandle(const LiveQueueHandle&) = delete;
    LiveQueueHandle& operator=(const LiveQueueHandle&) = delete;

    int open();

    int fd() const override { return socket_.get(); }
    int bind_family(std::uint16_t family, bool bind) override;
    int create(std::uint16_t queue) override;
    int set_mode(std::uint16_t queue, CopyMode mode, std::uint16_t range) override;
    void destroy(std::uint16_t queue) override;
    Next next(QueuedPacket& packet) override;
    int error() const override { return error_; }
    void answer(const QueuedPacket& packet, const Verdict& verdict) override;
    void flush() override;
    void release();

  private:
    struct Queue {
        std::uint16_t number;
        VerdictBatch verdicts;
        std::uint32_t last_id = 0;
    };

    Queue* find(std::uint16_t number);
    bool is_left(std::uint16_t number);
    void leave(Queue& queue);
    void unbind(std::uint16_t number);
    void flush(Queue& queue);
    int configure(std::uint16_t queue, CopyMode mode, std::uint16_t range, std::uint32_t flags);
    int command(std::uint16_t queue, std::uint16_t family, std::uint8_t what);
    int request(nlmsghdr* message);
    int await_answer(std::uint32_t sequence);
    // The next message of what was received, nullptr if there is no more.
    const nlmsghdr* take_message();
    bool begin_datagram();
    std::optional<Next> receive();
    bool read(const nlmsghdr* message, QueuedPacket& packet);

    LiveQueues& door_;
    FileDescriptor socket_;
    std::deque<Queue> queues_;               // they do not move
    std::vector<std::uint16_t> left_behind_; // destroyed since nothing was left to be read
    bool in_hand_ = false;                   // a packet wants its answer
    InterfaceNames interfaces_;
    std::uint32_t sequence_ = 0;
    int error_ = 0;
    log::RateLimit verdict_log_{1000};

    DatagramBatch datagrams_;
    std::size_t received_ = 0, next_ = 0;         // datagrams
    const nlmsghdr* message_ = nullptr;           // of the datagram being read
    int left_ = 0;                                // bytes from there on
    std::deque<std::vector<std::uint8_t>> early_; // came while an answer was awaited
    std::vector<std::uint8_t> early_datagram_;    // the one being read
};

void LiveQueueHandle::release() {
    for (Queue& queue : queues_)
        leave(queue);
}

LiveQueueHandle::~LiveQueueHandle() {
    release();
    std::erase(door_.handles_, this);
}

int LiveQueueHandle::open() {
    socket_.reset(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (!socket_) return errno;
    if (const int error = bind_beside(socket_.get(), 0)) return error;
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    // Connected, so that no other process can send to it.
    if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) != 0)
        return errno;
    set_buffer_size(socket_.get(), SO_RCVBUFFORCE, SO_RCVBUF, packet_buffer);
    set_buffer_size(socket_.get(), SO_SNDBUFFORCE, SO_SNDBUF, verdict_buffer);
    set_flag(socket_.get(), NETLINK_NO_ENOBUFS);
    set_flag(socket_.get(), NETLINK_CAP_ACK);
    datagrams_.make();
    interfaces_.open();
    return 0;
}

LiveQueueHandle::Queue* LiveQueueHandle::find(std::uint16_t number) {
    const auto found = std::ranges::find(queues_, number, &Queue::number);
    return found == queues_.end() ? nullptr : &*found;
}

// Without effect since Linux 3.8, needed before.
int LiveQueueHandle::bind_family(std::uint16_t family, bool bind) {
    return command(0, family, bind ? NFQNL_CFG_CMD_PF_BIND : NFQNL_CFG_CMD_PF_UNBIND);
}

int LiveQueueHandle::create(std::uint16_t number) {
    if (find(number) != nullptr) return EBUSY;
    if (is_left(number)) return EBUSY;
    if (door_.is_taken(number)) return EPERM; // as the kernel says of one that somebody has
    if (const int error = command(number, AF_UNSPEC, NFQNL_CFG_CMD_BIND)) {
        if (error == ENOBUFS) unbind(number); // nobody knows what came of it
        return error;
    }
    queues_.push_back({number, VerdictBatch({.queue = number, .pieces_queue = number})});
    return 0;
}

int LiveQueueHandle::set_mode(std::uint16_t queue, CopyMode mode, std::uint16_t range) {
    constexpr std::uint32_t with_connections = NFQA_CFG_F_FAIL_OPEN | NFQA_CFG_F_CONNTRACK;
    if (door_.options_.connections && configure(queue, mode, range, with_connections) == 0)
        return 0;
    const int error = configure(queue, mode, range, NFQA_CFG_F_FAIL_OPEN);
    return error == 0 ? 0 : configure(queue, mode, range, 0); // a kernel before 3.6
}

int LiveQueueHandle::configure(std::uint16_t queue, CopyMode mode, std::uint16_t range,
                               std::uint32_t flags) {
    alignas(nlmsghdr) char buffer[queue_message_size];
    return request(queue_parameters(buffer, queue,
                                    {static_cast<std::uint8_t>(mode), range, queue_length, flags}));
}

void LiveQueueHandle::destroy(std::uint16_t number) {
    Queue* queue = find(number);
    if (queue == nullptr) return;
    leave(*queue);
    std::erase_if(queues_, [number](const Queue& q) { return q.number == number; });
    if (std::ranges::find(left_behind_, number) == left_behind_.end())
        left_behind_.push_back(number);
}

// Whether packets of a queue of that number may be in what was received: their ids would be taken
// for those of a new one.
bool LiveQueueHandle::is_left(std::uint16_t number) {
    if (std::ranges::find(left_behind_, number) == left_behind_.end()) return false;
    if (in_hand_ || next_ < received_ || !early_.empty() || (message_ != nullptr && left_ > 0))
        return true;
    nlmsghdr first{};
    while (recv(socket_.get(), &first, sizeof first, MSG_PEEK | MSG_DONTWAIT) >= 0) {
        if (first.nlmsg_type != NLMSG_ERROR) return true;
        // Of a verdict for a queue without packets, nobody asked.
        recv(socket_.get(), &first, sizeof first, MSG_DONTWAIT);
    }
    if (errno != EAGAIN) return true;
    left_behind_.clear();
    return false;
}

// Unbinding drops what the kernel still holds; let it pass instead.
void LiveQueueHandle::leave(Queue& queue) {
    flush(queue);
    if (queue.verdicts.add_accept_all(queue.last_id)) flush(queue);
    unbind(queue.number);
}

void LiveQueueHandle::unbind(std::uint16_t number) {
    alignas(nlmsghdr) char buffer[queue_message_size];
    const nlmsghdr* message = queue_command(buffer, number, AF_UNSPEC, NFQNL_CFG_CMD_UNBIND);
    send(socket_.get(), message, message->nlmsg_len, 0);
}

int LiveQueueHandle::command(std::uint16_t queue, std::uint16_t family, std::uint8_t what) {
    alignas(nlmsghdr) char buffer[queue_message_size];
    return request(queue_command(buffer, queue, family, what));
}

int LiveQueueHandle::request(nlmsghdr* message) {
    flush();
    message->nlmsg_flags |= NLM_F_ACK;
    message->nlmsg_seq = ++sequence_;
    if (send(socket_.get(), message, message->nlmsg_len, 0) < 0) return errno;
    return await_answer(sequence_);
}

// The answer is there when send() returns, unless the socket had no room for it: then it is lost.
int LiveQueueHandle::await_answer(std::uint32_t sequence) {
    std::vector<std::uint8_t> datagram(DatagramBatch::datagram_size);
    for (;;) {
        const ssize_t size = recv(socket_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT);
        if (size < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
        if (size < 0 && errno == EAGAIN) return ENOBUFS;
        if (size <= 0) return size < 0 ? errno : ECONNRESET;
        const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
        if (mnl_nlmsg_ok(message, static_cast<int>(size)) && message->nlmsg_type == NLMSG_ERROR &&
            message->nlmsg_seq == sequence &&
            mnl_nlmsg_get_payload_len(message) >= sizeof(nlmsgerr))
            return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
        early_.emplace_back(datagram.begin(), datagram.begin() + size);
    }
}

void LiveQueueHandle::flush() {
    for (Queue& queue : queues_)
        flush(queue);
}

// Netlink handles the messages before send() returns; only want of memory can stop it.
void LiveQueueHandle::flush(Queue& queue) {
    if (queue.verdicts.empty()) return;
    const Bytes messages = queue.verdicts.messages();
    constexpr int max_tries = 5;
    ssize_t sent = -1;
    for (int tries = 0; tries < max_tries && sent < 0; tries++)
        sent = send(socket_.get(), messages.data(), messages.size(), 0);
    if (sent < 0 && verdict_log_.allow()) log::os_error("sending verdicts", errno);
    queue.verdicts.clear();
}

// Early ones came after the batch that is being read.
bool LiveQueueHandle::begin_datagram() {
    if (next_ < received_) {
        const Bytes datagram = datagrams_[next_];
        message_ = reinterpret_cast<const nlmsghdr*>(datagram.data());
        left_ = static_cast<int>(datagram.size());
        next_++;
        return true;
    }
    if (early_.empty()) return false;
    early_datagram_ = std::move(early_.front());
    early_.pop_front();
    message_ = reinterpret_cast<const nlmsghdr*>(early_datagram_.data());
    left_ = static_cast<int>(early_datagram_.size());
    return true;
}

const nlmsghdr* LiveQueueHandle::take_message() {
    while (message_ == nullptr || !mnl_nlmsg_ok(message_, left_))
        if (!begin_datagram()) return message_ = nullptr;
    const nlmsghdr* const message = message_;
    message_ = mnl_nlmsg_next(message, &left_);
    return message;
}

// nullopt: there is something.
std::optional<QueueHandle::Next> LiveQueueHandle::receive() {
    flush();
    interfaces_.refresh();
    const int count = datagrams_.receive(socket_.get(), MSG_DONTWAIT);
    if (count > 0) {
        received_ = static_cast<std::size_t>(count);
        next_ = 0;
        if (datagrams_[0].empty()) return Next::closed;
        return std::nullopt;
    }
    received_ = next_ = 0;
    if (errno == EAGAIN) left_behind_.clear();
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) return Next::nothing;
    error_ = errno;
    return Next::failed;
}

QueueHandle::Next LiveQueueHandle::next(QueuedPacket& packet) {
    for (;;) {
        const nlmsghdr* message = take_message();
        if (message == nullptr) {
            if (const auto end = receive()) return *end;
        } else if (message->nlmsg_type == packet_message && read(message, packet)) {
            in_hand_ = true;
            return Next::packet;
        }
    }
}

bool LiveQueueHandle::read(const nlmsghdr* message, QueuedPacket& packet) {
    nlattr* attributes[NFQA_MAX + 1] = {};
    if (mnl_nlmsg_get_payload_len(message) < sizeof(nfgenmsg) ||
        nfq_nlmsg_parse(message, attributes) < 0 || attributes[NFQA_PACKET_HDR] == nullptr)
        return false;
    const auto* generic = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(message));
    Queue* const queue = find(ntohs(generic->res_id));
    if (queue == nullptr) return false;
    nfqnl_msg_packet_hdr header;
    std::memcpy(&header, mnl_attr_get_payload(attributes[NFQA_PACKET_HDR]), sizeof header);
    packet = {};
    packet.queue = queue->number;
    packet.hook = header.hook;
    InputPacket& input = packet.input;
    input.id = queue->last_id = ntohl(header.packet_id);
    input.mark = u32_of(attributes[NFQA_MARK]);
    input.ifin_index = u32_of(attributes[NFQA_IFINDEX_INDEV]);
    input.ifout_index = u32_of(attributes[NFQA_IFINDEX_OUTDEV]);
    input.ifin = interfaces_.name(input.ifin_index);
    input.ifout = interfaces_.name(input.ifout_index);
    if (const nlattr* payload = attributes[NFQA_PAYLOAD]) {
        const MutBytes data{static_cast<std::uint8_t*>(mnl_attr_get_payload(payload)),
                            mnl_attr_get_payload_len(payload)};
        const std::uint32_t info = u32_of(attributes[NFQA_SKB_INFO]);
        if ((info & NFQA_SKB_CSUMNOTREADY) != 0) complete_checksum(data);
        input.data = packet.whole = data;
    }
    if (door_.options_.connections && attributes[NFQA_CT] != nullptr) {
        input.ct = {static_cast<const std::uint8_t*>(mnl_attr_get_payload(attributes[NFQA_CT])),
                    mnl_attr_get_payload_len(attributes[NFQA_CT])};
        input.ct_info = u32_of(attributes[NFQA_CT_INFO]);
    }
    const nlattr* length = attributes[NFQA_CAP_LEN];
    packet.length =
        length != nullptr ? u32_of(length) : static_cast<std::uint32_t>(input.data.size());
    if (const nlattr* hardware = attributes[NFQA_HWADDR]) {
        const auto* address =
            static_cast<const nfqnl_msg_packet_hw*>(mnl_attr_get_payload(hardware));
        const std::size_t size = ntohs(address->hw_addrlen);
        packet.hardware_address = {address->hw_addr, std::min(size, sizeof address->hw_addr)};
    }
    return true;
}

void LiveQueueHandle::answer(const QueuedPacket& packet, const Verdict& verdict) {
    in_hand_ = false;
    Queue* const queue = find(packet.queue);
    if (queue == nullptr) return; // destroyed meanwhile, which let it pass
    if (queue->verdicts.add(packet.input.id, packet.input.mark, verdict)) return;
    flush(*queue);
    queue->verdicts.add(packet.input.id, packet.input.mark, verdict);
}

std::unique_ptr<QueueHandle> LiveQueues::open(int* error) {
    auto handle = std::make_unique<LiveQueueHandle>(*this);
    *error = handle->open();
    if (*error != 0) return nullptr;
    return handle;
}

void LiveQueues::flush() {
    for (LiveQueueHandle* handle : handles_)
        handle->flush();
}

void LiveQueues::release() {
    for (LiveQueueHandle* handle : handles_)
        handle->release();
}

} // namespace nfqws2::capture
