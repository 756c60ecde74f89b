#include "replayer.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/sort.hpp"
#include "nfqws2/protocol/quic.hpp"
#include "nfqws2/protocol/tls.hpp"

namespace nfqws2::engine {

namespace {

// Scripts send the whole message in place of the first piece, so it must be the one that begins it.
void begin_with_the_head(flow::HeldPackets& pieces, std::uint32_t first_seq) {
    const auto offset = [&](const flow::HeldPacket& piece) {
        return piece.positions.client.seq - first_seq;
    };
    const std::uint32_t half = 0x80000000U; // what is before the head counts as its part
    if (offset(pieces.front()) == 0 || offset(pieces.front()) >= half) return;
    sort_stably(pieces, [&](const auto& a, const auto& b) { return offset(a) < offset(b); });
}

} // namespace

// The message and its pieces leave the flow first: nothing a script does can reach them.
void Replayer::replay(flow::Track& track) {
    flow::TrackExtension& extension = track.need_extension();
    const std::unique_ptr<flow::Reassembly> message = std::move(extension.reassembly);
    flow::HeldPackets pieces = std::move(extension.held);
    extension.held.clear();
    connections_->held_changed(track);
    log::debug("reassemble session finished");
    if (track.is_tcp()) {
        message->cut(protocol::tls_hello_extent(message->data()).size);
        begin_with_the_head(pieces, message->first_seq());
    }
    // What could not be sent will be repeated by its sender, and then pass by itself.
    if (replay_pieces(track, *message, pieces) && track.is_tcp())
        connections_->keep_past(track, std::make_unique<flow::PastHello>(flow::PastHello{
                                           std::move(*message), std::move(pieces)}));
}

bool Replayer::replay_pieces(flow::Track& track, const flow::Reassembly& message,
                             const flow::HeldPackets& pieces) {
    // What scripts see of it: the records as they are, or the joined CRYPTO stream of a QUIC hello.
    std::vector<std::uint8_t> stream;
    if (message.kind() == flow::Reassembly::Kind::quic_initial) {
        if (std::optional<protocol::CryptoStream> joined =
                protocol::quic_collect_crypto(message.data()))
            stream = std::move(joined->data);
    }
    const Bytes whole = track.is_tcp() ? message.data() : Bytes(stream);

    std::uint32_t sent = 0;
    bool ok = true;
    for (std::size_t i = 0; i < pieces.size(); i++) {
        lua::Replay position;
        position.piece = static_cast<unsigned>(i + 1);
        position.count = static_cast<unsigned>(pieces.size());
        position.offset =
            track.is_tcp() ? pieces[i].positions.client.seq - pieces[0].positions.client.seq : sent;
        sent += pieces[i].payload_len;
        ok = replay_piece(pieces[i], whole, position) && ok;
    }
    return ok;
}

bool Replayer::replay_piece(const flow::HeldPacket& piece, Bytes message,
                            const lua::Replay& position) {
    Passage p;
    holder_.resume(p, piece);
    p.replay = position;
    log::debug("REPLAYING delayed packet #%u offset %u", position.piece, position.offset);
    story_.begins(p);
    const capture::Verdict verdict = judge_.judge_piece(p, message);
    story_.ends(p, verdict);
    if (verdict.action == capture::Action::accept) return holder_.send(piece, piece.data);
    if (verdict.action == capture::Action::modify) return holder_.send(piece, verdict.data);
    return true;
}

} // namespace nfqws2::engine
