// Builds ClientHellos for tests.
#pragma once

#include "samples.hpp"

namespace nfqws2::protocol::test {

void put16(Buffer& out, std::size_t value);
void put(Buffer& out, const Buffer& more);

Buffer extension(std::size_t type, const Buffer& data);
Buffer server_name(std::string_view name, std::uint8_t name_type = 0);

struct Hello {
    Buffer session = Buffer(32, 0x5A);
    Buffer extensions = {};
    std::uint8_t type = 1;
};
Buffer handshake(const Hello& hello);
Buffer record(const Buffer& content);

} // namespace nfqws2::protocol::test
