#include "dump.hpp"

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/text.hpp"

namespace nfqws2::flow {

namespace {

std::string text_of(const Endpoint& e) {
    return '[' + e.address.text() + "]:" + std::to_string(e.port);
}

const char* name_of(TcpState state) {
    switch (state) {
    case TcpState::syn:
        return "SYN";
    case TcpState::established:
        return "ESTABLISHED";
    case TcpState::fin:
        return "FIN";
    }
    return "-";
}

std::string counters(const SidePositions& s) {
    return 'd' + std::to_string(s.pdcounter) + "/n" + std::to_string(s.pcounter) + "/b" +
           std::to_string(s.pbcounter);
}

std::string tcp_details(const Positions& p) {
    const SidePositions &c = p.client, &s = p.server;
    return format("seq0=%u rseq=%u client.pos=%u ack0=%u rack=%u server.pos=%u client.mss=%u "
                  "server.mss=%u client.wsize=%u:%u server.wsize=%u:%u",
                  c.seq0, c.rseq(), c.rpos(), s.seq0, s.rseq(), s.rpos(), unsigned{c.mss},
                  unsigned{s.mss}, unsigned{c.winsize}, unsigned{c.scale}, unsigned{s.winsize},
                  unsigned{s.scale});
}

} // namespace

std::string describe(const Track& track, std::int64_t now_ns) {
    const Positions p = track.positions();
    const std::int64_t start = track.start_ns() / second_ns, last = track.last_ns() / second_ns;
    std::string line = track.is_tcp() ? "tcp " : "udp ";
    line += text_of(track.client()) + " => " + text_of(track.server()) + " : ";
    line += track.is_tcp() ? name_of(track.state()) : "-";
    line += format(" : t0=%lld last=t0+%lld now=last+%lld", static_cast<long long>(start),
                   static_cast<long long>(last - start),
                   static_cast<long long>(now_ns / second_ns - last));
    line += " client=" + counters(p.client) + " server=" + counters(p.server) + ' ';
    line += track.is_tcp() ? tcp_details(p) : "rseq=0 client.pos=0 rack=0 server.pos=0";
    const TrackExtension* extension = track.extension();
    line += format(" req_retrans=%u cutoff=0 lua_in_cutoff=%d lua_out_cutoff=%d",
                   extension ? unsigned{extension->auto_host.retrans} : 0U, track.cutoff(false),
                   track.cutoff(true));
    line += " hostname=" + printable(track.hostname()) + " l7proto=";
    line += protocol::name(track.l7());
    return line;
}

} // namespace nfqws2::flow
