#include "ct_tcp.hpp"

#include "nfqws2/packet/dissect.hpp"

#include <array>
#include <cstddef>

namespace nfqws2::flow::detail {

namespace {

namespace flag = packet::tcp_flag;
using packet::CtTcp;

constexpr std::size_t state_count = 10;
constexpr auto no = CtTcp::none, ss = CtTcp::syn_sent, sr = CtTcp::syn_recv,
               es = CtTcp::established, fw = CtTcp::fin_wait, cw = CtTcp::close_wait,
               la = CtTcp::last_ack, tw = CtTcp::time_wait, cl = CtTcp::close,
               s2 = CtTcp::syn_sent2;

using Row = std::array<CtTcp, state_count>;
struct Rows {
    Row syn, syn_ack, fin, ack;
};

// From each state in its order. What Linux ignores or calls invalid leaves the state as it is.
constexpr Rows of_original = {
    .syn = {ss, ss, sr, es, fw, cw, la, ss, ss, s2},
    .syn_ack = {no, ss, sr, es, fw, cw, la, tw, cl, sr},
    .fin = {no, ss, fw, fw, la, la, la, tw, cl, s2},
    .ack = {es, ss, es, es, cw, cw, tw, tw, cl, s2},
};
constexpr Rows of_reply = {
    .syn = {no, s2, sr, es, fw, cw, la, tw, cl, s2},
    .syn_ack = {no, sr, sr, es, fw, cw, la, tw, cl, sr},
    .fin = {no, ss, fw, fw, la, la, la, tw, cl, s2},
    .ack = {no, ss, sr, es, cw, cw, tw, tw, cl, s2},
};

} // namespace

bool may_begin_tcp(std::uint8_t flags) {
    const unsigned kind = flags & (flag::syn | flag::ack | flag::fin | flag::rst);
    return kind == flag::syn || kind == flag::ack;
}

CtTcp next_tcp_state(CtTcp state, std::uint8_t flags, bool reply) {
    const auto from = static_cast<std::size_t>(state);
    if (from >= state_count) return state;
    const Rows& rows = reply ? of_reply : of_original;
    if ((flags & flag::rst) != 0) return cl;
    if ((flags & flag::syn) != 0)
        return (flags & flag::ack) != 0 ? rows.syn_ack[from] : rows.syn[from];
    if ((flags & flag::fin) != 0) return rows.fin[from];
    return (flags & flag::ack) != 0 ? rows.ack[from] : state;
}

std::uint32_t tcp_timeout(CtTcp state) {
    constexpr std::uint32_t seconds[state_count] = {60, 120, 60, 432000, 120, 60, 30, 120, 10, 120};
    const auto place = static_cast<std::size_t>(state);
    return place < state_count ? seconds[place] : 0;
}

} // namespace nfqws2::flow::detail
