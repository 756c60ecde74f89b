#include "holder.hpp"

#include "direction.hpp"
#include "nfqws2/base/log.hpp"
#include "rules_stage.hpp"

namespace nfqws2::engine {

bool Holder::hold(Passage& p, bool news) {
    flow::TrackExtension& extension = p.track->need_extension();
    if (extension.held.size() >= flow::max_held_packets ||
        !around_.connections->make_room(*p.track, p.dis.packet.size())) {
        log::debug("rawpacket_queue failed !");
        return false;
    }
    flow::HeldPacket piece;
    piece.data.assign(p.dis.packet.begin(), p.dis.packet.end());
    piece.frame.assign(p.frame.begin(), p.frame.end());
    piece.number = p.number;
    piece.mark = p.mark;
    piece.payload_len = static_cast<std::uint32_t>(p.dis.payload.size());
    piece.ifin = p.ifin;
    piece.ifout = p.ifout;
    piece.positions = positions_of(p);
    if (around_.ct != nullptr) piece.ct = around_.ct->kept(p);
    if (around_.rules != nullptr) piece.rules = around_.rules->kept(p);
    extension.held.push_back(std::move(piece));
    around_.connections->held_changed(*p.track, news);
    log::debug("DELAY desync until reasm is complete (#%zu)", extension.held.size());
    return true;
}

void Holder::release(flow::Track& track) {
    flow::TrackExtension* extension = track.extension();
    if (extension == nullptr) return;
    if (extension->reassembly != nullptr) log::debug("reassemble session cancelled");
    const std::unique_ptr<flow::Reassembly> ended = std::move(extension->reassembly);
    const flow::HeldPackets pieces = std::move(extension->held);
    extension->held.clear();
    around_.connections->held_changed(track);
    for (const flow::HeldPacket& piece : pieces) {
        if (around_.story.wants_releases()) tell_release(track, piece);
        send(piece, piece.data);
    }
}

void Holder::tell_release(flow::Track& track, const flow::HeldPacket& piece) {
    Passage p;
    resume(p, piece);
    p.track = &track;
    p.l7 = track.l7();
    p.profile = around_.profiles.known(track.profile());
    if (p.profile == nullptr) p.profile = &around_.profiles.by_number(0);
    around_.story.released(p);
}

void Holder::resume(Passage& p, const flow::HeldPacket& piece) const {
    p.raw = piece.data;
    p.frame = piece.frame;
    p.number = piece.number;
    p.dis = packet::dissect(piece.data);
    p.positions = piece.positions;
    p.mark = piece.mark;
    p.ifin = piece.ifin;
    p.ifout = piece.ifout;
    p.ct_of_held = piece.ct;
    p.rules_of_held = piece.rules;
    set_flow_direction(p, false, around_.server_mode);
    set_target(p, around_.server_mode);
}

bool Holder::send(const flow::HeldPacket& piece, Bytes data) {
    return around_.outlet.send({data, piece.mark | around_.desync_fwmark, piece.ifout, 1});
}

} // namespace nfqws2::engine
