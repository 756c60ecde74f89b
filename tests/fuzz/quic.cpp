// QUIC Initials: header, decryption, frames. The input is also taken as plaintext, since random
// bytes never decrypt.
#include "nfqws2/protocol/quic.hpp"
#include "nfqws2/protocol/tls.hpp"

#include <cstdlib>

using namespace nfqws2;
using namespace nfqws2::protocol;

namespace {

void check_frames(Bytes frames) {
    quic_has_no_crypto(frames);
    const auto stream = quic_collect_crypto(frames);
    if (!stream) return;
    if (stream->data.size() > quic_max_crypto_end) std::abort();
    client_hello_handshake_host(stream->data);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    const Bytes data(raw, size);
    check_frames(data);
    is_quic_initial(data);
    if (const auto header = parse_quic_initial(data)) {
        if (header->packet_size > size || header->packet_number_offset > header->packet_size)
            std::abort();
    }
    if (const auto frames = quic_decrypt_initial(data)) check_frames(*frames);
    return 0;
}
