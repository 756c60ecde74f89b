#include "nfqws2/packet/header_walk.hpp"

#include <algorithm>

namespace nfqws2::packet {

bool TcpOptionWalk::next(TcpOption& out) {
    if (rest_.empty() || rest_[0] == 0) return false;
    const std::uint8_t kind = rest_[0];
    out = {kind, {}};
    if (kind == 1) {
        rest_ = rest_.subspan(1);
        return true;
    }
    if (rest_.size() < 2 || rest_[1] < 2 || rest_[1] > rest_.size()) {
        rest_ = {};
        return false;
    }
    out.data = rest_.subspan(2, rest_[1] - 2U);
    rest_ = rest_.subspan(rest_[1]);
    return true;
}

Bytes tcp_options(const Dissect& d) {
    return d.packet.subspan(d.l3_len + 20U, d.l4_len - 20U);
}

bool is_extension_header(std::uint8_t type) {
    switch (type) {
    case proto::hopopts:
    case proto::routing:
    case proto::fragment:
    case proto::ah:
    case proto::dstopts:
    case proto::mobility:
    case proto::hip:
    case proto::shim6:
        return true;
    default:
        return false;
    }
}

namespace {

constexpr std::size_t max_l3_len = 65535; // what Dissect::l3_len can hold

// Length of the header of this type at the start of `rest`, 0 if it is not all there.
std::size_t extension_size(std::uint8_t type, Bytes rest) {
    if (rest.size() < 2) return 0;
    const std::size_t size = type == proto::fragment ? 8
                             : type == proto::ah     ? 8U + 4U * rest[1]
                                                     : 8U + 8U * rest[1];
    return size <= rest.size() ? size : 0;
}

} // namespace

ExtensionWalk::ExtensionWalk(Bytes raw)
    : limit_(std::min({40U + std::size_t{load_be16(raw.data() + 4)}, raw.size(), max_l3_len})),
      type_(raw[6]) {
    raw_ = raw.first(limit_);
}

bool ExtensionWalk::next(ExtensionHeader& out) {
    if (stopped_ || pos_ >= limit_) return false;
    stopped_ = true; // unless a whole header follows
    if (!is_extension_header(type_)) {
        reached_upper_ = type_ != proto::none;
        return false;
    }
    const Bytes rest = raw_.subspan(pos_);
    const std::size_t size = extension_size(type_, rest);
    if (size == 0) return false;
    out = {type_, rest[0], rest.subspan(2, size - 2), pos_};
    stopped_ = type_ == proto::fragment && (load_be16(rest.data() + 2) & 0xFFF8) != 0;
    type_ = rest[0];
    pos_ += size;
    return true;
}

} // namespace nfqws2::packet
