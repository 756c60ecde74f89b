// How many packets the kernel could not deliver to us. With fail-open these pass unprocessed and no
// other counter shows them.
#include "queue_losses.hpp"

#include "nfqws2/base/text.hpp"
#include "nfqws2/capture/nfqueue.hpp"

#include <ctime>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

namespace nfqws2::capture {

namespace {

constexpr std::int64_t report_interval_s = 60;

// Field number `index` (from 0) of a line of blank-separated fields.
std::string_view field(std::string_view line, unsigned index) {
    for (;;) {
        const std::size_t start = line.find_first_not_of(' ');
        if (start == std::string_view::npos) return {};
        line.remove_prefix(start);
        const std::size_t end = line.find(' ');
        if (index-- == 0) return line.substr(0, end);
        if (end == std::string_view::npos) return {};
        line.remove_prefix(end);
    }
}

} // namespace

std::optional<std::uint64_t> netlink_drops_of_socket(int fd) {
    std::uint32_t info[SK_MEMINFO_VARS] = {};
    socklen_t size = sizeof(info);
    const bool told = getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) == 0 &&
                      size >= (SK_MEMINFO_DROPS + 1) * sizeof(info[0]);
    if (!told) return std::nullopt;
    return info[SK_MEMINFO_DROPS];
}

std::optional<std::uint64_t> netlink_drops_in_table(std::string_view table, std::uint32_t port_id) {
    constexpr unsigned protocol_column = 1, port_column = 2, drops_column = 8;
    for (const std::string_view line : split(table, '\n')) {
        if (parse_uint(field(line, protocol_column)) == std::uint64_t{NETLINK_NETFILTER} &&
            parse_uint(field(line, port_column)) == std::uint64_t{port_id})
            return parse_uint(field(line, drops_column));
    }
    return std::nullopt;
}

std::optional<std::uint64_t> NfQueue::kernel_drops() const {
    if (const auto drops = netlink_drops_of_socket(socket_.get())) return drops;
    return netlink_drops_in_table(as_text(read_file("/proc/net/netlink").data), port_id_);
}

// Asked only after a full batch: nothing is lost while we keep up.
void NfQueue::report_losses() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_sec < next_loss_report_s_) return;
    next_loss_report_s_ = now.tv_sec + report_interval_s;
    const std::uint64_t drops = kernel_drops().value_or(0);
    if (drops > reported_drops_)
        log::error("queue %u: %llu packets passed unprocessed because they came faster than they "
                   "could be handled",
                   options_.number, static_cast<unsigned long long>(drops - reported_drops_));
    reported_drops_ = drops;
}

} // namespace nfqws2::capture
