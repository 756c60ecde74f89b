// Tuples of packets, as the kernel makes them.
#include "ct_tuple.hpp"

#include "ct_tcp.hpp"
#include "nfqws2/flow/ct_sim.hpp"

#include <algorithm>
#include <utility>

namespace nfqws2::flow {

using packet::CtTuple;
namespace proto = packet::proto;
using detail::is_echo_request;

namespace detail {

bool is_echo_request(const CtTuple& t) {
    return t.icmp_type == (t.proto == proto::icmp ? 8 : 128);
}
bool is_echo_answer(const CtTuple& t) {
    return t.icmp_type == (t.proto == proto::icmp ? 0 : 129);
}

} // namespace detail

std::optional<CtTuple> ct_tuple_of(const packet::Dissect& d) {
    if (!d.is_ip() || d.fragment) return std::nullopt;
    CtTuple t;
    t.proto = d.l4proto;
    t.src = d.source();
    t.dst = d.destination();
    const std::size_t behind_ip =
        d.packet.size() - std::min<std::size_t>(d.packet.size(), d.l3_len);
    if (t.has_ports()) {
        if (behind_ip < 4) return std::nullopt; // of quoted packets no more need be there
        t.sport = load_be16(d.transport());
        t.dport = load_be16(d.transport() + 2);
    } else if (t.is_icmp()) {
        if (behind_ip < 8) return std::nullopt;
        t.icmp_type = d.transport()[0];
        t.icmp_code = d.transport()[1];
        t.icmp_id = load_be16(d.transport() + 4);
    }
    return t;
}

bool may_begin_connection(const packet::Dissect& d) {
    const std::optional<CtTuple> tuple = ct_tuple_of(d);
    if (!tuple) return false;
    switch (tuple->proto) {
    case proto::tcp:
        return d.l4 == packet::L4::tcp && detail::may_begin_tcp(d.tcp_flags());
    case proto::icmp:
    case proto::icmpv6:
        return d.l4 == packet::L4::icmp && is_echo_request(*tuple);
    default:
        return true;
    }
}

CtTuple ct_reply_to(const CtTuple& tuple) {
    CtTuple reply = tuple;
    std::swap(reply.src, reply.dst);
    std::swap(reply.sport, reply.dport);
    if (is_echo_request(tuple) && tuple.is_icmp())
        reply.icmp_type = tuple.proto == proto::icmp ? 0 : 129;
    return reply;
}

} // namespace nfqws2::flow
