// What the kernel tells about messages that a netlink socket could not take.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace nfqws2::capture {

// From SO_MEMINFO, which kernels before 4.12 do not have.
std::optional<std::uint64_t> netlink_drops_of_socket(int fd);
// From the text of /proc/net/netlink, for the NETLINK_NETFILTER socket with this port id.
std::optional<std::uint64_t> netlink_drops_in_table(std::string_view table, std::uint32_t port_id);

} // namespace nfqws2::capture
