#include "quic_frames.hpp"

namespace nfqws2::protocol {

namespace {

constexpr std::uint8_t frame_padding = 0x00, frame_ping = 0x01, frame_ack = 0x02,
                       frame_ack_ecn = 0x03, frame_crypto = 0x06, frame_connection_close = 0x1c;

} // namespace

std::optional<std::uint64_t> take_varint(Bytes& data) {
    if (data.empty()) return std::nullopt;
    const std::size_t size = std::size_t{1} << (data[0] >> 6);
    if (data.size() < size) return std::nullopt;
    std::uint64_t value = data[0] & 0x3F;
    for (std::size_t i = 1; i < size; ++i)
        value = value << 8 | data[i];
    data = data.subspan(size);
    return value;
}

bool QuicFrameWalk::next(QuicFrame& out) {
    std::size_t padding = 0;
    while (padding < rest_.size() && rest_[padding] == frame_padding)
        ++padding;
    rest_ = rest_.subspan(padding);
    if (malformed_ || rest_.empty()) return false;

    const std::uint8_t type = rest_[0];
    rest_ = rest_.subspan(1);
    bool ok = false;
    switch (type) {
    case frame_ping:
        out.kind = QuicFrame::Kind::ping;
        ok = true;
        break;
    case frame_ack:
    case frame_ack_ecn:
        out.kind = QuicFrame::Kind::ack;
        ok = skip_ack(type == frame_ack_ecn);
        break;
    case frame_crypto:
        ok = take_crypto(out);
        break;
    case frame_connection_close:
        out.kind = QuicFrame::Kind::connection_close;
        ok = skip_connection_close();
        break;
    default:
        break;
    }
    malformed_ = !ok;
    return ok;
}

bool QuicFrameWalk::take_crypto(QuicFrame& out) {
    const auto offset = take_varint(rest_);
    if (!offset) return false;
    const auto size = take_varint(rest_);
    if (!size || *size > rest_.size()) return false;
    out.kind = QuicFrame::Kind::crypto;
    out.offset = *offset;
    out.data = rest_.first(static_cast<std::size_t>(*size));
    return skip_bytes(*size);
}

bool QuicFrameWalk::skip_ack(bool with_ecn) {
    if (!skip_varints(2)) return false; // largest acknowledged, delay
    const auto ranges = take_varint(rest_);
    // Each range needs at least two bytes: a larger count is cut off anyway.
    if (!ranges || *ranges > rest_.size() / 2) return false;
    return skip_varints(1 + 2 * *ranges + (with_ecn ? 3 : 0));
}

bool QuicFrameWalk::skip_connection_close() {
    if (!skip_varints(2)) return false; // error code, frame type
    const auto reason = take_varint(rest_);
    return reason && skip_bytes(*reason);
}

bool QuicFrameWalk::skip_varints(std::uint64_t count) {
    for (; count > 0; --count) {
        if (!take_varint(rest_)) return false;
    }
    return true;
}

bool QuicFrameWalk::skip_bytes(std::uint64_t count) {
    if (count > rest_.size()) return false;
    rest_ = rest_.subspan(static_cast<std::size_t>(count));
    return true;
}

} // namespace nfqws2::protocol
