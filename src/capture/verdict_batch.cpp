// Theory of operation: an accepted packet only extends the current run (count, last id, mark). A
// run becomes a message when something else follows it or when the batch is sent: one packet as
// NFQNL_MSG_VERDICT, more as NFQNL_MSG_VERDICT_BATCH, which covers all queued packets up to an id.
// That is exact because verdicts are given in the order of the ids. Drops are never batched: a
// packet whose verdict was lost must not be dropped in passing.
//
// Two verdicts send the packet round again. One to be split goes to the second queue, where the
// kernel cuts it up. One of a finished connection gets the offload mark and walks through the hook
// from its start (NF_REPEAT): rules behind ours do not see what a queue accepts, so the rule that
// saves the mark to the connection has to stand in front. A packet that comes back with the mark
// was not kept away by the rules; it passes, there is no third round.
#include "nfqws2/capture/verdict_batch.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/capture/ct_message.hpp"

#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>

namespace nfqws2::capture {

namespace {

// Headers, verdict attribute and mark attribute of one message.
constexpr std::size_t message_overhead = 16 + 4 + (4 + 8) + (4 + 4) + 4;
// One modified packet of any size always fits behind a handful of small verdicts.
constexpr std::size_t buffer_size = 96 * 1024;

} // namespace

VerdictBatch::VerdictBatch(const Options& options) : buffer_(buffer_size), options_(options) {
}

bool VerdictBatch::add(std::uint32_t id, std::uint32_t mark, const Verdict& verdict) {
    Action action = verdict.action;
    if (action == Action::modify && (verdict.data.empty() || verdict.data.size() > max_modified)) {
        log::error("modified packet of %zu bytes cannot be given to the kernel. passing the "
                   "original packet.",
                   verdict.data.size());
        action = Action::accept;
    }
    const bool offload =
        verdict.finished && (mark & options_.offload_mark) == 0 && options_.offload_mark != 0;
    // A queued packet keeps its mark unless told otherwise: zero need not be said.
    const auto told = mark != 0 || verdict.mark ? std::optional(mark) : std::nullopt;
    if (action == Action::accept && !offload && verdict.ct == nullptr) {
        if (run_length_ != 0 && run_mark_ != told && !close_run()) return false;
        run_length_++;
        run_last_id_ = id;
        run_mark_ = told;
        return true;
    }
    if (!close_run()) return false;
    switch (action) {
    case Action::accept:
        if (!offload) return put(NFQNL_MSG_VERDICT, id, NF_ACCEPT, told, {}, verdict.ct);
        return put(NFQNL_MSG_VERDICT, id, NF_REPEAT, mark | options_.offload_mark, {}, verdict.ct);
    case Action::modify:
        return put(NFQNL_MSG_VERDICT, id, NF_ACCEPT, told, verdict.data, verdict.ct);
    case Action::drop:
        return put(NFQNL_MSG_VERDICT, id, NF_DROP, told, {});
    case Action::split:
        break;
    }
    return put(NFQNL_MSG_VERDICT, id,
               NF_QUEUE_NR(options_.pieces_queue) | NF_VERDICT_FLAG_QUEUE_BYPASS, told, {});
}

bool VerdictBatch::add_accept_all(std::uint32_t last_id) {
    if (!close_run()) return false;
    // Ids are compared modulo 2^32; this one is far ahead of any packet in the queue.
    return put(NFQNL_MSG_VERDICT_BATCH, last_id + 0x40000000U, NF_ACCEPT, std::nullopt, {});
}

Bytes VerdictBatch::messages() {
    close_run();
    return {buffer_.data(), used_};
}

void VerdictBatch::clear() {
    used_ = 0;
    run_length_ = 0;
}

bool VerdictBatch::close_run() {
    if (run_length_ == 0) return true;
    const int type = run_length_ == 1 ? NFQNL_MSG_VERDICT : NFQNL_MSG_VERDICT_BATCH;
    if (!put(type, run_last_id_, NF_ACCEPT, run_mark_, {})) return false;
    run_length_ = 0;
    return true;
}

bool VerdictBatch::put(int type, std::uint32_t id, std::uint32_t nf_verdict,
                       std::optional<std::uint32_t> mark, Bytes packet,
                       const packet::CtChanges* ct) {
    // Room for the message of a run is always kept back, so that close_run() cannot fail at the
    // end.
    const std::size_t reserve = packet.empty() ? 0 : message_overhead;
    const std::size_t changes = ct != nullptr ? ct_message_size : 0;
    if (buffer_.size() - used_ < message_overhead + packet.size() + changes + reserve) return false;
    nlmsghdr* message =
        nfq_nlmsg_put(reinterpret_cast<char*>(buffer_.data() + used_), type, options_.queue);
    nfq_nlmsg_verdict_put(message, static_cast<int>(id), static_cast<int>(nf_verdict));
    if (mark) nfq_nlmsg_verdict_put_mark(message, *mark);
    if (!packet.empty())
        nfq_nlmsg_verdict_put_pkt(message, packet.data(),
                                  static_cast<std::uint32_t>(packet.size()));
    if (ct != nullptr) {
        nlattr* nested = mnl_attr_nest_start(message, NFQA_CT);
        put_changes(message, *ct, 0);
        mnl_attr_nest_end(message, nested);
    }
    used_ += MNL_ALIGN(message->nlmsg_len);
    return true;
}

} // namespace nfqws2::capture
