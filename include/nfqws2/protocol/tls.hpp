// TLS hello recognition and the ClientHello's extensions (docs/contracts/protocols.md#tls).
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::protocol {

// Record header + handshake header; the latter may go on in further records.
// 11 bytes at least: 16 03 00-03, length, 01 (02), length, 03 00-03. The record need not be whole.
bool is_tls_client_hello(Bytes data);
bool is_tls_server_hello(Bytes data);
// Record length + 5; `data` must have at least 5 bytes.
std::size_t tls_record_size(Bytes data);
bool tls_record_full(Bytes data);

// How far a ClientHello reaches that begins with these bytes. A handshake message may be cut into
// any number of records (RFC 8446 section 5.1); sizes are those on the wire, all headers included.
struct TlsHelloExtent {
    enum class Is : std::uint8_t { foreign, undecided, hello };
    Is is = Is::foreign;
    std::size_t size = 0; // of what is known so far; grows with each record header that is seen
    bool complete = false;
};
TlsHelloExtent tls_hello_extent(Bytes data);

// The handshake message in the records at the start of TCP data. Joined (copied) only if it is cut
// into several; otherwise it is what the first record holds, whatever its own length says.
class TlsHandshake {
  public:
    explicit TlsHandshake(Bytes tcp_data);
    TlsHandshake(const TlsHandshake&) = delete;
    TlsHandshake& operator=(const TlsHandshake&) = delete;

    Bytes message() const { return parts_.empty() ? first_ : Bytes(joined_); }
    bool is_joined() const { return !parts_.empty(); }
    // Where a byte of the message stands in the TCP data.
    std::size_t on_wire(std::size_t offset) const;

  private:
    struct Part {
        std::size_t offset, wire; // of its first byte
    };
    Bytes first_;
    std::vector<std::uint8_t> joined_;
    std::vector<Part> parts_;
};

// Handshake message without record header (as in QUIC): first byte 1, version 3.x.
bool is_client_hello_handshake(Bytes handshake);
bool client_hello_handshake_full(Bytes handshake);

enum class Strictness : std::uint8_t { partial, strict };

// Offset of the 2-byte extensions length relative to the handshake message.
std::optional<std::size_t> extensions_offset(Bytes handshake);
struct Extension {
    std::size_t offset = 0; // of the data, relative to the input
    std::size_t size = 0;
};
std::optional<Extension> find_extension_in_handshake(Bytes handshake, std::uint16_t type,
                                                     Strictness);
// In TCP data: needs the record header, looks into the first record only, which is what edits can
// change; see TlsHandshake for a message in several records.
std::optional<Extension> find_extension(Bytes tcp_data, std::uint16_t type, Strictness);

inline constexpr std::uint16_t server_name_type = 0; // of the extension
inline constexpr std::size_t max_server_name = 255;  // bytes that are looked at

// Server name inside the extension data: name offset and size relative to the extension data.
std::optional<Extension> server_name_in_extension(Bytes extension_data);
// Raw SNI (lower case, at most 255 bytes, not yet normalised). May be empty: "found, zero length".
std::optional<std::string> tls_client_hello_host(Bytes tcp_data);
std::optional<std::string> client_hello_handshake_host(Bytes handshake);

} // namespace nfqws2::protocol
