// Theory of operation. A ClientHello that does not fit one packet is joined before scripts see it:
// its packets are put aside (their originals are dropped), the message grows in the flow's
// Reassembly, and when it is complete the packets walk through the pipeline again as pieces
// (replayer.cpp). Whatever goes wrong - a gap too large, no room, no more data for a while, the end
// of the flow - releases the packets in order and unmodified; none is ever lost.
//
// A hold begins with the first packet of a hello, with a first packet that is too short to tell
// (undecided_start), or with one in front of which something is missing. It ends, if the message
// does not become whole, 1.5 s after the last news and 4.5 s after the first packet at the latest.
// Few new bytes are no news: a client that sends byte by byte cannot prolong it. An exact copy of
// what is held is what a sender repeats because it hears nothing; it is dropped.
//
// What has left is not forgotten at once, see past_hellos.cpp.
#include "hello_joiner.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/protocol/quic.hpp"
#include "nfqws2/protocol/tls.hpp"

#include <algorithm>

namespace nfqws2::engine {

using protocol::Payload;

namespace {

constexpr std::size_t news_size = 64; // fewer new bytes are not worth waiting on
// A first segment shorter than this is put aside because nothing can be told from it; a longer one
// is shown to scripts as what it is for them, something unknown.
constexpr std::size_t telling_size = 6, signature_size = 11;

Bytes quic_connection(Bytes datagram) {
    const auto header = protocol::parse_quic_initial(datagram);
    return header ? header->dcid : Bytes();
}

bool is_held_datagram(const flow::HeldPackets& held, Bytes datagram) {
    return std::ranges::any_of(held, [&](const flow::HeldPacket& piece) {
        return std::ranges::equal(packet::dissect(piece.data).payload, datagram);
    });
}

// Nothing is kept for a sender that cannot have seen an answer. Where only outgoing packets are
// queued its own acknowledgement has to do.
bool handshake_seen(Passage& p) {
    return positions_of(p).server.pcounter != 0 || (p.dis.tcp_flags() & packet::tcp_flag::ack) != 0;
}

// The server must be able to take all of it: it acknowledges nothing meanwhile.
bool fits_tls(Passage& p, std::size_t size) {
    const flow::SidePositions& server = positions_of(p).server;
    if (server.pcounter != 0 && server.winsize_calc < size) {
        log::debug("reasm cancelled because server window size %u is smaller than %zu",
                   server.winsize_calc, size);
        return false;
    }
    if (size > flow::max_message) {
        log::debug("unexpected large payload for reassemble: size=%zu", size);
        return false;
    }
    return true;
}

} // namespace

bool HelloJoiner::is_joining(const Passage& p) {
    return p.track != nullptr && p.track->extension() != nullptr &&
           p.track->extension()->reassembly != nullptr;
}

bool HelloJoiner::may_join_tls(const Passage& p) const {
    return p.track != nullptr && !options_.reasm_disable.contains(Payload::tls_client_hello) &&
           !options_.payload_disable.contains(Payload::tls_client_hello);
}

std::optional<flow::Reassembly::News> HelloJoiner::feed(Passage& p) {
    const auto news = p.track->extension()->reassembly->feed(p.dis.tcp_seq(), p.dis.payload);
    if (!news) {
        log::debug("reassemble session failed");
        holder_.release(*p.track);
    }
    return news;
}

std::optional<Detected> HelloJoiner::join_tls(Passage& p, flow::Reassembly::News news) {
    using Is = protocol::TlsHelloExtent::Is;
    const flow::Reassembly& message = *p.track->extension()->reassembly;
    const protocol::TlsHelloExtent extent = protocol::tls_hello_extent(message.data());
    if (extent.is == Is::foreign || (extent.is == Is::hello && !fits_tls(p, extent.size))) {
        holder_.release(*p.track);
        return std::nullopt;
    }
    if (extent.is == Is::hello) set_payload(p, Payload::tls_client_hello, protocol::L7::tls);
    if (news.copy && !extent.complete && is_plain_data(p.dis)) {
        log::debug("an exact copy of what is held, dropped");
        return Detected::held;
    }
    if (!holder_.hold(p, news.fresh >= news_size)) {
        holder_.release(*p.track);
        p.payload = Payload::unknown;
        return Detected::go_on;
    }
    if (extent.complete) replayer_.replay(*p.track);
    return Detected::held;
}

Detected HelloJoiner::tls_client_hello(Passage& p) {
    if (may_join_tls(p) && !p.track->is_retransmission()) {
        const protocol::TlsHelloExtent extent = protocol::tls_hello_extent(p.dis.payload);
        if (!extent.complete && handshake_seen(p) && fits_tls(p, extent.size)) {
            log::debug("starting reassemble. now we have %zu/%zu", p.dis.payload.size(),
                       extent.size);
            return start_tls(p, p.dis.tcp_seq());
        }
    }
    p.raw_host = protocol::tls_client_hello_host(p.dis.payload);
    return Detected::go_on;
}

Detected HelloJoiner::undecided_start(Passage& p) {
    using Is = protocol::TlsHelloExtent::Is;
    const flow::SidePositions& client = positions_of(p).client;
    if (client.pdcounter != 1 || !client.seq0_known || p.l7 != protocol::L7::unknown ||
        !may_join_tls(p) || !is_plain_data(p.dis) || !handshake_seen(p))
        return Detected::go_on;
    const std::size_t offset = client.rseq() - 1, size = p.dis.payload.size();
    if (offset >= flow::max_message || size > flow::max_message - offset) return Detected::go_on;
    const std::uint32_t first_seq = client.seq0 + 1;
    if (offset == 0) {
        if (protocol::tls_hello_extent(p.dis.payload).is != Is::undecided) return Detected::go_on;
        if (size >= telling_size && size < signature_size) {
            auto past = std::make_unique<flow::PastHello>(flow::PastHello{
                {flow::Reassembly::Kind::tls_client_hello, flow::max_message, first_seq}, {}});
            past->message.feed(first_seq, p.dis.payload);
            p.track->need_extension();
            connections_->keep_past(*p.track, std::move(past));
            return Detected::go_on;
        }
    }
    log::debug("this may be part of a TLS hello: %zu bytes at offset %zu", size, offset);
    return start_tls(p, first_seq);
}

Detected HelloJoiner::start_tls(Passage& p, std::uint32_t first_seq) {
    auto message = std::make_unique<flow::Reassembly>(flow::Reassembly::Kind::tls_client_hello,
                                                      flow::max_message, first_seq);
    if (!message->feed(p.dis.tcp_seq(), p.dis.payload)) return Detected::go_on;
    flow::TrackExtension& extension = p.track->need_extension();
    extension.reassembly = std::move(message);
    extension.start_acknowledged = false;
    if (holder_.hold(p)) return Detected::held;
    holder_.release(*p.track);
    p.payload = Payload::unknown;
    return Detected::go_on;
}

Detected HelloJoiner::quic_initial(Passage& p) {
    const std::optional<std::vector<std::uint8_t>> plaintext =
        protocol::quic_decrypt_initial(p.dis.payload);
    const std::optional<std::vector<std::uint8_t>> frames =
        plaintext ? protocol::quic_crypto_only(*plaintext) : std::nullopt;
    if (!frames) {
        if (p.holding()) holder_.release(*p.track);
        return Detected::go_on;
    }
    // Another connection id is another hello: what was held belongs to a message that will not be
    // completed.
    if (p.holding() && !std::ranges::equal(p.track->extension()->reassembly->connection,
                                           quic_connection(p.dis.payload)))
        holder_.release(*p.track);
    if (const std::optional<Detected> late = past_.rest_of_quic(p, *frames)) return *late;
    return join_quic(p, *frames);
}

Detected HelloJoiner::join_quic(Passage& p, Bytes frames) {
    const bool may_join =
        p.track != nullptr && !options_.reasm_disable.contains(Payload::quic_initial);
    flow::Reassembly* message = nullptr;
    if (may_join && p.track->extension() != nullptr)
        message = p.track->extension()->reassembly.get();
    const auto give_up = [&] {
        if (message != nullptr)
            holder_.release(*p.track); // there may be a message without held packets
        return Detected::go_on;
    };
    if (message != nullptr && is_held_datagram(p.track->extension()->held, p.dis.payload)) {
        log::debug("an exact copy of what is held, dropped");
        return Detected::held;
    }
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
            const Bytes connection = quic_connection(p.dis.payload);
            fresh->connection.assign(connection.begin(), connection.end());
            message = fresh.get();
            p.track->need_extension().reassembly = std::move(fresh);
        }
        if (message != nullptr) {
            const std::size_t news = stream->covered - message->covered;
            message->covered = stream->covered;
            if (!holder_.hold(p, news >= news_size)) return give_up();
            if (full) replayer_.replay(*p.track);
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

} // namespace nfqws2::engine
