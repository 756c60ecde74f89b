// The second way of held packets: piece by piece through the pipeline, with the joined message at
// hand (docs/contracts/reassembly.md#replay).
#include "debug_text.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/protocol/detect.hpp"
#include "nfqws2/protocol/quic.hpp"
#include "nfqws2/protocol/tls.hpp"
#include "pipeline.hpp"

#include <algorithm>

namespace nfqws2::engine {

using protocol::Payload;

namespace {

// Scripts send the whole message in place of the first piece, so it must be the one that begins it.
void begin_with_the_head(flow::HeldPackets& pieces, std::uint32_t first_seq) {
    const auto offset = [&](const flow::HeldPacket& piece) {
        return piece.positions.client.seq - first_seq;
    };
    const std::uint32_t half = 0x80000000U; // what is before the head counts as its part
    if (offset(pieces.front()) == 0 || offset(pieces.front()) >= half) return;
    std::stable_sort(pieces.begin(), pieces.end(),
                     [&](const auto& a, const auto& b) { return offset(a) < offset(b); });
}

} // namespace

// The message and its pieces leave the flow first: nothing a script does can reach them.
void Pipeline::replay(flow::Track& track) {
    flow::TrackExtension& extension = track.need_extension();
    const std::unique_ptr<flow::Reassembly> message = std::move(extension.reassembly);
    flow::HeldPackets pieces = std::move(extension.held);
    extension.held.clear();
    connections->held_changed(track);
    if (log::debug_enabled()) log::debug("reassemble session finished");
    if (track.is_tcp()) {
        message->cut(protocol::tls_hello_extent(message->data()).size);
        begin_with_the_head(pieces, message->first_seq());
    }
    // What could not be sent will be repeated by its sender, and then pass by itself.
    if (replay_pieces(track, *message, pieces) && track.is_tcp())
        connections->keep_past(track, std::make_unique<flow::PastHello>(
                                          flow::PastHello{std::move(*message), std::move(pieces)}));
}

// False: a piece could not be sent.
bool Pipeline::replay_pieces(flow::Track& track, const flow::Reassembly& message,
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

// The packet as it was when it was put aside.
void Pipeline::resume(Passage& p, const flow::HeldPacket& piece) const {
    p.raw = piece.data;
    p.number = piece.number;
    p.dis = packet::dissect(piece.data);
    p.positions = piece.positions;
    p.mark = piece.mark;
    p.ifin = piece.ifin;
    p.ifout = piece.ifout;
    set_flow_direction(p, false);
    set_target(p);
}

bool Pipeline::replay_piece(const flow::HeldPacket& piece, Bytes message,
                            const lua::Replay& position) {
    Passage p;
    resume(p, piece);
    p.replay = position;
    if (log::debug_enabled()) {
        log::debug("REPLAYING delayed packet #%u offset %u", position.piece, position.offset);
        debug_text::headers(p.dis, true);
    }
    if (services.trace != nullptr) services.trace->begin(p);
    const capture::Verdict verdict = judge_piece(p, message);
    if (services.trace != nullptr) services.trace->end(p, verdict);
    if (verdict.action == capture::Action::accept) return send_held(piece, piece.data);
    if (verdict.action == capture::Action::modify) return send_held(piece, verdict.data);
    return true;
}

capture::Verdict Pipeline::judge_piece(Passage& p, Bytes message) {
    const flow::ConnectionTable::Found found = connections->find(p.dis);
    if (!found || found.reverse) return {};
    p.track = found.track;
    p.pin.emplace(*connections, p.track); // may be another one than when the replay began
    p.l7 = p.track->l7();
    select_profile(p);
    if (p.is_tcp()) {
        p.payload = Payload::tls_client_hello;
        p.reasm_data = message;
        p.raw_host = protocol::tls_client_hello_host(message);
    } else {
        const protocol::Detection d =
            protocol::detect_udp(p.dis.payload, p.l7, options.payload_disable);
        note_payload(p, d.payload, d.l7);
        if (protocol::is_client_hello_handshake(message)) {
            p.raw_host = protocol::client_hello_handshake_host(message);
            p.decrypt_data = message;
        }
    }
    if (!rediscover(p)) return {};
    if (log::debug_enabled()) debug_text::desync(p);
    return lua_stage(p);
}

bool Pipeline::send_held(const flow::HeldPacket& piece, Bytes data) {
    return services.sender->send({data, piece.mark | options.desync_fwmark, piece.ifout, 1});
}

} // namespace nfqws2::engine
