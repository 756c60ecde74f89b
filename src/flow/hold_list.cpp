#include "hold_list.hpp"

namespace nfqws2::flow {
namespace {

// What rules said of a packet, with the names of a few: nobody looks inside here.
constexpr std::size_t account_bytes = 512;

} // namespace

void HoldList::update(Track& track, std::int64_t now_ns, bool news) {
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
    message_bytes_ -= link.message;
    const bool listed = link.packets != 0;
    link.packets = extension->held.size();
    link.bytes = 0;
    for (const HeldPacket& packet : extension->held)
        link.bytes += cost(packet.data.size()) + (packet.ct ? sizeof(*packet.ct) : 0) +
                      (packet.rules ? account_bytes : 0);
    link.message = extension->reassembly ? extension->reassembly->memory() : 0;
    packets_ += link.packets;
    bytes_ += link.bytes;
    message_bytes_ += link.message;
    if (!listed) {
        link.first_ns = link.news_ns = now_ns;
        age_.append(track);
        idle_.append(track);
    } else if (grown && news) {
        idle_.unlink(track);
        link.news_ns = now_ns;
        idle_.append(track);
    }
}

void HoldList::remove(Track& track) {
    TrackExtension* extension = track.extension();
    if (extension == nullptr || extension->hold_link.packets == 0) return;
    HoldLink& link = extension->hold_link;
    idle_.unlink(track);
    age_.unlink(track);
    packets_ -= link.packets;
    bytes_ -= link.bytes;
    message_bytes_ -= link.message;
    link = {};
}

void HoldList::postpone(Track& track, std::int64_t now_ns) {
    if (!track.extension() || track.extension()->hold_link.packets == 0) return;
    HoldLink& link = track.extension()->hold_link;
    link.first_ns = link.news_ns = now_ns;
    for (Chain* chain : {&idle_, &age_}) {
        chain->unlink(track);
        chain->append(track);
    }
}

void HoldList::Chain::unlink(Track& track) {
    HoldNeighbours& own = track.extension()->hold_link.*link;
    (own.prev ? (own.prev->extension()->hold_link.*link).next : first) = own.next;
    (own.next ? (own.next->extension()->hold_link.*link).prev : last) = own.prev;
    own = {};
}

void HoldList::Chain::append(Track& track) {
    HoldNeighbours& own = track.extension()->hold_link.*link;
    own = {last, nullptr};
    (last ? (last->extension()->hold_link.*link).next : first) = &track;
    last = &track;
}

} // namespace nfqws2::flow
