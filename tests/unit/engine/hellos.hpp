// ClientHellos of a chosen size, as TLS records and as QUIC Initials.
#pragma once

#include "../protocol/quic_builder.hpp"
#include "packets.hpp"

#include <string_view>

namespace nfqws2::engine::test {

namespace builders = protocol::test;

// A handshake message of exactly `size` bytes; the server name comes first or last.
Buffer hello_message(std::size_t size, std::string_view host, bool host_last = false);
// A record of exactly `size` bytes around it.
Buffer hello_record(std::size_t size, std::string_view host, bool host_last = false);
// An Initial with the part [from, to) of the message in one CRYPTO frame.
Buffer initial_with(Bytes message, std::size_t from, std::size_t to, std::uint32_t number = 0);
// An Initial with these frames.
Buffer initial_of(Buffer frames, std::uint32_t number = 0,
                  std::string_view dcid = "8394c8f03e515708");

} // namespace nfqws2::engine::test
