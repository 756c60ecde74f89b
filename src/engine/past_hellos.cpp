// Theory of operation. A ClientHello that has left is remembered until the server has answered, for
// a few seconds at most, because its sender may not be done with it:
//
// - It left whole, through scripts, and parts of it are sent again: nobody has acknowledged them,
// or
//   the sender probes. Alone such a part would show what scripts have hidden. So the whole hello is
//   replayed in its place, with the pieces that are kept. Copies that follow at once are dropped.
//   A sender that repeats without end is not served without end, see max_repeats.
// - It left unmodified because the rest did not come in time. The rest is then still part of a
//   hello, with the host name of the joined message, and scripts may act on it; but it stands
//   alone, what has left is not sent again. If some of it has left already it is nothing special.
#include "past_hellos.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/protocol/quic.hpp"
#include "nfqws2/protocol/tls.hpp"

#include <algorithm>

namespace nfqws2::engine {

using protocol::Payload;

namespace {

constexpr std::int64_t burst_ns = 100'000'000; // copies within it belong together
// More than a TCP stack repeats anything (Linux: 15). Each repetition runs all scripts again.
constexpr unsigned max_repeats = 16;

flow::PastHello* past_of(const Passage& p) {
    flow::TrackExtension* extension = p.track != nullptr ? p.track->extension() : nullptr;
    return extension != nullptr ? extension->past.get() : nullptr;
}

bool is_piece(const flow::HeldPacket& piece, const packet::Dissect& now) {
    const packet::Dissect then = packet::dissect(piece.data);
    return then.tcp_seq() == now.tcp_seq() && std::ranges::equal(then.payload, now.payload);
}

bool is_beyond(std::uint32_t seq, std::uint32_t limit) {
    return seq != limit && seq - limit < 0x80000000U;
}

} // namespace

// The server has the hello if it acknowledges all of it, says something, or the client
// acknowledges that it has said something.
void PastHellos::forget_answered(Passage& p) {
    namespace flag = packet::tcp_flag;
    const flow::PastHello* past = past_of(p);
    if (past == nullptr) return;
    const bool whole = !past->pieces.empty();
    const bool acknowledges = (p.dis.tcp_flags() & flag::ack) != 0;
    const auto end =
        past->message.first_seq() + static_cast<std::uint32_t>(past->message.present());
    const flow::SidePositions& server = positions_of(p).server;
    const bool answered =
        p.reverse
            ? !p.dis.payload.empty() || (p.dis.tcp_flags() & (flag::fin | flag::rst)) != 0 ||
                  (whole && acknowledges && !is_beyond(end, p.dis.tcp_ack()))
            : acknowledges && server.seq0_known && is_beyond(p.dis.tcp_ack(), server.seq0 + 1);
    if (answered) connections_->take_past(*p.track);
}

std::optional<Detected> PastHellos::look(Passage& p) {
    flow::PastHello* past = past_of(p);
    if (past == nullptr) return std::nullopt;
    if (past->pieces.empty()) return rest_of_hello(p, *past);
    const bool repeated = past->message.contains(p.dis.tcp_seq(), p.dis.payload) ||
                          std::ranges::any_of(past->pieces, [&](const auto& piece) {
                              return is_piece(piece, p.dis);
                          });
    if (!repeated) return std::nullopt;
    set_payload(p, Payload::tls_client_hello, protocol::L7::tls);
    if (now_.boot_ns() - past->last_ns >= burst_ns)
        repeat(p);
    else
        log::debug("another copy of the hello that was sent just now, dropped");
    return Detected::held;
}

std::optional<Detected> PastHellos::rest_of_hello(Passage& p, flow::PastHello& past) {
    using Is = protocol::TlsHelloExtent::Is;
    const auto news = past.message.feed(p.dis.tcp_seq(), p.dis.payload);
    if (news && news->copy)
        return std::nullopt; // its sender waits for an answer, the rest may come
    const protocol::TlsHelloExtent extent = protocol::tls_hello_extent(past.message.data());
    if (!news || news->fresh != p.dis.payload.size() || extent.is == Is::foreign) {
        connections_->take_past(*p.track);
        return std::nullopt;
    }
    if (extent.is == Is::undecided) return std::nullopt;
    log::debug("the rest of a TLS hello, its beginning has left");
    set_payload(p, Payload::tls_client_hello, protocol::L7::tls);
    p.raw_host = protocol::tls_client_hello_host(past.message.data());
    if (extent.complete) connections_->take_past(*p.track);
    return Detected::go_on;
}

std::optional<Detected> PastHellos::rest_of_quic(Passage& p, Bytes frames) {
    flow::PastHello* past = past_of(p);
    if (past == nullptr || past->message.kind() != flow::Reassembly::Kind::quic_initial)
        return std::nullopt;
    flow::Reassembly& message = past->message;
    const auto header = protocol::parse_quic_initial(p.dis.payload);
    std::optional<protocol::CryptoStream> stream;
    if (header && std::ranges::equal(header->dcid, message.connection) && message.append(frames))
        stream = protocol::quic_collect_crypto(message.data());
    if (!stream) {
        connections_->take_past(*p.track);
        return std::nullopt;
    }
    if (!stream->complete || !protocol::client_hello_handshake_full(stream->data))
        return Detected::go_on;
    log::debug("the rest of a QUIC hello, its beginning has left");
    connections_->take_past(*p.track);
    p.raw_host = protocol::client_hello_handshake_host(stream->data);
    p.decrypted = std::move(stream->data);
    p.decrypt_data = p.decrypted;
    return Detected::go_on;
}

// The first piece stands for the packet that came, so that what counts retransmissions counts one.
void PastHellos::repeat(Passage& p) {
    log::debug("the hello is repeated by its sender");
    std::unique_ptr<flow::PastHello> past = connections_->take_past(*p.track);
    flow::HeldPacket& first = past->pieces.front();
    const std::uint32_t seq = first.positions.client.seq;
    first.positions = positions_of(p);
    first.positions.client.seq = seq;
    first.positions.client.pos = seq + first.payload_len;
    first.number = p.number;
    past->repeats++;
    if (replayer_.replay_pieces(*p.track, past->message, past->pieces) &&
        past->repeats < max_repeats)
        connections_->keep_past(*p.track, std::move(past));
}

} // namespace nfqws2::engine
