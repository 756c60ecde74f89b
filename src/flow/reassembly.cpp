// Theory of operation. The buffer begins at the first packet's sequence number and is at most as
// long as the message. `present_` bytes from its start are contiguous; what arrived behind a gap
// lies in place already and is described by `ahead_`. When the gap closes the spans join.
#include "nfqws2/flow/reassembly.hpp"

#include <algorithm>

namespace nfqws2::flow {

namespace {

constexpr std::uint32_t max_distance = 0x100000; // of a segment from the expected position
constexpr std::size_t max_gaps = 32;

} // namespace

Reassembly::Reassembly(Kind kind, std::size_t target_size, std::uint32_t first_seq)
    : kind_(kind), target_(std::min(target_size, max_message)), first_seq_(first_seq) {
}

bool Reassembly::feed(std::uint32_t seq, Bytes data) {
    const std::uint32_t next = first_seq_ + static_cast<std::uint32_t>(present_);
    const std::uint32_t gap = seq - next, back = next - seq;
    if (gap >= max_distance && back > max_distance) return false;
    std::size_t offset = 0;
    if (gap < max_distance) {
        offset = present_ + gap;
    } else if (back <= present_) {
        offset = present_ - back;
    } else {
        data = clipped(data, back - present_); // begins before the message
    }
    if (offset >= target_) return true;
    data = clipped(data, 0, target_ - offset);
    if (data.empty()) return true;
    if (!note({offset, offset + data.size()})) return false;
    store(offset, data);
    return true;
}

bool Reassembly::append(Bytes data) {
    if (data.size() > target_ - present_) return false;
    if (data.empty()) return true;
    store(present_, data);
    return note({present_, present_ + data.size()});
}

void Reassembly::store(std::size_t offset, Bytes data) {
    if (buffer_.size() < offset + data.size()) buffer_.resize(offset + data.size());
    std::copy(data.begin(), data.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(offset));
}

// Adds the span to what is filled, joining everything it touches.
bool Reassembly::note(Span span) {
    if (span.from > present_) {
        auto at = std::find_if(ahead_.begin(), ahead_.end(),
                               [&](const Span& s) { return s.to >= span.from; });
        const auto first = at;
        for (; at != ahead_.end() && at->from <= span.to; ++at) {
            span.from = std::min(span.from, at->from);
            span.to = std::max(span.to, at->to);
        }
        if (first == at && ahead_.size() >= max_gaps) return false;
        ahead_.insert(ahead_.erase(first, at), span);
        return true;
    }
    present_ = std::max(present_, span.to);
    auto at = ahead_.begin();
    for (; at != ahead_.end() && at->from <= present_; ++at)
        present_ = std::max(present_, at->to);
    ahead_.erase(ahead_.begin(), at);
    return true;
}

} // namespace nfqws2::flow
