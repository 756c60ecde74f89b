#include "trace_bytes.hpp"

#include "nfqws2/base/text.hpp"
#include "passage.hpp"

#include <algorithm>

namespace nfqws2::engine {

std::uint32_t number_of_data(const packet::Dissect& d) {
    if (d.l4 != packet::L4::tcp) return 0;
    return d.tcp_seq() + ((d.tcp_flags() & packet::tcp_flag::syn) != 0 ? 1 : 0);
}

Message message_of(const Passage& p) {
    const std::uint32_t seq = number_of_data(p.dis);
    if (!p.reasm_data || !p.replay) return {p.dis.payload, seq};
    return {*p.reasm_data, p.is_tcp() ? seq - p.replay->offset : 0};
}

std::optional<ByteRange> find_host(Bytes data, std::string_view host) {
    if (host.empty()) return std::nullopt;
    const auto same = [](std::uint8_t byte, char letter) {
        return ascii_lower(static_cast<char>(byte)) == letter;
    };
    const auto at = std::search(data.begin(), data.end(), host.begin(), host.end(), same);
    if (at == data.end()) return std::nullopt;
    const std::int64_t from = at - data.begin();
    return ByteRange{from, from + static_cast<std::int64_t>(host.size())};
}

std::optional<ByteRange> foreign_bytes(const Message& message, Bytes payload, std::uint32_t seq) {
    // Below zero: before the message.
    const std::int64_t start = static_cast<std::int32_t>(seq - message.seq);
    const auto own = [&](std::size_t i) {
        const std::int64_t at = start + static_cast<std::int64_t>(i);
        return at >= 0 && at < static_cast<std::int64_t>(message.data.size()) &&
               message.data[static_cast<std::size_t>(at)] == payload[i];
    };
    std::size_t from = 0, to = payload.size();
    while (from < to && own(from))
        from++;
    if (from == to) return std::nullopt;
    while (own(to - 1))
        to--;
    return ByteRange{static_cast<std::int64_t>(from), static_cast<std::int64_t>(to)};
}

} // namespace nfqws2::engine
