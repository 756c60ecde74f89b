// Theory of operation. `present_` holds what is contiguous from the first byte. What arrives behind
// a gap is kept as a piece of its own in `ahead_`, so that a gap costs nothing, however large; when
// it closes the pieces move over. Pieces that touch are joined at once, so their number is that of
// the gaps.
#include "nfqws2/flow/reassembly.hpp"

#include <algorithm>

namespace nfqws2::flow {

namespace {

constexpr std::uint32_t max_distance = 0x100000; // of a segment from the expected position
constexpr std::size_t max_gaps = 32;

// Writes `data` at `at` of `to`, which grows at most by what lies behind its end.
void overlay(std::vector<std::uint8_t>& to, std::size_t at, Bytes data, Reassembly::News& news) {
    const std::size_t old = std::min(to.size() - at, data.size());
    const auto place = to.begin() + static_cast<std::ptrdiff_t>(at);
    if (!std::equal(place, place + static_cast<std::ptrdiff_t>(old), data.begin()))
        news.copy = false;
    std::copy_n(data.begin(), old, place);
    const Bytes more = data.subspan(old);
    to.insert(to.end(), more.begin(), more.end());
    news.fresh += more.size();
}

} // namespace

Reassembly::Reassembly(Kind kind, std::size_t target_size, std::uint32_t first_seq)
    : kind_(kind), target_(std::min(target_size, max_message)), first_seq_(first_seq) {
}

std::optional<Reassembly::News> Reassembly::feed(std::uint32_t seq, Bytes data) {
    const std::size_t present = present_.size();
    const std::uint32_t next = first_seq_ + static_cast<std::uint32_t>(present);
    const std::uint32_t gap = seq - next, back = next - seq;
    if (gap >= max_distance && back > max_distance) return std::nullopt;
    News news;
    std::size_t offset = 0;
    if (gap < max_distance) {
        offset = present + gap;
    } else if (back <= present) {
        offset = present - back;
    } else {
        data = clipped(data, back - present); // begins before the message
    }
    if (offset >= target_) return news;
    data = clipped(data, 0, target_ - offset);
    if (data.empty()) return news;
    news.copy = true;
    if (offset > present) {
        if (!store_ahead(offset, data, news)) return std::nullopt;
    } else {
        overlay(present_, offset, data, news);
        close_gap();
    }
    if (news.fresh != 0) news.copy = false;
    return news;
}

bool Reassembly::append(Bytes data) {
    if (data.size() > target_ - present_.size()) return false;
    present_.insert(present_.end(), data.begin(), data.end());
    return true;
}

void Reassembly::cut(std::size_t size) {
    target_ = std::min(size, present_.size());
    present_.resize(target_);
    ahead_.clear();
}

bool Reassembly::contains(std::uint32_t seq, Bytes data) const {
    const std::uint32_t offset = seq - first_seq_;
    return offset <= present_.size() && data.size() <= present_.size() - offset &&
           std::equal(data.begin(), data.end(),
                      present_.begin() + static_cast<std::ptrdiff_t>(offset));
}

std::size_t Reassembly::memory() const {
    std::size_t bytes = sizeof(*this) + present_.capacity() + connection.capacity() +
                        ahead_.capacity() * sizeof(Piece);
    for (const Piece& piece : ahead_)
        bytes += piece.data.capacity();
    return bytes;
}

// Joins the segment with every piece that it touches.
bool Reassembly::store_ahead(std::size_t offset, Bytes data, News& news) {
    const std::size_t end = offset + data.size();
    const auto first = std::find_if(ahead_.begin(), ahead_.end(),
                                    [&](const Piece& p) { return p.end() >= offset; });
    auto last = first;
    while (last != ahead_.end() && last->offset <= end)
        ++last;
    if (first == last) {
        if (ahead_.size() >= max_gaps) return false;
        news.fresh += data.size();
        ahead_.insert(first, Piece{offset, {data.begin(), data.end()}});
        return true;
    }
    if (std::next(first) == last && first->offset <= offset) {
        overlay(first->data, offset - first->offset, data, news);
        return true;
    }
    Piece joined{std::min(offset, first->offset), {}};
    std::size_t had = 0;
    for (auto piece = first; piece != last; ++piece) {
        joined.data.resize(piece->offset - joined.offset);
        joined.data.insert(joined.data.end(), piece->data.begin(), piece->data.end());
        had += piece->data.size();
    }
    joined.data.resize(std::max(joined.data.size(), end - joined.offset));
    std::copy(data.begin(), data.end(),
              joined.data.begin() + static_cast<std::ptrdiff_t>(offset - joined.offset));
    news.copy = false;
    news.fresh += joined.data.size() - had;
    *first = std::move(joined);
    ahead_.erase(std::next(first), last);
    return true;
}

void Reassembly::close_gap() {
    auto piece = ahead_.begin();
    for (; piece != ahead_.end() && piece->offset <= present_.size(); ++piece) {
        if (piece->end() <= present_.size()) continue; // overwritten
        const Bytes more = Bytes(piece->data).subspan(present_.size() - piece->offset);
        present_.insert(present_.end(), more.begin(), more.end());
    }
    ahead_.erase(ahead_.begin(), piece);
}

} // namespace nfqws2::flow
