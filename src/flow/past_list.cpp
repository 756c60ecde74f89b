#include "past_list.hpp"

#include "hold_list.hpp"

namespace nfqws2::flow {

std::size_t PastList::cost(const PastHello& past) {
    std::size_t bytes = sizeof(PastHello) + past.message.memory();
    for (const HeldPacket& piece : past.pieces)
        bytes += HoldList::cost(piece.data.size());
    return bytes;
}

void PastList::add(Track& track, std::unique_ptr<PastHello> past) {
    take(track);
    PastHello& own = *past;
    own.bytes = cost(own);
    own.track = &track;
    own.prev = last_;
    own.next = nullptr;
    (last_ ? last_->next : first_) = &own;
    track.extension()->past = std::move(past);
    last_ = track.extension()->past.get();
    bytes_ += last_->bytes;
}

std::unique_ptr<PastHello> PastList::take(Track& track) {
    TrackExtension* extension = track.extension();
    if (extension == nullptr || !extension->past) return nullptr;
    PastHello& own = *extension->past;
    (own.prev ? own.prev->next : first_) = own.next;
    (own.next ? own.next->prev : last_) = own.prev;
    own.prev = own.next = nullptr;
    own.track = nullptr;
    bytes_ -= own.bytes;
    return std::move(extension->past);
}

} // namespace nfqws2::flow
