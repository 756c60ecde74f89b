// The pipeline's own types; not visible outside of engine/.
#pragma once

#include "nfqws2/engine/engine.hpp"
#include "nfqws2/engine/trace.hpp"
#include "nfqws2/lua/desync.hpp"
#include "nfqws2/lua/state.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/protocol/hostname.hpp"
#include "packet_clock.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::engine {

// One packet on its way through the pipeline: what is known about it so far.
struct Passage {
    Bytes raw;                // as it came in
    std::uint64_t number = 0; // since start, from 1; a replayed piece keeps that of its packet
    packet::Dissect dis;
    std::uint32_t mark = 0;
    std::string_view ifin, ifout;
    bool merged = false;          // the kernel has joined several packets to this one
    std::uint32_t piece_size = 0; // TCP payload in each of those, if this one passes whole
    bool bare_syn = false;        // its data was taken off

    flow::Track* track = nullptr;
    // Scripts may feed packets themselves, which may expire tracks: not this one.
    std::optional<flow::ConnectionTable::Pin> pin;
    std::optional<flow::Positions> positions; // see positions_of()
    bool reverse = false;                     // from the server to the client of the flow
    bool incoming = false;                    // what Lua calls "in": reverse, inverted by --server
    IpAddress target;
    std::uint16_t target_port = 0, near_port = 0;

    const profile::Profile* profile = nullptr;
    protocol::Payload payload = protocol::Payload::unknown;
    protocol::L7 l7 = protocol::L7::unknown;
    std::optional<std::string> raw_host; // found in this packet, not yet normalised

    std::optional<lua::Replay> replay;
    std::optional<Bytes> reasm_data;     // joined message, replay only
    std::optional<Bytes> decrypt_data;   // CRYPTO stream of a QUIC hello
    std::vector<std::uint8_t> decrypted; // what it points to when the hello came in one datagram

    bool outgoing() const { return !incoming; }
    bool is_tcp() const { return dis.l4 == packet::L4::tcp; }
    bool is_replay() const { return replay.has_value(); }
};

// Of a flow.
enum class Ways : std::uint8_t { this_one, both };

// What payload detection decided about a packet.
enum class Detected : std::uint8_t {
    go_on,
    held, // a copy was put aside; this packet must not go on its way now
};

class Pipeline final : public flow::TrackObserver {
  public:
    Pipeline(Options options, Services services);
    ~Pipeline() override;

    bool init_lua(const std::function<bool()>& stop_requested, std::optional<std::size_t>* failed);
    capture::Verdict process(const capture::InputPacket& packet);
    void release_all();

    // flow::TrackObserver
    void on_track_end(flow::Track& track) override;
    void on_held_timeout(flow::Track& track) override;

    Options options;
    Services services;
    PacketClock now; // of connections and ip_cache
    std::unique_ptr<flow::ConnectionTable> connections;
    std::unique_ptr<flow::IpCache> own_ip_cache; // unless the workers share one
    flow::IpCache& ip_cache;
    std::unique_ptr<lua::Host> host;
    lua::State state;
    lua::Desync desync;
    Counters counters;
    std::uint64_t timer_errors = 0;
    MemoryShare blob_share, lua_share;

  private:
    // --- pipeline.cpp: the way of a packet, top to bottom
    capture::Verdict route(Passage& p);
    void poll_lists();
    capture::Verdict tcp_or_udp(Passage& p);
    capture::Verdict icmp(Passage& p);
    capture::Verdict raw_ip(Passage& p);
    capture::Verdict lua_stage(Passage& p);
    capture::Verdict substitute_first_drop(Passage& p, capture::Verdict verdict, bool held);

    // --- finished.cpp
    bool nothing_left(const Passage& p, Ways ways) const;
    bool passes_whole(Passage& p);

    // --- direction.cpp
    void set_flow_direction(Passage& p, bool reverse) const;
    void guess_direction(Passage& p) const;
    void set_target(Passage& p) const;
    std::string_view ssid(const Passage& p) const;

    // --- selection.cpp
    void select_profile(Passage& p);
    void select_for_related(Passage& p);
    bool rediscover(Passage& p);
    bool lists_allow(Passage& p, const profile::Selection& search, const protocol::HostName* host);
    profile::Query query(const Passage& p) const;
    void learn_ttl(Passage& p);

    // --- detection.cpp
    Detected detect_tcp(Passage& p);
    Detected detect_tcp_initiator(Passage& p);
    Detected detect_udp(Passage& p);
    static void find_host(Passage& p);
    void note_payload(Passage& p, protocol::Payload payload, protocol::L7 l7);
    void set_payload(Passage& p, protocol::Payload payload, protocol::L7 l7);
    void harvest_dns(const Passage& p);

    // --- holding.cpp
    bool may_join_tls(const Passage& p) const;
    bool handshake_seen(Passage& p) const;
    std::optional<flow::Reassembly::News> feed_hello(Passage& p);
    std::optional<Detected> join_tls(Passage& p, flow::Reassembly::News news);
    Detected tls_client_hello(Passage& p);
    Detected undecided_start(Passage& p);
    Detected start_tls(Passage& p, std::uint32_t first_seq);
    bool fits_tls(Passage& p, std::size_t size) const;
    Detected quic_initial(Passage& p);
    Detected join_quic(Passage& p, Bytes frames);
    bool hold(Passage& p, bool news = true);
    void release(flow::Track& track);
    void trace_release(flow::Track& track, const flow::HeldPacket& piece);

    // --- fastpath.cpp
    capture::Verdict instead_of_held(Passage& p);
    bool wants_acknowledgement(const Passage& p);
    capture::Verdict bare_acknowledgement(const packet::Dissect& d);

    // --- past_hello.cpp
    void forget_answered_hello(Passage& p);
    std::optional<Detected> past_hello(Passage& p);
    std::optional<Detected> rest_of_hello(Passage& p, flow::PastHello& past);
    std::optional<Detected> rest_of_quic(Passage& p, Bytes frames);
    void repeat_hello(Passage& p);

    // --- fast_open.cpp
    void withhold_fast_open(Passage& p);

    // --- replay.cpp
    void replay(flow::Track& track);
    bool replay_pieces(flow::Track& track, const flow::Reassembly& message,
                       const flow::HeldPackets& pieces);
    void resume(Passage& p, const flow::HeldPacket& piece) const;
    bool replay_piece(const flow::HeldPacket& piece, Bytes message, const lua::Replay& position);
    capture::Verdict judge_piece(Passage& p, Bytes message);
    bool send_held(const flow::HeldPacket& piece, Bytes data);

    // --- auto_host.cpp
    void watch_retransmission(Passage& p);
    void watch_reply(Passage& p);
    void watch_udp(Passage& p);
    void report(const Passage& p, flow::AutoHostState& state, bool failed, std::string reason);
    void send_reset(const Passage& p);

    // Where a profile search lists whom it refused; nullptr when nobody asks.
    std::vector<profile::Rejection>* rejections() const {
        return services.trace != nullptr ? &services.trace->rejections() : nullptr;
    }

    std::int64_t next_list_poll_ns_ = 0;
    std::size_t blob_bytes_ = 0;
    flow::IpCacheRecord cached_;           // what the ip cache knew last
    std::vector<std::uint8_t> substitute_; // of a packet that goes on in place of another
    std::vector<std::uint8_t> bare_syn_;   // buffer of a SYN without its data
};

// The counters of the flow for this packet: a snapshot for replayed pieces, else made on demand.
inline const flow::Positions& positions_of(Passage& p) {
    if (!p.positions) p.positions = p.track->positions();
    return *p.positions;
}

} // namespace nfqws2::engine
