// What the queue tells of a packet's frame.
#pragma once

#include "nfqws2/capture/packet_io.hpp"

struct nlmsghdr;

namespace nfqws2::capture {

// On a bridge all of it, with the tag that the kernel has taken off; else nothing.
LinkLayers queued_link(const nlmsghdr* message);

// The header: that of `link`, or where the packet came from. Packets of this machine have none.
// `own`: the address of the interface that it came in by, empty if it has none.
LinkHeader queued_header(const nlmsghdr* message, const LinkLayers& link, Bytes own);

} // namespace nfqws2::capture
