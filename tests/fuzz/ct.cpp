// What the kernel says of a connection.
#include "nfqws2/capture/ct_message.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

using namespace nfqws2;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    std::vector<std::uint32_t> aligned(size / 4 + 1); // as the kernel's messages are
    if (size != 0) std::memcpy(aligned.data(), raw, size);
    const Bytes message(reinterpret_cast<const std::uint8_t*>(aligned.data()), size);
    packet::Connection c;
    if (capture::parse_connection(message, c) && (c.orig.src.empty() || c.reply.dst.empty()))
        std::abort();
    if (c.helper.text().size() > packet::CtHelper::max_size) std::abort();
    if (const auto wanted = capture::parse_expectation(message))
        if (wanted->expectation.tuple.dst.empty()) std::abort();
    return 0;
}
