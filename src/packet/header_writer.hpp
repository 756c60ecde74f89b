// Writers of single headers, shared by the header functions and by the packet builder. Each returns
// the size written, or 0 if the fields are not acceptable or `out` is too small. Checksums and
// lengths are written as given.
#pragma once

#include "nfqws2/packet/reconstruct.hpp"

namespace nfqws2::packet {

std::size_t write_ipv4(const Ipv4Fields& f, MutBytes out);
// payload_len absent: the length of the extension headers.
std::size_t write_ipv6(const Ipv6Fields& f, bool preserve_next, std::uint8_t last_proto,
                       MutBytes out);
std::size_t write_tcp(const TcpFields& f, MutBytes out);
std::size_t write_udp(const UdpFields& f, MutBytes out);
std::size_t write_icmp(const IcmpFields& f, MutBytes out);

} // namespace nfqws2::packet
