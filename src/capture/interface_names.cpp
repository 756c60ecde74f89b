#include "nfqws2/capture/interface_names.hpp"

#include "nfqws2/base/log.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

namespace nfqws2::capture {

namespace {

constexpr std::int64_t check_interval_ms = 50;
constexpr std::size_t max_names = 4096;

std::int64_t coarse_ms() {
    timespec ts{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return static_cast<std::int64_t>(ts.tv_sec) * 1000 + ts.tv_nsec / 1'000'000;
}

constexpr std::size_t address_size = 6;

int take_address(const nlattr* attribute, void* address) {
    if (mnl_attr_get_type(attribute) != IFLA_ADDRESS ||
        mnl_attr_get_payload_len(attribute) != address_size)
        return MNL_CB_OK;
    const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
    static_cast<std::vector<std::uint8_t>*>(address)->assign(bytes, bytes + address_size);
    return MNL_CB_STOP;
}

// The kernel answers before send() returns. Empty if it has none of the usual length.
std::vector<std::uint8_t> ask_address(std::uint32_t index) {
    alignas(nlmsghdr) std::uint8_t buffer[16384];
    auto* message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = RTM_GETLINK;
    message->nlmsg_flags = NLM_F_REQUEST;
    auto* link = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
    link->ifi_index = static_cast<int>(index);
    const FileDescriptor fd(
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
    if (!fd || send(fd.get(), message, message->nlmsg_len, 0) < 0) return {};
    const ssize_t size = recv(fd.get(), buffer, sizeof(buffer), 0);
    message = reinterpret_cast<nlmsghdr*>(buffer);
    if (size <= 0 || !mnl_nlmsg_ok(message, static_cast<int>(size)) ||
        message->nlmsg_type != RTM_NEWLINK)
        return {};
    std::vector<std::uint8_t> address;
    mnl_attr_parse(message, sizeof(ifinfomsg), take_address, &address);
    return address;
}

} // namespace

void InterfaceNames::open() {
    constexpr int type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
    FileDescriptor fd(socket(AF_NETLINK, type, NETLINK_ROUTE));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK;
    forget_all();
    if (!fd || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) {
        log::os_error("listening for interface changes", errno);
        return;
    }
    events_ = std::move(fd);
}

void InterfaceNames::close() {
    events_.reset();
    forget_all();
}

void InterfaceNames::forget_all() {
    names_.clear();
    addresses_.clear();
    recent_[0] = recent_[1] = {};
}

void InterfaceNames::refresh() {
    const std::int64_t now = coarse_ms();
    if (now < next_check_ms_) return;
    next_check_ms_ = now + check_interval_ms;
    // Late packets of vanished interfaces leave entries that no event removes.
    if (!events_ || names_.size() > max_names || addresses_.size() > max_names) forget_all();
    if (events_) read_changes();
}

void InterfaceNames::read_changes() {
    alignas(nlmsghdr) std::uint8_t buffer[16384];
    for (;;) {
        const ssize_t size = recv(events_.get(), buffer, sizeof(buffer), 0);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) {
            // Anything but "no more" means that events may be missing.
            if (size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) forget_all();
            if (size == 0 || errno != ENOBUFS) return;
            continue;
        }
        int left = static_cast<int>(size);
        const auto* message = reinterpret_cast<const nlmsghdr*>(buffer);
        for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
            const bool about_link =
                message->nlmsg_type == RTM_NEWLINK || message->nlmsg_type == RTM_DELLINK;
            if (!about_link || mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg)) continue;
            const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
            names_.erase(static_cast<std::uint32_t>(link->ifi_index));
            addresses_.erase(static_cast<std::uint32_t>(link->ifi_index));
            recent_[0] = recent_[1] = {};
        }
    }
}

std::string_view InterfaceNames::name(std::uint32_t index) {
    if (index == 0) return {};
    if (recent_[0].index == index) return recent_[0].name;
    if (recent_[1].index == index) return recent_[1].name;
    recent_[1] = recent_[0];
    recent_[0] = {index, look_up(index)};
    return recent_[0].name;
}

std::string_view InterfaceNames::look_up(std::uint32_t index) {
    const auto [entry, is_new] = names_.try_emplace(index);
    if (!is_new) return entry->second;
    char buffer[IF_NAMESIZE];
    if (if_indextoname(index, buffer) != nullptr)
        entry->second = buffer;
    else
        log::error("name of interface %u: %s", index, std::strerror(errno));
    return entry->second;
}

Bytes InterfaceNames::address(std::uint32_t index) {
    if (index == 0) return {};
    const auto [entry, is_new] = addresses_.try_emplace(index);
    if (is_new) entry->second = ask_address(index);
    return entry->second;
}

} // namespace nfqws2::capture
