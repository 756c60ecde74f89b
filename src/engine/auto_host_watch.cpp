// Theory of operation. A flow to a host that is in no list is watched: retransmissions, a reset or
// a foreign redirect at the start of the answer, or silence on UDP count as a failure, an answer
// longer than that as a success. Each flow reports once (`finalised`). What follows from a report
// is decided by profile::AutoHosts. See docs/contracts/lists.md#detectors.
#include "auto_host_watch.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/packet/reconstruct.hpp"
#include "nfqws2/protocol/table.hpp"

#include <algorithm>
#include <array>

namespace nfqws2::engine {

namespace {

// The watch state of the packet's flow if it is being watched.
flow::AutoHostState* watched(const Passage& p) {
    if (p.track == nullptr || p.profile->auto_hosts == nullptr || !p.track->has_hostname())
        return nullptr;
    flow::TrackExtension* extension = p.track->extension();
    if (extension == nullptr || !extension->auto_host.watching || extension->auto_host.finalised)
        return nullptr;
    return &extension->auto_host;
}

} // namespace

void AutoHostWatch::retransmission(Passage& p) {
    flow::AutoHostState* state = watched(p);
    if (state == nullptr || state->retrans_stopped) return;
    const profile::AutoHostOptions& limits = p.profile->auto_options;
    if (positions_of(p).client.rseq() > limits.retrans_maxseq) {
        state->retrans_stopped = true;
        return report(p, *state, false, {});
    }
    if (!p.track->is_retransmission()) return;
    state->retrans++;
    if (state->retrans < limits.retrans_threshold) {
        log::debug("retrans counter : %u/%u", state->retrans, limits.retrans_threshold);
        return;
    }
    state->retrans_stopped = true;
    if (limits.retrans_reset) send_reset(p);
    report(p, *state, true, "retrans threshold reached");
}

void AutoHostWatch::reply(Passage& p) {
    flow::AutoHostState* state = watched(p);
    if (state == nullptr) return;
    const std::uint32_t max_seq = p.profile->auto_options.incoming_maxseq;
    const std::uint32_t rseq = positions_of(p).server.rseq();
    if (max_seq == 0 || rseq == 0) return;
    if (rseq > max_seq) return report(p, *state, false, {});
    if ((p.dis.tcp_flags() & packet::tcp_flag::rst) != 0)
        return report(p, *state, true, format("rseq %u : incoming RST", rseq));
    const auto sends_elsewhere = protocol::row(p.payload).sends_elsewhere;
    if (sends_elsewhere != nullptr && sends_elsewhere(p.dis.payload, p.track->hostname()))
        report(p, *state, true, format("rseq %u : redirect to another domain", rseq));
}

void AutoHostWatch::udp(Passage& p) {
    flow::AutoHostState* state = watched(p);
    if (state == nullptr) return;
    const profile::AutoHostOptions& limits = p.profile->auto_options;
    if (limits.udp_out == 0) return;
    const flow::Positions& positions = positions_of(p);
    if (positions.server.pcounter > limits.udp_in) return report(p, *state, false, {});
    if (positions.client.pcounter >= limits.udp_out)
        report(p, *state, true,
               format("udp_in %llu<=%u udp_out %llu>=%u",
                      static_cast<unsigned long long>(positions.server.pcounter), limits.udp_in,
                      static_cast<unsigned long long>(positions.client.pcounter), limits.udp_out));
}

void AutoHostWatch::report(const Passage& p, flow::AutoHostState& state, bool failed,
                           std::string reason) {
    state.finalised = true;
    const profile::AutoHosts::Event event{
        p.profile,         p.track->hostname(),  p.track->hostname_is_ip(),
        p.track->client(), protocol::name(p.l7), std::move(reason)};
    if (failed)
        hosts_.failure(event);
    else
        hosts_.success(event);
}

// Ends the client's waiting: a reset that seems to come from the server
// (docs/contracts/lists.md#the-reset). It carries the desync mark so that it is not queued again.
void AutoHostWatch::send_reset(const Passage& p) {
    const flow::SidePositions server = p.track->positions().server;
    const std::uint8_t* ip = p.dis.ip();
    packet::Blueprint reset;
    reset.l3 = p.dis.l3;
    reset.l4 = packet::L4::tcp;
    if (p.dis.l3 == packet::L3::ipv4) {
        reset.ip.tos = ip[1];
        reset.ip.off = load_be16(ip + 6);
        reset.ip.ttl = ip[8];
        reset.ip.protocol = packet::proto::tcp;
        std::copy_n(ip + 16, 4, reset.ip.source.begin());
        std::copy_n(ip + 12, 4, reset.ip.destination.begin());
    } else {
        reset.ip6.flow = server.ip6_flow != 0 ? server.ip6_flow : 0x60000000;
        reset.ip6.hop_limit = ip[7];
        std::copy_n(ip + 24, 16, reset.ip6.source.begin());
        std::copy_n(ip + 8, 16, reset.ip6.destination.begin());
    }
    const std::uint8_t* tcp = p.dis.transport();
    reset.tcp.source_port = p.dis.destination_port();
    reset.tcp.destination_port = p.dis.source_port();
    reset.tcp.seq = p.dis.tcp_ack();
    reset.tcp.ack = p.dis.tcp_seq();
    reset.tcp.flags = packet::tcp_flag::rst;
    reset.tcp.x2 = tcp[12] & 0x0F;
    reset.tcp.window = server.winsize;
    reset.tcp.urgent = load_be16(tcp + 18);
    std::array<std::uint8_t, 128> buffer;
    const packet::Reconstructed built = packet::reconstruct(reset, {}, random_, buffer);
    if (!built.ok()) return;
    log::debug("sending RST to retransmitter");
    outlet_.send({Bytes(buffer.data(), built.size), desync_fwmark_, p.ifin, 1});
}

} // namespace nfqws2::engine
