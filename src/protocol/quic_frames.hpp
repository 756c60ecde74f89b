// Walks the frames of a decrypted Initial (RFC 9000 section 19), only those that may occur in one.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <cstdint>
#include <optional>

namespace nfqws2::protocol {

// Takes a variable-length integer off the front; nullopt if it is cut.
std::optional<std::uint64_t> take_varint(Bytes& data);

struct QuicFrame {
    enum class Kind : std::uint8_t { ping, ack, crypto, connection_close };
    Kind kind = Kind::ping;
    std::uint64_t offset = 0; // CRYPTO only
    Bytes data;               // CRYPTO only
};

class QuicFrameWalk {
  public:
    explicit QuicFrameWalk(Bytes frames) : rest_(frames) {}
    // The next frame that is not PADDING; false at the end or at a malformed or foreign frame.
    bool next(QuicFrame& out);
    bool malformed() const { return malformed_; }

  private:
    bool take_crypto(QuicFrame& out);
    bool skip_ack(bool with_ecn);
    bool skip_connection_close();
    bool skip_varints(std::uint64_t count);
    bool skip_bytes(std::uint64_t count);

    Bytes rest_;
    bool malformed_ = false;
};

} // namespace nfqws2::protocol
