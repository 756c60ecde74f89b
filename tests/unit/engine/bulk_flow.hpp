// A TCP connection with packets of any size, also merged ones.
#pragma once

#include "machine.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nfqws2::engine::test {

inline constexpr std::uint16_t segment = 1400; // by the MSS of the handshake

inline const std::string bulk_script = R"lua(
function once(ctx) instance_cutoff(ctx) end
function show(ctx, d)
    local c, s = d.track.pos.client, d.track.pos.server
    tell(c.pcounter, c.pdcounter, c.pbcounter, c.tcp and c.tcp.rseq, c.tcp and c.tcp.pos,
         c.tcp and c.tcp.uppos_prev, s.pdcounter, s.pbcounter)
end
)lua";

// Of one profile, open already.
struct Flow {
    explicit Flow(std::vector<std::string> profile, const std::string& more_lua = {})
        : Flow(config(std::move(profile), more_lua)) {
        machine.open(flow);
    }
    explicit Flow(Config unopened) : machine(std::move(unopened)) {}
    static Config config(std::vector<std::string> profile, const std::string& more_lua = {}) {
        Config c{std::move(profile), bulk_script + more_lua, {}};
        c.options.offload = true;
        return c;
    }
    Outcome send(Bytes payload) {
        const std::uint32_t at = sent;
        sent += static_cast<std::uint32_t>(payload.size());
        return machine.out(flow.from_client(payload, at));
    }
    Outcome send_merged(std::size_t size) { return send_merged(Buffer(size, '.')); }
    Outcome send_merged(const Buffer& payload) {
        const std::uint32_t at = sent;
        sent += static_cast<std::uint32_t>(payload.size());
        Outcome outcome = machine.out_merged(flow.from_client(payload, at));
        if (outcome.split()) sent = at;
        return outcome;
    }
    Outcome answer(Bytes payload) {
        const std::uint32_t at = answered;
        answered += static_cast<std::uint32_t>(payload.size());
        return machine.in(flow.from_server(payload, at));
    }
    Outcome answer_merged(std::size_t size) {
        return machine.in_merged(flow.from_server(Buffer(size, '.'), answered));
    }

    Machine machine;
    TcpFlow flow;
    std::uint32_t sent = 0, answered = 0;
};

} // namespace nfqws2::engine::test
