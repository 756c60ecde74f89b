// What the tests of held ClientHellos share: a script that shows what a replay changes, and a
// client that sends parts of a record.
#pragma once

#include "hellos.hpp"
#include "machine.hpp"

namespace nfqws2::engine::test {

// Everything about a data packet that a replay changes.
inline constexpr const char* show = R"lua(
function show(ctx, d)
    if #d.dis.payload == 0 then return end
    local t = d.track.pos.client.tcp
    local piece = d.replay and d.replay_piece .. "/" .. d.replay_piece_count ..
        (d.replay_piece_last and "!" or "") or "live"
    tell(d.l7payload, piece, "off", d.reasm_offset, "reasm", #d.reasm_data, "payload",
        #d.dis.payload, d.track.hostname, "n" .. d.track.pos.client.pcounter, "s" .. t.rseq)
end
)lua";

inline const Lines none{};

inline Config showing(std::vector<std::string> words = {"--lua-desync=show"},
                      const std::string& lua = {}) {
    return {std::move(words), show + lua, {}};
}

// A machine with an open flow; every packet goes out as a client's.
class Client {
  public:
    explicit Client(Config config, TcpFlow f = TcpFlow()) : machine(std::move(config)), flow(f) {
        machine.open(flow);
    }
    Buffer packet(std::size_t from, std::size_t to) const {
        return flow.from_client(Bytes(record).subspan(from, to - from),
                                static_cast<std::uint32_t>(from));
    }
    // The part [from, to) of the record.
    Outcome part(std::size_t from, std::size_t to) { return machine.out(packet(from, to)); }

    Machine machine;
    TcpFlow flow;
    Buffer record = hello_record(1115, "www.example.com", true);
};

inline std::vector<Sent> as_sent(const std::vector<Buffer>& packets,
                                 std::uint32_t mark = Machine::mark, const char* ifout = "eth0") {
    std::vector<Sent> list;
    for (const Buffer& packet : packets)
        list.push_back({packet, mark, ifout});
    return list;
}

inline void expect_held(const Outcome& outcome) {
    EXPECT_TRUE(outcome.dropped()) << "a real drop, no substitute";
    EXPECT_EQ(outcome.told, none);
    EXPECT_EQ(outcome.sent, std::vector<Sent>{});
}

} // namespace nfqws2::engine::test
