// The two header lists of variable length: TCP options and IPv6 extension headers. Both walks only
// move forward and stop silently at what they cannot follow.
#pragma once

#include "nfqws2/packet/dissect.hpp"

#include <cstddef>
#include <cstdint>

namespace nfqws2::packet {

// Walks TCP options (the bytes between byte 20 and the end of the header). `next` returns false at
// END, which is no option, at the end, or at a malformed option.
struct TcpOption {
    std::uint8_t kind = 0;
    Bytes data; // without kind and length
};
class TcpOptionWalk {
  public:
    explicit TcpOptionWalk(Bytes options) : rest_(options) {}
    bool next(TcpOption& out);

  private:
    Bytes rest_;
};
Bytes tcp_options(const Dissect& d); // option bytes of a TCP packet

// One of the header types that the walk below steps over.
bool is_extension_header(std::uint8_t type);

// Walks IPv6 extension headers, limited to min(payload length field, bytes present).
struct ExtensionHeader {
    std::uint8_t type = 0;  // number of this header
    std::uint8_t next = 0;  // its first byte
    Bytes data;             // without the first two bytes
    std::size_t offset = 0; // of the header from the start of the IPv6 header
};
class ExtensionWalk {
  public:
    // `raw` starts at the IPv6 header (>= 40 bytes).
    explicit ExtensionWalk(Bytes raw);
    bool next(ExtensionHeader& out);
    std::size_t end() const { return pos_; }         // offset behind the last header walked
    std::uint8_t last_type() const { return type_; } // type that stopped the walk
    // It stopped at bytes of an upper-layer protocol, which is last_type().
    bool reached_upper() const { return reached_upper_; }
    bool at_end() const { return pos_ >= limit_; } // no bytes are left behind end()

  private:
    Bytes raw_;
    std::size_t pos_ = 40, limit_ = 40;
    std::uint8_t type_ = 0;
    bool stopped_ = false, reached_upper_ = false;
};

} // namespace nfqws2::packet
