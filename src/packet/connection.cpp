#include "nfqws2/packet/connection.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>

namespace nfqws2::packet {

namespace {

constexpr std::string_view state_names[] = {"unknown", "new",     "established",
                                            "related", "invalid", "untracked"};

constexpr CtStatusName status_names[] = {
    {ct_status::expected, "expected"},
    {ct_status::seen_reply, "seen_reply"},
    {ct_status::assured, "assured"},
    {ct_status::confirmed, "confirmed"},
    {ct_status::src_nat, "src_nat"},
    {ct_status::dst_nat, "dst_nat"},
    {0x40, "seq_adjust"},
    {0x80, "src_nat_done"},
    {0x100, "dst_nat_done"},
    {0x200, "dying"},
    {ct_status::fixed_timeout, "fixed_timeout"},
    {0x800, "template"},
    {0x1000, "nat_clash"},
    {0x2000, "helper"},
    {0x4000, "offload"},
    {0x8000, "hw_offload"},
};

constexpr std::string_view tcp_names[] = {
    "none",       "syn_sent", "syn_recv",  "established", "fin_wait",
    "close_wait", "last_ack", "time_wait", "close",       "syn_sent2",
};

} // namespace

std::string_view name(CtState state) {
    return state_names[static_cast<std::size_t>(state)];
}

std::optional<CtState> ct_state_from_name(std::string_view name) {
    const std::string lower = ascii_lower(name);
    for (std::size_t i = 1; i < std::size(state_names); i++)
        if (lower == state_names[i]) return static_cast<CtState>(i);
    return std::nullopt;
}

std::string_view name(CtSource source) {
    static constexpr std::string_view names[] = {"queue", "mark", "netlink", "sim"};
    return names[static_cast<std::size_t>(source)];
}

std::span<const CtStatusName> ct_status_names() {
    return status_names;
}

std::string_view name(CtTcp state) {
    const auto place = static_cast<std::size_t>(state);
    return place < std::size(tcp_names) ? tcp_names[place] : std::string_view();
}

bool CtTuple::has_ports() const {
    constexpr std::uint8_t with_ports[] = {6, 17, 33, 132, 136};
    return std::ranges::find(with_ports, proto) != std::end(with_ports);
}

CtHelper::CtHelper(std::string_view name)
    : size_(static_cast<std::uint8_t>(std::min(name.size(), max_size))) {
    std::copy_n(name.begin(), size_, text_.begin());
}

void CtChanges::add_labels(const CtLabels& later, const std::optional<CtLabels>& mask) {
    if (!labels || !mask) {
        labels = later;
        labels_mask = mask;
        return;
    }
    for (std::size_t i = 0; i < later.size(); i++) {
        const unsigned bits = (*mask)[i], before = (*labels)[i], now = later[i];
        (*labels)[i] = static_cast<std::uint8_t>((before & ~bits) | (now & bits));
        if (labels_mask) (*labels_mask)[i] = static_cast<std::uint8_t>((*labels_mask)[i] | bits);
    }
}

void CtChanges::add(const CtChanges& later) {
    if (later.mark) {
        const std::uint32_t before = mark.value_or(0) & mark_mask;
        mark_mask = (mark ? mark_mask : 0) | later.mark_mask;
        mark = later.changed_mark(before);
    }
    if (later.timeout) timeout = later.timeout;
    if (later.status) status = status.value_or(0) | *later.status;
    if (later.helper) helper = later.helper;
    if (later.labels) add_labels(*later.labels, later.labels_mask);
}

} // namespace nfqws2::packet
