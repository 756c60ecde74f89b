#include "nfqws2/flow/hold_list.hpp"

namespace nfqws2::flow {

void HoldList::update(Track& track, std::int64_t now_ns) {
    TrackExtension* extension = track.extension();
    if (extension == nullptr) return;
    HoldLink& link = extension->hold_link;
    if (extension->held.empty()) {
        remove(track);
        return;
    }
    const bool grown = extension->held.size() > link.packets;
    packets_ -= link.packets;
    bytes_ -= link.bytes;
    const bool listed = link.packets != 0;
    link.packets = extension->held.size();
    link.bytes = 0;
    for (const HeldPacket& packet : extension->held)
        link.bytes += cost(packet.data.size());
    packets_ += link.packets;
    bytes_ += link.bytes;
    if (!grown) return;
    if (listed) unlink(link);
    append(track, now_ns);
}

void HoldList::remove(Track& track) {
    TrackExtension* extension = track.extension();
    if (extension == nullptr || extension->hold_link.packets == 0) return;
    HoldLink& link = extension->hold_link;
    unlink(link);
    packets_ -= link.packets;
    bytes_ -= link.bytes;
    link = {};
}

void HoldList::postpone(Track& track, std::int64_t now_ns) {
    if (!track.extension() || track.extension()->hold_link.packets == 0) return;
    unlink(track.extension()->hold_link);
    append(track, now_ns);
}

void HoldList::unlink(HoldLink& link) {
    (link.prev ? link.prev->extension()->hold_link.next : first_) = link.next;
    (link.next ? link.next->extension()->hold_link.prev : last_) = link.prev;
    link.prev = link.next = nullptr;
}

void HoldList::append(Track& track, std::int64_t now_ns) {
    HoldLink& link = track.extension()->hold_link;
    link.since_ns = now_ns;
    link.prev = last_;
    link.next = nullptr;
    (last_ ? last_->extension()->hold_link.next : first_) = &track;
    last_ = &track;
}

} // namespace nfqws2::flow
