// Theory of operation. A ClientHello that does not fit one packet is joined before scripts see it:
// its packets are put aside (their originals are dropped), the message grows in the flow's
// Reassembly, and when it is complete the packets walk through the pipeline again as pieces
// (replay.cpp). Whatever goes wrong - a gap, no room, no more data for a while, the end of the flow
// - releases the packets in order and unmodified; none is ever lost. See spec part 03 section 6.
#include "nfqws2/base/log.hpp"
#include "nfqws2/protocol/quic.hpp"
#include "nfqws2/protocol/tls.hpp"
#include "pipeline.hpp"

#include <algorithm>

namespace nfqws2::engine {

using protocol::Payload;

namespace {

bool same_quic_connection(const Passage& p) {
    const packet::Dissect held = packet::dissect(p.track->extension()->held.front().data);
    const auto first = protocol::parse_quic_initial(held.payload);
    const auto now = protocol::parse_quic_initial(p.dis.payload);
    return first && now && std::ranges::equal(first->dcid, now->dcid);
}

} // namespace

Detected Pipeline::tls_client_hello(Passage& p, bool joining) {
    if (p.track != nullptr && !options.reasm_disable.contains(Payload::tls_client_hello)) {
        if (!joining && !protocol::tls_record_full(p.dis.payload) && !p.track->is_retransmission())
            start_tls(p);
        flow::TrackExtension* extension = p.track->extension();
        if (extension != nullptr && extension->reassembly != nullptr) {
            if (!hold(p)) {
                release(*p.track);
                p.payload = Payload::unknown;
                return Detected::go_on;
            }
            if (extension->reassembly->complete()) replay(*p.track);
            return Detected::held;
        }
    }
    p.raw_host = protocol::tls_client_hello_host(p.dis.payload);
    return Detected::go_on;
}

void Pipeline::start_tls(Passage& p) {
    const std::size_t size = protocol::tls_record_size(p.dis.payload);
    const flow::SidePositions& server = positions_of(p).server;
    if (server.pcounter != 0 && server.winsize_calc < size) {
        if (log::debug_enabled())
            log::debug("reasm cancelled because server window size %u is smaller than %zu",
                       server.winsize_calc, size);
        return;
    }
    if (size > flow::max_message) {
        if (log::debug_enabled())
            log::debug("unexpected large payload for reassemble: size=%zu", size);
        return;
    }
    auto message = std::make_unique<flow::Reassembly>(flow::Reassembly::Kind::tls_client_hello,
                                                      size, p.dis.tcp_seq());
    if (!message->feed(p.dis.tcp_seq(), p.dis.payload)) return;
    if (log::debug_enabled())
        log::debug("starting reassemble. now we have %zu/%zu", message->present(), size);
    flow::TrackExtension& extension = p.track->need_extension();
    extension.reassembly = std::move(message);
    extension.start_acknowledged = false;
}

Detected Pipeline::quic_initial(Passage& p) {
    const std::optional<std::vector<std::uint8_t>> plaintext =
        protocol::quic_decrypt_initial(p.dis.payload);
    const std::optional<std::vector<std::uint8_t>> frames =
        plaintext ? protocol::quic_crypto_only(*plaintext) : std::nullopt;
    if (!frames) {
        if (p.track != nullptr && p.track->holding()) release(*p.track);
        return Detected::go_on;
    }
    // Another connection id is another hello: what was held belongs to a message that will not be
    // completed.
    if (p.track != nullptr && p.track->holding() && !same_quic_connection(p)) release(*p.track);
    return join_quic(p, *frames);
}

Detected Pipeline::join_quic(Passage& p, Bytes frames) {
    const bool may_join =
        p.track != nullptr && !options.reasm_disable.contains(Payload::quic_initial);
    flow::Reassembly* message = nullptr;
    if (may_join && p.track->extension() != nullptr)
        message = p.track->extension()->reassembly.get();
    const auto give_up = [&] {
        if (message != nullptr) release(*p.track); // there may be a message without held packets
        return Detected::go_on;
    };
    if (message != nullptr && !message->append(frames)) return give_up();
    std::optional<protocol::CryptoStream> stream =
        protocol::quic_collect_crypto(message != nullptr ? message->data() : frames);
    if (!stream) return give_up();

    const bool hello = stream->complete && protocol::is_client_hello_handshake(stream->data);
    const bool full = hello && protocol::client_hello_handshake_full(stream->data);
    if (may_join) {
        if (message == nullptr && (!stream->complete || (hello && !full))) {
            auto fresh = std::make_unique<flow::Reassembly>(flow::Reassembly::Kind::quic_initial,
                                                            flow::max_message, 0);
            if (!fresh->append(frames)) return Detected::go_on;
            message = fresh.get();
            p.track->need_extension().reassembly = std::move(fresh);
        }
        if (message != nullptr) {
            if (!hold(p)) return give_up();
            if (full) replay(*p.track);
            return Detected::held;
        }
    }
    if (hello) {
        p.raw_host = protocol::client_hello_handshake_host(stream->data);
        p.decrypted = std::move(stream->data);
        p.decrypt_data = p.decrypted;
    }
    return Detected::go_on;
}

// Puts a copy of the packet aside; false if there is no room.
bool Pipeline::hold(Passage& p) {
    flow::TrackExtension& extension = p.track->need_extension();
    if (extension.held.size() >= flow::max_held_packets ||
        !connections->may_hold(p.dis.packet.size())) {
        if (log::debug_enabled()) log::debug("rawpacket_queue failed !");
        return false;
    }
    flow::HeldPacket piece;
    piece.data.assign(p.dis.packet.begin(), p.dis.packet.end());
    piece.number = p.number;
    piece.mark = p.mark;
    piece.payload_len = static_cast<std::uint32_t>(p.dis.payload.size());
    piece.ifin = p.ifin;
    piece.ifout = p.ifout;
    piece.positions = positions_of(p);
    extension.held.push_back(std::move(piece));
    connections->held_changed(*p.track);
    if (log::debug_enabled())
        log::debug("DELAY desync until reasm is complete (#%zu)", extension.held.size());
    return true;
}

void Pipeline::release(flow::Track& track) {
    flow::TrackExtension* extension = track.extension();
    if (extension == nullptr) return;
    if (extension->reassembly != nullptr && log::debug_enabled())
        log::debug("reassemble session cancelled");
    const std::unique_ptr<flow::Reassembly> ended = std::move(extension->reassembly);
    const flow::HeldPackets pieces = std::move(extension->held);
    extension->held.clear();
    connections->held_changed(track);
    for (const flow::HeldPacket& piece : pieces) {
        if (services.trace != nullptr) trace_release(track, piece);
        send_held(piece, piece.data);
    }
}

void Pipeline::trace_release(flow::Track& track, const flow::HeldPacket& piece) {
    Passage p;
    resume(p, piece);
    p.track = &track;
    p.l7 = track.l7();
    p.profile = &services.profiles->by_number(track.profile());
    services.trace->begin(p);
    services.trace->note("released");
    services.trace->end(p, {});
}

void Pipeline::release_all() {
    if (connections) connections->clear();
}

void Pipeline::on_track_end(flow::Track& track) {
    if (track.holding()) release(track);
    lua::drop_lua_state(*host, track);
}

void Pipeline::on_held_timeout(flow::Track& track) {
    if (log::debug_enabled()) log::debug("held packets waited too long, sending them unmodified");
    release(track);
}

} // namespace nfqws2::engine
