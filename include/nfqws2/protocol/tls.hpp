// TLS hello recognition and the ClientHello's extensions (part 04 section 5).
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <cstddef>
#include <optional>
#include <string>

namespace nfqws2::protocol {

bool is_tls_client_hello(Bytes data); // record header + handshake header
bool is_tls_server_hello(Bytes data);
// Record length + 5; `data` must have at least 5 bytes.
std::size_t tls_record_size(Bytes data);
bool tls_record_full(Bytes data);

// Handshake message without record header (as in QUIC): first byte 1, version 3.x.
bool is_client_hello_handshake(Bytes handshake);
bool client_hello_handshake_full(Bytes handshake);

enum class Strictness : std::uint8_t { partial, strict };

// Offset of the 2-byte extensions length relative to the handshake message (5.2 steps 1-4).
std::optional<std::size_t> extensions_offset(Bytes handshake);
struct Extension {
    std::size_t offset = 0; // of the data, relative to the input
    std::size_t size = 0;
};
std::optional<Extension> find_extension_in_handshake(Bytes handshake, std::uint16_t type,
                                                     Strictness);
// In TCP data: needs the record header, looks into the first record only.
std::optional<Extension> find_extension(Bytes tcp_data, std::uint16_t type, Strictness);

// Server name inside the extension data (5.3): name offset and size relative to the extension data.
std::optional<Extension> server_name_in_extension(Bytes extension_data);
// Raw SNI (lower case, at most 255 bytes, not yet normalised). May be empty: "found, zero length".
std::optional<std::string> tls_client_hello_host(Bytes tcp_data);
std::optional<std::string> client_hello_handshake_host(Bytes handshake);

} // namespace nfqws2::protocol
