// Theory of operation: one recvmmsg takes whatever is waiting, up to 32 datagrams (the first may be
// waited for, the rest never). Each packet goes to the handler, its verdict into the batch. The
// batch leaves with one send: when it is full, before any raw packet is sent (order on the wire),
// and at the end of the datagrams received. So no verdict ever waits while the program sleeps.
//
// Merged packets. The kernel carries up to 64 kB of a flow in one packet and by default cuts it up
// before it is queued. We ask it not to, since most of them can pass whole. One that must be looked
// at piece by piece gets the verdict "on to another queue", which is ours too and does not take
// merged packets: only the kernel knows where it would cut. Netlink works at once, so when that
// verdict is sent the pieces are waiting, and they are handled before anything else: nothing is
// overtaken. The other price of merged packets: small ones of this machine come without their
// checksum, which is completed here. tests/bench/queue_bench.py, load tcp, measures all this.
#include "nfqws2/capture/nfqueue.hpp"

#include "partial_checksum.hpp"
#include "queue_messages.hpp"
#include "queued_frame.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

namespace nfqws2::capture {

namespace {

MutBytes bytes_of(const nlattr* attribute) {
    return {static_cast<std::uint8_t*>(mnl_attr_get_payload(attribute)),
            mnl_attr_get_payload_len(attribute)};
}

} // namespace

NfQueue::Received NfQueue::receive(PacketHandler& handler, bool may_block) {
    const int flags = may_block ? MSG_WAITFORONE : MSG_DONTWAIT;
    const int count = datagrams_.receive(socket_.get(), flags);
    if (count < 0) return receive_failed(errno);
    interfaces_.refresh();
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); i++) {
        if (datagrams_[i].empty()) {
            log::error("recv from nfq returned 0 !");
            return Received::broken;
        }
        handle_datagram(datagrams_[i], &handler);
    }
    if (pieces_broken_) return Received::broken;
    flush();
    counters_.batches++;
    if (static_cast<std::size_t>(count) == DatagramBatch::most) report_losses();
    return Received::packets;
}

NfQueue::Received NfQueue::receive_failed(int error) {
    if (error == EINTR || error == EAGAIN || error == EWOULDBLOCK) return Received::nothing;
    if (error == ENOBUFS) {
        counters_.overruns++;
        if (overrun_log_.allow()) log::os_error("recv: the queue was too fast for us", error);
        return Received::nothing;
    }
    log::os_error("recv: netlink socket of the queue is broken", error);
    return Received::broken;
}

// Without a handler every packet is accepted.
void NfQueue::handle_datagram(Bytes datagram, PacketHandler* handler) {
    int left = static_cast<int>(datagram.size());
    const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
    if (!mnl_nlmsg_ok(message, left)) counters_.malformed++;
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        if (message->nlmsg_type == packet_message) {
            handle_packet(message, handler);
        } else if (message->nlmsg_type == NLMSG_ERROR) {
            // Most often ENOENT: the packet's interface vanished before the verdict came.
            counters_.refused++;
        }
    }
}

void NfQueue::handle_packet(const nlmsghdr* message, PacketHandler* handler) {
    nlattr* attributes[NFQA_MAX + 1] = {};
    if (nfq_nlmsg_parse(message, attributes) < 0 || attributes[NFQA_PACKET_HDR] == nullptr) {
        counters_.malformed++;
        if (message_log_.allow()) log::error("queue message without a packet header skipped");
        return;
    }
    counters_.packets++;
    nfqnl_msg_packet_hdr header;
    std::memcpy(&header, mnl_attr_get_payload(attributes[NFQA_PACKET_HDR]), sizeof(header));
    InputPacket packet;
    packet.id = ntohl(header.packet_id);
    packet.mark = u32_of(attributes[NFQA_MARK]);
    last_id_ = packet.id;

    const nlattr* payload = attributes[NFQA_PAYLOAD];
    if (payload == nullptr || handler == nullptr) {
        add_verdict(packet.id, packet.mark, {});
        return;
    }
    const MutBytes data = bytes_of(payload);
    packet.data = data;
    packet.ifin_index = u32_of(attributes[NFQA_IFINDEX_INDEV]);
    packet.ifout_index = u32_of(attributes[NFQA_IFINDEX_OUTDEV]);
    packet.ifin = interfaces_.name(packet.ifin_index);
    packet.ifout = interfaces_.name(packet.ifout_index);
    if (options_.connections && attributes[NFQA_CT] != nullptr) {
        packet.ct = bytes_of(attributes[NFQA_CT]);
        packet.ct_info = u32_of(attributes[NFQA_CT_INFO]);
    }
    const std::uint32_t info = u32_of(attributes[NFQA_SKB_INFO]);
    packet.merged = (info & NFQA_SKB_GSO) != 0;
    const bool partial = (info & NFQA_SKB_CSUMNOTREADY) != 0 && !packet.merged;
    if (partial && !complete_checksum(data)) packet.merged = true;
    LinkHeader frame;
    LinkLayers link;
    if (handler->wants_frames()) {
        link = queued_link(message);
        frame = queued_header(message, link, interfaces_.address(packet.ifin_index));
        packet.link = link.view();
        packet.frame = frame.view();
    }
    answer(packet, *handler);
}

void NfQueue::answer(const InputPacket& packet, PacketHandler& handler) {
    Verdict verdict = handler.on_packet(packet);
    if (verdict.action == Action::split && !pieces_) verdict.action = Action::accept;
    add_verdict(packet.id, verdict.mark.value_or(packet.mark), verdict);
    if (verdict.action == Action::split) handle_pieces(handler);
}

void NfQueue::handle_pieces(PacketHandler& handler) {
    flush();
    Received got = Received::packets;
    while (got == Received::packets)
        got = pieces_->receive(handler, false);
    pieces_broken_ = got == Received::broken;
}

void NfQueue::add_verdict(std::uint32_t id, std::uint32_t mark, const Verdict& verdict) {
    if (verdicts_.add(id, mark, verdict)) return;
    flush();
    verdicts_.add(id, mark, verdict);
}

void NfQueue::flush() {
    if (!verdicts_.empty()) {
        const Bytes messages = verdicts_.messages();
        if (!send_verdicts(messages)) counters_.lost_verdicts++;
        verdicts_.clear();
    }
    if (pieces_) pieces_->flush();
}

// Netlink handles the messages before send() returns; only want of memory can stop it.
bool NfQueue::send_verdicts(Bytes messages) {
    constexpr int max_tries = 5;
    constexpr timespec pause{0, 200'000};
    int error = 0;
    for (int tries = 0; tries < max_tries; tries++) {
        counters_.verdict_messages++;
        if (send(socket_.get(), messages.data(), messages.size(), 0) >= 0) return true;
        error = errno;
        if (error != EINTR && error != EAGAIN && error != ENOBUFS && error != ENOMEM) break;
        nanosleep(&pause, nullptr);
    }
    if (verdict_log_.allow()) log::os_error("sending verdicts", error);
    return false;
}

} // namespace nfqws2::capture
