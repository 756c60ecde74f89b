// Seals QUIC Initial packets for tests as RFC 9001 section 5 describes.
#pragma once

#include "hello_builder.hpp"

#include "protocol/quic_keys.hpp"

namespace nfqws2::protocol::test {

struct InitialSpec {
    std::uint32_t version = quic_version_1;
    Buffer dcid = hex("8394c8f03e515708");
    Buffer scid;
    Buffer token;
    std::uint32_t number = 2;
    std::size_t number_size = 4;
    std::size_t pad_to = 0; // size of the plaintext
};

void put_varint(Buffer& out, std::size_t value);
Buffer crypto_frame(std::size_t offset, const Buffer& data);
// The unprotected header of a packet with `plain_size` bytes of frames.
Buffer initial_header(const InitialSpec& spec, std::size_t plain_size);
Buffer seal_initial(const InitialSpec& spec, Buffer plain);

} // namespace nfqws2::protocol::test
