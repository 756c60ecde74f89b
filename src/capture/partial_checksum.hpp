// Checksums that the kernel has left to the network card.
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::capture {

// A TCP or UDP packet of this machine carries only the sum of its pseudo header; puts the whole
// checksum there. False: it is another one that is missing, of a packet inside this one (tunnels).
bool complete_checksum(MutBytes packet);

} // namespace nfqws2::capture
